#!/usr/bin/python
"""Dump a database, with what its tables hold in the same snapshot."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.aimemory.tenancy.plugins.module_utils import contents, messages, sessions, toc
from ansible_collections.aimemory.tenancy.plugins.module_utils.identity import acting_as

try:
    import psycopg2
except ImportError:
    psycopg2 = None

DOCUMENTATION = r"""
module: postgresql_dump
short_description: Dump a database, with what its tables hold in the same snapshot
description:
  - Runs C(pg_dump) and counts and hashes the rows of every table in the same exported snapshot (PostgreSQL manual,
    9.28.5 "Snapshot Synchronization Functions"), so that the numbers are those of the dump even while others write.
  - Puts beside it what a dump of one database lacks, the roles (C(pg_dumpall --globals-only), with their password
    verifiers) and the given settings, and the SHA-256 of every file in C(SHA256SUMS).
  - A dump that fails, or that lacks the rows of a table, leaves nothing.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
options:
  path:
    description: Directory to make, which only its owner may read; it must not exist.
    type: path
    required: true
  format:
    description: C(directory) is dumped by several jobs at once, C(custom) into one file. Both are compressed.
    type: str
    choices: [directory, custom]
    required: true
  jobs:
    description: Connections that dump at once, with the format C(directory).
    type: int
    required: true
  settings:
    description: SQL for the file C(settings.sql).
    type: str
    required: true
  hash_max_bytes:
    description: Larger tables are counted only.
    type: int
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Dump the database
  aimemory.tenancy.postgresql_dump:
    database: ai_memory
    port: 5432
    path: /var/backups/ai-memory/ai_memory-20261124T181104Z.partial
    format: directory
    jobs: 2
    settings: ALTER DATABASE ai_memory SET work_mem TO '9MB';
    hash_max_bytes: 268435456
"""

RETURN = r"""
tables:
  description:
    - One entry a table, with schema, name, partitioned, rows and hash (null where it is partitioned or too large).
  returned: success
  type: list
snapshot_at:
  description: Time of the snapshot by the server's clock, ISO 8601 with offset.
  returned: success
  type: str
snapshot_xmin:
  description: Oldest transaction that was running then; what this and later ones wrote may not be in the dump.
  returned: success
  type: int
size_bytes:
  description: Size of all files together.
  returned: success
  type: int
sha256:
  description: SHA-256 of C(SHA256SUMS), which holds those of the files.
  returned: success
  type: str
duration_seconds:
  description: How long pg_dump took.
  returned: success
  type: float
"""


def dump(module: AnsibleModule, connection: Any) -> dict[str, Any]:
    """Count and dump in one snapshot, which lives as long as the connection's transaction."""
    wanted = module.params
    target = os.path.join(wanted["path"], "database")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_export_snapshot(), clock_timestamp(), txid_snapshot_xmin(txid_current_snapshot()),"
            " current_setting('server_encoding')"
        )
        snapshot, snapshot_at, snapshot_xmin, encoding = cursor.fetchone()
        started = time.monotonic()
        run(
            module,
            [
                "pg_dump", f"--format={wanted['format']}", f"--port={wanted['port']}", f"--snapshot={snapshot}",
                f"--file={target}", f"--dbname={wanted['database']}",
                # Nothing is converted, whatever the session's encoding is.
                f"--encoding={encoding}",
                *([f"--jobs={wanted['jobs']}"] if wanted["format"] == "directory" else []),
            ],
        )  # fmt: skip
        duration = time.monotonic() - started
        tables = contents.read(cursor, wanted["hash_max_bytes"])
    listed = run(module, ["pg_restore", "--list", target])
    missing = lacking(tables, listed)
    if missing:
        module.fail_json(msg=f"The dump lacks the rows of {', '.join(missing)}: it was not kept.")
    return {
        "tables": tables,
        "snapshot_at": snapshot_at.isoformat(),
        "snapshot_xmin": snapshot_xmin,
        "duration_seconds": round(duration, 3),
    }


def lacking(tables: list[dict[str, Any]], listed: str) -> list[str]:
    """Return the tables whose rows pg_restore does not list: an entry is number; oid oid KIND schema name owner."""
    # A name may hold what other lines end with.
    left = listed.split("\n")
    missing = []
    # A name may be the beginning of another's: each entry stands for one table, the longest name's first.
    for table in sorted(tables, key=lambda table: -len(table["name"])):
        kind = "TABLE" if table["partitioned"] else "TABLE DATA"
        wanted = f" {kind} {toc.shown(table['schema'])} {toc.shown(table['name'])} "
        entry = next((line for line in left if wanted in line), None)
        if entry is None:
            missing.append(f"{table['schema']}.{table['name']}")
        else:
            left.remove(entry)
    return sorted(missing)


def run(module: AnsibleModule, command: list[str]) -> str:
    """Run a program as the database's user and return what it says; its failure is the module's."""
    with acting_as(module.params["user"]):
        code, output, error = module.run_command(command, environ_update={"PGOPTIONS": sessions.options()})
    if code != 0:
        module.fail_json(msg=f"{command[0]} failed: {messages.without_values(error.strip())}", rc=code)
    return str(output)


def digest(path: str) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def seal(directory: str) -> dict[str, Any]:
    """Write SHA256SUMS, as sha256sum reads it, over all files of the directory."""
    files = sorted(
        os.path.relpath(os.path.join(place, name), directory)
        for place, _, names in os.walk(directory)
        for name in names
    )
    sums = os.path.join(directory, "SHA256SUMS")
    with open(sums, "w", encoding="utf-8") as file:
        file.writelines(f"{digest(os.path.join(directory, name))}  {name}\n" for name in files)
        file.flush()
        os.fsync(file.fileno())
    size = sum(os.path.getsize(os.path.join(directory, name)) for name in files)
    return {"size_bytes": size, "sha256": digest(sums)}


def main() -> None:
    """Run the module."""
    text: dict[str, Any] = {"type": "str", "required": True}
    number: dict[str, Any] = {"type": "int", "required": True}
    module = AnsibleModule(
        argument_spec={
            "database": text, "user": text, "port": number, "path": {"type": "path", "required": True},
            "format": text | {"choices": ["directory", "custom"]}, "jobs": number, "settings": text,
            "hash_max_bytes": number,
        },
        supports_check_mode=True,
    )  # fmt: skip
    path = module.params["path"]
    if psycopg2 is None:
        module.fail_json(msg=missing_required_lib("psycopg2"))
    if os.path.lexists(path):
        module.fail_json(msg=f"{path} exists already: it was not overwritten.")
    if module.check_mode:
        module.exit_json(changed=True)
    os.umask(0o077)
    connection = None
    kept = False
    try:
        with acting_as(module.params["user"]):
            os.mkdir(path, 0o700)
            with open(os.path.join(path, "settings.sql"), "w", encoding="utf-8") as file:
                file.write(module.params["settings"])
            connection = contents.connect(module.params["database"], module.params["port"])
        run(module, ["pg_dumpall", "--globals-only", f"--port={module.params['port']}", f"--file={path}/globals.sql"])
        result = dump(module, connection)
        with acting_as(module.params["user"]):
            result |= seal(path)
        kept = True
    except psycopg2.Error as error:
        module.fail_json(msg=f"The dump failed: {messages.of_database(error)}")
    except sessions.SessionError as error:
        module.fail_json(msg=f"The dump failed: {error}")
    except OSError as error:
        module.fail_json(msg=f"The dump failed: {error.strerror} ({error.filename or path}).")
    finally:
        if connection is not None:
            connection.close()
        if not kept:
            shutil.rmtree(path, ignore_errors=True)
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
