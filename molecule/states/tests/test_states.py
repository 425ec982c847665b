"""The plan's production SQL migrates a database from any initial state to the same final state."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg2.errors import InsufficientPrivilege, NotNullViolation

from ansible_collections.aimemory.tenancy.plugins.module_utils.quoting import identifier
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit.rule import ERROR
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from lab import OWNER, ROWS, TABLES, Host
from planner import NAME, Database, State, committed, unmigrated
from production import production_source
from rows import METRICS, insert
from service import schema
from turns import has_turn

GUIDE = [
    *(f"ALTER TABLE {table} ADD COLUMN customer_id integer" for table in TABLES),
    *(f"UPDATE {table} SET customer_id = 1" for table in TABLES),
    *(f"ALTER TABLE {table} ALTER COLUMN customer_id SET NOT NULL" for table in TABLES),
    "ALTER TABLE caller_profiles DROP CONSTRAINT caller_profiles_user_id_key, ADD UNIQUE (customer_id, user_id)",
    "ALTER TABLE personality_averages DROP CONSTRAINT personality_averages_pkey",
    "ALTER TABLE personality_averages ADD PRIMARY KEY (customer_id, user_id)",
    *(f"CREATE INDEX ON {table} (customer_id, user_id)" for table in TABLES),
    *(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY" for table in TABLES),
    *(
        f"CREATE POLICY tenant_isolation_{table} ON {table} USING (customer_id ="
        " current_setting('app.current_tenant')::int)"
        for table in TABLES
    ),
]
STATES = {
    "nullable column with rows without a tenant": [
        "ALTER TABLE memories ADD COLUMN customer_id integer",
        "UPDATE memories SET customer_id = 1 WHERE type = 'fact'",
    ],
    "column with another default": ["ALTER TABLE memories ADD COLUMN customer_id integer DEFAULT 1"],
    "nullable column beside a primary key": ["ALTER TABLE personality_averages ADD COLUMN customer_id integer"],
    "not null without a default": [
        "ALTER TABLE call_summaries ADD COLUMN customer_id integer NOT NULL DEFAULT 1",
        "ALTER TABLE call_summaries ALTER COLUMN customer_id DROP DEFAULT",
    ],
    "policies under other names": [
        "CREATE POLICY everything ON memories USING (true)",
        'CREATE POLICY "odd ""name""" ON memories FOR SELECT TO PUBLIC USING (user_id IS NOT NULL)',
    ],
    "row security enabled, not forced": [f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY" for table in TABLES],
    "row security forced, not enabled": [f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY" for table in TABLES],
    "a unique index instead of the constraint": [
        "ALTER TABLE caller_profiles DROP CONSTRAINT caller_profiles_user_id_key",
        "CREATE UNIQUE INDEX only_one ON caller_profiles (user_id)",
    ],
    "both keys side by side": [
        "ALTER TABLE caller_profiles ADD COLUMN customer_id integer NOT NULL DEFAULT 1",
        "ALTER TABLE caller_profiles ADD UNIQUE (customer_id, user_id)",
    ],
    "an index of the wanted name on other columns": [
        "CREATE INDEX idx_memories_customer_id_user_id ON memories (source)",
    ],
    "the bridge of another tenant": [f"ALTER ROLE {OWNER} IN DATABASE {NAME} SET app.current_tenant = '7'"],
    "the guide's SQL in full": GUIDE,
    "the two-phase variant, which shows tenant 1 to everyone": [
        *GUIDE[: -len(TABLES)],
        *(
            f"CREATE POLICY tenant_isolation_{table} ON {table} USING (customer_id = 1 OR customer_id ="
            " nullif(current_setting('app.current_tenant', true), '')::integer)"
            for table in TABLES
        ),
    ],
}

# A migration from these states leaves additional or renamed objects, so the final schema differs from that of the
# other states.
KEEPS_ITS_OWN = (
    "a unique index instead of the constraint",
    "an index of the wanted name on other columns",
    "both keys side by side",
    "the guide's SQL in full",
    "the two-phase variant, which shows tenant 1 to everyone",
)


def assert_migrated(database: Database, before: State) -> None:
    """Check that the next plan is empty, every finding holds, and code without a tenant writes as the default
    tenant."""
    assert database.plan() == []
    assert database.failures(before) == []
    database.run(
        "SET LOCAL row_security = on",
        f"SET LOCAL ROLE {OWNER}",
        "SET LOCAL app.current_tenant = '1'",
        insert("caller_profiles", {"user_id": "+1"}),
        insert("personality_metrics", *METRICS),
        "SELECT update_personality_averages('+1')",
        "RESET ROLE",
    )
    averages = "SELECT array_agg(ARRAY[customer_id, call_count, avg_openness]) FROM personality_averages"
    assert database.value(f"{averages} WHERE user_id = '+1'") == [[1, 2, 50]]


@pytest.mark.parametrize("state", STATES)
def test_the_plan_leads_from_any_state_to_the_migrated_one(database: Database, state: str) -> None:
    database.run(*STATES[state])
    before = database.state()
    assert database.plan()
    database.migrate()
    assert {name: table["rows"] for name, table in before["tables"].items()} == ROWS
    assert_migrated(database, before)


def migrated(machine: Host, statements: list[str]) -> tuple[State, str]:
    """Return the state and pg_dump's schema after the migration of a database with committed ``statements``."""
    with committed(machine, statements) as half:
        half.migrate()
        assert half.plan() == []
        half.commit()
        return half.state(), schema(machine, half.model.database)


@pytest.fixture(scope="module")
def whole(machine: Host) -> tuple[State, str]:
    """Return the state and the schema of a database that was migrated in one transaction."""
    with committed(machine, []) as database:
        before = database.state()
        database.migrate()
        database.commit()
        found = database.state(), schema(machine, database.model.database)
        assert_migrated(database, before)
        return found


def lengths(first: int, statements: list[Any]) -> Iterator[int]:
    """Yield the lengths of the plan's prefixes that this run tests. ``first`` divides them among the hosts."""
    for number, length in enumerate(range(first, len(statements) + 1, 2)):
        if has_turn(number):
            yield length


@pytest.mark.one_host
@pytest.mark.parametrize("first", [1, 2])
def test_every_prefix_of_the_plan_leads_to_the_same_schema(machine: Host, whole: tuple[State, str], first: int) -> None:
    with committed(machine, []) as unmigrated_one:
        statements = [item["sql"] for item in unmigrated_one.plan()]
    for length in lengths(first, statements):
        found = migrated(machine, statements[:length])
        assert found == whole, f"after the first {length} of {len(statements)} statements"


@pytest.mark.one_host
@pytest.mark.parametrize("state", [name for name in STATES if name not in KEEPS_ITS_OWN])
def test_a_state_from_elsewhere_leads_to_the_same_schema(machine: Host, whole: tuple[State, str], state: str) -> None:
    assert migrated(machine, STATES[state])[1] == whole[1]


def schema_of(state: State) -> State:
    """Return the state without its facts about rows."""
    found = copy.deepcopy(state)
    for table in found["tables"].values():
        for name in ("nulls", "tenants"):
            (table["column"] or {}).pop(name, None)
    return found


@pytest.mark.one_host
@pytest.mark.parametrize("state", STATES)
def test_every_state_comes_back(database: Database, state: str) -> None:
    database.run(*STATES[state])
    before = database.state()
    database.migrate()
    assert database.back_to(before) == []
    assert schema_of(database.state()) == schema_of(before)


@pytest.mark.one_host
@pytest.mark.usefixtures("copy")
@pytest.mark.parametrize("first", [0, 1])
def test_every_partial_migration_can_be_rolled_back(machine: Host, first: int) -> None:
    with unmigrated(machine) as whole:
        before, statements = whole.state(), whole.plan()
    for length in lengths(first, statements):
        with unmigrated(machine) as half:
            half.run(*(item["sql"] for item in statements[:length]))
            assert half.back_to(before) == []
            assert half.state() == before, f"after the first {length} of {len(statements)} statements"


def test_a_tenant_reads_and_writes_only_its_own_rows(database: Database) -> None:
    database.migrate()
    stores = insert("caller_profiles", {"user_id": "+2"}, end=" RETURNING customer_id")
    database.run("SET LOCAL row_security = on", f"SET LOCAL ROLE {OWNER}", "SET LOCAL app.current_tenant = '1'")
    assert database.value(stores) == 1
    database.run("SET LOCAL app.current_tenant = '2'")
    # Each tenant can have the same natural key.
    assert database.value(stores) == 2
    assert database.value("SELECT array_agg(customer_id) FROM caller_profiles") == [2]
    assert database.value("WITH gone AS (DELETE FROM memories RETURNING 1) SELECT count(*) FROM gone") == 0
    database.run("SAVEPOINT attempt")
    with pytest.raises(InsufficientPrivilege, match="violates row-level security policy"):
        database.run(insert("memories", {"customer_id": 1, "k": "planted"}))
    without_tenant = insert("memories", {"k": "without a tenant"})
    no_tenant = "SET LOCAL app.current_tenant = ''"
    database.run("ROLLBACK TO SAVEPOINT attempt", no_tenant)
    with pytest.raises(InsufficientPrivilege, match="violates row-level security policy"):
        database.run(without_tenant)
    # NOT NULL still applies to a role that bypasses policies.
    database.run("ROLLBACK TO SAVEPOINT attempt", "RESET ROLE", no_tenant)
    with pytest.raises(NotNullViolation, match="null value in column"):
        database.run(without_tenant)


def written_with(column: str) -> dict[str, Any]:
    """Return the model with another tenant column, correctly quoted in the functions."""
    source = production_source(NAME) | {"column": column}
    for function in source["functions"]:
        function["body"] = re.sub(r"\bcustomer_id\b", lambda _: identifier(column), function["body"])
    return source


@pytest.mark.parametrize("column", ['Tenant "Nr" é', "select", "a.b (c) [%s] {{ 1 }} \\ ' $tenancy$", "x" * 63])
def test_a_strange_name_of_the_column_is_a_name(database: Database, column: str) -> None:
    database.model = model.parse(written_with(column))
    before = database.state()
    proof = database.migrate()
    assert [finding for finding in proof if not finding["ok"]] == []
    assert database.plan() == []
    assert database.failures(before) == []
    assert [entry for entry in database.audit() if entry["severity"] == ERROR] == []
    assert database.back_to(before) == []
    assert schema_of(database.state()) == schema_of(before)
