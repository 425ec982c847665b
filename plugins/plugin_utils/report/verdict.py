"""Build the document in which verify.yml reports to monitoring; docs/verify.schema.json describes its format."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils import messages
from ..changes import bridge
from ..model import model
from . import result

Document = dict[str, Any]
Facts = Mapping[str, Any]

VERSION = 1
HOLDS, FAILS, UNCHECKED = "holds", "fails", "unchecked"
VERDICTS = (HOLDS, FAILS, UNCHECKED)
# The paths of the fields that change between verifications even if the database does not change.
CHANGING = (("started",), ("completed",), ("hosts", "bridge", "last_used"))
# The kinds of failures: a task failed, or the host was unreachable.
FAILED, UNREACHABLE = "failed", "unreachable"


def failure(kind: str, task: str, failed: Mapping[str, Any]) -> dict[str, str]:
    """Return the failure of ``task``: kind, task and message. ``failed`` is Ansible's result of the task."""
    found: dict[str, str] = result.fail(result.new("", None), task, failed)["failure"]
    return {"kind": kind, "task": task, "message": found["message"]}


def of_host(host: str, facts: Facts) -> Document:
    """Return the part of the document that describes one host.

    ``facts`` contains ``database``, ``versions`` (versions.of), ``failure`` (or None), and the results of roles:
    ``preflight``, ``verified`` and ``api``. A result is empty or None if the verification did not get that far.
    """
    verified, preflight, versions = facts["verified"], facts["preflight"], facts["versions"]
    document = {
        "host": host,
        "database": facts["database"],
        "verdict": _verdict(verified, facts["failure"]),
        "failure": facts["failure"],
        "findings": len(verified.get("findings", ())),
        "failing": [item for item in verified.get("findings", ()) if not item["ok"]],
        "audit": verified.get("audit", []),
        "bridge": _bridge(verified, preflight),
        "api": facts["api"],
        "application_role": preflight.get("application_role"),
        "versions": {
            "PostgreSQL": preflight.get("server_version"),
            "ansible-core": versions["ansible-core"],
            "Python": versions["python"],
            "aimemory.tenancy": versions["aimemory.tenancy"],
        },
    }
    shown: Document = messages.visible_document(document)
    return shown


def _verdict(verified: Facts, failed: Mapping[str, str] | None) -> str:
    """Return the verdict. It is HOLDS only if there are findings, all of them hold, and nothing failed."""
    findings = verified.get("findings", ())
    if not findings or (failed and failed["kind"] == UNREACHABLE):
        return UNCHECKED
    return FAILS if failed or any(not item["ok"] for item in findings) else HOLDS


def _bridge(verified: Facts, preflight: Facts) -> dict[str, Any] | None:
    if "state" not in verified:
        return None
    tenant = bridge.named(verified["state"], model.parse(preflight["model"]))
    if tenant is None:
        return None
    used_at = verified["state"]["bridge_watch"]["used_at"]
    return {"tenant": str(tenant), "last_used": None if used_at is None else _time(used_at)}


def of_run(hosts: Iterable[Document], started: float, completed: float) -> Document:
    """Return the document of a run. ``started`` and ``completed`` are in seconds since 1970."""
    parts = sorted(hosts, key=lambda part: part["host"])
    found = {part["verdict"] for part in parts}
    worst = FAILS if FAILS in found else HOLDS if found == {HOLDS} else UNCHECKED
    return {
        "version": VERSION, "verdict": worst, "started": _time(started), "completed": _time(completed), "hosts": parts,
    }  # fmt: skip


def _time(seconds: float) -> str:
    return f"{datetime.datetime.fromtimestamp(int(seconds), datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def text(document: Document) -> str:
    """Return the document as JSON in ASCII, so that every terminal and log can show it."""
    return json.dumps(document, indent=1, sort_keys=True)
