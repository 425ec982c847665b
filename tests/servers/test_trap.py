"""Code that the service's role has planted never gains privileges, even on versions that no lab host has."""

from __future__ import annotations

import contextlib
import inspect
import re
import types
from collections.abc import Callable, Iterator

import psycopg2
import pytest

import temporary
from ansible_collections.aimemory.tenancy.plugins.module_utils import sessions, transaction
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import enforce, plan, revert
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes.statement import Statement
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import proof
from lab import OWNER
from planner import Database
from server import OLDEST, ROOT, Server

NAME = "ai_memory_trap"
PLANT = ROOT / "molecule/trap/plant.sql"


class Trap:
    """A database in which the service's role has planted code that the administrator could run."""

    def __init__(self, server: Server) -> None:
        """Plant the trap as the service's role."""
        self._server, self._read = server, 0
        planted = PLANT.read_text().replace("ALTER DATABASE ai_memory ", f"ALTER DATABASE {NAME} ")
        server.run(
            "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={NAME}",
            given=f"SET SESSION AUTHORIZATION {OWNER};\n{planted}",
        )  # fmt: skip
        self.sprung()

    def sprung(self) -> list[str]:
        """Return the code that, since the last call, has run with more privileges than its owner has."""
        begin, text = self._read, self._server.log.read_text()
        self._read = len(text)
        return sorted(set(re.findall(r"LOG: *TRAP (.*)", text[begin:])))


@pytest.fixture
def trap(server: Server) -> Iterator[Trap]:
    """Plant the trap in a copy of the unmigrated database, and yield the trap."""
    with temporary.created(server, NAME):
        yield Trap(server)
    server.sql(f"ALTER ROLE {OWNER} RESET ALL")


@pytest.fixture
def database(server: Server, trap: Trap, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Yield the database in an administrator's session, as the playbooks open it."""
    monkeypatch.setenv("PGUSER", "postgres")
    with contextlib.closing(sessions.connect(NAME, 5432, host=str(server.directory))) as connection:
        yield Database(connection, NAME)
        connection.rollback()


def carried_out(database: Database, statements: list[Statement]) -> None:
    """Run statements as the playbooks do, and commit them."""
    assert statements != []
    database.execute(plan.document(statements, database.model, "5s", 60))
    database.commit()


def test_the_trap_sees_what_was_rolled_back(server: Server, trap: Trap) -> None:
    with contextlib.closing(server.connect(NAME)) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN; UPDATE public.memories SET k = k; ROLLBACK")
    assert {"trigger trap_row as postgres", "index as postgres"} <= set(trap.sprung())


def test_migration_and_rollback_spring_nothing(trap: Trap, database: Database) -> None:
    before = database.state()
    proved = database.migrate()
    database.commit()
    assert len(proved) > 100
    assert [item for item in proved if not item["ok"]] == []
    assert database.failures(before) == []
    database.audit(readable=["public.trap_ruled"])
    carried_out(database, enforce.build(database.state(), database.model))
    carried_out(database, revert.policies(database.state(), database.model))
    assert database.back_to(before) == []
    database.commit()
    assert database.state() == before
    assert trap.sprung() == []


def without_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the administrator's sessions look up names in the schema public first."""
    # The time limit is short, because each read triggers the trap for every row.
    settings = {**sessions.SETTINGS, "search_path": "public,pg_catalog", "statement_timeout": "5s"}
    monkeypatch.setattr(sessions, "SETTINGS", settings)


def with_the_callers_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the proof's function run with the caller's privileges."""
    _runner(monkeypatch, "SECURITY DEFINER", "SECURITY INVOKER")


def with_another_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the administrator the owner of the proof's function."""
    _prove(monkeypatch, "OWNER TO {wanted['role_name']}", "OWNER TO CURRENT_USER")


def with_what_it_did_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the effects of the attempts, so that deferred triggers run at the commit."""
    _prove(monkeypatch, "ROLLBACK TO SAVEPOINT tenancy_proof", "RELEASE SAVEPOINT tenancy_proof")


def _runner(monkeypatch: pytest.MonkeyPatch, guard: str, instead: str) -> None:
    document = proof.document

    def without(*given: object) -> dict[str, object]:
        made = document(*given)  # type: ignore[arg-type]
        assert guard in made["runner"]
        return made | {"runner": made["runner"].replace(guard, instead)}

    monkeypatch.setattr(proof, "document", without)


def _prove(monkeypatch: pytest.MonkeyPatch, guard: str, instead: str) -> None:
    source = inspect.getsource(transaction)
    assert source.count(guard) == 1
    broken = types.ModuleType(transaction.__name__)
    broken.__package__ = transaction.__package__
    exec(compile(source.replace(guard, instead), "without a guard", "exec"), broken.__dict__)
    monkeypatch.setattr(transaction, "prove", broken.prove)


@pytest.mark.parametrize("guard", [without_a_path, with_the_callers_rights, with_another_owner, with_what_it_did_kept])
def test_without_a_guard_it_springs(
    guard: Callable[[pytest.MonkeyPatch], None], server: Server, trap: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    if server.major != OLDEST:
        pytest.skip("The oldest version is enough. Since PostgreSQL 18, a deferred trigger runs as the writing role.")
    monkeypatch.setenv("PGUSER", "postgres")
    guard(monkeypatch)
    # Planted code runs for every row, but one run is enough. The time limit grows, because a busy machine is slower.
    assert any(sprung_within(seconds, server, trap, monkeypatch) for seconds in (5, 20, 80))


def sprung_within(seconds: float, server: Server, trap: Trap, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Migrate for at most ``seconds``, and return whether the trap was triggered."""
    bounded = sessions.bounded
    with (
        monkeypatch.context() as patched,
        contextlib.closing(sessions.connect(NAME, 5432, host=str(server.directory))) as connection,
        contextlib.closing(server.connect(NAME)) as watchdog,
        # Planted code may also cause an error in its caller, or never return.
        contextlib.suppress(psycopg2.Error, TenancyError),
    ):
        patched.setattr(sessions, "bounded", lambda session, other, _, what: bounded(session, other, seconds, what))
        database = Database(connection, NAME)
        database.migrate()
        with bounded(connection, watchdog, seconds, "The commit"):
            database.commit()
    return trap.sprung() != []
