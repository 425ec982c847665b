"""Settings that a dump lacks are restored exactly, and their values cannot inject statements."""

from __future__ import annotations

import contextlib

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import database_settings, sessions
from lab import OWNER
from server import Server

NAMES = ("ai_memory_settings", "ai_memory_settings_two")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ('"$user", public', '"$user", public'),
        ("public;alter/**/role/**/alice/**/superuser", '"public;alter/**/role/**/alice/**/superuser"'),
        ('"a""b, c", Two , pg_temp', '"a""b, c", two, pg_temp'),
        ("public','x", '"public\'", "\'x"'),
        ("", '""'),
    ],
)
def test_a_search_path_copied_from_another_is_quoted_again(server: Server, value: str, kept: str) -> None:
    for name in NAMES:
        server.sql(f"CREATE DATABASE {name} OWNER {OWNER}")
    try:
        with contextlib.closing(server.connect(NAMES[0])) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET SESSION AUTHORIZATION {OWNER}")
            cursor.execute("SELECT set_config('search_path', %s, false)", (value,))
            cursor.execute(f"ALTER ROLE {OWNER} IN DATABASE {NAMES[0]} SET search_path FROM CURRENT")
            cursor.execute("RESET SESSION AUTHORIZATION")
            cursor.execute(f"SET search_path = {sessions.SETTINGS['search_path']}")
            for statement in database_settings.read(cursor, *NAMES)["replay"]:
                cursor.execute(statement)
            cursor.execute(
                "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
                " WHERE d.datname = %s", (NAMES[1],),
            )  # fmt: skip
            assert cursor.fetchall() == [([f"search_path={kept}"],)]
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (OWNER,))
            assert cursor.fetchall() == [(False,)]
    finally:
        for name in NAMES:
            server.sql(f"DROP DATABASE {name}")
