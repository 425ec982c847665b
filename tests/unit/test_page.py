"""The page and the log of a run are complete, and safe whatever the record contains."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import page
from production import ROOT

SOURCE = (ROOT / "plugins/plugin_utils/report/report.html.j2").read_text()
LOG = (ROOT / "plugins/plugin_utils/report/execution-log.md.j2").read_text()
SCHEMA = json.loads((ROOT / "docs/run.schema.json").read_text())
KINDS = SCHEMA["properties"]["kind"]["enum"]
EVIL = "<script>alert('1')</script>\"'><img src=x onerror=alert(1)> & {{ 7 * 7 }}"


# Texts with characters that have a meaning in Markdown or HTML, or that must not be displayed.
WILD = [
    EVIL, "a | b \\| c \\", "a\n\n# b\n\n---\n| c |\n|---|\r\n```\n    d", "`a` **b** _c_ ~~d~~ *e", "[a](b) ![c](d) <http://e>",
    "__init__ tenant_isolation_memories _ a_", "&lt; &#60; &", "- [ ] a", "\x1b[31ma\x00b\u2028c\x85d", "<!-- a", "](",
]  # fmt: skip

anything = st.text() | st.lists(st.sampled_from([*"\\`*_~|<>&#![]()-+=:.$1 \na", *WILD])).map("".join)

FINDING = {
    "check": "memories.read", "table": "", "sentence": "A tenant reads", "expected": "0", "actual": "0", "ok": True,
}  # fmt: skip
VERIFIED = {"check": "type", "table": "memories", "expected": "integer", "actual": ["text"], "ok": False}


def index(name: str, definition: str, constraint: str | None = None) -> dict[str, Any]:
    """Return an index in the form of a state document, with only the displayed fields."""
    unique = " UNIQUE " in definition
    return {
        "name": name, "definition": definition, "unique": unique, "valid": True, "constraint": constraint and name,
        "constraint_definition": constraint,
    }  # fmt: skip


def state(column: dict[str, Any] | None) -> dict[str, Any]:
    """Return a table in the form of a state document, with only the displayed fields."""
    policy = {"name": "tenant_isolation_memories", "permissive": True, "command": "ALL", "roles": ["alice"]}
    return {
        "exists": True,
        "rows": 5755,
        "column": column,
        "rls": {"enabled": bool(column), "forced": bool(column)},
        "policies": [policy | {"public": False}] if column else [],
        "indexes": [
            index("memories_pkey", "CREATE UNIQUE INDEX i ON public.memories USING btree (id)", "PRIMARY KEY (id)"),
            index("idx_k", "CREATE INDEX idx_k ON public.memories USING btree (k)"),
        ],
        "foreign_keys": [],
    }  # fmt: skip


def record(**other: Any) -> dict[str, Any]:
    """Return the record of a migration with four phases, which took ten seconds and stopped the service for two."""
    return {
        "version": 1, "run": "20261125T175131Z-db1", "kind": "migrate", "host": "db1", "database": "ai_memory",
        "service": "ai-memory", "tenant": "Peterson Insurance", "tenant_column": "customer_id",
        "operator": "alice on laptop", "application_role": "alice",
        "versions": {
            "PostgreSQL": "17.2", "ansible-core": "2.21.5", "Python": "3.13.0", "aimemory.tenancy": "0.1.0",
        },
        "options": {"tenancy_strategy": "atomic"}, "outcome": "SUCCESS", "finished": True,
        "completed": "2026-11-25T17:51:41.000000", "failure": None, "aftermath": [],
        "database_state": "changed", "service_state": "restarted", "bridge": True,
        "phases": [
            {"name": name, "started": f"2026-11-25T17:51:{second}.000000"}
            for name, second in (("preflight", 31), ("cutover", 33), ("apply", 36), ("start", 37))
        ],
        "stopped_at": "2026-11-25T17:51:35.500000", "healthy_at": "2026-11-25T17:51:37.500000",
        "backup": {
            "version": 1, "path": "/var/backups/ai-memory/ai_memory-1", "size_bytes": 9675228, "encrypted": False,
            "proven_seconds": 3.5, "sha256": "ddf5", "created": "2026-11-25T18:51:33.000000+01:00",
            "tables": [{"schema": "public", "name": "memories", "rows": 5755, "hash": "-1002"}],
        },
        "copy": {"path": "/home/alice/backups/ai_memory-1.tar", "sha256": "18f1"},
        "rehearsal": {"backup": "/var/backups/ai-memory/ai_memory-1", "locked_seconds": 0.42},
        "service_login": {"role": "memory_app", "replaced": "postgres"}, "evidence": "nothing used the bridge",
        "strategy": "atomic", "locked_seconds": 0.31, "renewed": None, "online_steps": [],
        "plan": [
            {
                "id": "memories.column", "table": "memories", "phase": "column", "sql": "ALTER TABLE x\n  ADD y",
                "reason": "Add",
            },
        ],
        "durations": {"memories.column": 0.0125}, "proof": [FINDING], "login": [FINDING],
        "findings": [VERIFIED, FINDING, FINDING],
        "audit": [
            {"rule": "role-owner", "severity": "warning", "subject": "s", "why": "w", "remedy": "r",
             "fixed_by_plan": False},
            {"rule": "setting-url", "severity": "warning", "subject": "s", "why": "w", "remedy": "r",
             "fixed_by_plan": False},
        ],
        "journal": {"lines": ["started"], "failures": [], "errors": 1, "errors_before": 2, "refused_before": 3},
        "api": {
            "mode": "read", "token": "signed", "unproven": ["that it stores"], "shown": ["what it shows"],
            "endpoints": 2, "apart": 1,
        },
        "callers": {
            "endpoint": "GET /v1/memories", "interval": 0.1, "obstacle": "", "sent": 240, "failed": 18,
            "reasons": {"no connection": 18}, "worst": 0.061, "p99": 0.012, "gap": 1.9, "seconds": 24.0,
            "slices": {"step": 1, "worst": [0.061, None], "failed": [18, 0]},
            "health": {"sent": 3, "failed": 0, "worst": 0.2},
        },
        "watched": {
            "seconds": 60, "samples": 6, "lines": 40, "errors": 1, "requests": 12, "refused": 0, "refused_before": 3,
            "unnamed": "the last session that set no tenant was 7 s ago", "trouble": ["ill"],
        },
        "written": [{"schema": "public", "name": "memories", "written": 12, "gone": 0}],
        "replaced_database": "ai_memory_replaced",
        "tables": {
            "before": {"memories": state(None)}, "after": {"memories": state({"type": "integer", "not_null": True})},
        },
        "commands": ["ansible-playbook rollback.yml -e rollback_mode=policies"],
    } | other  # fmt: skip


class Reader(HTMLParser):
    """The contents of a page: its tags with their attributes, and its text."""

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
    """Return the value with every string changed, except keys, times, ids, kinds, outcomes and states."""
    if isinstance(value, dict):
        kept = (
            "database_state",
            "service_state",
            "created",
            "started",
            "completed",
            "stopped_at",
            "healthy_at",
            "outcome",
            "kind",
            "id",
        )
        return {key: item if key in kept else changed(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [changed(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


class Markdown:
    """Parsed Markdown: the kinds of its parts, the text of each part, and the code."""

    def __init__(self, text: str) -> None:
        """Parse the text, including the tables and strikethrough of GitHub's Markdown."""
        self.kinds: list[str] = []
        self.texts: list[str] = []
        self.code: list[str] = []
        for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
            self.kinds.append(token.type)
            children = token.children or []
            self.kinds += [child.type for child in children if child.type != "text"]
            self.code += [part.content for part in (token, *children) if part.type in ("code_block", "code_inline")]
            if token.type == "inline":
                self.texts.append("".join(child.content or "\n" for child in children))

    @property
    def text(self) -> str:
        """Return the whole text."""
        return "\n".join(self.texts + self.code)


def folded(text: str) -> str:
    """Return the displayed form of the text, on one line."""
    return " ".join(messages.visible(text, lines=True).split())


def logged(**other: Any) -> str:
    """Return the log of a record with these fields."""
    return page.render(LOG, record(**other), markdown=True)


# The facts that both the page and the log must contain.
FACTS = (
    "SUCCESS", "alice on laptop", "tenancy_strategy", "2.21.5", "3.13.0", "0.1.0", "nothing used the bridge",
    "memory_app now, in place of postgres", "Longest lock on the tables", "0.42 s", "integer, NOT NULL", "on, forced",
    "tenant_isolation_memories: ALL to alice", "memories_pkey: PRIMARY KEY (id)", "idx_k: btree (k)", "ALTER TABLE x",
    "12.5", "A tenant reads", "text", "alice", "Was anybody cut off?", "role-owner",
    "restored and compared in 3.5 s", "-1002",
    "18f1", "started", "0 of them failed, 3 in the previous hour",
    "the last session that set no tenant was 7 s ago", "ill",
    "Callers waited 1.9 s: 18 of 240 reads failed while the service was stopped.",
    "ai_memory_replaced", "rollback_mode=policies", "public.memories (12 rows added or changed)",
)  # fmt: skip


def test_the_record_has_the_published_form() -> None:
    jsonschema.validate(record(), SCHEMA)


def test_the_page_says_what_the_record_says() -> None:
    reader = Reader(page.render(SOURCE, record()))
    assert reader.open == []
    more = (
        "Yes, for 2.0 s: the service was stopped at 17:51:35 UTC",
        "5,755",
        "0 of 1 hold",
        "1 error lines since the start, 2 in the previous hour",
    )
    # A browser displays a line break as a space.
    shown = " ".join(reader.text.split())
    for words in (*FACTS, *more):
        assert words in shown, words


def test_the_log_says_what_the_record_says() -> None:
    text = Markdown(logged()).text
    more = (
        "2 of 3 hold",
        "Downtime from stop to healthy: 2.0 s",
        "5755",
        "2 before, 1 since the start",
        "Status: SUCCESS",
    )
    for words in (*FACTS, *more):
        assert words in text, words
    # The log omits the plan's SQL, which contains this line.
    assert "ADD y" not in text


def test_the_page_needs_nothing_else() -> None:
    tags = Reader(page.render(SOURCE, record())).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object", "base"}
    assert not {name for _, attributes in tags for name in attributes} & {"src", "href", "style", "srcset"}
    assert "url(" not in SOURCE
    assert "@import" not in SOURCE


def test_what_comes_from_outside_is_text() -> None:
    # Rows with the same strings are shown as one row. Each page uses a single string, so both show the same rows.
    harmless, harmful = (
        Reader(page.render(SOURCE, changed(record(), lambda _, text=text: text)))  # type: ignore[misc]
        for text in ("harmless", EVIL)
    )
    assert [tag for tag, _ in harmful.tags] == [tag for tag, _ in harmless.tags]
    assert {name for _, attributes in harmful.tags for name in attributes if name.startswith("on")} == set()
    assert EVIL in harmful.text
    assert "49" not in harmful.text


def test_no_control_character_is_in_page_or_log() -> None:
    wild = "a\x1b[2Kb\x9b\u202ec\u200b"
    harmful = changed(record(), lambda _: wild)
    for text in (page.render(SOURCE, harmful), page.render(LOG, harmful, markdown=True)):
        assert messages.visible(text, lines=True) == text
        assert "x1b[2Kb" in text


@pytest.mark.parametrize("text", WILD)
def test_what_comes_from_outside_is_text_in_the_log(text: str) -> None:
    harmless = Markdown(logged())
    harmful = Markdown(page.render(LOG, changed(record(), lambda _: text), markdown=True))
    assert harmful.kinds == harmless.kinds
    assert folded(text) in harmful.texts
    assert "49" not in harmful.text


@given(anything)
def test_a_cell_shows_any_text_as_it_is(text: str) -> None:
    assert Markdown(f"| a | b |\n|---|---|\n| {page.line(text)} | c |\n").texts == ["a", "b", folded(text), "c"]


@given(anything)
def test_a_paragraph_shows_any_text_as_it_is(text: str) -> None:
    for shown in (page.prose(text), page.code(text)):
        read = Markdown(f"Words: {shown} and so on.\n")
        assert [folded(words) for words in read.texts] == [folded(f"Words: {text} and so on.")]
        assert set(read.kinds) <= {"paragraph_open", "inline", "code_inline", "paragraph_close"}


@given(st.lists(anything))
def test_a_block_shows_any_lines_as_they_are(lines: list[str]) -> None:
    read = Markdown(f"Words:\n\n{page.block(lines)}\n\nand so on.\n")
    assert [text for text in read.texts if text] == ["Words:", "and so on."]
    assert folded("\n".join(read.code)) == folded("\n".join(lines))


@given(anything)
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
    failed = record(
        outcome="PARTIAL", failure=failure, healthy_at=None, aftermath=["Service: DOES NOT RESPOND."],
        service_state="stopped",
    )  # fmt: skip
    *earlier, last = page.timeline(failed)
    assert {phase["state"] for phase in earlier} == {"ok"}
    assert (last["state"], last["down"]) == ("FAILED", {"x": 450, "width": 550})
    reader = Reader(page.render(SOURCE, failed))
    assert "not healthy" in reader.text
    assert "Service: DOES NOT RESPOND." in reader.text
    assert "has not responded since" in reader.text
    # The reason is on the page once.
    assert reader.text.count("not healthy") == 1


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
    log = logged(**nothing)
    assert "None" not in log.replace("\nNone.\n", "")
    assert "\n\n\n" not in log


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_refused_at_once_is_shown(kind: str) -> None:
    failure = {"phase": "preflight", "task": "inputs | Require", "message": "no | such <thing>"}
    refused = record(
        kind=kind, outcome="FAILED", failure=failure, phases=record()["phases"][:1], stopped_at=None, healthy_at=None,
        operator=None, application_role=None, service_login=None, evidence=None, backup=None, copy=None, rehearsal=None,
        strategy=None, plan=[], durations={}, proof=[], login=[], findings=[], audit=[], journal=None, api=None,
        watched=None, written=None, replaced_database=None, tables={"before": {}, "after": {}}, commands=[],
        callers=None, locked_seconds=None, renewed=None,
        versions=record()["versions"] | {"PostgreSQL": None}, database_state="unchanged", service_state="kept",
        bridge=False,
    )  # fmt: skip
    jsonschema.validate(refused, SCHEMA)
    assert Reader(page.render(SOURCE, refused)).open == []
    log = page.render(LOG, refused, markdown=True)
    assert 'Phase preflight, task "inputs | Require": no | such \\<thing>\n' in log
    assert "- [x]" not in log
    assert log.endswith("- aimemory.tenancy 0.1.0\n")


def test_a_template_asks_how_far_a_run_came() -> None:
    assert page.render("{{ done('preflight') }} {{ reached('swap') }}", record()) == "True False"


def test_a_run_that_was_lost_is_shown_as_far_as_it_came() -> None:
    lost = record(completed=None, finished=False, outcome="FAILED", healthy_at=None, phases=record()["phases"][:3])
    jsonschema.validate(lost, SCHEMA)
    log = page.render(LOG, lost, markdown=True)
    assert "The run did not finish: it was interrupted, or lost its connection to the server, in phase apply." in log
    assert "- [x] Prerequisites verified" in log
    assert "- [ ] Migration executed" in log
    assert "Downtime" not in log


def test_a_run_that_was_cancelled_failed_nowhere() -> None:
    failure = {"phase": "start", "task": "Require YES", "message": "Not confirmed: nothing was touched."}
    cancelled = record(
        outcome="CANCELLED", failure=failure, stopped_at=None, healthy_at=None, findings=[], commands=[],
        database_state="unchanged", service_state="kept",
    )  # fmt: skip
    assert page.timeline(cancelled)[-1]["state"] == "CANCELLED"
    text = Reader(page.render(SOURCE, cancelled)).text
    log = page.render(LOG, cancelled, markdown=True)
    for shown in (text, log):
        assert "Cancelled: the answer was not YES. Nothing was touched." in shown
        assert "FAILED" not in shown
        # The message of the task that requires YES does not appear as a second reason.
        assert "Require YES" not in shown
    assert "\n\nNone.\n" in log
    assert "- [ ] Verification passed\n" in log or "- [x] Verification passed\n" in log


def test_tables_are_compared_as_they_were_and_are() -> None:
    after = state({"type": "integer", "not_null": False}) | {"rls": {"enabled": True, "forced": False}}
    watch = {"name": "watch", "permissive": False, "command": "SELECT", "roles": [], "public": True}
    references = {"schema": "public", "table": "calls"}
    after["policies"].append(watch)
    after["indexes"].append(
        index("one_k", "CREATE UNIQUE INDEX one_k ON public.memories USING btree (k)") | {"valid": False}
    )
    after["foreign_keys"] = [{"name": "of_call", "columns": ["a", "b"], "references": references, "key": ["c", "d"]}]
    (table,) = page.compared({"tables": {"before": {"memories": {"exists": False}}, "after": {"memories": after}}})
    assert table == {
        "name": "memories",
        "before": {
            "rows": None, "column": None, "row_security": None,
            "definitions": {"policies": [], "keys": [], "indexes": []},
        },
        "after": {
            "rows": 5755,
            "column": "integer, may be NULL",
            "row_security": "on",
            "definitions": {
                "policies": ["tenant_isolation_memories: ALL to alice", "watch: restrictive, SELECT to public"],
                "keys": [
                    "memories_pkey: PRIMARY KEY (id)",
                    "one_k: unique btree (k), INVALID",
                    "of_call: FOREIGN KEY (a, b) REFERENCES public.calls (c, d)",
                ],
                "indexes": ["idx_k: btree (k)"],
            },
        },
    }  # fmt: skip


def test_the_log_of_a_live_run_says_that_the_service_was_not_stopped() -> None:
    names = ("preflight", "plan", "backup", "rehearse", "expand", "cutover", "bridge", "renew", "apply", "answer",
             "verify", "journal")  # fmt: skip
    phases = [{"name": name, "started": "2026-11-25T17:51:33.000000"} for name in names]
    renewed = {"way": "gunicorn", "workers": 1, "processes": 1, "seconds": 2.5}
    text = logged(strategy="live", stopped_at=None, renewed=renewed, phases=phases)
    assert "- [x] Service ai-memory renewed its sessions; it was not stopped" in text
    assert "- [x] Service ai-memory works with the change" in text
    assert "Service ai-memory stopped" not in text
    assert "Service ai-memory restarted" not in text
    assert "- [ ] Migration executed" not in text
