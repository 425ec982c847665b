"""The verdict on the route over which a service connects to PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import route

WANTED = {"user": "alice", "host": "localhost", "port": 6432, "database": "ai_memory", "setting": "app.current_tenant"}
OWN = {
    "system_identifier": "1", "started": "then", "database": "ai_memory", "database_oid": 5, "session_user": "alice",
    "current_user": "alice",
}  # fmt: skip
DIRECT: dict[str, Any] = {
    "problem": "", "service": OWN, "administrator": {**OWN, "session_user": "postgres", "current_user": "postgres"},
    "address": "127.0.0.1", "direct": True, "moved": False, "statement_mode": False, "outlived": False,
    "setting_seen": False, "lock_seen": False, "untried": "", "programs": ["postgres"], "settings": [],
}  # fmt: skip
POOLED = {**DIRECT, "direct": False, "outlived": True, "programs": ["pgbouncer"], "address": ""}


def changed(**own: Any) -> dict[str, Any]:
    return {**DIRECT, "service": {**OWN, **own}}


@pytest.mark.parametrize(
    ("found", "sentence", "address"),
    [
        (DIRECT, "", None),
        # A second session could not be opened, but the first one is connected directly to PostgreSQL.
        ({**DIRECT, "untried": "too many connections for role"}, "", None),
        (POOLED, "pgbouncer at localhost, port 6432 is on this route, and gives each client a reset session", ""),
        ({**POOLED, "outlived": False, "programs": ["haproxy"], "address": "::1"},
         "haproxy at localhost, port 6432 is on this route, and gives each client its own session", "::1"),
    ],
)  # fmt: skip
def test_sessions_of_its_own_are_right(found: dict[str, Any], sentence: str, address: str | None) -> None:
    answer = route.judge(found, WANTED)
    assert (answer["verdict"], answer["address"]) == ("ok", address)
    assert answer["sentence"].startswith(sentence)
    assert bool(answer["sentence"]) == bool(sentence)


@pytest.mark.parametrize(
    ("found", "verdict", "sentence"),
    [
        ({"msg": "No such user."}, "unreachable", "No such user."),
        ({}, "unreachable", "The service's route was not tested."),
        ({"problem": "no route"}, "unreachable", "alice cannot log in over the service's own route (localhost,"),
        (changed(system_identifier="2"), "elsewhere", "a different server than this run (system identifier 2, not 1)"),
        (changed(started="now"), "elsewhere", "a copy or a standby of it (started now, not then)"),
        (changed(database_oid=6, database="two"), "elsewhere", "leads to two, not to ai_memory on this server"),
        (changed(session_user="pool"), "unfit", "DATABASE_URL names alice, but over the service's own route"),
        (
            changed(current_user="app_rw"),
            "unfit",
            "the service works as app_rw: remove the setting that changes the role",
        ),
        ({**POOLED, "moved": True}, "unfit", "pgbouncer at localhost, port 6432 shares sessions between clients: t"),
        ({**POOLED, "statement_mode": True}, "unfit", "pool_mode = statement"),
        ({**POOLED, "setting_seen": True}, "unfit", "no server_reset_query"),
        ({**POOLED, "lock_seen": True}, "unfit", "server_reset_query is not DISCARD ALL"),
        ({**POOLED, "untried": "no response within 15 s"}, "unfit", "a test of them failed (no response within 15 s)"),
        ({**POOLED, "programs": [], "moved": True}, "unfit", "A pooler or proxy at localhost, port 6432 shares"),
        # The route looks like a direct connection, but the sessions continue after their clients have disconnected.
        ({**POOLED, "direct": True, "setting_seen": True}, "unfit", "no server_reset_query"),
    ],
)  # fmt: skip
def test_a_route_to_another_server_or_a_shared_session_is_refused(
    found: dict[str, Any], verdict: str, sentence: str
) -> None:
    answer = route.judge(found, WANTED)
    assert (answer["verdict"], answer["address"]) == (verdict, None)
    assert sentence in answer["sentence"]


def preset(name: str, value: str, by: str) -> dict[str, Any]:
    return {**DIRECT, "settings": [{"name": name, "value": value, "by": by}]}


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (preset("app.current_tenant", "2", "PGOPTIONS"), "did not set: remove it from PGOPTIONS in the service's env"),
        (preset("app.current_tenant", "1", "PGOPTIONS"), "a session starts with app.current_tenant = 1, so every"),
        (preset("app.current_tenant", "2", ""), "(the connect_query of a pooler at localhost, port 6432)."),
        (preset("row_security", "off", "options= of DATABASE_URL"), "remove it from options= of DATABASE_URL."),
        (preset("default_transaction_read_only", "on", "PGOPTIONS"), "so it cannot store anything: remove it fr"),
    ],
)
def test_a_session_that_begins_with_a_setting_is_refused(found: dict[str, Any], sentence: str) -> None:
    answer = route.judge(found, WANTED)
    assert answer["verdict"] == "unfit"
    assert sentence in answer["sentence"]


@pytest.mark.parametrize(
    "found",
    [
        preset("app.current_tenant", "", ""),
        # The bridge may set a tenant. The audit, not this check, finds other settings in the catalogs.
        preset("app.current_tenant", "01", "the database"),
        preset("row_security", "on", "PGOPTIONS"),
        preset("default_transaction_read_only", "off", ""),
        preset("default_transaction_read_only", "on", "the database"),
        preset("row_security", "off", "the database"),
    ],
)
def test_other_settings_of_a_session_are_right(found: dict[str, Any]) -> None:
    assert route.judge(found, WANTED)["verdict"] == "ok"
