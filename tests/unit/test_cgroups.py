"""A unit's processes are those in its control group, wherever systemd's cgroup hierarchy is mounted."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.aimemory.tenancy.plugins.module_utils.cgroups import processes


def test_processes_are_found_in_the_group_and_below_it(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for path, pids in {
        one / "system.slice/a.service": "7\n0\n", two / "system.slice/a.service/worker": "9\n7\n",
        one / "system.slice/b.service": "8\n",
    }.items():  # fmt: skip
        path.mkdir(parents=True)
        (path / "cgroup.procs").write_text(pids)
    assert processes("/system.slice/a.service", (one, two, tmp_path / "absent")) == [7, 9]
    # A stopped unit has no control group. The result must not contain every process of the server.
    assert processes("", (one, two)) == []
    assert processes("/", (one, two)) == []
