"""The input of an archive for support: the results of all modules in one format, with a reason for each missing result.

The reasons are this runbook's own sentences, because a program's own message may quote arbitrary text.
"""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...module_utils.errors import TenancyError
from ..service import database_url
from ..whole import whole

Taken = dict[str, Any]

_NAME = re.compile(r"[A-Za-z_][\w.$-]{0,62}")


def text(item: Mapping[str, Any], content: str, reason: str) -> Taken:
    """Return ``item`` (name, kind, what) with ``text`` or, if the content is blank, with the reason as ``why``."""
    return {**item, "text": content} if content.strip() else {**item, "why": reason}


def outputs(results: Iterable[Mapping[str, Any]], raw: bool) -> list[Taken]:
    """Return the output of programs, from the results of the command module in a loop over items (with argv).

    With ``raw``, an item that has a ``raw`` kind is returned a second time with that kind and unchanged text.
    """
    found = []
    for result in results:
        item, code = result["item"], result.get("rc")
        problem = "could not be run" if code is None else f"exited with status {code}" if code else "printed nothing"
        taken = text(item, "" if code else result.get("stdout", ""), f"{item['argv'][0]} {problem}")
        found.append(taken)
        if raw and "raw" in item and "text" in taken:
            found.append(_raw(item["name"], item["raw"], item["what"], taken["text"]))
    return found


def runs(directory_of_runs: str, host: str, count: int | str, raw: bool) -> list[Taken]:
    """Return the records of the newest runs of a host and, with ``raw``, their unchanged execution logs.

    Each run has a directory on this machine, whose name starts with the time of the run.
    """
    found = []
    directories = (
        path for path in Path(directory_of_runs).glob(f"[0-9]*T[0-9]*Z-{glob.escape(host)}") if path.is_dir()
    )
    for directory in sorted(directories, reverse=True)[: whole(count)]:
        item = {"name": f"runs/{directory.name}/run.json", "kind": "run", "what": "record of a run"}
        found.append(text(item, _read(directory / "run.json"), "the run did not write it"))
        log = _read(directory / "execution-log.md")
        if raw and log:
            found.append(_raw(f"runs/{directory.name}/execution-log.md", "raw", "log of a run", log))
    return found or [{"name": "runs", "what": "records of runs", "why": "report_directory has no run of this host"}]


def newest_log(files: Iterable[Mapping[str, Any]], directory: str) -> str:
    """Return the path of the newest log in ``files`` (from the find module).

    If ``files`` is empty, return a pattern that matches the logs in ``directory``.
    """
    newest = max(files, key=lambda file: file["mtime"], default={"path": f"{directory}/*.log"})
    return str(newest["path"])


def _raw(name: str, kind: str, what: str, content: str) -> Taken:
    return {"name": f"raw-logs/{name}", "kind": kind, "what": f"RAW: {what}", "text": content}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def names(inventory: Any) -> list[str]:
    """Return the keys and values of the inventory's variables that can be names."""
    if isinstance(inventory, Mapping):
        return [found for pair in inventory.items() for part in pair for found in names(part)]
    if isinstance(inventory, list | tuple):
        return [found for item in inventory for found in names(item)]
    return [inventory] if isinstance(inventory, str) and _NAME.fullmatch(inventory) else []


def answers(items: Iterable[Mapping[str, Any]], result: Mapping[str, Any]) -> list[Taken]:
    """Return PostgreSQL's results: for each query, the column ``item['column']`` of its first row."""
    rows = result.get("query_all_results")
    if rows is None:
        return [text(item, "", "PostgreSQL did not execute the query") for item in items]
    return [text(item, json.dumps(row[0][item["column"]]), "") for item, row in zip(items, rows, strict=True)]


def login(environment: str, otherwise: str) -> str:
    """Return the role in an environment file's DATABASE_URL, or ``otherwise`` if the file has no valid URL."""
    try:
        return str(database_url.parse(database_url.from_environment_file(environment))["user"])
    except TenancyError:
        return otherwise
