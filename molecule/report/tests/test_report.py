"""The pages of a successful and a failed run in a real browser, and their logs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser import SCHEMES, WIDTHS, chromium, opened
from reported import Runs

# All these tests run on the same host, so only one host needs to be prepared.
pytestmark = pytest.mark.one_host(together=True)

# The page size in points. A page can be slightly smaller.
A4 = (595, 842)
PAGES = 6
QUESTIONS = (
    "Did it work?", "Was anybody cut off?", "Is the data safe?", "How can it be undone, and until when?",
    "What remains to be done?",
)  # fmt: skip


@pytest.fixture(scope="module")
def pages(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the pages as files."""
    directory = tmp_path_factory.mktemp("pages")
    for name, run in {"failed": runs.failed, "done": runs.done}.items():
        (directory / f"{name}.html").write_text(run.files()["report.html"])
    return {name: directory / f"{name}.html" for name in ("failed", "done")}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the browser once."""
    with chromium() as started:
        yield started


@pytest.mark.parametrize("name", ["done", "failed"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_can_be_read(browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    with opened(browser, pages[name], width, scheme) as look:
        assert look.overflow() <= 0
        assert look.inaccessible() == []
        # The previous check has unfolded all details. The page must still fit.
        assert look.overflow() <= 0
        assert look.complaints == []
        assert look.requests == [pages[name].as_uri()]
        # Words are not broken into individual letters.
        cell = look.page.locator(".timeline tbody td").first.bounding_box()
        assert cell
        assert cell["height"] < 40


@pytest.mark.parametrize("name", ["done", "failed"])
def test_it_prints_on_a_few_sheets_of_a4(browser: Browser, pages: dict[str, Path], name: str) -> None:
    with opened(browser, pages[name], 1280, "dark") as look:
        printed = look.page.pdf(prefer_css_page_size=True)
        sizes = {
            tuple(map(round, map(float, found)))
            for found in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)
        }
        assert sizes
        assert all(abs(width - A4[0]) <= 1 and abs(height - A4[1]) <= 1 for width, height in sizes), sizes
        look.page.emulate_media(media="print")
        assert look.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        # On paper, the short tables are unfolded. The complete lists appear only on the screen.
        for details, is_printed in (("brief", True), ("all", False)):
            folded = f"[...document.querySelectorAll('details.{details} .wide')]"
            heights = look.page.evaluate(f"{folded}.map(element => element.getBoundingClientRect().height)")
            assert heights
            assert all((height > 20) == is_printed for height in heights), heights
        assert len(re.findall(rb"/Type */Page\b", printed)) <= PAGES
        # The answers are on the first sheet, whose height is that of A4 without its margins.
        assert look.page.locator(".outcome").bounding_box()["height"] < 900


def test_it_holds_the_facts_of_the_run(browser: Browser, pages: dict[str, Path], runs: Runs) -> None:
    record = runs.done.record
    started = {phase["name"]: phase["started"] for phase in record["phases"]}
    apart = datetime.fromisoformat(record["stopped_at"]) - datetime.fromisoformat(started["stop"])
    # Between these two times, the run asks systemd whether the unit is active.
    assert 0 <= apart.total_seconds() < 2
    assert len(record["durations"]) == len(record["plan"]) > 50
    with opened(browser, pages["done"], 1280, "light") as look:
        look.page.evaluate("document.querySelectorAll('details').forEach(element => { element.open = true })")
        text = look.page.inner_text("body")
        rows = {
            name: look.page.locator(f"div[aria-label='{name}'] tbody tr").count()
            for name in ("Isolation proof", "Statements")
        }
    assert rows == {"Isolation proof": len(record["proof"]), "Statements": len(record["plan"])}
    assert len(record["proof"]) == 187
    for words in (
        record["backup"]["sha256"], record["backup"]["tables"][0]["hash"], record["plan"][0]["sql"],
        record["journal"]["lines"][-1], *record["versions"].values(), "5,755", "rollback_mode=schema",
        "tenant_isolation_memories: ALL to alice", "call_summaries_call_id_key: UNIQUE (call_id)",
        "call_summaries_call_id_key: UNIQUE (customer_id, call_id)",
    ):  # fmt: skip
        assert words in text, words
    assert re.search(r"Yes, for [\d.]+ s: the service was stopped at [\d:]{8} UTC and responded again at ", text)
    first, *_ = text.split("Commands")
    for question in QUESTIONS:
        assert question in first, question


def test_a_failure_says_what_state_everything_is_in(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["failed"], 1280, "light") as look:
        text = look.page.inner_text("body")
        assert look.page.locator(".timeline .bad").all_inner_texts() == ["FAILED"]
    assert "No. The change failed. The database is unchanged." in text
    # The reason appears only once.
    assert text.count("(table personality_metrics, constraint <b>one</b>) instead of 1 rows") == 1
    assert "Database: unchanged, nothing was committed." in text
    assert "Service: ai-memory responds again." in text


def test_the_log_holds_the_same_facts(runs: Runs) -> None:
    record, log = runs.done.record, runs.done.log
    for words in (
        record["backup"]["sha256"], record["backup"]["tables"][0]["hash"], record["plan"][0]["sql"],
        f"\n    {record['journal']['lines'][-1]}\n", *record["versions"].values(),
        f"{len(record['findings'])} of {len(record['findings'])} hold", "- backup_test_restore: true",
        *(f"\n| {table} | row security | off | on, forced |\n" for table in record["tables"]["after"]),
        *(f"\n    {command}\n" for command in record["commands"]),
    ):  # fmt: skip
        assert words in log, words
    statements = log[log.index("## Statements") :]
    assert all(f"\n| {item['id']} | " in statements for item in record["plan"])


def test_what_failed_does_not_break_the_log(runs: Runs) -> None:
    assert "(table personality_metrics, constraint \\<b>one\\</b>) instead of 1 rows" in runs.failed.log
    assert runs.failed.record["finished"]
