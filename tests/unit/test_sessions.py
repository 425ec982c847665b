"""Every session of the administrator gets its settings from ``sessions``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pglast
import pytest
import yaml

from ansible_collections.aimemory.tenancy.plugins.module_utils import sessions
from production import ROOT

PLUGINS = Path(sessions.__file__).resolve().parents[1]
PROGRAMS = ("pg_dump", "pg_dumpall", "pg_restore", "psql")
# Files that open sessions of other logins, without the administrator's settings.
LOGINS = {
    "module_utils/restoring.py", "module_utils/service_login.py", "modules/postgresql_backfill.py",
    "modules/postgresql_restore.py", "modules/service_route.py",
}  # fmt: skip
OPTIONS = "aimemory.tenancy.session_options"


def tasks(found: Any) -> Iterator[dict[str, Any]]:
    """Yield every task of a parsed file, including the tasks in blocks."""
    for item in found or []:
        if isinstance(item, dict):
            yield item
            for part in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers"):
                yield from tasks(item.get(part))


def files() -> list[Path]:
    return sorted([*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/**/*.yml")])


def lacking(task: dict[str, Any]) -> str | None:
    """Return the module or program of a task that opens a session without the administrator's settings, or None."""
    for name, arguments in task.items():
        if name.startswith("community.postgresql."):
            given = (arguments.get("connect_params") or {}).get("options", "")
            return None if OPTIONS in given else name
        if name in ("ansible.builtin.command", "ansible.builtin.shell"):
            words = str(arguments)
            used = [program for program in PROGRAMS if re.search(rf"(?<![\w-]){program}(?![\w-])", words)]
            given = str((task.get("environment") or {}).get("PGOPTIONS"))
            if used and "--version" not in words and OPTIONS not in given:
                return used[0]
    return None


def test_every_task_gives_its_session_the_settings() -> None:
    found = [(path, task) for path in files() for task in tasks(yaml.safe_load(path.read_text()))]
    opened = [task for _, task in found if any(name.startswith("community.postgresql.") for name in task)]
    assert len(opened) > 10
    assert [(path.name, task.get("name"), what) for path, task in found if (what := lacking(task))] == []


@pytest.mark.parametrize(
    ("task", "what"),
    [
        ({"community.postgresql.postgresql_query": {"query": "SELECT 1"}}, "community.postgresql.postgresql_query"),
        ({"community.postgresql.postgresql_db": {"connect_params": {"options": "-c jit=off"}}},
         "community.postgresql.postgresql_db"),
        ({"ansible.builtin.command": {"argv": ["runuser", "--", "pg_restore", "x"]}}, "pg_restore"),
        ({"ansible.builtin.command": {"argv": ["pg_dump", "--version"]}}, None),
        ({"ansible.builtin.shell": {"cmd": "psql -c 'SELECT 1'"}, "environment": {"PGOPTIONS": ""}}, "psql"),
    ],
)  # fmt: skip
def test_a_session_without_them_is_found(task: dict[str, Any], what: str | None) -> None:
    assert lacking(task) == what


def test_no_module_opens_a_session_otherwise() -> None:
    opened = set()
    for path in PLUGINS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "psycopg2.connect":
                opened.add(str(path.relative_to(PLUGINS)))
    assert opened - LOGINS == {"module_utils/sessions.py"}


def test_a_program_of_a_module_gets_them_as_well() -> None:
    for path in PLUGINS.rglob("modules/*.py"):
        text = path.read_text()
        if any(f'["{program}"' in text or f'"{program}", f"' in text for program in PROGRAMS):
            assert "PGOPTIONS" in text, path


def test_options_are_as_libpq_wants_them() -> None:
    assert "-c search_path=pg_catalog,pg_temp" in sessions.options()
    assert r"-c default_transaction_isolation=read\ committed" in sessions.options()
    assert r"-c default_transaction_isolation=repeatable\ read" in sessions.options({}, "reading")
    assert sessions.options({"app.x": r"a b\c"}).startswith(r"-c app.x=a\ b\\c ")
    # A setting from the catalogs never overrides a fixed setting.
    assert sessions.parse_options(sessions.options({"search_path": "evil"}))["search_path"] == "pg_catalog,pg_temp"
    assert sessions.parse_options(sessions.options({}, "reading", {"lock_timeout": "5s"}))["lock_timeout"] == "5s"
    with pytest.raises(ValueError, match="Unknown kind of session 'both': use reading or writing"):
        sessions.options({}, "both")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("-c search_path=a,b", {"search_path": "a,b"}),
        (r"-csearch_path=a\ b --work-mem=4MB -c App.X=\\1", {"search_path": "a b", "work_mem": "4MB", "app.x": "\\1"}),
        ("-c", {}),
    ],
)
def test_options_of_a_url_are_read(text: str, found: dict[str, str]) -> None:
    assert sessions.parse_options(text) == found


def test_the_query_is_one_statement_without_placeholders() -> None:
    assert len(pglast.parse_sql(sessions.QUERY)) == 1
    # The query may run in a list of statements with arguments, in which psycopg2 interprets every percent sign.
    assert "%" not in sessions.QUERY
