"""From the result of the inspect_host module, derive the facts about a host that a run needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..service import asked
from ..service import found as service_found
from . import refusals

Answer = dict[str, Any]


def of_inspection(inspected: Mapping[str, Any], wanted: Mapping[str, Any]) -> Answer:
    """Return ``{service, refusals, notes, result}`` for the result of the inspect_host module.

    ``wanted`` contains the run's requirements for the host, as defined in roles/preflight/vars/main.yml. ``service`` is
    the result of ``service.found.of_witness``, including the password, or empty if the service cannot be inspected.
    ``refusals`` and ``notes`` are sentences. ``result`` is the value of ``preflight_result``, or empty if
    the run is refused.
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
    """Return ``unit`` and ``user`` of each login to the database that another unit of the host has, sorted."""
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
        # The role in DATABASE_URL if the run replaces this role, otherwise None.
        "replaced_role": named if replaces else None,
        "app_role": server["app_role"],
        "bypassing_roles": server["bypassing_roles"],
        "other_logins": _other_logins(inspected["logins"], wanted),
        # The settings that the administrator's sessions need in addition to the fixed settings.
        "session_settings": inspected["postgresql"]["session_settings"],
        "server_version": server["version"],
        "server_version_num": server["version_num"],
        "database_size_bytes": size,
        # The symbolic link that acts as the lock, so that only one run at a time changes the database.
        "lock": wanted["lock"],
        "lock_holder": inspected["lock_holder"],
        # The time limit, in seconds, for the jobs that dump and restore a large database. For a smaller database, the
        # value is 0: the modules' calls wait for the dump and the restore.
        "job_seconds": wanted["watch_seconds"] if size >= wanted["watch_bytes"] else 0,
    }
