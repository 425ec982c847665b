"""Sentences that explain why a service that does not work stops a run; "" if the service works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.smoke import Answer

Document = Mapping[str, Any]


def health_refusal(health: Document, url: str) -> str:
    """Return why an unhealthy service stops a run before the cutover. ``health`` is the result of service_health."""
    if health["late"]:
        return (
            f"{url} {health['sentence']} before anything was stopped: find out why it is slow, or allow more time for a"
            " response with service_health_request_timeout (and service_health_timeout)."
        )
    return (
        f"{url} {health['sentence']} before anything was stopped: correct service_health_path or service_base_url, or"
        " find out why the service is unhealthy."
    )


def unconfirmed(result: Document, answers: Sequence[Answer], service: str, database: str) -> str:
    """Return why the inspection of the service during a request stops the run, or "".

    ``result`` is the result of the service role, and ``answers`` contains the responses to the requests.
    """
    location, state = result["location"], result["state"]
    if not location["ok"]:
        return str(location["sentence"])
    if location["confirmed"]:
        return ""
    role = state["database_url"]["user"]
    bad = [f"{answer['name']} answered {answer['said']}" for answer in answers if answer["verdict"] != "ok"]
    if bad:
        said = ", and ".join(dict.fromkeys(bad))
        return (
            f"Nothing shows that {service} works in {database} as {role}: during a request, no such session was seen,"
            f" and {said}. The journal of {service} shows the cause: remove it and run again, or let the service keep"
            " its connection open."
        )
    return (
        f"Nothing shows that {service} works in {database} as {role}: during a request, no such session was seen."
        " Correct DATABASE_URL if the service's code uses another URL, correct service_smoke_store_path if that request"
        " stores nothing, or let the service keep its connection open."
    )


def action_after_inspection(inspected: Document, seconds: float | None) -> str:
    """Return the action of the service_smoke module after an inspection that sent the store request: find or clear.

    ``inspected`` is the result of the service_witness module, which may have failed. ``seconds`` is the time until an
    earlier test found its row, or None if that test found no row. A row must appear only if the inspection succeeded
    and the service responded that it stored the row.
    """
    answers = inspected.get("answers", []) if "files" in inspected else []
    is_stored = seconds is not None and bool(answers) and answers[0]["verdict"] == "ok"
    return "find" if is_stored else "clear"


def trouble(result: Document, service: str, role: str) -> str:
    """Return the problem with a service that was started, or "".

    ``result`` is the result of the service role, after another inspection and another check of the route. ``role`` is
    the role that the service must use.
    """
    location, state, route = result["location"], result["state"], result["route"]
    if not state["active"]:
        return f"After the start: {service} is no longer running."
    for judged, is_right in ((location, location["ok"]), (route, route["verdict"] == "ok")):
        if not is_right:
            return f"After the start: {judged['sentence']}"
    user = state["database_url"]["user"]
    if user == role:
        return ""
    return f"After the start: {service} works as {user}, not as {role}: {location['sentence']}"
