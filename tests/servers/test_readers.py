"""Roles other than the service's are reported before and after the migration, and the model can give them policies."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg2
import pytest

import temporary
import versions
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import plan, revert
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import notes, verified
from lab import OWNER
from planner import Database
from production import production_source
from server import Server

NAME = "ai_memory_readers"
ROLES = (
    "dashboard", "members", "worker", "columns", "copier", "everything", "service_group", "bystander", "idle_member",
)  # fmt: skip
SETUP = """
CREATE ROLE dashboard LOGIN;
GRANT SELECT ON memories, call_summaries TO dashboard;
CREATE ROLE members;
GRANT SELECT, INSERT ON memories TO members;
CREATE ROLE worker LOGIN IN ROLE members;
CREATE ROLE columns LOGIN;
GRANT SELECT (id, k) ON memories TO columns;
CREATE ROLE copier LOGIN REPLICATION;
GRANT SELECT ON memories TO copier;
CREATE ROLE everything LOGIN;
CREATE ROLE service_group LOGIN;
GRANT alice TO service_group;
CREATE ROLE bystander LOGIN;
CREATE ROLE idle_member LOGIN NOINHERIT;
"""


def model_of(readers: Sequence[dict[str, Any]], **more: Any) -> model.Model:
    return model.parse(production_source(NAME) | {"readers": list(readers)} | more)


@pytest.fixture
def others(server: Server) -> Iterator[Database]:
    """Yield a copy of the unmigrated database with other roles and their privileges."""
    with temporary.copied(server, NAME) as database:
        server.sql(SETUP, NAME)
        if server.major >= 14:
            server.sql("GRANT pg_read_all_data TO everything")
        yield database
    for role in reversed(ROLES):
        server.sql(f"DROP ROLE {role}")


def noted(database: Database) -> dict[str, str]:
    """Return the plan's notes about roles that use the tables, by role name."""
    wanted = (*ROLES, "PUBLIC", "alice")
    found = notes.of_plan(database.state(), database.model)
    return {word: text for text in found if (word := text.split()[0]) in wanted}


def seen(server: Server, role: str, table: str = "memories", column: str = "customer_id") -> dict[Any, int]:
    """Return how many rows of each tenant the role sees when it logs in."""
    return dict(server.sql(f"SELECT {column}, count(*) FROM {table} GROUP BY 1", NAME, role))


def test_roles_that_will_see_nothing_are_named_before_and_after(server: Server, others: Database) -> None:
    with contextlib.closing(server.connect(NAME, "dashboard")):
        found = noted(others)
        assert found["dashboard"] == (
            "dashboard (with 1 open session) has SELECT on call_summaries, memories and sees no rows once row security "
            "is on: list it in tenancy_readers, or revoke its privileges."
        )
        assert "has INSERT, SELECT on memories, as members, and sees no rows" in found["worker"]
        assert "SELECT (id, k) on memories and sees no rows" in found["columns"]
        assert "If a subscription logs in as this role, its initial copy is empty." in found["copier"]
        if server.major >= 14:
            assert "as pg_read_all_data, and sees no rows" in found.pop("everything")
        assert "it sees only rows of the tenant that it sets" in found["service_group"]
        assert found.keys() == {*ROLES} - {"bystander", "idle_member", "everything"}
        others.migrate()
        others.commit()
        assert seen(server, "dashboard") == seen(server, "worker") == {}
        after = "\n".join(verified.lines(others.state(), others.model, [], {}))
        assert "NOTE dashboard (with 1 open session) has SELECT on call_summaries, memories" in after


def test_a_session_that_can_become_the_holder_is_named(server: Server, others: Database) -> None:
    others.run("GRANT members TO idle_member")
    others.commit()
    assert "idle_member" not in noted(others)
    others.run("SELECT pg_stat_clear_snapshot()")
    with contextlib.closing(server.connect(NAME, "idle_member")):
        assert "as members, and sees no rows" in noted(others)["idle_member"]


def test_privileges_of_public_are_named_with_the_roles_that_work(server: Server, others: Database) -> None:
    others.run("GRANT SELECT ON memories TO PUBLIC")
    others.commit()
    with contextlib.closing(server.connect(NAME, "bystander")):
        found = noted(others)
    assert found["PUBLIC"].endswith("REVOKE them.")
    assert "bystander (with 1 open session) has SELECT on memories, as PUBLIC" in found["bystander"]


def test_an_owner_that_is_not_the_service_is_named(others: Database) -> None:
    others.run("ALTER TABLE memories OWNER TO dashboard", f"GRANT ALL ON memories TO {OWNER}")
    assert "DELETE" in noted(others)["dashboard"]


def test_the_present_login_is_named_if_the_service_gets_another(others: Database) -> None:
    others.run("CREATE ROLE bridge_login LOGIN")
    others.model = dataclasses.replace(others.model, application_role="bridge_login", replaced_role=OWNER)
    assert "is the login that the service's own login replaces" in noted(others)[OWNER]


BRIDGE = "bridge is off once a second tenant has rows"
READERS: list[dict[str, Any]] = [
    {"role": "dashboard", "tenants": "all"},
    {"role": "worker", "tenant": 2},
    {"role": "columns", "tenant": 1},
]


@pytest.mark.parametrize("part", ["all of the plan", "up to the policies"])
def test_readers_see_their_rows_and_a_rollback_ends_in_the_same_dump(
    server: Server, others: Database, part: str
) -> None:
    others.commit()
    first, before = server.run("pg_dump", "-s", "-C", "--restrict-key=same", NAME), others.state()
    others.model = model_of(READERS)
    if part == "all of the plan":
        others.migrate()
        others.run(
            "INSERT INTO memories (type, k, value_json, embedding, customer_id)"
            " SELECT type, k, value_json, embedding, 2 FROM memories LIMIT 3"
        )
        others.commit()
        assert others.plan() == []
        # The bridge must be removed once a second tenant has rows.
        assert {item["check"] for item in others.failures({"tables": {}})} == {BRIDGE}
        assert seen(server, "dashboard")[2] == 3
        assert seen(server, "dashboard")[1] > 0
        assert seen(server, "dashboard", "call_summaries")[1] > 0
        assert seen(server, "worker") == {2: 3}
        if server.major >= 14:
            assert seen(server, "everything") == {}
        inserted = (
            "INSERT INTO memories (type, k, value_json, embedding, customer_id)"
            " SELECT type, k, value_json, embedding, {} FROM memories LIMIT 1"
        )
        server.sql(inserted.format(2), NAME, "worker")
        for role, tenant in (("worker", 1), ("dashboard", 2)):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                server.sql(inserted.format(tenant), NAME, role)
        others.run("DELETE FROM memories WHERE customer_id = 2")
        assert all(item["ok"] for item in others.prove())
    else:
        statements = others.plan()
        last = next(place for place, item in enumerate(statements) if ".reader.worker" in item["id"])
        others.run(*(item["sql"] for item in statements[: last + 1]))
    assert others.back_to(before) == []
    others.commit()
    assert server.run("pg_dump", "-s", "-C", "--restrict-key=same", NAME) == first


def test_a_reader_that_leaves_the_model_loses_its_policy(others: Database) -> None:
    others.model = model_of(READERS)
    others.migrate()
    others.model = model_of([{"role": "dashboard", "tenant": 2}, READERS[2]])
    reasons = {item["reason"] for item in others.plan()}
    assert reasons == {"Drop the policy of a role whose entry has changed", "Let dashboard use the rows of tenant 2"}
    checks = {item["check"] for item in others.failures({"tables": {}})}
    assert checks == {
        "roles of tenancy_readers without their policy",
        "policies of roles that tenancy_readers does not name",
    }
    others.migrate()
    assert others.failures({"tables": {}}) == []
    others.run(*(item["sql"] for item in revert.policies(others.state(), others.model)))
    assert others.value("SELECT count(*) FROM pg_policy WHERE polname ~ '^tenant'") == 0


REFUSED = {
    "its member": "GRANT dashboard TO alice",
    "a member of its member": "CREATE ROLE between_roles IN ROLE dashboard; GRANT between_roles TO alice",
    "a role that it can become": "ALTER ROLE alice NOINHERIT; GRANT dashboard TO alice",
    "a role that it can grant": "GRANT dashboard TO alice WITH ADMIN TRUE, INHERIT FALSE, SET FALSE",
}


@pytest.mark.parametrize("case", versions.cases(REFUSED, {"a role that it can grant": 16}))
def test_a_reader_whose_privileges_the_service_has_is_refused(others: Database, case: str) -> None:
    others.run(REFUSED[case])
    others.model = model_of(READERS)
    with pytest.raises(UnsafeStateError, match="alice has the privileges of dashboard, or can get them with SET ROLE"):
        others.plan()


def test_a_later_grant_to_the_service_is_found(others: Database) -> None:
    others.model = model_of(READERS)
    others.migrate()
    assert others.failures({"tables": {}}) == []
    others.run("GRANT dashboard TO alice")
    assert {(item["check"], item["table"]) for item in others.failures({"tables": {}})} >= {
        ("permissive policies", "memories")
    }


@pytest.mark.since(16)
def test_a_grant_that_neither_inherits_nor_sets_is_no_bypass(others: Database) -> None:
    others.run(
        "GRANT dashboard TO alice WITH INHERIT FALSE, SET FALSE", "CREATE ROLE powerful SUPERUSER",
        "GRANT powerful TO alice WITH INHERIT FALSE, SET FALSE",
    )  # fmt: skip
    others.model = model_of(READERS)
    others.migrate()
    assert others.failures({"tables": {}}) == []
    assert not {entry["rule"] for entry in others.audit()} & {"role-becomes"}


@pytest.mark.parametrize("role", ["nobody_at_all", "bystander"])
def test_a_reader_without_a_privilege_is_refused(others: Database, role: str) -> None:
    others.model = model_of([{"role": role, "tenants": "all"}])
    with pytest.raises(UnsafeStateError, match=f"tenancy_readers names {role}, which does not exist, has no privilege"):
        others.plan()


def test_a_policy_of_another_role_stays_and_is_named(server: Server, others: Database) -> None:
    others.run("CREATE POLICY all_rows ON memories FOR SELECT TO members USING (true)")
    others.commit()
    first, before = server.run("pg_dump", "-s", "-C", "--restrict-key=same", NAME), others.state()
    found = notes.of_plan(before, others.model)
    assert "The policy all_rows of members on public.memories remains: it does not apply to alice." in found
    assert "sees only the rows that the policies all_rows show" in noted(others)["worker"]
    others.migrate()
    others.commit()
    assert others.failures(before) == []
    assert seen(server, "worker")[1] > 0
    assert others.back_to(before) == []
    others.commit()
    assert server.run("pg_dump", "-s", "-C", "--restrict-key=same", NAME) == first


def test_a_policy_that_applies_to_the_service_is_dropped_with_any_role(others: Database) -> None:
    others.run(
        "GRANT members TO alice", "CREATE POLICY open ON memories TO dashboard, members USING (true)",
        "CREATE POLICY wide ON call_summaries USING (true)",
    )  # fmt: skip
    dropped = {item["id"] for item in plan.build(others.state(), others.model) if "DROP POLICY" in item["sql"]}
    assert dropped == {"memories.policy.drop.open", "call_summaries.policy.drop.wide"}


@pytest.mark.parametrize(
    ("column_type", "tenant"),
    [("integer", 2), ("smallint", 2), ("bigint", 2**40), ("text", "it's \\ mine"),
     ("uuid", "3F0C8A52-9d1e-4b7a-8c35-6e2f1d0b9a74")],
)  # fmt: skip
def test_the_policy_of_a_tenant_is_recognised_in_every_type(others: Database, column_type: str, tenant: Any) -> None:
    default = tenant if isinstance(tenant, str) else 1
    readers = [{"role": "dashboard", "tenant": tenant}]
    others.model = model_of(readers, column_type=column_type, default_tenant=default, functions=[])
    others.run(*(item["sql"] for item in others.plan()))
    assert others.plan() == []


def test_a_policy_of_another_role_with_the_name_of_a_readers_policy_is_refused(others: Database) -> None:
    others.model = model_of([{"role": "dashboard", "tenants": "all"}])
    others.run("CREATE POLICY tenant_reader_dashboard ON memories TO members USING (true)")
    with pytest.raises(UnsafeStateError, match="already has a permissive policy tenant_reader_dashboard"):
        others.plan()
