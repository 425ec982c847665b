"""Code that fails if it runs with more privileges than its owner has, for example in a restore."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lab import OWNER, Host

# The code checks its role, tries to gain privileges, and checks again. If the role is a superuser, the restore fails
# with one of these messages.
LOOK = """
  IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) THEN
    RAISE EXCEPTION 'planted: % runs as %, session of %', TG, current_user, session_user;
  END IF;
  BEGIN
    PERFORM pg_catalog.set_config('role', 'none', false);
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) THEN
    RAISE EXCEPTION 'planted: % came back to %', TG, current_user;
  END IF;
"""


def _function(name: str, returns: str, volatility: str, result: str) -> str:
    body = LOOK.replace("TG", f"'{name}'")
    arguments = "" if returns == "trigger" else "text"
    return (
        f"CREATE FUNCTION planted.{name}({arguments}) RETURNS {returns} LANGUAGE plpgsql {volatility}"
        f" AS $planted$ BEGIN {body} RETURN {result}; END $planted$"
    )


# The owner creates these objects.
STATEMENTS = (
    "CREATE SCHEMA planted",
    _function("fine", "boolean", "VOLATILE", "true"),
    _function("still", "text", "IMMUTABLE", "$1"),
    _function("triggered", "trigger", "VOLATILE", "NEW"),
    "CREATE DOMAIN planted.email AS text CHECK (planted.fine(VALUE))",
    "CREATE TYPE planted.pair AS (one planted.email, two text)",
    # PostgreSQL runs the domain's CHECK when it reads an array or row literal that contains a value of the domain.
    """CREATE TABLE planted.notes (id integer PRIMARY KEY, text text CHECK (planted.fine(text)), mail planted.email,
       mails planted.email[] DEFAULT '{a,b}', pair planted.pair DEFAULT '(a,b)',
       shout text GENERATED ALWAYS AS (planted.still('x') || text) STORED)""",
    "CREATE INDEX ON planted.notes (planted.still(text))",
    "CREATE TABLE planted.parts (mail planted.email) PARTITION BY LIST (mail)",
    "CREATE TABLE planted.parts_a PARTITION OF planted.parts FOR VALUES IN ('a')",
    "CREATE FUNCTION planted.add(planted.email, text) RETURNS planted.email LANGUAGE sql AS 'SELECT $1'",
    "CREATE AGGREGATE planted.adds (text) (SFUNC = planted.add, STYPE = planted.email, INITCOND = 'a')",
    "CREATE VIEW planted.seen AS SELECT planted.fine(text) AS fine, '{c}'::planted.email[] AS mails FROM planted.notes",
    "CREATE MATERIALIZED VIEW planted.counted AS SELECT planted.still(text) AS text FROM planted.notes",
    "INSERT INTO planted.notes (id, text, mail) VALUES (1, 'one', 'a'), (2, 'two', 'b')",
    "INSERT INTO planted.parts VALUES ('a')",
    "ALTER TABLE planted.notes ADD CONSTRAINT later CHECK (planted.fine(mail)) NOT VALID",
    """CREATE TRIGGER t BEFORE INSERT OR UPDATE ON planted.notes FOR EACH ROW
       WHEN (NEW.mail <> ALL ('{d}'::planted.email[])) EXECUTE FUNCTION planted.triggered()""",
    "ALTER TABLE planted.notes ENABLE ALWAYS TRIGGER t",
    "ALTER TABLE planted.notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    "CREATE POLICY p ON planted.notes USING (planted.fine(text))",
)
# The superuser creates these objects. They call a function that belongs to the owner and gets another body afterwards.
SUPERUSERS = (
    "CREATE FUNCTION planted.quiet() RETURNS text LANGUAGE sql AS 'SELECT ''x''::text'",
    f"ALTER FUNCTION planted.quiet() OWNER TO {OWNER}",
    "CREATE MATERIALIZED VIEW planted.above AS SELECT planted.quiet() AS text",
    "CREATE TABLE planted.theirs (text text CHECK (planted.quiet() <> ''))",
    "INSERT INTO planted.theirs VALUES ('a')",
    _function("quiet", "text", "VOLATILE", "'x'")
    .replace("quiet(text)", "quiet()")
    .replace("CREATE", "CREATE OR REPLACE", 1),
)


@contextlib.contextmanager
def planted(machine: Host) -> Iterator[None]:
    """Plant the code in the database as its owner."""
    machine.sql(f"GRANT CREATE ON DATABASE ai_memory TO {OWNER}")
    with contextlib.closing(machine.connect()) as connection, connection.cursor() as cursor:
        # SET ROLE would not suffice, because the session's user would still be a superuser.
        cursor.execute(f"SET SESSION AUTHORIZATION {OWNER}")
        try:
            for statement in STATEMENTS:
                cursor.execute(statement)
            cursor.execute("RESET SESSION AUTHORIZATION")
            for statement in SUPERUSERS:
                cursor.execute(statement)
            yield
        finally:
            machine.sql("DROP SCHEMA IF EXISTS planted CASCADE")
