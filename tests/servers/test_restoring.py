"""A restore never runs an ordinary role's code with the superuser's privileges."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import restoring, sessions
from lab import OWNER
from server import SERVER_USER, Server

NAME, COPY = "ai_memory_dumped", "ai_memory_restored"
# Once the other objects use the function, the test replaces this definition with SEEN.
HARMLESS = "CREATE OR REPLACE FUNCTION public.{name} LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1; END $$"
SEEN = (
    "CREATE OR REPLACE FUNCTION public.{name} LANGUAGE plpgsql IMMUTABLE AS"
    " $$ BEGIN RAISE LOG 'RAN as %', current_user; RETURN $1; END $$"
)
ONE, TWO = "f(text) RETURNS text", "f(text, text) RETURNS text"
RUNS = "SELECT (xpath('count(//row)', query_to_xml('SELECT public.f(''x'')', true, false, '')))[1]::text AS n"


@pytest.fixture(autouse=True)
def database(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Create a database that the owner owns, with a schema that the superuser owns."""
    monkeypatch.setenv("PGUSER", "postgres")
    server.sql(f"CREATE DATABASE {NAME} OWNER {OWNER}")
    try:
        server.sql("CREATE SCHEMA dba", NAME)
        server.sql(f"GRANT ALL ON SCHEMA public, dba TO {OWNER}", NAME)
        yield
    finally:
        for name in (NAME, COPY):
            server.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def made(server: Server, *statements: str) -> None:
    """Run statements as the owner, or as the superuser if they start with "postgres: "."""
    for statement in statements:
        of_superuser = statement.startswith("postgres: ")
        server.sql(statement.removeprefix("postgres: "), NAME, "postgres" if of_superuser else OWNER)


def restored(server: Server) -> list[str]:
    """Dump the database, restore it into another database, and return the objects that were omitted."""

    def run(command: list[str], environ_update: dict[str, str] | None = None) -> tuple[int, str, str]:
        environment = {"PATH": os.environ["PATH"], "PGHOST": str(server.directory), "PGUSER": "postgres"}
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd="/", env=environment | (environ_update or {})
        )
        return done.returncode, done.stdout, done.stderr

    def ask(query: str) -> list[Any]:
        with (
            contextlib.closing(sessions.connect(NAME, 5432, host=str(server.directory))) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(query)
            return list(cursor.fetchall())

    with tempfile.TemporaryDirectory(prefix="tenancy-dump-") as directory:
        Path(directory).chmod(0o777)
        dump = f"{directory}/dump"
        server.run("pg_dump", "--format=custom", f"--file={dump}", NAME)
        server.sql(f"CREATE DATABASE {COPY} TEMPLATE template0 OWNER {OWNER}")
        target = restoring.Target(
            user=SERVER_USER if os.geteuid() == 0 else "", database=COPY, port=5432, host=str(server.directory),
            files=dump, pg_restore=str(server.programs / "pg_restore"), jobs=2, lists=directory,
            logins={"host": str(server.directory), "port": "5432"},
            privileged=ask(restoring.PRIVILEGED.replace("%%", "%")), risky_keys=ask(restoring.RISKY_KEYS),
        )  # fmt: skip
        before = len(server.log.read_text())
        found = restoring.Restoring(target, run).run()
        ran = set(re.findall(r"RAN as (\w+)", server.log.read_text()[before:]))
    assert "postgres" not in ran
    return found


VIEWS = {
    "view": ("CREATE VIEW public.v AS SELECT 'x' AS n", f"CREATE OR REPLACE VIEW public.v AS {RUNS}"),
    "view behind the superuser's": (
        "CREATE VIEW public.w AS SELECT 'x' AS n", "postgres: CREATE VIEW public.v AS SELECT n FROM public.w",
        f"CREATE OR REPLACE VIEW public.w AS {RUNS}",
    ),
    "domain": (
        HARMLESS.format(name=ONE), "CREATE DOMAIN public.d AS text CHECK (public.f(VALUE) = 'x')",
        "postgres: CREATE VIEW public.v AS SELECT n::public.d AS n FROM (VALUES ('x')) AS t (n)",
    ),
    "domain in a row": (
        HARMLESS.format(name=ONE), "CREATE DOMAIN public.d AS text CHECK (public.f(VALUE) = 'x')",
        "CREATE TYPE public.pair AS (one public.d, two integer)",
        ("postgres: CREATE VIEW public.v AS"
        " SELECT row_to_json(json_populate_record(NULL::public.pair, '{\"one\": \"x\"}'))::text AS n"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", VIEWS)
def test_a_materialized_view_over_a_view_of_an_ordinary_role_is_left_out(server: Server, case: str) -> None:
    *before, last = VIEWS[case]
    made(server, *before)
    if case.startswith("domain"):
        made(server, last)
    made(server, "postgres: CREATE MATERIALIZED VIEW dba.stats AS SELECT n FROM public.v")
    made(server, *([] if case.startswith("domain") else [last]))
    made(server, SEEN.format(name=ONE))
    assert restored(server) == ["materialized view data dba stats was left out"]


def test_a_materialized_view_over_data_of_an_ordinary_role_is_filled(server: Server) -> None:
    made(
        server,
        "CREATE TYPE public.state AS ENUM ('paid', 'open')",
        "CREATE DOMAIN public.email AS text CHECK (VALUE ~ '@')",
        "CREATE TABLE public.orders (id integer, state public.state, mail public.email)",
        "INSERT INTO public.orders VALUES (1, 'paid', 'a@b.c')",
        "CREATE MATERIALIZED VIEW public.totals AS SELECT count(*) AS n FROM public.orders",
        "postgres: CREATE VIEW dba.paid AS SELECT * FROM public.orders WHERE state = 'paid'::public.state",
        "postgres: CREATE MATERIALIZED VIEW dba.stats AS"
        " SELECT lower(mail) AS mail, n FROM dba.paid CROSS JOIN public.totals",
    )
    assert restored(server) == []
    assert server.sql("SELECT * FROM dba.stats", COPY) == [("a@b.c", 1)]


KEYS = {
    "function": (
        "index dba i", (HARMLESS.format(name=ONE), "postgres: CREATE INDEX i ON dba.t (public.f(a))"),
        SEEN.format(name=ONE),
    ),
    "operator": (
        "index dba i",
        (HARMLESS.format(name=TWO),
         "CREATE OPERATOR public.@@@@ (LEFTARG = text, RIGHTARG = text, FUNCTION = public.f)",
         "postgres: CREATE INDEX i ON dba.t ((a OPERATOR(public.@@@@) b))"),
        SEEN.format(name=TWO),
    ),
    "predicate": (
        "index dba i", (HARMLESS.format(name=ONE), "postgres: CREATE INDEX i ON dba.t (b) WHERE public.f(a) = 'x'"),
        SEEN.format(name=ONE),
    ),
    "domain": (
        "index dba i",
        (HARMLESS.format(name=ONE), "CREATE DOMAIN public.d AS text CHECK (public.f(VALUE) = 'x')",
         "postgres: CREATE INDEX i ON dba.t ((a::public.d))"),
        SEEN.format(name=ONE),
    ),
    "exclusion": (
        "constraint dba t c",
        (HARMLESS.format(name=ONE), "postgres: ALTER TABLE dba.t ADD CONSTRAINT c EXCLUDE (public.f(a) WITH =)"),
        SEEN.format(name=ONE),
    ),
    "foreign key": (
        "fk constraint dba t m_fk",
        ("CREATE TYPE public.mood AS ENUM ('fair')", "CREATE DOMAIN public.once AS public.mood",
         "CREATE DOMAIN public.twice AS public.once",
         "CREATE FUNCTION public.f(public.mood) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
         "CREATE CAST (public.mood AS integer) WITH FUNCTION public.f(public.mood) AS IMPLICIT",
         "postgres: CREATE TABLE dba.moods (n integer PRIMARY KEY)", "postgres: INSERT INTO dba.moods VALUES (1)",
         ("postgres: ALTER TABLE dba.t ADD COLUMN m public.twice DEFAULT 'fair',"
         " ADD CONSTRAINT m_fk FOREIGN KEY (m) REFERENCES dba.moods")),
        ("CREATE OR REPLACE FUNCTION public.f(public.mood) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS"
        " $$ BEGIN RAISE LOG 'RAN as %', current_user; RETURN 1; END $$"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", KEYS)
def test_a_superusers_key_by_code_of_an_ordinary_role_is_left_out(server: Server, case: str) -> None:
    name, before, last = KEYS[case]
    made(server, "postgres: CREATE TABLE dba.t (a text, b text)", "postgres: INSERT INTO dba.t VALUES ('x', 'y')")
    made(server, *before, last)
    assert restored(server) == [f"{name} was left out: it belongs to a superuser and runs an ordinary role's code"]


def test_ordinary_keys_of_a_superuser_come_back(server: Server) -> None:
    made(
        server,
        "CREATE EXTENSION pg_trgm",
        "CREATE TYPE public.state AS ENUM ('paid', 'open')",
        "CREATE TABLE public.states (state public.state PRIMARY KEY)",
        "INSERT INTO public.states VALUES ('paid')",
        "postgres: CREATE TABLE dba.t (id integer PRIMARY KEY, a text, state public.state REFERENCES public.states)",
        "postgres: INSERT INTO dba.t VALUES (1, 'x', 'paid')",
        "postgres: CREATE INDEX ON dba.t (lower(a))",
        "postgres: CREATE INDEX ON dba.t USING gin (a public.gin_trgm_ops)",
        "postgres: CREATE INDEX ON dba.t (a) WHERE state = 'paid'",
        "postgres: ALTER TABLE dba.t ADD EXCLUDE (coalesce(a, '') WITH =)",
    )
    keys = (
        "SELECT (SELECT count(*) FROM pg_index WHERE indrelid = 'dba.t'::regclass),"
        " (SELECT count(*) FROM pg_constraint WHERE conrelid = 'dba.t'::regclass)"
    )
    assert restored(server) == []
    assert server.sql(keys, COPY) == server.sql(keys, NAME)


PARTED = "CREATE TABLE public.p (k text) PARTITION BY LIST ({key})"
PLANTED = "(k || public.f(coalesce('x', k)))"


@pytest.mark.parametrize("owner", [OWNER, "postgres"])
def test_the_owner_of_the_table_attaches_indexes(server: Server, owner: str) -> None:
    prefix = "postgres: " if owner == "postgres" else ""
    made(
        server,
        HARMLESS.format(name=ONE), PARTED.format(key="k"),
        f"{prefix}CREATE TABLE dba.p1 PARTITION OF public.p FOR VALUES IN ('a')",
        f"CREATE INDEX i ON public.p ({PLANTED})" if not prefix else "CREATE INDEX i ON public.p (lower(k))",
        "INSERT INTO public.p VALUES ('a')", SEEN.format(name=ONE),
    )  # fmt: skip
    assert restored(server) == []
    assert server.sql("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'p1'", COPY) == [(owner,)]
    assert server.sql("SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid = 'public.i'::regclass", COPY) == [
        (1,)
    ]


def test_the_owner_of_the_table_attaches_a_superusers_partition(server: Server) -> None:
    made(
        server,
        HARMLESS.format(name=ONE), PARTED.format(key=PLANTED),
        'postgres: CREATE TABLE dba."P ""1" PARTITION OF public.p DEFAULT',
        "INSERT INTO public.p VALUES ('a')", SEEN.format(name=ONE),
    )  # fmt: skip
    assert restored(server) == []
    assert server.sql("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'P \"1'", COPY) == [("postgres",)]
    assert server.sql("SELECT tableoid::regclass::text, k FROM public.p", COPY) == [('dba."P ""1"', "a")]


def test_an_index_of_a_superusers_partition_by_code_of_an_ordinary_role_is_left_out(server: Server) -> None:
    made(
        server,
        HARMLESS.format(name=ONE), PARTED.format(key="k"),
        "postgres: CREATE TABLE dba.p1 PARTITION OF public.p FOR VALUES IN ('a')",
        "CREATE INDEX i ON public.p (public.f(k))", "INSERT INTO public.p VALUES ('a')", SEEN.format(name=ONE),
    )  # fmt: skip
    assert restored(server) == [
        "index dba p1_f_idx was left out: it belongs to a superuser and runs an ordinary role's code"
    ]
