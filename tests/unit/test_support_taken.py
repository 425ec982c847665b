"""Module results and local files are converted to text, or replaced by the reason why there is no text."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.support import taken

ITEM = {"name": "a.txt", "kind": "journal", "what": "a log", "argv": ["tail", "secret"]}


@pytest.mark.parametrize(
    ("result", "added"),
    [
        ({"rc": 0, "stdout": "text"}, {"text": "text"}),
        ({"rc": 0, "stdout": " \n"}, {"why": "tail printed nothing"}),
        ({"rc": 1, "stdout": "part", "stderr": "tail: cannot open secret"}, {"why": "tail exited with status 1"}),
        ({"msg": "sudo: a password is required"}, {"why": "tail could not be run"}),
    ],
)
def test_what_a_program_printed(result: dict[str, object], added: dict[str, str]) -> None:
    assert taken.outputs([result | {"item": ITEM}], raw=False) == [ITEM | added]


def test_a_log_comes_as_it_is_only_if_it_was_asked_for() -> None:
    results = [
        {"rc": 0, "stdout": "text", "item": ITEM | {"raw": "raw"}},
        {"rc": 0, "stdout": "text", "item": ITEM},
        {"rc": 1, "item": ITEM | {"raw": "raw"}},
    ]
    assert len(taken.outputs(results, raw=False)) == 3
    (raw,) = [item for item in taken.outputs(results, raw=True) if item["name"].startswith("raw-logs/")]
    assert raw == {"name": "raw-logs/a.txt", "kind": "raw", "what": "RAW: a log", "text": "text"}


def test_what_postgresql_answered() -> None:
    items = [ITEM | {"column": "document"}, ITEM | {"column": "state"}]
    answered = {"query_all_results": [[{"document": {"a": 1}}], [{"state": []}]]}
    assert [item["text"] for item in taken.answers(items, answered)] == ['{"a": 1}', "[]"]
    refused = taken.answers(items, {"msg": "unable to connect"})
    assert [item["why"] for item in refused] == ["PostgreSQL did not execute the query"] * 2


def test_the_records_of_runs(tmp_path: Path) -> None:
    lost, whole = "20261125T170000Z-lab17", "20261125T180000Z-lab17"
    for name in (lost, whole, "20261125T190000Z-lab15", "notes", "20261124T180000Z-lab17"):
        (tmp_path / name).mkdir()
    (tmp_path / whole / "run.json").write_text("{}")
    (tmp_path / whole / "execution-log.md").write_text("a log")
    found = taken.runs(str(tmp_path), "lab17", 2, raw=False)
    assert [(item["name"], item.get("text"), item.get("why")) for item in found] == [
        (f"runs/{whole}/run.json", "{}", None), (f"runs/{lost}/run.json", None, "the run did not write it"),
    ]  # fmt: skip
    names = [item["name"] for item in taken.runs(str(tmp_path), "lab17", 2, raw=True)]
    assert names == [f"runs/{whole}/run.json", f"raw-logs/runs/{whole}/execution-log.md", f"runs/{lost}/run.json"]
    assert (
        taken.runs(str(tmp_path / "none"), "lab17", 2, raw=True)[0]["why"] == "report_directory has no run of this host"
    )


def test_the_newest_log_of_postgresql() -> None:
    files = [{"path": "/a.log", "mtime": 2.0}, {"path": "/b.log", "mtime": 3.0}, {"path": "/c.log", "mtime": 1.0}]
    assert taken.newest_log(files, "/var/log") == "/b.log"
    assert taken.newest_log([], "/var/log") == "/var/log/*.log"


def test_the_names_of_an_inventory() -> None:
    inventory = ["customer_id", {"name": "memories", "keys": [["user_id"]], "rows": 3, "body": "SELECT 1"}]
    found = taken.names(inventory)
    assert set(found) == {"customer_id", "name", "memories", "keys", "user_id", "rows", "body"}


@pytest.mark.parametrize(
    ("environment", "login"),
    [("DATABASE_URL=postgresql://alice:x@localhost/d\n", "alice"), ("DATABASE_URL=mysql://a@h/d", "app"), ("", "app")],
)
def test_which_role_the_service_logs_in_as(environment: str, login: str) -> None:
    assert taken.login(environment, "app") == login
