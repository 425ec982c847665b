#!/usr/bin/python
"""Dump a database and count its tables in one snapshot."""

from __future__ import annotations

import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import psycopg2
    from psycopg2 import sql
except ImportError:
    psycopg2 = None

DOCUMENTATION = r"""
module: postgresql_dump
short_description: Dump a database and count its tables in one snapshot
description:
  - Runs C(pg_dump --format=custom) and counts the rows of the named tables in the same exported snapshot
    (PostgreSQL manual, 9.28.5 "Snapshot Synchronization Functions"), so that the counts are those of the dump
    even while others write.
  - A dump that fails leaves no file.
options:
  database:
    description: The database.
    type: str
    required: true
  port:
    description: Port that names the server's Unix socket.
    type: int
    required: true
  path:
    description: File to write; it must not exist.
    type: path
    required: true
  schema:
    description: Schema of the tables to count.
    type: str
    required: true
  tables:
    description: Tables to count.
    type: list
    elements: str
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Dump the database
  aimemory.tenancy.postgresql_dump:
    database: ai_memory
    port: 5432
    path: /var/backups/ai-memory/ai_memory.dump
    schema: public
    tables: [memories]
"""

RETURN = r"""
row_counts:
  description: Rows of each table in the snapshot.
  returned: success
  type: dict
snapshot_at:
  description: Time of the snapshot by the server's clock, ISO 8601 with offset.
  returned: success
  type: str
duration_seconds:
  description: How long the dump took.
  returned: success
  type: float
"""


def dump(module: AnsibleModule, connection: Any) -> dict[str, Any]:
    """Count and dump in one snapshot, which lives as long as the connection's transaction."""
    wanted = module.params
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with connection.cursor() as cursor:
        # A filtered count must be an error instead of a wrong number.
        cursor.execute("SET row_security = off")
        cursor.execute("SELECT pg_export_snapshot(), clock_timestamp()")
        snapshot, snapshot_at = cursor.fetchone()
        row_counts = {}
        for table in wanted["tables"]:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(wanted["schema"], table)))
            row_counts[table] = cursor.fetchone()[0]
        os.umask(0o077)
        started = time.monotonic()
        module.run_command(
            [
                "pg_dump", "--format=custom", f"--port={wanted['port']}", f"--snapshot={snapshot}",
                f"--file={wanted['path']}", f"--dbname={wanted['database']}",
            ],
            check_rc=True,
        )  # fmt: skip
        duration = time.monotonic() - started
    return {
        "row_counts": row_counts,
        "snapshot_at": snapshot_at.isoformat(),
        "duration_seconds": round(duration, 3),
    }


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "database": text,
            "port": {"type": "int", "required": True},
            "path": {"type": "path", "required": True},
            "schema": text,
            "tables": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    path = module.params["path"]
    if psycopg2 is None:
        module.fail_json(msg=missing_required_lib("psycopg2"))
    if os.path.exists(path):
        module.fail_json(msg=f"{path} exists already: it was not overwritten.")
    if module.check_mode:
        module.exit_json(changed=True)
    connection = None
    kept = False
    try:
        connection = psycopg2.connect(dbname=module.params["database"], port=module.params["port"])
        result = dump(module, connection)
        kept = True
    except psycopg2.Error as error:
        module.fail_json(msg=f"The dump failed: {str(error).strip()}")
    finally:
        if connection is not None:
            connection.close()
        if not kept and os.path.exists(path):
            os.unlink(path)
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
