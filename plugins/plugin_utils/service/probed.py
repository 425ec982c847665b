"""The probes that measure the effect of a run on callers of the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]


def wanted(requests: Sequence[Document], smoke: str, *, probe: bool) -> dict[str, Any]:
    """Return the ``request`` of the probes, and the ``obstacle``: why no probes are sent, or "".

    ``requests`` are the read-only requests, as ``api_requests`` returns them. ``smoke`` is service_smoke.
    """
    if not probe:
        obstacle = "service_probe is false"
    elif smoke == "none":
        obstacle = "service_smoke is none, so the run sends no request"
    elif not requests:
        obstacle = "service_read_endpoints contains no GET request"
    else:
        return {"request": dict(requests[0]), "obstacle": ""}
    return {"request": None, "obstacle": obstacle}


def recorded(result: Document, probe: Document, answer: Document, about: Document) -> dict[str, Any]:
    """Return the result of the service role after the probes were started or stopped.

    ``probe`` is the result of ``wanted``. ``answer`` is the result of the service_probes module, and is empty if the
    module was not called. ``about`` has interval (seconds) and health_path. In the result, ``probing`` is true while
    probes are sent, and ``probes_alive`` is the file that the run touches during long jobs. ``probed`` lists the
    requests of the probes (method and path), including the health check. ``callers`` has the statistics of all probes.
    They are final when ``probing`` is false.
    """
    request = probe["request"] or {"name": None}
    unsent = answer.get("msg", "no answer")
    obstacle = probe["obstacle"] or answer.get("obstacle", f"the service_probes module failed: {unsent}")
    callers = {
        "endpoint": request["name"], "interval": float(about["interval"]), "obstacle": obstacle, "sent": 0, "failed": 0,
        "reasons": {}, "worst": None, "p99": None, "gap": None, "seconds": None, "slices": None,
        "health": {"sent": 0, "failed": 0, "worst": None}, **answer.get("found", {}),
    }  # fmt: skip
    is_started = not result.get("probing", False) and not obstacle
    probed = result.get("probed", [])
    if is_started:
        probed = [{"method": "GET", "path": about["health_path"]}, {name: request[name] for name in ("method", "path")}]
    alive = answer.get("alive") if is_started else None
    return {**result, "probing": is_started, "probes_alive": alive, "probed": probed, "callers": callers}
