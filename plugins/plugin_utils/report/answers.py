"""Answer the questions that stakeholders ask about a run, from its record, for the first screen of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...module_utils import logged
from .. import installed
from . import callers, clock, commands

Record = Mapping[str, Any]

# The result of a run that ended in SUCCESS, by kind.
DONE = {
    "migrate": "{database} isolates the rows of each tenant, and {service} works with it.",
    "enforce": "The bridge is off: a session of {service} that sets no tenant sees no rows. {service} works.",
    "backup": "The backup is complete.",
    "rehearse": "The change was applied, proven and rolled back in a copy. The real database did not change.",
}
ROLLED_BACK = {
    "policies": "Row security is off again. The tenant column and all rows remain, and {service} works.",
    "schema": "The original schema is restored with all rows, and {service} works with it.",
    "restore": "{database} is restored from the backup, and {service} works with it.",
}
# The result of a run that did not end in SUCCESS, by the state of the database.
FAILED = {
    "unknown": "It is not known whether the database was changed.",
    "changed": "The database was changed, but a later step failed.",
    "reverted": "The change was rolled back, because a check failed after its commit.",
    "expanded": "The new columns and indexes exist, but nothing else was changed. Callers are not affected.",
    "unchanged": "The change failed. The database is unchanged.",
}
# Kinds of runs that only read the database.
READING = ("backup", "rehearse")
UNTOUCHED = "The run ended before it changed anything."


def of(record: Record) -> list[dict[str, Any]]:
    """Return the questions with their answers. Each has question and lines (sentences), most important first."""
    cancelled = record["outcome"] == "CANCELLED"
    answered: list[tuple[str, Iterable[str]]] = [
        ("Did it work?", _worked(record)),
        ("Was anybody cut off?", [interruption(record), callers.sentence(record["callers"]), *_watched(record)]),
    ]
    if not cancelled:
        answered.append(("Is the data safe?", _safe(record)))
        answered.append(("How can it be undone, and until when?", _undone(record)))
    answered.append(("What remains to be done?", _remaining(record)))
    return [{"question": question, "lines": [text for text in lines if text]} for question, lines in answered]


def is_untouched(record: Record) -> bool:
    """Return whether the run has changed nothing and never stopped the service."""
    return bool(record["finished"] and record["database_state"] == "unchanged" and record["service_state"] == "kept")


def headline(record: Record) -> str:
    """Return a sentence that states how the run ended."""
    if not record["finished"]:
        last = record["phases"][-1]["name"] if record["phases"] else "start"
        return f"Not known: the run was interrupted, or lost its connection, in phase {last}."
    if record["outcome"] == "CANCELLED":
        return "Cancelled: the answer was not YES. Nothing was touched."
    if record["outcome"] != "SUCCESS":
        beginning = "Partly" if record["outcome"] == "PARTIAL" else "No"
        found = UNTOUCHED if is_untouched(record) else FAILED[record["database_state"]]
        if record["kind"] == "rollback" and record["database_state"] == "expanded":
            found = "Some of the original keys have been rebuilt. Nothing else changed, and callers are not affected."
        return f"{beginning}. {found}"
    return f"Yes. {_done(record)}"


def _done(record: Record) -> str:
    kind = record["kind"]
    if kind in ("migrate", "enforce", "rollback") and not record["plan"] and record["replaced_database"] is None:
        checked = " All findings hold." if record["findings"] else ""
        if record["service_state"] != "kept" or record["renewed"]:
            did = "renewed the service's sessions" if record["service_state"] == "kept" else "restarted the service"
            lost = "An earlier run made the change, but was lost before its end."
            return f"{lost} This run {did} and tested it.{checked}"
        return f"There was nothing to do: the database was already in this state.{checked}"
    text = ROLLED_BACK[record["options"]["rollback_mode"]] if kind == "rollback" else DONE[kind]
    return text.format(database=record["database"], service=record["service"])


def _worked(record: Record) -> list[str]:
    said = [headline(record)]
    if record["outcome"] == "SUCCESS":
        return [*said, *_checked(record)]
    if record["service_state"] == "stopped":
        said.append(f"The service {record['service']} DOES NOT RESPOND.")
    return said


def _checked(record: Record) -> list[str]:
    """Return a list with a sentence that explains the numbers of findings and attempts; empty without findings."""
    found = record["findings"]
    if not found:
        return []
    attempts = sum("sentence" in item for item in found)
    made = (
        f", and {attempts} attempts: statements as {record['application_role']} that try to reach another tenant's"
        " rows or, as controls, the rows of their own tenant"
    )
    held = sum(item["ok"] for item in found)
    facts = f"{len(found) - attempts} facts about the database, read again after the change"
    return [f"{held} of {len(found)} findings hold: {facts}{made if attempts else ''}."]


def interruption(record: Record) -> str:
    """Return a sentence that states how long the service was down for callers."""
    stopped, healthy = record["stopped_at"], record["healthy_at"]
    if not record["finished"] and healthy is None:
        return "Not known: the record ends before the service responded again, or before it was stopped."
    if stopped is None and record["service_state"] == "stopped":
        return "Yes. The run did not stop the service, but the service does not respond."
    if stopped is None:
        if record["service_state"] == "kept" or record["strategy"] == "live":
            return "The service was not stopped."
        return "Yes, during one restart of the service. The duration of the restart was not measured."
    if healthy is None:
        return f"Yes. The service was stopped at {clock.shown(stopped)} and has not responded since."
    return (
        f"Yes, for {clock.seconds(stopped, healthy):.1f} s: the service was stopped at {clock.shown(stopped)} and"
        f" responded again at {clock.shown(healthy)}."
    )


def _watched(record: Record) -> list[str]:
    watched = record["watched"]
    if not watched:
        return []
    failed = f"{watched['refused']} of {watched['requests']} requests failed"
    earlier = f"{watched['refused_before']} in the hour before the change"
    return [f"In the next {watched['seconds']} s, {failed} ({earlier})."]


def _safe(record: Record) -> list[str]:
    backup = record["backup"]
    said = [] if backup is None else [_proven(backup), _where(record)]
    said += _counted(record)
    if record["written"]:
        said.append("Callers wrote rows after the backup: those rows are in the database, but not in the backup.")
    if record["replaced_database"]:
        said.append(f"The replaced database is kept as {record['replaced_database']}. Rows written since the backup are"
                    " only in that database.")  # fmt: skip
    if not said and is_untouched(record):
        said.append("Yes: nothing was changed. This run took no backup.")
    is_later = record["kind"] in ("rollback", "enforce") or record["database_state"] == "changed"
    return said or [f"This run took no backup{'; the backup of the migration still exists' if is_later else ''}."]


def _proven(backup: Record) -> str:
    rows = sum(table["rows"] for table in backup["tables"])
    if backup["proven_seconds"] is None:
        return "A backup was taken, but NOT restored as a test."
    hashed = all(table["hash"] is not None or table.get("partitioned", False) for table in backup["tables"])
    how = "row counts and checksums" if hashed else "row counts and, except for the largest tables, checksums"
    return (
        f"Yes. The backup was restored as a test in {backup['proven_seconds']} s, and {how} of all"
        f" {len(backup['tables'])} tables ({rows:,} rows) are the same in the restored copy."
    )


def _where(record: Record) -> str:
    copy, size = record["copy"], megabytes(record["backup"]["size_bytes"])
    second = f"a copy is on the operator's machine: {copy['path']}" if copy else "there is NO copy on another machine"
    return f"The backup is on the server, {record['backup']['path']} ({size}); {second}."


def _counted(record: Record) -> list[str]:
    """Return a list with a sentence that compares the row counts before and after the run.

    The list is empty if the run left no change, or if no table was counted both times.
    """
    before, after = record["tables"]["before"], record["tables"]["after"]
    both = [name for name in before if (after.get(name) or {}).get("rows") is not None]
    pairs = [(name, before[name]["rows"], after[name]["rows"]) for name in both if before[name].get("rows") is not None]
    if not pairs or record["database_state"] != "changed":
        return []
    fewer = [f"{name} ({was:,}, now {now:,})" for name, was, now in pairs if now < was]
    if fewer:
        return [f"Fewer rows than before: {', '.join(fewer)}."]
    total = sum(now for _, _, now in pairs)
    return [f"No table has fewer rows than before: {total:,} rows in {len(pairs)} tables."]


def _undone(record: Record) -> list[str]:
    if not record["commands"] or record["kind"] in READING:
        return [_kept(record)]
    created = (record["backup"] or {}).get("created")
    since = f" after {clock.shown(created, day=True)}" if created else " after its backup"
    texts = {
        "policies": "rollback_mode=policies is the fastest: row security is switched off, and every row stays.",
        "schema": "rollback_mode=schema restores the original schema: every row stays, including rows written since.",
        "restore": f"rollback_mode=restore restores the backup: every row written{since} is lost.",
    }
    modes = commands.modes(record["kind"], record["options"].get("rollback_mode", ""))
    # After rollback_mode=restore, no further rollback is possible.
    if not modes:
        return [_kept(record)]
    said = [texts[mode] for mode in modes]
    if "schema" in modes:
        said.insert(0, "Without data loss, until a tenant other than the default tenant has rows. After that, only by"
                       " restoring the backup.")  # fmt: skip
    return said


def _kept(record: Record) -> str:
    if record["kind"] in READING:
        return "There is nothing to undo: the database was only read."
    if not record["finished"]:
        return f"Not known yet: {installed.playbook('verify')} shows whether the change is committed."
    if record["kind"] == "enforce" and record["outcome"] == "SUCCESS" and record["plan"]:
        return "One statement restores the bridge and affects no rows: see docs/without-the-bridge.md."
    if record["database_state"] in ("unchanged", "reverted"):
        return "There is nothing to undo."
    if record["database_state"] == "expanded" and record["kind"] != "rollback":
        back = installed.playbook("rollback")
        return f"{back} -e rollback_mode=schema removes the columns and indexes; every row stays."
    return f"{installed.playbook('migrate')} migrates again; the rows are not affected."


def _remaining(record: Record) -> list[str]:
    said = [] if record["outcome"] == "SUCCESS" else _after_failure(record)
    if record["kind"] in ("migrate", "enforce") and record["database_state"] == "changed":
        said += _later(record)
    if record["replaced_database"]:
        name = record["replaced_database"]
        said.append(f"Drop the database {name} on the server when its rows are no longer needed.")
    return said or ["Nothing."]


def _after_failure(record: Record) -> list[str]:
    if record["outcome"] == "CANCELLED":
        return ["Run the playbook again, and type YES in capitals."]
    verify = installed.playbook("verify")
    if not record["finished"]:
        return [f"Run {verify} to see the state. -e migrate_break_lock=true takes over the lost run's lock."]
    if record["service_state"] == "stopped":
        return ["Start the service on the server at once. The failure message lists the commands."]
    if record["database_state"] == "unknown":
        return [f"Run {verify} to see the state of the database."]
    if record["database_state"] == "changed":
        return [f"Run {verify}. If all findings hold, fix the reported problem. Otherwise, undo the change."]
    return ["Correct the cause, and run the playbook again."]


def _later(record: Record) -> list[str]:
    said = []
    if record["bridge"]:
        enforce = installed.playbook("enforce")
        said.append(
            f"The bridge is on: {record['service']} may still set no tenant, and then works as {record['tenant']}."
            f" Deploy the release that sets the tenant, then remove the bridge with {enforce} (--check first)."
        )
    login = record["service_login"]
    if login and login["replaced"]:
        said.append(f"The old login {login['replaced']} still exists: change its password if nothing else uses it.")
    elif any(item["rule"] == "role-owner" for item in record["audit"]):
        role = f"{record['application_role']}, which owns tables and can disable row security"
        own = f"{installed.playbook('migrate')} -e tenancy_provision_app_role=true gives the service a separate login"
        said.append(f"{record['service']} logs in as {role}: {own}.")
    return [*said, *filter(None, _warnings(record))]


def _warnings(record: Record) -> list[str]:
    api, rules = record["api"] or {}, {item["rule"] for item in record["audit"] if not item["fixed_by_plan"]}
    rules -= {"role-owner"}
    shown, unproven = api.get("shown", []), api.get("unproven", [])
    return [
        f"Correct the API: it shows or stores rows of the wrong tenant ({len(shown)} warnings)." if shown else "",
        f"Test by hand what the API test could not prove: {'; '.join(unproven)}." if unproven else "",
        f"Read the audit's warnings below: {', '.join(sorted(rules))}." if rules else "",
    ]


def megabytes(size: int) -> str:
    """Return a size in bytes as text."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size:,} bytes"


def words(value: Any) -> str:
    """Return a value of a record in words, not in Python's syntax."""
    if value is None or value in ([], {}, ""):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {words(item)}" for name, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(words, value))
    text, code = str(value), str(value).removeprefix("error ")
    # Add PostgreSQL's name for the error code.
    if text.startswith("error ") and (name := logged.condition(code)):
        return f"{text} ({name.replace('_', ' ')})"
    return "1 row" if text == "1 rows" else text
