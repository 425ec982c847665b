"""What the smoke test proved, as the run tells and keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...module_utils.smoke import Answer, judged

# What the module service_smoke returns, as far as it is told: unproven and shown, both sentences.
Result = Mapping[str, Any]


def notes(result: Result) -> list[str]:
    """Return the lines about what is not proven, and about what another tenant is shown."""
    return [f"NOTE {sentence}" for sentence in result["unproven"]] + [
        f"WARNING {sentence}" for sentence in result["shown"]
    ]


def recorded(
    result: Mapping[str, Any], mode: str, said: Result, told: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the result of the role service after one more test of the API.

    Its ``api`` has mode (service_smoke), token, endpoints, apart, and the sentences unproven and shown, each once.
    ``said`` adds to the sentences; ``told`` has new values of the others.
    """
    nothing: dict[str, Any] = {"mode": mode, "token": None, "unproven": [], "shown": [], "endpoints": 0, "apart": 0}
    api = result.get("api", nothing) | (told or {})
    sentences = {name: list(dict.fromkeys([*api[name], *said[name]])) for name in ("unproven", "shown")}
    return {**result, "api": api | sentences}


def read(answers: Sequence[Answer], earlier: Sequence[Answer], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what came of reading requests: ``trouble`` (a sentence or ""), and ``unproven`` and ``shown``.

    ``earlier`` are the answers to the same requests before the change, none before it.
    """
    found = [judged(answer, about) for answer in answers]
    trouble = [item["sentence"] for item in found if item["verdict"] == "trouble"]
    if missing := emptied(answers, earlier):
        trouble.append(f"The API shows less than before the change: {', '.join(missing)} came back empty.")
    unproven = [f"{item['sentence']}." for item in found if item["verdict"] == "unproven"]
    return {"trouble": trouble[0] if trouble else "", "unproven": unproven, "shown": []}


def troubles(answers: Iterable[Answer], about: Mapping[str, Any]) -> list[str]:
    """Return what is trouble in several answers, as ``judged`` tells it."""
    found = [judged(answer, about) for answer in answers]
    return [item["sentence"] for item in found if item["verdict"] == "trouble"]


def emptied(answers: Sequence[Answer], earlier: Sequence[Answer]) -> list[str]:
    """Return which of the same requests shows nothing any more in a part that held something ``earlier``."""
    before = {answer["name"]: set(answer["filled"]) for answer in earlier}
    return [answer["name"] for answer in answers if before.get(answer["name"], set()) - set(answer["filled"])]
