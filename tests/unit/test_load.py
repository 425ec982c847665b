"""The load generator sends requests on time, and detects every failed request and every wrong response."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from judge import CALL, CONTEXT, PERSONALITY, PROFILE, RETRIEVE, STORE, Caller, Known, fault, faults_in_database
from load import TABLES, Callers, Load, Request, Settings, judged, quantile, summary

USER = "+1777000"
SETTINGS = Settings(rate=1000, tenant=1, prefix=USER, token="t", database=None, seconds=0.02)
Row = dict[str, Any]
Change = Callable[[Row], Any]


@pytest.fixture
def caller() -> Caller:
    """Return a caller with two memories and five calls; one memory and one call were not acknowledged."""
    caller = Caller(USER, 1)
    for _ in range(4):
        caller.new_call()
        caller.acknowledge()
    caller.acknowledge(caller.new_memory())
    caller.new_memory()
    caller.new_call()
    return caller


def averages(caller: Caller, count: int) -> Row:
    """Return the averages over the first ``count`` calls, in the form of the service's response."""
    calls = caller.calls[:count]
    return {
        "user_id": caller.user, "call_count": count, "avg_openness": sum(call.openness for call in calls) / count,
        "recent_frustration": sum(call.frustration for call in calls[-3:]) / len(calls[-3:]),
    }  # fmt: skip


def answer(kind: str, caller: Caller) -> Row:
    """Return a correct response to a request of this kind."""
    memories = [{"content": f"1 {USER} 1"}]
    profile = {"user_id": USER, "total_calls": 5}
    answers: dict[str, Row] = {
        STORE: {"id": "x"}, CALL: {"id": "x", "call_count": 5}, RETRIEVE: {"memories": memories},
        CONTEXT: {"memories": memories, "profile": profile}, PROFILE: {"profile": profile},
        PERSONALITY: {"personality": averages(caller, 4)},
    }  # fmt: skip
    return answers[kind]


@pytest.mark.parametrize("kind", [STORE, CALL, RETRIEVE, CONTEXT, PROFILE, PERSONALITY])
def test_a_correct_answer_is_no_fault(kind: str, caller: Caller) -> None:
    assert fault(kind, answer(kind, caller), caller, caller.known) is None


def test_a_write_under_way_may_be_seen_or_not(caller: Caller) -> None:
    both = {"memories": [{"content": f"1 {USER} {number}"} for number in (2, 1)]}
    assert fault(RETRIEVE, both, caller, caller.known) is None
    for total in (5, 6, 7):
        assert fault(PROFILE, {"profile": {"user_id": USER, "total_calls": total}}, caller, caller.known) is None
    assert fault(PERSONALITY, {"personality": averages(caller, 5)}, caller, caller.known) is None


def test_a_caller_without_acknowledged_writes_may_be_unknown() -> None:
    caller = Caller(USER, 1)
    nothing: dict[str, Row] = {
        RETRIEVE: {"memories": []},
        PROFILE: {"profile": None},
        PERSONALITY: {"personality": None},
    }
    for kind, body in nothing.items():
        assert fault(kind, body, caller, caller.known) is None


def test_only_what_was_acknowledged_before_the_request_was_sent_must_be_there(caller: Caller) -> None:
    sent = Known(frozenset(), 0, 0)
    assert fault(RETRIEVE, {"memories": []}, caller, sent) is None
    assert fault(RETRIEVE, {"memories": []}, caller, caller.known) is not None


BROKEN: list[tuple[str, Change, str]] = [
    (STORE, lambda body: body.update(id=None), "no id"),
    (STORE, lambda body: body.clear(), "not an answer to store"),
    (CALL, lambda body: body.update(id=""), "no id"),
    (CALL, lambda body: body.update(call_count=0), "call_count is 0 after 5 calls"),
    (CALL, lambda body: body.update(call_count=6), "call_count is 6 after 5 calls"),
    (RETRIEVE, lambda body: body["memories"].clear(), "1 acknowledged rows are missing"),
    (RETRIEVE, lambda body: body["memories"].append({"content": f"2 {USER} 1"}), "1 rows are not the caller's"),
    (RETRIEVE, lambda body: body["memories"].append({"content": "1 +1777001 1"}), "1 rows are not the caller's"),
    (RETRIEVE, lambda body: body["memories"].append({"content": None}), "1 rows are not the caller's"),
    (RETRIEVE, lambda body: body["memories"].append(body["memories"][0]), "is there twice"),
    (RETRIEVE, lambda body: body.update(memories=None), "not an answer to retrieve"),
    (CONTEXT, lambda body: body["memories"].clear(), "1 acknowledged rows are missing"),
    (CONTEXT, lambda body: body.update(profile=None), "the row is missing"),
    (PROFILE, lambda body: body.update(profile=None), "the row is missing"),
    (PROFILE, lambda body: body["profile"].update(total_calls=4), "total_calls is 4, but 5 writes were acknowledged"),
    (PROFILE, lambda body: body["profile"].update(total_calls=8), "total_calls is 8"),
    (PROFILE, lambda body: body["profile"].update(user_id="+1"), "it is the row of '+1'"),
    (PERSONALITY, lambda body: body.update(personality=None), "the row is missing"),
    (PERSONALITY, lambda body: body["personality"].update(call_count=3), "call_count is 3, but 4 calls were"),
    (PERSONALITY, lambda body: body["personality"].update(call_count=6), "call_count is 6"),
    (PERSONALITY, lambda body: body["personality"].update(call_count=5), "avg_openness is"),
    (PERSONALITY, lambda body: body["personality"].update(avg_openness=None), "not an answer to personality"),
    (PERSONALITY, lambda body: body["personality"].update(recent_frustration=1.5), "recent_frustration is 1.5"),
    (PERSONALITY, lambda body: body["personality"].update(user_id="+1"), "it is the row of '+1'"),
]


@pytest.mark.parametrize(("kind", "change", "reason"), BROKEN)
def test_a_wrong_answer_is_seen(kind: str, change: Change, reason: str, caller: Caller) -> None:
    body = answer(kind, caller)
    change(body)
    found = fault(kind, body, caller, caller.known)
    assert found is not None
    assert reason in found


def test_an_unknown_kind_raises(caller: Caller) -> None:
    with pytest.raises(KeyError, match="delete"):
        fault("delete", {}, caller, caller.known)


def database(caller: Caller) -> dict[str, list[Row]]:
    """Return the caller's correct rows, and in each table a row of another tenant's caller with the same name."""
    rows: dict[str, list[Row]] = {
        "memories": [{"value_json": {"text": f"1 {USER} 1"}}],
        "call_summaries": [{"call_id": call.id} for call in caller.calls[:4]],
        "personality_metrics": [{"call_id": call.id} for call in caller.calls[:4]],
        "caller_profiles": [{"total_calls": 5}],
        "personality_averages": [averages(caller, 4)],
    }
    other = {"value_json": {"text": f"2 {USER} 1"}, "call_id": "2", "total_calls": 1, **averages(caller, 1)}
    return {
        table: [row | {"user_id": USER, "customer_id": 1} for row in found] + [other | {"customer_id": 2}]
        for table, found in rows.items()
    }


def test_rows_that_were_acknowledged_are_no_fault(caller: Caller) -> None:
    tables = database(caller)
    assert faults_in_database(tables, [caller], 1) == []
    without = {
        table: [{name: value for name, value in row.items() if name != "customer_id"} for row in rows[:-1]]
        for table, rows in tables.items()
    }
    assert faults_in_database(without, [caller], 1) == []


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", ["lost", "of another tenant", "of no tenant", "of another caller", "twice"])
def test_a_row_that_is_not_as_acknowledged_is_seen(table: str, change: str, caller: Caller) -> None:
    tables = database(caller)
    row = tables[table][0]
    match change:
        case "lost":
            tables[table].remove(row)
        case "of another tenant":
            row["customer_id"] = 2
        case "of no tenant":
            row["customer_id"] = None
        case "of another caller":
            row["user_id"] = "+1"
        case "twice":
            tables[table].append(row)
    (found,) = faults_in_database(tables, [caller], 1)
    assert found.startswith(f"{USER}, {table}: ")


@pytest.mark.parametrize(
    "content",
    [
        b'{"success": false, "error": "relation memories does not exist"}',
        b'{"id": "x"}',
        b'{"success": 1, "id": "x"}',
        b"",
        b"[]",
        b"<html>",
    ],
)
def test_an_answer_without_success_fails_and_acknowledges_nothing(content: bytes, caller: Caller) -> None:
    before = caller.known
    text = caller.new_memory()
    failed, wrong = judged(Request(STORE, "POST", "/", {}, caller, before, memory=text), 200, content)
    assert failed
    assert wrong is None
    assert caller.known == before


@pytest.mark.parametrize("status", [201, 403, 500, 502])
def test_another_status_fails(status: int, caller: Caller) -> None:
    failed, _ = judged(Request(STORE, "POST", "/", {}, caller, caller.known), status, b'{"success": true, "id": "x"}')
    assert failed is not None
    assert failed.startswith(f"HTTP {status}")


def test_writes_that_would_disturb_each_other_go_to_different_callers() -> None:
    callers, calling = Callers(SETTINGS), []
    for _ in range(300):
        # This test acknowledges memories, but never calls.
        request = callers.request(tenant_aware=False)
        # Until a caller's first write is acknowledged, no other request from this caller is sent.
        assert request.caller.opened or request.caller.touches == 1
        if request.kind == STORE:
            request.caller.acknowledge(request.memory)
        if request.kind == CALL:
            calling.append(request.caller)
        assert request.kind in (STORE, CALL) or request.caller.opened
    assert len(calling) > 20
    assert len(set(map(id, calling))) == len(calling)


@pytest.mark.parametrize(
    ("tenant", "tenant_aware", "kinds"),
    [
        (1, False, {STORE, CALL, RETRIEVE, CONTEXT, PROFILE, PERSONALITY}),
        (1, True, {STORE, CALL, RETRIEVE, CONTEXT, PROFILE}),
        (2, True, {STORE, RETRIEVE, CONTEXT, PROFILE}),
    ],
)
def test_what_the_release_answers_for_another_tenant_is_not_sent(
    tenant: int, tenant_aware: bool, kinds: set[str]
) -> None:
    callers = Callers(Settings(rate=1, tenant=tenant, prefix=USER, token="t"))
    sent = set()
    for _ in range(300):
        request = callers.request(tenant_aware=tenant_aware)
        request.caller.acknowledge(request.memory or (None if request.kind == CALL else request.caller.new_memory()))
        sent.add(request.kind)
    assert sent == kinds


Serve = Callable[[int, Row], Awaitable[bytes | None]]


async def loaded(settings: Settings, serve: Serve, directory: Path) -> tuple[list[Row], int]:
    """Run a load against a server on this machine. Return the load's requests and the number of connections.

    ``serve`` returns the response to a request, numbered from 1, or None to close the connection.
    """
    seen = connections = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen, connections
        connections += 1
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                length = int(head.lower().split("content-length: ")[1].split()[0])
                body = json.loads(await reader.readexactly(length) or "{}")
                seen += 1
                content = await serve(seen, body)
                if content is None:
                    return
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    load = Load(Settings(**{**vars(settings), "port": server.sockets[0].getsockname()[1]}), directory)
    await load.run()
    server.close()
    assert [json.loads(line) for line in (directory / "requests.jsonl").read_text().splitlines()] == load.records
    return load.records, connections


GOOD = b'{"success": true, "id": "x", "call_count": 1, "memories": [], "profile": null, "personality": null}'


def test_a_slow_answer_does_not_delay_the_next_request(tmp_path: Path) -> None:
    last = asyncio.Event()

    async def serve(number: int, body: Row) -> bytes:
        # The first response waits for the last request. A load that waits for responses never sends that request.
        if number == 20:
            last.set()
        await last.wait()
        return GOOD

    records, connections = asyncio.run(loaded(SETTINGS, serve, tmp_path))
    assert [record["failed"] for record in records] == [None] * 20
    assert connections == 20


def test_a_connection_that_ends_without_an_answer_is_a_failure_without_a_second_attempt(tmp_path: Path) -> None:
    async def serve(number: int, body: Row) -> bytes | None:
        return None if number == 3 else GOOD

    records, connections = asyncio.run(loaded(SETTINGS, serve, tmp_path))
    assert [record["failed"] is None for record in records].count(False) == 1
    assert connections == 20


def test_a_service_that_is_stopped_fails_every_request(tmp_path: Path) -> None:
    # Nothing listens on port 1 of this machine.
    load = Load(Settings(**{**vars(SETTINGS), "port": 1}), tmp_path)
    asyncio.run(load.run())
    assert len(load.records) == 20
    assert all("ConnectionRefusedError" in record["failed"] for record in load.records)


def test_kept_connections_are_used_again(tmp_path: Path) -> None:
    async def serve(number: int, body: Row) -> bytes:
        return GOOD

    slow = Settings(**{**vars(SETTINGS), "rate": 100, "seconds": 0.2, "keep_alive": True})
    records, connections = asyncio.run(loaded(slow, serve, tmp_path))
    assert [record["failed"] for record in records] == [None] * 20
    assert connections < 20


def record(number: int, latency: float, **values: Any) -> Row:
    return {
        "number": number, "kind": STORE, "user": USER, "due": 100.0 + number, "late_ms": number, "latency_ms": latency,
        "status": 200, "success": True, "failed": None, "wrong": None,
    } | values  # fmt: skip


def test_the_summary_counts_and_measures_good_answers() -> None:
    records = [record(0, 10), record(1, 9000, failed="refused"), record(2, 20, wrong="lost"), record(3, 500)]
    found = summary(records, ["a row is lost"])
    assert (found["sent"], found["failed"], found["wrong"]) == (4, 1, 2)
    assert (found["p50_ms"], found["p99_ms"], found["worst_ms"]) == (10, 500, 500)
    assert found["longest_gap_s"] == pytest.approx(3.49)
    assert found["latest_ms"] == 3
    assert found["failures"] == ["store: refused"]
    assert found["faults"] == [f"store of {USER}: lost"]
    assert found["row_faults"] == ["a row is lost"]


def test_a_load_without_answers_has_no_latency() -> None:
    found = summary([], [])
    assert (found["sent"], found["worst_ms"], found["longest_gap_s"]) == (0, None, None)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1, 100), (0.001, 1)])
def test_a_quantile_is_one_of_the_values(share: float, value: int) -> None:
    assert quantile(range(1, 101), share) == value
