"""Predict the real run after a dry run: its duration, its effect on callers, and its command."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ...module_utils import rehearsal
from .. import installed
from . import clock, commands, page

Facts = Mapping[str, Any]
Record = Mapping[str, Any]

# An estimate of the seconds that a run takes, apart from work that depends on the size of the database.
FIXED_SECONDS = 30
# An estimate of the bytes of table data that the transaction indexes per second.
BUILD_RATE = 20_000_000
# The part of the downtime that no rehearsal measures.
SWITCH = "the time of its stop and start"
# In this phase, a run waits for the operator's confirmation.
CONFIRM = "confirm"


def earlier(directory: Path, facts: Facts) -> dict[str, Record | None]:
    """Return the newest records of two kinds for the host and database in ``facts``. Each may be None.

    ``run`` is the record of a successful run that did the same work, and ``rehearsal`` that of a run with a rehearsal.
    ``directory`` contains the directories of runs, whose names begin with their times. Unreadable records are skipped.
    """
    found: dict[str, Record | None] = {"run": None, "rehearsal": None}
    for record in _records(directory, facts):
        if None not in found.values():
            break
        if found["run"] is None and _is_same(record, facts):
            found["run"] = record
        if found["rehearsal"] is None and record.get("rehearsal"):
            found["rehearsal"] = record
    return found


def _records(directory: Path, facts: Facts) -> Iterator[Record]:
    """Yield the readable records of a host and database, newest first. A run's name ends with its host."""
    for path in sorted(directory.glob(f"*-{glob.escape(facts['host'])}/run.json"), reverse=True):
        found = _read(path)
        if found.get("version", 1) == 1 and all(found.get(name) == facts[name] for name in ("host", "database")):
            yield found


def _read(path: Path) -> Record:
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _is_same(record: Record, facts: Facts) -> bool:
    """Return whether a record describes a successful run that did the same work as the run in ``facts``."""
    options = ("rollback_mode", "migrate_rehearse", "tenancy_strategy")
    return (
        record.get("kind") == facts["kind"]
        and record.get("outcome") == "SUCCESS"
        and record.get("strategy") == facts["strategy"]
        and _has_worked(record)
        and all(record["options"].get(name, "") == str(facts["asked"][name]) for name in options)
    )


def _has_worked(record: Record) -> bool:
    """Return whether the recorded run found something to do."""
    return bool(record.get("plan") or record.get("replaced_database"))


def durations(directory: Path, facts: Facts) -> dict[str, float]:
    """Return the seconds of each phase, by name, in the newest successful run of the same kind; empty without one.

    The confirmation is omitted.

    ``facts`` contains kind, host and database. Dry runs, and runs that found nothing to do, do not count.
    """
    for record in _records(directory, facts):
        if record.get("outcome") == "SUCCESS" and record.get("kind") == facts["kind"] and _has_worked(record):
            return {phase["name"]: phase["seconds"] for phase in page.timeline(record) if phase["name"] != CONFIRM}
    return {}


def lines(facts: Facts, found: Mapping[str, Record | None], given: Iterable[str] = ()) -> list[str]:
    """Return the prediction for a dry run that found work to do.

    ``found`` is the result of ``earlier``. ``given`` contains the operator's options (name=value).
    """
    run, rehearsed = found["run"], found["rehearsal"]
    if run is not None:
        said = _as_before(run)
    elif rehearsed is not None and facts["kind"] == "migrate":
        said = _as_rehearsed(rehearsed)
    else:
        said = _estimated(facts)
    if facts["strategy"] == "live":
        # The operator's value may be a string, such as "false" from the command line.
        may_stop = boolean(facts["asked"]["tenancy_live_otherwise_stop"], strict=False)
        unless = ", unless the renewal of its sessions fails" if may_stop else ""
        said[1] = f"Callers:   The service is not stopped{unless}."
    return [*said, f"Next:      {command(facts, given)}"]


def _as_before(run: Record) -> list[str]:
    whole = sum(phase["seconds"] for phase in page.timeline(run) if phase["name"] != CONFIRM)
    source = f"as in the run of {clock.shown(run['phases'][0]['started'], day=True)}"
    down = page.downtime(run)
    waited = "The service is not stopped" if down is None else f"The service is stopped for about {down:.1f} s"
    return [f"Duration:  about {duration(whole)}, {source}", f"Callers:   {waited}, as in that run."]


def _as_rehearsed(record: Record) -> list[str]:
    measured = record["rehearsal"]
    work = measured["apply_seconds"] + measured["verify_seconds"]
    # The estimate allows for two restores. The run makes the change twice, first in the copy and then in the real
    # database, and rolls it back in the copy.
    whole = FIXED_SECONDS + 2 * measured.get("restore_seconds", 0) + 2 * work + measured["revert_seconds"]
    source = f"according to the rehearsal of {clock.shown(record['phases'][0]['started'], day=True)}"
    return [
        f"Duration:  about {duration(whole)}, {source}",
        f"Callers:   The service is stopped for about {measured['apply_seconds']:.1f} s, plus {SWITCH}.",
    ]


def _estimated(facts: Facts) -> list[str]:
    tables = facts["tables"]["before"].values()
    size = facts["preflight"].get("database_size_bytes") or sum(table.get("bytes") or 0 for table in tables)
    mode, kind = facts["asked"]["migrate_rehearse"] or "full", facts["kind"]
    copied = {"migrate": mode, "rollback": "full" if facts["asked"]["rollback_mode"] == "restore" else "none"}
    whole = FIXED_SECONDS + 2 * rehearsal.seconds(size, None, copied.get(kind, "none"))
    builds = facts["strategy"] != "online" and (kind == "migrate" or facts["asked"]["rollback_mode"] == "schema")
    measured = ": a rehearsal measures it" if kind == "migrate" else ""
    stopped = (sum(table.get("bytes") or 0 for table in tables) / BUILD_RATE) if builds else 0
    return [
        f"Duration:  about {duration(whole)}, estimated from {size / 1e6:,.0f} MB: no run has been measured",
        f"Callers:   The service is stopped for about {stopped:.0f} s, plus {SWITCH}{measured}.",
    ]


def duration(seconds: float) -> str:
    """Return a duration as text, in seconds or minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def command(facts: Facts, given: Iterable[str]) -> str:
    """Return the command for the real run. ``given`` contains those options of the dry run that are not secret."""
    named, mode = list(given), facts["asked"]["rollback_mode"]
    if facts["kind"] == "rollback" and f"rollback_mode={mode}" not in named:
        named.insert(0, f"rollback_mode={mode}")
    return " ".join([commands.playbook(facts), installed.playbook(facts["kind"]), *(f"-e {text}" for text in named)])


def given_options(arguments: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the extra variables in ``arguments`` that have the form name=value and a name in ``names``."""
    known = set(names)
    found = (re.fullmatch(r"([a-z_]+)=([\w./%-]+)", str(text).strip()) for text in arguments)
    return [match[0] for match in found if match and match[1] in known]
