"""Filters about the run itself: how ansible-playbook was called, and what may be called next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible import context
from ansible.errors import AnsibleFilterError

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import webhook

ROLL_BACK = ("policies", "schema", "restore")
# No task bears a tag of its own, so that to skip another name leaves nothing out (Molecule always skips two).
SPECIAL_TAGS = {"all", "always", "never", "tagged", "untagged"}
# What shows tasks, hosts or tags, and does nothing.
SHOWING = ("listtasks", "listtags", "listhosts", "syntax")


def left_out_by(arguments: Mapping[str, Any]) -> str:
    """Return the options of ansible-playbook by which tasks are left out, as they are typed; nothing if all are run."""
    if any(arguments.get(name) for name in SHOWING):
        return ""
    given = {
        "--tags": [tag for tag in arguments.get("tags") or () if tag != "all"],
        "--skip-tags": [tag for tag in arguments.get("skip_tags") or () if tag in SPECIAL_TAGS],
        "--start-at-task": [arguments["start_at_task"]] if arguments.get("start_at_task") else [],
        "--step": [""] if arguments.get("step") else [],
    }
    return ", ".join(f"{option} {','.join(values)}".strip() for option, values in given.items() if values)


def of_whole_run(pattern: str) -> str:
    """Return the pattern of a play's hosts, if every task of the run is carried out; raise AnsibleFilterError if not.

    In ``hosts`` it is worked out before any task is chosen, so that no tag and no start leaves it out.
    """
    options = left_out_by(context.CLIARGS)
    if options:
        raise AnsibleFilterError(
            f"{options} would leave out tasks without which a run is not safe: call the playbook without it; nothing"
            " was touched."
        )
    return pattern


def next_commands(playbook: str, kind: str, mode: str = "") -> list[dict[str, str]]:
    """Return what may be called after a run that changed the database, as label and command; never nothing.

    ``playbook`` is ansible-playbook with inventory and limit, ``kind`` that of the run, ``mode`` what it rolled back.
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
    return [{"label": label, "command": f"{playbook} {command}"} for label, command in (*commands, *back)]


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"of_whole_run": of_whole_run, "next_commands": next_commands, "webhook_problem": webhook.problem}
