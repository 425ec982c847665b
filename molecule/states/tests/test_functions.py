"""The migration gives functions the model's body, whatever their signatures are."""

from __future__ import annotations

import pytest

from lab import OWNER, TABLES
from planner import Database
from rows import METRICS, insert

DROP = "DROP FUNCTION update_personality_averages(varchar)"
EMPTY = ["ALTER FUNCTION update_personality_averages(varchar) SET search_path = ''",
         "ALTER FUNCTION trigger_update_personality_averages() SET search_path = ''"]  # fmt: skip


def made(argument: str) -> list[str]:
    """Return the statements that replace the older release's function with one that has another argument."""
    return [
        DROP,
        f"CREATE FUNCTION update_personality_averages({argument}) RETURNS void LANGUAGE plpgsql AS 'BEGIN NULL; END'",
        f"ALTER FUNCTION update_personality_averages(varchar) OWNER TO {OWNER}",
    ]


HEADERS = {
    "no search path": EMPTY,
    "another argument": made("uid varchar"),
    "no name of the argument": made("varchar"),
    "a default": made("uid varchar DEFAULT 'nobody'"),
    # In the function's body, this argument name is also the name of a column.
    "a column's name": made("user_id varchar"),
    "an odd name": made('"select ""x"" $1" varchar'),
    "both": [*made("user_id varchar"), *EMPTY],
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_function_works_with_any_header(database: Database, header: str) -> None:
    before = database.state()
    database.run(*HEADERS[header])
    proof = database.migrate()
    assert [item for item in proof if not item["ok"]] == []
    assert database.plan() == []
    assert database.failures(before) == []
    database.run(
        f"SET LOCAL ROLE {OWNER}", "SET LOCAL app.current_tenant = '1'", "SET LOCAL row_security = on",
        "ALTER TABLE personality_metrics DISABLE TRIGGER personality_metrics_insert_trigger",
        insert("personality_metrics", *METRICS),
        "SET LOCAL search_path = ''", "SELECT public.update_personality_averages('+1')",
    )  # fmt: skip
    averages = "SELECT array_agg(ARRAY[customer_id, call_count, avg_openness]) FROM public.personality_averages"
    assert database.value(f"{averages} WHERE user_id = '+1'") == [[1, 2, 50]]


def test_a_trigger_needs_no_right_of_the_service(database: Database) -> None:
    for table in TABLES:
        database.run(
            f"ALTER TABLE {table} OWNER TO operator", f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {OWNER}"
        )
    function = "FUNCTION trigger_update_personality_averages()"
    database.run(
        f"ALTER {function} OWNER TO operator", f"ALTER {function} SECURITY DEFINER",
        f"REVOKE ALL ON {function} FROM PUBLIC, {OWNER}",
    )  # fmt: skip
    before = database.state()
    assert [item for item in database.migrate() if not item["ok"]] == []
    assert database.plan() == []
    assert database.failures(before) == []
    assert not database.value(f"SELECT has_function_privilege('{OWNER}', '{function.split(' ')[1]}', 'EXECUTE')")
