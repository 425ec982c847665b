"""The service's role can read or write files on the server, or run programs on it."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="A role that can use the server's files or programs can read the tables without any policy.",
    remedy="Revoke membership in the listed role from the service's role.",
    sql="""
SELECT b.rolname FROM pg_catalog.pg_roles b, app
WHERE b.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
  AND NOT app.rolsuper AND pg_has_role(app.oid, b.oid, 'MEMBER')
""",
    bad=Sql("GRANT pg_read_server_files TO alice;"),
    good=Sql("REVOKE pg_read_server_files FROM alice;"),
    found="pg_read_server_files",
)
