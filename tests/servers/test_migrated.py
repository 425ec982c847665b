"""The findings and the audit of a migrated database, and the obstacles to a rollback and to enforce."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import psycopg2
import pytest

import temporary
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit.rule import ERROR
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import enforce, plan, revert, schema
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes.statement import Statement
from lab import OWNER, ROWS
from planner import Database, State
from rows import insert
from server import Server

NAME = "ai_memory_migrated"
PROFILES_OF_ANOTHER = insert("caller_profiles", *({"customer_id": 2, "user_id": user} for user in ("+1", "+2")))
BRIDGE = "bridge is off or sets the default tenant"


class Migrated(NamedTuple):
    """A migrated database, and its state before the migration."""

    database: Database
    before: State


@pytest.fixture(scope="module")
def committed(server: Server) -> Iterator[Migrated]:
    """Migrate a database once, and yield it with its earlier state."""
    with temporary.copied(server, NAME) as database:
        before = database.state()
        database.migrate()
        database.commit()
        yield Migrated(database, before)


@pytest.fixture
def migrated(committed: Migrated) -> Iterator[Migrated]:
    """Yield the migrated database, and roll back the changes of the test."""
    with committed.database.another() as database:
        yield Migrated(database, committed.before)


def failing(migrated: Migrated) -> set[str]:
    """Return the findings that do not hold, and the audit's errors, as verify.yml reports them."""
    found = {
        f"{item['table']}: {item['check']}".removeprefix(": ") for item in migrated.database.failures(migrated.before)
    }
    ways = {f"{entry['rule']}: {entry['subject']}" for entry in migrated.database.audit() if entry["severity"] == ERROR}
    return found | ways


def test_a_migrated_database_holds(migrated: Migrated) -> None:
    assert failing(migrated) == set()


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("ALTER TABLE memories NO FORCE ROW LEVEL SECURITY", {"memories: FORCE"}),
        ("ALTER TABLE memories DISABLE ROW LEVEL SECURITY", {"memories: RLS"}),
        ("DROP POLICY tenancy_bridge_memories_select ON memories", {"missing parts of the bridge's usage record"}),
        (
            "DROP POLICY tenant_isolation_memories ON memories",
            {"RLS policies created", "memories: permissive policies", "memories: policy is the model's"},
        ),
        (
            f"GRANT postgres TO {OWNER}",
            {"bypassing roles that the application role can become", "role-becomes: postgres"},
        ),
        ("CREATE POLICY open ON memories USING (true)", {"memories: permissive policies"}),
        ("ALTER TABLE memories ALTER COLUMN customer_id SET DEFAULT 1", {"memories: default is the session's tenant"}),
        ("ALTER TABLE memories ALTER COLUMN customer_id DROP NOT NULL", {"memories: NOT NULL"}),
        (
            "CREATE UNIQUE INDEX leak ON caller_profiles (user_id)",
            {"caller_profiles: global key (user_id) left", "unique-key: leak of caller_profiles"},
        ),
        (f"ALTER ROLE {OWNER} BYPASSRLS", {"application role obeys row security", f"role-bypassrls: {OWNER}"}),
        (
            "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM memories'",
            {"definer-function: public.peek()"},
        ),
        (f"ALTER ROLE {OWNER} IN DATABASE {NAME} SET app.current_tenant = '2'", {BRIDGE}),
        (PROFILES_OF_ANOTHER, {"bridge is off once a second tenant has rows"}),
    ],
)  # fmt: skip
def test_each_damage_is_named(migrated: Migrated, broken: str, expected: set[str]) -> None:
    migrated.database.run(broken)
    found = failing(migrated) - {"caller_profiles: rows unchanged"}
    assert found == expected


def test_an_unmigrated_database_fails(migrated: Migrated) -> None:
    assert migrated.database.back_to(migrated.before) == []
    assert "memories: customer_id" in failing(migrated)


Plan = Callable[[Migrated], list[Statement]]


def to_policies(migrated: Migrated) -> list[Statement]:
    return revert.policies(migrated.database.state(), migrated.database.model)


def to_schema(migrated: Migrated) -> list[Statement]:
    return schema.build(migrated.database.state(), migrated.database.model, migrated.before)


def to_enforced(migrated: Migrated) -> list[Statement]:
    return enforce.build(migrated.database.state(), migrated.database.model)


@pytest.mark.parametrize(
    ("planned", "made", "sentence"),
    [
        (to_policies, PROFILES_OF_ANOTHER, "Rows of tenants other than 1 exist (caller_profiles 2): without row"),
        (
            to_schema, PROFILES_OF_ANOTHER,
            "Rows of tenants other than 1 exist (caller_profiles 2), which the old schema cannot distinguish.",
        ),
        (
            to_schema, "CREATE VIEW v AS SELECT customer_id FROM memories",
            "rule _RETURN on view public.v uses public.memories.customer_id, which the rollback drops",
        ),
        (
            to_schema, "CREATE INDEX later ON memories (customer_id, source)",
            "index public.later uses public.memories.customer_id, which the rollback drops",
        ),
        (
            to_schema, "CREATE POLICY later ON memories AS RESTRICTIVE USING (customer_id < 9)",
            "policy later on table public.memories uses public.memories.customer_id",
        ),
        (
            to_enforced, "ALTER TABLE memories NO FORCE ROW LEVEL SECURITY",
            "The database is not migrated completely (1 statements remain): run migrate.yml first.",
        ),
    ],
    ids=["policies-tenants", "schema-tenants", "view", "index", "policy", "enforce-unmigrated"],
)  # fmt: skip
def test_each_obstacle_is_named(migrated: Migrated, planned: Plan, made: str, sentence: str) -> None:
    assert planned(migrated) != []
    migrated.database.run(made)
    with pytest.raises(UnsafeStateError) as refused:
        planned(migrated)
    assert sentence in str(refused.value)


def carry_out(migrated: Migrated, statements: list[Statement], *checks: str) -> None:
    database = migrated.database
    database.execute(plan.document(statements, database.model, "5s", 60, checks=checks))


@pytest.mark.parametrize("planned", [to_policies, to_schema, to_enforced])
def test_a_second_plan_is_empty(migrated: Migrated, planned: Plan) -> None:
    carry_out(migrated, planned(migrated))
    assert planned(migrated) == []


def test_the_rollback_of_the_policies_keeps_columns_and_rows(migrated: Migrated) -> None:
    database = migrated.database
    carry_out(migrated, to_policies(migrated))
    found = revert.policies_findings(database.state(), database.model, ROWS)
    assert found != []
    assert [item for item in found if not item["ok"]] == []
    # A second migration restores the dropped objects, and changes nothing else.
    again = database.plan()
    assert {item["phase"] for item in again} <= {"bridge", "default", "policy", "enable", "force"}
    database.migrate()
    assert database.plan() == []
    assert failing(migrated) == set()


def test_the_schema_is_restored_after_a_rollback_of_the_policies(migrated: Migrated) -> None:
    carry_out(migrated, to_policies(migrated))
    assert migrated.database.back_to(migrated.before) == []
    assert migrated.database.state()["tables"]["memories"]["column"] is None


@pytest.mark.parametrize("planned", [to_policies, to_schema])
def test_rows_of_another_tenant_that_come_after_the_plan_stop_the_transaction(
    migrated: Migrated, planned: Plan
) -> None:
    database = migrated.database
    statements, checks = planned(migrated), revert.refuse_other_tenants(database.state(), database.model)
    database.run(insert("caller_profiles", {"customer_id": 2, "user_id": "+1"}))
    sentence = "Rows of tenants other than 1 were stored in caller_profiles after this run made its plan"
    with pytest.raises(psycopg2.Error, match=sentence):
        carry_out(migrated, statements, *checks)
