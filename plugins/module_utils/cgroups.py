"""The processes of a systemd unit, as its control group has them."""

from __future__ import annotations

import errno
from pathlib import Path

# Where systemd's hierarchy lies: version 2, version 1, and both at once.
ROOTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified"))


def processes(control_group: str, roots: tuple[Path, ...] = ROOTS) -> list[int]:
    """Return the processes in a unit's control group and in those below it.

    ``control_group`` is the unit's ControlGroup as systemctl shows it; it is empty for a unit that does not run, which
    has none.
    """
    if not control_group.strip("/"):
        return []
    found = {
        int(pid)
        for root in roots
        for path in (root / control_group.strip("/")).glob("**/cgroup.procs")
        for pid in _read(path).split()
    }
    return sorted(found - {0})


def _read(path: Path) -> str:
    """Return what a file of the kernel says; nothing where the control group went meanwhile."""
    try:
        return path.read_text()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV):
            return ""
        raise
