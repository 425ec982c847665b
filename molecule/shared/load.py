"""Send requests to the service at a steady rate, and judge every response and the final rows.

The program runs on the lab host, beside judge.py, with the standard library only: ``python3 load.py DIRECTORY``. The
directory contains settings.json (the fields of Settings) and, if the tenant-aware release is deployed, the file
tenant-aware. The program writes requests.jsonl, with one line for each request. After SIGTERM or the last request, it
writes summary.json.

The loop is open: a request is sent when it is due, however long earlier responses take. A request fails if no correct
response arrives within ten seconds. Requests are not retried.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import judge
from judge import CALL, CONTEXT, PERSONALITY, PROFILE, RETRIEVE, STORE, Caller, Known

Json = dict[str, Any]
TABLES = ("memories", "call_summaries", "caller_profiles", "personality_metrics", "personality_averages")
# The percentage of each kind of request.
SHARES = {STORE: 25, CALL: 15, RETRIEVE: 25, CONTEXT: 15, PROFILE: 10, PERSONALITY: 10}
PATIENCE = 10.0
# NEW is the share of writes that new callers send. The last NEWEST callers send the other writes. A caller sends at
# most MOST writes of each kind.
NEW, NEWEST, MOST = 0.1, 8, 30
# The maximum number of memories in a response. Every caller has fewer memories.
LIMIT = 1000
DEPLOYED = "tenant-aware"


@dataclass(frozen=True)
class Settings:
    """The settings of a load. ``seconds`` is None if only SIGTERM ends the load.

    ``rate`` is in requests per second, and callers' names start with ``prefix``. With ``keep_alive``, connections are
    reused. ``database`` is None if the rows are not compared.
    """

    rate: float
    tenant: int
    prefix: str
    token: str
    database: str | None = "ai_memory"
    keep_alive: bool = False
    seconds: float | None = None
    port: int = 8100


class Connections:
    """Connections to the service: a new one for each request, or idle ones that are checked before they are reused."""

    def __init__(self, settings: Settings) -> None:
        """Start without connections. Each connection is opened when a request needs it."""
        self._settings = settings
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def _send(self, message: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send a message over an idle connection or a new one, and return the connection."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not writer.is_closing() and not reader.at_eof() and not _readable(writer):
                writer.write(message)
                return reader, writer
            writer.close()
        connection, sent = _sent_at_once(("127.0.0.1", self._settings.port), message)
        if connection is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._settings.port, limit=2**24)
        else:
            reader, writer = await asyncio.open_connection(sock=connection, limit=2**24)
        writer.write(message[sent:])
        return reader, writer

    async def request(self, method: str, path: str, body: Json | None) -> tuple[int, bytes]:
        """Send a request, and return the response's status and body. Raises OSError, EOFError or ValueError."""
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._settings.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
            f"Connection: {'keep-alive' if self._settings.keep_alive else 'close'}\r\n\r\n"
        )
        reader, writer = await self._send(head.encode() + content)
        kept = False
        try:
            await writer.drain()
            status, fields = _head(await reader.readuntil(b"\r\n\r\n"))
            answer = await reader.readexactly(int(fields["content-length"]))
            kept = self._settings.keep_alive and fields.get("connection", "").lower() != "close"
            return status, answer
        finally:
            if kept:
                self._idle.append((reader, writer))
            else:
                writer.close()


def _sent_at_once(address: tuple[str, int], message: bytes) -> tuple[socket.socket | None, int]:
    """Connect and send a message without a pause, as an otherwise idle client does.

    A pause would matter, because an exiting server closes connections on which no request has arrived. Returns the
    connection and the number of bytes sent, or None and 0 if the connection is not established immediately. Raises
    OSError.
    """
    connection = socket.socket()
    connection.setblocking(False)
    try:
        with contextlib.suppress(BlockingIOError):
            connection.connect(address)
        return connection, connection.send(message)
    except BlockingIOError:
        connection.close()
        return None, 0
    except OSError:
        connection.close()
        raise


def _readable(writer: asyncio.StreamWriter) -> bool:
    """Return whether an idle connection is readable, which means that the server has closed it."""
    poll = select.poll()
    poll.register(writer.get_extra_info("socket"), select.POLLIN)
    return bool(poll.poll(0))


def _head(text: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = text.decode("latin-1").strip().split("\r\n")
    fields = (line.split(":", 1) for line in lines)
    return int(first.split()[1]), {name.lower(): value.strip() for name, value in fields}


@dataclass
class Request:
    """One request, with its caller and the caller's writes that were acknowledged before the request."""

    kind: str
    method: str
    path: str
    body: Json | None
    caller: Caller
    known: Known
    memory: str | None = None


class Callers:
    """The callers of a tenant, who take turns."""

    def __init__(self, settings: Settings) -> None:
        """Start without callers. The same settings produce the same sequence of requests."""
        self._settings = settings
        self._random = random.Random(settings.tenant)
        self.all: list[Caller] = []

    def request(self, *, tenant_aware: bool) -> Request:
        """Return the next request, of a kind that the deployed release handles correctly."""
        shares = dict(SHARES)
        if tenant_aware:
            # The tenant-aware release answers such a request for the tenant of the previous request, if there was one.
            del shares[PERSONALITY]
        if self._settings.tenant != 1:
            # The service stores calls for tenant 1, whatever tenant the token contains.
            del shares[CALL]
        (kind,) = self._random.choices(list(shares), list(shares.values()))
        if kind in (STORE, CALL):
            return _write(kind, self._writer(kind))
        opened = [caller for caller in self.all if caller.opened]
        if not opened:
            return _write(STORE, self._new())
        newest = self._random.random() < 0.5
        return _read(kind, self._random.choice(opened[-NEWEST:] if newest else opened))

    def _writer(self, kind: str) -> Caller:
        """Return a caller who can send a write of this kind now without a conflict with an unacknowledged write."""
        free = [
            caller
            for caller in self.all[-NEWEST:]
            if caller.opened
            and (len(caller.memories) < MOST if kind == STORE else not caller.calling and len(caller.calls) < MOST)
        ]
        return self._new() if not free or self._random.random() < NEW else self._random.choice(free)

    def _new(self) -> Caller:
        caller = Caller(f"{self._settings.prefix}{len(self.all):05d}", self._settings.tenant)
        self.all.append(caller)
        return caller


def _write(kind: str, caller: Caller) -> Request:
    known = caller.known
    if kind == STORE:
        text = caller.new_memory()
        body = {"user_id": caller.user, "content": text}
        return Request(kind, "POST", "/memory/store", body, caller, known, memory=text)
    call = caller.new_call()
    scores: Json = {
        "user_id": caller.user, "call_id": call.id, "summary": call.id, "openness": call.openness,
        "frustration_level": call.frustration,
    }  # fmt: skip
    return Request(kind, "POST", "/v2/process-call", scores, caller, known)


def _read(kind: str, caller: Caller) -> Request:
    named: Json = {"user_id": caller.user, "limit": LIMIT}
    if kind == RETRIEVE:
        return Request(kind, "POST", "/memory/retrieve", named, caller, caller.known)
    if kind == CONTEXT:
        return Request(kind, "POST", "/v2/context/enriched", named, caller, caller.known)
    path = {PROFILE: "/v2/profile/", PERSONALITY: "/v2/personality/"}[kind]
    return Request(kind, "GET", path + quote(caller.user), None, caller, caller.known)


def judged(request: Request, status: int, content: bytes) -> tuple[str | None, str | None]:
    """Return the request's failure or None, and the response's fault or None. Record an acknowledged write."""
    if status != 200:
        return f"HTTP {status}: {content[:200]!r}", None
    try:
        body = json.loads(content)
    except ValueError:
        return f"no JSON: {content[:200]!r}", None
    if not isinstance(body, dict) or body.get("success") is not True:
        return f"no success: {content[:200]!r}", None
    wrong = judge.fault(request.kind, body, request.caller, request.known)
    if request.kind in (STORE, CALL):
        request.caller.acknowledge(request.memory)
    return None, wrong


class Load:
    """The open loop, which sends each request when it is due."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        """Prepare the load, which writes its records into ``directory``."""
        self._settings = settings
        self._directory = directory
        self._connections = Connections(settings)
        self.callers = Callers(settings)
        self.records: list[Json] = []
        self.over = asyncio.Event()

    async def run(self) -> None:
        """Send requests until the time is up, and wait for the last response."""
        loop, tasks = asyncio.get_running_loop(), set()
        began, offset, number = loop.time(), time.time() - loop.time(), 0
        with (self._directory / "requests.jsonl").open("w") as file:
            while self._settings.seconds is None or number < self._settings.seconds * self._settings.rate:
                due = began + number / self._settings.rate
                try:
                    await asyncio.wait_for(self.over.wait(), max(0.0, due - loop.time()))
                    break
                except TimeoutError:
                    tasks.add(asyncio.create_task(self._send(number, due, offset)))
                number += 1
                done = {task for task in tasks if task.done()}
                tasks -= done
                self._note(file, done)
            await asyncio.gather(*tasks)
            self._note(file, tasks)

    def _note(self, file: Any, done: set[asyncio.Task[Json]]) -> None:
        for task in done:
            record = task.result()
            self.records.append(record)
            file.write(json.dumps(record) + "\n")
            file.flush()

    async def _send(self, number: int, due: float, offset: float) -> Json:
        """Send one request and return its record. The latency counts from the time at which the request was due."""
        loop = asyncio.get_running_loop()
        request = self.callers.request(tenant_aware=(self._directory / DEPLOYED).exists())
        late, status, wrong = loop.time() - due, 0, None
        try:
            status, content = await asyncio.wait_for(
                self._connections.request(request.method, request.path, request.body), PATIENCE
            )
            failed, wrong = judged(request, status, content)
        except TimeoutError:
            failed = f"no answer within {PATIENCE:g} s"
        except (OSError, EOFError, ValueError, LookupError) as error:
            failed = f"{type(error).__name__}: {error}"
        return {
            "number": number, "kind": request.kind, "user": request.caller.user, "due": offset + due,
            "late_ms": late * 1000, "latency_ms": (loop.time() - due) * 1000, "status": status,
            "success": failed is None, "failed": failed, "wrong": wrong,
        }  # fmt: skip


def stored(settings: Settings) -> dict[str, list[Json]]:
    """Return the rows of the load's callers in each table, read as a superuser, which no policy restricts."""
    parts = ", ".join(
        f"'{table}', (SELECT coalesce(json_agg(to_jsonb(t) - 'embedding'), '[]') FROM {table} AS t"
        " WHERE starts_with(user_id, :'prefix'))"
        for table in TABLES
    )
    done = subprocess.run(
        ["psql", "--no-psqlrc", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1",
         f"--set=prefix={settings.prefix}", f"--dbname={settings.database}"],
        input=f"SELECT json_build_object({parts});", stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    tables: dict[str, list[Json]] = json.loads(done.stdout)
    return tables


def summary(records: Sequence[Json], faults: Sequence[str]) -> Json:
    """Return the statistics of a load: latencies in milliseconds and the gap in seconds, both of good responses only.

    ``faults`` are the faults in the database's rows. Each of them counts as one wrong response. Only the first 20
    failures and the first 20 wrong responses are described.
    """
    failed = [f"{record['kind']}: {record['failed']}" for record in records if record["failed"]]
    wrong = [f"{record['kind']} of {record['user']}: {record['wrong']}" for record in records if record["wrong"]]
    good = [record for record in records if not record["failed"] and not record["wrong"]]
    latencies = sorted(record["latency_ms"] for record in good)
    answered = sorted(record["due"] + record["latency_ms"] / 1000 for record in good)
    return {
        "sent": len(records), "failed": len(failed), "wrong": len(wrong) + len(faults),
        "p50_ms": quantile(latencies, 0.5), "p99_ms": quantile(latencies, 0.99), "worst_ms": quantile(latencies, 1),
        "longest_gap_s": max((later - earlier for earlier, later in pairwise(answered)), default=None),
        "latest_ms": max((record["late_ms"] for record in records), default=None),
        "failures": failed[:20], "faults": wrong[:20], "row_faults": list(faults),
    }  # fmt: skip


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest value that is at least as large as this share of the values, or None if there are none."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


async def work(settings: Settings, directory: Path) -> Json:
    """Send the requests, compare the rows with what was acknowledged, and return the summary."""
    load = Load(settings, directory)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, load.over.set)
    await load.run()
    faults: list[str] = []
    if settings.database is not None:
        faults = judge.faults_in_database(stored(settings), load.callers.all, settings.tenant)
    return summary(load.records, faults)


def main() -> None:
    """Run the load with the settings in the directory that the command line names."""
    directory = Path(sys.argv[1])
    settings = Settings(**json.loads((directory / "settings.json").read_text()))
    result = asyncio.run(work(settings, directory))
    (directory / "summary.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
