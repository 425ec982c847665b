"""In the proof, code in the database never exceeds its owner's privileges, never influences an outcome, and has no
effect after its attempt."""

from __future__ import annotations

import contextlib
import time

import psycopg2
import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import sessions
from ansible_collections.aimemory.tenancy.plugins.module_utils.outcomes import ProofError
from ansible_collections.aimemory.tenancy.plugins.module_utils.sessions import TimeLimitError
from lab import OWNER, Host
from planner import NAME, Database
from rows import insert

# Every statement that could switch back to the session's own role, each in its own subtransaction.
CLIMB = """
DECLARE way text; rose text := '';
BEGIN
  FOREACH way IN ARRAY ARRAY['RESET ROLE', 'SET ROLE NONE', 'SET ROLE operator', 'SET LOCAL ROLE operator',
    'RESET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION DEFAULT', 'SET LOCAL SESSION AUTHORIZATION operator',
    $w$SELECT set_config('role', 'none', false)$w$, $w$SELECT set_config('role', 'operator', true)$w$,
    $w$SELECT set_config('session_authorization', 'default', false)$w$]
  LOOP
    BEGIN EXECUTE way; EXCEPTION WHEN OTHERS THEN NULL; END;
    -- Drawn from a sequence, which no rollback takes back.
    IF current_user <> 'alice' THEN PERFORM nextval('climbed'); END IF;
  END LOOP;
"""
FOR_EACH_ROW = "BEFORE INSERT OR UPDATE OR DELETE ON memories FOR EACH ROW EXECUTE FUNCTION spy()"
DEFERRED = "AFTER INSERT ON memories DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION spy()"
END = "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END"


def spy(database: Database, body: str, trigger: str = f"TRIGGER spy {FOR_EACH_ROW}") -> None:
    """Create a trigger on memories, and its function, as the service's role."""
    database.run(
        f"SET LOCAL ROLE {OWNER}", f"CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $spy${body}$spy$",
        f"CREATE {trigger}", "RESET ROLE",
    )  # fmt: skip


def climbed(database: Database) -> bool:
    return bool(database.value("SELECT is_called FROM climbed"))


@pytest.mark.parametrize("trigger", [f"TRIGGER spy {FOR_EACH_ROW}", f"CONSTRAINT TRIGGER spy {DEFERRED}"])
def test_no_trigger_gets_above_its_owner(database: Database, trigger: str) -> None:
    database.migrate()
    database.run(f"CREATE SEQUENCE climbed; ALTER SEQUENCE climbed OWNER TO {OWNER}")
    spy(database, CLIMB + END, trigger)
    database.prove()
    assert not climbed(database)
    # The trap works: if the session only runs SET ROLE, the code can switch back.
    database.run("SAVEPOINT s", f"SET LOCAL ROLE {OWNER}", "SET LOCAL app.current_tenant = '1'; SET row_security = on")
    database.run(insert("memories", {"k": "a"}), "SET CONSTRAINTS ALL IMMEDIATE", "ROLLBACK TO s")
    assert climbed(database)


def test_a_trigger_that_is_deferred_again_is_gone_with_the_proof(database: Database) -> None:
    database.migrate()
    database.run(f"CREATE SEQUENCE climbed; ALTER SEQUENCE climbed OWNER TO {OWNER}")
    again = "SET CONSTRAINTS ALL DEFERRED; UPDATE memories SET k = k WHERE id = NEW.id; RETURN NULL; END"
    spy(database, CLIMB + again, f"CONSTRAINT TRIGGER spy {DEFERRED}".replace("INSERT", "INSERT OR UPDATE"))
    database.prove()
    # This runs the deferred triggers, as a commit does.
    database.run("SET CONSTRAINTS ALL IMMEDIATE")
    assert not climbed(database)


@pytest.mark.parametrize("state", ["TR001", "TR002", "TR003", "P0001", "57014", "P0004", "42501", "40001", "23503"])
def test_an_error_of_the_databases_code_is_an_outcome_of_its_own(database: Database, state: str) -> None:
    database.migrate()
    spy(database, f"BEGIN RAISE SQLSTATE '{state}' USING COLUMN = 'c', TABLE = 'memories', MESSAGE = 'a value'; END")
    with pytest.raises(ProofError) as caught:
        database.prove()
    assert f"memories.own.insert: A tenant stores a row: error {state} (table memories) instead of" in str(caught.value)
    assert "a value" not in str(caught.value)


def test_a_leak_is_no_success_after_an_error(database: Database) -> None:
    # An error in the previous attempt must not count as the outcome of this attempt.
    database.migrate()
    database.run("CREATE POLICY also ON memories FOR SELECT USING (true)")
    spy(database, f"BEGIN IF TG_OP = 'UPDATE' THEN RAISE SQLSTATE 'TR001'; END IF; {END}")
    with pytest.raises(ProofError, match=r"memories\.read\.another: ") as caught:
        database.prove()
    assert "memories.own.update: A tenant updates its own rows and no others: error TR001" in str(caught.value)


@pytest.mark.parametrize(
    "deed",
    [
        "PERFORM set_config('tenancy_runbook.findings', '[]', false), set_config('tenancy_runbook.input', '{}', false)",
        "ALTER FUNCTION pg_temp.tenancy_attempts(jsonb) SECURITY INVOKER",
        ("CREATE OR REPLACE FUNCTION pg_temp.tenancy_attempts(given jsonb) RETURNS jsonb LANGUAGE sql"
        " AS 'SELECT ''[]''::jsonb'"),
        "DROP FUNCTION pg_temp.tenancy_attempts(jsonb)",
        "SET search_path = pg_temp; SET lock_timeout = 1; SET work_mem = '128kB'",
        # Only attempts whose rows are kept pass their settings on to the next attempt.
        "SET row_security = off",
        'EXECUTE $f$FETCH ALL FROM "<unnamed portal 1>"$f$',
    ],
)  # fmt: skip
def test_what_an_attempt_does_to_the_session_changes_no_finding(database: Database, deed: str) -> None:
    database.migrate()
    wanted = database.prove()
    spy(database, f"BEGIN BEGIN {deed}; EXCEPTION WHEN OTHERS THEN NULL; END; {END}")
    before = database.value("SELECT string_agg(name || setting, ',' ORDER BY name) FROM pg_settings")
    found = database.prove()
    assert found == wanted
    assert database.value("SELECT string_agg(name || setting, ',' ORDER BY name) FROM pg_settings") == before


def test_no_attempt_is_compiled(database: Database) -> None:
    """JIT compilation takes longer than the attempts themselves, and callers wait for both."""
    database.run(f"ALTER ROLE {OWNER} SET jit = on")
    database.migrate()
    spy(database, f"BEGIN IF current_setting('jit') <> 'off' THEN RAISE SQLSTATE 'TR001'; END IF; {END}")
    assert database.prove() != []


def test_operators_of_the_service_answer_for_none_of_postgresqls(database: Database) -> None:
    """The service's search path finds the service's operators first, but a leak must still be reported."""
    database.migrate()
    database.run(
        f"ALTER ROLE {OWNER} IN DATABASE {NAME} SET search_path = public, pg_catalog",
        "CREATE FUNCTION never(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT false'",
        "CREATE OPERATOR public.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = never)",
        "CREATE POLICY also ON memories FOR SELECT USING (true)",
    )
    with pytest.raises(ProofError, match=r"memories\.read\.another: "):
        database.prove()


def test_attempts_are_made_with_the_settings_of_the_services_login(database: Database) -> None:
    database.migrate()
    database.run(
        f"ALTER DATABASE {NAME} SET search_path = 'of the database'",
        f"ALTER ROLE {OWNER} SET search_path = 'of the role'",
        f"ALTER ROLE {OWNER} SET work_mem = '3MB'",
        f"ALTER ROLE {OWNER} IN DATABASE {NAME} SET app.mode = 'service'",
    )
    spy(
        database,
        f"""BEGIN
      IF concat(current_setting('search_path'), current_setting('app.mode', true), current_setting('work_mem'))
        <> 'of_the_url,public' || 'service' || '3MB' THEN RAISE SQLSTATE 'SEENX'; END IF; {END}""",
    )
    options = "-c search_path=of_the_url,public"
    assert all(item["ok"] for item in database.prove(options))
    with pytest.raises(ProofError, match="SEENX"):
        database.prove()


NEVER = "BEGIN LOOP BEGIN PERFORM pg_sleep(1); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END"


def test_code_that_never_returns_is_ended_from_outside(database: Database) -> None:
    database.migrate()
    spy(database, NEVER)
    document = database.transaction([])
    document["proof"]["seconds"] = 2
    began = time.monotonic()
    with pytest.raises(TimeLimitError, match="The isolation proof did not end within 2 s and was terminated"):
        database.execute(document)
    assert time.monotonic() - began < 30


def test_a_statement_that_never_returns_is_ended_from_outside(database: Database) -> None:
    database.migrate()
    spy(database, NEVER)
    document = database.transaction([])
    document["seconds"] = 2
    document["checks"] = ["UPDATE public.memories SET k = k WHERE id = (SELECT id FROM public.memories LIMIT 1)"]
    with pytest.raises(TimeLimitError, match="The transaction did not end within 2 s and was terminated"):
        database.execute(document)


def test_a_view_under_a_tables_name_is_not_read(database: Database) -> None:
    database.migrate()
    document = database.transaction([])
    database.run(f"CREATE SEQUENCE climbed; ALTER SEQUENCE climbed OWNER TO {OWNER}")
    database.run(
        "ALTER TABLE memories RENAME TO hidden",
        f"CREATE FUNCTION spy() RETURNS boolean LANGUAGE plpgsql AS $spy${CLIMB} RETURN true; END$spy$",
        "CREATE VIEW memories AS SELECT * FROM hidden WHERE spy()",
    )
    with pytest.raises(ProofError, match=r"public\.memories is no longer a table"):
        database.execute(document)
    assert not climbed(database)


def test_a_write_of_the_change_is_found(database: Database) -> None:
    database.migrate()
    document = database.transaction([])
    row = "UPDATE public.memories SET k = k WHERE id = (SELECT id FROM public.memories LIMIT 1)"
    document["statements"] = [{"id": "x", "table": "memories", "phase": "policy", "sql": row, "checks": []}]
    with pytest.raises(ProofError, match=r"memories\.unchanged: .*'written': 1.* instead of .*'written': 0"):
        database.execute(document)


def test_settings_of_the_administrators_sessions_are_his_own(machine: Host, copy: None) -> None:
    """The settings do not depend on the role, the database or the PostgreSQL version."""
    role = machine.sql("SELECT current_user")[0][0]
    machine.sql(f"ALTER DATABASE {NAME} SET search_path = public, pg_catalog")
    machine.sql(f"ALTER DATABASE {NAME} SET standard_conforming_strings = off")
    machine.sql(f"ALTER DATABASE {NAME} SET bytea_output = 'escape'")
    machine.sql(f"ALTER ROLE {role} IN DATABASE {NAME} SET role = '{OWNER}'")
    machine.sql(f"ALTER ROLE {role} SET idle_in_transaction_session_timeout = '1s'")
    try:
        settings = machine.connect(NAME).info.dsn_parameters
        with contextlib.closing(
            psycopg2.connect(host=settings["host"], dbname=NAME, user=role, options=sessions.options())
        ) as connection:
            sessions.prepare(connection)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT name, setting FROM pg_settings WHERE name IN ('search_path', 'standard_conforming_strings',"
                    " 'bytea_output', 'idle_in_transaction_session_timeout', 'restrict_nonsystem_relation_kind')"
                )
                found = dict(cursor.fetchall())
                cursor.execute("SELECT current_user, count(*) FROM pg_settings WHERE source IN ('user', 'database')")
                assert cursor.fetchone() == (role, 0)
        assert found.pop("restrict_nonsystem_relation_kind", "").replace(" ", "") in ("", "view,foreign-table")
        assert found == {
            "search_path": "pg_catalog,pg_temp", "standard_conforming_strings": "on", "bytea_output": "hex",
            "idle_in_transaction_session_timeout": "0",
        }  # fmt: skip
    finally:
        machine.sql(f"ALTER ROLE {role} RESET ALL")
        machine.sql(f"ALTER ROLE {role} IN DATABASE {NAME} RESET ALL")
        machine.sql(f"ALTER DATABASE {NAME} RESET ALL")
