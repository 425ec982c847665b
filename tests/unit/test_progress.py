"""The progress of a dump, a restore or another job is shown as a share of the correct total."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.callback import terminal
from ansible_collections.aimemory.tenancy.plugins.module_utils import progress
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import clock, jobs

# One table contains nine tenths of the bytes. Its file in a dump can be much smaller or larger than the table.
WHOLE = progress.tables(
    [(1, "public", "memories", 900, 300.0, 8), (2, "public", "calls", 100, 10.0, 8), (3, "s p", "empty", 0, -1.0, 0)]
)
LISTED = """;
; Archive created at 2026-11-30 15:22:02
;
3456; 0 2 TABLE DATA public calls alice
3455; 0 1 TABLE DATA public memories alice
215; 1259 1 TABLE public memories alice
3458; 0 3 TABLE DATA public a b; TABLE DATA alice
3459; 0 0 SEQUENCE SET public a alice
"""


@pytest.mark.parametrize(
    ("ended", "running", "share"),
    [
        ([], {}, 0.0),
        ([], {"public.memories": 150}, 0.45),
        (["public.calls"], {"public.memories": 150}, 0.55),
        # While a table is being copied, only its copied rows count, although its file already exists.
        (["public.calls", "public.memories"], {"public.memories": 30}, 0.19),
        # The statistics are outdated: the table has more rows.
        (["public.calls"], {"public.memories": 9000}, 1.0),
        (["public.calls", "public.memories", "s p.empty"], {}, 1.0),
        # A table that was created after the sizes were read does not count.
        (["public.calls", "public.new"], {"public.newer": 3}, 0.1),
    ],
)
def test_a_share_is_that_of_all_bytes_and_ends_at_the_whole(
    ended: list[str], running: dict[str, float], share: float
) -> None:
    assert progress.share(WHOLE, ended, running) == pytest.approx(share)


def test_a_table_without_statistics_counts_when_it_ends() -> None:
    unknown = progress.tables([(1, "public", "memories", 900, -1.0, 8)])
    assert progress.share(unknown, [], {"public.memories": 5}) == 0
    assert progress.share(unknown, ["public.memories"], {}) == 1


def test_a_database_without_rows_has_no_share() -> None:
    assert progress.share([], [], {}) is None


def test_the_rows_of_a_table_are_found_by_its_oid_whatever_its_name() -> None:
    assert progress.data_entries(LISTED) == [(3456, 2), (3455, 1), (3458, 3)]


def test_a_dump_in_a_directory_has_begun_the_tables_that_have_a_file(tmp_path: Path) -> None:
    for name, text in (("toc.dat", "x"), ("3455.dat.gz", "x"), ("3458.dat", "\n"), ("3456.dat.gz", "")):
        (tmp_path / name).write_text(text)
    assert progress.started(progress.data_entries(LISTED), str(tmp_path)) == {1, 3}


def test_a_dump_in_a_file_has_copied_the_tables_before_the_running_one() -> None:
    entries = progress.data_entries(LISTED)
    assert progress.before(entries, {1}) == {2}
    assert progress.before(entries, {}) == set()


def read(job: jobs.Job, now: float, share: float | None, stage: str = "dump", detail: str = "memories") -> str:
    """Return the line of a job after the module reports this share at the time ``now``."""
    return job.line({"stage": stage, "share": share, "detail": detail, "msg": f"{stage}, {detail}"}, now)


def test_what_remains_is_estimated_from_the_share_since_the_stage_began() -> None:
    job = jobs.Job()
    assert read(job, 100.0, 0.1) == "dump 10%, memories"
    assert read(job, 110.0, 0.11) == "dump 11%, memories"
    assert read(job, 120.0, 0.3) == "dump 30%, about 70 s left, memories"
    assert read(job, 1100.0, 0.35) == "dump 35%, about 43 min left, memories"
    # If the share decreases because a table's file was incomplete, the estimate starts again.
    assert read(job, 1150.0, 0.05) == "dump 5%, memories"
    assert read(job, 1160.0, 0.15) == "dump 15%, about 85 s left, memories"
    # Each stage has its own speed, so the estimate starts again.
    assert read(job, 1200.0, 0.5, "test restore", "") == "test restore 50%"
    assert read(job, 1210.0, 1.0, "test restore", "") == "test restore 100%, about 0 s left"


def test_a_stage_without_a_share_says_what_it_does() -> None:
    job = jobs.Job()
    assert read(job, 0.0, None, detail="starting") == "dump, starting"
    assert job.line({"msg": "the progress is unknown: no route"}, 1.0) == "the progress is unknown: no route"


def test_without_a_terminal_each_further_tenth_is_a_line() -> None:
    job = jobs.Job()
    told = []
    for number, share in enumerate((None, None, 0.01, 0.05, 0.12, 0.19, 0.2, 0.2)):
        read(job, float(number), share)
        told.append(job.is_news())
    assert told == [True, False, True, False, True, False, True, False]
    # The percentage of an index build changes constantly, so it is not news.
    for said, news in (("scanning, 3%: idx_a", True), ("scanning, 99%: idx_a", False), ("sorting: idx_a", True)):
        job.line({"msg": said}, 9.0)
        assert job.is_news() is news


def test_a_phase_is_compared_with_the_last_run() -> None:
    shown = terminal.Progress()
    shown.expected = {"backup": 40.0, "lock": 1.0}

    def lasting(name: str, seconds: float, *, estimated: bool = False) -> str:
        return shown.lasting({"name": name, "started": clock.ago(seconds)}, estimated=estimated)

    assert lasting("backup", 4.2) == "4 of about 40 s"
    # The last run's duration is omitted if the phase exceeds it, has a better estimate, is short, or is new.
    assert lasting("backup", 41.2) == "41 s"
    assert lasting("backup", 4.2, estimated=True) == "4 s"
    assert lasting("lock", 0.2) == "0 s"
    assert lasting("expand", 4.2) == "4 s"


class Result:
    """The result of a task, in the form that Ansible passes to a callback."""

    def __init__(self, action: str, result: dict[str, Any]) -> None:
        """Set the action and the result of a task on one host."""
        self.task = type("Task", (), {"action": action, "get_name": lambda _: "report : watch | Wait for the job"})()
        self.host = type("Host", (), {"name": "lab17"})()
        self.result = result


def test_the_status_line_shows_the_time_and_the_progress_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    callback = terminal.CallbackModule()
    lines: list[str] = []
    monkeypatch.setattr(callback._display, "display", lambda text, color=None: lines.append(text))
    callback.phased = True
    callback._hosts["lab17"] = shown = terminal.Progress()
    shown.phases = [{"name": "backup", "started": clock.ago(2.2)}]
    shown.expected = {"backup": 40.0}
    told = {"stage": "dump", "share": 0.45, "detail": "memories", "msg": "dump 45%, memories"}
    callback.v2_runner_retry(Result("aimemory.tenancy.job_progress", told))
    foot = callback._foot_line()
    assert foot.endswith(" backup 2 s: dump 45%, memories")
    assert len(foot.split()[1]) == len("15:20:31")
    # The test's standard output is not a terminal, so the progress is printed as a line.
    assert [line.split(maxsplit=1)[1] for line in lines] == ["dump 45%, memories"]
    callback.v2_runner_retry(Result("ansible.builtin.uri", {"msg": "no answer"}))
    assert callback._foot_line().endswith(" backup 2 s: Wait for the job: no answer")
