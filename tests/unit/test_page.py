"""The record of a run as a page: whole, and harmless whatever the record says."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aimemory.tenancy.plugins.plugin_utils import page
from production import ROOT

SOURCE = (ROOT / "roles/report/files/report.html.j2").read_text()
EVIL = "<script>alert('1')</script>\"'><img src=x onerror=alert(1)> & {{ 7 * 7 }}"


FINDING = {
    "check": "memories.read", "table": "", "sentence": "A tenant reads", "expected": "0", "actual": "0", "ok": True,
}  # fmt: skip


def state(column: dict[str, Any] | None) -> dict[str, Any]:
    """Return a table of a state document as far as the page shows it."""
    policies = [{"name": "tenant_isolation_memories"}] if column else []
    return {
        "rows": 5755,
        "column": column,
        "rls": {"enabled": bool(column), "forced": bool(column)},
        "policies": policies,
    }


def record(**other: Any) -> dict[str, Any]:
    """Return the record of a migration of four phases and ten seconds, two of which callers waited."""
    return {
        "run": "20261125T175131Z-db1", "kind": "migrate", "host": "db1", "database": "ai_memory",
        "operator": "alice on laptop", "versions": {"PostgreSQL": "17.2", "ansible-core": "2.21.5"},
        "options": {"tenancy_strategy": "atomic"}, "outcome": "SUCCESS", "finished": True,
        "completed": "2026-11-25T17:51:41.000000", "failure": None, "aftermath": [],
        "phases": [
            {"name": name, "started": f"2026-11-25T17:51:{second}.000000"}
            for name, second in (("preflight", 31), ("cutover", 33), ("apply", 36), ("start", 37))
        ],
        "stopped_at": "2026-11-25T17:51:35.500000", "healthy_at": "2026-11-25T17:51:37.500000",
        "backup": {
            "path": "/var/backups/ai-memory/ai_memory-1", "size_bytes": 9675228, "encrypted": False,
            "proven_seconds": 3.5, "sha256": "ddf5",
            "tables": [{"schema": "public", "name": "memories", "rows": 5755, "hash": "-1002"}],
        },
        "copy": None, "rehearsal": None, "strategy": "atomic", "online_steps": [],
        "plan": [
            {"id": "memories.column", "table": "memories", "phase": "column", "sql": "ALTER TABLE x", "reason": "Add"},
        ],
        "durations": {"memories.column": 0.0125}, "proof": [FINDING], "login": [FINDING], "findings": [FINDING],
        "audit": [
            {"rule": "role-owner", "severity": "warning", "subject": "s", "why": "w", "remedy": "r", "cured": False},
        ],
        "journal": {"lines": ["started"], "failures": [], "errors": 1, "errors_before": 2},
        "watched": {
            "seconds": 60, "samples": 6, "lines": 40, "errors": 1, "requests": 12, "refused": 0, "trouble": ["ill"],
        },
        "replaced_database": None,
        "tables": {
            "before": {"memories": state(None)}, "after": {"memories": state({"type": "integer", "not_null": True})},
        },
        "commands": ["ansible-playbook rollback.yml -e rollback_mode=policies"],
    } | other  # fmt: skip


class Reader(HTMLParser):
    """What stands on a page: its tags with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def changed(value: Any, change: Callable[[str], str]) -> Any:
    """Return the value with every text that is no time, key or outcome changed."""
    if isinstance(value, dict):
        kept = ("started", "completed", "stopped_at", "healthy_at", "outcome", "id")
        return {key: item if key in kept else changed(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [changed(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def test_the_page_says_what_the_record_says() -> None:
    reader = Reader(page.render(SOURCE, record()))
    assert reader.open == []
    for words in (
        "SUCCESS, 2.0 s from stop to healthy", "alice on laptop", "ALTER TABLE x", "12.5", "5,755", "A tenant reads",
        "restored and compared in 3.5 s", "-1002", "role-owner", "tenant_isolation_memories", "integer, NOT NULL",
        "rollback_mode=policies", "1 error lines since the start, 2 in the hour before",
    ):  # fmt: skip
        assert words in reader.text, words


def test_the_page_needs_nothing_else() -> None:
    tags = Reader(page.render(SOURCE, record())).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object", "base"}
    assert not {name for _, attributes in tags for name in attributes} & {"src", "href", "style", "srcset"}
    assert "url(" not in SOURCE
    assert "@import" not in SOURCE


def test_what_comes_from_outside_is_text() -> None:
    harmless, harmful = (
        Reader(page.render(SOURCE, record())),
        Reader(page.render(SOURCE, changed(record(), lambda _: EVIL))),
    )
    assert [tag for tag, _ in harmful.tags] == [tag for tag, _ in harmless.tags]
    assert {name for _, attributes in harmful.tags for name in attributes if name.startswith("on")} == set()
    assert EVIL in harmful.text
    assert "49" not in harmful.text


@given(st.text())
def test_any_text_is_shown_as_it_is(text: str) -> None:
    failure = {"phase": "apply", "task": "Run", "message": text}
    html = page.render(SOURCE, record(outcome="FAILED", failure=failure))
    tags = [tag for tag, _ in Reader(html).tags]
    assert tags == [
        tag for tag, _ in Reader(page.render(SOURCE, record(outcome="FAILED", failure=failure | {"message": "x"}))).tags
    ]


def test_the_timeline_lies_where_the_phases_were() -> None:
    preflight, cutover, apply, start = page.timeline(record())
    assert [phase["seconds"] for phase in (preflight, cutover, apply, start)] == [2, 3, 1, 4]
    assert (cutover["bar"], start["bar"]) == ({"x": 200, "width": 300}, {"x": 600, "width": 400})
    assert preflight["down"] == start["down"] == {"x": 450, "width": 200}
    assert {phase["state"] for phase in (preflight, cutover, apply, start)} == {"ok"}


def test_a_failure_is_marked_and_the_service_may_still_be_down() -> None:
    failure = {"phase": "start", "task": "Start", "message": "not healthy"}
    failed = record(outcome="PARTIAL", failure=failure, healthy_at=None, aftermath=["Service: DOES NOT ANSWER."])
    *earlier, last = page.timeline(failed)
    assert {phase["state"] for phase in earlier} == {"ok"}
    assert (last["state"], last["down"]) == ("FAILED", {"x": 450, "width": 550})
    reader = Reader(page.render(SOURCE, failed))
    assert "not healthy" in reader.text
    assert "Service: DOES NOT ANSWER." in reader.text
    assert "from stop to healthy" not in reader.text


@pytest.mark.parametrize(
    "nothing",
    [
        {
            "backup": None,
            "journal": None,
            "plan": [],
            "proof": [],
            "login": [],
            "findings": [],
            "audit": [],
            "commands": [],
        },
        {
            "tables": {"before": {}, "after": {}},
            "strategy": None,
            "operator": None,
            "stopped_at": None,
            "healthy_at": None,
        },
        {"completed": None, "finished": False, "outcome": "FAILED"},
    ],
)
def test_what_there_was_not_is_left_out(nothing: dict[str, Any]) -> None:
    reader = Reader(page.render(SOURCE, record(**nothing)))
    assert reader.open == []
    assert "None" not in reader.text
