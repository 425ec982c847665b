"""A missing privilege, or a trigger that forbids a command, is sufficient proof. Other statements are still tested."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.outcomes import ProofError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import proof
from lab import OWNER, TABLES
from planner import NAME, Database
from production import model_source

OTHERS = [f"ALTER TABLE {table} OWNER TO operator" for table in TABLES]
FULL = [f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {OWNER}" for table in TABLES]
# Privileges that a service may lack if it owns no tables.
LACKING = {
    "delete": [f"REVOKE DELETE ON personality_metrics FROM {OWNER}"],
    "update": [f"REVOKE UPDATE ON memories FROM {OWNER}"],
    "update of all but one column": [
        f"REVOKE UPDATE ON memories FROM {OWNER}", f"GRANT UPDATE (k) ON memories TO {OWNER}",
    ],
    "insert": [f"REVOKE INSERT ON caller_profiles FROM {OWNER}"],
    "insert that fires a trigger": [f"REVOKE INSERT ON personality_metrics FROM {OWNER}"],
    "write": [f"REVOKE INSERT, UPDATE, DELETE ON call_summaries FROM {OWNER}"],
    "read": [f"REVOKE SELECT ON memories FROM {OWNER}"],
    "read all columns": [
        f"REVOKE SELECT ON memories FROM {OWNER}", f"GRANT SELECT (id, type, k) ON memories TO {OWNER}",
    ],
    "anything": [f"REVOKE ALL ON memories FROM {OWNER}"],
}  # fmt: skip


def trigger(event: str, level: str, work: str) -> list[str]:
    """Return the statements that create a trigger on call_summaries."""
    return [
        f"CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {work}; END$$",
        f"CREATE TRIGGER forbid BEFORE {event} ON call_summaries FOR EACH {level} EXECUTE FUNCTION forbid()",
    ]


RAISE = "RAISE EXCEPTION 'calls are history'"
FORBIDDING: dict[str, tuple[list[str], list[Any]]] = {
    "update": (trigger("UPDATE", "ROW", RAISE), ["update"]),
    "update, for each statement": (trigger("UPDATE", "STATEMENT", RAISE), ["update"]),
    "update and delete": (trigger("UPDATE OR DELETE", "ROW", RAISE), ["update", "delete"]),
    "update and delete, for each statement": (trigger("UPDATE OR DELETE", "STATEMENT", RAISE), ["update", "delete"]),
    "without an error": (trigger("DELETE", "ROW", "RETURN NULL"), ["delete"]),
    "with another SQLSTATE": (
        trigger("DELETE", "ROW", "RAISE SQLSTATE 'AB123'"), [{"command": "delete", "sqlstate": "AB123"}],
    ),
}  # fmt: skip


def append_only(commands: list[Any]) -> model.Model:
    """Return the model with ``commands`` as the append_only value of call_summaries."""
    source = model_source(NAME)
    next(table for table in source["tables"] if table["name"] == "call_summaries")["append_only"] = commands
    return model.parse(source)


@pytest.mark.parametrize("right", LACKING)
def test_a_right_that_is_missing_is_proof_enough(database: Database, right: str) -> None:
    database.run(*OTHERS, *FULL, *LACKING[right])
    before = database.state()
    found = {item["check"]: item for item in database.migrate()}
    assert [item for item in found.values() if not item["ok"]] == []
    assert database.failures(before) == []
    # Permitted statements must still succeed.
    assert found["personality_averages.own.insert"]["actual"] == "1 rows"
    assert found["personality_averages.read.another"]["actual"] == "0 rows"


def test_a_right_that_comes_back_is_demanded(database: Database) -> None:
    database.run(*OTHERS, *FULL, *LACKING["delete"])
    found = {item["check"]: item["actual"] for item in database.migrate()}
    assert found["personality_metrics.own.delete"] == "error 42501"
    database.run(f"GRANT DELETE ON personality_metrics TO {OWNER}")
    found = {item["check"]: item["actual"] for item in database.prove()}
    assert found["personality_metrics.own.delete"] == "1 rows"


@pytest.mark.parametrize("case", FORBIDDING)
def test_what_a_trigger_forbids_is_named_in_the_model(database: Database, case: str) -> None:
    statements, commands = FORBIDDING[case]
    database.run(*statements, "SAVEPOINT made")
    with pytest.raises(ProofError, match=r"call_summaries\.(own|update|delete)\."):
        database.migrate()
    database.run("ROLLBACK TO SAVEPOINT made")
    database.model = append_only(commands)
    assert [item for item in database.migrate() if not item["ok"]] == []
    assert any(
        "(append_only) in public.call_summaries" in text for text in proof.gaps(database.state(), database.model)
    )


def test_a_trigger_hides_no_leak(database: Database) -> None:
    """An error in a row-level trigger shows that a row was accessed."""
    database.model = append_only(["update"])
    database.run(*FORBIDDING["update"][0])
    database.migrate()
    database.run("CREATE POLICY also ON call_summaries FOR UPDATE USING (true)",
                 "CREATE POLICY seen ON call_summaries FOR SELECT USING (true)")  # fmt: skip
    with pytest.raises(ProofError, match=r"call_summaries\.update\.another: .*: error P0001 instead of"):
        database.prove()
