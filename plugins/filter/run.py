"""Filters about the run itself: how ansible-playbook was called, how far it is, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible import context
from ansible.errors import AnsibleFilterError

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import result, summary, webhook

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


def are_batches(value: object) -> bool:
    """Say whether the value of ``run_batches`` is a number of hosts, a percentage, or a list of both, at least 1."""
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(re.fullmatch(r"[1-9][0-9]*|([1-9][0-9]?|100)%", str(item)) for item in items)


def _results(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the role report returned of the hosts whose run began."""
    return {name: hostvars[name]["report_result"] for name in hosts if "report_result" in hostvars[name]}


def begun_hosts(hosts: list[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the hosts whose run began."""
    return list(_results(hosts, hostvars))


def unsuccessful_hosts(hosts: list[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the hosts whose run began and did not end in SUCCESS."""
    return summary.unsuccessful(hosts, _results(hosts, hostvars))


def hosts_summary(hosts: list[str], hostvars: Mapping[str, Mapping[str, Any]], check_mode: bool) -> list[str]:
    """Return lines that say how each host ended."""
    return summary.of_hosts(hosts, _results(hosts, hostvars), check_mode=check_mode)


def run_questions(hosts: list[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what is to be confirmed, of each host that has something to confirm."""
    return [hostvars[name]["__report_question"] for name in hosts if "__report_question" in hostvars[name]]


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "of_whole_run": of_whole_run,
            "are_batches": are_batches,
            "add_stages": result.add_stages,
            "fail_run": result.fail,
            "failed_in_start": result.failed_in_start,
            "fail_recovery": result.fail_recovery,
            "fail_service": result.fail_service,
            "run_questions": run_questions,
            "begun_hosts": begun_hosts,
            "unsuccessful_hosts": unsuccessful_hosts,
            "hosts_summary": hosts_summary,
            "webhook_problem": webhook.problem,
        }
