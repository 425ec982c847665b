"""Filters for the run itself: the ansible-playbook command line, the progress, and the messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleFilterError

from ansible_collections.aimemory.tenancy.plugins.plugin_utils import installed
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import (
    comparison,
    result,
    summary,
    timer,
    webhook,
)

# Only these tags can omit tasks, because no task defines tags. Molecule always skips two other tags.
SPECIAL_TAGS = {"all", "always", "never", "tagged", "untagged"}
# Options that only show tasks, hosts or tags.
SHOWING = ("listtasks", "listtags", "listhosts", "syntax")


def left_out_by(arguments: Mapping[str, Any]) -> str:
    """Return the options in ``arguments`` that omit tasks, as typed for ansible-playbook.

    Return "" if all tasks run, or if an option in SHOWING prevents the run.
    """
    if any(arguments.get(name) for name in SHOWING):
        return ""
    given = {
        "--tags": [tag for tag in arguments.get("tags") or () if tag != "all"],
        "--skip-tags": [tag for tag in arguments.get("skip_tags") or () if tag in SPECIAL_TAGS],
        "--start-at-task": [arguments["start_at_task"]] if arguments.get("start_at_task") else [],
        "--step": [""] if arguments.get("step") else [],
    }
    return ", ".join(f"{option} {','.join(values)}".strip() for option, values in given.items() if values)


def of_whole_run(pattern: str, directory: str) -> str:
    """Return ``pattern``, the hosts of a play, if the run executes every task. Otherwise, raise AnsibleFilterError.

    ``directory`` is the playbook's directory, which must belong to the same copy of the collection as this filter.
    Ansible evaluates ``hosts`` before it selects tasks, so no tag and no start task can skip the check.
    """
    root = Path(directory).resolve().parent
    if root != installed.ROOT:
        raise AnsibleFilterError(
            f"The playbook is in {root}, but Ansible finds the collection in {installed.ROOT}: both must belong to"
            " the same copy. In a checkout, run the playbook from the root directory. Otherwise, specify the playbook's"
            " full name, such as aimemory.tenancy.migrate. Nothing was changed."
        )
    options = left_out_by(context.CLIARGS)
    if options:
        raise AnsibleFilterError(
            f"{options} would skip tasks that keep a run safe: run the playbook without {options}. Nothing was changed."
        )
    return pattern


def are_batches(value: object) -> bool:
    """Return whether ``value`` (run_batches) is a number of hosts (at least 1), a percentage, or a list of these."""
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(re.fullmatch(r"[1-9][0-9]*|([1-9][0-9]?|100)%", str(item)) for item in items)


def _results(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the results of the report role, by host, for the hosts whose run started."""
    return {name: hostvars[name]["report_result"] for name in hosts if "report_result" in hostvars[name]}


def begun_hosts(hosts: list[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the hosts whose run started."""
    return list(_results(hosts, hostvars))


def unsuccessful_hosts(hosts: list[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the hosts whose run started and did not end in SUCCESS."""
    return summary.unsuccessful(hosts, _results(hosts, hostvars))


def hosts_summary(hosts: list[str], hostvars: Mapping[str, Mapping[str, Any]], check_mode: bool) -> list[str]:
    """Return a heading, and a line with the outcome of each host. ``check_mode`` is whether the run is a dry run."""
    return summary.of_hosts(hosts, _results(hosts, hostvars), check_mode=check_mode)


def run_questions(hosts: list[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the prompts for the hosts that have changes to confirm."""
    return [hostvars[name]["__report_question"] for name in hosts if "__report_question" in hostvars[name]]


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "of_whole_run": of_whole_run,
            "are_batches": are_batches,
            "begin_phase": result.begin_phase,
            "add_stages": result.add_stages,
            "fail_run": result.fail,
            "failed_after_change": result.failed_after_change,
            "fail_recovery": result.fail_recovery,
            "fail_service": result.fail_service,
            "run_questions": run_questions,
            "begun_hosts": begun_hosts,
            "unsuccessful_hosts": unsuccessful_hosts,
            "hosts_summary": hosts_summary,
            "restore_comparison": comparison.lines,
            "written_since_query": comparison.written_since_query,
            "webhook_problem": webhook.problem,
            "watch_service": timer.service,
            "watch_timer": timer.timer,
            "watch_unsafe": timer.unsafe,
        }
