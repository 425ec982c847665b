"""The service's role can replicate the database."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="Replication copies every tenant's rows.",
    remedy="Run ALTER ROLE ... NOREPLICATION.",
    sql="SELECT rolname FROM app WHERE rolreplication",
    bad=Sql("ALTER ROLE alice REPLICATION;"),
    good=Sql("ALTER ROLE alice NOREPLICATION;"),
    found="alice",
)
