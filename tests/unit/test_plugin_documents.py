"""ansible-doc documents every plugin, role and entry point of the collection, with an example."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
import yaml

import filters
from production import ROOT

COLLECTION = "aimemory.tenancy"
PLUGINS = ROOT / "plugins"
# For each of ansible-doc's plugin types, the directories with one plugin per file. Filters are not listed, because
# several filters share a file. An action plugin is documented by the module with the same name.
FOLDERS = {"module": ("modules", "action"), "lookup": ("lookup",), "callback": ("callback",)}


def wanted(kind: str) -> set[str]:
    """Return the full names of the plugins of a type."""
    if kind == "filter":
        return {f"{COLLECTION}.{name}" for name in filters.found()}
    return {f"{COLLECTION}.{path.stem}" for folder in FOLDERS[kind] for path in (PLUGINS / folder).glob("*.py")}


def documented(kind: str, *names: str) -> dict[str, Any]:
    """Return the output of ansible-doc for these plugins."""
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    command = ["ansible-doc", "--json", "-t", kind, *names]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("kind", ["filter", *FOLDERS])
def test_every_plugin_has_a_document_with_an_example(kind: str) -> None:
    names = wanted(kind)
    found = documented(kind, *sorted(names))
    assert set(found) == names != set()
    for name, about in found.items():
        assert about["doc"]["short_description"], name
        assert about["doc"]["description"], name
        assert name in about["examples"], name
        if kind != "callback":
            assert about["return"], name
            assert isinstance(yaml.safe_load(about["examples"]), list), name


def test_no_directory_of_plugins_is_left_out() -> None:
    there = {path.parent.name for path in PLUGINS.glob("*/*.py")}
    checked = {folder for folders in FOLDERS.values() for folder in folders} | {"filter"}
    assert there - checked == {"module_utils", "doc_fragments", "plugin_utils"}


def test_every_entry_point_of_a_role_has_a_document_with_an_example() -> None:
    names = {f"{COLLECTION}.{path.name}" for path in (ROOT / "roles").iterdir()}
    found = documented("role", *sorted(names))
    assert set(found) == names
    for name, about in found.items():
        for point in about["entry_points"].values():
            assert point["short_description"], name
            assert point["description"], name
            (example,) = yaml.safe_load(point["examples"])
            called = example["ansible.builtin.include_role"]
            assert called["name"] == name
            tasks = ROOT / f"roles/{name.rpartition('.')[2]}/tasks"
            assert not tasks.exists() or (tasks / f"{called.get('tasks_from', 'main')}.yml").is_file()


def test_the_documents_of_the_filters_are_not_stale() -> None:
    made = filters.documents()
    assert {path: path.read_text() for path in filters.FILTERS.glob("*.yml")} == made, "run `make docs`"


def test_a_document_says_what_the_docstring_and_the_annotations_say() -> None:
    def cut(text: str, *, size: int | None = None, other: list[str] | None = None) -> list[str]:
        """Return the parts of ``text``. ``size`` is the size of a part in characters: see ``slow``.

        Raises ValueError for a size of 0.
        """
        return [text, str(size), str(other)]

    made = yaml.safe_load(filters.document("cut", cut, [f"x | {COLLECTION}.cut_all", f"x | {COLLECTION}.cut(size=2)"]))
    about = made["DOCUMENTATION"]
    assert about["short_description"] == "The parts of C(text)"
    assert about["description"][-1] == "Raises ValueError for a size of 0."
    assert about["options"]["_input"] == {
        "description": ["Return the parts of C(text)."], "type": "str", "required": True,
    }  # fmt: skip
    assert about["options"]["size"] == {"description": ["C(size) is the size of a part in characters."], "type": "int"}
    assert "see the description" in about["options"]["other"]["description"][0]
    assert "positional" not in about
    assert (
        yaml.safe_load(made["EXAMPLES"])[0]["ansible.builtin.debug"]["msg"] == f"{{{{ x | {COLLECTION}.cut(size=2) }}}}"
    )
    assert made["RETURN"]["_value"]["type"] == "list"


def test_a_filter_that_nothing_uses_is_an_error() -> None:
    with pytest.raises(KeyError, match="uses the filter cut"):
        filters.example("cut", ["cut", f"{COLLECTION}.cutting"])
