"""Store the last result of each host, and send a message to a webhook when the result changes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..host.settings import WEBHOOK
from . import metrics, texts, verdict, webhook

Document = Mapping[str, Any]
VERSION = 1
# The maximum number of names in a message. Further names are only counted.
MOST_NAMES = 10
FIRST = "This verification counts as the first one."


def result_of(document: Document) -> dict[str, Any]:
    """Return the part of a host's document whose change triggers a message. That part contains no values or times."""
    failed = document["failure"]
    return {
        "verdict": document["verdict"],
        # Omit the task if the connection was lost, because that task differs from run to run.
        "failed": None if failed is None else [failed["kind"], failed["task"] if failed["kind"] == "failed" else ""],
        "findings": sorted({_finding(item) for item in document["failing"]}),
        "audit": sorted({f"{item['severity']} {item['rule']}: {item['subject']}" for item in document["audit"]}),
    }


def _finding(item: Document) -> str:
    return f"{item['check']} ({item['table']})" if item.get("table") else str(item["check"])


def _read(text: str) -> dict[str, Any] | None:
    """Return the state in the text of a state file, or None if the text is invalid."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    is_state = isinstance(found, dict) and found.get("version") == VERSION and {"told", "last_success"} <= set(found)
    return found if is_state else None


class State:
    """The state of a host, which earlier verifications stored in the file at ``path``."""

    def __init__(self, path: Path) -> None:
        """Read the state file. An unreadable file counts as missing, and ``problem`` then states the reason."""
        self.path, self.problem = path, ""
        self.told: dict[str, Any] | None = None
        self.last_success: str | None = None
        try:
            text = path.read_text()
        except FileNotFoundError:
            return
        except OSError as error:
            self.problem = f"{path} cannot be read: {error.strerror}. {FIRST}"
            return
        found = _read(text)
        if found is None:
            self.problem = f"{path} cannot be read: it is not a state file of this version. {FIRST}"
        else:
            self.told, self.last_success = found["told"], found["last_success"]

    def message(self, document: Document) -> str:
        """Return the message about a host's document, or "" if nothing changed since the last message.

        A first result that holds needs no message.
        """
        now = result_of(document)
        if now == self.told or (self.told is None and now["verdict"] == verdict.HOLDS):
            return ""
        return message(document, self.told)

    def keep(self, document: Document, completed: str, *, is_told: bool) -> None:
        """Store the document of a host. Raises OSError.

        ``is_told`` is true if the operators know the result. If it is false, the next verification notifies them.
        """
        if is_told:
            self.told = result_of(document)
        if document["verdict"] == verdict.HOLDS:
            self.last_success = completed
        texts.write_json(self.path, {
            "version": VERSION, "told": self.told, "last_success": self.last_success, "completed": completed,
            "document": document,
        })  # fmt: skip


def message(document: Document, told: Mapping[str, Any] | None) -> str:
    """Return the message for the webhook. ``told`` is the result that the last message reported, or None.

    The message contains only the names of checks, rules and the model's tables. It contains no error message and no
    other name from the database, because the database's owner controls their text.
    """
    name = f"{document['host']}: verification of {document['database']}"
    if document["verdict"] == verdict.UNCHECKED:
        is_lost = (document["failure"] or {}).get("kind") == verdict.UNREACHABLE
        return f"{name} COULD NOT BE MADE: " + ("the host is unreachable." if is_lost else _failed(document))
    audit = [f"{item['severity']} {item['rule']}" for item in document["audit"]]
    if document["verdict"] == verdict.HOLDS:
        was = "" if told is None or told["verdict"] == verdict.HOLDS else " again"
        return f"{name} HOLDS{was}: all {document['findings']} findings hold.{_audited(audit)}"
    failing = list(dict.fromkeys(map(_finding, document["failing"])))
    said = f"{len(document['failing'])} of {document['findings']} findings do not hold: {_some(failing)}."
    return f"{name} FAILS: {said if failing else _failed(document)}{_audited(audit)}"


def _failed(document: Document) -> str:
    failed = document["failure"]
    return f'the task "{failed["task"]}" failed.' if failed else "nothing was verified."


def _audited(audit: list[str]) -> str:
    return f" Audit: {_some(sorted(set(audit)))}." if audit else ""


def _some(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def report(document: Document, settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Notify the webhook of each host whose result changed, and write the states of all hosts and the metrics.

    ``document`` is the document of a run. ``settings`` contains, by host, ``verify_state_directory``,
    ``verify_metrics_file``, ``report_webhook_url`` and ``report_webhook_timeout``. Returns a sentence per failure.
    """
    problems: list[str] = []
    successes: dict[str, str | None] = {}
    for host in document["hosts"]:
        name, wanted = host["host"], settings[host["host"]]
        successes[name] = document["completed"] if host["verdict"] == verdict.HOLDS else None
        if wanted["verify_state_directory"]:
            state = State(Path(wanted["verify_state_directory"]) / f"{name}.json")
            problems += _of_host(state, host, document["completed"], wanted)
            successes[name] = state.last_success
    for path in sorted({str(wanted["verify_metrics_file"]) for wanted in settings.values()} - {""}):
        hosts = [host for host in document["hosts"] if settings[host["host"]]["verify_metrics_file"] == path]
        try:
            metrics.write(Path(path), metrics.text({**document, "hosts": hosts}, successes))
        except OSError as error:
            problems.append(f"{path} cannot be written: {error.strerror}.")
    return problems


def _of_host(state: State, document: Document, completed: str, settings: Mapping[str, Any]) -> list[str]:
    problems = [state.problem] if state.problem else []
    said, url = state.message(document), settings["report_webhook_url"]
    # Without a webhook, nobody is notified. If a webhook is configured later, the next verification notifies it.
    is_told = bool(url)
    if said and url:
        # The settings may contain an invalid URL, to which no message is sent.
        is_valid = re.fullmatch(WEBHOOK, url) is not None
        timeout = float(settings["report_webhook_timeout"])
        reason = webhook.post(url, said, timeout) if is_valid else "report_webhook_url is not a valid URL of a webhook"
        if reason:
            is_told = False
            problems.append(f"The webhook was not notified: {reason}. The next verification notifies it again.")
    try:
        state.keep(document, completed, is_told=is_told)
    except OSError as error:
        problems.append(f"{state.path} cannot be written: {error.strerror}.")
    return problems
