"""A run's files on this machine are private, without control characters, and either complete or absent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.aimemory.tenancy.plugins.action import end_run
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import facts, result, texts
from test_run_record import VARIABLES, migrated

HIDDEN = "a\x1b[2K\u202eb\x7f\u2028"


def test_a_text_shows_every_character(tmp_path: Path) -> None:
    path = tmp_path / "run/execution-log.md"
    texts.write(path, f"one\ttwo\n{HIDDEN}\n")
    assert path.read_text() == "one\ttwo\na\\x1b[2K\\u202eb\\x7f\\u2028\n"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_document_keeps_its_meaning_and_shows_every_character(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    document = {"name": HIDDEN, "words": "Grüße, 名前", "lines": "a\nb", "none": None}
    texts.write_json(path, document)
    written = path.read_text()
    assert json.loads(written) == document
    assert "Grüße, 名前" in written
    assert written.isprintable() or set(written) - {"\n"} == {c for c in written if c.isprintable()}


def test_a_run_leaves_its_record_its_log_and_its_page(tmp_path: Path) -> None:
    log = tmp_path / "run/execution-log.md"
    known = migrated({"log": str(log)}, log=str(log))
    assert end_run.write(known, log) == ""
    assert sorted(path.name for path in log.parent.iterdir()) == ["execution-log.md", "report.html", "run.json"]
    assert json.loads(log.with_name("run.json").read_text())["outcome"] == "SUCCESS"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    log = tmp_path / "run/execution-log.md"
    assert end_run.write(migrated(log=str(log)), log) == f"{log.with_name('run.json')} cannot be written: File exists."


def test_the_facts_of_a_run_are_results_and_rendered_settings() -> None:
    variables = VARIABLES | {
        "database_name": "{{ name }}", "tenancy_bridge": True, "tenancy_app_role": "app",
        "report_result": result.new("a", "/logs/a/execution-log.md"),
        "plan_result": {"state_before": {"tables": {"a": 1}}, "state": {"tables": {"a": 2}}, "audit": [1]},
        "apply_result": {"committed": True, "proof": [2]},
        "verify_result": {"state": {"tables": {"a": 3}}, "audit": [], "findings": [4]},
    }  # fmt: skip
    found = facts.pick(variables, lambda value: f"<{value}>")
    assert (found["database"], found["asked"]["tenancy_bridge"]) == ("<{{ name }}>", "<True>")
    assert (found["committed"], found["undone"], found["proof"]) == (True, False, [2])
    assert (found["findings"], found["audit"], found["tables"]) == ([4], [], {"before": {"a": 1}, "after": {"a": 3}})
    assert found["log"] == "/logs/a/execution-log.md"


@pytest.mark.parametrize(
    ("results", "after"),
    [
        ({}, {}),
        ({"plan_result": {"state": {"tables": {"a": 1}}}}, {"a": 1}),
        # The change was reverted.
        ({"plan_result": {"state": {"tables": {"a": 1}}}, "apply_result": {"state": {"tables": {"a": 0}}}}, {"a": 0}),
    ],
)
def test_the_tables_after_a_run_are_those_of_the_last_inspection(
    results: dict[str, object], after: dict[str, int]
) -> None:
    assert facts.pick(VARIABLES | results, str)["tables"]["after"] == after
