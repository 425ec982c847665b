"""A database with a tenant column and a tenants table is migrated and rolled back, with a new login and a reader."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import yaml

from application import CONFIRMED, Application, installed
from lab import ROOT, Host, Run

# All these tests run on one host, so that only one host must be prepared.
pytestmark = pytest.mark.one_host(together=True)

HERE = ROOT / "molecule/adopted"
DATABASES = ROOT / "tests/servers/databases"
MODEL = HERE / "inventory/group_vars/ai_memory/tenancy.yml"
MIGRATE = ("migrate.yml", *CONFIRMED, "-etenancy_provision_app_role=true")
BACK = ("rollback.yml", "-erollback_mode=schema", *CONFIRMED)
FIRST, SECOND = "a.example.org", "b.example.org"
# The number of rows that each organization sees in each table. A third organization sees none.
ROWS = {"users": 3, "projects": 3, "tasks": 3, "notes": 1}
# The operator's decisions: the tenant setting, who reads the tenants table, and the dashboard's role.
DECIDED = {"tenancy_setting", "tenancy_tenants", "tenancy_readers"}
# A case-insensitive collation. The test creates the collation here, because saas.sql must also run on servers without
# ICU.
CASELESS = "CREATE COLLATION saas.caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
# Another program on the host, which uses the service's login.
DIGEST = """[Service]
Type=oneshot
RemainAfterExit=yes
Environment=DATABASE_URL=postgresql://board:no%%2Fsecret%%40all@localhost/task_board
ExecStart=/bin/true
"""


@pytest.fixture(scope="module")
def board(machine: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """Yield the task board with its rows, and remove it at the end."""
    with installed(
        machine, tmp_path_factory.mktemp("inventory"), name="task-board", database="task_board", owner="board",
        port=8400, inventory=HERE / "inventory/production.yml", files=HERE / "application",
        schema_file=DATABASES / "saas.sql", seed_file=DATABASES / "saas_seed.sql", roles=("reporting",),
    ) as board:  # fmt: skip
        board.sql(CASELESS)
        board.sql("ALTER TABLE saas.projects ALTER slug TYPE text COLLATE saas.caseless")
        board.sql("CREATE ROLE reporting LOGIN")
        board.sql("GRANT USAGE ON SCHEMA saas TO reporting")
        board.sql("GRANT SELECT ON ALL TABLES IN SCHEMA saas TO reporting")
        machine.run("sudo tee /run/systemd/system/digest.service", given=DIGEST)
        machine.run("sudo systemctl daemon-reload && sudo systemctl start digest")
        yield board
        machine.run("sudo systemctl stop digest && sudo rm /run/systemd/system/digest.service")


@pytest.fixture(scope="module")
def before(board: Application) -> str:
    """Return the schema before the migration."""
    return board.schema()


@pytest.fixture(scope="module")
def migrated(board: Application, before: str) -> Run:
    """Run the migration with a rehearsal."""
    return board.playbook(*MIGRATE)


@contextlib.contextmanager
def session(board: Application, role: str, organization: int | None = None) -> Iterator[psycopg2.extensions.cursor]:
    """Yield a cursor in a session of ``role``. The session's changes are rolled back."""
    with contextlib.closing(board.machine.connect(board.database)) as connection, connection.cursor() as cursor:
        cursor.execute(f"BEGIN; SET SESSION AUTHORIZATION {role}")
        if organization is not None:
            cursor.execute("SELECT set_config('app.organization', %s, true)", (str(organization),))
        yield cursor


def rows(cursor: psycopg2.extensions.cursor) -> dict[str, int]:
    """Return how many rows of each table a session sees."""
    found = {}
    for table in ROWS:
        cursor.execute(f"SELECT count(*) FROM saas.{table}")
        found[table] = cursor.fetchone()[0]
    return found


def test_the_model_is_the_draft_with_the_decisions(board: Application, before: str, tmp_path: Path) -> None:
    untouched = board.untouched()
    undescribed = tmp_path / "inventory"
    shutil.copytree(board.inventory.parent, undescribed)
    (undescribed / MODEL.relative_to(board.inventory.parent)).unlink()
    drafts = f"-edescribe_directory={tmp_path / 'drafts'}"
    board.playbook("playbooks/describe.yml", drafts, inventory=undescribed / "production.yml")
    (written,) = tmp_path.glob("drafts/*/tenancy.yml")
    draft, model = (yaml.safe_load(path.read_text()) for path in (written, MODEL))
    assert {name for name in draft | model if draft.get(name) != model.get(name)} <= DECIDED
    assert board.untouched() == untouched


def test_each_organization_sees_its_own_rows(board: Application, migrated: Run) -> None:
    assert migrated.record["outcome"] == "SUCCESS"
    assert [item for item in migrated.record["findings"] if not item["ok"]] == []
    for organization, seen in ((1, ROWS), (2, ROWS), (3, dict.fromkeys(ROWS, 0))):
        with session(board, "task_board_app", organization) as cursor:
            assert rows(cursor) == seen
    # A service that identifies its tenant from the host name reads the tenants table first.
    with session(board, "task_board_app") as cursor:
        cursor.execute("SELECT count(*) FROM saas.organizations")
        assert cursor.fetchone() == (2,)
        assert rows(cursor) == dict.fromkeys(ROWS, 0)


def test_the_dashboard_reads_every_organization_and_changes_none(board: Application, migrated: Run) -> None:
    with session(board, "reporting") as cursor:
        assert rows(cursor) == {table: 2 * count for table, count in ROWS.items()}
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM saas.notes")


def test_the_service_works_with_its_own_login(board: Application, migrated: Run) -> None:
    assert "task_board_app:" in board.machine.run("sudo cat /etc/task-board.env")
    for host, tasks in ((FIRST, 3), (SECOND, 3), ("c.example.org", 0)):
        assert len(board.call("/tasks", host=host)["tasks"]) == tasks
    # The unique key on slug now contains the organization, and still ignores case.
    try:
        for host in (FIRST, SECOND):
            assert board.call("/projects/create", host=host, content="same") == {"success": True}
        with pytest.raises(psycopg2.errors.UniqueViolation):
            board.sql(
                "INSERT INTO saas.projects (organization_id, slug, owner_id) SELECT 1, 'SAME', min(id) FROM saas.users"
            )
    finally:
        board.sql("DELETE FROM saas.projects WHERE slug = 'same'")


def test_another_unit_with_the_old_login_is_named(migrated: Run) -> None:
    assert "NOTE digest.service has a login to task_board as board in its environment." in migrated.words


def test_the_rows_that_the_migration_rewrote_are_not_said_to_be_lost(migrated: Run) -> None:
    assert "saas.tasks (unknown: this run assigned a tenant to every row)" in migrated.words


def test_the_journal_is_read_since_the_stop(board: Application, migrated: Run) -> None:
    # systemd does not remember when a unit that is stopped and not enabled became inactive.
    assert board.machine.run(f"systemctl is-enabled {board.name}", check=False) == "disabled\n"
    assert "journalctl --unit=task-board.service --since= 20" in migrated.words
    assert "--since=-1h" not in migrated.words


def test_the_original_schema_is_restored_exactly_and_a_disabled_login_works_again(
    board: Application, migrated: Run, before: str
) -> None:
    for run in (board.playbook(*BACK), board.playbook(*MIGRATE), board.playbook(*BACK)):
        assert run.record["outcome"] == "SUCCESS"
    assert board.schema() == before
    assert "postgresql://board:" in board.machine.run("sudo cat /etc/task-board.env")
    assert len(board.call("/tasks", host=SECOND)["tasks"]) == 3
