"""The archive is enough: an operator without this repository drafts a model, migrates, verifies and rolls back."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import documents
from lab import HOSTS, ROOT, ROWS, Host
from service import schema

pytestmark = pytest.mark.one_host(together=True)

# The files of the operator's inventory, except the draft.
GIVEN = ("backup.yml", "database.yml", "report.yml", "service.yml")


class Laptop:
    """A machine with Ansible and the archive. ``home`` is ANSIBLE_HOME, and ``work`` is the working directory."""

    def __init__(self, directory: Path) -> None:
        """Start with an empty working directory."""
        self.home, self.work = directory / "home", directory / "work"
        self.work.mkdir()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        self.environment |= {"ANSIBLE_HOME": str(self.home), "ANSIBLE_NOCOLOR": "1", "COLUMNS": "500"}
        self.collections = self.home / "collections/ansible_collections"

    def run(self, *command: str, directory: Path | None = None) -> str:
        """Run a command in ``directory``, by default the working directory, assert success, and return the output."""
        done = subprocess.run(
            command, cwd=directory or self.work, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, f"{shlex.join(command)}:\n{done.stdout}"
        return done.stdout

    def install(self, archive: Path) -> None:
        """Install the archive and the collections that it needs."""
        for name in ("ansible.posix", "community.postgresql"):
            (source,) = importlib.import_module(f"ansible_collections.{name}").__path__
            shutil.copytree(source, self.collections.joinpath(*name.split(".")))
        # The documented commands run in the archive's directory.
        (unpack,) = documents.commands("tar")
        (install,) = [command for command in documents.commands("ansible-galaxy") if "--offline" in command]
        for command in (unpack, install):
            self.run("bash", "-c", command, directory=archive.parent)
        for lock in ("requirements/py311.txt", "requirements/py312.txt"):
            assert (archive.parent / lock).read_bytes() == (ROOT / lock).read_bytes()

    def record(self, kind: str) -> dict[str, Any]:
        """Return the run.json of the only run of this kind."""
        found = [json.loads(path.read_text()) for path in self.work.glob("logs/*/run.json")]
        (record,) = [document for document in found if document["kind"] == kind]
        return dict(record)


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    """Return a machine on which only the archive is installed."""
    directory = tmp_path_factory.mktemp("archive")
    build = ["ansible-galaxy", "collection", "build", f"--output-path={directory}", str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (archive,) = directory.glob("aimemory-tenancy-*.tar.gz")
    machine = Laptop(directory)
    machine.install(archive)
    return machine


def inventory(machine: Host, collection: Path) -> Mapping[str, str]:
    """Return the files of an inventory by name. They have the values of the archive's inventory, but no model."""
    connection = {
        "ansible_host": "127.0.0.1", "ansible_port": HOSTS[machine.name]["ansible_port"], "ansible_user": "operator",
        "ansible_ssh_private_key_file": str(ROOT / ".lab/id_ed25519"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={ROOT / '.lab/known_hosts'} -o IdentitiesOnly=yes",
    }  # fmt: skip
    given = {name: (collection / "inventory/group_vars/ai_memory" / name).read_text() for name in GIVEN}
    hosts = {"ai_memory": {"hosts": {machine.name: connection}}}
    return {
        "hosts.yml": yaml.safe_dump(hosts),
        **{f"group_vars/ai_memory/{name}": text for name, text in given.items()},
    }


def files(directory: Path) -> dict[str, int]:
    """Return the files below a directory with their sizes, except compiled Python files."""
    found = [path for path in directory.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {str(path): path.stat().st_size for path in found}


def test_the_archive_describes_migrates_verifies_and_rolls_back(machine: Host, laptop: Laptop) -> None:
    machine.reset()
    before, collection = schema(machine), laptop.collections / "aimemory/tenancy"
    installed, mine = files(collection), laptop.work.parent / "my-inventory"
    for name, text in inventory(machine, collection).items():
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        (mine / name).write_text(text)
    called = ("-i", "../my-inventory")

    described = laptop.run("ansible-playbook", "aimemory.tenancy.describe", *called)
    (draft,) = laptop.work.glob(f"drafts/*-{machine.name}")
    rehearse = f"ansible-playbook -i {mine} -l {machine.name} aimemory.tenancy.rehearse"
    assert f"Try it:    {rehearse} -e @{draft.relative_to(laptop.work)}/tenancy.yml" in described
    shutil.copy(draft / "tenancy.yml", mine / "group_vars/ai_memory")
    shutil.copy(draft / "ansible.cfg", laptop.work)

    migrated = laptop.run("ansible-playbook", "aimemory.tenancy.migrate", *called, "-e", "migrate_confirm=YES")
    # The draft's ansible.cfg selects the terminal output that shows phases, not tasks.
    assert "PLAY [" not in migrated
    assert "Outcome:   SUCCESS" in migrated
    record = laptop.record("migrate")
    assert [finding for finding in record["findings"] if not finding["ok"]] == []
    assert machine.rows("tenant_id = 1") == ROWS
    assert machine.healthy()
    (copy,) = laptop.work.glob(f"backups/{machine.name}/*.tar")
    assert f"Copy:      {copy.relative_to(laptop.work)}" in migrated

    # The commands that the run printed work in this directory.
    verify, *back = record["commands"]
    assert verify in migrated
    assert "findings hold" in laptop.run(*shlex.split(verify))
    (rollback,) = [command for command in back if command.endswith("rollback_mode=schema")]
    laptop.run(*shlex.split(rollback), "-e", "rollback_confirm=YES")
    assert schema(machine) == before
    assert machine.rows() == ROWS
    assert machine.healthy()
    assert set(laptop.work.iterdir()) == {laptop.work / name for name in ("ansible.cfg", "backups", "drafts", "logs")}
    assert files(collection) == installed
