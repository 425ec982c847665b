"""Verdicts on the responses in the smoke test, before and after the change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# The result that the service_request and service_smoke modules return for one request.
Answer = Mapping[str, Any]

DENIED = "permission denied"


def judged(answer: Answer, about: Mapping[str, Any]) -> dict[str, str]:
    """Return the verdict on a response (ok, unproven or trouble), with a sentence for the last two.

    ``about`` contains service, secret (the variable's name) and token (the kind of token). ``before`` is true before
    the change. ``ended`` lists the errors that the plan fixes. Each has ``codes`` (SQLSTATEs), ``needle`` (a string in
    the error) and ``secured`` (whether row security causes it).

    Before the change, every error is trouble, unless the plan fixes it. After the change, if the database does not
    cause the error, the result is unproven.
    """
    if answer["verdict"] == "ok":
        return {"verdict": "ok", "sentence": ""}
    if about["before"]:
        if answer["verdict"] == "refused":
            return {"verdict": "trouble", "sentence": _refused(answer, about)}
        if fixed_by_plan(answer, about):
            return {
                "verdict": "unproven",
                "sentence": f"The running release of {about['service']} does not work before the change"
                f" ({answer['name']}: {answer['said']}); the plan fixes that error, and the request is repeated after "
                "the start",
            }
    elif answer["verdict"] in ("refused", "unavailable"):
        return {
            "verdict": "unproven",
            "sentence": f"{answer['name']} answers {answer['said']} after the change, but not because of the change: it"
            f" is not proven that {about['service']} works",
        }
    return {
        "verdict": "trouble",
        "sentence": f"The API fails: {answer['name']} answers {answer['said']}. The journal of {about['service']} shows"
        " the cause; correct service_smoke_* if this release does not accept the request.",
    }


def untold(token: str, secret: str) -> str:
    """Return a clause that explains why a token cannot identify the caller; ``token`` is the kind of token."""
    return {
        "signed": f"it rejects a token that is signed with {secret} from its environment (HS256)",
        "missing": f"its environment has no {secret} to sign a token with",
        "asymmetric": f"{secret} in its environment is a key that the run cannot sign tokens with",
        "given": "the headers in service_smoke_headers are those of one caller",
        "none": "service_token names no secret to sign a token with",
    }[token]


def _refused(answer: Answer, about: Mapping[str, Any]) -> str:
    reason = untold(about["token"], about["secret"])
    return (
        f"{about['service']} refuses the smoke test's request {answer['name']} ({answer['said']}): {reason}. Set "
        "headers that the service accepts in service_smoke_headers (encrypted with ansible-vault). Or set "
        "service_smoke to read or none; the report then states what is not proven."
    )


def fixed_by_plan(answer: Answer, about: Mapping[str, Any]) -> bool:
    """Return whether the response reports a database error that the plan fixes."""
    return answer["verdict"] == "database" and any(_is(answer, error) for error in about["ended"])


def _is(answer: Answer, error: Mapping[str, Any]) -> bool:
    """Return whether a response reports ``error`` (one of ``ended`` in ``judged``). The SQLSTATE may be unknown."""
    code, said = answer["code"], answer["said"]
    if error["secured"]:
        return DENIED not in said and code in (*error["codes"], "")
    is_known = code in error["codes"] or (error["needle"] and not code)
    return bool(is_known and re.search(rf"(?<![\w.]){re.escape(error['needle'])}", said))
