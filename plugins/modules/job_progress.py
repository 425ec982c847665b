#!/usr/bin/python
"""Report the progress of a long job on a database."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

import psycopg2
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages, sessions

DOCUMENTATION = r"""
module: job_progress
short_description: Report the progress of a long job on a database
description:
  - Reads the state of a job that the same user, root, started with C(async). Changes nothing.
  - If the progress is unknown, for example because PostgreSQL does not answer, the task does not fail.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
options:
  job:
    description: The value C(ansible_job_id) of the task that started it.
    type: str
    required: true
  directory:
    description: Directory of Ansible's job files, C(ansible_async_dir).
    type: path
    required: true
  kind:
    description:
      - V(backup) measures the directory O(path) until O(copy) exists, then O(copy). V(dump) measures O(path), and
        V(restore) measures the database. V(build) queries the progress of indexes that are built in the database.
    type: str
    choices: [backup, dump, restore, build]
    required: true
  path:
    description: The directory to which a dump is written.
    type: path
  copy:
    description: The directory of the throwaway server into which a dump is restored.
    type: path
  bytes:
    description: Approximate final size of the dump or the database.
    type: int
  alive:
    description: A file that gets the current time as a sign of the run, if it exists.
    type: path
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Wait for the dump
  aimemory.tenancy.job_progress:
    job: "{{ dump.ansible_job_id }}"
    directory: ~/.ansible_async
    kind: dump
    path: /var/backups/ai-memory/new.partial
    bytes: 3221225472
    database: ai_memory
    port: 5432
    user: postgres
  register: progress
  until: progress.finished
  retries: 10000
  delay: 2
"""

RETURN = r"""
finished:
  description: Whether the job has ended, successfully or not.
  returned: always
  type: bool
msg:
  description: The progress as text.
  returned: always
  type: str
"""

# The percentage precedes the name, because a terminal may cut off the end.
BUILDS = """
SELECT p.phase
       || coalesce(', ' || coalesce(100 * p.blocks_done / nullif(p.blocks_total, 0),
                                    100 * p.tuples_done / nullif(p.tuples_total, 0)) || '%', '')
       || ': ' || coalesce(i.relname, c.relname)
FROM pg_stat_progress_create_index AS p
JOIN pg_class AS c ON c.oid = p.relid
LEFT JOIN pg_class AS i ON i.oid = p.index_relid
WHERE p.datname = current_database()
"""
# Steps other than index builds are short. Between attempts, and while a step waits for its start, its session is idle.
STEP = f"""
SELECT CASE WHEN wait_event_type = 'Lock' THEN 'a step waits for its lock' ELSE 'a step runs' END
FROM pg_stat_activity
WHERE datname = current_database() AND application_name = '{sessions.APPLICATION}' AND state = 'active'
  AND pid <> pg_backend_pid()
"""
SIZE = "SELECT pg_database_size(current_database())"


def job_is_over(directory: str, job: str) -> bool:
    """Return whether the job has ended according to its file; raises FileNotFoundError if there is no file."""
    with open(os.path.join(directory, os.path.basename(job)), encoding="utf-8") as file:
        text = file.read()
    try:
        # The module's result replaces the entry that it was started; async_status makes the same check.
        return "started" not in json.loads(text)
    except ValueError:
        # The file is still being written.
        return False


def touch(path: str) -> None:
    """Set the time of a file to now, if the file exists."""
    with contextlib.suppress(FileNotFoundError):
        os.utime(path)


def size_of(path: str) -> int:
    """Return the bytes of the files below a directory; files that disappear in the meantime are not counted."""
    total = 0
    for place, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except FileNotFoundError:
                continue
    return total


def share(done: int, whole: int) -> str:
    """Return the size and the approximate total as text."""
    return f"{done / 1e6:,.0f} of about {whole / 1e6:,.0f} MB"


def ask(wanted: dict[str, Any], query: str) -> list[Any]:
    """Return the first column of a query's result. Raises psycopg2.Error."""
    opened = sessions.opened(wanted["user"], wanted["database"], wanted["port"], kind="reading")
    with opened as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return [value for (value,) in cursor.fetchall()]


def how_far(wanted: dict[str, Any]) -> str:
    """Return the progress of the job, as text. Raises psycopg2.Error."""
    if wanted["kind"] == "backup":
        restores = os.path.isdir(wanted["copy"])
        done = share(size_of(wanted["copy" if restores else "path"]), wanted["bytes"])
        return f"{'test restore' if restores else 'dump'}, {done}"
    if wanted["kind"] == "dump":
        return share(size_of(wanted["path"]), wanted["bytes"])
    if wanted["kind"] == "restore":
        return share(ask(wanted, SIZE)[0], wanted["bytes"])
    return "; ".join(ask(wanted, BUILDS) or ask(wanted, STEP)) or "waiting until the next step can start"


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "user": {"type": "str", "required": True},
            "job": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "kind": {"type": "str", "choices": ["backup", "dump", "restore", "build"], "required": True},
            "path": {"type": "path"},
            "copy": {"type": "path"},
            "bytes": {"type": "int"},
            "alive": {"type": "path"},
        },
        required_if=[
            ("kind", "backup", ["path", "copy", "bytes"]), ("kind", "dump", ["path", "bytes"]),
            ("kind", "restore", ["bytes"]),
        ],
        supports_check_mode=True,
    )  # fmt: skip
    if module.params["alive"]:
        touch(module.params["alive"])
    try:
        finished = job_is_over(module.params["directory"], module.params["job"])
    except FileNotFoundError as error:
        module.fail_json(msg=f"The job's file no longer exists ({error.filename}): was the server restarted?")
    try:
        message = how_far(module.params)
    except (psycopg2.Error, sessions.SessionError) as error:
        message = f"the progress is unknown: {messages.of_database(error)}"
    module.exit_json(changed=False, finished=finished, msg=message)


if __name__ == "__main__":
    main()
