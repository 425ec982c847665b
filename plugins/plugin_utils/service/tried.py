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


def kept(tried: Mapping[str, Any], result: Result) -> dict[str, Any]:
    """Return what the report keeps of all tests, with that of one more; each sentence once."""
    return {**tried, **{name: list(dict.fromkeys([*tried[name], *result[name]])) for name in ("unproven", "shown")}}


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
