"""Commands on a terminal, and the lines that the terminal shows at the end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from dataclasses import dataclass

from lab import INVENTORIES, ROOT

COLUMNS = 80
CLEAR = "\x1b[2K"
COLOR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Screen:
    """The whole output to a terminal, and the exit status of the command."""

    written: str
    returncode: int

    @property
    def lines(self) -> list[str]:
        """Return the terminal's final lines, without colors."""
        return [_left(line) for line in self.written.replace("\r\n", "\n").split("\n")]

    @property
    def feet(self) -> list[str]:
        """Return the status lines that the bottom of the screen has shown, in order."""
        drawn = re.findall(re.escape(CLEAR) + r"([^\x1b\r\n]+)\r", self.written)
        return list(dict.fromkeys(drawn))


def _left(line: str) -> str:
    """Return the visible text of an overwritten line: a carriage return moves to its start, and CLEAR empties it."""
    left = ""
    for part in re.split(r"(\r|\x1b\[2K)", COLOR.sub("", line)):
        if part == CLEAR:
            left = ""
        elif part != "\r":
            left = part + left[len(part) :]
    return left.rstrip()


def on_a_terminal(*command: str, columns: int = COLUMNS, **variables: str) -> Screen:
    """Run a command on a terminal, by default with 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    environment |= {
        "TERM": "xterm", "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_INVENTORY": ",".join(str(ROOT / inventory) for inventory in INVENTORIES),
    } | variables  # fmt: skip
    for name in ("ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_NOCOLOR", "ANSIBLE_FORCE_COLOR"):
        environment.pop(name, None)
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    written = b""
    while block := _read(ours):
        written += block
    os.close(ours)
    return Screen(written.decode(), process.wait())


def _read(terminal: int) -> bytes:
    """Return the next output, or nothing once the last process has closed the terminal."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""
