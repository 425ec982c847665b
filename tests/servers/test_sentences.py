"""PostgreSQL errors in a log are recognized by the name of psycopg2's exception, and also by the message alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import logged
from server import Server

DATABASE, NOBODY = "sentences", "sentences_nobody"
MADE = f"""
CREATE ROLE {NOBODY};
CREATE TABLE calls (id int PRIMARY KEY, caller text NOT NULL, score int CHECK (score <= 100));
CREATE TABLE notes (id int PRIMARY KEY, call int REFERENCES calls);
INSERT INTO calls VALUES (1, 'a', 1), (2, 'b', 2);
CREATE TABLE kept (id int);
ALTER TABLE kept ENABLE ROW LEVEL SECURITY;
CREATE POLICY none ON kept WITH CHECK (false);
CREATE TABLE turning (id int);
ALTER TABLE turning ENABLE ROW LEVEL SECURITY;
CREATE POLICY again ON turning USING (EXISTS (SELECT FROM turning));
GRANT ALL ON kept, turning TO {NOBODY};
CREATE VIEW shown AS SELECT DISTINCT id FROM calls;
PREPARE planned AS SELECT * FROM notes;
EXECUTE planned;
ALTER TABLE notes ADD COLUMN customer_id int;
CREATE FUNCTION deeper() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN deeper(); END $$
"""
AS_NOBODY = f"SET ROLE {NOBODY};"
# The change can cause these errors.
FAILURES = (
    "SELECT missing FROM calls",
    "SELECT c.missing FROM calls AS c",
    "INSERT INTO calls (missing) VALUES (1)",
    "SELECT FROM missing",
    "SELECT FROM missing.calls",
    "SELECT missing.id FROM calls",
    "SELECT missing(1)",
    "SELECT 1 = 'a'::text",
    "SELECT 1::missing",
    "CREATE TABLE missing.calls ()",
    "DROP INDEX missing",
    "ALTER TABLE calls DROP CONSTRAINT missing",
    "DROP TRIGGER missing ON calls",
    "DROP POLICY missing ON calls",
    "SELECT current_setting('app.missing')",
    "SELECT pg_catalog.set_config('role', 'missing', false)",
    f"GRANT SELECT ON calls TO missing_{NOBODY}",
    f"{AS_NOBODY} SELECT FROM calls",
    f"{AS_NOBODY} CREATE SCHEMA own",
    f"{AS_NOBODY} ALTER TABLE calls ADD COLUMN own int",
    f"{AS_NOBODY} DROP POLICY none ON kept",
    f"{AS_NOBODY} INSERT INTO kept VALUES (1)",
    f"{AS_NOBODY} SET row_security = off; SELECT FROM kept",
    f"{AS_NOBODY} SELECT FROM turning",
    f"SET SESSION AUTHORIZATION {NOBODY}; SET ROLE postgres",
    "INSERT INTO calls (id) VALUES (3)",
    "INSERT INTO notes VALUES (1, 7)",
    "DELETE FROM calls WHERE id = 1; INSERT INTO notes VALUES (1, 1)",
    "INSERT INTO calls VALUES (1, 'a', 1)",
    "INSERT INTO calls VALUES (3, 'c', 1) ON CONFLICT (caller) DO NOTHING",
    "INSERT INTO calls VALUES (3, 'c', 1), (3, 'd', 1) ON CONFLICT (id) DO UPDATE SET score = 2",
    "SELECT (SELECT id FROM calls)",
    "DO $$ DECLARE found int; BEGIN SELECT id INTO STRICT found FROM calls; END $$",
    "SELECT ''::int",
    "SELECT ''::uuid",
    "SET TRANSACTION READ ONLY; DELETE FROM calls",
    "EXECUTE planned",
    "SELECT id FROM calls, notes",
    "SELECT FROM FROM calls",
    "SELECT 1 FROM calls WHERE",
    "INSERT INTO calls (id) VALUES (1, 2)",
    "INSERT INTO calls (id, caller) VALUES (1)",
    "UPDATE calls SET id = 'a'::text",
    "DELETE FROM shown",
    "INSERT INTO shown VALUES (1)",
    "SELECT deeper()",
)
# These errors can occur at any time.
ERRORS = (
    "SELECT 1 / 0",
    "SELECT 'abc'::uuid",
    "SELECT 'abc'::int",
    "SELECT '2026-13-01'::date",
    "INSERT INTO calls VALUES (3, 'c', 101)",
    "SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)",
)
# No list contains the messages of these errors, which are recognized only by the name of the exception.
BY_NAME = (
    "INSERT INTO shown VALUES (1)",
    "DELETE FROM shown",
    "SELECT pg_catalog.set_config('role', 'missing', false)",
)


@pytest.fixture
def client(server: Server) -> Iterator[psycopg2.extensions.connection]:
    server.sql(f"CREATE DATABASE {DATABASE}")
    try:
        with contextlib.closing(server.connect(DATABASE)) as connection:
            connection.autocommit = False
            with connection.cursor() as cursor:
                cursor.execute(MADE)
            yield connection
            connection.rollback()
    finally:
        server.sql(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def error_of(client: psycopg2.extensions.connection, statement: str) -> Any:
    """Return the error that a statement causes."""
    with client.cursor() as cursor:
        cursor.execute("SAVEPOINT before")
        with pytest.raises(psycopg2.Error) as caught:
            cursor.execute(statement)
        cursor.execute("ROLLBACK TO SAVEPOINT before")
    return caught.value


def first_line(error: Any) -> str:
    """Return the first line of an error, as a program logs it."""
    return str(error).split("\n", maxsplit=1)[0]


def named(error: Any) -> str:
    """Return the last line of the error's traceback."""
    return f"{type(error).__module__}.{type(error).__name__}: {first_line(error)}"


def test_an_error_of_the_change_is_recognised_by_name_and_by_sentence(client: psycopg2.extensions.connection) -> None:
    missed = []
    for statement in FAILURES:
        error = error_of(client, statement)
        by_name = logged.read(named(error))
        if (by_name.failure, by_name.code) != (True, error.pgcode):
            missed.append((statement, named(error), by_name))
        by_sentence = logged.read(f"ERROR ai-memory storing failed: {first_line(error)}")
        if not by_sentence.failure and statement not in BY_NAME:
            missed.append((statement, first_line(error), by_sentence))
    assert missed == []


def test_an_error_that_comes_at_any_time_is_no_failure(client: psycopg2.extensions.connection) -> None:
    for statement in ERRORS:
        error = error_of(client, statement)
        assert not logged.read(named(error)).failure, statement
        said = logged.read(f"ERROR ai-memory storing failed: {first_line(error)}")
        assert (said.level, said.failure) == (logged.ERROR, False), statement


def test_a_transaction_that_is_aborted_shows_an_error_that_was_swallowed(
    client: psycopg2.extensions.connection,
) -> None:
    with client.cursor() as cursor:
        cursor.execute("SAVEPOINT before")
        for statement in ("SELECT 1 / 0", "SELECT 1"):
            with pytest.raises(psycopg2.Error) as caught:
                cursor.execute(statement)
        cursor.execute("ROLLBACK TO SAVEPOINT before")
    assert logged.read(named(caught.value)).code == "25P02"
    assert logged.read(f"Error storing: {first_line(caught.value)}").code == "25P02"
