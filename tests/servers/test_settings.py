"""Settings that a dump lacks are restored exactly, and their values cannot inject statements."""

from __future__ import annotations

import contextlib

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    database_settings,
    sessions,
    throwaway,
    transaction,
)
from lab import OWNER
from server import TEMPLATE, Server

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


def test_only_the_statements_of_the_setting_are_those_of_the_bridge(server: Server) -> None:
    with contextlib.closing(server.connect(TEMPLATE)) as connection, connection.cursor() as cursor:
        cursor.execute(f'ALTER ROLE {OWNER} IN DATABASE {TEMPLATE} SET "App"."Tenant_of" = \'01\'')
        cursor.execute(f"ALTER ROLE {OWNER} IN DATABASE {TEMPLATE} SET app.tenantxof = '2'")
        (statement,) = database_settings.read(cursor, TEMPLATE, "x", "app.tenant_of")["bridge"]
        assert statement == f"""ALTER ROLE {OWNER} IN DATABASE x SET "App"."Tenant_of" TO '01'"""
        connection.rollback()


def test_settings_of_the_login_override_each_other_as_in_its_sessions(server: Server) -> None:
    everywhere, here = "ALTER ROLE ALL", f"ALTER DATABASE {TEMPLATE}"
    of_role, of_role_here = f"ALTER ROLE {OWNER}", f"ALTER ROLE {OWNER} IN DATABASE {TEMPLATE}"
    with contextlib.closing(server.connect(TEMPLATE)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        places = (of_role_here, of_role, here, everywhere)
        try:
            for place in places:
                cursor.execute(f"{place} SET app.place = '{place}'")
            for place in places:
                cursor.execute(transaction.LOGIN_SETTINGS, {"ours": [], "role": OWNER})
                (settings,) = cursor.fetchone() or ([],)
                assert dict(settings)["app.place"] == place
                assert server.sql("SHOW app.place", TEMPLATE, OWNER) == [(place,)]
                cursor.execute(f"{place} RESET app.place")
        finally:
            for place in places:
                cursor.execute(f"{place} RESET app.place")


def test_a_setting_of_a_role_cannot_inject_statements_into_a_copy(server: Server) -> None:
    injected = f"public;alter/**/role/**/{OWNER}/**/superuser"
    with contextlib.closing(server.connect(TEMPLATE)) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute(f"SET SESSION AUTHORIZATION {OWNER}")
        cursor.execute("SELECT set_config('search_path', %s, false)", (injected,))
        cursor.execute(f"ALTER ROLE {OWNER} SET search_path FROM CURRENT")
        cursor.execute("RESET SESSION AUTHORIZATION")
        cursor.execute(f"SET search_path = {sessions.SETTINGS['search_path']}")
        cursor.execute(throwaway.ROLE_SETTINGS, {})
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)
        cursor.execute("SELECT rolsuper, rolconfig FROM pg_roles WHERE rolname = %s", (OWNER,))
        assert cursor.fetchall() == [(False, [f'search_path="{injected}"'])]
        connection.rollback()
