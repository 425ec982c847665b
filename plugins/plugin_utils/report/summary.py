"""Summarize a run at its end: the box, the table of hosts, and the message for a webhook."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import aftermath, answers, callers, page, record, result
from .wrapping import column, wrapped

Facts = Mapping[str, Any]
# The width of a line in the box on an 80-column terminal.
WIDTH = 76


def lines(facts: Facts, expected: Sequence[str] = ()) -> list[str]:
    """Return the summary of a run for the terminal. ``facts`` are those for ``record.build``.

    ``expected`` contains the lines in which a dry run predicts the real run.
    """
    built = record.build(facts)
    commands = [f"{item['label']:<10} {item['command']}" for item in record.next_commands(facts)]
    return [
        *_ended(built, facts),
        *_rehearsed(built),
        *_api(built["api"]),
        *_backup(built, facts),
        *_left(built, facts),
        *_files(facts),
        *commands,
        *expected,
    ]


def _ended(built: Facts, facts: Facts) -> list[str]:
    said = []
    if facts["result"]["cancelled"]:
        said = ["Not confirmed: nothing was touched."]
    elif failure := built["failure"]:
        sentences = (f"FAILED in phase {failure['phase']}: {failure['message']}", *built["aftermath"])
        said = [part for sentence in sentences for line in sentence.splitlines() for part in wrapped(line, WIDTH)]
    said.append(f"Outcome:   {built['outcome']}{' (check mode: nothing was touched)' if facts['check_mode'] else ''}")
    downtime = page.downtime(built)
    if downtime is not None:
        said.append(f"Downtime:  {downtime:.1f} s from stop to healthy")
    felt = callers.sentence(built["callers"])
    # In the box, the texts after the labels are aligned.
    return [*said, felt.replace("Callers: ", "Callers:   ", 1)] if felt else said


def _rehearsed(built: Facts) -> list[str]:
    is_left_out = built["kind"] == "migrate" and built["options"].get("migrate_rehearse") == "none"
    return ["Rehearsal: NONE (migrate_rehearse=none)"] if is_left_out else []


def _api(tried: Facts | None) -> list[str]:
    said = []
    if tried and tried["unproven"]:
        said.append(f"API:       NOT PROVEN in full (service_smoke={tried['mode']}), see the log")
    if tried and tried["shown"]:
        said.append(f"API:       {len(tried['shown'])} WARNINGS: it shows or stores rows of the wrong tenant")
    return said


def _backup(built: Facts, facts: Facts) -> list[str]:
    backup = built["backup"]
    if backup is None:
        return []
    seconds = backup["proven_seconds"]
    proven = "NOT restored as a test" if seconds is None else f"restored and compared in {seconds} s"
    encrypted = "encrypted" if backup["encrypted"] else "not encrypted"
    copy = built["copy"]
    return [
        f"Backup:    {backup['path']}",
        f"           {answers.megabytes(backup['size_bytes'])}, {encrypted}; {proven}",
        f"SHA-256:   {backup['sha256'][:32]}",
        f"           {backup['sha256'][32:]}",
        f"Copy:      {_near(copy['path'], facts['root']) if copy else 'none on this machine'}",
    ]


def _left(built: Facts, facts: Facts) -> list[str]:
    login, said = facts["service_login"], []
    if login["put_back"] is not None:
        said.append(f"Login:     {login['put_back']} again")
    elif login["switched"]:
        said.append(f"Login:     {login['role']}; the original DATABASE_URL is kept in")
        said.append(f"           {login['kept']}")
    if built["replaced_database"] is not None:
        said.append(f"Replaced:  database {built['replaced_database']} (kept, connections disabled)")
    return said


def _files(facts: Facts) -> list[str]:
    if facts["log"] is None:
        return []
    log = Path(facts["log"])
    return [
        f"Log:       {_near(str(log), facts['root'])}",
        f"Report:    {_near(str(log.with_name('report.html')), facts['root'])}",
    ]


def _near(path: str, root: str) -> str:
    """Return ``path`` relative to ``root``, or unchanged if it is not below ``root``."""
    near = os.path.relpath(os.path.realpath(path), root)
    return path if near.startswith("..") else near


def message(facts: Facts, event: str) -> str:
    """Return the message for a webhook. ``event`` is start, success, cancelled or failure.

    The message omits the error, because PostgreSQL's errors may quote rows with callers' data.
    """
    built, ended = record.build(facts), facts["result"]
    name = f"{built['host']}: {built['kind']} of {built['database']}"
    run = f" Run {built['run']}."
    if event == "start":
        return f"{name} started.{run}"
    if event == "cancelled":
        how = ", nothing was touched"
    elif ended["failure"] is not None:
        how = f" in phase {ended['failure']['phase']}"
    else:
        how = "" if ended["confirmed"] else ", nothing to do"
    seconds = page.downtime(built)
    downtime = "" if seconds is None else f", downtime {seconds:.1f} s"
    service = f" {aftermath.service(facts)}" if event == "failure" else ""
    return f"{name} {built['outcome']}{how}{downtime}.{service}{run}"


def unsuccessful(hosts: Iterable[str], results: Mapping[str, Facts]) -> list[str]:
    """Return those ``hosts`` whose run started but did not end in SUCCESS.

    ``results`` contains the results of the runs that started, by host.
    """
    return [name for name in hosts if name in results and results[name]["outcome"] != "SUCCESS"]


def of_hosts(hosts: Iterable[str], results: Mapping[str, Facts], *, check_mode: bool) -> list[str]:
    """Return a heading, and a line with the outcome of each host. ``results`` contains ``report_result`` by host."""
    named = list(hosts)
    width = column(named, 30, len(" CANCELLED inspected, nothing touched"))
    return ["HOSTS:", *(_host(f"{name:<{width}}", results.get(name), check_mode) for name in named)]


def _host(name: str, ended: Facts | None, check_mode: bool) -> str:
    if ended is None:
        outcome, how = "-", "not started"
    elif ended["outcome"] is None:
        outcome, how = "LOST", f"contact lost in phase {result.last_phase(ended)}"
    else:
        outcome, how = ended["outcome"], _how(ended, check_mode)
    return f"{name} {outcome:<9} {how}"


def _how(ended: Facts, check_mode: bool) -> str:
    if ended["outcome"] == "CANCELLED":
        return "nothing touched"
    if ended["failure"] is not None:
        return f"failed in phase {ended['failure']['phase']}"
    if ended["downtime"] is not None:
        return f"downtime {ended['downtime']:.1f} s"
    return "inspected, nothing touched" if check_mode else "nothing to do"
