"""Check the service's responses and tables against the rows that the load's callers wrote.

Requests that run at the same time may be answered in any order. A response must therefore contain every row whose write
was acknowledged before the request was sent. It may contain any row whose write was sent before the response arrived.
Standard library only: this runs on a lab host.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Answer = dict[str, Any]
# The kinds of requests that write, and the kinds that read.
STORE, CALL = "store", "call"
RETRIEVE, CONTEXT, PROFILE, PERSONALITY = "retrieve", "context", "profile", "personality"
# Recent values are the mean of this number of calls, as in the trigger function.
RECENT = 3


class Call(NamedTuple):
    """One call from a caller: its id and two of its scores."""

    id: str
    openness: int
    frustration: int


class Known(NamedTuple):
    """A caller's writes that the service had acknowledged when a request was sent."""

    memories: frozenset[str]
    calls: int
    touches: int


class Caller:
    """A caller of a tenant, with all writes that were sent and acknowledged for this caller."""

    def __init__(self, user: str, tenant: int) -> None:
        """Start without writes. Two tenants may have a caller with the same name."""
        self.user, self.tenant = user, tenant
        self.memories: set[str] = set()
        self.calls: list[Call] = []
        # The service increments total_calls with every store and every call.
        self.touches = 0
        self.known = Known(frozenset(), 0, 0)
        # A caller sends nothing else before the first write is acknowledged, because both could create the same
        # profile. Only one call runs at a time, because the service's trigger can lose one of two simultaneous calls.
        self.opened = False
        self.calling = False

    def new_memory(self) -> str:
        """Note a memory that is about to be sent, and return its text."""
        text = f"{self.tenant} {self.user} {len(self.memories) + 1}"
        self.memories.add(text)
        self.touches += 1
        return text

    def new_call(self) -> Call:
        """Note a call that is about to be sent, and return it."""
        number = len(self.calls) + 1
        call = Call(f"{self.tenant} {self.user} call {number}", number * 37 % 101, number * 53 % 101)
        self.calls.append(call)
        self.touches += 1
        self.calling = True
        return call

    def acknowledge(self, memory: str | None = None) -> None:
        """Record that the service has acknowledged ``memory`` or, without ``memory``, the outstanding call."""
        known = self.known
        if memory is None:
            self.known = Known(known.memories, known.calls + 1, known.touches + 1)
            self.calling = False
        else:
            self.known = Known(known.memories | {memory}, known.calls, known.touches + 1)
        self.opened = True


def fault(kind: str, body: Answer, caller: Caller, known: Known) -> str | None:
    """Return the fault in a successful response that has just arrived, or None.

    ``known`` is the value of the caller's ``known`` when the request was sent. Raises KeyError for an unknown ``kind``.
    """
    try:
        return _JUDGES[kind](body, caller, known)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        if kind not in _JUDGES:
            raise
        return f"not an answer to {kind}: {type(error).__name__} {error}"


def _stored(body: Answer, caller: Caller, known: Known) -> str | None:
    return None if body["id"] else "no id"


def _called(body: Answer, caller: Caller, known: Known) -> str | None:
    if not body["id"]:
        return "no id"
    count = body["call_count"]
    return None if count == known.calls + 1 else f"call_count is {count} after {known.calls + 1} calls"


def _retrieved(body: Answer, caller: Caller, known: Known) -> str | None:
    return memories_fault([memory["content"] for memory in body["memories"]], caller, known)


def _profile(body: Answer, caller: Caller, known: Known) -> str | None:
    return profile_fault([body["profile"]] if body["profile"] else [], caller, known)


def _context(body: Answer, caller: Caller, known: Known) -> str | None:
    return _retrieved(body, caller, known) or _profile(body, caller, known)


def _personality(body: Answer, caller: Caller, known: Known) -> str | None:
    return averages_fault([body["personality"]] if body["personality"] else [], caller, known)


_JUDGES = {
    STORE: _stored, CALL: _called, RETRIEVE: _retrieved, CONTEXT: _context, PROFILE: _profile,
    PERSONALITY: _personality,
}  # fmt: skip


def rows_fault(texts: Sequence[str], sent: Iterable[str], acknowledged: Iterable[str]) -> str | None:
    """Return the fault in the existing rows, or None. ``texts`` contains the text that identifies each row."""
    missing = sorted(set(acknowledged) - set(texts))
    if missing:
        return f"{len(missing)} acknowledged rows are missing, such as {missing[0]!r}"
    foreign = sorted(set(map(str, texts)) - set(sent))
    if foreign:
        return f"{len(foreign)} rows are not the caller's, such as {foreign[0]!r}"
    twice = [text for text, count in Counter(texts).items() if count > 1]
    return f"{twice[0]!r} is there twice" if twice else None


def memories_fault(texts: Sequence[str], caller: Caller, known: Known) -> str | None:
    """Return the fault in a caller's memories, or None."""
    return rows_fault(texts, caller.memories, known.memories)


def profile_fault(rows: Sequence[Answer], caller: Caller, known: Known) -> str | None:
    """Return the fault in a caller's profiles, or None. A caller has at most one profile."""
    found = _one(rows, caller, needed=known.touches > 0)
    if found is not None or not rows:
        return found
    total = rows[0]["total_calls"]
    if known.touches <= total <= caller.touches:
        return None
    return f"total_calls is {total}, but {known.touches} writes were acknowledged and {caller.touches} sent"


def averages_fault(rows: Sequence[Answer], caller: Caller, known: Known) -> str | None:
    """Return the fault in a caller's averages, or None.

    The averages must cover all acknowledged calls. They may also cover calls that were sent but not acknowledged.
    """
    found = _one(rows, caller, needed=known.calls > 0)
    if found is not None or not rows:
        return found
    count = rows[0]["call_count"]
    if not known.calls <= count <= len(caller.calls):
        return f"call_count is {count}, but {known.calls} calls were acknowledged and {len(caller.calls)} sent"
    calls = caller.calls[:count]
    expected = {
        "avg_openness": _mean([call.openness for call in calls]),
        "recent_frustration": _mean([call.frustration for call in calls[-RECENT:]]),
    }
    for name, value in expected.items():
        if not math.isclose(rows[0][name], value, abs_tol=1e-6):
            return f"{name} is {rows[0][name]} after {count} calls, not {value}"
    return None


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)


def _one(rows: Sequence[Answer], caller: Caller, *, needed: bool) -> str | None:
    if not rows:
        return "the row is missing" if needed else None
    if len(rows) > 1:
        return f"there are {len(rows)} rows"
    user = rows[0]["user_id"]
    return None if user == caller.user else f"it is the row of {user!r}"


def faults_in_database(tables: dict[str, list[Answer]], callers: Iterable[Caller], tenant: int) -> list[str]:
    """Return the faults in the rows of ``tenant``'s callers. Call this after the last response.

    ``tables`` contains the rows of each table as objects, without the embeddings. If the tables have a tenant column,
    rows of other tenants are skipped.
    """
    own = {
        table: [row for row in rows if row.get("customer_id", tenant) == tenant] for table, rows in tables.items()
    }  # fmt: skip
    of_user = {
        table: {user: list(found) for user, found in itertools.groupby(sorted(rows, key=_user), key=_user)}
        for table, rows in own.items()
    }
    found = []
    for caller in callers:
        rows = {table: users.get(caller.user, []) for table, users in of_user.items()}
        found += [f"{caller.user}, {table}: {fault}" for table, fault in _caller_faults(rows, caller) if fault]
    return found


def _user(row: Answer) -> str:
    return str(row["user_id"])


def _caller_faults(rows: dict[str, list[Answer]], caller: Caller) -> Iterable[tuple[str, str | None]]:
    known = caller.known
    texts = [row["value_json"]["text"] for row in rows["memories"]]
    yield "memories", memories_fault(texts, caller, known)
    sent = [call.id for call in caller.calls]
    # A call may have failed after it stored its summary, so these tables may contain rows of unacknowledged calls.
    for table in ("call_summaries", "personality_metrics"):
        yield table, rows_fault([row["call_id"] for row in rows[table]], sent, sent[: known.calls])
    yield "caller_profiles", profile_fault(rows["caller_profiles"], caller, known)
    yield "personality_averages", averages_fault(rows["personality_averages"], caller, known)
