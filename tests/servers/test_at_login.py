"""A trigger that writes at every login prevents read-only sessions, and the message names the trigger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import inspection
from server import SERVER_USER, Server

# PostgreSQL 17 introduced event triggers for logins.
pytestmark = pytest.mark.since(17)
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
    """Yield the name of a database that records each login."""
    server.sql(f"CREATE DATABASE {NAME}")
    server.sql(NOTE, NAME)
    yield NAME
    server.sql(f"DROP DATABASE {NAME} WITH (FORCE)")


def asked(server: Server) -> dict[str, Any]:
    query = {"name": "one", "sql": "SELECT 1 AS one"}
    return inspection.database(NAME, 5432, SERVER_USER, [query], {}, host=str(server.directory))


def test_it_refuses_a_session_that_reads_and_its_name_is_found(
    server: Server, noted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGUSER", "postgres")
    found = asked(server)
    assert "cannot execute INSERT in a read-only transaction" in found["problem"]
    assert (found["login_triggers"], found["rows"]) == (['"Note"'], {})
    server.sql('ALTER EVENT TRIGGER "Note" DISABLE', noted)
    found = asked(server)
    assert (found["problem"], found["login_triggers"], found["rows"]) == ("", [], {"one": [{"one": 1}]})
