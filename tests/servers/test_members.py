"""The checks include objects that an owner adds to an extension, but not those that the extension's script creates."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

import temporary
from ansible_collections.aimemory.tenancy.plugins.module_utils import contents, sessions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.catalog import members
from lab import OWNER
from planner import Database
from server import ROOT, Server

NAME = "ai_memory_members"
QUERY = (ROOT / "roles/preflight/files/members.sql").read_text()
TENANT_TABLES = json.dumps(["memories", "call_summaries"])
# A table that is not a tenant table, and a foreign key to this table that compares values with the owner's cast.
CAST = (
    "CREATE TYPE public.mood AS ENUM ('fair')",
    "CREATE FUNCTION public.rank(public.mood) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 1; END $$",
    "CREATE CAST (public.mood AS integer) WITH FUNCTION public.rank(public.mood) AS IMPLICIT",
    "CREATE TABLE public.moods (rank integer PRIMARY KEY)",
    "INSERT INTO public.moods VALUES (1)",
)
KEY = (
    "ALTER TABLE public.memories ADD COLUMN mood {type} DEFAULT 'fair',"
    " ADD CONSTRAINT mood_fk FOREIGN KEY (mood) REFERENCES public.moods (rank)"
)


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """Yield a copy of the unmigrated database in which the owner has created an extension."""
    with temporary.created(server, NAME):
        server.sql("CREATE EXTENSION hstore", NAME, OWNER)
        with contextlib.closing(sessions.connect(NAME, 5432, host=str(server.directory))) as connection:
            yield Database(connection, NAME)


@pytest.fixture(autouse=True)
def administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the administrator's sessions log in as the server's superuser."""
    monkeypatch.setenv("PGUSER", "postgres")


def refusals(server: Server) -> list[str]:
    with (
        contextlib.closing(sessions.connect(NAME, 5432, host=str(server.directory), kind="reading")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(QUERY, {"schema": "public", "tables": TENANT_TABLES})
        return members.refusals(cursor.fetchone()[0])


def counted(server: Server) -> set[str]:
    """Return the tables whose rows a backup must contain."""
    with (
        contextlib.closing(sessions.connect(NAME, 5432, host=str(server.directory), kind="reading")) as connection,
        connection.cursor() as cursor,
    ):
        return {table["name"] for table in contents.read(cursor, 0)}


def rules(database: Database, subject: str) -> set[str]:
    return {entry["rule"] for entry in database.audit() if subject in entry["subject"]}


def casts(database: Database) -> list[str]:
    return [item["function"] for item in database.state()["code"]["converted"] if item["table"] == "memories"]


def test_the_audit_sees_what_was_added(server: Server, database: Database) -> None:
    for statement in (
        "CREATE MATERIALIZED VIEW public.leak AS SELECT * FROM public.memories",
        "CREATE FUNCTION public.rewrite() RETURNS void LANGUAGE sql AS 'UPDATE public.memories SET k = k'",
    ):
        server.sql(statement, NAME, OWNER)
    before = [(entry["rule"], entry["subject"]) for entry in database.audit()]
    assert rules(database, "leak") == {"materialized-view", "relation-unlisted"}
    assert "function-without-tenant" in rules(database, "rewrite")
    server.sql("ALTER EXTENSION hstore ADD MATERIALIZED VIEW public.leak", NAME, OWNER)
    server.sql("ALTER EXTENSION hstore ADD FUNCTION public.rewrite()", NAME, OWNER)
    assert [(entry["rule"], entry["subject"]) for entry in database.audit()] == before


@pytest.mark.parametrize(
    ("kind", "name", "made"),
    [
        ("TABLE", "memories", None),
        ("TABLE", "orders", "CREATE TABLE public.orders (id integer)"),
        ("TABLE", "parts", "CREATE TABLE public.parts (id integer) PARTITION BY LIST (id)"),
        ("MATERIALIZED VIEW", "totals", "CREATE MATERIALIZED VIEW public.totals AS SELECT 1 AS one"),
    ],
)
def test_a_table_that_was_added_is_refused_and_counted(
    server: Server, database: Database, kind: str, name: str, made: str | None
) -> None:
    if made:
        server.sql(made, NAME, OWNER)
    before = counted(server)
    server.sql(f"ALTER EXTENSION hstore ADD {kind} public.{name}", NAME, OWNER)
    assert f" public.{name} " not in server.run("pg_dump", NAME)
    (sentence,) = refusals(server)
    assert f"public.{name}" in sentence
    remedy = f'ALTER EXTENSION "hstore" DROP {kind} "public"."{name}"'
    assert remedy in sentence
    assert counted(server) == before
    server.sql(remedy, NAME, OWNER)
    assert refusals(server) == []


def test_a_partition_that_was_added_is_refused(server: Server, database: Database) -> None:
    for statement in (
        "DROP TABLE public.memories CASCADE",
        "CREATE TABLE public.memories (id integer) PARTITION BY LIST (id)",
        "CREATE TABLE public.part PARTITION OF public.memories DEFAULT",
        "ALTER EXTENSION hstore ADD TABLE public.part",
    ):
        server.sql(statement, NAME, OWNER)
    (sentence,) = refusals(server)
    assert sentence.startswith("The tenant table public.part is a member of the extension hstore")


def test_what_the_scripts_of_extensions_made_is_theirs(server: Server, database: Database) -> None:
    before, audited = counted(server), database.audit()
    # The owner may create trusted extensions, whose scripts run as the superuser and create C functions.
    for extension in ("pg_trgm", "citext", "pgcrypto"):
        server.sql(f'CREATE EXTENSION "{extension}"', NAME, OWNER)
    server.sql("CREATE EXTENSION pg_stat_statements", NAME)
    assert refusals(server) == []
    assert counted(server) == before
    assert database.audit() == audited


def test_a_table_that_a_script_dumps_is_the_extensions_with_any_owner(server: Server, database: Database) -> None:
    server.sql("CREATE TABLE public.systems (id integer)", NAME, OWNER)
    before = counted(server)
    server.sql("ALTER EXTENSION hstore ADD TABLE public.systems", NAME, OWNER)
    # This has the same effect as pg_extension_config_dump, which only an extension script can call.
    server.sql(
        "UPDATE pg_extension SET extconfig = ARRAY['public.systems'::regclass::oid], extcondition = ARRAY['']"
        " WHERE extname = 'hstore'", NAME,
    )  # fmt: skip
    assert "systems" in server.run("pg_dump", NAME)
    assert refusals(server) == []
    assert counted(server) == before - {"systems"}
    assert rules(database, "systems") == set()


@pytest.mark.parametrize("column", ["public.mood", "public.once", "public.twice"])
def test_a_cast_of_the_owners_is_found_behind_domains(server: Server, database: Database, column: str) -> None:
    for statement in (
        *CAST, "CREATE DOMAIN public.once AS public.mood", "CREATE DOMAIN public.twice AS public.once",
        KEY.format(type=column),
    ):  # fmt: skip
        server.sql(statement, NAME, OWNER)
    assert casts(database) == ["public.rank"]
    server.sql("ALTER EXTENSION hstore ADD FUNCTION public.rank(public.mood)", NAME, OWNER)
    assert casts(database) == ["public.rank"]
    server.sql("ALTER EXTENSION hstore DROP FUNCTION public.rank(public.mood)", NAME, OWNER)
    server.sql("ALTER FUNCTION public.rank(public.mood) OWNER TO postgres", NAME)
    assert casts(database) == []
