"""The unit of a service as systemd has loaded it, and the environment for its next start."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shlex
import urllib.parse
from collections.abc import Callable
from typing import Any

# A function that runs a command line and returns its output, or raises an error if the command fails.
Run = Callable[..., str]

URL = re.compile(r"postgres(ql)?(\+[a-z0-9]+)?://")
PROPERTIES = ("LoadState", "ActiveState", "MainPID", "User", "ControlGroup", "TasksCurrent", "ExecStart")


def show(run: Run, unit: str) -> dict[str, str]:
    """Return PROPERTIES of ``unit`` (with its suffix), as systemctl shows them."""
    shown = run("systemctl", "show", f"--property={','.join(PROPERTIES)}", unit)
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def program(shown: str) -> str:
    """Return the program in the property ExecStart, or "" if there is none."""
    found = re.match(r"\{ path=(.*?) ; argv", shown)
    return found[1] if found else ""


def object_path(unit: str) -> str:
    """Return the path of a unit's D-Bus object. Characters other than letters and digits become codes."""
    escaped = "".join(
        char if re.fullmatch("[A-Za-z]", char) or (at and re.fullmatch("[0-9]", char)) else f"_{ord(char):02x}"
        for at, char in enumerate(unit)
    )
    return f"/org/freedesktop/systemd1/unit/{escaped}"


def next_environment(run: Run, unit: str) -> list[tuple[str, dict[str, str]]]:
    """Return the sources of the unit's environment for its next start, highest precedence first.

    Each source has a name and the variables that it sets. Variables that the unit unsets are not included
    (systemd.exec(5), "Environment"). Raises OSError if a required file cannot be read.
    """
    names = ("Environment", "EnvironmentFiles", "PassEnvironment", "UnsetEnvironment")
    given, files, passed, unset = _properties(run, object_path(unit), "Service", names)
    (manager,) = _properties(run, "/org/freedesktop/systemd1", "Manager", ("Environment",))
    sources = [("systemd's own environment", _pairs(manager))]
    if passed:
        with open("/proc/1/environ", "rb") as file:
            own = _pairs([os.fsdecode(entry) for entry in file.read().split(b"\0")])
        sources.append(("PassEnvironment=", {name: own[name] for name in passed if name in own}))
    sources.append(("Environment=", _pairs(given)))
    for pattern, optional in files:
        found = sorted(glob.glob(pattern))
        if not found and not optional:
            raise FileNotFoundError(2, "No such file or directory", pattern)
        for path in found:
            with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
                sources.append((path, parse(file.read())))
    for entry in unset:
        name, separator, value = entry.partition("=")
        for _, pairs in sources:
            if name in pairs and (not separator or pairs[name] == value):
                del pairs[name]
    return sources[::-1]


def logins(run: Run) -> list[dict[str, str]]:
    """Return the logins of the PostgreSQL URLs in the environments of all loaded services.

    Each has ``unit``, ``user``, ``host`` and ``database``. Passwords of other services do not leave the server. Files
    that cannot be read are skipped.
    """
    shown = run("systemctl", "show", "--property=Id,Environment,EnvironmentFiles", "--", "*.service")
    found = []
    for block in shown.split("\n\n"):
        properties = [line.partition("=") for line in block.splitlines()]
        unit = next((value for name, _, value in properties if name == "Id"), "")
        values = [value for name, _, text in properties for value in _values(name, text)]
        found += [{"unit": unit, **login} for value in values if URL.match(value) for login in _logins(value)]
    return found


def _logins(url: str) -> list[dict[str, str]]:
    """Return the login in a URL; the list is empty if the URL has no user or cannot be parsed."""
    try:
        parts = urllib.parse.urlsplit(url)
        given = dict(urllib.parse.parse_qsl(parts.query))
        user, host = parts.username or given.get("user"), parts.hostname or given.get("host", "")
    except ValueError:
        return []
    named = {"user": user or "", "host": host, "database": parts.path[1:] or given.get("dbname", "")}
    return [{name: urllib.parse.unquote(value) for name, value in named.items()}] if user else []


def _values(name: str, text: str) -> list[str]:
    """Return the values of the variables in a property of a unit, or in the files that the property lists."""
    if name == "Environment":
        with contextlib.suppress(ValueError):
            return list(_pairs(shlex.split(text)).values())
    if name == "EnvironmentFiles":
        found: list[str] = []
        for path in sorted(glob.glob(text.rpartition(" (ignore_errors=")[0])):
            with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace", newline="") as file:
                found += parse(file.read()).values()
        return found
    return []


def _properties(run: Run, path: str, interface: str, names: tuple[str, ...]) -> list[Any]:
    """Return properties of a D-Bus object."""
    shown = run(
        "busctl", "--json=short", "get-property", "org.freedesktop.systemd1", path,
        f"org.freedesktop.systemd1.{interface}", *names,
    )  # fmt: skip
    return [json.loads(line)["data"] for line in shown.split("\n") if line]


def _pairs(entries: list[str]) -> dict[str, str]:
    return {name: value for name, separator, value in (entry.partition("=") for entry in entries) if separator}


def parse(text: str) -> dict[str, str]:
    """Return the variables of an EnvironmentFile= as systemd reads it (systemd.exec(5)); other programs may differ."""
    return {name: value for name, value in _assignments(text) if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)}


def _assignments(text: str) -> list[tuple[str, str]]:
    """Return names and values in order. A quote may open at the start of a value, or after a closing quote."""
    found: list[tuple[str, str]] = []
    state, name, value, kept = "before", "", "", 0
    for char in text + "\n":
        end = char in "\r\n"
        if state == "before":
            if char in "#;":
                state = "comment"
            elif not char.isspace():
                state, name = "name", char
        elif state == "name":
            if end:
                state = "before"
            elif char == "=":
                state, value, kept = "blank", "", 0
            else:
                name += char
        elif state in ("blank", "plain"):
            if end:
                # Spaces after a value are dropped, except those that were quoted or escaped.
                found.append((name.rstrip(), value[:kept] + value[kept:].rstrip()))
                state = "before"
            elif state == "blank" and char in "'\"":
                state = char
            elif char == "\\":
                state = "escape"
            elif state == "plain" or not char.isspace():
                state, value = "plain", value + char
        elif state == "escape":
            state, value = "plain", value + ("" if end else char)
            kept = len(value)
        elif state == "'":
            if char == "'":
                state, kept = "blank", len(value)
            else:
                value += char
        elif state == '"':
            if char == '"':
                state, kept = "blank", len(value)
            elif char == "\\":
                state = "quoted escape"
            else:
                value += char
        elif state == "quoted escape":
            state, value = '"', value + (char if char in '"\\`$' else "" if end else f"\\{char}")
        elif state == "comment":
            # From systemd 254 on, a backslash does not continue a comment.
            state = "before" if end else "comment"
    if state in ("'", '"', "quoted escape"):
        # The text that was parsed ends with an added line break, which is removed from an unclosed quote.
        found.append((name.rstrip(), value.removesuffix("\n")))
    return found
