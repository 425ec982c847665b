"""Show the effect of a run on callers of the service, as a sentence and as bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Callers = Mapping[str, Any]
NO_CONNECTION = "no connection"


def sentence(callers: Callers | None) -> str:
    """Return a sentence about the probes of a run, or "" if the run did not get that far.

    ``callers`` is the entry with this name in the record.
    """
    if callers is None:
        return ""
    obstacle = callers["obstacle"]
    if not callers["sent"]:
        return f"Callers: not measured, because {obstacle or 'the run ended first'}."
    text = f"{callers['failed']} of {callers['sent']} reads failed"
    if callers["failed"]:
        text = f"Callers waited {_time(callers['gap'])}: {text}{_reasons(callers['reasons'])}."
    else:
        text = f"Callers: {text}; the slowest took {_time(callers['worst'])}."
    return f"{text} The numbers do not cover the whole run: {obstacle}." if obstacle else text


def bars(callers: Callers | None) -> list[dict[str, Any]]:
    """Return a bar for each interval, with x, width and height in thousandths, and failed.

    The height is relative to the longest wait. The bar of an interval with a failed request has at least a
    quarter of the full height.
    """
    slices = callers and callers["slices"]
    if not callers or not slices:
        return []
    width, longest = 1000 / len(slices["worst"]), callers["worst"] or 1
    return [
        {
            "x": round(number * width, 1), "width": round(width, 1), "failed": failed > 0,
            "height": round(max((worst or 0) / longest * 1000, 250 if failed else 0)),
        }
        for number, (worst, failed) in enumerate(zip(slices["worst"], slices["failed"], strict=True))
    ]  # fmt: skip


def _reasons(reasons: Mapping[str, int]) -> str:
    """Return the reasons for failed reads as the end of a sentence.

    If every failed read got no connection, the reason is that the service was stopped.
    """
    if set(reasons) == {NO_CONNECTION}:
        return " while the service was stopped"
    return f" ({', '.join(f'{number} {reason}' for reason, number in reasons.items())})"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
