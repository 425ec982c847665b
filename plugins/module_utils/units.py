"""A systemd unit and its relations: units that start it, units that stop with it, and obstacles to a restart."""

from __future__ import annotations

import os
import pwd
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# A unit with one of these properties sees different files than the host does.
FILES_OF_ITS_OWN = (
    "RootDirectory", "RootImage", "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "MountImages",
    "ExtensionImages", "ExtensionDirectories",
)  # fmt: skip
PROPERTIES = (
    "Id", "LoadState", "ActiveState", "UnitFileState", "FragmentPath", "Transient", "NeedDaemonReload",
    "RefuseManualStart", "RefuseManualStop", "KillMode", "TimeoutStopUSec", "Slice", "ControlGroup",
    "TriggeredBy", "RequiredBy", "BoundBy", "ConsistsOf", "PropagatesStopTo", "UpheldBy",
    "ExecCondition", "ExecStartPre", "ExecStart", "ExecSearchPath", "WorkingDirectory", "User", "DynamicUser",
    *FILES_OF_ITS_OWN,
)  # fmt: skip
# The directories in which systemd looks for a program given without a path (systemd.exec(5), ExecSearchPath=).
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The properties that list the units that stop with a unit, but do not start again with it.
FOLLOWERS = ("RequiredBy", "BoundBy", "ConsistsOf", "PropagatesStopTo")
DOWN = ("inactive", "failed")

Properties = Mapping[str, str]
# A function that returns the properties of units by their full names.
Show = Callable[[Sequence[str]], Mapping[str, Properties]]


@dataclass(frozen=True)
class Surroundings:
    """The running units that are related to a unit: ``triggers`` start it, and ``companions`` stop with it."""

    triggers: list[str] = field(default_factory=list)
    companions: list[str] = field(default_factory=list)


def parse(output: str, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the properties of each unit, by name, from the output of ``systemctl show`` for the units ``names``.

    Raises ValueError unless there is one block for each name.
    """
    blocks = [_block(text) for text in output.strip().split("\n\n")]
    return dict(zip(names, blocks, strict=True))


def _block(text: str) -> dict[str, str]:
    """Return the properties of one unit; a property with several entries has one line for each."""
    block: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, value = line.partition("=")
        block[name] = f"{block[name]}\n{value}" if name in block else value
    return block


def is_down(properties: Properties) -> bool:
    """Return whether a unit is stopped, that is, not running, starting or stopping."""
    return properties["ActiveState"] in DOWN


def surroundings(unit: str, show: Show) -> Surroundings:
    """Return, recursively, the running units that start the unit and those that stop with it."""
    found = Surroundings()
    known = {unit}
    # Each unit, and whether it starts another unit (True) or stops with one (False).
    waiting: list[tuple[str, bool]] = [(unit, False)]
    while waiting:
        properties = show([name for name, _ in waiting])
        following: list[tuple[str, bool]] = []
        for name, triggers in waiting:
            block = properties[name]
            if name != unit and is_down(block):
                continue
            if name != unit:
                (found.triggers if triggers else found.companions).append(name)
            following += [(other, True) for other in block.get("TriggeredBy", "").split()]
            following += [(other, False) for kind in FOLLOWERS for other in block.get(kind, "").split()]
        waiting = []
        for name, triggers in following:
            if name not in known:
                known.add(name)
                waiting.append((name, triggers))
    return found


class Files:
    """Checks of the files and users that the host needs to start a unit."""

    def exists(self, path: str) -> bool:
        """Return whether a file or directory exists."""
        return Path(path).exists()

    def runs(self, program: str, search: str = SEARCH_PATH) -> bool:
        """Return whether a program can be run: its file, and its interpreter's file if any, must be executable.

        ``search`` contains the directories in which to look for a program given without a path, separated by colons.
        """
        path = shutil.which(program, path=search)
        if path is None:
            return False
        with open(path, "rb") as file:
            first = file.readline(4096)
        words = os.fsdecode(first.removeprefix(b"#!")).split() if first.startswith(b"#!") else []
        return not words or os.access(words[0], os.X_OK)

    def is_user(self, name: str) -> bool:
        """Return whether a user exists; a numeric user needs no entry."""
        try:
            pwd.getpwnam(name)
        except KeyError:
            return name.isdigit()
        return True


def obstacles(unit: str, show: Show, files: Files | None = None) -> list[str]:
    """Return the reasons why ``systemctl stop`` or ``systemctl start`` of the unit or its triggers would fail.

    Each reason is one sentence with the remedy. A stopped unit without a unit file has no obstacle.
    """
    found = []
    around = surroundings(unit, show)
    names = [unit, *around.triggers]
    properties = show(names)
    for name in names:
        if properties[name]["LoadState"] != "not-found" or not is_down(properties[name]):
            found += _obstacles_of(name, properties[name], files or Files())
    upholding = properties[unit].get("UpheldBy", "").split()
    up = [name for name, block in show(upholding).items() if not is_down(block)] if upholding else []
    return found + [
        f"{name} starts {unit} again whenever it is stopped (Upholds=): stop {name} for the duration of the run."
        for name in up
    ]


def _obstacles_of(name: str, block: Properties, files: Files) -> list[str]:
    path = block.get("FragmentPath", "")
    if "masked" in (block["LoadState"], block["UnitFileState"].removesuffix("-runtime")):
        return [f"{name} is masked, so systemd would refuse to start it again: run systemctl unmask {name}"]
    if block.get("Transient") == "yes":
        lost = "disappears when it stops: install a unit file in /etc/systemd/system."
        return [f"{name} was created by systemd-run and {lost}"]
    if block["LoadState"] != "loaded":
        return [
            (
                f"systemd cannot read the unit file of {name} ({block['LoadState']}), so it cannot start {name}"
                f" again: correct the file, then run systemctl daemon-reload."
            )
        ]
    if path and not files.exists(path):
        return [
            f"{name} is running, but its file {path} is missing, so it could not be started again: restore the file."
        ]
    by_hand = [
        f"{name} cannot be {done} manually ({setting}=yes): set {setting}=no in a drop-in for the duration of the run."
        for setting, done in (("RefuseManualStop", "stopped"), ("RefuseManualStart", "started"))
        if block.get(setting) == "yes"
    ]
    return by_hand + [
        f"{name} could not be started again: {missing}. Restore it, or correct the unit file and run systemctl "
        "daemon-reload."
        for missing in _missing(block, files)
    ]


# A command as systemctl shows it; a command with the prefix "-" may fail and is omitted.
_COMMAND = re.compile(r"\{ path=(.*?) ; argv\[\]=.* ; ignore_errors=no ; ")


def _missing(block: Properties, files: Files) -> list[str]:
    """Return what the unit needs to start but the host lacks. Check files only if the unit sees the host's files."""
    found = []
    user = block.get("User", "")
    if user and block.get("DynamicUser") != "yes" and not files.is_user(user):
        found.append(f"the user {user} does not exist")
    if any(block.get(name) for name in FILES_OF_ITS_OWN):
        return found
    directory = block.get("WorkingDirectory", "")
    # A directory with the prefix "-" may be missing, and "~" is the user's home directory.
    if directory.startswith("/") and not files.exists(directory):
        found.append(f"its working directory {directory} is missing")
    commands = "\n".join(block.get(name, "") for name in ("ExecCondition", "ExecStartPre", "ExecStart"))
    search = block.get("ExecSearchPath", "").replace(" ", ":") or SEARCH_PATH
    return found + [f"{path} cannot be run" for path in _COMMAND.findall(commands) if not files.runs(path, search)]


def notes(unit: str, show: Show) -> list[str]:
    """Return, as sentences, what an operator should know about stopping and starting the unit."""
    around = surroundings(unit, show)
    block = show([unit])[unit]
    sentences = []
    if around.triggers:
        sentences.append(f"{_listed(around.triggers)} would start {unit}: the run stops it first, and starts it again.")
    if around.companions:
        sentences.append(f"{_listed(around.companions)} would stop with {unit}: the run starts it again.")
    if block.get("NeedDaemonReload") == "yes":
        sentences.append(
            f"The files of {unit} have changed since systemd loaded them, and systemd would start it with the old "
            "files: apply the change with systemctl daemon-reload."
        )
    if block.get("TimeoutStopUSec") == "infinity":
        sentences.append(
            f"{unit} has no time limit for its stop (TimeoutStopSec=infinity), and callers wait until it has stopped."
        )
    if block.get("KillMode") in ("process", "none"):
        sentences.append(
            f"A process of {unit} may survive the stop of the service (KillMode={block['KillMode']}): the run would"
            " then end and start the service again."
        )
    return sentences


def control_group(block: Properties, slices: Mapping[str, Properties]) -> str:
    """Return the control group of the unit's processes, including those left after its stop, or "" if it is unknown.

    ``slices`` contains the properties of the unit's slice: a unit that is not running has no control group itself.
    """
    if block.get("ControlGroup"):
        return block["ControlGroup"]
    above = slices.get(block.get("Slice", ""), {}).get("ControlGroup", "")
    return f"{above.rstrip('/')}/{block['Id']}" if above else ""


def failsafe(unit: str) -> str:
    """Return the name, without the suffix, of the transient units that start a unit if a run is lost."""
    return f"{_stem(unit)}-failsafe"


def renewal(unit: str) -> str:
    """Return the name, without the suffix, of the transient unit that renews the processes of a unit."""
    return f"{_stem(unit)}-renewal"


def probes(unit: str) -> str:
    """Return the name, without the suffix, of the transient unit that sends probes to a unit during a run."""
    return f"{_stem(unit)}-probes"


def _stem(unit: str) -> str:
    return re.sub(r"[^A-Za-z0-9:_.-]", lambda sign: _escaped(sign.group()), unit.removesuffix(".service"))


def _escaped(sign: str) -> str:
    """Return a character in the format of systemd-escape(1)."""
    return "".join(f"\\x{byte:02x}" for byte in sign.encode())


def started_by(command: str) -> list[str]:
    """Return the units that a failsafe starts, from its ExecStart as systemctl shows it."""
    found = re.search(r"argv\[\]=\S*systemctl start (.*?) ;", command)
    return [name.replace("\\\\", "\\") for name in found.group(1).split()] if found else []


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
