"""The health of a service: what one answer says of it, and how long an answer may take."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException

# Whatever the environment says of proxies: the service is on this host.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
HEALTHY = frozenset(("healthy", "ok", "up", "pass", "passing", "alive", "running", "ready", "success"))
_OK = 200
_MOST_BYTES = 65_536


@dataclass(frozen=True)
class Answer:
    """One answer. ``sentence`` says what came instead of a healthy one, ``late`` whether none came in time.

    ``said`` is the service's own word for a state that it does not call healthy, although it answers 200.
    """

    healthy: bool
    sentence: str = ""
    late: bool = False
    said: str = ""


def ask(url: str, timeout: float) -> Answer:
    """Ask once, and wait ``timeout`` seconds for the answer."""
    try:
        with DIRECT.open(url, timeout=timeout) as response:
            if response.status != _OK:
                return Answer(healthy=False, sentence=f"answers {response.status}")
            return Answer(healthy=True, said=own_word(response.read(_MOST_BYTES)))
    except urllib.error.HTTPError as error:
        return Answer(healthy=False, sentence=f"answers {error.code}")
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return Answer(healthy=False, sentence=f"does not answer within {timeout:g} s", late=True)
        return Answer(healthy=False, sentence=f"cannot be asked: {reason}")


def ask_while_late(url: str, request_timeout: float, timeout: float) -> Answer:
    """Ask, and again for ``timeout`` seconds as long as no answer comes in time: a slow answer is no bad one."""
    deadline = time.monotonic() + timeout
    while True:
        answer = ask(url, request_timeout)
        if not answer.late or time.monotonic() >= deadline:
            return answer


def own_word(body: bytes) -> str:
    """Return the ``status`` that a JSON document names, and nothing where it names none or a healthy one."""
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    state = document.get("status") if isinstance(document, dict) else None
    if not isinstance(state, str) or state.strip().lower() in HEALTHY:
        return ""
    return state if re.fullmatch(r"[A-Za-z][A-Za-z_ -]{0,30}", state) else "not healthy"
