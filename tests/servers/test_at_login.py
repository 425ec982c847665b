"""What runs at every login and writes shuts out a session that only reads, and is told by its name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest
import yaml

from ansible_collections.aimemory.tenancy.plugins.module_utils import sessions
from server import ROOT, Server

NAME = "ai_memory_login"
NOTE = """
CREATE TABLE login_log (who text);
CREATE FUNCTION login_note() RETURNS event_trigger SECURITY DEFINER LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.login_log VALUES (session_user); END $$;
CREATE FUNCTION login_nothing() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER unused ON login EXECUTE FUNCTION login_nothing();
ALTER EVENT TRIGGER unused DISABLE;
CREATE EVENT TRIGGER "Note" ON login EXECUTE FUNCTION login_note();
"""


@pytest.fixture
def noted(server: Server) -> Iterator[str]:
    """Return the name of a database that notes who logs in."""
    server.sql(f"CREATE DATABASE {NAME}")
    server.sql(NOTE, NAME)
    yield NAME
    server.sql(f"DROP DATABASE {NAME} WITH (FORCE)")


def look() -> dict[str, Any]:
    """Return the arguments of the task that looks for such event triggers."""
    tasks = yaml.safe_load((ROOT / "roles/preflight/tasks/postgresql.yml").read_text())
    (task,) = [task for task in tasks if "event triggers at login" in task["name"]]
    found: dict[str, Any] = task["community.postgresql.postgresql_query"]
    return found


def reading(server: Server, more: dict[str, str] | None = None) -> psycopg2.extensions.connection:
    """Connect as the administrator's sessions do that only read."""
    return psycopg2.connect(
        dbname=NAME, user="postgres", host=str(server.directory), options=sessions.options(more, "reading")
    )


def test_it_refuses_a_session_that_reads_and_its_name_is_found(server: Server, noted: str) -> None:
    variables = yaml.safe_load((ROOT / "roles/preflight/vars/main.yml").read_text())
    (words,) = [part for part in variables["__preflight_refused"].split("'") if "transaction" in part]
    with pytest.raises(psycopg2.OperationalError, match=words):
        reading(server)
    given = look()
    assert "{'event_triggers': 'off'}" in given["connect_params"]["options"]
    with contextlib.closing(reading(server, {"event_triggers": "off"})) as connection, connection.cursor() as cursor:
        cursor.execute(given["query"])
        assert cursor.fetchall() == [('"Note"',)]
    server.sql('ALTER EVENT TRIGGER "Note" DISABLE', noted)
    reading(server).close()
