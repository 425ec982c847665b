"""Functions and procedures in each language and form are drafted, migrated, called by two tenants, and rolled back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

import versions
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.describe import draft, text
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from described import dumped, parsed, read
from lab import OWNER
from planner import Database
from server import Server

NAME = "ai_memory_functions"
WORDS = "CREATE TABLE words (id bigserial PRIMARY KEY, word text NOT NULL UNIQUE, times integer NOT NULL DEFAULT 1)"
# The defaults look like the beginning of a body.
ARGUMENTS = """(said text, "a ' b" text DEFAULT '
BEGIN ATOMIC
', more text DEFAULT E'\\\\''
RETURN 1')"""
INSERT = "INSERT INTO public.words (word) VALUES (said)"
COUNT = "ON CONFLICT (word) DO UPDATE SET times = words.times + excluded.times"
# The definition of the function or procedure "say" without CREATE, and the statement that calls it.
FORMS = {
    "a text in SQL": (
        f"FUNCTION say{ARGUMENTS} RETURNS void LANGUAGE sql AS $$ {INSERT} {COUNT} $$", "SELECT say('a')",
    ),
    "the form of the SQL standard": (
        f"FUNCTION say{ARGUMENTS} RETURNS bigint SECURITY DEFINER BEGIN ATOMIC {INSERT} {COUNT}; SELECT 1::bigint; END",
        "SELECT say('a')",
    ),
    "PL/pgSQL": (
        f"FUNCTION say{ARGUMENTS} RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN {INSERT} {COUNT}; END $$",
        "SELECT say('a')",
    ),
    "a procedure in PL/pgSQL": (
        f"PROCEDURE say{ARGUMENTS} LANGUAGE plpgsql AS $$ BEGIN {INSERT} {COUNT}; END $$", "CALL say('a')",
    ),
    "a procedure in SQL": (f"PROCEDURE say{ARGUMENTS} LANGUAGE sql AS $$ {INSERT} {COUNT} $$", "CALL say('a')"),
    "a procedure in the form of the SQL standard": (
        f"PROCEDURE say{ARGUMENTS} BEGIN ATOMIC {INSERT} {COUNT}; END", "CALL say('a')",
    ),
}  # fmt: skip
# PostgreSQL 13 does not support SQL-standard function bodies.
SINCE = {name: 14 for name in FORMS if "SQL standard" in name}


@contextlib.contextmanager
def words(server: Server, *statements: str) -> Iterator[Database]:
    """Yield a database with the table "words" and a drafted model, after its owner has run ``statements``."""
    server.sql(f"CREATE DATABASE {NAME} OWNER {OWNER}")
    try:
        for statement in (WORDS, *statements):
            server.sql(statement, NAME, OWNER)
        source = parsed(text.tenancy(draft.build(read(server, NAME))), NAME, OWNER)
        with contextlib.closing(server.connect(NAME)) as connection:
            connection.autocommit = False
            yield Database(connection, NAME, model.parse(source))
            connection.rollback()
    finally:
        server.sql(f"DROP DATABASE {NAME} WITH (FORCE)")


def said(server: Server, call: str, tenant: int) -> list[Any]:
    """Call the function twice as the service with a tenant, and return the words that the service can then read."""
    with contextlib.closing(server.connect(NAME, OWNER)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET app.current_tenant = '{tenant}'")
        for _ in range(2):
            cursor.execute(call)
        cursor.execute("SELECT word, times FROM words")
        return list(cursor.fetchall())


@pytest.mark.parametrize("form", versions.cases(FORMS, SINCE))
def test_a_function_works_within_the_tenant_and_comes_back(server: Server, form: str) -> None:
    definition, call = FORMS[form]
    with words(server, f"CREATE {definition}", "GRANT EXECUTE ON ROUTINE say TO PUBLIC") as database:
        before, schema = database.state(), dumped(server, NAME)
        assert [item for item in database.migrate() if not item["ok"]] == []
        assert database.failures(before) == []
        assert database.plan() == []
        assert [item for item in database.audit() if item["severity"] == "error"] == []
        database.commit()
        assert said(server, call, 1) == said(server, call, 2) == [("a", 2)]
        server.sql("SET row_security = off; DELETE FROM words", NAME)
        assert database.back_to(before) == []
        database.commit()
        assert dumped(server, NAME) == schema


OTHER = {
    "another kind": (
        ("DROP FUNCTION say", f"CREATE {FORMS['a procedure in SQL'][0]}"),
        "is a procedure in the language sql, which a SQL function cannot replace: drop or rename it first.",
    ),
    "another language": (
        (f"CREATE OR REPLACE {FORMS['PL/pgSQL'][0]}",),
        ("is written in plpgsql, but the body in tenancy_functions is in SQL: replace it with one in SQL that has the"
         " same"),
    ),
    "other names": (
        ("DROP FUNCTION say", f"CREATE {FORMS['a text in SQL'][0]}".replace("said", "uttered")),
        "has other argument names than tenancy_functions, and an SQL body cannot declare aliases: use the names ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHER)
def test_another_function_than_the_models_is_refused(server: Server, case: str) -> None:
    statements, sentence = OTHER[case]
    with words(server, f"CREATE {FORMS['a text in SQL'][0]}") as database:
        database.run(f"SET ROLE {OWNER}", *statements, "RESET ROLE")
        with pytest.raises(UnsafeStateError) as caught:
            database.plan()
        assert any(sentence in obstacle for obstacle in caught.value.obstacles), caught.value.obstacles
