"""The lock that allows only one run at a time to change a database: a symbolic link whose target names the holder.

A symbolic link and its target are created atomically. The link is in /run, which is empty after a reboot.
"""

from __future__ import annotations

import os
from typing import Any

from . import sessions

# Every session of a run has this application_name. A transaction or a dump may continue after the laptop that started
# it has failed.
ALIVE = """
SELECT min(pid), string_agg(concat('process ', pid, ' in ', datname, ' since ',
       to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), ' UTC'), ', ')
FROM pg_stat_activity WHERE application_name = %(name)s AND pid <> pg_backend_pid()
"""


def holder(path: str) -> str:
    """Return the holder of the lock, or "" if it is free."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def take(path: str, text: str) -> None:
    """Take the lock for the holder ``text``. Raises OSError; FileExistsError if another run holds the lock."""
    os.symlink(text, path)


def release(path: str, text: str) -> bool:
    """Release the lock if it still names the holder ``text``; return whether it did. Raises OSError.

    Another run may have broken the lock and taken it.
    """
    if holder(path) != text:
        return False
    os.unlink(path)
    return True


def sessions_alive(cursor: Any) -> dict[str, Any]:
    """Return the sessions of runs on the server, except this one: ``{pid, names}``; empty if there are none."""
    cursor.execute(ALIVE, {"name": sessions.APPLICATION})
    pid, names = cursor.fetchone()
    return {} if pid is None else {"pid": pid, "names": names}
