"""The facts about a host that a run needs, derived from the result of the inspect_host module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..service import asked
from ..service import found as service_found
from . import refusals

Answer = dict[str, Any]


def of_inspection(inspected: Mapping[str, Any], wanted: Mapping[str, Any]) -> Answer:
    """Return ``{service, refusals, notes, result}`` for the result of the inspect_host module.

    ``wanted`` has the run's requirements for the host, as defined in roles/preflight/vars/main.yml. ``service`` is the
    result of ``service.found.of_witness``, with the password, or empty if the service cannot be inspected. ``refusals``
    and ``notes`` are sentences. ``result`` is the role's fact, or empty if the run is refused.
    """
    witness = inspected["service"]
    service = {} if witness["problem"] else service_found.of_witness(witness, wanted["files"], wanted)
    if service:
        service["result"]["renewal"] = inspected["renewal"]
    refused = refusals.of_host(inspected, service, wanted)
    return {
        "service": service,
        "refusals": refused,
        "notes": notes(inspected, service, wanted),
        "result": {} if refused else _result(inspected, service, wanted),
    }


def notes(inspected: Mapping[str, Any], service: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return notes about the host for the operator, each as one sentence."""
    found = list(inspected["unit"]["notes"]) if wanted["stops_service"] else []
    found += [f"{note}." for note in service["result"]["location"]["notes"]] if service else []
    if wanted["isolating"]:
        found += [
            f"{item['unit']} has a login to {wanted['database']} as {item['user']} in its environment. With row "
            f"security, this login sees only the rows that policies for {item['user']} show."
            for item in _other_logins(inspected["logins"], wanted)
        ]
    if inspected["lock_holder"]:
        found.append(f"Another run uses this database, or was lost: {inspected['lock_holder']}.")
    return found


def _other_logins(logins: Sequence[Mapping[str, str]], wanted: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the other units of the host with a login to the database, each with ``unit`` and ``user``, in order."""
    found = {
        (item["unit"], item["user"])
        for item in logins
        if item["unit"] != f"{wanted['service']}.service"
        and item["database"] == wanted["database"]
        and item["host"] in asked.LOCAL
    }
    return [{"unit": unit, "user": user} for unit, user in sorted(found)]


def _result(inspected: Mapping[str, Any], service: Mapping[str, Any], wanted: Mapping[str, Any]) -> Answer:
    server = inspected["postgresql"]["rows"]["server"][0]["server"]
    named = service["result"]["state"]["database_url"]["user"]
    replaces = wanted["provides_login"] and named != wanted["role"]
    size = server["database_size_bytes"]
    return {
        "operator": wanted["operator"],
        "application_role": wanted["role"] if replaces else named,
        # The role in DATABASE_URL, if the run replaces it with another role.
        "replaced_role": named if replaces else None,
        "app_role": server["app_role"],
        "bypassing_roles": server["bypassing_roles"],
        "other_logins": _other_logins(inspected["logins"], wanted),
        # Settings of the administrator's sessions, in addition to the fixed settings.
        "session_settings": inspected["postgresql"]["session_settings"],
        "server_version": server["version"],
        "server_version_num": server["version_num"],
        "database_size_bytes": size,
        # The symbolic link that acts as the lock: only one run at a time may change the database.
        "lock": wanted["lock"],
        "lock_holder": inspected["lock_holder"],
        # The time limit, in seconds, of jobs that dump and restore a large database. 0 if the calls wait for both.
        "job_seconds": wanted["watch_seconds"] if size >= wanted["watch_bytes"] else 0,
    }
