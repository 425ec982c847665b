"""Who a module acts as. PostgreSQL knows a local user, and libpq the role's name, by who the process is."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def acting_as(user: str) -> Iterator[None]:
    """Act as a system user for a while, with what is started meanwhile; the process is root's, and so is its own code.

    Raises KeyError where there is no such user.
    """
    entry = pwd.getpwnam(user)
    # Root's home may not be entered by others.
    os.chdir("/")
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
