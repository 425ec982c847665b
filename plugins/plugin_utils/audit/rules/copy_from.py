"""The service loads rows into a tenant table with COPY."""

from __future__ import annotations

from ..rule import ERROR, Rule, ServiceStatement

RULE = Rule(
    severity=ERROR,
    why="PostgreSQL rejects COPY FROM into a table with row security (0A000), regardless of its policies.",
    remedy="First deploy a release that uses INSERT instead.",
    service_statement=r"lacks_column AND query ~* format('\mcopy\s+%s\s*(\([^)]*\)\s*)?from\M', title)",
    bad=ServiceStatement("COPY memories (id, k, type, value_json, embedding) FROM STDIN;"),
    good=ServiceStatement("INSERT INTO memories (k, type) SELECT k, type FROM memories LIMIT 0;"),
    found="memories",
)
