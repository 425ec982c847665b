"""The results of the smoke test, for the terminal and the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...module_utils.smoke import Answer, judged

# The part of the service_smoke module's result that the operator sees: the sentences in ``unproven`` and ``shown``.
Result = Mapping[str, Any]


def notes(result: Result) -> list[str]:
    """Return the lines that tell the operator what is not proven, and which rows another tenant sees."""
    return [f"NOTE {sentence}" for sentence in result["unproven"]] + [
        f"WARNING {sentence}" for sentence in result["shown"]
    ]


def recorded(
    result: Mapping[str, Any], mode: str, said: Result, told: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the result of the service role after one more test of the API.

    Its ``api`` has mode (service_smoke), token, endpoints, apart, and the sentences unproven and shown, without
    duplicates. ``said`` has additional sentences, and ``told`` has new values for the other keys.
    """
    nothing: dict[str, Any] = {"mode": mode, "token": None, "unproven": [], "shown": [], "endpoints": 0, "apart": 0}
    api = result.get("api", nothing) | (told or {})
    sentences = {name: list(dict.fromkeys([*api[name], *said[name]])) for name in ("unproven", "shown")}
    return {**result, "api": api | sentences}


def read(answers: Sequence[Answer], earlier: Sequence[Answer], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of read-only requests: ``trouble`` (a sentence or ""), ``unproven`` and ``shown``.

    ``earlier`` contains the responses to the same requests before the change. In the test before the change, it is
    empty.
    """
    found = [judged(answer, about) for answer in answers]
    trouble = [item["sentence"] for item in found if item["verdict"] == "trouble"]
    if missing := emptied(answers, earlier):
        trouble.append(f"The API shows less than before the change: {', '.join(missing)} returned nothing.")
    unproven = [f"{item['sentence']}." for item in found if item["verdict"] == "unproven"]
    return {"trouble": trouble[0] if trouble else "", "unproven": unproven, "shown": []}


def troubles(answers: Iterable[Answer], about: Mapping[str, Any]) -> list[str]:
    """Return the sentences about the responses that ``judged`` reports as trouble."""
    found = [judged(answer, about) for answer in answers]
    return [item["sentence"] for item in found if item["verdict"] == "trouble"]


def emptied(answers: Sequence[Answer], earlier: Sequence[Answer]) -> list[str]:
    """Return the names of the requests whose response has a part that was filled in ``earlier`` and is now empty."""
    before = {answer["name"]: set(answer["filled"]) for answer in earlier}
    return [answer["name"] for answer in answers if before.get(answer["name"], set()) - set(answer["filled"])]
