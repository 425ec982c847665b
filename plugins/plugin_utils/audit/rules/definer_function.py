"""The service can call a SECURITY DEFINER function that another role owns."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="The function runs with its owner's privileges. The catalogs do not show which tables its dynamic SQL uses.",
    remedy="Run ALTER FUNCTION ... SECURITY INVOKER, or revoke EXECUTE on the function.",
    sql="""
SELECT f.title FROM routine f, app
WHERE f.prosecdef AND f.proowner <> app.oid AND has_function_privilege(app.oid, f.oid, 'EXECUTE')
""",
    bad=Sql(
        "CREATE FUNCTION stored() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM memories';"
    ),
    good=Sql("ALTER FUNCTION stored() SECURITY INVOKER;"),
    found="public.stored()",
)
