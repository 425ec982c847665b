"""Send requests to the API of a service on this host, without a proxy. Tokens are signed with the service's secret.

The ``verdict`` on a response is one of

* **ok**: 2xx, and ``success`` is not false;
* **refused**: 401 or 403, which a change to the database never causes;
* **database**: the response contains a PostgreSQL error, with any status;
* **unavailable**: ``success`` is false because of another service (a language model), or the status is 429, or there
  was no response in time;
* **broken**: any other result, such as another status, a lost connection, or ``success`` false for an unknown reason.
"""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import cgroups, logged, messages, processes, systemctl, tokens, unit_environment

OK, REFUSED, DATABASE, UNAVAILABLE, BROKEN = "ok", "refused", "database", "unavailable", "broken"
# Words that applications use for causes outside the database. The change may cause an error without these words.
_OTHER_CAUSES = re.compile(
    r"connection (?:error|refused|reset|timed out)|(?:refused|reset) (?:the|by) |time(?:d)?[ -]?out|name resolution"
    r"|rate limit|too many requests|quota|overloaded|temporarily unavailable|service unavailable|bad gateway"
    r"|\b(?:language )?model\b|\bembed(?:ded|ding|dings)?\b|\b(?:LLM|OpenAI|Ollama|Anthropic)\b",
    re.IGNORECASE,
)
_SUCCESS, _REFUSED, _TOO_MANY = range(200, 300), (401, 403), 429
# The maximum number of characters of a response that are shown, and of bytes that are read.
SHOWN, _MAX_BYTES = 300, 4 * 2**20
# The minimum length of a value that identifies a row, such as a caller's number, an id or a sentence.
_MIN_IDENTIFYING = 12
_REMOVED = "[removed]"
# Shorter secrets are not redacted, because they may be ordinary words.
_MIN_SECRET = 8


@dataclass(frozen=True)
class Answer:
    """One response. If there is none, ``problem`` is the reason, and ``late`` is true if the request timed out."""

    status: int = 0
    body: bytes = b""
    problem: str = ""
    late: bool = False
    seconds: float = 0.0

    @property
    def document(self) -> Any:
        """Return the body as a JSON document, or None if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Names:
    """The names that identify a database error: the tenant column, the setting, the tables."""

    column: str
    setting: str
    tables: tuple[str, ...]

    def occur_in(self, text: str) -> bool:
        """Return whether an error contains one of the names; a table name counts only in quotation marks."""
        words = "|".join(map(re.escape, (self.column, self.setting)))
        tables = "|".join(map(re.escape, self.tables))
        return (
            re.search(rf"(?<![\w.])(?:{words})(?!\w)|[\"'„\u201c«»](?:{tables})[\"'\u201c\u201d«»]", text) is not None
        )


class Conversation:
    """Requests over one persistent connection, so that one worker of the server handles all of them."""

    def __init__(self, url: str, timeout: float) -> None:
        """Initialize with the URL of the service, and the timeout for one response, in seconds."""
        parts = urllib.parse.urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=timeout)

    def ask(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        """Make one request and return the response; ``body`` is sent as JSON unless it is None."""
        given = dict(headers) if body is None else {"Content-Type": "application/json", **headers}
        content = None if body is None else json.dumps(body).encode()
        kept, began = self._connection.sock is not None, time.monotonic()
        try:
            status, received = self._exchanged(method, path, content, given)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            if kept and isinstance(error, ConnectionError):
                # The server closed the idle connection before it read the request.
                return self.ask(method, path, body, headers)
            late = isinstance(error, TimeoutError)
            problem = "no response in time" if late else str(error) or type(error).__name__
            return Answer(problem=problem, late=late, seconds=time.monotonic() - began)
        return Answer(status, received, seconds=time.monotonic() - began)

    def _exchanged(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request(method, path, content, headers)
        response = self._connection.getresponse()
        received = response.read(_MAX_BYTES)
        if not response.isclosed():
            # Otherwise, the next response would begin with the rest of this one.
            self._connection.close()
        return response.status, received

    @property
    def port(self) -> int:
        """Return the local port of the connection, or 0 if the connection is closed."""
        opened = self._connection.sock
        return int(opened.getsockname()[1]) if opened is not None else 0

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Caller:
    """The sender of requests. It adds the operator's headers, and a token that contains the request's claims."""

    def __init__(self, headers: Mapping[str, Any], secret: str, seconds: int) -> None:
        """Initialize with the headers, the secret ("" if there is none), and the validity of a token, in seconds.

        The value of a header may be a number or a boolean, as in YAML.
        """
        self._headers = {name: str(value) for name, value in headers.items()}
        self._seconds = seconds
        # An Authorization header from the operator replaces the token.
        self.given = any(name.lower() == "authorization" for name in headers)
        # The secret that signs tokens, or "".
        self.secret = secret if tokens.is_symmetric(secret) and not self.given else ""
        self._known = {text for value in self._headers.values() for text in (value, value.partition(" ")[2])}
        self._known.add(secret)

    def headers(self, claims: Mapping[str, Any] | None) -> dict[str, str]:
        """Return the headers of a request; ``claims`` is None if the request needs no token."""
        if claims is None or not self.secret:
            return dict(self._headers)
        now = int(time.time())
        token = tokens.signed({**claims, "iat": now, "exp": now + self._seconds}, self.secret)
        self._known.add(token)
        return {"Authorization": f"Bearer {token}", **self._headers}

    def redacted(self, text: str) -> str:
        """Remove the headers, the tokens and the secret from a string, because a service may quote them."""
        for value in sorted((value for value in self._known if len(value) >= _MIN_SECRET), key=len, reverse=True):
            for form in (value, json.dumps(value)[1:-1]):
                text = text.replace(form, _REMOVED)
        return text


def secret_in(name: str, sources: Iterable[Mapping[str, str]]) -> str:
    """Return the first non-empty value of the variable ``name`` in ``sources``, or "" if there is none."""
    return next((source[name] for source in sources if source.get(name)), "")


def environments(run: Callable[..., str], unit: str, file: str) -> Iterator[Mapping[str, str]]:
    """Yield the variables of each of a unit's processes, of the unit's next start, and in ``file``, each as a mapping.

    ``file`` is a file that the unit's program may read itself, or "". Raises OSError if systemctl fails.
    """
    shown = unit_environment.show(run, unit)
    for process in processes.read(cgroups.processes(shown.get("ControlGroup", ""))):
        yield process["environment"]
    if shown["LoadState"] == "loaded":
        for _, pairs in unit_environment.next_environment(run, unit):
            yield pairs
    if file and Path(file).is_file():
        yield unit_environment.parse(Path(file).read_text(encoding="utf-8", errors="surrogateescape"))


def caller(module: Any) -> tuple[str, Caller]:
    """Return the kind of token and the Caller that a module's options describe; fail the module on an error."""
    wanted, run = module.params, systemctl.Systemctl(module.run_command).run
    try:
        sources = environments(run, f"{wanted['unit']}.service", wanted["file"]) if wanted["secret"] else []
        secret = secret_in(wanted["secret"], sources)
    except OSError as error:
        module.fail_json(msg=f"The environment of {wanted['unit']} cannot be read: {error}")
    found = Caller(wanted["headers"], secret, wanted["seconds"])
    return "given" if found.given else token_kind(wanted["secret"], secret), found


def names(wanted: Mapping[str, Any]) -> Names:
    """Return a module's ``names`` option as Names."""
    return Names(wanted["column"], wanted["setting"], tuple(wanted["tables"]))


def token_kind(name: str, secret: str) -> str:
    """Return the kind of token for requests: signed, none, missing (no secret) or asymmetric."""
    if not name:
        return "none"
    if not secret:
        return "missing"
    return "signed" if tokens.is_symmetric(secret) else "asymmetric"


def judged(answer: Answer, names: Names) -> tuple[str, str]:
    """Return the verdict on a response, and the SQLSTATE of its database error, or "" if there is none."""
    document = answer.document
    failed = isinstance(document, Mapping) and document.get("success") is False
    if answer.status in _SUCCESS and not failed:
        return OK, ""
    if answer.status in _REFUSED:
        return REFUSED, ""
    text = "\n".join(texts(document)) if document is not None else answer.body.decode("utf-8", "replace")
    said = logged.read(text)
    if said.failure or names.occur_in(text):
        return DATABASE, said.code or ""
    elsewhere = failed and _OTHER_CAUSES.search(text) is not None
    return (UNAVAILABLE if elsewhere or answer.late or answer.status == _TOO_MANY else BROKEN), ""


def texts(document: Any) -> Iterator[str]:
    """Yield every string in a document."""
    left = [document]
    while left:
        item = left.pop()
        if isinstance(item, Mapping):
            left += item.values()
        elif isinstance(item, list):
            left += item
        elif isinstance(item, str):
            yield item


def values(document: Any) -> frozenset[str]:
    """Return the strings in a document that are long enough to identify a row."""
    return frozenset(text for text in texts(document) if len(text) >= _MIN_IDENTIFYING)


def filled(document: Any) -> list[str]:
    """Return the top-level keys of a document's non-empty lists and mappings; [""] stands for a non-empty list."""
    if isinstance(document, list):
        return [""] if document else []
    if not isinstance(document, Mapping):
        return []
    return sorted(key for key, value in document.items() if isinstance(value, (Mapping, list)) and value)


def holds(answer: Answer, marker: str) -> bool:
    """Return whether a response contains the string ``marker``."""
    return marker.encode() in answer.body or any(marker in text for text in texts(answer.document))


def shown(answer: Answer, caller: Caller) -> str:
    """Return a response for the operator: its status and the beginning of its body."""
    if not answer.status:
        return messages.visible(answer.problem)
    body = caller.redacted(answer.body.decode("utf-8", "replace"))
    return messages.visible(f"HTTP {answer.status} {body[:SHOWN]}{'...' if len(body) > SHOWN else ''}".rstrip())


def answered(conversation: Conversation, caller: Caller, names: Names, request: Any) -> dict[str, Any]:
    """Make one request and return its response, in the form that the service_request module returns."""
    headers = caller.headers(request["claims"])
    answer = conversation.ask(request["method"], request["path"], request["body"], headers)
    verdict, code = judged(answer, names)
    # Callers' data is private, so text is returned only if the request failed or the response is searched for a marker.
    told = verdict != OK or request["marker"]
    return {
        "name": request["name"], "verdict": verdict, "code": code, "said": shown(answer, caller) if told else "",
        "marked": bool(request["marker"]) and holds(answer, request["marker"]),
        "filled": filled(answer.document), "seconds": round(answer.seconds, 3),
    }  # fmt: skip
