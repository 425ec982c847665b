"""Find the processes of a systemd unit through its control group."""

from __future__ import annotations

import errno
from pathlib import Path

# The mount points of systemd's cgroup hierarchy: version 2, version 1, and hybrid mode.
ROOTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified"))


def processes(control_group: str, roots: tuple[Path, ...] = ROOTS) -> list[int]:
    """Return the ids of the processes in a unit's control group and its child groups.

    ``control_group`` is the unit's ControlGroup as systemctl shows it, which is empty for a unit that is not running.
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
    """Return the contents of a kernel file, or "" if the control group has been removed in the meantime."""
    try:
        return path.read_text()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV):
            return ""
        raise
