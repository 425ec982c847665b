#!/usr/bin/python
"""Take a backup of a database, and test the backup with a restore before it receives its final name."""

from __future__ import annotations

import os
import shutil
import time
from typing import Any

import psycopg2
from ansible.module_utils.basic import AnsibleModule
from psycopg2 import sql

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    backup_files,
    backups,
    dumping,
    messages,
    quoting,
    restored_copy,
    sessions,
)
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError

DOCUMENTATION = r"""
module: backup
short_description: Take a backup of a database, and test the backup with a restore before it receives its final name
description:
  - Removes leftovers of lost runs, and runs C(pg_dump). Counts and hashes the rows of every table in the same exported
    snapshot (PostgreSQL manual, 9.28.5 "Snapshot Synchronization Functions"). The numbers therefore match the dump even
    while other sessions write.
  - Adds the roles (C(pg_dumpall --globals-only), with their password verifiers) and the settings of the database, which
    a dump of one database lacks. Writes the SHA-256 checksum of every file to C(SHA256SUMS).
  - Restores the dump into a throwaway server and compares the restored rows with the dumped ones. Then it writes
    C(manifest.json), gives the directory its final name O(path), and removes the oldest backups. Until then, the name
    of the directory has the suffix C(.partial).
  - After a failure, the module removes all files of the backup. Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
  - aimemory.tenancy.throwaway
options:
  path:
    description: Directory of the backup, which only O(user) may read. It must not exist yet; its parent is created.
    type: path
    required: true
  format:
    description: With V(directory), several jobs write the dump in parallel. V(custom) is a single file. Both are
      compressed.
    type: str
    choices: [directory, custom]
    required: true
  jobs:
    description: Number of parallel connections for the dump and the restore.
    type: int
    required: true
  hash_max_bytes:
    description: Maximum size, in bytes, of a table whose rows are hashed. The rows of larger tables are only counted.
    type: int
    required: true
  server_version:
    description: PostgreSQL's version, for the manifest.
    type: str
    required: true
  schema:
    description: Schema of O(tables).
    type: str
    required: true
  tables:
    description: Tables whose rows the dump must contain.
    type: list
    elements: str
    required: true
  proof:
    description:
      - V(none) does not restore the dump. V(removed) removes the throwaway server after the comparison, and V(kept)
        leaves it for the caller.
    type: str
    choices: [none, removed, kept]
    required: true
  encrypt:
    description:
      - Whether M(aimemory.tenancy.backup_encrypt) encrypts the backup afterwards. If so, the backup keeps the suffix
        C(.partial) and gets no C(manifest.json), and no old backup is removed.
      - The key is not passed to this module, because Ansible would store it in the job's files.
    type: bool
    required: true
  keep:
    description: Number of backups to keep, at least 1.
    type: int
    required: true
  needed:
    description: Paths of other backups to keep.
    type: list
    elements: path
    default: []
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Take the backup
  become: true
  aimemory.tenancy.backup:
    database: ai_memory
    port: 5432
    user: postgres
    server:
      directory: /var/backups
      system_user: tenancy-throwaway
    path: /var/backups/ai-memory/ai_memory-20261124T181104Z
    format: directory
    jobs: 2
    hash_max_bytes: 268435456
    server_version: "17.6"
    schema: public
    tables: [memories]
    proof: removed
    encrypt: false
    keep: 5
"""

RETURN = r"""
manifest:
  description:
    - Contents of C(manifest.json). C(tables) has one entry for each table, with schema, name, partitioned, rows and
      hash (null for a partitioned table or one that is too large). C(snapshot_xmin) is the ID of the oldest
      transaction that was running at the time C(created). The dump may lack rows of this and of later transactions.
      C(duration_seconds) is the duration of pg_dump, and C(proven_seconds) that of the test restore (null without one).
      C(size_bytes) is the size of all files, and C(sha256) is the SHA-256 of C(SHA256SUMS).
  returned: success
  type: dict
throwaway:
  description: Result of M(aimemory.tenancy.throwaway_server); empty unless O(proof=kept).
  returned: success
  type: dict
left:
  description: Sentences about old backups that could not be removed.
  returned: success
  type: list
"""

# Find the databases that earlier releases of this runbook created for test restores on the running server.
SCRATCH = "SELECT datname::text FROM pg_catalog.pg_database WHERE regexp_replace(datname, '\\d{8}_\\d{6}$', '') = %s"


class Backup:
    """One backup, from the removal of leftovers to the final name."""

    def __init__(self, module: AnsibleModule) -> None:
        """Initialize with the options of the module."""
        self.module = module
        self.wanted: dict[str, Any] = module.params
        self.partial = f"{self.wanted['path']}{backup_files.PARTIAL}"
        self.copy = restored_copy.Copy(module.run_command, self.wanted)

    def take(self) -> dict[str, Any]:
        """Take the backup and return the module's result. Raises TenancyError, psycopg2.Error and OSError."""
        wanted = self.wanted
        directory = os.path.dirname(wanted["path"])
        backup_files.make_directory(directory, wanted["user"])
        backup_files.remove_leftovers(directory)
        self.copy.server.end()
        self._drop_scratch_databases()
        dump = dumping.Dump(
            self.module.run_command, wanted["user"], wanted["database"], wanted["port"], self.partial, wanted["format"],
            wanted["jobs"], wanted["hash_max_bytes"],
        ).take()  # fmt: skip
        require(backups.incomplete(dump["tables"], wanted["schema"], wanted["tables"]))
        began = time.monotonic()
        copy = {} if wanted["proof"] == "none" else self._prove(dump["tables"])
        manifest = backups.manifest(
            dump, path=wanted["path"], database=wanted["database"], server_version=wanted["server_version"],
            layout=wanted["format"], encrypted=wanted["encrypt"],
            proven_seconds=round(time.monotonic() - began, 1) if copy else None,
        )  # fmt: skip
        left = []
        if not wanted["encrypt"]:
            backup_files.put_in_place(manifest, wanted["user"])
            left = backup_files.prune(directory, wanted["database"], wanted["keep"], wanted["needed"])
        return {"manifest": manifest, "throwaway": copy if wanted["proof"] == "kept" else {}, "left": left}

    def _prove(self, tables: list[dict[str, Any]]) -> dict[str, Any]:
        """Restore the dump into a throwaway server, and return the result of the restore.

        Raises TenancyError if the dump cannot be restored, or if the restored rows differ from the dumped ones.
        """
        try:
            copy = self.copy.make(self.partial, tables, "full")
        except (TenancyError, psycopg2.Error, OSError) as error:
            raise TenancyError(f"The test restore failed: {messages.sentence(messages.of_database(error))}") from error
        require(backups.unproven(copy["differences"]))
        if self.wanted["proof"] == "removed":
            self.copy.server.end()
        return copy

    def _drop_scratch_databases(self) -> None:
        name = quoting.name_beside(self.wanted["database"], "_scratch_00000000_000000").removesuffix("00000000_000000")
        opened = sessions.opened(self.wanted["user"], "postgres", self.wanted["port"], autocommit=True)
        with opened as connection, connection.cursor() as cursor:
            cursor.execute(SCRATCH, (name,))
            for (found,) in cursor.fetchall():
                cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(found)))

    def remove(self) -> None:
        """Remove all parts of the backup."""
        if os.path.lexists(self.partial):
            shutil.rmtree(self.partial)
        self.copy.server.end()


def require(refusal: str) -> None:
    """Raise TenancyError with the sentence ``refusal``, unless it is empty."""
    if refusal:
        raise TenancyError(refusal)


def specification() -> dict[str, Any]:
    """Return the module's options."""
    text: dict[str, Any] = {"type": "str", "required": True}
    number: dict[str, Any] = {"type": "int", "required": True}
    return {
        "database": text, "user": text, "port": number,
        "server": {"type": "dict", "options": restored_copy.OPTIONS, "required": True},
        "path": {"type": "path", "required": True}, "format": text | {"choices": ["directory", "custom"]},
        "jobs": number, "hash_max_bytes": number, "server_version": text, "schema": text,
        "tables": {"type": "list", "elements": "str", "required": True},
        "proof": text | {"choices": ["none", "removed", "kept"]}, "encrypt": {"type": "bool", "required": True},
        "keep": number, "needed": {"type": "list", "elements": "path", "default": []},
    }  # fmt: skip


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=specification(), supports_check_mode=True)
    path = module.params["path"]
    for found in (path, f"{path}{backup_files.PARTIAL}"):
        if os.path.lexists(found):
            module.fail_json(msg=f"{found} already exists and was not overwritten.")
    if module.check_mode:
        module.exit_json(changed=True)
    backup = None
    taken = False
    try:
        backup = Backup(module)
        result = backup.take()
        taken = True
    except psycopg2.Error as error:
        module.fail_json(msg=f"The dump failed: {messages.of_database(error)}")
    except sessions.SessionError as error:
        module.fail_json(msg=f"The dump failed: {error}")
    except OSError as error:
        module.fail_json(msg=f"The dump failed: {error.strerror} ({error.filename or path}).")
    except TenancyError as error:
        module.fail_json(msg=str(error))
    finally:
        if backup is not None and not taken:
            backup.remove()
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
