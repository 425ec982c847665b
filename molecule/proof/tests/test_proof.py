"""The proof accepts the plan's result, rejects every defect, and names the leak."""

from __future__ import annotations

import re
import time

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.outcomes import ProofError
from lab import OWNER
from planner import Database

MEMORIES = "tenant_isolation_memories"
SESSION = "(SELECT nullif(current_setting('app.current_tenant', true), '')::integer)"


def policy(using: str, clause: str = f"TO {OWNER}", name: str = MEMORIES) -> list[str]:
    """Return the statements that replace the policy on memories."""
    return [f"DROP POLICY {MEMORIES} ON memories", f"CREATE POLICY {name} ON memories {clause} {using}"]


def also(using: str) -> list[str]:
    """Return the statements that create an additional policy on memories."""
    return [f"CREATE POLICY also ON memories {using}"]


def trigger(work: str, security: str = "") -> list[str]:
    """Return the statements that give the trigger on personality_metrics another function."""
    function = "CREATE OR REPLACE FUNCTION trigger_update_personality_averages() RETURNS trigger LANGUAGE plpgsql"
    return [f"{function} {security} AS 'BEGIN {work}; RETURN NEW; END'"]


TRIGGER = "personality_metrics.own.trigger"
AVERAGE = "customer_id, user_id, last_updated"

# For each defect: the statements that cause it, and an attempt that the message must name.
MUTANTS = {
    "no policy": ([f"DROP POLICY {MEMORIES} ON memories"], "memories.own.insert"),
    "not forced": (["ALTER TABLE memories NO FORCE ROW LEVEL SECURITY"], "memories.read.another"),
    "disabled": (["ALTER TABLE memories DISABLE ROW LEVEL SECURITY"], "memories.read.another"),
    "true": (policy("USING (true)"), "memories.read.another"),
    "or the default tenant": (policy(f"USING (customer_id = 1 OR customer_id = {SESSION})"), "memories.read.default"),
    "or no tenant": (policy(f"USING (customer_id = coalesce({SESSION}, 1))"), "memories.read.reset"),
    "to another role": (policy(f"USING (customer_id = {SESSION})", "TO pg_monitor"), "memories.own.insert"),
    "only for select": (policy(f"FOR SELECT USING (customer_id = {SESSION})", ""), "memories.own.insert"),
    "any row may be stored": (
        policy(f"USING (customer_id = {SESSION}) WITH CHECK (true)"), "memories.insert",
    ),
    "another policy to insert": (also("FOR INSERT WITH CHECK (true)"), "memories.insert.select"),
    "another policy to select": (also("FOR SELECT USING (user_id IS NOT NULL)"), "memories.read.default"),
    "another policy to update": (also("FOR UPDATE USING (false) WITH CHECK (true)"), "memories.update.tenant"),
    "another policy to delete": (also("FOR DELETE USING (true)"), "memories.own.delete"),
    "the setting must exist": (
        policy("USING (customer_id = current_setting('app.current_tenant')::integer)"), "memories.read.unset",
    ),
    "an empty setting is an error": (
        policy("USING (customer_id = current_setting('app.current_tenant', true)::integer)"), "memories.read.empty",
    ),
    "another setting": (policy(f"USING (customer_id = {SESSION.replace('app.', 'ap.')})"), "memories.own.insert"),
    "bypassrls": ([f"ALTER ROLE {OWNER} BYPASSRLS"], "memories.read.another"),
    "superuser": ([f"ALTER ROLE {OWNER} SUPERUSER"], "memories.truncate"),
    "truncate": ([f"GRANT TRUNCATE ON memories TO {OWNER}"], "memories.truncate"),
    "truncate for PUBLIC": (["GRANT TRUNCATE ON memories TO PUBLIC"], "memories.truncate"),
    "files may be written": ([f"GRANT pg_write_server_files TO {OWNER}"], "memories.copy.out"),
    "files may be read": ([f"GRANT pg_read_server_files TO {OWNER}"], "memories.copy.in"),
    "programs may be run": ([f"GRANT pg_execute_server_program TO {OWNER}"], "memories.copy.program"),
    "a global unique key": (
        ["CREATE UNIQUE INDEX leak ON caller_profiles (user_id)"], "caller_profiles.own.insert.same",
    ),
    "a row without a tenant": (
        ["ALTER TABLE memories ALTER customer_id DROP NOT NULL",
         "UPDATE memories SET customer_id = NULL WHERE id = (SELECT id FROM memories ORDER BY id LIMIT 1)"],
        "memories.content",
    ),
    "the constant default": (["ALTER TABLE memories ALTER customer_id SET DEFAULT 1"], "memories.own.insert"),
    "no default": (["ALTER TABLE memories ALTER customer_id DROP DEFAULT"], "memories.own.insert"),
    "the trigger writes for the default tenant": (
        # The policy rejects the row that the trigger writes, so the INSERT that fires the trigger also fails.
        trigger("PERFORM update_personality_averages(1, NEW.user_id)"), "personality_metrics.own.insert",
    ),
    "the trigger writes past row security": (
        [*trigger(f"INSERT INTO personality_averages ({AVERAGE}) SELECT 1, NEW.user_id, now()", "SECURITY DEFINER"),
         "ALTER FUNCTION trigger_update_personality_averages() OWNER TO postgres"],
        f"{TRIGGER}.personality_averages",
    ),
    "the trigger does nothing": (
        ["ALTER TABLE personality_metrics DISABLE TRIGGER ALL"], f"{TRIGGER}.personality_averages",
    ),
}  # fmt: skip


def test_every_attempt_comes_out_as_it_may(database: Database) -> None:
    found = database.migrate()
    assert [item for item in found if not item["ok"]] == []
    assert len({item["check"] for item in found}) == len(found)
    for table in database.model.tables:
        checks = {item["check"].removeprefix(f"{table.name}.") for item in found if item["table"] == table.name}
        assert {"own.read", "own.insert.same", "read.another", "insert.garbage", "content"} <= checks


def test_the_proof_leaves_nothing_behind(database: Database) -> None:
    database.migrate()
    before = database.state()
    database.prove()
    assert database.state() == before
    assert database.value("SELECT current_user") == "operator"


def test_the_proof_is_cheap(database: Database) -> None:
    database.migrate()
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        database.prove()
        seconds.append(time.perf_counter() - started)
    # The proof takes 0.3 s on an idle machine, including the time to read the state.
    assert min(seconds) < 1


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_proof_names_what_a_mutant_lets_through(database: Database, mutant: str) -> None:
    statements, leak = MUTANTS[mutant]
    database.migrate()
    database.run("SET LOCAL row_security = off", *statements)
    with pytest.raises(ProofError, match="The isolation proof failed: ") as caught:
        database.prove()
    assert re.search(rf"(: |; ){re.escape(leak)}: ", str(caught.value)), str(caught.value)[:2000]
