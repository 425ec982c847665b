"""Filters for the service's DATABASE_URL and environment file, and for the checks of the host and the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.aimemory.tenancy.plugins.module_utils import scram
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.host import found as host_found
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.host import open_transactions, refusals, settings
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import (
    calls,
    connection,
    database_url,
    endpoints,
    found,
    probed,
    route,
    tried,
    watched,
    working,
)
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.typed import typed


def setting_names(_: Any = None) -> list[str]:
    """Return the names of the variables that invalid_settings checks."""
    return settings.names()


def with_database_login(text: str, user: str, password: str) -> str:
    """Return the text of the environment file with ``user`` and ``password`` as the login in DATABASE_URL."""
    return database_url.with_value(
        text, database_url.with_login(database_url.from_environment_file(text), user, password)
    )


def with_database_url_of(text: str, other: str) -> str:
    """Return the text of the environment file with the DATABASE_URL from ``other``, another environment file."""
    return database_url.with_value(text, database_url.from_environment_file(other))


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        exposed: dict[str, Callable[..., Any]] = {
            "database_url_in": database_url.from_environment_file,
            "database_url": database_url.parse,
            "database_parameters": database_url.parameters,
            "database_password": database_url.password,
            "with_database_login": with_database_login,
            "with_database_url_of": with_database_url_of,
            "service_files": found.files,
            "service_found": found.of_witness,
            "host_found": host_found.of_inspection,
            "invalid_settings": settings.invalid,
            "setting_names": setting_names,
            "route_refusals": refusals.of_route,
            "attempt_refusals": refusals.of_attempts,
            "attempts_unmade": refusals.of_unmade,
            "lock_refusals": refusals.of_lock,
            "lock_warnings": refusals.of_kept_lock,
            "login_refusals": refusals.of_new_login,
            "client_refusals": refusals.of_clients,
            "transaction_notes": open_transactions.notes,
            "service_reached": route.reached,
            "service_trouble": working.trouble,
            "service_after_call": calls.after,
            "service_call_notes": calls.notes,
            "service_renewed": calls.renewed,
            "probe_wanted": probed.wanted,
            "probes_recorded": probed.recorded,
            "service_unconfirmed": working.unconfirmed,
            "service_smoke_action": working.action_after_inspection,
            "health_refusal": working.health_refusal,
            "watch_samples": watched.samples,
            "service_sampled": watched.sampled,
            "service_unnamed": watched.unnamed,
            "service_watch_line": watched.line,
            "scram_verifier": scram.verifier,
            "connection_trouble": connection.trouble,
            "api_claims": endpoints.claims,
            "api_requests": endpoints.requests,
            "api_writers": endpoints.writers,
            "smoke_notes": tried.notes,
            "service_tested": tried.recorded,
            "smoke_troubles": tried.troubles,
            "smoke_read": tried.read,
            "api_filed": endpoints.filed,
            "api_separation": endpoints.separation,
            "api_untested": endpoints.untested,
        }
        return {name: typed(function) for name, function in exposed.items()}
