"""Judge the service's own route: the server to which it leads, and the isolation of sessions over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Answer = dict[str, Any]


def judge(route: Mapping[str, Any], wanted: Mapping[str, Any]) -> Answer:
    """Return the verdict on the route: ``{verdict, sentence, address}``.

    ``route`` is the result of the service_route module, which may have failed (``msg``). ``wanted`` has user, host
    and port (of the URL), database, and setting (the tenant setting).

    The verdict is one of these:

    * ``ok``;
    * ``unreachable``: a login is not possible;
    * ``elsewhere``: the route leads to another server or database;
    * ``unfit``: the sessions belong to another role, are shared with other clients, or start with a
      harmful setting, such as a preset tenant.

    ``sentence`` describes the problem and the remedy, or an accepted pooler or proxy. It is empty for a direct
    connection. ``address`` is the client address of an accepted pooler ("" for a Unix socket), or None if there is no
    pooler.
    """
    where = f"{wanted['host'] or 'the Unix socket'}, port {wanted['port']}"
    if "problem" not in route:
        return _refused(str(route.get("msg", "The service's route was not tested.")), "unreachable")
    if route["problem"]:
        return _refused(
            f"{wanted['user']} cannot log in over the service's own route ({where}): {route['problem']}. Check its"
            " password in DATABASE_URL, and pg_hba.conf.", "unreachable",
        )  # fmt: skip
    elsewhere = _elsewhere(route["service"], route["administrator"], wanted, where)
    if elsewhere:
        return _refused(elsewhere, "elsewhere")
    other_role = _other_role(route["service"], wanted, where)
    if other_role:
        return _refused(other_role, "unfit")
    preset = _preset(route, wanted, where)
    if preset:
        return _refused(preset, "unfit")
    between = _between(route, where)
    shared = _shared(route)
    if shared:
        return _refused(
            f"{between or f'The program at {where}'} shares sessions between clients: {shared}. A tenant that one"
            " client sets would apply to another. Let the service connect directly to PostgreSQL, or set pool_mode ="
            " session with server_reset_query = DISCARD ALL.", "unfit",
        )  # fmt: skip
    if not between:
        return {"verdict": "ok", "sentence": "", "address": None}
    return {"verdict": "ok", "sentence": f"{between} is on this route, and {_kept(route)}", "address": route["address"]}


def reached(route: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return ``{result, credentials}`` for the service role, after the test of the route and the attempts over it.

    ``route`` and ``wanted`` are as in ``judge``, whose result becomes ``result.route``. ``result.pooler`` has the role
    and the address of the sessions of a pooler on the route, and is {} without a pooler. ``result.attempts`` is
    {logged_in, problem, findings}. ``credentials.libpq`` contains the other variables in the service's environment that
    libpq reads.
    """
    verdict = judge(route, wanted)
    unmade = {"logged_in": False, "problem": "no attempt was made", "findings": []}
    address = verdict["address"]
    return {
        "result": {
            "route": verdict,
            "pooler": {} if address is None else {"role": wanted["user"], "address": address},
            "attempts": route.get("attempts", unmade),
        },
        "credentials": {"libpq": route.get("environment", {})},
    }


def _refused(sentence: str, verdict: str) -> Answer:
    return {"verdict": verdict, "sentence": sentence, "address": None}


def _elsewhere(own: Mapping[str, Any], administrator: Mapping[str, Any], wanted: Mapping[str, Any], where: str) -> str:
    """Return a sentence if the service's session is not in the administrator's server and database, else ""."""
    if own["system_identifier"] != administrator["system_identifier"]:
        return (
            f"The service's own route ({where}) leads to a different server than this run (system identifier"
            f" {own['system_identifier']}, not {administrator['system_identifier']}): correct database_port, or run"
            " against the correct host."
        )
    if own["started"] != administrator["started"]:
        return (
            f"The service's own route ({where}) leads to a different server than this run, a copy or a standby of it"
            f" (started {own['started']}, not {administrator['started']}): correct database_port, or run against"
            " the correct host."
        )
    if own["database_oid"] != administrator["database_oid"]:
        return (
            f"The service's own route ({where}) leads to {own['database']}, not to {wanted['database']} on this server:"
            " correct database_name, or DATABASE_URL."
        )
    return ""


def _other_role(own: Mapping[str, Any], wanted: Mapping[str, Any], where: str) -> str:
    """Return a sentence if the role of the service's session differs from the role in its URL, else ""."""
    for name, how in (("session_user", "logs in"), ("current_user", "works")):
        if own[name] != wanted["user"]:
            return (
                f"DATABASE_URL names {wanted['user']}, but over the service's own route ({where}), the service {how} as"
                f" {own[name]}: remove the setting that changes the role (ALTER ROLE ... SET role, options in the"
                " URL, or the user of a pooler)."
            )
    return ""


def _preset(route: Mapping[str, Any], wanted: Mapping[str, Any], where: str) -> str:
    """Return a sentence if the service's session starts with a setting that breaks isolation or the service, else "".

    Settings in the database are ignored, because the audit and the plan report them with their origin.
    """
    why = {
        wanted["setting"]: "every session has a tenant that it did not set",
        "row_security": "queries fail if policies filter their rows",
        "default_transaction_read_only": "it cannot store anything",
    }
    for item in route["settings"]:
        name, value, by = item["name"], item["value"], item["by"]
        harmless = {"row_security": "on", "default_transaction_read_only": "off"}.get(name, "")
        if value in ("", harmless) or by == "the database":
            continue
        place = {
            "PGOPTIONS": "PGOPTIONS in the service's environment",
            "": f"the program on this route (the connect_query of a pooler at {where})",
        }.get(by, by)
        return (
            f"Over the service's own route, a session starts with {name} = {value}, so {why[name]}: remove it from"
            f" {place}."
        )
    return ""


def _between(route: Mapping[str, Any], where: str) -> str:
    """Return the program between the service and PostgreSQL, with its address; "" for a direct connection."""
    if route["direct"] and not route["outlived"]:
        return ""
    programs = [name for name in route["programs"] if name not in ("postgres", "postmaster")]
    return f"{' and '.join(programs) or 'A pooler or proxy'} at {where}"


def _shared(route: Mapping[str, Any]) -> str:
    """Return evidence that sessions are shared between clients, or "". A test that could not run counts as evidence."""
    if route["direct"] and not route["outlived"]:
        return ""
    if route["statement_mode"]:
        return "it refuses transactions (pool_mode = statement)"
    if route["untried"]:
        return f"a test of them failed ({route['untried']})"
    if route["moved"]:
        return "the backend of a session changed while another was in a transaction (pool_mode = transaction)"
    if route["setting_seen"]:
        return "a setting of one client is still set for the next one (no server_reset_query)"
    if route["lock_seen"]:
        return "a lock of one client is still held for the next one (server_reset_query is not DISCARD ALL)"
    return ""


def _kept(route: Mapping[str, Any]) -> str:
    if route["outlived"]:
        return "gives each client a reset session (pool_mode = session)"
    return "gives each client its own session"
