"""Several hosts in one run: a canary goes first, a failure stops later batches, and the summary lists every host."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lab import INVENTORIES, MIGRATE, ROOT, ROWS, Host, Run, typed
from rows import NO_ROW_OF_THE_PROOF


class Fleet(NamedTuple):
    """Three hosts, in the order of the inventory."""

    canary: Host
    second: Host
    third: Host


def run(*arguments: str, check: bool = True, inventories: tuple[str, ...] = (), terminal: int | None = None) -> Run:
    """Run a playbook on all hosts, and assert its success if ``check`` is true."""
    run = Run("all,localhost", *arguments, inventories=inventories, terminal=terminal)
    run.wait()
    assert (run.returncode == 0) == check, run.output
    return run


def lab(playbook: str, *arguments: str) -> None:
    """Run one of the lab's own playbooks."""
    inventories = [f"--inventory={ROOT / inventory}" for inventory in INVENTORIES]
    subprocess.run(["ansible-playbook", playbook, *inventories, *arguments], cwd=ROOT, check=True)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Boot the third host, reset all three, and yield them."""
    hosts = Fleet(*(Host(name) for name in ("lab17", "lab15", "lab15b")))
    lab("lab/up.yml", "--limit=lab15b,localhost")
    lab("lab/reset.yml")
    try:
        yield hosts
    finally:
        for host in hosts:
            host.close()
        lab("lab/down.yml", "--limit=lab15b")


@contextlib.contextmanager
def broken(host: Host) -> Iterator[None]:
    """Make a host reject the proof's row, so that the transaction fails."""
    host.sql(f"ALTER TABLE personality_metrics ADD CONSTRAINT one_row {NO_ROW_OF_THE_PROOF}")
    try:
        yield
    finally:
        host.sql("ALTER TABLE personality_metrics DROP CONSTRAINT one_row")


@contextlib.contextmanager
def untouched(*hosts: Host) -> Iterator[None]:
    """Assert that the hosts have not changed."""
    before = [host.untouched() for host in hosts]
    yield
    assert [host.untouched() for host in hosts] == before


@pytest.mark.wide
def test_a_dry_run_looks_at_all_hosts_at_once(fleet: Fleet) -> None:
    with untouched(*fleet):
        shown = run("migrate.yml", "--check")
    assert "Make the database multi-tenant (dry run): lab17, lab15, lab15b" in shown.words, shown.output
    assert shown.words.count("Make the database multi-tenant (dry run):") == 1
    for host in fleet:
        assert f"{host.name} SUCCESS inspected, nothing touched" in shown.words, shown.output


@pytest.mark.wide
def test_one_answer_is_for_the_hosts_that_the_question_names(fleet: Fleet) -> None:
    with untouched(*fleet), typed("no") as terminal:
        asked = run("migrate.yml", '-e{"run_batches": [2]}', check=False, terminal=terminal)
    assert "ai_memory on lab17" in asked.words, asked.output
    assert "ai_memory on lab15 " in asked.words, asked.output
    assert "ai_memory on lab15b" not in asked.words, asked.output
    assert "lab15 FAILED failed in phase confirm" in asked.words, asked.output
    assert "lab15b - not started" in asked.words, asked.output


def test_a_host_that_fails_prevents_later_batches(fleet: Fleet) -> None:
    with broken(fleet.second), untouched(fleet.third):
        stopped = run(*MIGRATE, "-erun_batches=1", check=False)
        assert fleet.second.healthy()
        assert fleet.second.sql("SELECT count(*) FROM pg_policies") == [(0,)]
    assert "lab17 SUCCESS downtime" in stopped.words, stopped.output
    assert "lab15 FAILED failed in phase apply" in stopped.words, stopped.output
    assert "lab15b - not started" in stopped.words, stopped.output
    assert {name: record["outcome"] for name, record in stopped.records.items()} == {
        "lab17": "SUCCESS", "lab15": "FAILED",
    }  # fmt: skip
    assert fleet.canary.sql("SELECT count(*) FROM pg_policies")[0][0] > 0


@pytest.mark.wide
def test_a_healthy_host_of_the_batch_is_finished(fleet: Fleet) -> None:
    with broken(fleet.second):
        finished = run(*MIGRATE, check=False)
    assert "lab17 SUCCESS nothing to do" in finished.words, finished.output
    assert "lab15 FAILED failed in phase apply" in finished.words, finished.output
    assert "lab15b SUCCESS downtime" in finished.words, finished.output
    assert fleet.third.rows("customer_id = 1") == ROWS
    assert fleet.third.healthy()


@pytest.mark.wide
def test_an_unreachable_host_prevents_later_batches(fleet: Fleet, tmp_path: Path) -> None:
    gone = tmp_path / "gone.yml"
    gone.write_text("all: {hosts: {lab15: {ansible_port: 9}}}\n")
    with untouched(*fleet):
        lost = run(*MIGRATE, '-e{"run_batches": [2, 1]}', check=False, inventories=(str(gone),))
    assert "lab17 SUCCESS nothing to do" in lost.words, lost.output
    assert "lab15 LOST contact lost in phase preflight" in lost.words, lost.output
    assert "lab15b - not started" in lost.words, lost.output
    refused = "Not started: lab15 did not end in SUCCESS. Fix the problem or use --limit all:!lab15 ,"
    assert refused in lost.words


@pytest.mark.wide
def test_running_again_finishes_what_is_left(fleet: Fleet) -> None:
    with untouched(fleet.canary, fleet.third):
        again = run(*MIGRATE)
    assert "lab17 SUCCESS nothing to do" in again.words, again.output
    assert "lab15 SUCCESS downtime" in again.words, again.output
    assert "lab15b SUCCESS nothing to do" in again.words, again.output
    assert fleet.second.rows("customer_id = 1") == ROWS
