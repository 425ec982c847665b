"""Facts in the catalogs cause a refusal or a note before any change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import notes
from lab import OWNER, TABLES, Host
from planner import NAME, Database, committed
from production import model_source
from rows import insert

COLUMN = "ALTER TABLE call_summaries ADD COLUMN customer_id integer"
TENANT = "customer_id = current_setting('app.current_tenant')::int"
NUMBERS = [COLUMN, "UPDATE call_summaries SET customer_id = 40 + ascii(right(call_id, 1)) % 3"]
ON = "ALTER TABLE call_summaries ENABLE ROW LEVEL SECURITY"
MEANS = "call_summaries.customer_id already exists, "
TWICE = ["ALTER TABLE caller_profiles DROP CONSTRAINT caller_profiles_user_id_key",
         insert("caller_profiles", *({"user_id": user} for user in ("+7", "+7", "+7", "+8", "+8")))]  # fmt: skip
ONE_OF_TWO = "SELECT id FROM caller_profiles WHERE user_id = '+8' LIMIT 1"
FUNCTION = "CREATE FUNCTION update_personality_averages(p_user_id varchar)"
DUPLICATES = (
    "(user_id) of public.caller_profiles is a natural key in tenancy_tables, but within a tenant, {rows} rows share "
    "{keys} of its values"
)
GUARD = [
    "CREATE FUNCTION guard() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RETURN; END'",
    "CREATE EVENT TRIGGER guard ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION guard()",
]
AVERAGES = "CREATE PUBLICATION p FOR TABLE personality_averages"
READ_ONLY = "SET default_transaction_read_only = "
CAST = [
    "CREATE TYPE pointer AS (v text)",
    "CREATE FUNCTION points(pointer) RETURNS text LANGUAGE sql AS 'SELECT $1.v'",
    "CREATE CAST (pointer AS text) WITH FUNCTION points(pointer) AS IMPLICIT",
    f"ALTER FUNCTION points(pointer) OWNER TO {OWNER}",
]
POINTING = [{"columns": ["call"], "references": "call_summaries", "key": ["call_id"]}]

# For each case: the changes to an unmigrated database, and the beginning of the refusal.
REFUSED: dict[str, tuple[list[str], str]] = {
    "a column that means something else": (NUMBERS, f"public.{MEANS}contains values other than 1 (40, 41, 42"),
    "one row of another tenant": (
        [COLUMN, "UPDATE call_summaries SET customer_id = 1",
         "UPDATE call_summaries SET customer_id = 2 WHERE call_id = (SELECT min(call_id) FROM call_summaries)"],
        f"public.{MEANS}contains values other than 1 (2; 1 rows)",
    ),
    "a policy that does not use a column": (
        [*NUMBERS, ON, "CREATE POLICY all_of_it ON call_summaries USING (true)"], f"public.{MEANS}contains values",
    ),
    "row security without a policy": ([*NUMBERS, ON], f"public.{MEANS}contains values"),
    "a policy on another column": (
        [*NUMBERS, ON, "CREATE POLICY own ON call_summaries USING (user_id = current_setting('app.current_tenant'))"],
        f"public.{MEANS}contains values",
    ),
    "a policy that is not in force": (
        [*NUMBERS, f"CREATE POLICY own ON call_summaries USING ({TENANT})"],
        f"public.{MEANS}contains values",
    ),
    "a foreign key to a table outside the model": (
        ["CREATE TABLE customers (id integer PRIMARY KEY)", f"{COLUMN} REFERENCES customers"],
        f"public.{MEANS}references public.customers (call_summaries_customer_id_fkey)",
    ),
    "a unique constraint on the column alone": (
        [COLUMN, "ALTER TABLE call_summaries ADD CONSTRAINT number UNIQUE (customer_id)"],
        f"public.{MEANS}is unique by number",
    ),
    "a unique index on the column alone": (
        [COLUMN, "CREATE UNIQUE INDEX number ON call_summaries (customer_id)"], f"public.{MEANS}is unique by number",
    ),
    "a default other than 1": ([f"{COLUMN} DEFAULT 42"], f"public.{MEANS}contains values other than 1 (42"),
    "a new default that no row has yet": (
        [COLUMN, "ALTER TABLE call_summaries ALTER customer_id SET DEFAULT 42"], f"public.{MEANS}has the default 42",
    ),
    "a sequence's numbers": (
        ["CREATE SEQUENCE sales", COLUMN,
         "ALTER TABLE call_summaries ALTER customer_id SET DEFAULT nextval('sales')"],
        f"public.{MEANS}has the default nextval('public.sales'::regclass)",
    ),
    "duplicates": (TWICE, DUPLICATES.format(rows=5, keys=2)),
    "duplicates once rows without a tenant get one": (
        [*TWICE, "ALTER TABLE caller_profiles ADD COLUMN customer_id integer DEFAULT 1",
         f"UPDATE caller_profiles SET customer_id = NULL WHERE id = ({ONE_OF_TWO})"],
        DUPLICATES.format(rows=5, keys=2),
    ),
    "an event trigger that would run as the administrator": (
        [*GUARD, f"ALTER FUNCTION guard() OWNER TO {OWNER}"],
        "The event trigger guard (ddl_command_start, ALTER TABLE) runs public.guard(), which alice owns",
    ),
    "a column list without the tenant": (
        [f"{AVERAGES} (user_id, call_count)"],
        "The publication p publishes only the columns (user_id, call_count) of public.personality_averages, without",
    ),
    "a row filter outside of the replica identity": (
        [f"{AVERAGES} WHERE (call_count > 0)"],
        "The row filter of the publication p on public.personality_averages uses call_count",
    ),
    "a column that an insert must name": (
        ["ALTER TABLE memories ADD c text NOT NULL DEFAULT 'x' CHECK (c ~ '(?=)')",
         "ALTER TABLE memories ALTER c DROP DEFAULT"],
        "public.memories.c is NOT NULL without a default, but no value for it can be derived (CHECK (c ~ '(?=",
    ),
    "a domain that an insert must name": (
        ["CREATE DOMAIN word AS text NOT NULL CHECK (VALUE ~ '(?=x)')",
         "ALTER TABLE memories ADD COLUMN w word DEFAULT 'x'",
         "ALTER TABLE memories ALTER w DROP DEFAULT"],
        "public.memories.w is NOT NULL without a default, but no value for it can be derived (public.word: CHECK ",
    ),
    "a role that may only read": (
        [f"ALTER ROLE {OWNER} IN DATABASE {NAME} {READ_ONLY}'on'"],
        f"default_transaction_read_only is on for {OWNER} (role {OWNER} in",
    ),
    "a database that may only be read": (
        [f"ALTER DATABASE {NAME} {READ_ONLY}'tru'"], "default_transaction_read_only is on for alice (database",
    ),
    "no room for another column": (
        ["ALTER TABLE memories " + ", ".join(f"ADD COLUMN c{number} boolean" for number in range(1590))],
        "public.memories has 1,600 columns, including dropped ones",
    ),
    "a function in another language": (
        ["DROP FUNCTION update_personality_averages(varchar)",
         f"{FUNCTION} RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT 1; END"],
        "public.update_personality_averages(character varying) is written in sql",
    ),
    "a function with another return type": (
        ["DROP FUNCTION update_personality_averages(varchar)",
         f"{FUNCTION} RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'"],
        "public.update_personality_averages(character varying) returns integer",
    ),
    "a procedure with the function's name": (
        ["DROP FUNCTION update_personality_averages(varchar)",
         "CREATE PROCEDURE update_personality_averages(p_user_id varchar) LANGUAGE plpgsql AS 'BEGIN NULL; END'"],
        "public.update_personality_averages(character varying) is a procedure in the language plpgsql",
    ),
}  # fmt: skip

# For each case: the changes, and the beginning of the note. The plan is not refused.
NAMED: dict[str, tuple[list[str], str]] = {
    "an event trigger": (
        GUARD, "The event trigger guard (ddl_command_start, ALTER TABLE) runs public.guard() of operator",
    ),
    "a publication": ([AVERAGES], "Subscribers of the publication p need the column customer_id before the migration"),
    "an unlogged table": (
        ["ALTER TABLE memories SET UNLOGGED"], "public.memories is unlogged: a crash of the server truncates it",
    ),
    "a column that contains only 1": (
        [COLUMN, "UPDATE call_summaries SET customer_id = 1"],
        f"public.{MEANS}and contains 1 in all 123 rows".replace(", and", " and"),
    ),
    "a table that the service cannot read": (
        [f"ALTER TABLE {table} OWNER TO operator" for table in TABLES]
        + [f"GRANT INSERT, UPDATE, DELETE ON memories TO {OWNER}"],
        f"{OWNER} has no privilege to read public.memories",
    ),
}  # fmt: skip
HARMLESS: dict[str, list[str]] = {
    "null values in a key": [
        "ALTER TABLE caller_profiles ALTER user_id DROP NOT NULL, DROP CONSTRAINT caller_profiles_user_id_key",
        insert("caller_profiles", {"user_id": None}, {"user_id": None}),
    ],
    "the same key for two tenants": [
        "ALTER TABLE caller_profiles DROP CONSTRAINT caller_profiles_user_id_key, ADD customer_id integer DEFAULT 1",
        insert("caller_profiles", *({"user_id": "+7", "customer_id": tenant} for tenant in (1, 2))),
        "ALTER TABLE caller_profiles ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY own ON caller_profiles USING ({TENANT})",
        *(f"ALTER TABLE {table} ADD customer_id integer DEFAULT 1" for table in TABLES if table != "caller_profiles"),
    ],
    "a column without a value": [COLUMN],
    "an event trigger that is off": [
        *GUARD, f"ALTER FUNCTION guard() OWNER TO {OWNER}", "ALTER EVENT TRIGGER guard DISABLE",
    ],
    "a column list that contains the key": ["CREATE PUBLICATION p FOR TABLE memories (id, k)"],
    "a column list of a publication for inserts only": [f"{AVERAGES} (user_id) WITH (publish = 'insert')"],
    "a setting that the role's setting overrides": [
        f"ALTER DATABASE {NAME} {READ_ONLY}'on'", f"ALTER ROLE {OWNER} IN DATABASE {NAME} {READ_ONLY}'off'",
    ],
    "an identity column": ["ALTER TABLE memories ADD COLUMN n integer GENERATED ALWAYS AS IDENTITY"],
}  # fmt: skip


def refusal(database: Database) -> list[str]:
    """Return the messages with which the plan is refused."""
    with pytest.raises(UnsafeStateError) as caught:
        database.plan()
    return caught.value.obstacles


def of_old_servers(database: Database, statements: list[str]) -> None:
    """Run ``statements``, or skip the test if they need a publication feature that the server lacks."""
    if any("PUBLICATION" in text and "(" in text for text in statements) and database.value(
        "SELECT current_setting('server_version_num')::int < 150000"
    ):
        pytest.skip("column lists and row filters of publications require PostgreSQL 15")
    database.run(*statements)


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_fail_is_refused_by_name(database: Database, case: str) -> None:
    statements, sentence = REFUSED[case]
    of_old_servers(database, statements)
    found = refusal(database)
    assert [text for text in found if text.startswith(sentence)], found


@pytest.mark.parametrize("case", NAMED)
def test_what_may_fail_is_named(database: Database, case: str) -> None:
    statements, sentence = NAMED[case]
    database.run(*statements)
    assert database.plan()
    found = notes.of_plan(database.state(), database.model)
    assert [text for text in found if text.startswith(sentence)], found


@pytest.mark.parametrize("case", HARMLESS)
def test_what_does_no_harm_is_planned_for(database: Database, case: str) -> None:
    # With the bridge, rows of a second tenant would be a hazard.
    database.model = model.parse(model_source(NAME) | {"bridge": False})
    of_old_servers(database, HARMLESS[case])
    assert database.plan()


def test_a_column_is_adopted_if_the_model_says_so(database: Database) -> None:
    # Without the column, these tables would be refused, because the tenants of their rows would be unknown.
    others = [f"ALTER TABLE {table} ADD customer_id integer DEFAULT 1" for table in TABLES if table != "call_summaries"]
    database.run(*NUMBERS, *others)
    source = model_source(NAME) | {"bridge": False}
    next(table for table in source["tables"] if table["name"] == "call_summaries")["adopt"] = True
    database.model = model.parse(source)
    proof = database.migrate()
    assert [item for item in proof if not item["ok"]] == []
    assert database.plan() == []


def test_a_foreign_key_that_runs_the_owners_code_is_refused(database: Database) -> None:
    database.run(*CAST, "ALTER TABLE personality_metrics ADD COLUMN call pointer")
    source = model_source(NAME)
    next(table for table in source["tables"] if table["name"] == "personality_metrics")["foreign_keys"] = POINTING
    database.run("ALTER TABLE personality_metrics ADD FOREIGN KEY (call) REFERENCES call_summaries (call_id)")
    database.model = model.parse(source)
    (found,) = refusal(database)
    assert "calls public.points to compare its columns" in found


def test_a_cast_of_the_owner_does_not_read_the_tenants(database: Database) -> None:
    database.run(
        "CREATE TYPE number AS (v integer)", "CREATE SEQUENCE noted",
        "CREATE FUNCTION note(number) RETURNS text LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM nextval(''public.noted''); RETURN ''1''; END'",
        "CREATE CAST (number AS text) WITH FUNCTION note(number) AS ASSIGNMENT",
        "ALTER TABLE memories ADD COLUMN customer_id number DEFAULT ROW(1)",
        "SELECT customer_id::text FROM memories LIMIT 1",
    )  # fmt: skip
    # The trap works: the function has run once.
    assert database.value("SELECT last_value FROM noted WHERE is_called") == 1
    assert "exists with type number" in refusal(database)[0].replace("public.number", "number")
    assert database.value("SELECT last_value FROM noted") == 1


def test_a_view_under_a_tables_name_is_not_read(database: Database) -> None:
    database.run(
        "CREATE SEQUENCE noted", "ALTER TABLE memories RENAME TO hidden",
        "CREATE VIEW memories AS SELECT * FROM hidden WHERE nextval('public.noted') > 0",
    )  # fmt: skip
    assert "public.memories is not an ordinary table (kind 'v')" in refusal(database)[0]
    assert not database.value("SELECT is_called FROM noted")


@contextlib.contextmanager
def prepared(machine: Host) -> Iterator[None]:
    """Configure the server to accept prepared transactions."""
    machine.sql("ALTER SYSTEM SET max_prepared_transactions = 2")
    machine.run("sudo systemctl restart postgresql")
    try:
        yield
    finally:
        machine.sql("ALTER SYSTEM RESET max_prepared_transactions")
        machine.run("sudo systemctl restart postgresql")
        machine.wait_until_healthy()


def test_a_prepared_transaction_is_refused(machine: Host) -> None:
    with prepared(machine), committed(machine, []) as database:
        database.run("UPDATE memories SET k = k", "PREPARE TRANSACTION 'left behind'")
        try:
            (found,) = refusal(database)
            start = "The prepared transaction left behind of operator ("
            assert found.startswith(start)
            assert "holds locks on public.memories" in found
        finally:
            database.commit()
            machine.sql("ROLLBACK PREPARED 'left behind'", None, database.model.database)
        assert database.plan()


def test_a_subscription_into_a_table_is_refused(machine: Host) -> None:
    made: list[Any] = []
    with committed(machine, []) as database:
        database.commit()
        name = database.model.database
        machine.sql(
            "CREATE SUBSCRIPTION sub CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)", None, name
        )
        try:
            machine.sql(
                "INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate)"
                " SELECT oid, 'memories'::regclass, 'r' FROM pg_subscription",
                None,
                name,
            )
            database.commit()
            made = [database.plan(), notes.of_plan(database.state(), database.model)]
            assert made[0]
            assert any(text.startswith("The disabled subscription sub writes to public.memories") for text in made[1])
            machine.sql("UPDATE pg_subscription SET subenabled = true", None, name)
            database.commit()
            assert refusal(database)[0].startswith(
                "The enabled subscription sub stores rows without a tenant in public.memories"
            )
        finally:
            database.commit()
            for text in (
                "ALTER SUBSCRIPTION sub DISABLE",
                "ALTER SUBSCRIPTION sub SET (slot_name = NONE)",
                "DROP SUBSCRIPTION sub",
            ):
                machine.sql(text, None, name)
