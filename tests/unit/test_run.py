"""The options, batches, phases and structure of the playbooks, and the operator's name."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.aimemory.tenancy.plugins.filter import run
from ansible_collections.aimemory.tenancy.plugins.lookup import operator
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import result
from production import ROOT


@pytest.mark.parametrize(
    ("arguments", "left_out_by"),
    [
        ({}, ""),
        ({"tags": ("all",), "skip_tags": (), "start_at_task": None, "step": None}, ""),
        ({"tags": ("foo",)}, "--tags foo"),
        ({"tags": ("all", "never")}, "--tags never"),
        ({"tags": ("always",), "skip_tags": ("always", "x")}, "--tags always, --skip-tags always"),
        ({"tags": ("all",), "skip_tags": ("molecule-notest", "notest")}, ""),
        ({"start_at_task": "run | Release the lock"}, "--start-at-task run | Release the lock"),
        ({"step": True}, "--step"),
        ({"tags": ("foo",), "listtasks": True}, ""),
        ({"step": True, "syntax": True}, ""),
    ],
)
def test_what_leaves_tasks_out_is_named(arguments: dict[str, Any], left_out_by: str) -> None:
    assert run.left_out_by(arguments) == left_out_by


@pytest.mark.parametrize("playbook", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.stem)
def test_every_playbook_checks_the_checkout_first(playbook: Any) -> None:
    plays = yaml.safe_load(playbook.read_text())
    if playbook.stem == "checkout":
        assert "aimemory.tenancy.of_whole_run" in plays[0]["hosts"]
    else:
        assert plays[0]["ansible.builtin.import_playbook"] == "checkout.yml"


@pytest.mark.parametrize("value", [1, "1", "50%", "100%", [1, "25%", "100%"]])
def test_batches_are_numbers_or_percentages(value: object) -> None:
    assert run.are_batches(value)


@pytest.mark.parametrize(
    "value", [0, "", [], [[1]], "0%", "101%", "-1", 1.5, "one", "1 host", [1, 0], [1, "x"], ["50%", "1\n"]]
)
def test_nothing_else_is_a_batch(value: object) -> None:
    assert not run.are_batches(value)


def phases() -> list[tuple[str, str]]:
    """Return the file and the name of each phase that a playbook starts."""
    files = [*ROOT.glob("playbooks/*.yml"), *ROOT.glob("playbooks/tasks/*.yml")]
    return [
        (str(path), name)
        for path in files
        for name in re.findall(r"begin_phase.yml\n +vars: \{report_phase: (.*)\}", path.read_text())
    ]


def asked_for() -> dict[str, set[str]]:
    """Return the names of the phases that templates, code and README.md use, by file."""
    templates = ROOT.glob("plugins/plugin_utils/report/*.j2")
    return {
        **{path.name: set(re.findall(r"(?:done|reached)\('(\w*)'\)", path.read_text())) for path in templates},
        "result.py": set(result.AFTER),
        "README.md": told(),
    }


def stages() -> set[str]:
    """Return the phases that a call of the cutover module starts."""
    return set(re.findall(r'_stage\("(\w*)"\)', (ROOT / "plugins/modules/cutover.py").read_text()))


def told() -> set[str]:
    """Return the phases that README.md explains."""
    [table] = re.findall(r"\| phase \| what happens \|\n\|---\|---\|\n((?:\|.*\n)+)", (ROOT / "README.md").read_text())
    return {line.split("|")[1].strip() for line in table.splitlines()}


def test_only_phases_that_a_playbook_starts_are_used() -> None:
    begun = {name for _, name in phases()} | stages()
    text = "".join(path.read_text() for path in ROOT.glob("playbooks/**/*.yml"))
    assert text.count("report_phase:") == len(phases())
    assert {file: names - begun for file, names in asked_for().items() if names - begun} == {}
    assert all(names for file, names in asked_for().items() if file != "report.html.j2")


def imported(tasks: list[dict[str, Any]]) -> list[str]:
    """Return the name of the file that each task imports or includes, or "" for another task."""
    kinds = ("ansible.builtin.import_tasks", "ansible.builtin.include_tasks")
    return [Path(next((task[kind] for kind in kinds if kind in task), "")).name for task in tasks]


@pytest.mark.parametrize("name", ["migrate", "rollback", "enforce", "backup", "tasks/rehearsal"])
def test_every_run_ends_with_its_record_and_one_outcome(name: str) -> None:
    found = yaml.safe_load((ROOT / f"playbooks/{name}.yml").read_text())
    tasks = found if name.startswith("tasks/") else found[1]["tasks"]
    [run_] = [task for task in tasks if "block" in task]
    assert imported(run_["rescue"]) == ["fail.yml"]
    assert imported(run_["always"]) == ["close.yml"]
    assert imported(tasks)[-1] == "end.yml"
    # A dry run skips the lock and all changes.
    changing = [
        task
        for task, file in zip(run_["block"], imported(run_["block"]), strict=True)
        if "block" in task or file not in ("", "begin_phase.yml")
    ]
    assert len(changing) >= 2
    assert all("not ansible_check_mode" in task["when"] for task in changing)


@pytest.mark.parametrize("name", ["rehearse", "describe"])
def test_a_draft_is_tried_as_a_rehearsal_is_made(name: str) -> None:
    text = (ROOT / f"playbooks/{name}.yml").read_text()
    assert "ansible.builtin.import_tasks: tasks/rehearsal.yml" in text


def test_two_tasks_alone_end_the_run_of_other_hosts_once_it_has_begun() -> None:
    files = [*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("roles/*/tasks/*.yml")]
    fatal = {path.relative_to(ROOT).as_posix() for path in files if "any_errors_fatal: true" in path.read_text()}
    before = {"playbooks/checkout.yml"}
    assert fatal - before == {"playbooks/tasks/end.yml", "roles/report/tasks/earlier.yml"}


def test_no_file_begins_a_phase_twice() -> None:
    assert len(phases()) == len(set(phases()))


def test_the_operator_has_a_name_without_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    name = pwd.getpwuid(os.getuid()).pw_name
    assert operator.name({"USER": "ann", "LOGNAME": "bob"}) == "ann"
    assert operator.name({"USER": "", "LOGNAME": "bob"}) == "bob"
    assert operator.name({}) == name
    monkeypatch.setattr(os, "getuid", lambda: 2_000_000_000)
    assert operator.name({}) == "user 2000000000"


def test_no_task_bears_a_tag() -> None:
    """Tasks have no tags, so --skip-tags cannot omit any of them."""
    files = [
        *ROOT.glob("playbooks/**/*.yml"),
        *ROOT.glob("roles/*/tasks/*.yml"),
        ROOT / "migrate.yml",
        ROOT / "rollback.yml",
    ]
    assert len(files) > 50
    assert [path for path in files if re.search(r"^\s*(- )?tags:", path.read_text(), re.MULTILINE)] == []
