"""AWX's configuration: the modules accept it, AWX accepts the surveys, and the playbooks and variables exist."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.connection import ssh
from ansible.template import Templar

import awx_schema
import variables
from production import ROOT

CONFIRMATIONS = {"migrate_confirm", "rollback_confirm", "enforce_confirm"}
# The Python type that AWX requires for the answer to each type of survey question.
QUESTION_TYPES = {"text": str, "textarea": str, "password": str, "multiplechoice": str, "integer": int, "float": float}


def load() -> list[tuple[str, dict[str, Any]]]:
    """Return the module and the arguments of every task, templated with the default settings."""
    loader = DataLoader()
    (play,) = loader.load_from_file(str(ROOT / "awx/configure.yml"), trusted_as_template=True)
    settings = loader.load_from_file(str(ROOT / "awx/settings.yml"), trusted_as_template=True)
    templar = Templar(loader, variables=settings)
    tasks = []
    for task in play["tasks"]:
        (module,) = set(task) - {"name"}
        arguments = play["module_defaults"].get(module, {}) | task[module]
        tasks.append((module.removeprefix("awx.awx."), templar.template(arguments)))
    return tasks


TASKS = load()
TEMPLATES = {task["name"]: task for module, task in TASKS if module == "job_template"}
(SCHEDULE,) = [task for module, task in TASKS if module == "schedule"]
(WORKFLOW,) = [task for module, task in TASKS if module == "workflow_job_template"]
NODES = {node["identifier"]: node for node in WORKFLOW["workflow_nodes"]}
SPECS = {name: option for role in variables.ROLES for name, option in variables.specs(role).items()}
SURVEYED = [name for name, task in TEMPLATES.items() if task["survey_enabled"]]


def connection_variables() -> set[str]:
    """Return the variables of Ansible's SSH connection plugin."""
    options = yaml.safe_load(ssh.DOCUMENTATION)["options"]
    return {var["name"] for option in options.values() for var in option.get("vars", [])}


def questions(template: str) -> dict[str, dict[str, Any]]:
    """Return the questions of a job template by their variables."""
    return {question["variable"]: question for question in TEMPLATES[template].get("survey_spec", {}).get("spec", [])}


@pytest.mark.parametrize(("module", "arguments"), TASKS, ids=[f"{module}: {task['name']}" for module, task in TASKS])
def test_the_module_takes_the_arguments(module: str, arguments: dict[str, Any]) -> None:
    judged = ArgumentSpecValidator(awx_schema.kept()[module]).validate(arguments)
    assert judged.error_messages == []
    assert judged.unsupported_parameters == set()


@pytest.mark.skipif(not awx_schema.installed(), reason="this release of the bundle is without awx.awx")
def test_what_is_kept_of_the_modules_is_what_they_take() -> None:
    assert awx_schema.read() == awx_schema.kept(), "run tests/unit/awx_schema.py"


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_playbook_exists(name: str) -> None:
    playbook = ROOT / TEMPLATES[name]["playbook"]
    # Jobs run the playbooks in playbooks/. Those in the root directory only import them.
    assert playbook.parent == ROOT / "playbooks"
    assert playbook.is_file()


def test_the_inventory_exists() -> None:
    (source,) = [task for module, task in TASKS if module == "inventory_source"]
    assert (ROOT / source["source_path"]).is_file()


def test_there_is_a_job_for_every_playbook_and_every_rollback() -> None:
    jobs = [task["playbook"] for task in TEMPLATES.values()]
    playbooks = {f"playbooks/{path.name}" for path in (ROOT / "playbooks").glob("*.yml")}
    # The other playbooks import checkout.yml. AWX has its own schedules, so it needs no timer from watch.yml.
    assert playbooks - set(jobs) <= {"playbooks/checkout.yml", "playbooks/watch.yml"}
    modes = [task["extra_vars"]["rollback_mode"] for task in TEMPLATES.values() if "rollback" in task["playbook"]]
    assert sorted(modes) == sorted(SPECS["rollback_mode"]["choices"])


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_variable_is_one_of_the_project(name: str) -> None:
    given = set(TEMPLATES[name]["extra_vars"]) | set(questions(name))
    assert given - set(SPECS) - connection_variables() == set()
    kept = TEMPLATES[name]["extra_vars"]
    for directory in ("report_directory", "backup_copy_directory", "support_directory"):
        assert kept[directory].startswith("/")


def test_every_credential_sets_a_secret_of_the_project() -> None:
    kinds = [task for module, task in TASKS if module == "credential_type"]
    for kind in kinds:
        fields = {field["id"]: field for field in kind["inputs"]["fields"]}
        for variable, template in kind["injectors"]["extra_vars"].items():
            assert SPECS[variable]["no_log"]
            assert template.strip("{} ") in fields
        assert all(field["secret"] for field in fields.values())
    named = {variable for kind in kinds for variable in kind["injectors"]["extra_vars"]}
    assert named == {name for name, option in SPECS.items() if option.get("no_log")}


def assert_accepted(question: dict[str, Any], value: Any) -> None:
    """Assert that AWX accepts the value as an answer, and that the variable accepts it too."""
    assert isinstance(value, QUESTION_TYPES[question["type"]])
    assert value in question.get("choices", [value])
    if isinstance(value, str):
        assert question.get("min", 0) <= len(value) <= question.get("max", len(value))
        assert value in SPECS[question["variable"]].get("choices", [value])
    if SPECS[question["variable"]]["type"] == "bool":
        assert value in ("true", "false")


@pytest.mark.parametrize("name", SURVEYED)
def test_awx_accepts_the_survey(name: str) -> None:
    survey = TEMPLATES[name]["survey_spec"]
    assert survey["name"]
    assert survey["description"]
    assert len(survey["spec"]) == len(questions(name)) > 0
    for question in survey["spec"]:
        assert question["question_name"]
        assert question["question_description"]
        assert isinstance(question["required"], bool)
        assert (question["type"] == "multiplechoice") == ("choices" in question)
        assert_accepted(question, question["default"])
        for choice in question.get("choices", []):
            assert_accepted(question, choice)


def confirmed_by(task: dict[str, Any]) -> set[str]:
    """Return the variables that confirm a playbook's change, or an empty set for a playbook without confirmation."""
    text = (ROOT / task["playbook"]).read_text()
    return {name for name in CONFIRMATIONS if f"report_confirm_variable: {name}" in text}


@pytest.mark.parametrize("name", [name for name, task in TEMPLATES.items() if task["job_type"] == "run"])
def test_what_asks_on_a_terminal_asks_in_awx(name: str) -> None:
    asked = questions(name)
    assert set(asked) & CONFIRMATIONS == confirmed_by(TEMPLATES[name])
    for variable in set(asked) & CONFIRMATIONS:
        assert asked[variable]["required"]
        # The survey requires an answer, because a playbook without one waits for input on a terminal.
        assert asked[variable]["default"] == "no"
        assert asked[variable]["min"] > 0
        assert asked[variable]["question_name"].endswith("Type YES to confirm")
        assert_accepted(asked[variable], "YES")


def test_the_default_tenant_is_called_as_in_the_inventory() -> None:
    given = variables.inventory()
    tenant = f"tenant {given['tenancy_default_tenant']} ({given['tenancy_default_tenant_name']})"
    assert tenant in questions("AI-Memory migrate")["migrate_confirm"]["question_name"]
    assert tenant in NODES["approval"]["unified_job_template"]["description"]


def test_the_schedule_answers_the_questions_of_the_verification() -> None:
    template, given = TEMPLATES[SCHEDULE["unified_job_template"]], SCHEDULE["extra_data"]
    assert template["playbook"] == "playbooks/verify.yml"
    # A job reports only changes in the result, so it must find the result of the previous job.
    assert template["extra_vars"]["verify_state_directory"].startswith("/")
    asked = questions(template["name"])
    assert set(given) == {variable for variable, question in asked.items() if question["required"]}
    for variable, value in given.items():
        assert_accepted(asked[variable], value)


def test_the_schedule_is_once_a_day() -> None:
    # AWX requires a start time and an interval.
    assert re.fullmatch(r"DTSTART:\d{8}T\d{6}Z RRULE:FREQ=DAILY;INTERVAL=1", SCHEDULE["rrule"])


def test_the_workflow_migrates_only_after_an_approval_of_the_dry_run() -> None:
    way = ["check", "approval", "migrate", "verify"]
    assert list(NODES) == way
    for here, there in itertools.pairwise(way):
        assert NODES[here]["related"] == {"success_nodes": [{"identifier": there}]}
    assert NODES["approval"]["unified_job_template"]["type"] == "workflow_approval"
    named = {name: node["unified_job_template"]["name"] for name, node in NODES.items() if name != "approval"}
    assert TEMPLATES[named["check"]]["job_type"] == "check"
    assert [TEMPLATES[named[name]]["playbook"] for name in ("check", "migrate", "verify")] == [
        "playbooks/migrate.yml", "playbooks/migrate.yml", "playbooks/verify.yml",
    ]  # fmt: skip


@pytest.mark.parametrize("identifier", [name for name in NODES if name != "approval"])
def test_a_node_answers_every_question_of_its_job(identifier: str) -> None:
    # AWX does not start a node with a missing answer, and does not pass on an answer that has no question.
    asked, given = questions(NODES[identifier]["unified_job_template"]["name"]), NODES[identifier].get("extra_data", {})
    assert set(given) == {variable for variable, question in asked.items() if question["required"]}
    for variable, value in given.items():
        assert_accepted(asked[variable], value)
