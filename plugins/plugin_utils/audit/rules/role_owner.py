"""The service's role owns tenant tables, functions, schemas or the database."""

from __future__ import annotations

from ..rule import WARNING, Rule, Sql

RULE = Rule(
    severity=WARNING,
    why="An owner can disable row security and grant itself every privilege again.",
    remedy="Give the service a login that owns nothing: migrate with -e tenancy_provision_app_role=true.",
    sql="""
SELECT c.title FROM relation c JOIN wanted w ON w.relid = c.oid WHERE c.relowner = (SELECT oid FROM app)
UNION ALL
SELECT f.title FROM routine f WHERE f.proowner = (SELECT oid FROM app)
UNION ALL
SELECT format('schema %I', nspname) FROM pg_catalog.pg_namespace WHERE nspowner = (SELECT oid FROM app)
UNION ALL
SELECT format('database %I', datname) FROM pg_catalog.pg_database
WHERE datname = current_database() AND datdba = (SELECT oid FROM app)
""",
    bad=Sql("CREATE SCHEMA reports AUTHORIZATION alice;"),
    good=Sql("ALTER SCHEMA reports OWNER TO postgres;"),
    found="schema reports",
)
