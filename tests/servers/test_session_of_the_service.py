"""The run detects session settings in the service's environment, and uses them in its own logins over the route."""

from __future__ import annotations

import contextlib
import os
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    attempts,
    processes,
    service_login,
    unit_environment,
)
from ansible_collections.aimemory.tenancy.plugins.modules import service_route
from lab import OWNER
from server import SERVER_USER, TEMPLATE, Server

SETTING = "app.current_tenant"


def settings(server: Server, environment: dict[str, str], **parameters: str) -> dict[str, tuple[str, str]]:
    """Return the values and sources of the settings with which a session of the service starts."""
    given = {"host": str(server.directory), "user": OWNER, "dbname": TEMPLATE, **parameters}
    with service_login.environment_of(environment):
        found = service_route.Route(given, SETTING).take()
    assert found["problem"] == ""
    return {item["name"]: (item["value"], item["by"]) for item in found["settings"]}


@pytest.mark.parametrize(
    ("environment", "parameters", "name", "expected"),
    [
        ({}, {}, SETTING, ("", "")),
        ({"PGOPTIONS": f"-c {SETTING}=2"}, {}, SETTING, ("2", "PGOPTIONS")),
        ({"PGOPTIONS": "-c row_security=of"}, {}, "row_security", ("off", "PGOPTIONS")),
        ({"PGOPTIONS": "-c default_transaction_read_only=t"}, {}, "default_transaction_read_only", ("on", "PGOPTIONS")),
        ({"PGOPTIONS": f"-c {SETTING}=2"}, {"options": "-c row_security=no"}, "row_security",
         ("off", "options= of DATABASE_URL")),
        ({"PGOPTIONS": f"-c {SETTING}=2"}, {"options": "-c row_security=no"}, SETTING, ("", "")),
    ],
)  # fmt: skip
def test_what_a_session_begins_with_is_seen(
    server: Server, environment: dict[str, str], parameters: dict[str, str], name: str, expected: tuple[str, str]
) -> None:
    assert settings(server, environment, **parameters)[name] == expected


def test_what_the_database_sets_is_told_from_it(server: Server) -> None:
    server.sql(f"ALTER ROLE {OWNER} SET row_security = f")
    server.sql(f"ALTER ROLE {OWNER} IN DATABASE {TEMPLATE} SET {SETTING} = '01'")
    try:
        found = settings(server, {})
        assert found["row_security"] == ("off", "the database")
        assert found[SETTING] == ("01", "the database")
        assert settings(server, {"PGOPTIONS": f"-c {SETTING}=2"})[SETTING] == ("2", "PGOPTIONS")
    finally:
        server.sql(f"ALTER ROLE {OWNER} RESET ALL")
        server.sql(f"ALTER ROLE {OWNER} IN DATABASE {TEMPLATE} RESET ALL")


def test_the_own_logins_have_the_environment_of_the_service(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("PGHOST", str(tmp_path))
    before = dict(os.environ)
    without_host = {"user": OWNER, "dbname": TEMPLATE}
    given = service_login.of_libpq(
        {"PGHOST": str(server.directory), "PGOPTIONS": f"-c {SETTING}=2", "DATABASE_URL": "x", "HOME": "/"}
    )
    assert "DATABASE_URL" not in given
    with (
        contextlib.closing(service_login.connect(without_host, "", given)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT current_setting(%s)", (SETTING,))
        assert cursor.fetchall() == [("2",)]
    assert dict(os.environ) == before
    with pytest.raises(psycopg2.OperationalError):
        service_login.connect(without_host, "", {**given, "PGHOST": str(tmp_path)})


def test_a_lock_that_reset_all_keeps_is_seen_and_released(server: Server) -> None:
    with contextlib.closing(server.connect(TEMPLATE, OWNER)) as connection:
        for key in (7, 2**40 + 3, 2**62 - 1):
            service_route._row(connection, service_route.LOCK, (key,))
            service_route._run(connection, "RESET ALL")
            assert service_route._row(connection, service_route.HOLDS, (key,)) == (1,)
            assert service_route._row(connection, service_route.HOLDS, (key - 1,)) == (0,)
            service_route._row(connection, service_route.UNLOCK, (key,))
            assert service_route._row(connection, service_route.HOLDS, (key,)) == (0,)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({}, {"DATABASE_URL": "next", "PGHOST": "next"}),
        ({"PGHOST": "own"}, {"DATABASE_URL": "next", "PGHOST": "own"}),
        ({"DATABASE_URL": "own"}, {"DATABASE_URL": "own"}),
    ],
    ids=["overwritten", "without", "as-started"],
)
def test_an_environment_that_was_overwritten_is_that_of_the_next_start(
    monkeypatch: pytest.MonkeyPatch, block: dict[str, str], expected: dict[str, str]
) -> None:
    module = SimpleNamespace(params={"process": 7, "unit": "x", "variable": "DATABASE_URL"}, run_command=None)
    monkeypatch.setattr(processes, "read", lambda pids: [{"pid": pid, "environment": block} for pid in pids])
    sources = [("/x", {"DATABASE_URL": "next"}), ("Environment=", {"PGHOST": "next", "DATABASE_URL": "older"})]
    monkeypatch.setattr(unit_environment, "next_environment", lambda run, unit: sources)
    assert service_route.environment(module) == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="the module runs as root")
def test_attempts_are_made_over_a_route_that_leads_to_the_database(server: Server) -> None:
    given = {"host": str(server.directory), "user": OWNER, "dbname": TEMPLATE}
    wanted: dict[str, Any] = {
        "process": 0, "service_user": SERVER_USER, "parameters": given, "password": "", "setting": SETTING,
        "timeout": 60,
        "attempts": [
            {"id": "role", "table": "", "sentence": "It becomes postgres", "tenant": None, "data": None,
             "visible": None, "writes": False, "sql": "SET LOCAL ROLE postgres", "expected": ["error 42501"]},
        ],
    }  # fmt: skip
    with service_login.environment_of({}):
        found = service_route.Route(given, SETTING).take()
    own = found["service"]
    made = service_route.make_attempts(wanted, found, own, {})
    assert (made["problem"], [item["ok"] for item in made["findings"]]) == ("", [True])
    # A copy of the server counts as another server, and no attempt is made there.
    made = service_route.make_attempts(wanted, found, own | {"started": "another"}, {})
    assert made == {"logged_in": False, "problem": "its route does not lead to the database", "findings": []}
    made = service_route.make_attempts(wanted, found | {"problem": "no password"}, own, {})
    assert made["findings"] == []
    made = service_route.make_attempts(wanted | {"attempts": []}, found, own, {})
    assert (made["problem"], made["findings"]) == ("", [])
    nobody = wanted | {"parameters": given | {"user": "nobody-such"}}
    made = service_route.make_attempts(nobody, found, own, {})
    assert 'role "nobody-such" does not exist' in made["problem"]
    slow = wanted | {"attempts": [wanted["attempts"][0] | {"sql": "SELECT pg_sleep(30)"}], "timeout": 1}
    made = service_route.make_attempts(slow, found, own, {})
    assert made == {"logged_in": True, "problem": "the attempts took longer than 1 s", "findings": []}


def test_a_failed_login_is_told_from_attempts_that_did_not_end(server: Server) -> None:
    def made(sql: str, user: str = OWNER, seconds: float = 60) -> dict[str, Any]:
        attempt = {
            "id": "x", "table": "", "sentence": "", "tenant": None, "data": None, "visible": None, "writes": True,
            "sql": sql, "expected": ["1 rows"],
        }  # fmt: skip
        given = {"host": str(server.directory), "user": user, "dbname": TEMPLATE}
        return attempts.log_in_and_make(given, "", {}, SETTING, [attempt], seconds)

    assert made("SELECT 1")["logged_in"]
    refused = made("SELECT 1", user="nobody-such")
    assert (refused["logged_in"], refused["findings"]) == (False, [])
    assert 'role "nobody-such" does not exist' in refused["problem"]
    late = made("SELECT pg_sleep(30)", seconds=0.5)
    assert late == {"logged_in": True, "problem": "the attempts took longer than 0.5 s", "findings": []}
    lost = made("SELECT pg_terminate_backend(pg_backend_pid())")
    assert (lost["logged_in"], lost["findings"]) == (True, [])
    assert lost["problem"].startswith("the attempts failed: ")
    locked = made("DO $$ BEGIN RAISE lock_not_available; END $$")
    assert (locked["logged_in"], locked["findings"]) == (True, [])
    assert locked["problem"].startswith("the attempts failed: ")
    assert "55P03" in locked["problem"]


def test_a_service_has_the_user_of_its_process() -> None:
    own = service_route.owner_of(os.getpid(), "no-such-user")
    assert tuple(own[:2]) == (os.geteuid(), os.getegid())
    assert service_route.owner_of(0, "0")[:2] == service_route.owner_of(0, "root")[:2]
    with pytest.raises(KeyError):
        service_route.owner_of(0, "no-such-user")
