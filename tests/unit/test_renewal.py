"""The observed processes determine whether and how a service's sessions can be renewed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    gunicorn,
    reached_workers,
    renewability,
    renewal,
    renewer,
    trial,
    units,
)
from ansible_collections.aimemory.tenancy.plugins.module_utils.gunicorn import Master, Process
from ansible_collections.aimemory.tenancy.plugins.module_utils.renewability import Seen

UNIT = "ai-memory.service"
UNREAD = f"{UNIT} runs a process whose sessions neither root nor its user can read (celery 20)."
MASTER = Master(Process(10, 1), {Process(11, 2): True, Process(12, 3): True})


def seen(**changes: Any) -> Seen:
    return Seen(**{"unit": UNIT, "main": 10, "pids": [10, 11, 12], "masters": [MASTER], **changes})


@pytest.mark.parametrize(
    ("found", "way", "chosen", "obstacle"),
    [
        (seen(), "auto", "gunicorn", ""),
        (seen(holders={11: "gunicorn", 12: "gunicorn"}), "auto", "gunicorn", ""),
        # The main process of the unit is a shell, and gunicorn is its child.
        (seen(main=9, pids=[9, 10, 11, 12]), "auto", "gunicorn", ""),
        (seen(active=False, masters=[]), "gunicorn", "gunicorn", "is not running."),
        (seen(masters=[]), "auto", "restart", "does not run gunicorn, whose workers can be replaced one by one."),
        (seen(masters=[], problem="neither may read 10"), "auto", "restart", "neither may read 10"),
        (seen(masters=[], problem="neither may read 10"), "gunicorn", "gunicorn", "neither may read 10"),
        (seen(), "restart", "restart", "service_renew is restart."),
        (seen(masters=[MASTER, MASTER]), "auto", "gunicorn", "runs 2 gunicorn servers."),
        (seen(masters=[Master(Process(10, 1))]), "auto", "gunicorn", "has no workers."),
        (seen(holders={10: "gunicorn"}), "auto", "gunicorn", "(10) has a database session. Its workers share"),
        (seen(holders={11: "gunicorn", 20: "celery"}), "auto", "gunicorn", "also has a database session (celery 20)."),
        (seen(unread={11: "gunicorn"}), "auto", "gunicorn", ""),
        (seen(unread={20: "celery"}), "auto", "gunicorn", UNREAD),
        (seen(poolers=["pgbouncer"]), "auto", "gunicorn", f"and no renewal of {UNIT} replaces them."),
        (seen(reloads=True), "reload", "reload", ""),
        (seen(reloads=True, holders={10: "uvicorn"}), "reload", "reload", "(10) has a database session"),
        (seen(reloads=True, pids=[10]), "reload", "reload", "has only its main process, which"),
    ],
)  # fmt: skip
def test_what_was_observed_decides(found: Seen, way: str, chosen: str, obstacle: str) -> None:
    judged = renewability.judge(found, way)
    assert (judged["way"], judged["invalid"]) == (chosen, "")
    assert judged["obstacle"].endswith(obstacle) if not obstacle else obstacle in judged["obstacle"]
    assert bool(judged["obstacle"]) == bool(obstacle)


@pytest.mark.parametrize(
    ("found", "way", "sentence"),
    [
        (seen(masters=[]), "gunicorn", f"{UNIT} does not run gunicorn with workers, but service_renew is gunicorn"),
        (seen(), "reload", f"{UNIT} has no ExecReload=, but service_renew is reload: add it"),
        (seen(), "command", "service_renew is command, but service_renew_command is empty: set the command"),
    ],
)
def test_a_contradiction_is_refused_with_the_remedy(found: Seen, way: str, sentence: str) -> None:
    judged = renewability.judge(found, way)
    assert judged["invalid"].startswith(sentence)
    assert judged["obstacle"] == judged["invalid"]
    assert renewability.judge(found, way, ["true"])["invalid"] == ("" if way == "command" else judged["invalid"])


def test_an_unknown_way_is_an_error() -> None:
    with pytest.raises(ValueError, match="Unknown way to renew sessions 'hup'"):
        renewability.judge(seen(), "hup")


def test_every_process_that_shares_a_session_holds_it() -> None:
    shared = {"kind": "tcp", "inode": "1", "local": ["127.0.0.1", 4000], "remote": ["127.0.0.1", 5432]}
    other = {**shared, "inode": "2", "local": ["127.0.0.1", 4001], "remote": ["127.0.0.1", 6379]}
    processes = [
        {"pid": 3, "name": "worker", "connections": [shared]}, {"pid": 5, "name": "master", "connections": [shared]},
        {"pid": 7, "name": "socket", "connections": []}, {"pid": 8, "name": "cache", "connections": [other]},
    ]  # fmt: skip
    sessions = [{"process": 3, "address": "127.0.0.1", "port": 4000}, {"process": 7, "address": "", "port": -1}]
    assert renewability.holders(processes, sessions) == {3: "worker", 5: "master", 7: "socket"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("gunicorn -b 127.0.0.1:80 --bind=[::1]:80 -w4 --workers 2 app:app", "gunicorn app:app"),
        ("python3 gunicorn -D --pid /run/x -p/run/y --daemon --reload app:app", "python3 gunicorn app:app"),
        ("gunicorn --preload --name b -k gevent app:app", "gunicorn --preload --name b -k gevent app:app"),
    ],
)  # fmt: skip
def test_a_trial_keeps_all_arguments_but_those_that_meet_the_service(given: str, kept: str) -> None:
    own = ["--bind", "unix:/run/x/socket", "--workers", "1", "--pid", "/run/x/pid"]
    assert trial.arguments(given.split(), "/run/x") == [*kept.split(), *own]


@pytest.mark.parametrize(
    "process",
    [
        [], [{"readable": False, "arguments": ["python3", "gunicorn"]}],
        [{"readable": True, "arguments": ["gunicorn: master [app:app]", ""]}],
    ],
)  # fmt: skip
def test_a_worker_that_cannot_be_tried_is_an_error(process: list[dict[str, Any]]) -> None:
    with pytest.raises(trial.TrialError, match=f"The .*main process of {UNIT} cannot be read"):
        trial.words(UNIT, process)


class Proc:
    """A directory like /proc."""

    def __init__(self, place: Path) -> None:
        """Initialize with an empty directory."""
        self.place = place

    def file(self, name: str, *, booted: bool, old: bool = False) -> Path:
        """Create the heartbeat file of a worker; ``old`` stands for gunicorn up to version 20."""
        path = self.place / f"wgunicorn-{name} (deleted)"
        path.touch(mode=0o600)
        if booted and old:
            path.chmod(0o000)
        elif booted:
            os.utime(path, (12345.6, 12345.6))
        return path

    def process(self, pid: int, parent: int, files: list[Path], caught: str = "0000000008314a07") -> None:
        """Create a process with open files and a mask of caught signals."""
        (self.place / str(pid) / "fd").mkdir(parents=True)
        (self.place / str(pid) / "status").write_text(f"Name:\tx\nPPid:\t{parent}\nSigCgt:\t{caught}\n")
        (self.place / str(pid) / "stat").write_text(f"{pid} (a) b) S {parent} {' '.join(['0'] * 17)} {pid * 100} 0\n")
        for number, file in enumerate(files):
            (self.place / str(pid) / "fd" / str(number)).symlink_to(file)


@pytest.mark.parametrize("old", [False, True], ids=["later", "up-to-20"])
def test_a_master_is_found_with_the_workers_that_have_booted(tmp_path: Path, old: bool) -> None:
    proc = Proc(tmp_path)
    first, second = proc.file("1", booted=True, old=old), proc.file("2", booted=False)
    other = proc.file("3", booted=True)
    proc.process(10, 1, [first, second])
    proc.process(11, 10, [first], caught="0")
    # Worker 12 has just started, so it still has the signal handlers and the files of its master.
    proc.process(12, 10, [first, second])
    # Process 13 is a child of the master, but not a worker. Process 14 catches the signals, but has no workers.
    proc.process(13, 10, [other], caught="0")
    proc.process(14, 1, [])
    (found,) = gunicorn.masters([10, 11, 12, 13, 14, 15], tmp_path)
    assert found == Master(Process(10, 1000), {Process(11, 1100): True, Process(12, 1200): False})


def test_a_process_without_the_handlers_is_no_master(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    file = proc.file("1", booted=True)
    proc.process(10, 1, [file], caught="0000000000010000")
    proc.process(11, 10, [file])
    assert [master.process.pid for master in gunicorn.masters([10, 11], tmp_path)] in ([], [11])


def test_the_program_needs_nothing_but_its_files(tmp_path: Path) -> None:
    renewal.install(tmp_path)
    files = renewer.Files(tmp_path)
    files.write("order", {"id": "1", "unit": "nothing.service", "way": "gunicorn", "seconds": 1, "master": [1, 1],
                          "want": 0, "name": "x", "command": []})  # fmt: skip
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\necho inactive\nexit 1\n")
    systemctl.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-S", "-m", f"{renewal.PACKAGE}.renewer", str(tmp_path)], cwd="/", check=False,
        env={"PYTHONPATH": str(tmp_path), "PATH": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert files.read("result")["id"] == "1"
    assert "The sessions of nothing.service were not renewed (OSError: " in files.read("result")["problem"]
    # The files are private, because a command may contain secrets.
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.json")} == {0o600}


@pytest.mark.parametrize(
    ("state", "result", "want"),
    [
        ({"id": "2", "want": 4}, {}, 4),
        # The result belongs to an earlier renewal.
        ({"id": "2", "want": 4}, {"id": "1", "problem": ""}, 4),
        ({"id": "2", "want": 4}, {"id": "2", "problem": "it does not boot"}, 4),
        ({"id": "2", "want": 4, "restored": True}, {"id": "2", "problem": "it does not boot"}, 0),
        ({"id": "2", "want": 4}, {"id": "2", "problem": ""}, 0),
        # The state and the result belong to an earlier renewal, because the transient unit has not started.
        ({"id": "1", "want": 4}, {"id": "1", "problem": ""}, 3),
    ],
)
def test_the_number_of_workers_of_an_unfinished_renewal_is_restored(
    tmp_path: Path, state: dict[str, Any], result: dict[str, Any], want: int
) -> None:
    started = renewal.Renewal(None, "ai-memory", "gunicorn")
    started.files = renewer.Files(tmp_path)
    for name, document in (("order", {"id": "2", "master": [10, 1], "want": 3}), ("state", state), ("result", result)):
        started.files.write(name, document)
    assert started._unfinished([10, 1]) == want
    # After a restart of gunicorn, the number of workers need not be restored.
    assert started._unfinished([10, 2]) == 0


def test_the_unit_of_a_renewal_is_named_after_the_service() -> None:
    assert units.renewal("aimem@8100.service") == r"aimem\x408100-renewal"


class Workers:
    """A service with two workers. Each round of requests reaches some of them."""

    unit = UNIT

    def __init__(self, rounds: list[tuple[set[int], set[int]]]) -> None:
        """Set each round: the workers that own a connection, and those that executed a statement."""
        self.rounds = rounds
        self.round = -1

    def workers(self) -> list[int]:
        self.round += 1
        return [11, 12]

    def now(self) -> str:
        return "now"

    def readers(self, pids: Any, since: str) -> set[int]:
        return self.rounds[self.round][1]

    def owners(self, pids: Any, ports: Any) -> set[int]:
        return self.rounds[self.round][0]


def asking(verdict: str = "ok") -> Callable[[], reached_workers.Exchange]:
    answer: Mapping[str, Any] = {"verdict": verdict, "name": "read", "said": "HTTP 500"}
    return lambda: reached_workers.Exchange(answer, 4000)


@pytest.mark.parametrize(
    ("rounds", "requests"),
    [
        ([({11, 12}, {11, 12})], 2),
        ([({11}, {11}), ({12}, {12})], 4),
        # In the first round, worker 12 executed a statement for another caller.
        ([({11}, {11, 12}), ({12}, {11, 12})], 4),
        # The service closes connections after each response, so no worker owns one.
        ([(set(), {11}), (set(), {12})], 4),
    ],
)
def test_each_worker_must_answer_with_a_statement(rounds: list[tuple[set[int], set[int]]], requests: int) -> None:
    host: Any = Workers(rounds)
    found = reached_workers.read_through_each(host, asking(), reached_workers.Limits(len(rounds)))
    assert found == {"workers": [11, 12], "requests": requests, "unproven": ""}


@pytest.mark.parametrize(
    ("rounds", "named"),
    [
        ([({11}, {11, 12})], "process 12"),
        ([({11, 12}, {11})], "process 12"),
        ([(set(), set())], "process 11, process 12"),
    ],
)
def test_a_worker_that_is_not_observed_is_named(rounds: list[tuple[set[int], set[int]]], named: str) -> None:
    host: Any = Workers(rounds)
    found = reached_workers.read_through_each(host, asking(), reached_workers.Limits(1))
    sentence = f"2 requests do not prove that {named} of ai-memory.service reads with its new session."
    assert found == {"workers": [11, 12], "requests": 2, "unproven": sentence}


@pytest.mark.parametrize(
    ("rounds", "verdict", "sentence"),
    [
        ([({11, 12}, {11, 12})], "broken", r"\(one of the processes 11, 12\) answered read with an error: HTTP 500"),
        ([(set(), {11, 12})], "unmarked", "A worker of ai-memory.service answered read without the expected text"),
    ],
)
def test_a_worker_that_answers_with_an_error_is_an_error(
    rounds: list[tuple[set[int], set[int]]], verdict: str, sentence: str
) -> None:
    host: Any = Workers(rounds)
    with pytest.raises(reached_workers.ReadError, match=sentence):
        reached_workers.read_through_each(host, asking(verdict), reached_workers.Limits(1))
