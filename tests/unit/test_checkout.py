"""A run that cannot work as requested is refused before it connects to a host."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path

import pytest
import yaml

import turns
from production import ROOT

PLAYBOOKS = ("migrate.yml", "rollback.yml", "playbooks/verify.yml", "playbooks/backup.yml", "playbooks/support.yml")
LEFT_OUT = [["--tags=foo"], ["--skip-tags=always"], ["--start-at-task=end | Fail the run if a task failed"], ["--step"]]
UNSET = [[], *LEFT_OUT[:1], LEFT_OUT[2]]


def met(options: list[list[str]]) -> list[tuple[str, list[str]]]:
    """Return pairs of a playbook and options: all pairs with TESTS=all, otherwise pairs that include each one once."""
    if turns.ALL:
        return list(itertools.product(PLAYBOOKS, options))
    count = max(len(PLAYBOOKS), len(options))
    return list(itertools.islice(zip(itertools.cycle(PLAYBOOKS), itertools.cycle(options)), count))


def refusal(playbook: str, inventory: str, *arguments: str, config: str = "ansible.cfg", directory: Path = ROOT) -> str:
    """Run the playbook, require a failure, and return the output with single spaces."""
    command = ["ansible-playbook", str(ROOT / playbook), "--check", f"--inventory={inventory}", *arguments]
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / config) if config else "", "ANSIBLE_FORCE_COLOR": "0"}
    environment.pop("ANSIBLE_INVENTORY", None)
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0, done.stdout
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: str(path.stem))
def test_every_playbook_checks_the_checkout_first(path: Path) -> None:
    if path.name != "checkout.yml":
        first = yaml.safe_load(path.read_text())[0]
        assert first["ansible.builtin.import_playbook"] == "checkout.yml"


@pytest.mark.parametrize(("playbook", "options"), met(UNSET))
def test_a_run_without_the_projects_settings_is_refused(playbook: str, options: list[str], tmp_path: Path) -> None:
    words = refusal(playbook, str(ROOT / "inventory/lab.yml"), *options, config="", directory=tmp_path)
    # For a playbook in the root directory, Ansible finds the filters but not the roles, and checks the options first.
    if not (options and "/" not in playbook):
        assert "Ansible cannot find the collection aimemory.tenancy or its roles." in words
        assert f"chmod o-w {ROOT}" in words
        assert "run the playbook from the repository's root directory" in words
    assert "PLAY [Prepare" not in words


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_run_without_a_host_is_refused(playbook: str) -> None:
    assert "No host of this run is in the inventory's group ai_memory" in refusal(playbook, "localhost,")


def assert_refused_for_what_it_leaves_out(playbook: str, *options: str) -> None:
    words = refusal(playbook, str(ROOT / "inventory/lab.yml"), *options)
    assert words.count("would skip tasks that keep a run safe") == 1
    assert "PLAY [" not in words
    assert "PLAY RECAP" not in words


@pytest.mark.parametrize(("playbook", "options"), met(LEFT_OUT))
def test_a_run_that_leaves_tasks_out_is_refused(playbook: str, options: list[str]) -> None:
    assert_refused_for_what_it_leaves_out(playbook, *options)


@pytest.mark.parametrize(("name", "value"), [("ANSIBLE_RUN_TAGS", "foo"), ("ANSIBLE_SKIP_TAGS", "always")])
def test_an_environment_that_leaves_tasks_out_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert_refused_for_what_it_leaves_out("migrate.yml")


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dotenv.py").write_text("raise ModuleNotFoundError(\"No module named 'dotenv'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    words = refusal("migrate.yml", "localhost,")
    assert "No module named 'dotenv'" in words
    assert "Traceback" not in words
    assert "No host of this run is in the inventory's group ai_memory" in words


def test_a_limit_to_a_host_of_another_group_is_refused() -> None:
    words = refusal("migrate.yml", "127.0.0.1,", "--limit=127.0.0.1")
    assert "No host of this run is in the inventory's group ai_memory" in words


def test_a_limit_without_a_host_is_refused() -> None:
    words = refusal("migrate.yml", str(ROOT / "inventory/lab.yml"), "--limit=nobody")
    assert "Could not match supplied host pattern, ignoring: nobody" in words
    assert "PLAY [" not in words


# test_run.py tests more values without starting Ansible.
@pytest.mark.parametrize("batches", ["0", '[1, "x"]'])
def test_batches_that_no_hosts_can_be_counted_by_are_refused(batches: str) -> None:
    words = refusal("migrate.yml", str(ROOT / "inventory/lab.yml"), f'-e{{"run_batches": {batches}}}')
    assert "run_batches must be a list of host counts or percentages, each at least 1" in words
    assert "PLAY [Make the database multi-tenant" not in words


def test_a_file_of_variables_that_cannot_be_decrypted_is_refused(tmp_path: Path) -> None:
    (tmp_path / "variables.yml").write_text("{}")
    (tmp_path / "password").write_text("right")
    encrypt = ["ansible-vault", "encrypt", f"--vault-password-file={tmp_path / 'password'}"]
    subprocess.run([*encrypt, str(tmp_path / "variables.yml")], check=True, capture_output=True)
    (tmp_path / "password").write_text("wrong")
    given = (f"-e@{tmp_path / 'variables.yml'}", f"--vault-password-file={tmp_path / 'password'}")
    lab = str(ROOT / "inventory/lab.yml")
    for words, reason in (
        (refusal("migrate.yml", lab, given[0]), "Attempting to decrypt but no vault secrets found"),
        (refusal("migrate.yml", lab, *given), "Decryption failed (no vault secrets were found that could decrypt)"),
    ):
        assert f"[ERROR]: {reason}" in words
        assert "PLAY [" not in words


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_a_locale_without_unicode_is_refused(monkeypatch: pytest.MonkeyPatch, locale: str) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    words = refusal("migrate.yml", str(ROOT / "inventory/lab.yml"))
    assert "Ansible requires the locale encoding to be UTF-8" in words
    assert "PLAY [" not in words
