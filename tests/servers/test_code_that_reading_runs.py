"""Reading a table can run its owner's code with the reader's privileges, and the check finds all such code."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import psycopg2.extensions
import pytest

import temporary
import versions
from ansible_collections.aimemory.tenancy.plugins.module_utils import sessions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.catalog import expressions
from lab import OWNER
from server import ROOT, Server

NAME = "ai_memory_expressions"
QUERY = (ROOT / "roles/preflight/files/expressions.sql").read_text()
PLANTED = """
CREATE TABLE memories (id integer PRIMARY KEY, k text, customer_id integer, scope text);
CREATE FUNCTION seen(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN RAISE LOG 'RAN as %', current_user; RETURN $1; END $$;
CREATE FUNCTION plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.lower($1)';
CREATE FUNCTION hidden(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT public.seen('x') || $1 $$;
CREATE FUNCTION with_default(text, text DEFAULT public.seen('x')) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN RETURN $1; END';
CREATE FUNCTION fine(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN RAISE LOG 'RAN as %', current_user; RETURN true; END $$;
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = same, RESTRICT = eqsel);
CREATE DOMAIN words AS text CHECK (fine(VALUE));
CREATE DOMAIN short AS text CHECK (length(VALUE) < 1000);
CREATE DOMAIN checked AS text CHECK (public.seen('x') = 'x');
CREATE DOMAIN over_checked AS checked;
CREATE TYPE mood AS ENUM ('a');
CREATE FUNCTION mood_as_text(mood) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.seen('x'); END $$;
CREATE CAST (mood AS text) WITH FUNCTION mood_as_text(mood);
CREATE TYPE pair AS (one text);
CREATE FUNCTION pair_as_text(pair) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.seen('x'); END $$;
CREATE CAST (pair AS text) WITH FUNCTION pair_as_text(pair);
CREATE FUNCTION of_mood(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT ('a'::public.mood)::text || $1 $$;
CREATE FUNCTION of_pair(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT (ROW('a')::public . pair)::text || $1 $$;
CREATE FUNCTION of_argument(mood, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1::text || $2 $$;
CREATE FUNCTION of_any(anyelement, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1::text || $2 $$;
"""
# Objects of an ordinary database. Reading their tables never runs their code with the reader's privileges.
SINCE_14 = (
    """CREATE FUNCTION parsed(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN lower($1);
       CREATE INDEX ON memories (public.parsed(k))""",
    "CREATE STATISTICS s ON (public.seen(k)), (k::short) FROM memories",
)
HARMLESS = (
    "CREATE INDEX ON memories (public.seen(k))",
    "CREATE INDEX ON memories (public.seen(lower(k)), public.seen(id::text), public.seen(k::varchar || 'x'))",
    'CREATE INDEX ON memories (public.seen(k COLLATE "C"))',
    "CREATE INDEX ON memories (public.plain(k), public.plain(public.seen(k)))",
    "CREATE INDEX ON memories (public.seen(public.seen(k)))",
    "CREATE INDEX ON memories (lower(k), coalesce(k, ''), (k::varchar(20)), (id::text))",
    "CREATE INDEX ON memories USING gin (to_tsvector('simple', k))",
    "CREATE INDEX ON memories (k) WHERE scope IS NULL OR public.seen(k) = 'x'",
    "CREATE INDEX ON memories ((k::short))",
    "CREATE TABLE other (k text); CREATE INDEX ON other ((k::words))",
    "CREATE INDEX ON memories (public.seen(k::short))",
    "CREATE EXTENSION hstore; CREATE INDEX ON memories ((hstore('a', k) -> 'a'), public.seen(hstore('a', k) -> 'b'))",
    "CREATE EXTENSION citext; CREATE INDEX ON memories ((k::citext)) WHERE k::citext = 'x' OR customer_id IS NOT NULL",
    "CREATE EXTENSION pg_trgm; CREATE INDEX ON memories USING gin (k gin_trgm_ops) WHERE similarity(k, 'x') > 0.5",
    """CREATE EXTENSION unaccent; CREATE FUNCTION f_unaccent(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS
       $$ SELECT public.unaccent('public.unaccent', $1) $$;
       CREATE INDEX ON memories (public.f_unaccent(lower(k)))""",
    # A parameter can have the same name as a table.
    """CREATE FUNCTION small(memories text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(memories)';
       CREATE INDEX ON memories (public.small(k))""",
    *SINCE_14,
    "CREATE POLICY p ON memories USING (k = ('{a}'::public.short[])[1])",
    "ALTER TABLE memories ADD CHECK (public.seen(k) = k), ADD CHECK (scope IN ('a', 'b'))",
    "CREATE TABLE other (k text) PARTITION BY LIST (lower(k)); CREATE TABLE other_rest PARTITION OF other DEFAULT",
)
CONSTANTS, OPERATOR = (
    "with constants, or with values that may become constants",
    "through an operator whose function the planner calls for estimates",
)
BODY, DEFAULTS = "whose body uses objects of ordinary roles", "with defaults of its arguments"
SEEN = "public.seen(text)"
# For each case: the planted object, the function that the message names, and the reason.
READ = {
    "predicate": ("CREATE INDEX ON memories (k) WHERE public.seen('x') = 'x'", SEEN, CONSTANTS),
    "expression": ("CREATE INDEX ON memories ((k || public.seen('x')))", SEEN, CONSTANTS),
    "CASE": ("CREATE INDEX ON memories (public.seen(CASE WHEN true THEN 'x' ELSE k END))", SEEN, CONSTANTS),
    "COALESCE": ("CREATE INDEX ON memories (public.seen(coalesce('x', k)))", SEEN, CONSTANTS),
    "NULLIF": ("CREATE INDEX ON memories (public.seen(coalesce(nullif('n', 'x'), k)))", SEEN, CONSTANTS),
    "NULL": ("CREATE INDEX ON memories (public.seen(textcat(NULL, k)))", SEEN, CONSTANTS),
    "default": ("CREATE INDEX ON memories (public.with_default(k))", "public.with_default(text,text)", DEFAULTS),
    "inlined": ("CREATE INDEX ON memories (public.hidden(k))", "public.hidden(text)", BODY),
    "cast of an enum": ("CREATE INDEX ON memories (public.of_mood(k))", "public.of_mood(text)", BODY),
    "cast in a parsed body": (
        """CREATE FUNCTION of_mood_parsed(text) RETURNS text LANGUAGE sql IMMUTABLE
             RETURN ('a'::public.mood)::text || $1;
           CREATE INDEX ON memories (public.of_mood_parsed(k))""",
        "public.of_mood_parsed(text)", BODY,
    ),
    "cast of a row": ("CREATE INDEX ON memories (public.of_pair(k))", "public.of_pair(text)", BODY),
    "cast of an argument": (
        "CREATE INDEX ON memories (public.of_argument('a', k))", "public.of_argument(public.mood,text)", BODY
    ),
    "cast of any type": (
        "CREATE INDEX ON memories (public.of_any('a'::public.mood, k))", "public.of_any(anyelement,text)", BODY
    ),
    "statistics": ("CREATE STATISTICS s ON (k || public.seen('x')), k FROM memories", SEEN, CONSTANTS),
    "domain": ("CREATE INDEX ON memories ((k::public.checked))", SEEN, CONSTANTS),
    "domain over a domain": ("CREATE INDEX ON memories ((k::public.over_checked))", SEEN, CONSTANTS),
    "array of a domain": ("CREATE INDEX ON memories ((ARRAY[k]::public.checked[]))", SEEN, CONSTANTS),
    "domain in statistics": ("CREATE STATISTICS s ON ((k::public.checked)), scope FROM memories", SEEN, CONSTANTS),
    "domain in another table": (
        "CREATE TABLE other (k text); CREATE INDEX ON other ((k::public.checked))", SEEN, CONSTANTS
    ),
    "partition key": (
        ("CREATE TABLE other (k text) PARTITION BY LIST ((k || public.seen(coalesce('x', k))));"
        " CREATE TABLE other_rest PARTITION OF other DEFAULT"), SEEN, CONSTANTS,
    ),
    "estimate": (
        ("INSERT INTO memories SELECT n, 'x', NULL, 'x' FROM generate_series(1, 10000) n; ANALYZE memories;"
        " CREATE INDEX ON memories (id) WHERE customer_id IS NOT NULL OR k === 'x'"),
        "public.same(text,text)", OPERATOR,
    ),
}  # fmt: skip
CHANGE = "ALTER TABLE public.memories ALTER customer_id SET NOT NULL"
CHANGED = {
    "constants": "CHECK (public.seen('x') = 'x')",
    "COALESCE": "CHECK (public.seen(coalesce('x', k)) = 'x')",
    "domain": "CHECK ((k::public.checked) IS NOT NULL)",
}


@pytest.fixture
def reader(server: Server) -> Iterator[psycopg2.extensions.connection]:
    """Yield an administrator's session in a database in which the owner has planted functions."""
    with (
        temporary.created(server, NAME, "template1"),
        contextlib.closing(server.connect(NAME)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"GRANT ALL ON SCHEMA public TO {OWNER}")
        cursor.execute(f"SET SESSION AUTHORIZATION {OWNER}; {PLANTED}")
        cursor.execute(f"RESET SESSION AUTHORIZATION; SET search_path = {sessions.SETTINGS['search_path']}")
        yield connection


def planted(connection: psycopg2.extensions.connection, *statements: str) -> None:
    """Run statements as the owner."""
    with connection.cursor() as cursor:
        cursor.execute("; ".join((f"SET search_path = public; SET SESSION AUTHORIZATION {OWNER}", *statements)))
        cursor.execute(f"RESET SESSION AUTHORIZATION; SET search_path = {sessions.SETTINGS['search_path']}")


def runs(server: Server, *statements: str) -> int:
    """Read all tables and run ``statements`` in a new session; return how often the superuser ran the owner's code."""
    before = server.log.read_text().count("RAN as postgres")
    with contextlib.closing(server.connect(NAME)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET search_path = {sessions.SETTINGS['search_path']}; SET constraint_exclusion = off")
        cursor.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT count(*) FROM {table} WHERE k <> 'y'")
        cursor.execute("SELECT count(*) FROM public.memories WHERE customer_id IS NOT NULL")
        for statement in statements:
            cursor.execute(statement)
    return server.log.read_text().count("RAN as postgres") - before


def refusals(connection: psycopg2.extensions.connection) -> list[str]:
    """Return the check's messages about code that a read can run."""
    with connection.cursor() as cursor:
        given = {"schema": "public", "tables": json.dumps(["memories"]), "column": "customer_id", "functions": "[]"}
        cursor.execute(QUERY, given)
        found = cursor.fetchone()
    assert found is not None
    return expressions.refusals(found[0])


@pytest.mark.parametrize("statement", versions.cases(HARMLESS, dict.fromkeys(SINCE_14, 14)))
def test_what_depends_on_a_column_is_not_run(
    reader: psycopg2.extensions.connection, server: Server, statement: str
) -> None:
    planted(reader, statement)
    assert runs(server, CHANGE) == 0
    assert refusals(reader) == []


# PostgreSQL 13 does not evaluate NULLIF with constants during planning.
SINCE = dict.fromkeys(("NULLIF", "cast in a parsed body", "statistics", "domain in statistics"), 14)


@pytest.mark.parametrize("case", versions.cases(READ, SINCE))
def test_what_is_run_is_found(reader: psycopg2.extensions.connection, server: Server, case: str) -> None:
    statement, function, why = READ[case]
    planted(reader, statement)
    assert runs(server) > 0
    (sentence,) = [sentence for sentence in refusals(reader) if " calls public." in sentence]
    assert f" calls {function}, which belongs to {OWNER}, {why}: " in sentence
    # The remedy makes the administrator the function's owner.
    with reader.cursor() as cursor:
        cursor.execute(f"ALTER FUNCTION {function} OWNER TO CURRENT_USER")
    assert refusals(reader) == []


@pytest.mark.parametrize("case", CHANGED)
def test_a_constraint_that_a_change_looks_into_is_found(
    reader: psycopg2.extensions.connection, server: Server, case: str
) -> None:
    planted(reader, f"ALTER TABLE memories ADD CONSTRAINT c {CHANGED[case]}")
    assert runs(server) == 0
    assert runs(server, CHANGE) > 0
    (sentence,) = refusals(reader)
    assert sentence.startswith("The constraint c of public.memories ")
    assert f" calls {SEEN}, which belongs to {OWNER}, {CONSTANTS}: " in sentence
    # Constraints of other tables are not checked.
    planted(reader, "ALTER TABLE memories RENAME TO others")
    assert refusals(reader) == []


def test_a_literal_of_a_domain_in_a_policy_is_found(reader: psycopg2.extensions.connection) -> None:
    planted(reader, "CREATE POLICY p ON memories USING (k = ('{a}'::public.words[])[1])")
    (sentence,) = refusals(reader)
    assert sentence.startswith("The policy p of public.memories contains a value of public.words[]")
