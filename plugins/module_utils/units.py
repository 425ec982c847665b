"""A systemd unit among others: what starts it, what goes down with it, what keeps it from being stopped or started."""

from __future__ import annotations

import os
import pwd
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# With one of them a unit sees other files than the host.
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
# Where systemd looks for a program that is named without its directory (systemd.exec(5), ExecSearchPath=).
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Units of these relations go down with a unit, and do not come back with it.
FOLLOWERS = ("RequiredBy", "BoundBy", "ConsistsOf", "PropagatesStopTo")
DOWN = ("inactive", "failed")

Properties = Mapping[str, str]
# Asks systemd for units by their full names.
Show = Callable[[Sequence[str]], Mapping[str, Properties]]


@dataclass(frozen=True)
class Surroundings:
    """The running units around a unit: ``triggers`` start it, ``companions`` go down with it."""

    triggers: list[str] = field(default_factory=list)
    companions: list[str] = field(default_factory=list)


def parse(output: str, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the properties of each unit from the output of ``systemctl show`` of ``names``, in their order.

    Raises ValueError where there is not one block a name.
    """
    blocks = [_block(text) for text in output.strip().split("\n\n")]
    return dict(zip(names, blocks, strict=True))


def _block(text: str) -> dict[str, str]:
    """Return the properties of one unit; a property that stands there several times has a line each."""
    block: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, value = line.partition("=")
        block[name] = f"{block[name]}\n{value}" if name in block else value
    return block


def is_down(properties: Properties) -> bool:
    """Say whether a unit neither runs nor starts nor stops."""
    return properties["ActiveState"] in DOWN


def surroundings(unit: str, show: Show) -> Surroundings:
    """Return what starts the unit and what goes down with it, and so on for the latter; only what is not down."""
    found = Surroundings()
    known = {unit}
    # Each with whether it starts another one, or goes down with it.
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
    """What a start needs of the host."""

    def exists(self, path: str) -> bool:
        """Say whether there is such a file or directory."""
        return Path(path).exists()

    def runs(self, program: str, search: str = SEARCH_PATH) -> bool:
        """Say whether a program can be run, as far as its file and that of its interpreter tell.

        ``search`` names the directories of one without a directory of its own, with colons between them.
        """
        path = shutil.which(program, path=search)
        if path is None:
            return False
        with open(path, "rb") as file:
            first = file.readline(4096)
        words = os.fsdecode(first.removeprefix(b"#!")).split() if first.startswith(b"#!") else []
        return not words or os.access(words[0], os.X_OK)

    def is_user(self, name: str) -> bool:
        """Say whether there is such a user; a number needs none."""
        try:
            pwd.getpwnam(name)
        except KeyError:
            return name.isdigit()
        return True


def obstacles(unit: str, show: Show, files: Files | None = None) -> list[str]:
    """Return why ``systemctl stop`` or ``systemctl start`` of the unit, or of what triggers it, would fail.

    One sentence each, with the remedy. A unit that systemd does not know at all, and that does not run, has none.
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
        f"{name} starts {unit} again whenever it is stopped (Upholds=): stop {name} for the time of the run."
        for name in up
    ]


def _obstacles_of(name: str, block: Properties, files: Files) -> list[str]:
    path = block.get("FragmentPath", "")
    if "masked" in (block["LoadState"], block["UnitFileState"].removesuffix("-runtime")):
        return [f"{name} is masked, so systemd would refuse to start it again: systemctl unmask {name}"]
    if block.get("Transient") == "yes":
        return [
            f"{name} was made by systemd-run and is gone once it is stopped: install its file in /etc/systemd/system."
        ]
    if block["LoadState"] != "loaded":
        return [
            (
                f"systemd cannot read the file of {name} ({block['LoadState']}) and would refuse to start it again:"
                f" correct it, then systemctl daemon-reload."
            )
        ]
    if path and not files.exists(path):
        return [
            f"{name} runs, but its file {path} is gone, so that it could not be started again: bring the file back."
        ]
    by_hand = [
        f"{name} may not be {done} by hand ({setting}=yes): set {setting}=no in a drop-in for the time of the run."
        for setting, done in (("RefuseManualStop", "stopped"), ("RefuseManualStart", "started"))
        if block.get(setting) == "yes"
    ]
    return by_hand + [
        f"{name} could not be started again: {missing}. Bring it back, or correct the unit's file and"
        " systemctl daemon-reload."
        for missing in _missing(block, files)
    ]


# A command as systemctl shows it; what begins with "-" may fail.
_COMMAND = re.compile(r"\{ path=(.*?) ; argv\[\]=.* ; ignore_errors=no ; ")


def _missing(block: Properties, files: Files) -> list[str]:
    """Return what the start of a unit needs and the host has not, where the unit sees the host's files."""
    found = []
    user = block.get("User", "")
    if user and block.get("DynamicUser") != "yes" and not files.is_user(user):
        found.append(f"there is no user {user}")
    if any(block.get(name) for name in FILES_OF_ITS_OWN):
        return found
    directory = block.get("WorkingDirectory", "")
    # One that begins with another sign may be missing, or is the user's home.
    if directory.startswith("/") and not files.exists(directory):
        found.append(f"its working directory {directory} is gone")
    commands = "\n".join(block.get(name, "") for name in ("ExecCondition", "ExecStartPre", "ExecStart"))
    search = block.get("ExecSearchPath", "").replace(" ", ":") or SEARCH_PATH
    return found + [f"{path} cannot be run" for path in _COMMAND.findall(commands) if not files.runs(path, search)]


def notes(unit: str, show: Show) -> list[str]:
    """Return what an operator should know of the stop and the start of the unit, one sentence each."""
    around = surroundings(unit, show)
    block = show([unit])[unit]
    sentences = []
    if around.triggers:
        sentences.append(f"{_listed(around.triggers)} would start {unit}: stopped before it, started again with it.")
    if around.companions:
        sentences.append(f"{_listed(around.companions)} would go down with {unit}: started again with it.")
    if block.get("NeedDaemonReload") == "yes":
        sentences.append(
            f"The files of {unit} changed since systemd read them, and it starts as systemd knows it: systemctl"
            " daemon-reload brings the change."
        )
    if block.get("TimeoutStopUSec") == "infinity":
        sentences.append(f"{unit} is given any time to stop (TimeoutStopSec=infinity), and callers wait as long.")
    if block.get("KillMode") in ("process", "none"):
        sentences.append(
            f"A process of {unit} may survive its stop (KillMode={block['KillMode']}): the run would end there and"
            " start it again."
        )
    return sentences


def control_group(block: Properties, slices: Mapping[str, Properties]) -> str:
    """Return where the unit's processes are, also those that its stop left; "" where that cannot be told.

    ``slices`` holds what systemd says of the unit's slice: a unit that does not run names no control group itself.
    """
    if block.get("ControlGroup"):
        return block["ControlGroup"]
    above = slices.get(block.get("Slice", ""), {}).get("ControlGroup", "")
    return f"{above.rstrip('/')}/{block['Id']}" if above else ""


def failsafe(unit: str) -> str:
    """Return the name, without its type, of the transient units that start a unit when a run is lost."""
    return re.sub(r"[^A-Za-z0-9:_.-]", lambda sign: _escaped(sign.group()), unit.removesuffix(".service")) + "-failsafe"


def _escaped(sign: str) -> str:
    """Return a character as systemd-escape(1) writes it."""
    return "".join(f"\\x{byte:02x}" for byte in sign.encode())


def started_by(command: str) -> list[str]:
    """Return the units that a failsafe starts, from its ExecStart as systemctl shows it."""
    found = re.search(r"argv\[\]=\S*systemctl start (.*?) ;", command)
    return [name.replace("\\\\", "\\") for name in found.group(1).split()] if found else []


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
