"""The database has large objects."""

from __future__ import annotations

from ..rule import WARNING, Rule, Sql

RULE = Rule(
    severity=WARNING,
    why="Row security does not apply to large objects.",
    remedy="Move the large objects into a tenant table.",
    sql="SELECT format('%s large objects', count(*)) FROM pg_catalog.pg_largeobject_metadata HAVING count(*) > 0",
    bad=Sql("SELECT lo_from_bytea(4711, 'a recording');"),
    good=Sql("SELECT lo_unlink(4711);"),
    found="1 large objects",
)
