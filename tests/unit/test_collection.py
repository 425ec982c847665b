"""The repository is the collection aimemory.tenancy. Ansible finds it in a checkout through a symbolic link."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.compat.version import LooseVersion

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import versions
from production import ROOT

# Imports every module in a directory. Only the standard library, psycopg2 and the allowed packages can be imported.
ALONE = """
import importlib, pathlib, sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in ("psycopg2", "ansible_collections") or name.startswith(ALLOWED):
            return None
        raise ImportError(f"{name} is not on the server")

sys.meta_path.insert(0, Refusing())
for file in sorted(pathlib.Path(FOLDER).glob("*.py")):
    module = importlib.import_module(f"ansible_collections.aimemory.tenancy.{FOLDER.replace('/', '.')}.{file.stem}")
    laptops = [name for name in sys.modules if ".plugin_utils" in name]
    assert not laptops, (file.name, laptops)
    print(file.stem)
"""


def ansible(*command: str, directory: Path = ROOT) -> str:
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_INVENTORY": "inventory/lab.yml"}
    environment.pop("ANSIBLE_COLLECTIONS_PATH", None)
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [("plugins/module_utils", ()), ("plugins/modules", ("ansible", "_ansiballz"))],
    ids=["module_utils", "modules"],
)
def test_what_runs_on_the_server_imports_the_standard_library_and_psycopg2(
    folder: str, allowed: tuple[str, ...]
) -> None:
    program = f"FOLDER, ALLOWED = {folder!r}, {allowed!r} or ('no module',)\n{ALONE}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={"PYTHONPATH": "collections"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == len(list((ROOT / folder).glob("*.py"))) > 20


@pytest.mark.parametrize("folder", ["plugins/module_utils", "plugins/modules"])
def test_what_runs_on_the_server_checks_no_type_as_only_python_3_10_can(folder: str) -> None:
    checks = [
        (path.name, node)
        for path in (ROOT / folder).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
    ]
    assert checks != []
    # Python 3.9 raises TypeError for isinstance(value, list | tuple).
    assert [(name, node.lineno) for name, node in checks if isinstance(node.args[1], ast.BinOp)] == []


def test_an_archive_holds_what_runs_and_nothing_of_one_agency_or_of_the_tests(tmp_path: Path) -> None:
    ansible("ansible-galaxy", "collection", "build", "--output-path", str(tmp_path), str(ROOT))
    [archive] = tmp_path.iterdir()
    with tarfile.open(archive) as opened:
        files = {name for name in opened.getnames() if (ROOT / name).is_file()}
    assert {name.partition("/")[0] for name in files} == {
        "CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "docs", "examples", "files", "inventory", "meta",
        "playbooks", "plugins", "requirements", "requirements.yml", "roles",
    }  # fmt: skip
    locked = {name for name in files if name.startswith("requirements/")}
    assert locked == {"requirements/py311.txt", "requirements/py312.txt"}
    assert {name.split("/")[1] for name in files if name.startswith("inventory/")} == {"group_vars"}
    assert not [name for name in files if "209.38.143.71" in (ROOT / name).read_text(errors="replace")]


def test_a_checkout_finds_one_copy_of_the_collection_and_it_is_its_own() -> None:
    listed = ansible("ansible-galaxy", "collection", "list", "aimemory.tenancy")
    assert listed.count("aimemory.tenancy") == 1
    assert str(ROOT / "collections/ansible_collections") in listed
    assert os.path.samefile(ROOT / "collections/ansible_collections/aimemory/tenancy", ROOT)


def test_the_bundle_contains_the_collections_in_the_pinned_versions() -> None:
    """requirements.yml has the versions in the ansible package for Python 3.12.

    The lock file of each Python version contains the hash of that version's package.
    """
    pinned = {
        entry["name"]: entry["version"]
        for entry in yaml.safe_load((ROOT / "requirements.yml").read_text())["collections"]
    }
    assert [version for version in pinned.values() if not re.fullmatch(r"[0-9]+(\.[0-9]+)+", version)] == []
    found = {name: versions.collection(name) for name in pinned}
    if sys.version_info >= (3, 12):
        assert found == pinned
    needed = yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"]
    assert set(needed) <= set(pinned)
    for name, least in needed.items():
        assert LooseVersion(found[name]) >= LooseVersion(least.removeprefix(">="))
    for lock in ("py311", "py312"):
        assert re.search(r"^ansible==\S+ \\\n    --hash=sha256:", (ROOT / f"requirements/{lock}.txt").read_text(), re.M)


@pytest.mark.parametrize("playbook", ["playbooks/verify.yml", "aimemory.tenancy.verify"])
def test_a_playbook_is_found_by_path_and_by_name(playbook: str) -> None:
    assert "Check the installation and the inventory" in ansible("ansible-playbook", "--list-tasks", playbook)
