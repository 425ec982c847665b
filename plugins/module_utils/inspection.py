"""Collect the facts about a host that a run needs before it starts, except those that witness.py collects.

The functions return failures as data instead of raising errors.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import messages, sessions, systemctl, unit_environment, units
from .identity import acting_as
from .witness import DOES_NOT_ANSWER

RunCommand = Callable[..., tuple[int, str, str]]
# Part of PostgreSQL's error message if a login trigger writes in a read-only session.
READ_ONLY = "in a read-only transaction"
LOGIN_TRIGGERS = """
SELECT pg_catalog.quote_ident(evtname) FROM pg_catalog.pg_event_trigger
WHERE evtevent = 'login' AND evtenabled IN ('O', 'A') ORDER BY evtname
"""

# Options of the modules that read the catalogs.
_TEXT = {"type": "str", "required": True}
OPTIONS: dict[str, Any] = {
    "queries": {"type": "list", "elements": "dict", "default": [], "options": {"name": _TEXT, "sql": _TEXT}},
    "values": {"type": "dict", "default": {}},
}


def unit(name: str, run_command: RunCommand) -> dict[str, Any]:
    """Return sentences about stopping and starting a systemd unit: ``{obstacles, notes, problem}``."""
    systemd = systemctl.Systemctl(run_command)
    try:
        return {
            "obstacles": units.obstacles(name, systemd.show),
            "notes": units.notes(name, systemd.show),
            "problem": "",
        }
    except systemctl.SystemctlError as error:
        return {"obstacles": [], "notes": [], "problem": str(error)}


def logins(run_command: RunCommand) -> list[dict[str, str]]:
    """Return the PostgreSQL logins in the environments of the host's services, or an empty list if systemctl fails."""
    try:
        return unit_environment.logins(systemctl.Systemctl(run_command).run)
    except systemctl.SystemctlError:
        return []


def database(
    name: str,
    port: int,
    user: str,
    queries: Iterable[Mapping[str, str]],
    values: Mapping[str, Any],
    *,
    host: str = "",
) -> dict[str, Any]:
    """Return the results of queries in one read-only session.

    Each of ``queries`` is {name, sql}. They run in order in one transaction, with ``values`` as named arguments. The
    result is ``{problem, login_triggers, session_settings, data_directory, rows, asked, answered}``. ``problem`` is the
    first error, or "". ``rows`` maps the name of each query to its rows, as dicts of columns. ``asked`` and
    ``answered`` are the values of time.monotonic() before and after the first query, in seconds. For a superuser,
    ``data_directory`` is the server's, and ``session_settings`` is the result of QUERY in module_utils/sessions.py.
    ``login_triggers`` names the event triggers that may have rejected the read-only session.
    """
    found: dict[str, Any] = {
        "problem": "", "login_triggers": [], "session_settings": {}, "data_directory": "", "rows": {},
        "asked": 0.0, "answered": 0.0,
    }  # fmt: skip
    try:
        with acting_as(user):
            connection = sessions.connect(name, port, host=host, kind="reading")
    except DOES_NOT_ANSWER as error:
        found["problem"] = _sentence(error, user)
        if READ_ONLY in found["problem"]:
            found["login_triggers"] = _login_triggers(name, port, user, host)
        return found
    with contextlib.closing(connection), connection.cursor() as cursor:
        try:
            for query in queries:
                started = time.monotonic()
                cursor.execute(query["sql"], values)
                if cursor.description is not None:
                    columns = [column.name for column in cursor.description]
                    found["rows"][query["name"]] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
                if not found["asked"]:
                    found |= {"asked": started, "answered": time.monotonic()}
            if connection.info.parameter_status("is_superuser") == "on":
                cursor.execute(sessions.QUERY)
                found["session_settings"] = cursor.fetchone()[0]
                cursor.execute("SHOW data_directory")
                found["data_directory"] = cursor.fetchone()[0]
        except DOES_NOT_ANSWER as error:
            found["problem"] = _sentence(error, user)
    return found


def _sentence(error: Exception, user: str) -> str:
    if isinstance(error, KeyError):
        return f"there is no system user {user}"
    return messages.of_connection(error)


def _login_triggers(name: str, port: int, user: str, host: str) -> list[str]:
    """Return the quoted names of the login event triggers; PostgreSQL 17 and later can start a session without them."""
    settings = {"event_triggers": "off"}
    try:
        opened = sessions.opened(user, name, port, host=host, kind="reading", settings=settings)
        with opened as connection, connection.cursor() as cursor:
            cursor.execute(LOGIN_TRIGGERS)
            return [row[0] for row in cursor.fetchall()]
    except DOES_NOT_ANSWER:
        return []


def program_version(program: str, user: str, run_command: RunCommand) -> str:
    """Return the version that a program prints for a system user, or "" if it does not run."""
    try:
        with acting_as(user):
            code, output, _ = run_command([program, "--version"], handle_exceptions=False)
    except (OSError, KeyError):
        return ""
    return output.strip() if code == 0 else ""


def directory(path: str) -> dict[str, bool]:
    """Return the kind of file at a path: ``{exists, is_directory, is_link, writable}``.

    The check runs as root, so only a read-only file system or an immutable directory is not ``writable``.
    """
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return {"exists": False, "is_directory": False, "is_link": False, "writable": False}
    return {
        "exists": True, "is_directory": stat.S_ISDIR(mode), "is_link": stat.S_ISLNK(mode),
        "writable": os.access(path, os.W_OK),
    }  # fmt: skip


def free_space(paths: Iterable[str], run_command: RunCommand) -> dict[str, Any] | None:
    """Return ``{mount, free}``, the mount point and its free bytes, for the first path that exists, or None."""
    for path in paths:
        code, output, _ = run_command(["df", "--output=avail,target", "--block-size=1", "--", path])
        if code == 0:
            free, mount = output.splitlines()[1].split(None, 1)
            return {"mount": mount, "free": int(free)}
    return None
