"""The benchmarks write each result immediately. A run that is refused because of the load is also a result."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import callers
import report
import run
import stalls
from ansible_collections.aimemory.tenancy.plugins.module_utils.health import Answer
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import working
from callers import LIVE, SHELL, STOP, Cell, Felt
from load import summary

SMALL, LARGE = callers.SIZES[0], callers.SIZES[-1]
LATE = Answer(healthy=False, sentence="does not answer within 30 s", late=True)
BROKEN = Answer(healthy=False, sentence="answers 500")
REASON = "/health does not answer within 30 s"
STALLS = "What callers notice while the database changes"


def failed(message: str, **other: Any) -> dict[str, Any]:
    """Return the parts of a failed run's record that describe the failure and the final state."""
    failure = {"phase": "try", "task": "test_before_stop | Require a healthy service", "message": message}
    left = {"finished": True, "database_state": "unchanged", "service_state": "kept"}
    return {"outcome": "FAILED", "failure": failure, "phases": [], "locked_seconds": None, **left, **other}


def message(answer: Answer) -> str:
    return working.health_refusal(vars(answer), "http://127.0.0.1:8100/health")


REFUSED = failed(message(LATE))
DONE = failed("", outcome="SUCCESS", failure=None, database_state="changed")


@pytest.mark.parametrize(("answer", "reason"), [(LATE, REASON), (BROKEN, "/health answers 500")])
def test_the_reason_of_a_refusal_is_that_of_the_health_check(answer: Answer, reason: str) -> None:
    assert callers.refusal(failed(message(answer))) == reason


@pytest.mark.parametrize(
    "record",
    [
        {},
        DONE,
        failed("The isolation proof failed: before anything was stopped, nothing is known."),
        failed(f"A module failed: {message(LATE)}"),
        failed(message(LATE), database_state="expanded"),
        failed(message(LATE), database_state="unknown"),
        failed(message(LATE), service_state="restarted"),
        failed(message(LATE), finished=False),
    ],
)
def test_no_other_end_of_a_run_is_a_refusal(record: dict[str, Any]) -> None:
    assert callers.refusal(record) == ""


class Host:
    """A lab host on which each playbook run has the same exit status and record."""

    def __init__(self, returncode: int, record: dict[str, Any] | None) -> None:
        files = {} if record is None else {"run.json": ""}
        self._run = SimpleNamespace(returncode=returncode, record=record, output="the output", files=lambda: files)

    def playbook(self, *arguments: str, check: bool | None = True) -> Any:
        assert check is None or (self._run.returncode == 0) == check
        return self._run

    def reset(self) -> None:
        pass

    def sql(self, statement: str) -> None:
        pass

    def run(self, command: str) -> None:
        pass

    @contextlib.contextmanager
    def drop_in(self, settings: str) -> Iterator[None]:
        yield


def change(returncode: int, record: dict[str, Any] | None) -> Any:
    return callers.run_with("live")(Host(returncode, record))  # type: ignore[arg-type]


def test_a_run_succeeds_or_is_refused() -> None:
    assert change(0, DONE) is DONE
    assert change(2, REFUSED) is REFUSED


@pytest.mark.parametrize(
    "record", [None, DONE, failed("permission denied"), failed(message(LATE), database_state="expanded")]
)
def test_any_other_failure_is_an_error_that_shows_the_output(record: dict[str, Any] | None) -> None:
    with pytest.raises(AssertionError, match="ended with 2:\nthe output"):
        change(2, record)


def request(due: float, latency: float) -> dict[str, Any]:
    return {
        "number": 1, "kind": "store", "user": "+1", "due": due, "late_ms": 0.0, "latency_ms": latency, "failed": None,
        "wrong": None,
    }  # fmt: skip


@pytest.mark.parametrize(("returncode", "record", "reason"), [(0, DONE, ""), (2, REFUSED, REASON)])
def test_the_result_of_a_cell_contains_the_refusal_and_the_load_before_it(
    monkeypatch: pytest.MonkeyPatch, returncode: int, record: dict[str, Any], reason: str
) -> None:
    sent = SimpleNamespace(requests=[request(0, 1179)], summary={"row_faults": []})
    monkeypatch.setattr(callers, "load", lambda host, rate: contextlib.nullcontext(sent))
    for name in ("BEFORE", "AFTER"):
        monkeypatch.setattr(callers, name, 0)
    found = callers.measure(Host(returncode, record), Cell(LARGE, 1, 20, LIVE))  # type: ignore[arg-type]
    assert (found.refused, found.before["p99_ms"]) == (reason, 1179)


def felt(cell: Cell, refused: str = "") -> Felt:
    sent = [request(90, 1179), request(101, 50)]
    return Felt(cell, sent, 100, 103, summary(sent[:1], []), summary(sent[1:], []), 0.1, [("expand", 101)], refused)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a results.md without sections; the benchmarks write to this file."""
    path = tmp_path / "results.md"
    path.write_text("# Results\n")
    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "RESULTS", path)
    monkeypatch.setattr(run, "_machine", lambda found: "Machine: this one.")
    monkeypatch.setattr(run, "_machine_of_host", lambda: "Machine: this one.")
    monkeypatch.setattr(report, "commit", lambda: "abc")
    return path


def load_rows(path: Path) -> list[list[str]]:
    heads = [*run.KEY, *run.FELT]
    return report.rows(path.read_text(), "What callers of the service notice during a migration", len(heads))


def measure_cells(monkeypatch: pytest.MonkeyPatch, result: Callable[[Cell], Felt]) -> None:
    """Run the load benchmark with two sizes; ``result`` replaces the measurement of each cell."""
    monkeypatch.setattr(run, "callers", lambda selected: map(result, selected))
    chosen = ["--rows", str(SMALL), str(LARGE), "--workers", "1", "--rates", "20"]
    monkeypatch.setattr(sys, "argv", ["run.py", "--only", "load", *chosen])
    run.main()


def test_a_refused_cell_has_a_row_and_the_others_follow(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plotted: list[Felt] = []
    monkeypatch.setattr(report, "plot_latency", lambda found, path: plotted.extend(found))
    measure_cells(monkeypatch, lambda cell: felt(cell, REASON if cell.way == STOP else ""))
    rows = load_rows(results)
    assert [row[:4] for row in rows] == [
        [size, "1", "20", way] for size in ("5,755", "1,000,000") for way in (SHELL, STOP, LIVE)
    ]
    refused, done = rows[4], rows[5]
    assert refused[4:] == [f"refused: {REASON}", *7 * ["-"], "0", "1,179", "1,179", "abc"]
    assert done[4:] == ["3", "1", "0", "0", "50", "50", "-", "100", "0", "1,179", "1,179", "abc"]
    assert {item.cell.way for item in plotted} == {SHELL, LIVE}


def test_a_load_that_is_always_refused_has_no_plot(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure_cells(monkeypatch, lambda cell: felt(cell, REASON))
    assert len(load_rows(results)) == 6
    assert not (results.parent / "latency.svg").exists()


def test_an_error_leaves_the_rows_of_the_cells_before_it(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def result(cell: Cell) -> Felt:
        if (cell.rows, cell.way) == (LARGE, LIVE):
            raise AssertionError("the run failed")
        return felt(cell)

    with pytest.raises(AssertionError, match="the run failed"):
        measure_cells(monkeypatch, result)
    assert [row[3] for row in load_rows(results)] == [SHELL, STOP, LIVE, SHELL, STOP]


class Cluster:
    """A stand-in for a server, with methods that do nothing."""

    def copy(self, template: str, name: str) -> None:
        pass

    def drop(self, name: str) -> None:
        pass

    def sql(self, database: str, statement: str) -> list[Any]:
        return []


def test_an_error_leaves_the_stalls_of_the_sizes_before_it(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seed(cluster: Cluster, rows: int) -> str:
        if rows == LARGE:
            raise AssertionError("the disk is full")
        return f"rows_{rows}"

    monkeypatch.setattr(run, "running", lambda: contextlib.nullcontext(Cluster()))
    monkeypatch.setattr(stalls, "seed", seed)
    monkeypatch.setattr(stalls, "measure", lambda *arguments: dict.fromkeys(stalls.COLUMNS, 2.0))
    sizes = ["--rounds", "2", "--sizes", str(SMALL), "100000", str(LARGE)]
    monkeypatch.setattr(sys, "argv", ["run.py", "--only", "stalls", *sizes])
    with pytest.raises(AssertionError, match="the disk is full"):
        run.main()
    rows = report.rows(results.read_text(), STALLS, 2 + len(stalls.COLUMNS) + 1)
    assert [row[0] for row in rows] == [*5 * ["5,755"], *5 * ["100,000"]]
    assert {row[-1] for row in rows} == {"2"}
    assert (results.parent / "stalls.svg").exists()
