"""Another application needs only another inventory: the same playbooks migrate the boat rental, prove its isolation and
roll it back."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from application import CONFIRMED, Application, installed
from lab import ROOT, Host, Run

# All these tests run on one host, so that only one host must be prepared.
pytestmark = pytest.mark.one_host(together=True)

DATABASE, OWNER = "boat_rental", "desk"
FILES = ROOT / "molecule/example/application"
INVENTORY = ROOT / "examples/boat-rental/production.yml"
NORTH, SOUTH = "9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683", "11111111-2222-4333-8444-555555555555"
ROWS = {"boats": 20, "berths": 30, "trips": 400, "water_levels": 120, "skippers": 30}


class Rental:
    """The boat rental on a lab host."""

    def __init__(self, application: Application) -> None:
        """Use the installed application."""
        self.application, self.machine = application, application.machine
        self.playbook, self.sql = application.playbook, application.sql
        self.schema, self.call = application.schema, application.call

    def rows(self) -> dict[str, int]:
        """Return the number of rows in every tenant table."""
        return {table: self.sql(f"SELECT count(*) FROM rental.{table}")[0][0] for table in ROWS}

    def untouched(self) -> tuple[tuple[str, str, str], dict[str, int]]:
        """Return the state that must be the same after a run that makes no changes."""
        return self.application.untouched(), self.rows()

    @contextlib.contextmanager
    def session(self, tenant: str) -> Iterator[Any]:
        """Yield a cursor in a session of the application's role for this tenant. The changes are rolled back."""
        with contextlib.closing(self.machine.connect(DATABASE)) as connection, connection.cursor() as cursor:
            cursor.execute(f"BEGIN; SET SESSION AUTHORIZATION {OWNER}")
            cursor.execute("SELECT set_config('rental.marina', %s, true)", (tenant,))
            yield cursor


@pytest.fixture(scope="module")
def rental(machine: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rental]:
    """Yield the freshly seeded boat rental, and remove it at the end."""
    with installed(
        machine, tmp_path_factory.mktemp("inventory"), name="rental-desk", database=DATABASE, owner=OWNER, port=8300,
        inventory=INVENTORY, files=FILES, schema_file=FILES / "schema.sql", seed_file=FILES / "seed.sql",
    ) as application:  # fmt: skip
        yield Rental(application)


@pytest.fixture(scope="module")
def before(rental: Rental) -> str:
    """Return the schema before the migration."""
    return rental.schema()


@pytest.fixture(scope="module")
def migrated(rental: Rental, before: str) -> Run:
    """Migrate, with the test restore of the backup and a rehearsal."""
    assert rental.rows() == ROWS
    return rental.playbook("migrate.yml", *CONFIRMED)


@pytest.mark.wide
def test_a_dry_run_says_what_it_is_about_and_touches_nothing(rental: Rental, before: str) -> None:
    untouched = rental.untouched()
    run = rental.playbook("migrate.yml", "--check")
    assert f"existing rows belong to tenant {NORTH}" in run.words
    assert "Let views read with the privileges and the tenant of the calling role: boats_out" in run.words
    assert rental.untouched() == untouched


# The operator's decisions. The draft contains all other variables.
DECIDED = {
    "tenancy_column": "marina", "tenancy_column_type": "uuid", "tenancy_setting": "rental.marina",
    "tenancy_default_tenant": NORTH, "tenancy_readable": ["rental.boat_classes"],
}  # fmt: skip


@pytest.fixture(scope="module")
def undescribed(rental: Rental, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the example's inventory directory, without the model."""
    directory = tmp_path_factory.mktemp("undescribed")
    shutil.copytree(INVENTORY.parent, directory, dirs_exist_ok=True)
    (directory / "group_vars/ai_memory/tenancy.yml").unlink()
    return directory


def test_a_description_touches_nothing_and_writes_a_draft(
    rental: Rental, before: str, undescribed: Path, tmp_path: Path
) -> None:
    untouched = rental.untouched()
    place = f"-edescribe_directory={tmp_path}"
    first = rental.playbook("playbooks/describe.yml", place, inventory=undescribed / "production.yml")
    assert first.changed == 0
    assert rental.untouched() == untouched
    assert "Decisions: 6, each marked DECIDE" in first.words
    (written,) = tmp_path.glob("*/tenancy.yml")
    assert written.stat().st_mode & 0o777 == 0o600
    assert "DECIDE (boat_classes)" in written.read_text()
    shutil.rmtree(written.parent)
    tried = rental.playbook(
        "playbooks/describe.yml", place, f"-e{json.dumps(DECIDED)}", "-edescribe_try=true",
        inventory=undescribed / "production.yml",
    )  # fmt: skip
    assert tried.record["outcome"] == "SUCCESS"
    assert "Migrated, proven, verified and rolled back in a throwaway server" in tried.words
    (written,) = tmp_path.glob("*/tenancy.yml")
    assert rental.untouched()[0][0] == untouched[0][0]
    shutil.copy(written, undescribed / "group_vars/ai_memory/tenancy.yml")
    described = rental.playbook("playbooks/describe.yml", place, inventory=undescribed / "production.yml")
    assert "None: the model matches the database." in described.words


def test_the_migration_proves_the_isolation_and_verifies(rental: Rental, migrated: Run) -> None:
    record = migrated.record
    assert record["outcome"] == "SUCCESS"
    assert record["findings"] != []
    assert [item for item in record["findings"] if not item["ok"]] == []
    checks = {item["check"] for item in record["findings"]}
    assert {
        "trips.point.boat_id", "trips.point.pier_number", "boats_out.own.read", "boats_out.read.unset",
        "berths.own.upsert.pier_number", "berths.own.delete", "trips.own.trigger.skippers",
    } <= checks  # fmt: skip
    assert rental.rows() == ROWS
    for table, rows in ROWS.items():
        assert rental.sql(f"SELECT marina::text, count(*) FROM rental.{table} GROUP BY 1") == [(NORTH, rows)]
    assert f"works as tenant {NORTH}." in migrated.words


def test_the_service_works_on(rental: Rental, migrated: Run) -> None:
    try:
        assert rental.call("/trips/begin", skipper="Ada", boat="NH-002", content="to the island") == {"success": True}
        found = rental.call("/trips/of-skipper", skipper="Ada")
        assert found == {"success": True, "trips": [{"note": "to the island"}], "counted": 1}
        assert rental.call("/boats/out")["out"] == 81
        assert rental.call("/water/measured", pier="B", number=2, metres=2.25) == {"success": True}
        assert rental.call("/water/level", pier="B", number=2) == {"success": True, "metres": 2.25, "times": 5}
    finally:
        rental.sql("DELETE FROM rental.water_levels WHERE metres = 2.25")
        rental.sql("DELETE FROM rental.trips WHERE skipper = 'Ada'")
        rental.sql("DELETE FROM rental.skippers WHERE skipper = 'Ada'")


def test_another_marina_has_boats_berths_and_trips_of_its_own(rental: Rental, migrated: Run) -> None:
    with rental.session(SOUTH) as cursor:
        for relation in (*ROWS, "boats_out"):
            cursor.execute(f"SELECT count(*) FROM rental.{relation}")
            assert cursor.fetchone() == (0,)
        cursor.execute("INSERT INTO rental.boats (registration, name) VALUES ('NH-001', 'Same number') RETURNING id")
        (boat,) = cursor.fetchone()
        cursor.execute("INSERT INTO rental.berths (pier, number, length) VALUES ('A', 1, 9)")
        trip = "INSERT INTO rental.trips (boat_id, pier, number, skipper) VALUES (%s, 'A', 1, 'Grace')"
        cursor.execute(trip, (boat,))
        cursor.execute("SELECT registration, name, skipper FROM rental.boats_out")
        assert cursor.fetchall() == [("NH-001", "Same number", "Grace")]
        cursor.execute("DELETE FROM rental.berths")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SELECT marina::text, pier, number FROM rental.trips")
        assert cursor.fetchall() == [(SOUTH, None, None)]


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        ("boat_id", "(SELECT id FROM theirs)"),
        ("boat_id, pier, number", "(SELECT id FROM ours), 'B', 2"),
    ],
    ids=["boat", "berth"],
)
def test_a_trip_cannot_point_to_another_marinas(rental: Rental, migrated: Run, columns: str, values: str) -> None:
    (theirs,) = rental.sql("SELECT id FROM rental.boats LIMIT 1")[0]
    with rental.session(SOUTH) as cursor:
        cursor.execute("INSERT INTO rental.boats (registration, name) VALUES ('SH-1', 'Ours')")
        with pytest.raises(psycopg2.errors.ForeignKeyViolation):
            cursor.execute(
                "SET CONSTRAINTS ALL IMMEDIATE; WITH theirs AS (SELECT %s::uuid AS id),"
                " ours AS (SELECT id FROM rental.boats)"
                f" INSERT INTO rental.trips (skipper, {columns}) SELECT 'Grace', {values}",
                (theirs,),
            )


@pytest.mark.wide
def test_a_second_run_changes_nothing(rental: Rental, migrated: Run) -> None:
    untouched = rental.untouched()
    run = rental.playbook("migrate.yml")
    assert run.changed == 0
    assert "Nothing: the database is already migrated." in run.words
    assert rental.untouched() == untouched
    rental.playbook("playbooks/verify.yml", "-everify_proof=true")


@pytest.mark.wide
def test_the_policies_go_and_come_back_for_a_login_of_its_own(rental: Rental, migrated: Run) -> None:
    rental.playbook("rollback.yml", "-erollback_mode=policies", *CONFIRMED)
    assert rental.call("/trips/begin", skipper="Ada", boat="NH-002", content="to the island") == {"success": True}
    assert rental.sql("SELECT marina::text FROM rental.trips WHERE skipper = 'Ada'") == [(NORTH,)]
    rental.sql("DELETE FROM rental.trips WHERE skipper = 'Ada'")
    rental.sql("DELETE FROM rental.skippers WHERE skipper = 'Ada'")
    rental.playbook(
        "migrate.yml",
        *CONFIRMED,
        "-emigrate_rehearse=none",
        "-ebackup_test_restore=false",
        "-etenancy_provision_app_role=true",
    )
    assert "rental_desk:" in rental.machine.run("sudo cat /etc/rental-desk.env")
    assert rental.call("/boats/out")["out"] == 80


def test_the_original_schema_is_restored_exactly(rental: Rental, migrated: Run, before: str) -> None:
    assert rental.schema() != before
    rental.playbook("rollback.yml", "-erollback_mode=schema", *CONFIRMED)
    assert rental.schema() == before
    assert rental.rows() == ROWS
    assert rental.call("/boats/out")["out"] == 80


@pytest.mark.wide
def test_the_draft_migrates_and_leads_back(rental: Rental, before: str, undescribed: Path) -> None:
    inventory = undescribed / "production.yml"
    run = rental.playbook("migrate.yml", *CONFIRMED, "-ebackup_test_restore=false", inventory=inventory)
    assert run.record["outcome"] == "SUCCESS"
    assert rental.call("/boats/out")["out"] == 80
    described = rental.playbook("playbooks/describe.yml", inventory=inventory)
    assert "None: the model matches the database." in described.words
    rental.playbook("playbooks/verify.yml", "-everify_proof=true", inventory=inventory)
    rental.playbook("rollback.yml", "-erollback_mode=schema", *CONFIRMED, inventory=inventory)
    assert rental.schema() == before
