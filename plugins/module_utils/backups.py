"""Which backups are this database's, what their manifests say, which are kept, and whether they hold its tables."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any


def own(paths: Iterable[str], directory: str, database: str) -> list[str]:
    """Return the paths in backups of ``database`` below ``directory``, the oldest first.

    A backup is named after its database and the time; those of one whose name begins alike are left out.
    """
    name = re.compile(re.escape(f"{directory}/{database}") + r"-[0-9]{8}T[0-9]{6}Z(/.*)?")
    return sorted(path for path in paths if name.fullmatch(path))


def document(text: str, version: int) -> dict[str, Any]:
    """Return the JSON object in ``text``, or nothing when it is none, or of another version."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("version") == version else {}


def lacking(tables: Iterable[Mapping[str, Any]], schema: str, names: Iterable[str]) -> list[str]:
    """Return which of the tables ``names`` of ``schema`` a manifest's ``tables`` do not hold."""
    held = {table["name"] for table in tables if table["schema"] == schema}
    return sorted(set(names) - held)


def manifest(
    dump: Mapping[str, Any], *, path: str, database: str, server_version: str, layout: str, encrypted: bool,
    proven_seconds: float | None,
) -> dict[str, Any]:  # fmt: skip
    """Return the manifest of the backup in ``path``.

    ``dump`` is what ``dumping.Dump.take`` returns, ``layout`` the format of the dump, ``proven_seconds`` how long the
    restore into a throwaway server and the comparison took (None: there was none).
    """
    return {
        "version": 1, "path": path, "database": database, "server_version": server_version,
        "created": dump["snapshot_at"], "snapshot_xmin": dump["snapshot_xmin"],
        "duration_seconds": dump["duration_seconds"], "format": layout, "encrypted": encrypted,
        "proven_seconds": proven_seconds, "size_bytes": dump["size_bytes"], "sha256": dump["sha256"],
        "tables": dump["tables"],
    }  # fmt: skip


def incomplete(tables: Iterable[Mapping[str, Any]], schema: str, names: Iterable[str]) -> str:
    """Return the sentence that refuses a dump without the rows of a table in ``names``; empty if it has them all."""
    missing = lacking(tables, schema, names)
    if not missing:
        return ""
    return f"The dump lacks the rows of {', '.join(missing)}: correct tenancy_tables, or database_name."


def unproven(differences: Sequence[str]) -> str:
    """Return the sentence that refuses a backup whose restored copy differs from the dump; empty if it does not."""
    if not differences:
        return ""
    return f"The test restore failed: What was restored is not what was dumped: {'; '.join(differences)}."


def expendable(found: Sequence[Mapping[str, Any]], keep: int, needed: Collection[str]) -> list[str]:
    """Return the paths of the backups that may go, the oldest first.

    ``found`` are a database's backups, the oldest first: ``path``, ``proven`` (it passed its test restore) and
    ``snapshot`` (a migration that can be rolled back left its snapshot there). The newest ``keep``, at least one, stay;
    so do the newest one that is proven, those with a snapshot, and those in ``needed``.
    """
    proven = [backup["path"] for backup in found if backup["proven"]][-1:]
    return [
        backup["path"]
        for backup in found[: -max(keep, 1)]
        if not backup["snapshot"] and backup["path"] not in proven and backup["path"] not in needed
    ]


def unsuitable(
    source: str, manifest: Mapping[str, Any], *, asked: str, directory: str, database: str, schema: str,
    tables: Iterable[str], has_key: bool,
) -> str:  # fmt: skip
    """Return the sentence that refuses to restore a backup by what its manifest says; empty if it does.

    ``source`` is the path of the manifest (empty: there is none) and ``manifest`` what ``document`` made of it;
    ``asked`` is the backup that was named, or empty. ``has_key`` says whether a key was given.
    """
    if not source:
        return (
            f"No backup with a manifest was found as {asked or f'{directory}/{database}-*'}: name one with"
            " -e restore_backup=/path/on/the/server, or take one with ansible-playbook playbooks/backup.yml."
        )
    if not manifest:
        return (
            f"{source} is damaged, or was written by another release of this runbook: name another backup with"
            " -e restore_backup=..."
        )
    missing = lacking(manifest.get("tables", []), schema, tables)
    path = manifest.get("path", "?")
    if manifest.get("database") != database or f"{path}/manifest.json" != source or missing:
        without = f" (without {', '.join(missing)})" if missing else ""
        return (
            f"{source} is of database {manifest.get('database', '?')} in {path}{without}, not of {database} beside it"
            " with the tables of tenancy_tables: name another backup with -e restore_backup=..."
        )
    if manifest["encrypted"] and not has_key:
        return f"{path} is encrypted: give the key that it was encrypted with as backup_age_identity (from the vault)."
    return ""


def damaged(path: str, found: Sequence[str]) -> str:
    """Return the sentence that refuses to restore a damaged backup; empty if nothing was ``found``."""
    if not found:
        return ""
    return (
        f"{path} is damaged, incomplete or not what its manifest describes (SHA-256), so it is not restored:"
        f" {'; '.join(found)}. Name another backup with -e restore_backup=..."
    )
