"""The service's own login is granted exactly the privileges that the service uses."""

from __future__ import annotations

import json

import psycopg2
import pytest

from planner import Database
from production import ROOT

SQL = (ROOT / "roles/login/files/privileges.sql").read_text()
ROLE = 'the "new" login'
QUOTED = '"the ""new"" login"'


@pytest.fixture
def granted(database: Database) -> Database:
    """Return the database with additional objects and a role to which the privileges are granted."""
    database.run(
        f"CREATE ROLE {QUOTED} LOGIN",
        'CREATE TABLE public."Odd Name" (id serial PRIMARY KEY)',
        "CREATE TABLE public.other (id serial)",
        "CREATE TABLE public.readable ()",
        "CREATE FUNCTION public.used(a integer, b text DEFAULT 'x') RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION public.unused() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE PROCEDURE public.called(a integer) LANGUAGE sql AS 'SELECT 1'",
        "REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA public FROM PUBLIC",
        "SET search_path = pg_catalog, pg_temp",
    )
    cursor = database._cursor
    lists = {"tables": ["memories", "Odd Name"], "functions": ["used", "called"], "readable": ["public.readable"]}
    cursor.execute(SQL, {"role": ROLE, "schema": "public", **{key: json.dumps(value) for key, value in lists.items()}})
    (grants,) = cursor.fetchone() or ([],)
    database.run(*grants)
    return database


def has(database: Database, kind: str, name: str, privilege: str) -> bool:
    """Return whether the role has a privilege."""
    database._cursor.execute(f"SELECT has_{kind}_privilege(%s, %s, %s)", (ROLE, name, privilege))
    (answer,) = database._cursor.fetchone() or (None,)
    return bool(answer)


def test_the_service_uses_tables_sequences_and_functions(granted: Database) -> None:
    for table in ("public.memories", 'public."Odd Name"'):
        assert [has(granted, "table", table, name) for name in ("SELECT", "INSERT", "UPDATE", "DELETE")] == [True] * 4
        assert not has(granted, "table", table, "TRUNCATE")
    assert has(granted, "sequence", 'public."Odd Name_id_seq"', "USAGE")
    assert has(granted, "function", "public.used(integer, text)", "EXECUTE")
    assert has(granted, "function", "public.called(integer)", "EXECUTE")
    assert has(granted, "table", "public.readable", "SELECT")
    assert not has(granted, "table", "public.readable", "INSERT")


def test_nothing_else_is_granted(granted: Database) -> None:
    assert not has(granted, "table", "public.other", "SELECT")
    assert not has(granted, "sequence", "public.other_id_seq", "USAGE")
    assert not has(granted, "function", "public.unused()", "EXECUTE")


def test_a_missing_table_ends_the_grant(database: Database) -> None:
    lists = {"tables": ["missing"], "functions": [], "readable": []}
    cursor = database._cursor
    cursor.execute(
        SQL, {"role": "alice", "schema": "public", **{key: json.dumps(value) for key, value in lists.items()}}
    )
    (grants,) = cursor.fetchone() or ([],)
    with pytest.raises(psycopg2.errors.UndefinedTable):
        database.run(*grants)
