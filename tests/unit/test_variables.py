"""Every variable is specified exactly once, with its actual default."""

from __future__ import annotations

import json
import re

import pytest

import variables


@pytest.mark.parametrize("role", variables.ROLES)
def test_specs_and_defaults_agree(role: str) -> None:
    specified = {name: option["default"] for name, option in variables.specs(role).items() if "default" in option}
    assert specified == variables.read(f"roles/{role}/defaults/main.yml")


def test_every_role_is_specified() -> None:
    assert sorted(variables.ROLES) == sorted(path.name for path in (variables.ROOT / "roles").iterdir())


def test_the_inventory_gives_what_is_required_and_nothing_unknown() -> None:
    options = {name: option for role in variables.ROLES for name, option in variables.specs(role).items()}
    given = variables.inventory()
    assert sorted(set(given) - set(options)) == []
    assert sorted(name for name, option in options.items() if option.get("required") and name not in given) == []
    assert sorted(name for name, option in options.items() if option.get("required") and "default" in option) == []


@pytest.mark.parametrize("role", variables.ROLES)
def test_every_variable_of_a_role_is_used(role: str) -> None:
    # A callback plugin reads the monitoring variables, because a callback also runs if a host is unreachable.
    places = [variables.ROOT / place for place in ("roles", "playbooks", "plugins/callback")]
    files = [path for place in places for path in place.rglob("*") if path.suffix in (".yml", ".j2", ".sql", ".py")]
    text = "\n".join(path.read_text() for path in files if path.parent.name not in ("meta", "defaults"))
    assert [name for name in variables.specs(role) if not re.search(rf"\b{name}\b", text)] == []


def _settable() -> dict[str, str]:
    """Return the numbers and booleans that an operator can set, as the text of their values in this inventory."""
    tasks = "\n".join(
        path.read_text()
        for directory in ("playbooks", "roles")
        for path in (variables.ROOT / directory).rglob("*.yml")
        if path.parent.name in ("playbooks", "tasks")
    )
    given, texts = variables.inventory(), {}
    for role in variables.ROLES:
        for name, option in variables.specs(role).items():
            value = given.get(name, option.get("default"))
            if option["type"] in ("bool", "float", "int") and isinstance(value, (bool, float, int)):
                texts[name] = json.dumps(value)
    # A playbook or another role sets the other ones.
    return {name: text for name, text in texts.items() if not re.search(rf"^ +{name}:", tasks, re.MULTILINE)}


def test_a_scenario_sets_every_number_and_boolean_as_a_string() -> None:
    assert variables.read("molecule/migrate/vars/strings.yml") == _settable()


def _unconverted(text: str, names: str) -> list[str]:
    """Return the lines in which an expression uses one of the variables ``names`` without the filter ``bool``."""
    use = re.compile(rf"(?<![\w.-])(?:{names})\b(?!\s*[:=])(?!(?:\s*\|\s*default\([^)]*\))?\s*\|\s*bool\b)")
    return [line.strip() for line in text.splitlines() if not line.lstrip().startswith("#") and use.search(line)]


def test_every_boolean_is_converted_where_it_is_used() -> None:
    # A value from the command line or from an INI inventory is a string, and the string "false" counts as true.
    options = {name: option for role in variables.ROLES for name, option in variables.specs(role).items()}
    names = "|".join(name for name, option in options.items() if option["type"] == "bool")
    files = [
        path
        for directory in ("playbooks", "roles")
        for path in sorted((variables.ROOT / directory).rglob("*"))
        if path.suffix in (".yml", ".j2") and path.parent.name not in ("meta", "defaults")
    ]
    found = {str(path.relative_to(variables.ROOT)): _unconverted(path.read_text(), names) for path in files}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_boolean_that_is_not_converted_is_found() -> None:
    wrong = ["when: a", 'x: "{{ 1 if a else 2 }}"', 'x: "{{ a | default(false) }}"', "{{ y | combine({'a': a}) }}"]
    right = ["when: a | bool", 'x: "{{ a | default(false) | bool }}"', "a: true", "# a is true", "-e a=true", "b.a"]
    assert _unconverted("\n".join(wrong + right), "a") == wrong
