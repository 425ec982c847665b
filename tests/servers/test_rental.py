"""The proof, the findings and the audit detect all planted defects in the boat rental's migration."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator

import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.module_utils.outcomes import ProofError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import enforce, plan, revert
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from planner import Database
from production import rental_source
from rental import OWNER, seeded
from server import Server

# The model has a view and a foreign key ON DELETE SET NULL, which the plan refuses before PostgreSQL 15.
pytestmark = pytest.mark.since(15)
NAME = "boat_rental_leaks"
BOATS, BERTHS = "trips_boat_id_fkey", '"leaves from"'


@pytest.fixture(scope="module")
def made(server: Server) -> Iterator[None]:
    """Create the rental's database."""
    with seeded(server, NAME):
        yield


@pytest.fixture
def rental(server: Server, made: None) -> Iterator[Database]:
    """Yield the unmigrated database, and roll back every change to it."""
    with contextlib.closing(server.connect(NAME)) as connection:
        connection.autocommit = False
        yield Database(connection, NAME, model.parse(rental_source(NAME)))
        connection.rollback()


OWNERS_RIGHTS = (
    "ALTER VIEW rental.boats_out RESET (security_invoker)",
    "ALTER VIEW rental.boats_out OWNER TO postgres",
    f"GRANT SELECT ON rental.boats_out TO {OWNER}",
)
ONE_ROW = "SELECT NULL::text AS registration, NULL::text AS name, NULL::text AS skipper, now() AS left_at"
NO_ROW = f"SELECT registration, name, skipper, left_at FROM ({ONE_ROW}) AS one WHERE false"
VIEW = "CREATE OR REPLACE VIEW rental.boats_out"
OLD_BOATS = f"{BOATS} FOREIGN KEY (boat_id) REFERENCES rental.boats (id)"

# For each defect: the statements that cause it, and an attempt that the message must name.
MUTANTS = {
    "a boat of any marina": (
        [f"ALTER TABLE rental.trips DROP CONSTRAINT {BOATS}, ADD CONSTRAINT {OLD_BOATS}"], "trips.point.boat_id",
    ),
    "no boat at all": ([f"ALTER TABLE rental.trips DROP CONSTRAINT {BOATS}"], "trips.point.boat_id"),
    "no berth at all": ([f"ALTER TABLE rental.trips DROP CONSTRAINT {BERTHS}"], "trips.point.pier_number"),
    "berths of all marinas": (
        ['ALTER TABLE rental.berths DROP CONSTRAINT "Berth" CASCADE, ADD PRIMARY KEY (pier, number)'],
        "berths.own.insert.same",
    ),
    "the view reads with its owner's privileges": (OWNERS_RIGHTS, "boats_out.read.unset"),
    "a view that shows a row to nobody": ([f"{VIEW} AS {ONE_ROW}"], "boats_out.read.empty"),
    "a view that shows nothing": ([f"{VIEW} AS {NO_ROW}"], "boats_out.own.read"),
    "no right to read the view": ([f"REVOKE SELECT ON rental.boats_out FROM {OWNER}"], "boats_out.own.read"),
    "a policy for all marinas": (
        ["ALTER POLICY tenant_isolation_boats ON rental.boats USING (true)"], "boats.read.another",
    ),
    "a partition for whoever knows its name": (
        ["ALTER TABLE rental.water_levels_now DISABLE ROW LEVEL SECURITY"],
        "water_levels.read.default.rental.water_levels_now",
    ),
    "a partition of partitions for its owner": (
        ["ALTER TABLE rental.water_levels_2025 NO FORCE ROW LEVEL SECURITY"],
        "water_levels.delete.default.rental.water_levels_2025",
    ),
    "a partition that shows a row to nobody": (
        ["ALTER POLICY tenant_isolation_water_levels ON rental.water_levels_2025_a USING (true)"],
        "water_levels.read.reset.rental.water_levels_2025_a",
    ),
    "a partition that can be emptied": (
        [f"GRANT TRUNCATE ON rental.water_levels_2025_others TO {OWNER}"],
        "water_levels.truncate.rental.water_levels_2025_others",
    ),
    "water of all marinas": (
        ['ALTER TABLE rental.water_levels DROP CONSTRAINT "Gauge", ADD PRIMARY KEY (pier, number, measured_at)'],
        "water_levels.own.insert.same",
    ),
}  # fmt: skip

# The partitions that contain rows, lowest level first.
PARTITIONS = ("2025_a", "2025_others", "now")
NEXT_YEAR = "rental.water_levels_2027 PARTITION OF rental.water_levels FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')"
GAUGE = "pier, number, measured_at"
# An old tenant column from an abandoned migration.
OLD_COLUMN = (
    "ALTER TABLE rental.water_levels ADD COLUMN marina uuid DEFAULT '9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683'",
    "ALTER TABLE rental.water_levels ALTER marina DROP DEFAULT",
)
# Properties that only some partitions, or only the partitioned table, have.
OWN = {
    "a default": [
        *OLD_COLUMN,
        "ALTER TABLE rental.water_levels_now ALTER marina SET DEFAULT 'e0000000-0000-0000-0000-000000000007'",
    ],
    "an index": [*OLD_COLUMN, "CREATE INDEX mine ON rental.water_levels_now (marina, measured_at)"],
    "an index of partitions of a partition": [
        *OLD_COLUMN, "CREATE INDEX mine ON rental.water_levels_2025 (marina, measured_at)",
    ],
    "an index of the table the other way round": [
        *OLD_COLUMN, "CREATE INDEX mine ON rental.water_levels (marina, measured_at)",
    ],
    "a unique index": [*OLD_COLUMN, f"CREATE UNIQUE INDEX mine ON rental.water_levels_now (marina, {GAUGE})"],
    "a primary key": [
        *OLD_COLUMN,
        "ALTER TABLE rental.water_levels ALTER marina SET NOT NULL",
        'ALTER TABLE rental.water_levels DROP CONSTRAINT "Gauge"',
        f"ALTER TABLE rental.water_levels_now ADD CONSTRAINT mine PRIMARY KEY (marina, {GAUGE})",
    ],
    "storage parameters": [
        'ALTER TABLE rental.water_levels DROP CONSTRAINT "Gauge"',
        f'ALTER TABLE rental.water_levels ADD CONSTRAINT "Gauge" PRIMARY KEY ({GAUGE}) WITH (fillfactor = 70)',
    ],
}  # fmt: skip


def test_every_attempt_comes_out_as_it_may(rental: Database) -> None:
    before = rental.state()
    found = rental.migrate()
    assert [item for item in found if not item["ok"]] == []
    assert len(found) > 130
    assert rental.failures(before) == []
    assert [e for e in rental.audit(readable=["rental.boat_classes"]) if e["severity"] == "error"] == []


def test_the_audit_marks_entries_that_the_plan_fixes(rental: Database) -> None:
    found = {(e["rule"], e["subject"]): e["fixed_by_plan"] for e in rental.audit(readable=["rental.boat_classes"])}
    assert found["view-definer", "rental.boats_out"]
    assert found["foreign-key", f"{BERTHS} of rental.trips"]
    assert found["foreign-key", f"{BOATS} of rental.trips"]
    assert ("relation-unlisted", "rental.boats_out") not in found


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_is_spoiled_leaks_and_is_named(rental: Database, mutant: str) -> None:
    statements, attempt = MUTANTS[mutant]
    rental.migrate()
    rental.run(*statements)
    with pytest.raises(ProofError, match=rf"(The isolation proof failed: |; ){re.escape(attempt)}: "):
        rental.prove()


@pytest.mark.parametrize(
    ("statements", "ids"),
    [
        ([f"ALTER TABLE rental.trips DROP CONSTRAINT {BOATS}, ADD CONSTRAINT {OLD_BOATS}"],
         ["trips.foreign_key.boat_id.drop", "trips.foreign_key.boat_id"]),
        (["ALTER TABLE rental.trips ADD FOREIGN KEY (boat_id) REFERENCES rental.boats (id)"],
         ["trips.foreign_key.boat_id.drop"]),
        (["ALTER VIEW rental.boats_out SET (security_invoker = off)"], ["boats_out.invoker"]),
        ([f"CREATE TABLE {NEXT_YEAR}"],
         [f"water_levels.{what}.rental.water_levels_2027" for what in
          ("bridge.select", "bridge.insert", "bridge.update", "bridge.delete", "policy", "enable", "force")]),
        (["ALTER TABLE rental.water_levels_now ALTER marina DROP DEFAULT"],
         ["water_levels.default.rental.water_levels_now"]),
        ([f"GRANT TRUNCATE ON rental.water_levels_now TO {OWNER}"],
         ["water_levels.revoke.rental.water_levels_now"]),
        (['ALTER TABLE rental.water_levels DROP CONSTRAINT "Gauge"'],
         [f"water_levels.key.pier_number_measured_at{part}" for part in
          (*(f".build.rental.water_levels_{name}" for name in PARTITIONS),
           *(f".rental.water_levels_{name}" for name in PARTITIONS), "")]),
    ],
    ids=["the old foreign key", "both foreign keys", "the owner's rights", "a partition of next year",
         "a partition's default", "a right to a partition", "the key of a partitioned table"],
)  # fmt: skip
def test_what_is_missing_is_found_and_planned_again(rental: Database, statements: list[str], ids: list[str]) -> None:
    before = rental.state()
    rental.migrate()
    rental.run(*statements)
    assert rental.failures(before) != []
    assert [item["id"] for item in rental.plan()] == ids
    rental.migrate()
    assert rental.failures(before) == []


def test_the_rental_can_be_rolled_back(rental: Database) -> None:
    rental.run('COMMENT ON CONSTRAINT "Berth" ON rental.berths IS $$as painted on the pier$$')
    before = rental.state()
    rental.migrate()
    assert rental.back_to(before) == []
    assert rental.state() == before


def test_enforcing_leaves_nothing_of_the_bridge(rental: Database) -> None:
    before = rental.state()
    rental.migrate()
    migrated = rental.state()
    bridges = "SELECT count(*) FROM pg_policy WHERE starts_with(polname, 'tenancy_bridge')"
    assert rental.value(bridges) == 4 * (len(rental.model.tables) + len(PARTITIONS) + 1)
    statements = enforce.build(migrated, rental.model)
    rental.run(*plan.transaction(statements, rental.model, "5s"))
    assert rental.value(bridges) == 0
    assert rental.failures(before) == []
    assert [item for item in rental.prove() if not item["ok"]] == []
    assert rental.back_to(migrated, lone=False) == []
    assert rental.state() == migrated


@pytest.mark.parametrize("own", OWN)
def test_what_a_partition_has_of_its_own_comes_back(rental: Database, own: str) -> None:
    rental.run(*OWN[own])
    before = rental.state()
    rental.migrate()
    assert rental.failures(before) == []
    assert rental.back_to(before) == []
    assert rental.state() == before


@pytest.mark.parametrize("goal", ["enforce", "policies", "schema"])
def test_a_partition_that_was_detached_holds_nothing_up(rental: Database, goal: str) -> None:
    before = rental.state()
    rental.migrate()
    rental.run("ALTER TABLE rental.water_levels DETACH PARTITION rental.water_levels_now")
    bridges = "SELECT count(*) FROM pg_policy WHERE starts_with(polname, 'tenancy_bridge')"
    detached = f"{bridges} AND polrelid = 'rental.water_levels_now'::regclass"
    assert rental.value(detached) == 4
    if goal == "schema":
        # The foreign key of the detached partition uses a key that the migration created.
        named = r"on table rental\.water_levels_now uses .*: drop the dependent object first"
        with pytest.raises(UnsafeStateError, match=named):
            rental.back_to(before)
        rental.run("ALTER TABLE rental.water_levels_now DROP CONSTRAINT water_levels_pier_number_fkey")
        assert rental.back_to(before) == []
    else:
        statements = {"enforce": enforce.build, "policies": revert.policies}[goal](rental.state(), rental.model)
        rental.run(*plan.transaction(statements, rental.model, "5s"))
    assert rental.value(bridges) == 0
    # Row security still hides the rows of the detached partition.
    assert rental.value("SELECT relforcerowsecurity FROM pg_class WHERE oid = 'rental.water_levels_now'::regclass")


def test_row_security_that_a_partition_got_by_hand_stays(rental: Database) -> None:
    before = rental.state()
    rental.migrate()
    rental.run(
        f"CREATE TABLE {NEXT_YEAR}",
        "ALTER TABLE rental.water_levels_2027 ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY low ON rental.water_levels_2027 USING (metres < 1)",
    )
    assert rental.back_to(before) == []
    assert rental.value("SELECT relrowsecurity FROM pg_class WHERE oid = 'rental.water_levels_2027'::regclass")


def test_an_exclusion_dropped_by_hand_is_restored(rental: Database) -> None:
    rental.run("ALTER TABLE rental.boats ADD CONSTRAINT alone EXCLUDE USING btree (id WITH =)")
    before = rental.state()
    rental.migrate()
    rental.run("ALTER TABLE rental.boats DROP CONSTRAINT alone")
    assert rental.back_to(before) == []
    assert rental.state() == before


@pytest.mark.parametrize("enforced", [False, True], ids=["with the bridge", "enforced since"])
def test_a_table_that_joins_later_is_rolled_back_alone(rental: Database, enforced: bool) -> None:
    # The plan cannot replace the referenced key while this foreign key exists.
    rental.run("ALTER TABLE rental.water_levels DROP CONSTRAINT water_levels_pier_number_fkey")
    *others, levels = sorted(rental.model.tables, key=lambda table: table.name == "water_levels")
    levels = dataclasses.replace(levels, foreign_keys=(), sample={**levels.sample, "pier": "proof", "number": 1})
    whole = dataclasses.replace(rental.model, tables=(*others, levels))
    rental.model = dataclasses.replace(whole, tables=tuple(others))
    rental.migrate()
    rental.model = whole
    before = rental.state()
    assert {item["table"] for item in rental.plan()} == {"water_levels"}
    rental.migrate()
    assert rental.failures(before) == []
    if enforced:
        rental.run(*plan.transaction(enforce.build(rental.state(), rental.model), rental.model, "5s"))
    assert rental.back_to(before) == []
    assert rental.state() == before


def test_newer_partitions_and_other_schemas_are_rolled_back(rental: Database) -> None:
    rental.run(
        "CREATE SCHEMA archive",
        "CREATE TABLE archive.water_levels_2024 PARTITION OF rental.water_levels"
        " FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        f"ALTER TABLE archive.water_levels_2024 OWNER TO {OWNER}",
        "INSERT INTO rental.water_levels VALUES ('A', 1, '2024-05-01', 1)",
    )
    before = rental.state()
    rental.migrate()
    rental.run(f"CREATE TABLE {NEXT_YEAR}")
    rental.migrate()
    assert rental.failures(before) == []
    assert rental.back_to(before) == []
    policies = "SELECT count(*) FROM pg_policy WHERE polrelid = 'rental.water_levels_2027'::regclass"
    assert rental.value(policies) == 0
    rental.run("DROP TABLE rental.water_levels_2027")
    assert rental.state() == before


def test_a_key_of_one_partition_alone_is_exchanged_there(rental: Database) -> None:
    rental.run(f"CREATE UNIQUE INDEX alone ON rental.water_levels_now ({GAUGE} DESC) WHERE metres > 0")
    before = rental.state()
    assert any(
        (entry["subject"], entry["fixed_by_plan"]) == ("alone of water_levels_now", True)
        for entry in rental.audit()
        if entry["rule"] == "unique-key"
    )
    assert [item for item in rental.migrate() if not item["ok"]] == []
    printed = rental.value("SELECT pg_get_indexdef('rental.alone'::regclass)")
    assert printed.endswith("(marina, pier, number, measured_at DESC) WHERE (metres > (0)::numeric)")
    assert rental.failures(before) == []
    assert rental.plan() == []
    assert rental.back_to(before) == []
    assert rental.state() == before


OTHERWISE = ["ALTER TABLE rental.water_levels RENAME TO old"]


@pytest.mark.parametrize(
    ("statements", "sentence"),
    [
        (["ALTER TABLE rental.trips DROP CONSTRAINT trips_boat_id_fkey"], r"has no foreign key \(boat_id\) to boats"),
        ([f"ALTER TABLE rental.trips DROP CONSTRAINT {BERTHS}",
          "ALTER TABLE rental.trips ADD CONSTRAINT f FOREIGN KEY (pier, number) REFERENCES rental.berths MATCH FULL"],
         "The foreign key f of rental.trips is MATCH FULL"),
        (["CREATE TABLE rental.bills (pier text, number int, FOREIGN KEY (pier, number) REFERENCES rental.berths)"],
         "bills_pier_number_fkey on table rental.bills depends on it"),
        (["DROP VIEW rental.boats_out"], r"View rental\.boats_out does not exist"),
        (["CREATE UNIQUE INDEX other ON rental.water_levels_now (metres) WHERE false"],
         r"The unique key other of rental\.water_levels_now on \(metres\) is not in the model"),
        (['ALTER TABLE rental.water_levels DROP CONSTRAINT "Gauge", DROP CONSTRAINT water_levels_pier_number_fkey',
          "CREATE EXTENSION file_fdw",
          "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw",
          f"CREATE FOREIGN TABLE {NEXT_YEAR} SERVER files OPTIONS (program 'false')"],
         r"rental\.water_levels_2027, a partition of rental\.water_levels, is not a table"),
        (['ALTER TABLE rental.water_levels DROP CONSTRAINT "Gauge"',
          f"ALTER TABLE rental.water_levels_now ADD CONSTRAINT held UNIQUE ({GAUGE})",
          f"CREATE UNIQUE INDEX bare ON rental.water_levels ({GAUGE})"],
         r"The key held of rental\.water_levels_now is attached to the index bare of rental\.water_levels"),
        ([*OTHERWISE, "CREATE TABLE rental.water_levels (LIKE rental.old) PARTITION BY RANGE (metres)"],
         r"\) of rental\.water_levels must contain the columns that partition rental\.water_levels \(metres\)"),
        ([*OTHERWISE, "CREATE TABLE rental.water_levels (LIKE rental.old) PARTITION BY RANGE ((metres + 1))"],
         r"must contain the columns that partition rental\.water_levels \(an expression\)"),
        (["ALTER TABLE rental.skippers RENAME TO skippers_of_old",
          "CREATE TABLE rental.everybody (skipper text, trips integer) PARTITION BY LIST (skipper)",
          "CREATE TABLE rental.skippers PARTITION OF rental.everybody DEFAULT"],
         r"rental\.skippers is a partition of rental\.everybody: list that table in tenancy_tables instead"),
    ],
    ids=["gone", "match full", "another table", "no view", "a partition's other key",
         "a partition elsewhere", "a key that holds another", "another column", "an expression",
         "a partition by its name"],
)  # fmt: skip
def test_what_cannot_be_planned_for_is_refused(rental: Database, statements: list[str], sentence: str) -> None:
    rental.run(*statements)
    with pytest.raises(UnsafeStateError, match=sentence):
        rental.plan()


def test_foreign_keys_of_every_kind_come_back_as_they_were(rental: Database) -> None:
    rental.run(
        "ALTER TABLE rental.trips DROP CONSTRAINT trips_boat_id_fkey",
        "ALTER TABLE rental.trips ADD CONSTRAINT trips_boat_id_fkey FOREIGN KEY (boat_id) REFERENCES rental.boats (id)"
        " ON UPDATE RESTRICT ON DELETE SET DEFAULT (boat_id) DEFERRABLE NOT VALID",
    )
    before = rental.state()
    definition = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'trips_boat_id_fkey'"
    written = rental.value(definition)
    rental.migrate()
    assert rental.value(definition) == written.replace("KEY (", "KEY (marina, ").replace("boats(", "boats(marina, ")
    assert rental.back_to(before) == []
    assert rental.value(definition) == written


def test_the_accepted_plan_is_the_one_of_this_database(rental: Database) -> None:
    for case in ("rental", "rental-migrated"):
        assert golden.anywhere(rental.state()) == golden.anywhere(golden.catalog(case))
        rental.migrate()


def test_what_can_be_done_while_the_service_works_is_done_then(rental: Database) -> None:
    before = rental.state()
    steps = rental.steps()
    assert {step["id"].split(".")[1] for step in steps} == {"column", "index", "key"}
    rental.carry_out(steps)
    built = "SELECT pg_relation_filenode('rental.idx_water_levels_now_marina_measured_at')"
    file = rental.value(built)
    left = [item["id"] for item in rental.plan() if item["phase"] in ("column", "build")]
    # The only remaining statement attaches the partitions' indexes to the table's index, which is fast.
    assert left == ["water_levels.index.measured_at"]
    rental.migrate()
    assert rental.value(built) == file
    assert rental.failures(before) == []
    rental.back_to(before)
    assert rental.state() == before
    rental.commit()


def test_rows_of_partitions_get_their_tenant_while_the_service_works(rental: Database) -> None:
    before = rental.state()
    rental.run("ALTER TABLE rental.water_levels ADD COLUMN marina uuid")
    rental.backfill("water_levels")
    assert rental.state()["tables"]["water_levels"]["column"]["nulls"] == 0
    rental.carry_out([step for step in rental.steps() if step["id"] == "water_levels.not_null"])
    rental.migrate()
    assert rental.failures(before) == []
    rental.back_to(before)
    assert rental.state() == before
    rental.commit()
