"""Determine which backups belong to a database, which of them to keep, and whether a backup can be restored."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any


def own(paths: Iterable[str], directory: str, database: str) -> list[str]:
    """Return the paths that belong to backups of ``database`` in ``directory``, oldest first.

    The name of a backup consists of its database's name and a UTC timestamp. Backups of a database whose name only
    begins with ``database`` are excluded.
    """
    name = re.compile(re.escape(f"{directory}/{database}") + r"-[0-9]{8}T[0-9]{6}Z(/.*)?")
    return sorted(path for path in paths if name.fullmatch(path))


def document(text: str, version: int) -> dict[str, Any]:
    """Return the JSON object in ``text``, or {} if there is none or its format is not ``version``."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("version") == version else {}


def unreadable(path: str, text: str, version: int) -> str:
    """Return a sentence that explains why ``document`` rejects ``text``, or "" if ``text`` is valid."""
    if document(text, version):
        return ""
    try:
        found = json.loads(text)
    except ValueError:
        return f"{path} is damaged: it is not JSON"
    written = found.get("version") if isinstance(found, dict) else None
    if isinstance(written, int) and written > version:
        release = f"was written by a newer release of this runbook (format {written}, not {version})"
    else:
        release = "is damaged, or was written by an older release of this runbook without this format"
    return f"{path} {release}: use that release"


def lacking(tables: Iterable[Mapping[str, Any]], schema: str, names: Iterable[str]) -> list[str]:
    """Return the names of tables in ``schema`` that are missing from a manifest's ``tables``."""
    held = {table["name"] for table in tables if table["schema"] == schema}
    return sorted(set(names) - held)


def manifest(
    dump: Mapping[str, Any], *, path: str, database: str, server_version: str, layout: str, encrypted: bool,
    proven_seconds: float | None,
) -> dict[str, Any]:  # fmt: skip
    """Return the manifest of the backup in ``path``.

    ``dump`` is the result of ``dumping.Dump.take`` and ``layout`` is the format of the dump. ``proven_seconds`` is the
    duration of the test restore, including the comparison, or None if there was no test restore.
    """
    return {
        "version": 1, "path": path, "database": database, "server_version": server_version,
        "created": dump["snapshot_at"], "snapshot_xmin": dump["snapshot_xmin"],
        "duration_seconds": dump["duration_seconds"], "format": layout, "encrypted": encrypted,
        "proven_seconds": proven_seconds, "size_bytes": dump["size_bytes"], "sha256": dump["sha256"],
        "tables": dump["tables"],
    }  # fmt: skip


def incomplete(tables: Iterable[Mapping[str, Any]], schema: str, names: Iterable[str]) -> str:
    """Return the error message for a dump that lacks the rows of a table in ``names``, or "" if it is complete."""
    missing = lacking(tables, schema, names)
    if not missing:
        return ""
    return f"The dump lacks the rows of {', '.join(missing)}: correct tenancy_tables, or database_name."


def unproven(differences: Sequence[str]) -> str:
    """Return the error message for a backup whose restored copy differs from the dump, or "" if it does not."""
    if not differences:
        return ""
    return f"The test restore failed: the restored copy differs from the dump: {'; '.join(differences)}."


def expendable(found: Sequence[Mapping[str, Any]], keep: int, needed: Collection[str]) -> list[str]:
    """Return the paths of the backups that may be removed, oldest first.

    ``found`` lists a database's backups, oldest first. Each has ``path``, ``proven`` (it passed its test restore) and
    ``snapshot`` (it contains the snapshot of a migration that can be rolled back). The newest ``keep`` backups (at
    least one), the newest tested backup, backups with a snapshot, and those in ``needed`` are kept.
    """
    proven = [backup["path"] for backup in found if backup["proven"]][-1:]
    return [
        backup["path"]
        for backup in found[: -max(keep, 1)]
        if not backup["snapshot"] and backup["path"] not in proven and backup["path"] not in needed
    ]


def unsuitable(
    source: str, manifest: Mapping[str, Any], *, asked: str, directory: str, database: str, schema: str,
    tables: Iterable[str], has_key: bool, problem: str,
) -> str:  # fmt: skip
    """Return the error message for a backup whose manifest prevents the restore, or "" if the restore is possible.

    ``source`` is the path of the manifest ("" if there is none), and ``manifest`` is the result of ``document``.
    ``asked`` is the backup that the operator specified, or "". ``has_key`` is true if a key was given. ``problem`` is
    the result of ``unreadable`` for the manifest.
    """
    if not source:
        return (
            f"No backup with a manifest was found as {asked or f'{directory}/{database}-*'}: specify a backup with -e "
            "restore_backup=/path/on/the/server, or take one with the playbook backup."
        )
    if not manifest:
        return f"{problem}, or name another backup with -e restore_backup=..."
    missing = lacking(manifest.get("tables", []), schema, tables)
    path = manifest.get("path", "?")
    if manifest.get("database") != database or f"{path}/manifest.json" != source or missing:
        without = f" (without {', '.join(missing)})" if missing else ""
        return (
            f"{source} describes database {manifest.get('database', '?')} in {path}{without}, but must describe"
            f" {database} in its own directory, with the tables in tenancy_tables: name another backup with -e"
            " restore_backup=..."
        )
    if manifest["encrypted"] and not has_key:
        return f"{path} is encrypted: give the key that it was encrypted with as backup_age_identity (from the vault)."
    return ""


def damaged(path: str, found: Sequence[str]) -> str:
    """Return the error message for a damaged backup, or "" if no damage was ``found``."""
    if not found:
        return ""
    return (
        f"{path} is damaged, incomplete or differs from its manifest (SHA-256), so it is not restored:"
        f" {'; '.join(found)}. Name another backup with -e restore_backup=..."
    )
