"""Health requests to a service, each with a time limit."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from http.client import HTTPException

# The service runs on this host, so proxies in the environment are ignored.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
HEALTHY = frozenset(("healthy", "ok", "up", "pass", "passing", "alive", "running", "ready", "success"))
_OK = 200
_MAX_BYTES = 65_536


@dataclass(frozen=True)
class Answer:
    """One response. ``late`` is true if the request timed out.

    ``sentence`` is the reason if the response is not healthy. ``said`` is the service's own word for an unhealthy state
    in a response with status 200. ``seconds`` is the duration of the request.
    """

    healthy: bool
    sentence: str = ""
    late: bool = False
    said: str = ""
    seconds: float = field(default=0.0, compare=False)


def ask(url: str, timeout: float) -> Answer:
    """Send one request, and wait at most ``timeout`` seconds for the response."""
    began = time.monotonic()
    answer = _ask(url, timeout)
    return replace(answer, seconds=round(time.monotonic() - began, 3))


def _ask(url: str, timeout: float) -> Answer:
    try:
        with DIRECT.open(url, timeout=timeout) as response:
            if response.status != _OK:
                return Answer(healthy=False, sentence=f"answers {response.status}")
            return Answer(healthy=True, said=own_word(response.read(_MAX_BYTES)))
    except urllib.error.HTTPError as error:
        return Answer(healthy=False, sentence=f"answers {error.code}")
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return Answer(healthy=False, sentence=f"does not answer within {timeout:g} s", late=True)
        return Answer(healthy=False, sentence=f"cannot be reached: {reason}")


def ask_while_late(url: str, request_timeout: float, timeout: float) -> Answer:
    """Send a request, and retry it for ``timeout`` seconds if it times out, because a slow service may be healthy."""
    deadline = time.monotonic() + timeout
    while True:
        answer = ask(url, request_timeout)
        if not answer.late or time.monotonic() >= deadline:
            return answer


def own_word(body: bytes) -> str:
    """Return the unhealthy ``status`` in a JSON document, or "" if the status is missing or healthy.

    A long status, or one with unusual characters, is replaced by "not healthy".
    """
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    state = document.get("status") if isinstance(document, dict) else None
    if not isinstance(state, str) or state.strip().lower() in HEALTHY:
        return ""
    return state if re.fullmatch(r"[A-Za-z][A-Za-z_ -]{0,30}", state) else "not healthy"
