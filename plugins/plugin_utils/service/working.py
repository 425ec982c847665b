"""Why a service that does not work ends a run, as sentences; "" if it works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def health_refusal(health: Document, url: str) -> str:
    """Return why a service that is not healthy ends a run before the stop; ``health`` is of service_health."""
    if health["late"]:
        return (
            f"{url} {health['sentence']} before anything was stopped: see why it is slow, or allow an answer more time"
            " with service_health_request_timeout (and service_health_timeout)."
        )
    return (
        f"{url} {health['sentence']} before anything was stopped: correct service_health_path or service_base_url, or"
        " see why the service is ill."
    )


def unconfirmed(result: Document, service: str, database: str) -> str:
    """Return why a service that was inspected during a request ends the run; ``result`` is that of the role service."""
    location, state = result["location"], result["state"]
    if not location["ok"]:
        return str(location["sentence"])
    if location["confirmed"]:
        return ""
    return (
        f"Nothing shows that {service} works in {database} as {state['database_url']['user']}: while it was asked for"
        " something, no such session was seen. Correct DATABASE_URL if its code uses another one,"
        " service_smoke_store_path if that request stores nothing, or let the service keep its connection open."
    )


def trouble(result: Document, service: str, role: str) -> str:
    """Return what is wrong with a service that was started.

    ``result`` is that of the role service, inspected and its route checked again; ``role`` is the one that the service
    must use.
    """
    location, state, route = result["location"], result["state"], result["route"]
    if not state["active"]:
        return f"After the start: {service} does not run any more."
    for judged, is_right in ((location, location["ok"]), (route, route["verdict"] == "ok")):
        if not is_right:
            return f"After the start: {judged['sentence']}"
    user = state["database_url"]["user"]
    if user == role:
        return ""
    return f"After the start: {service} works as {user}, not as {role}: {location['sentence']}"
