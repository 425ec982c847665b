"""The priority of the programs that dump and restore databases beside a running service."""

from __future__ import annotations

import shutil

# With this niceness, programs yield to the running database. Beside a process with normal priority that never sleeps,
# they get a quarter of a processor. With niceness 10, they get only a tenth, and a rehearsal of a few minutes takes an
# hour on a busy host.
NICENESS = 5
NICE = ("nice", "-n", str(NICENESS))
IDLE = ("ionice", "-c", "3")


def low() -> tuple[str, ...]:
    """Return the prefix that gives a command a low priority: nice and ionice, if this host has them."""
    return tuple(word for words in (NICE, IDLE) if shutil.which(words[0]) for word in words)
