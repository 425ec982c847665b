"""The smoke test's answers: what each comes to, before the change and after it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# What the modules service_request and service_smoke return of one request.
Answer = Mapping[str, Any]

DENIED = "permission denied"


def judged(answer: Answer, about: Mapping[str, Any]) -> dict[str, str]:
    """Return what an answer comes to: ``verdict`` (ok, unproven or trouble) and a sentence for the last two.

    ``about`` has service, secret (the variable's name), token (which kind requests have), before (whether nothing was
    changed yet) and ended, the errors that the plan ends. Of these codes are the SQLSTATEs, needle stands in the error,
    and secured says whether row security causes it.

    Before the change all is trouble but an error that the plan makes end. After it, what the database does not cause
    proves nothing, and is none.
    """
    if answer["verdict"] == "ok":
        return {"verdict": "ok", "sentence": ""}
    if about["before"]:
        if answer["verdict"] == "refused":
            return {"verdict": "trouble", "sentence": _refused(answer, about)}
        if cured(answer, about):
            return {
                "verdict": "unproven",
                "sentence": f"The release of {about['service']} that runs does not work before the change"
                f" ({answer['name']}: {answer['said']}); the plan makes that error end, and it is tried after the"
                " start",
            }
    elif answer["verdict"] in ("refused", "unavailable"):
        return {
            "verdict": "unproven",
            "sentence": f"{answer['name']} answers {answer['said']} after the change, which the change does not cause:"
            f" that {about['service']} works is not proven",
        }
    return {
        "verdict": "trouble",
        "sentence": f"The API does not do what it is told: {answer['name']} answers {answer['said']}. The journal of"
        f" {about['service']} says why; correct service_smoke_* if it is a request that this release does not take.",
    }


def untold(token: str, secret: str) -> str:
    """Return why nobody is known to the service by a token, as a clause; ``token`` is which kind requests have."""
    return {
        "signed": f"it does not believe a token that is signed with {secret} of its environment (HS256)",
        "missing": f"its environment has no {secret} to sign a token with",
        "asymmetric": f"{secret} of its environment is a key with which no token can be signed here",
        "given": "the headers in service_smoke_headers are those of one caller",
        "none": "service_token names no secret to sign a token with",
    }[token]


def _refused(answer: Answer, about: Mapping[str, Any]) -> str:
    reason = untold(about["token"], about["secret"])
    return (
        f"{about['service']} refuses the smoke test's request {answer['name']} ({answer['said']}): {reason}. Give"
        " headers that it accepts in service_smoke_headers (encrypted with ansible-vault); or set service_smoke to read"
        " or none, and the report says what is not proven."
    )


def cured(answer: Answer, about: Mapping[str, Any]) -> bool:
    """Say whether an error of the database ends with the plan. In another language it has no code."""
    return answer["verdict"] == "database" and any(_is(answer, error) for error in about["ended"])


def _is(answer: Answer, error: Mapping[str, Any]) -> bool:
    """Say whether an answer tells of an error: {codes, needle, secured}."""
    code, said = answer["code"], answer["said"]
    if error["secured"]:
        return DENIED not in said and code in (*error["codes"], "")
    is_known = code in error["codes"] or (error["needle"] and not code)
    return bool(is_known and re.search(rf"(?<![\w.]){re.escape(error['needle'])}", said))
