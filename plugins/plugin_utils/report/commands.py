"""What the operator may type after a run that changed the database."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

ROLL_BACK = ("policies", "schema", "restore")


def playbook(facts: Mapping[str, Any]) -> str:
    """Return ansible-playbook with the inventory and the host of the run whose ``facts`` these are (see ``record``).

    Without them it would mean production, and every host there. They come first, so that a command that is copied by
    half means nothing else.
    """
    root, sources = facts["root"], facts["inventories"]
    is_default = list(sources) == [f"{root}/{facts['default_inventory']}"]
    given = [] if is_default else [near(source, root) for source in sources]
    is_limited = given or facts["limit"] is not None or len(facts["hosts"]) > 1
    limit = ["-l", facts["host"]] if is_limited else []
    return " ".join(["ansible-playbook", *(f"-i {shlex.quote(source)}" for source in given), *limit])


def near(path: str, root: str) -> str:
    """Return a path as it is typed in the repository's root."""
    return path.replace(f"{root}/", "")


def following(start: str, kind: str, mode: str = "") -> list[dict[str, str]]:
    """Return what may be called after a run that changed the database, as label and command; never nothing.

    ``start`` is ansible-playbook with inventory and limit, ``kind`` that of the run, ``mode`` what it rolled back.
    Raises KeyError for a run that has nothing to go on with.
    """
    modes: tuple[str, ...]
    if kind in ("migrate", "enforce"):
        commands, modes = [("Verify:", "playbooks/verify.yml")], ROLL_BACK
    elif kind == "rollback" and mode in ROLL_BACK:
        # What goes back further.
        commands, modes = [("Migrate:", "migrate.yml")], ROLL_BACK[ROLL_BACK.index(mode) + 1 :]
    else:
        raise KeyError((kind, mode))
    back = [
        ("" if number else "Roll back:", f"rollback.yml -e rollback_mode={name}") for number, name in enumerate(modes)
    ]
    return [{"label": label, "command": f"{start} {command}"} for label, command in (*commands, *back)]
