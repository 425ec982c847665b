#!/usr/bin/python
"""Report the progress of a long job on a database."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import psycopg2
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages, progress, sessions
from ansible_collections.aimemory.tenancy.plugins.module_utils.identity import acting_as

DOCUMENTATION = r"""
module: job_progress
short_description: Report the progress of a long job on a database
description:
  - Reads the state of a job that the same user, root, started with C(async). Changes nothing.
  - If the progress is unknown, for example because PostgreSQL does not respond, the task does not fail.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
options:
  job:
    description: The value C(ansible_job_id) of the task that started the job.
    type: str
    required: true
  directory:
    description: Directory of Ansible's job files, C(ansible_async_dir).
    type: path
    required: true
  kind:
    description:
      - V(backup) measures the dump in O(path) until O(copy) exists, then the restore into O(copy). V(copy) measures
        only the restore into O(copy), and V(restore) the restore into the database O(target). V(build) queries the
        progress of indexes that are built in the database.
    type: str
    choices: [backup, copy, restore, build]
    required: true
  path:
    description: The directory to which a dump is written.
    type: path
  copy:
    description: The directory of the throwaway server into which a dump is restored.
    type: path
  target:
    description: The database on the running server into which a dump is restored, with the same tables as O(database).
    type: str
  alive:
    description: A file whose modification time is updated, if the file exists, to show that the run is alive.
    type: path
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Wait for the dump
  aimemory.tenancy.job_progress:
    job: "{{ dump.ansible_job_id }}"
    directory: ~/.ansible_async
    kind: backup
    path: /var/backups/ai-memory/new.partial
    copy: /var/backups/tenancy-throwaway-ai_memory
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
  description: The progress as text. C(stage), C(share) and C(detail) contain its parts.
  returned: always
  type: str
stage:
  description: What the job is doing.
  returned: always
  type: str
share:
  description: The share of the tables' total size that the stage has copied, from 0 to 1; null if it is not known.
  returned: always
  type: float
detail:
  description: Details of the progress, such as the tables that are being copied.
  returned: always
  type: str
"""

# Above this share, all rows count as restored, because the estimated number of rows may be slightly too high.
MOST = 0.99

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
# Steps other than index builds are short. Between attempts, and while a step waits for its start, the session is idle.
STEP = f"""
SELECT CASE WHEN wait_event_type = 'Lock' THEN 'a step waits for its lock' ELSE 'a step runs' END
FROM pg_stat_activity
WHERE datname = current_database() AND application_name = '{sessions.APPLICATION}' AND state = 'active'
  AND pid <> pg_backend_pid()
"""


def job_is_over(directory: str, job: str) -> bool:
    """Return whether the job has ended according to its file. Raises FileNotFoundError if there is no file."""
    with open(os.path.join(directory, os.path.basename(job)), encoding="utf-8") as file:
        text = file.read()
    try:
        # The key ``started`` exists until the module's result replaces it. async_status makes the same check.
        return "started" not in json.loads(text)
    except ValueError:
        # The file is still being written.
        return False


def touch(path: str) -> None:
    """Set the modification time of a file to the current time, if the file exists."""
    with contextlib.suppress(FileNotFoundError):
        os.utime(path)


class Work:
    """The work of a job on a database, as the module's options describe it."""

    def __init__(self, wanted: Mapping[str, Any], run: Callable[..., tuple[int, str, str]]) -> None:
        """Initialize with the module's options, and the function that runs a program, like Ansible's run_command."""
        self.wanted = wanted
        self.run = run

    def progress(self) -> dict[str, Any]:
        """Return stage, share and detail. Raises psycopg2.Error, SessionError and OSError."""
        kind = self.wanted["kind"]
        if kind == "build":
            building = "; ".join(self._ask(BUILDS) or self._ask(STEP))
            return _told("", None, building or "waiting until the next step can start")
        if kind == "restore":
            return self._restored("restore", {"database": self.wanted["target"]})
        if kind == "copy" or os.path.isdir(self.wanted["copy"]):
            return self._restored("test restore", {"host": self.wanted["copy"]})
        return self._dumped(f"{self.wanted['path']}/database")

    def _dumped(self, path: str) -> dict[str, Any]:
        if not os.path.exists(path):
            return _told("dump", None, "starting")
        with self._session() as (version, ask):
            if not ask(progress.DUMPING)[0][0]:
                return _told("dump", None, "counting and hashing its rows")
            whole = progress.tables(ask(progress.TABLES))
            running = dict(ask(progress.COPIES)) if version >= progress.COPIES_VERSION else {}
        with acting_as(self.wanted["user"]):
            listing = ["pg_restore", "--list", path]
            code, listed, _ = self.run(listing, environ_update={"PGOPTIONS": sessions.options()})
        entries = progress.data_entries(listed) if code == 0 else []
        if not entries or (os.path.isfile(path) and not running):
            return _told("dump", None, "" if running else "between two tables")
        found = progress.started(entries, path) if os.path.isdir(path) else progress.before(entries, running)
        names = {table.oid: table.name for table in whole}
        ended = {names[oid] for oid in found if oid in names}
        copied = {names[oid]: rows for oid, rows in running.items() if oid in names}
        return _told("dump", progress.share(whole, ended, copied), _named(copied))

    def _restored(self, stage: str, where: Mapping[str, str]) -> dict[str, Any]:
        with self._session() as (_, ask):
            whole = progress.tables(ask(progress.TABLES))
        try:
            with self._session(**where) as (version, ask):
                copy = progress.tables(ask(progress.TABLES))
                running = dict(ask(progress.COPIES)) if version >= progress.COPIES_VERSION else {}
                building = [text for (text,) in ask(BUILDS)]
        except psycopg2.OperationalError:
            return _told(stage, None, "starting")
        names = {table.oid: table.name for table in copy}
        copied = {names[oid]: rows for oid, rows in running.items() if oid in names}
        if not copied and building:
            return _told(stage, None, "; ".join(building))
        share = progress.share(whole, {table.name for table in copy if table.filled}, copied)
        if not copied and share is not None and share > MOST:
            return _told(stage, None, "building keys, or comparing the rows")
        return _told(stage, share, _named(copied))

    @contextlib.contextmanager
    def _session(self, database: str = "", host: str = "") -> Iterator[tuple[int, Callable[[str], list[Any]]]]:
        """Yield the server's version and a function that returns the rows of a query."""
        wanted = self.wanted
        opened = sessions.opened(wanted["user"], database or wanted["database"], wanted["port"], host=host,
                                 kind="reading")  # fmt: skip
        with opened as connection, connection.cursor() as cursor:

            def ask(query: str) -> list[Any]:
                cursor.execute(query)
                rows: list[Any] = cursor.fetchall()
                return rows

            yield connection.server_version, ask

    def _ask(self, query: str) -> list[Any]:
        """Return the first column of a query's result."""
        with self._session() as (_, ask):
            return [value for (value,) in ask(query)]


def _named(copied: Iterable[str]) -> str:
    return ", ".join(sorted(name.partition(".")[2] for name in copied))


def _told(stage: str, share: float | None, detail: str) -> dict[str, Any]:
    parts = [f"{stage} {share:.0%}" if share is not None else stage, detail]
    return {"stage": stage, "share": share, "detail": detail, "msg": ", ".join(filter(None, parts))}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "user": {"type": "str", "required": True},
            "job": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "kind": {"type": "str", "choices": ["backup", "copy", "restore", "build"], "required": True},
            "path": {"type": "path"},
            "copy": {"type": "path"},
            "alive": {"type": "path"},
            "target": {"type": "str"},
        },
        required_if=[
            ("kind", "backup", ["path", "copy"]), ("kind", "copy", ["copy"]), ("kind", "restore", ["target"]),
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
        told = Work(module.params, module.run_command).progress()
    except (psycopg2.Error, sessions.SessionError, OSError) as error:
        told = _told("", None, f"the progress is unknown: {messages.of_database(error)}")
    module.exit_json(changed=False, finished=finished, **told)


if __name__ == "__main__":
    main()
