"""Manage the backups on the server's disk: write manifests, rename complete backups, remove old and partial ones."""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import json
import os
import pwd
import shutil
from collections.abc import Collection, Mapping
from typing import Any

from . import age, backups, dumping
from .identity import acting_as

PARTIAL = ".partial"
# The directory that contains a decrypted backup during a restore.
UNPACKED = "unpacked"


def make_directory(directory: str, user: str) -> None:
    """Create the backup directory, which only ``user`` can access. Raises OSError."""
    entry = pwd.getpwnam(user)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    os.chown(directory, entry.pw_uid, entry.pw_gid)
    os.chmod(directory, 0o700)


def remove_leftovers(directory: str) -> None:
    """Remove the directories that interrupted runs left in the backup directory. Raises OSError."""
    with os.scandir(directory) as entries:
        left = [
            entry.path
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and (entry.name.endswith(PARTIAL) or entry.name == UNPACKED)
        ]
    for path in left:
        shutil.rmtree(path)


def put_in_place(manifest: Mapping[str, Any], user: str) -> None:
    """Write the manifest, then rename the directory to its final name, without PARTIAL. Raises OSError."""
    path = manifest["path"]
    put(f"{path}{PARTIAL}/manifest.json", manifest, user)
    with acting_as(user):
        os.rename(f"{path}{PARTIAL}", path)
        _sync(os.path.dirname(path))


def put(path: str, document: Mapping[str, Any], user: str) -> None:
    """Write a document to a JSON file that only ``user`` can read, and flush it to the disk. Raises OSError."""
    with acting_as(user):
        with open(f"{path}{PARTIAL}", "w", encoding="utf-8") as file:
            os.chmod(file.name, 0o600)
            file.write(json.dumps(document, indent=4) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.rename(f"{path}{PARTIAL}", path)
        _sync(os.path.dirname(path))


def _sync(directory: str) -> None:
    """Flush the entries of a directory to the disk, so that a rename survives a crash of the server."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def listed(directory: str, database: str) -> list[dict[str, Any]]:
    """Return the database's backups, oldest first, in the form that ``backups.expendable`` expects. Raises OSError."""
    paths = (os.path.join(directory, name) for name in os.listdir(directory))
    found = []
    for path in backups.own(paths, directory, database):
        if not os.path.islink(path) and os.path.isfile(f"{path}/manifest.json"):
            snapshot = any(fnmatch.fnmatchcase(name, "schema*.json") for name in os.listdir(path))
            found.append({"path": path, "proven": _is_proven(path), "snapshot": snapshot})
    return found


def _is_proven(path: str) -> bool:
    try:
        with open(f"{path}/manifest.json", encoding="utf-8") as file:
            return json.load(file)["proven_seconds"] is not None
    except (OSError, ValueError, KeyError, TypeError):
        return False


def manifests(directory: str, database: str, asked: str, *, proven: bool) -> list[str]:
    """Return the paths of the manifests that a restore may use, the preferred one last. Raises OSError.

    ``asked`` is the path of a backup or of a directory of backups. If it is empty, the database's own backups in
    ``directory`` are used. With ``proven``, only those of them that passed a test restore are used.
    """
    if not asked:
        found = listed(directory, database) if os.path.isdir(directory) else []
        return [f"{backup['path']}/manifest.json" for backup in found if backup["proven"] or not proven]
    place = glob.escape(os.path.normpath(asked))
    return sorted(glob.glob(f"{place}/manifest.json") + glob.glob(f"{place}/*/manifest.json"))


def damage(manifest: Mapping[str, Any], user: str, identity: str) -> list[str]:
    """Return the differences between a backup and its manifest, found with SHA-256 checksums. Raises OSError.

    If the backup is encrypted, age itself detects a changed or truncated archive.
    """
    path = manifest["path"]
    if manifest["encrypted"]:
        sums, said = age.member(path, user, identity, "SHA256SUMS")
        found = [line for line in (said or "").splitlines() if not line.startswith(("tar", "age: report"))]
        if said is not None and not found:
            found = ["age failed"]
    else:
        with acting_as(user):
            try:
                with open(f"{path}/SHA256SUMS", "rb") as file:
                    sums = file.read()
            except OSError as error:
                return [f"SHA256SUMS: {error.strerror}"]
            found = [text for line in sums.decode().splitlines() if (text := _differing(path, line))]
    if not found and hashlib.sha256(sums).hexdigest() != manifest["sha256"]:
        return ["SHA256SUMS does not match its checksum in the manifest"]
    return found


def _differing(directory: str, line: str) -> str:
    """Return how a file differs from its line in SHA256SUMS, or "" if it does not."""
    digest, _, name = line.partition("  ")
    try:
        return "" if dumping.digest(os.path.join(directory, name)) == digest else f"{name}: FAILED"
    except OSError as error:
        return f"{name}: {error.strerror}"


def prune(directory: str, database: str, keep: int, needed: Collection[str]) -> list[str]:
    """Remove the oldest backups, and return a sentence for each backup that cannot be removed."""
    left = []
    try:
        for path in backups.expendable(listed(directory, database), keep, needed):
            try:
                shutil.rmtree(path)
            except OSError as error:
                left.append(f"{path} cannot be removed ({error.strerror})")
    except OSError as error:
        left.append(f"The backups in {directory} cannot be listed ({error.strerror})")
    return left
