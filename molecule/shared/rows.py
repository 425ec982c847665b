"""Rows of AI-Memory's tables, with valid values in the columns that a test does not specify."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.aimemory.tenancy.plugins.module_utils.quoting import literal

Value = str | int | None

# Required columns without a default, and an expression for each. pgvector casts the array implicitly.
REQUIRED = {
    "memories": {
        "type": "'fact'", "k": "'note'", "value_json": "'{}'", "embedding": "array_fill(0.5::real, ARRAY[768])",
    },
    "call_summaries": {"call_date": "now()", "summary": "'asked for a quote'"},
    "caller_profiles": {"first_call_date": "now()", "last_call_date": "now()"},
    "personality_metrics": {"measured_at": "now()"},
    "personality_averages": {"last_updated": "now()"},
}  # fmt: skip

# A CHECK constraint that depends on no column. It rejects only rows that the proof stores for its own tenants.
NO_ROW_OF_THE_PROOF = "CHECK (coalesce(current_setting('app.current_tenant', true), '') !~ '^3276')"

# The metrics of two calls of one caller. Their scores average 50.
METRICS = tuple({"user_id": "+1", "call_id": call, "openness": score} for call, score in (("c", 40), ("d", 60)))


def insert(table: str, *rows: Mapping[str, Value], end: str = "") -> str:
    """Return the INSERT of ``rows`` (values by column), followed by ``end``. All rows must have the same columns."""
    values = [REQUIRED[table] | {name: _constant(value) for name, value in row.items()} for row in rows]
    columns = ", ".join(values[0])
    given = ", ".join(f"({', '.join(row.values())})" for row in values)
    return f"INSERT INTO public.{table} ({columns}) VALUES {given}{end}"


def _constant(value: Value) -> str:
    return "NULL" if value is None else literal(value)
