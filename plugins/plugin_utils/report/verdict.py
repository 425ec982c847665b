"""The document of verify.yml for monitoring, as docs/verify.schema.json describes it."""

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
# The paths of the fields that differ between two verifications of an unchanged database.
CHANGING = (("started",), ("completed",), ("hosts", "bridge", "last_used"))
# The kinds of failures: a task failed, or the connection to the host failed or was lost.
FAILED, UNREACHABLE = "failed", "unreachable"


def failure(kind: str, task: str, failed: Mapping[str, Any]) -> dict[str, str]:
    """Return the failure of a task, from Ansible's result of the task."""
    found: dict[str, str] = result.fail(result.new("", None), task, failed)["failure"]
    return {"kind": kind, "task": task, "message": found["message"]}


def of_host(host: str, facts: Facts) -> Document:
    """Return the part of the document about one host.

    ``facts`` has ``database``, ``versions`` (versions.of) and ``failure`` (or None). It also has the results of roles:
    ``preflight``, ``verified`` and ``api``. Each is empty or None if the verification did not get that far.
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
    """Return the verdict: a verification holds only if all its findings hold and nothing failed."""
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
    """Return the document of a run; ``started`` and ``completed`` are seconds since 1970."""
    parts = sorted(hosts, key=lambda part: part["host"])
    found = {part["verdict"] for part in parts}
    worst = FAILS if FAILS in found else HOLDS if found == {HOLDS} else UNCHECKED
    return {
        "version": VERSION, "verdict": worst, "started": _time(started), "completed": _time(completed), "hosts": parts,
    }  # fmt: skip


def _time(seconds: float) -> str:
    return f"{datetime.datetime.fromtimestamp(int(seconds), datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def text(document: Document) -> str:
    """Return the document as JSON in ASCII, which every terminal and log can show."""
    return json.dumps(document, indent=1, sort_keys=True)
