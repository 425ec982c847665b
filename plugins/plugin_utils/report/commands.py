"""Write the commands that the operator can run after a run that changed the database."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from .. import installed

ROLL_BACK = ("policies", "schema", "restore")


def playbook(facts: Mapping[str, Any]) -> str:
    """Return the ansible-playbook command, without a playbook, with the inventory and host of a run as options.

    Without these options, a command applies to all production hosts. The options come first, so that even a partly
    copied command does not apply to production. ``facts`` are as in ``record.build``.
    """
    root, sources = facts["root"], facts["inventories"]
    default = facts["default_inventory"]
    is_default = default and list(sources) == [f"{root}/{default}"]
    given = [] if is_default else [near(source, root) for source in sources]
    is_limited = given or facts["limit"] is not None or len(facts["hosts"]) > 1
    limit = ["-l", facts["host"]] if is_limited else []
    return " ".join(["ansible-playbook", *(f"-i {shlex.quote(source)}" for source in given), *limit])


def near(path: str, root: str) -> str:
    """Return ``path`` relative to the directory ``root``, in which the operator works."""
    return path.replace(f"{root}/", "")


def following(start: str, kind: str, mode: str = "") -> list[dict[str, str]]:
    """Return the commands, each with label and command, that are possible after a run that changed the database.

    ``start`` is the ansible-playbook command with inventory and limit. ``kind`` is the kind of the run, and ``mode`` is
    its rollback mode. Raises KeyError for any other kind or mode.
    """
    first = ("Migrate:", "migrate") if kind == "rollback" else ("Verify:", "verify")
    commands, rollback = [(first[0], installed.playbook(first[1]))], installed.playbook("rollback")
    back = [
        ("" if number else "Roll back:", f"{rollback} -e rollback_mode={name}")
        for number, name in enumerate(modes(kind, mode))
    ]
    return [{"label": label, "command": f"{start} {command}"} for label, command in (*commands, *back)]


def modes(kind: str, mode: str = "") -> tuple[str, ...]:
    """Return the rollback modes that remain possible after a run of this kind and mode.

    Raises KeyError for any other kind or mode.
    """
    if kind in ("migrate", "enforce"):
        return ROLL_BACK
    if kind == "rollback" and mode in ROLL_BACK:
        return ROLL_BACK[ROLL_BACK.index(mode) + 1 :]
    raise KeyError((kind, mode))
