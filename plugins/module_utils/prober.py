"""The process that sends probes to a service: read requests at fixed times, and occasional health requests.

``bundle`` writes this file and its imports as a program, because the files of an Ansible module disappear when the
module ends. The program writes one line for each event, with only times, a status and a verdict.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import api, health

PACKAGE = __name__.rpartition(".")[0]
CONFIGURATION, SAMPLES, PROGRAM = "configuration.json", "samples", "prober.zip"
# The modification time of this file is the run's last sign of life: a run that waits for a long job touches it.
ALIVE = "alive"
# The kinds of lines. If no READ line follows a BEGUN line, the read request got no response.
BEGUN, READ, HEALTH, ENDED = "begun", "read", "health", "ended"
# The verdicts on one request: good, unanswered (two kinds), an error (also HTTP 200 with success: false), and less data
# than before the run.
GOOD, NO_CONNECTION, LATE, ERROR, LESS = "good", "no connection", "late", "error", "less data"
# The minimum pause in seconds between two health requests, and the minimum ratio of the pause to the response time. The
# health check may ask a language model, and may block a worker.
HEALTH_SECONDS, HEALTH_SHARE = 1.0, 20
PAUSE = 0.05


def health_pause(seconds: float) -> float:
    """Return the seconds to wait before the next health request, if a response took ``seconds``."""
    return max(HEALTH_SECONDS, HEALTH_SHARE * seconds)


def judged(answer: api.Answer, names: api.Names, filled: list[str]) -> str:
    """Return the verdict on a response; ``filled`` lists the parts that had data before the run (``api.filled``)."""
    if not answer.status:
        return LATE if answer.late else NO_CONNECTION
    if api.judged(answer, names)[0] != api.OK:
        return ERROR
    return GOOD if set(filled) <= set(api.filled(answer.document)) else LESS


def ask(wanted: Mapping[str, Any], caller: api.Caller) -> api.Answer:
    """Send the read request over a new connection, as a new caller does."""
    request, conversation = wanted["request"], api.Conversation(wanted["url"], wanted["timeout"])
    try:
        headers = {"Connection": "close", **caller.headers(request["claims"])}
        return conversation.ask(request["method"], request["path"], request["body"], headers)
    finally:
        conversation.close()


class Prober:
    """Sends requests until the process is told to end, or until the run gives no sign of life in time."""

    def __init__(self, wanted: Mapping[str, Any], alive: Path, write: Callable[..., None]) -> None:
        """Initialize with the configuration (see the service_probes module), and the function that writes a sample.

        ``alive`` is the file that shows whether the run is alive.
        """
        self._wanted, self._alive, self._write = wanted, alive, write
        self._caller = api.Caller(wanted["headers"], wanted["secret"], wanted["seconds"])
        self._names = api.names(wanted["names"])
        self._over = self._lost = False

    def end(self, *_: Any) -> None:
        """Stop sending requests."""
        self._over = True

    def run(self) -> None:
        """Send requests until the end. A separate thread sends health requests, which must not delay read requests."""
        threading.Thread(target=self._health, daemon=True).start()
        begun, interval, tick = time.monotonic(), self._wanted["interval"], 0
        while self._wait(begun + tick * interval):
            due = begun + tick * interval
            self._write(BEGUN, due)
            self._read(due)
            # Requests that became due in the meantime are not sent late. The statistics count them as waiting.
            tick = int((time.monotonic() - begun) / interval) + 1
        self._write(ENDED, time.monotonic(), self._lost)

    def _health(self) -> None:
        wanted = self._wanted
        pause = health_pause(wanted["health_seconds"])
        while self._wait(time.monotonic() + pause):
            due = time.monotonic()
            answer = health.ask(wanted["health_url"], wanted["health_timeout"])
            ended = time.monotonic()
            self._write(HEALTH, due, ended, GOOD if answer.healthy else LATE if answer.late else ERROR)
            pause = health_pause(ended - due)

    def _wait(self, moment: float) -> bool:
        """Wait until ``moment``; return False if the process must end earlier."""
        while not (self._over or self._lost):
            self._lost = time.time() - self._alive.stat().st_mtime > self._wanted["limit"]
            left = moment - time.monotonic()
            if left <= 0:
                return True
            time.sleep(min(left, PAUSE))
        return False

    def _read(self, due: float) -> None:
        try:
            answer = ask(self._wanted, self._caller)
            status, verdict = answer.status, judged(answer, self._names, self._wanted["filled"])
        except ValueError:
            # The message of the error may contain a header, so it is not written.
            status, verdict = 0, ERROR
        self._write(READ, due, time.monotonic(), status, verdict)


def main(directory: str) -> None:
    """Run the program in a directory that only root can access."""
    place = Path(directory)
    configuration = place / CONFIGURATION
    wanted = json.loads(configuration.read_text(encoding="utf-8"))
    # The file contains the secret that signs the tokens.
    configuration.unlink()
    descriptor = os.open(place / SAMPLES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(*sample: Any) -> None:
        # Each line is written with one call, so that it is complete or missing if the process is killed.
        os.write(descriptor, f"{json.dumps(sample)}\n".encode())

    prober = Prober(wanted, place / ALIVE, write)
    signal.signal(signal.SIGTERM, prober.end)
    prober.run()


def bundle(path: Path) -> None:
    """Write the prober to ``path`` as a zip archive that Python can run, with the modules that this file needs."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, module in sorted(sys.modules.items()):
            if name.startswith(f"{PACKAGE}."):
                source = module.__loader__.get_source(name)  # type: ignore[union-attr]
                archive.writestr(f"probes/{name.rpartition('.')[2]}.py", source)
        archive.writestr("probes/__init__.py", "")
        archive.writestr("__main__.py", "import sys\nfrom probes import prober\nprober.main(sys.argv[1])\n")
