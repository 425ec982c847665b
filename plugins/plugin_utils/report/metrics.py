"""Write the result of a verification as a file for node_exporter's textfile collector.

The file is valid in Prometheus' text format and in OpenMetrics. It contains only numbers, and the names of the host and
the database.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import files, verdict

Document = Mapping[str, Any]
# The values of a metric for one host, each with its labels.
Values = Sequence[tuple[Mapping[str, str], int]]
# Every user can read the file, because node_exporter runs as another user. The file contains no secrets.
MODE = 0o644
PREFIX = "tenancy_verify_"


def text(document: Document, successes: Mapping[str, str | None]) -> str:
    """Return the metrics of a run's document. ``successes`` has the time of each host's last success, or None.

    The time of a host without a success is 0, so that an alert on the age of the last success also reports this host.
    """
    lines: list[str] = []
    for name, meaning, values in _metrics(document, successes):
        lines += [f"# HELP {PREFIX}{name} {meaning}", f"# TYPE {PREFIX}{name} gauge"]
        for host in document["hosts"]:
            common = {"host": host["host"], "database": host["database"]}
            lines += [f"{PREFIX}{name}{_labels({**common, **labels})} {int(value)}" for labels, value in values(host)]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _metrics(
    document: Document, successes: Mapping[str, str | None]
) -> Iterable[tuple[str, str, Callable[[Document], Values]]]:
    completed = _seconds(document["completed"])
    return (
        ("verdict", "Whether the last verification had this verdict.", lambda host: [
            ({"verdict": name}, name == host["verdict"]) for name in verdict.VERDICTS
        ]),
        ("failing_findings", "Findings that do not hold.", lambda host: [({}, len(host["failing"]))]),
        ("audit_entries", "Entries of the audit.", lambda host: [
            ({"severity": name}, sum(item["severity"] == name for item in host["audit"]))
            for name in ("error", "warning")
        ]),
        ("last_run_timestamp_seconds", "When the last verification ended.", lambda host: [({}, completed)]),
        ("last_success_timestamp_seconds", "When the last verification that holds ended; 0 if none did.", lambda host: [
            ({}, _seconds(successes[host["host"]]))
        ]),
    )  # fmt: skip


def _seconds(time: str | None) -> int:
    return 0 if time is None else int(datetime.datetime.fromisoformat(time).timestamp())


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items())) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def write(path: Path, content: str) -> None:
    """Replace the file at ``path`` atomically. Raises OSError."""
    files.put(path, content.encode(), mode=MODE)
