"""The units that start a service or stop with it, and the reasons why systemd cannot stop or start the service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import units

UNIT = "ai-memory.service"


class Systemd:
    """A simulated systemd with its loaded units."""

    def __init__(self, **properties: str) -> None:
        """Load only the service's unit, with these properties."""
        self.units = {UNIT: self._block(UNIT, **properties)}

    @staticmethod
    def _block(name: str, **properties: str) -> dict[str, str]:
        usual = dict.fromkeys(units.PROPERTIES, "") | {
            "Id": name, "LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled",
            "FragmentPath": f"/etc/systemd/system/{name}", "Transient": "no", "RefuseManualStop": "no",
            "RefuseManualStart": "no", "KillMode": "control-group", "TimeoutStopUSec": "20s", "NeedDaemonReload": "no",
        }  # fmt: skip
        return usual | properties

    def add(self, name: str, **properties: str) -> Systemd:
        """Load another unit, and return ``self``."""
        self.units[name] = self._block(name, **properties)
        return self

    def show(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the properties of these units, as ``systemctl show`` reports them."""
        absent = {"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": "", "FragmentPath": ""}
        return {name: self.units.get(name, self._block(name, **absent)) for name in names}


def command(path: str, ignored: str = "no") -> str:
    """Return a command as ``systemctl show`` prints it."""
    return f"{{ path={path} ; argv[]={path} --n 1 ; ignore_errors={ignored} ; start_time=[n/a] ; pid=0 }}"


class Gone(units.Files):
    """A host on which only the path /gone and the user ``gone`` are missing."""

    def exists(self, path: str) -> bool:
        return path != "/gone"

    def runs(self, program: str, search: str = units.SEARCH_PATH) -> bool:
        return program != "/gone" and "/gone" not in search.split(":")

    def is_user(self, name: str) -> bool:
        return name != "gone"


def obstacles(systemd: Systemd) -> list[str]:
    return units.obstacles(UNIT, systemd.show, Gone())


def test_each_unit_has_its_block() -> None:
    output = "Id=a.service\nTriggeredBy=\n\nId=b.socket\nDescription=x=y\n"
    assert units.parse(output, ["a.service", "alias.socket"]) == {
        "a.service": {"Id": "a.service", "TriggeredBy": ""},
        "alias.socket": {"Id": "b.socket", "Description": "x=y"},
    }
    with pytest.raises(ValueError, match="zip"):
        units.parse("Id=a.service", ["a.service", "b.service"])


def test_what_starts_it_and_what_goes_down_with_it_is_found_through_others() -> None:
    systemd = Systemd(TriggeredBy="ai-memory.socket idle.timer", BoundBy="worker.service", ConsistsOf="side.service")
    systemd.add("ai-memory.socket").add("idle.timer", ActiveState="inactive")
    # A stopped unit is not listed, and neither are the units that depend on it. A dependency cycle is followed once.
    systemd.add("worker.service", RequiredBy="reports.service", TriggeredBy="worker.path")
    systemd.add("side.service", ActiveState="failed", RequiredBy="never.service").add("never.service")
    systemd.add("reports.service", RequiredBy=UNIT).add("worker.path", ActiveState="activating")
    around = units.surroundings(UNIT, systemd.show)
    assert around == units.Surroundings(["ai-memory.socket", "worker.path"], ["worker.service", "reports.service"])


def test_an_ordinary_unit_has_nothing_to_say() -> None:
    systemd = Systemd(TriggeredBy="ai-memory.socket").add("ai-memory.socket", ActiveState="inactive")
    assert obstacles(systemd) == []
    assert units.notes(UNIT, systemd.show) == []


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        ({"LoadState": "masked"}, f"{UNIT} is masked, so systemd would refuse to start it again: run systemctl unmask"),
        ({"UnitFileState": "masked-runtime"}, f"{UNIT} is masked"),
        ({"Transient": "yes"}, f"{UNIT} was created by systemd-run and disappears when it stops"),
        ({"LoadState": "bad-setting"}, f"systemd cannot read the unit file of {UNIT} (bad-setting)"),
        ({"LoadState": "not-found"}, f"systemd cannot read the unit file of {UNIT} (not-found)"),
        ({"FragmentPath": "/gone"}, f"{UNIT} is running, but its file /gone is missing"),
        ({"RefuseManualStop": "yes"}, f"{UNIT} cannot be stopped manually (RefuseManualStop=yes)"),
        ({"RefuseManualStart": "yes"}, f"{UNIT} cannot be started manually (RefuseManualStart=yes)"),
        ({"User": "gone"}, f"{UNIT} could not be started again: the user gone does not exist. Restore it"),
        ({"WorkingDirectory": "/gone"}, f"{UNIT} could not be started again: its working directory /gone is"),
        ({"ExecStart": command("/gone")}, f"{UNIT} could not be started again: /gone cannot be run."),
        (
            {"ExecStart": command("gunicorn"), "ExecSearchPath": "/opt/bin /gone"},
            f"{UNIT} could not be started again: gunicorn cannot be run.",
        ),
        (
            {"ExecStartPre": f"{command('/bin/true')}\n{command('/gone')}"},
            f"{UNIT} could not be started again: /gone cannot be run.",
        ),
    ],
)
def test_what_systemd_would_refuse_is_told(properties: dict[str, str], sentence: str) -> None:
    found = obstacles(Systemd(**properties))
    assert len(found) == 1
    assert found[0].startswith(sentence)


@pytest.mark.parametrize(
    "properties",
    [
        {"ExecStart": command("/gone", ignored="yes")},
        {"WorkingDirectory": "!/gone"},
        {"WorkingDirectory": "/gone", "ExecStart": command("/gone"), "RootDirectory": "/srv"},
        {"User": "gone", "DynamicUser": "yes"},
    ],
)
def test_what_a_start_does_not_need_of_the_host_is_no_obstacle(properties: dict[str, str]) -> None:
    assert obstacles(Systemd(**properties)) == []


def test_a_program_runs_if_its_interpreter_does(tmp_path: Path) -> None:
    for name, first, runs in (("a", "#!/bin/sh -e", True), ("b", "#!/gone/python3", False), ("c", "", True)):
        (tmp_path / name).write_text(f"{first}\n")
        assert not units.Files().runs(str(tmp_path / name))
        (tmp_path / name).chmod(0o755)
        assert units.Files().runs(str(tmp_path / name)) == runs
    assert not units.Files().runs(str(tmp_path / "d"))
    # systemd searches its own directories for a program name without a path.
    assert units.Files().runs("sh")
    assert units.Files().runs("a", f"/gone:{tmp_path}")
    assert not units.Files().runs("a")
    assert units.Files().is_user("root")
    assert not units.Files().is_user("nobody at all")


def test_a_unit_that_is_not_there_is_told_elsewhere() -> None:
    assert obstacles(Systemd(LoadState="not-found", ActiveState="inactive", UnitFileState="", FragmentPath="")) == []


def test_a_socket_that_cannot_be_stopped_and_a_unit_that_starts_it_again_are_obstacles() -> None:
    systemd = Systemd(TriggeredBy="ai-memory.socket", UpheldBy="guard.service idle.service")
    systemd.add("ai-memory.socket", RefuseManualStop="yes").add("guard.service")
    systemd.add("idle.service", ActiveState="inactive")
    assert [sentence.split(" (")[0] for sentence in obstacles(systemd)] == [
        "ai-memory.socket cannot be stopped manually",
        f"guard.service starts {UNIT} again whenever it is stopped",
    ]


def test_what_else_happens_is_told() -> None:
    systemd = Systemd(
        TriggeredBy="ai-memory.socket", RequiredBy="worker.service", NeedDaemonReload="yes", TimeoutStopUSec="infinity",
        KillMode="process",
    )  # fmt: skip
    told = " ".join(units.notes(UNIT, systemd.add("ai-memory.socket").add("worker.service").show))
    for words in (
        "ai-memory.socket would start", "worker.service would stop", "daemon-reload", "infinity", "KillMode=process",
    ):  # fmt: skip
        assert words in told


def test_the_control_group_of_a_unit_that_does_not_run_is_in_its_slice() -> None:
    block = {"Id": "aimem@1.service", "Slice": "system-aimem.slice", "ControlGroup": ""}
    slices = {"system-aimem.slice": {"ControlGroup": "/system.slice/system-aimem.slice"}}
    assert units.control_group(block, slices) == "/system.slice/system-aimem.slice/aimem@1.service"
    assert units.control_group(block | {"ControlGroup": "/other"}, slices) == "/other"
    # If the slice is not running either, it contains no processes.
    assert units.control_group(block, {"system-aimem.slice": {"ControlGroup": ""}}) == ""


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("ai-memory.service", "ai-memory-failsafe"),
        ("aimem@8100.service", r"aimem\x408100-failsafe"),
        (r"aimem@a\x2db.service", r"aimem\x40a\x5cx2db-failsafe"),
    ],
)
def test_the_failsafe_has_a_name_that_is_no_instance_of_a_template(unit: str, name: str) -> None:
    assert units.failsafe(unit) == name
    assert units.probes(unit) == f"{name.removesuffix('failsafe')}probes"


def test_what_an_earlier_failsafe_starts_is_read_from_its_command() -> None:
    command = (
        "{ path=/usr/bin/systemctl ; argv[]=/usr/bin/systemctl start a.socket aimem@8100.service b.service ;"
        " ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }"
    )
    assert units.started_by(command) == ["a.socket", "aimem@8100.service", "b.service"]
    assert units.started_by("") == []
