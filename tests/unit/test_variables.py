"""Every variable is specified exactly once, with its actual default."""

from __future__ import annotations

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
