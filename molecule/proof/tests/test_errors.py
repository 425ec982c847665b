"""The report of a PostgreSQL error names the table, column and constraint, but contains no callers' data."""

from __future__ import annotations

import psycopg2
import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages
from planner import Database

pytestmark = pytest.mark.one_host

SAID = "she is ill"
NOTES = (
    "CREATE TABLE notes (id int PRIMARY KEY, caller text UNIQUE, age integer CHECK (age < 150), kept bool NOT NULL)",
    f"INSERT INTO notes VALUES (1, '{SAID}', 30, true)",
)
COMPLAIN = (
    "CREATE FUNCTION complain() RETURNS void LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'she is ill', ERRCODE = '{code}'; END $$"
)
ERRORS = {
    "not null": (f"INSERT INTO notes VALUES (2, '{SAID} too', 40, NULL)", "23502", 'column "kept" of relation "notes"'),
    "unique": (f"INSERT INTO notes VALUES (2, '{SAID}', 40, true)", "23505", 'unique constraint "notes_caller_key"'),
    "check": (f"INSERT INTO notes VALUES (2, '{SAID} too', 160, true)", "23514", 'constraint "notes_age_check"'),
    "cast of a value": (f"SELECT '{SAID}'::integer", "22P02", "invalid text representation"),
    "cast of a column": ("ALTER TABLE notes ALTER caller TYPE integer USING caller::integer", "22P02", "invalid text"),
    "raised": ("SELECT complain()", "P0001", "raise exception"),
    "raised with a constraint's SQLSTATE": ("SELECT complain()", "23505", "in complain()"),
    "statement built from values": (
        f"DO $$ BEGIN EXECUTE 'SELECT \"{SAID}\" FROM notes'; END $$", "42703", "undefined column",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ERRORS)
def test_it_names_what_failed_and_quotes_nothing(database: Database, kind: str) -> None:
    statement, code, words = ERRORS[kind]
    database.run(*NOTES, COMPLAIN.format(code=code))
    with pytest.raises(psycopg2.Error) as raised:
        database.run(statement)
    told = messages.of_database(raised.value)
    # The original error quotes data, so the test can detect a leak.
    assert SAID in str(raised.value)
    assert "ill" not in told
    assert "40" not in told.replace(code, "")
    assert words in told
    assert f"SQLSTATE {code}" in told


def test_what_this_runbook_raises_itself_is_told(database: Database) -> None:
    with pytest.raises(psycopg2.Error) as raised:
        database.run("DO $$ BEGIN RAISE EXCEPTION 'The isolation proof failed: memories.read'; END $$")
    assert messages.of_database(raised.value).startswith("The isolation proof failed: memories.read")


def test_a_function_that_runs_a_block_of_its_own_is_not_this_runbook(database: Database) -> None:
    block = "DO ''BEGIN RAISE EXCEPTION she is ill; END''"
    database.run(f"CREATE FUNCTION blame() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE '{block}'; END $$")
    with pytest.raises(psycopg2.Error) as raised:
        database.run("SELECT blame()")
    assert "ill" not in messages.of_database(raised.value)
