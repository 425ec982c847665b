"""The prober runs here as on the server, against a service that fails in every way, and counts correctly."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import api, probe_samples, prober
from ansible_collections.aimemory.tenancy.plugins.modules import job_progress, service_probes

NAMES = api.Names("customer_id", "app.current_tenant", ("memories",))
ROWS = {"success": True, "memories": [{"id": 1}]}
SECRET = "a secret of thirty-two characters"
GIVEN = "a header that nobody may see"


class Service(http.server.ThreadingHTTPServer):
    """A service that counts its requests and returns the responses that a test sets."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Callable[[], tuple[int, Any]] = lambda: (200, ROWS)
        self.wait = threading.Event()
        self.wait.set()
        self.lock = threading.Lock()
        self.at_once: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.came: dict[str, int] = {}
        self.tokens: set[str] = set()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        service, path = self.server, self.path
        with service.lock:
            service.came[path] = service.came.get(path, 0) + 1
            service.at_once[path] = service.at_once.get(path, 0) + 1
            service.most[path] = max(service.most.get(path, 0), service.at_once[path])
            service.tokens.add(self.headers.get("Authorization", ""))
        service.wait.wait(60)
        status, body = service.answer()
        with service.lock:
            service.at_once[path] -= 1
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Do not log."""


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.wait.set()
    found.shutdown()
    found.server_close()


@contextmanager
def probing(
    service: Service, place: Path, alive: float | None = None, **other: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the bundled prober as the systemd unit does; ``alive`` is the time of the run's last heartbeat."""
    url = f"http://127.0.0.1:{service.server_port}"
    configuration = {
        "url": url, "timeout": 60, "headers": {"X-Given": GIVEN}, "secret": SECRET, "seconds": 300,
        "names": {"column": "customer_id", "setting": "app.current_tenant", "tables": ["memories"]},
        "request": {"method": "GET", "path": "/read", "body": None, "claims": {"customer_id": 1}},
        "interval": 0.02, "limit": 60, "health_url": f"{url}/health", "health_timeout": 30, "health_seconds": 0,
        "filled": ["memories"],
    }  # fmt: skip
    (place / prober.ALIVE).touch()
    if alive is not None:
        os.utime(place / prober.ALIVE, (alive, alive))
    (place / prober.CONFIGURATION).write_text(json.dumps(configuration | other))
    prober.bundle(place / prober.PROGRAM)
    process = subprocess.Popen([sys.executable, "-I", str(place / prober.PROGRAM), str(place)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def samples(place: Path) -> probe_samples.Samples:
    path = place / prober.SAMPLES
    return probe_samples.read(path.read_text() if path.exists() else "")


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def told_to_end(process: subprocess.Popen[bytes], place: Path) -> probe_samples.Samples:
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    return samples(place)


def test_a_working_service_is_read_at_fixed_times(service: Service, tmp_path: Path) -> None:
    with probing(service, tmp_path, headers={"X-Tenant-Id": 1}) as process:
        until(lambda: len(samples(tmp_path).reads) >= 20 and samples(tmp_path).health)
        found = told_to_end(process, tmp_path)
    summary = probe_samples.summary(found, 0.02)
    assert (summary["failed"], summary["reasons"], summary["health"]["failed"]) == (0, {}, 0)
    assert summary["sent"] >= 20
    # The prober sends a token that is signed with the service's secret, and writes no part of the token to a file.
    assert any(token.startswith("Bearer ey") for token in service.tokens)
    assert (tmp_path / prober.SAMPLES).stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / prober.CONFIGURATION).exists()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(word.encode() in written for word in (SECRET, GIVEN, "Bearer ey", "/read"))


def test_a_stalled_service_gets_no_second_request_and_the_due_ones_wait(service: Service, tmp_path: Path) -> None:
    with probing(service, tmp_path) as process:
        until(lambda: len(samples(tmp_path).reads) >= 3 and service.came.get("/health"))
        until(lambda: not any(service.at_once.values()))
        service.wait.clear()
        until(lambda: service.at_once.get("/read") and service.at_once.get("/health"))
        began = time.monotonic()
        time.sleep(0.5)
        stalled = time.monotonic() - began
        service.wait.set()
        until(lambda: not service.at_once["/read"])
        found = told_to_end(process, tmp_path)
    summary = probe_samples.summary(found, 0.02)
    assert service.most == {"/read": 1, "/health": 1}
    assert summary["failed"] == 0
    assert summary["worst"] >= stalled
    assert summary["gap"] >= stalled
    # Every request that was due during the stall counts, not only the one that was sent.
    assert summary["sent"] >= len(found.reads) + stalled / 0.02 - 1
    assert summary["p99"] > stalled / 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, {"success": False, "error": 'relation "memories" does not exist'}), "error"),
        ((200, {"success": True, "memories": []}), "less data"),
        ((200, {"success": True}), "less data"),
        ((200, []), "less data"),
        ((500, ROWS), "error"),
        ((403, {"detail": "Not authenticated"}), "error"),
    ],
)
def test_a_response_that_is_worse_than_before_fails(service: Service, answer: tuple[int, Any], reason: str) -> None:
    service.answer = lambda: answer
    request = {"method": "GET", "path": "/read", "body": None, "claims": None}
    wanted = {"url": f"http://127.0.0.1:{service.server_port}", "timeout": 60, "request": request}
    assert prober.judged(prober.ask(wanted, api.Caller({}, "", 1)), NAMES, ["memories"]) == reason


def test_more_data_than_before_is_good(service: Service) -> None:
    answer = api.Answer(200, json.dumps(ROWS | {"profile": {"name": "x"}}).encode())
    assert prober.judged(answer, NAMES, ["memories"]) == prober.GOOD
    assert prober.judged(answer, NAMES, []) == prober.GOOD


def test_a_service_that_is_gone_leaves_a_gap(service: Service, tmp_path: Path) -> None:
    with probing(service, tmp_path) as process:
        until(lambda: len(samples(tmp_path).reads) >= 5)
        service.shutdown()
        service.server_close()
        until(lambda: any(probe.failed for probe in samples(tmp_path).reads))
        began = time.monotonic()
        until(lambda: sum(probe.failed for probe in samples(tmp_path).reads) >= 10)
        gone = time.monotonic() - began
        found = told_to_end(process, tmp_path)
    summary = probe_samples.summary(found, 0.02)
    assert set(summary["reasons"]) == {prober.NO_CONNECTION}
    assert summary["failed"] == summary["reasons"][prober.NO_CONNECTION] >= 10
    assert summary["gap"] >= gone


def test_a_header_that_cannot_be_sent_fails_and_is_not_written(service: Service, tmp_path: Path) -> None:
    with probing(service, tmp_path, headers={"Authorization": f"{GIVEN}\n"}) as process:
        until(lambda: len(samples(tmp_path).reads) >= 2)
        found = told_to_end(process, tmp_path)
    assert {probe.verdict for probe in found.reads} == {prober.ERROR}
    assert GIVEN.encode() not in (tmp_path / prober.SAMPLES).read_bytes()


def test_the_prober_ends_by_itself(service: Service, tmp_path: Path) -> None:
    with probing(service, tmp_path, alive=time.time() + 3600, limit=0.3) as process:
        # The prober runs for longer than its limit, because the run's last heartbeat is in the future.
        until(lambda: len(samples(tmp_path).reads) >= 40)
        assert process.poll() is None
        # After a heartbeat with the current time, the prober ends at its limit.
        job_progress.touch(str(tmp_path / prober.ALIVE))
        assert process.wait(60) == 0
    found = samples(tmp_path)
    assert found.timed_out
    assert found.reads[-1].ended - found.reads[0].due > 0.3
    job_progress.touch(str(tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()


def test_the_prober_is_killed_and_what_it_wrote_is_read(service: Service, tmp_path: Path) -> None:
    service.wait.clear()
    with probing(service, tmp_path) as process:
        until(lambda: service.came.get("/read"))
        process.kill()
        process.wait()
    found = samples(tmp_path)
    assert (found.reads, found.ended, found.timed_out) == ([], None, False)
    assert found.unanswered is not None
    # The request without an answer does not count, because its duration is unknown.
    assert probe_samples.summary(found, 0.02)["sent"] == 0


def test_the_pause_between_health_requests_grows_with_the_response() -> None:
    assert prober.health_pause(0.01) == 1
    assert prober.health_pause(2) == 40


def probes(*each: tuple[float, float, str]) -> list[probe_samples.Probe]:
    return [probe_samples.Probe(*values) for values in each]


GOOD, DOWN = prober.GOOD, prober.NO_CONNECTION


def test_the_numbers_of_a_stop() -> None:
    reads = probes((1, 1.01, GOOD), (1.1, 1.101, DOWN), (1.2, 1.201, DOWN), (1.3, 1.85, GOOD), (1.9, 1.92, GOOD))
    found = probe_samples.summary(probe_samples.Samples(reads, [], ended=2.0), 0.1)
    # The requests that were due from 1.4 to 1.8 waited for the response at 1.85.
    assert (found["sent"], found["failed"], found["reasons"]) == (10, 2, {DOWN: 2})
    assert (found["worst"], found["p99"], found["gap"], found["seconds"]) == (0.55, 0.55, 0.84, 1.0)
    assert found["slices"] == {"step": 1, "worst": [0.55], "failed": [2]}
    assert found["health"] == {"sent": 0, "failed": 0, "worst": None}


def test_one_slow_request_of_a_thousand_is_the_worst_and_not_the_percentile() -> None:
    reads = probes(*[(number, number + 0.01, GOOD) for number in range(1000)])
    reads[500] = probe_samples.Probe(500, 500.9, GOOD)
    found = probe_samples.summary(probe_samples.Samples(reads, []), 1)
    assert (found["sent"], found["worst"], found["p99"], found["gap"]) == (1000, 0.9, 0.01, 1.89)
    assert (found["slices"]["step"], len(found["slices"]["worst"])) == (9, 112)
    assert max(found["slices"]["worst"]) == 0.9


def test_a_request_without_an_answer_at_the_end_failed_and_those_after_it_too() -> None:
    reads = probes((1, 1.01, GOOD))
    found = probe_samples.summary(probe_samples.Samples(reads, [], unanswered=1.1, ended=3.05), 0.1)
    assert (found["sent"], found["failed"], found["worst"], found["gap"]) == (21, 20, 1.95, 2.04)


def test_without_a_good_answer_the_gap_is_everything() -> None:
    found = probe_samples.summary(probe_samples.Samples(probes((1, 1, DOWN), (2, 2, DOWN), (4, 4, DOWN)), []), 1)
    assert (found["gap"], found["seconds"], found["failed"]) == (3, 3, 3)
    assert found["slices"] == {"step": 1, "worst": [0, 0, None, 0], "failed": [1, 1, 0, 1]}


def test_no_samples_are_no_numbers() -> None:
    found = probe_samples.summary(probe_samples.read(""), 0.1)
    assert (found["sent"], found["failed"], found["worst"], found["gap"], found["slices"]) == (0, 0, None, None, None)


def test_a_last_line_that_is_cut_off_is_left_out() -> None:
    text = '["begun", 1.0]\n["read", 1.0, 1.5, 200, "good"]\n["health", 1.0, 2.0, "late"]\n["begun", 1.6]\n["read", 1.'
    assert probe_samples.read(text) == probe_samples.Samples(
        probes((1.0, 1.5, GOOD)), probes((1.0, 2.0, prober.LATE)), unanswered=1.6
    )


def test_many_slices_stay_bounded() -> None:
    reads = probes(*[(number / 10, number / 10, GOOD) for number in range(9000)])
    found = probe_samples.summary(probe_samples.Samples(reads, []), 0.1)
    assert len(found["slices"]["worst"]) <= probe_samples.SLICES + 1


@pytest.mark.parametrize(
    ("status", "token", "why"),
    [
        (200, "signed", ""),
        (403, "missing", "GET /read was refused before the run (HTTP 403), and the run has no token"),
        (401, "signed", "GET /read was refused before the run (HTTP 401)"),
        (404, "none", "GET /read already failed before the run (HTTP 404)"),
    ],
)
def test_a_service_that_does_not_give_a_good_answer_before_the_run_is_not_probed(
    service: Service, status: int, token: str, why: str
) -> None:
    service.answer = lambda: (status, ROWS)
    request = {"name": "GET /read", "method": "GET", "path": "/read", "body": None, "claims": {"customer_id": 1}}
    names = {"column": NAMES.column, "setting": NAMES.setting, "tables": NAMES.tables}
    wanted = {"url": f"http://127.0.0.1:{service.server_port}", "timeout": 60, "request": request, "names": names}
    assert service_probes.filled(wanted, token, api.Caller({}, "", 1)) == ([] if why else ["memories"], why)


def test_a_service_that_is_stopped_before_the_run_is_not_probed(service: Service) -> None:
    request = {"name": "GET /read", "method": "GET", "path": "/read", "body": None, "claims": None}
    names = {"column": NAMES.column, "setting": NAMES.setting, "tables": NAMES.tables}
    wanted = {"url": "http://127.0.0.1:1", "timeout": 60, "request": request, "names": names}
    parts, why = service_probes.filled(wanted, "none", api.Caller({}, "", 1))
    assert (parts, why) == ([], "GET /read already failed before the run (no connection)")
    parts, why = service_probes.filled(wanted, "given", api.Caller({"Authorization": f"{GIVEN}\n"}, "", 1))
    assert (parts, why) == ([], "GET /read cannot be sent with these headers")
