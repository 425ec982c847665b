"""A checkout and an installed archive write files to different directories, and print different commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.filter import describe
from ansible_collections.aimemory.tenancy.plugins.plugin_utils import installed
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import commands, facts
from production import ROOT

VARIABLES = {
    "ansible_play_hosts_all": ["db1"], "ansible_inventory_sources": ["/somewhere/mine"], "inventory_hostname": "db1",
}  # fmt: skip


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Act as if the collection were installed, and return the current directory, which is not the collection's."""
    monkeypatch.setattr(installed, "is_checkout", lambda root=None: False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_repository_is_a_checkout_and_its_files_stay_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert installed.is_checkout()
    assert installed.working_directory() == ROOT
    assert installed.missing_files() == []


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: str(path.stem))
def test_a_playbook_has_a_path_in_a_checkout_and_a_full_name_elsewhere(path: Path, tmp_path: Path) -> None:
    assert (ROOT / installed.playbook(path.stem)).is_file()
    assert installed.playbook(path.stem, tmp_path) == f"aimemory.tenancy.{path.stem}"


def test_the_short_playbooks_are_those_in_the_root_directory() -> None:
    assert sorted(f"{name}.yml" for name in installed.SHORT) == sorted(
        path.name for path in ROOT.glob("*.yml") if "import_playbook" in path.read_text()
    )


def test_an_archive_writes_into_the_current_directory(archive: Path) -> None:
    assert installed.working_directory() == archive


def test_a_command_of_an_archive_names_inventory_host_and_playbook(archive: Path) -> None:
    found = facts.called(VARIABLES | {"ansible_inventory_sources": [str(archive / "mine")]})
    start = commands.playbook({**found, "host": "db1"})
    assert start == "ansible-playbook -i mine -l db1"
    printed = [item["command"] for item in commands.following(start, "migrate")]
    assert printed[0] == "ansible-playbook -i mine -l db1 aimemory.tenancy.verify"
    assert printed[1] == "ansible-playbook -i mine -l db1 aimemory.tenancy.rollback -e rollback_mode=policies"


def test_no_inventory_of_an_archive_is_the_default_one(archive: Path) -> None:
    """A command must name the inventory, even if the file has the name of the repository's default inventory."""
    found = facts.called(VARIABLES | {"ansible_inventory_sources": [str(archive / "inventory/production.yml")]})
    assert "-i inventory/production.yml -l db1" in commands.playbook({**found, "host": "db1"})
    found = facts.called(VARIABLES | {"ansible_inventory_sources": [str(archive)]})
    assert f"-i {archive} -l db1" in commands.playbook({**found, "host": "db1"})


def drafted() -> dict[str, str]:
    """Return the files of a draft by name."""
    catalog = json.loads((ROOT / "tests/unit/described/workshop/catalog.json").read_text())
    given: dict[str, Any] = dict.fromkeys(
        ("schema", "column", "column_type", "setting", "default_tenant", "default_tenant_name"), ""
    )
    files: dict[str, str] = describe.describe_database(catalog, given | {"readable": []})["files"]
    return files


def test_a_draft_of_an_archive_has_settings_for_the_terminal(archive: Path) -> None:
    (archive / "ansible.cfg").write_text(drafted()["ansible.cfg"])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    shown = subprocess.run(
        ["ansible-config", "dump", "--only-changed"], cwd=archive, env=environment, check=True, capture_output=True,
        text=True,
    ).stdout  # fmt: skip
    assert "DEFAULT_STDOUT_CALLBACK" in shown
    assert "aimemory.tenancy.terminal" in shown


def test_a_draft_of_a_checkout_has_none() -> None:
    assert "ansible.cfg" not in drafted()


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an Ansible home directory that contains the installed archive."""
    directory = tmp_path_factory.mktemp("unpacked")
    environment = own(directory)
    subprocess.run(
        ["ansible-galaxy", "collection", "build", f"--output-path={directory}", str(ROOT)],
        cwd=directory, check=True, capture_output=True, env=environment,
    )  # fmt: skip
    (built,) = directory.glob("*.tar.gz")
    install = ["ansible-galaxy", "collection", "install", "--offline", "--no-deps", str(built)]
    subprocess.run(install, cwd=directory, check=True, capture_output=True, env=environment)
    return directory


def own(directory: Path) -> dict[str, str]:
    """Return an environment without this repository's Ansible settings. ``directory`` is ANSIBLE_HOME."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return found | {"ANSIBLE_HOME": str(directory), "ANSIBLE_NOCOLOR": "1", "COLUMNS": "500"}


def checked(unpacked: Path, work: Path, inventory: str, *arguments: str) -> tuple[int, str]:
    """Run only the installed archive's checks. Return the exit status, and the output with single spaces."""
    (work / "hosts.yml").write_text(inventory)
    done = subprocess.run(
        ["ansible-playbook", "aimemory.tenancy.checkout", "-i", "hosts.yml", *arguments],
        cwd=work, env=own(unpacked), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, " ".join((done.stdout + done.stderr).split())


LOCAL = "ai_memory: {hosts: {db1: {ansible_connection: local}}}"


def test_an_archive_passes_the_checks_in_an_empty_directory(unpacked: Path, tmp_path: Path) -> None:
    returncode, words = checked(unpacked, tmp_path, LOCAL)
    assert returncode == 0, words


def test_the_inventory_of_an_archive_reads_the_functions_beside_it(unpacked: Path, tmp_path: Path) -> None:
    """The run accepts its inputs, and then fails because nothing listens on the port."""
    collection = unpacked / "collections/ansible_collections/aimemory/tenancy"
    shutil.copytree(collection / "inventory/group_vars", tmp_path / "group_vars")
    (tmp_path / "hosts.yml").write_text("ai_memory: {hosts: {db1: {ansible_host: 127.0.0.1, ansible_port: 1}}}")
    done = subprocess.run(
        ["ansible-playbook", "aimemory.tenancy.migrate", "-i", "hosts.yml", "--check"],
        cwd=tmp_path, env=own(unpacked), capture_output=True, text=True, check=False,
    )  # fmt: skip
    words = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "Require valid values" in words
    assert "port 1: Connection refused" in words


def test_an_archive_that_lacks_a_file_is_refused(unpacked: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(unpacked / "collections", home / "collections")
    (home / "collections/ansible_collections/aimemory/tenancy/roles/apply/tasks/cutover.yml").unlink()
    returncode, words = checked(home, tmp_path, LOCAL)
    assert returncode != 0
    assert "The installed collection lacks 1 files, such as roles/apply/tasks/cutover.yml." in words


def test_a_playbook_of_another_copy_is_refused(unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(LOCAL)
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "playbooks", copy / "playbooks")
    done = subprocess.run(
        ["ansible-playbook", str(copy / "playbooks/checkout.yml"), "-i", "hosts.yml"],
        cwd=tmp_path, env=own(unpacked), capture_output=True, text=True, check=False,
    )  # fmt: skip
    words = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert f"The playbook is in {copy}, but Ansible finds the collection in {unpacked}" in words
    assert "PLAY [" not in words
