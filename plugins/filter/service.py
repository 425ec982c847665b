"""Filters for the service's DATABASE_URL and environment file, and for the checks of the host and the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.aimemory.tenancy.plugins.module_utils import scram, smoke
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.host import found as host_found
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.host import refusals, settings
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import connection, endpoints, found, route, tried
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import database_url as url_module


def database_url_in(text: str) -> str:
    """Return the DATABASE_URL of an environment file's text."""
    return url_module.from_environment_file(text)


def database_url(url: str) -> dict[str, Any]:
    """Return ``{user, host, port, dbname, sslmode, options, has_password}`` for a DATABASE_URL."""
    return url_module.parse(url)


def database_parameters(url: str, sslmode: str = "") -> dict[str, str]:
    """Return libpq's connection parameters without the password; ``sslmode`` is the default for a URL without it."""
    return url_module.parameters(url, sslmode)


def database_password(url: str) -> str:
    """Return the password in a DATABASE_URL, for arguments that are never logged."""
    return url_module.password(url)


def setting_names(_: Any = None) -> list[str]:
    """Return the names of the variables that invalid_settings checks."""
    return settings.names()


def with_database_login(text: str, user: str, password: str) -> str:
    """Return the environment file's text with another login in DATABASE_URL."""
    return url_module.with_value(text, url_module.with_login(database_url_in(text), user, password))


def with_database_url_of(text: str, other: str) -> str:
    """Return the environment file's text with the DATABASE_URL of another one."""
    return url_module.with_value(text, database_url_in(other))


def _typed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn an error into Ansible's error with the same sentence, without its cause, which may quote the URL."""

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TenancyError as error:
            raise AnsibleFilterError(str(error)) from None

    return call


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        exposed: dict[str, Callable[..., Any]] = {
            "database_url_in": database_url_in,
            "database_url": database_url,
            "database_parameters": database_parameters,
            "database_password": database_password,
            "with_database_login": with_database_login,
            "with_database_url_of": with_database_url_of,
            "service_files": found.files,
            "service_found": found.of_witness,
            "host_found": host_found.of_inspection,
            "invalid_settings": settings.invalid,
            "setting_names": setting_names,
            "route_refusals": refusals.of_route,
            "attempt_refusals": refusals.of_attempts,
            "lock_refusals": refusals.of_lock,
            "route_judged": route.judge,
            "route_pooler": route.pooler,
            "scram_verifier": scram.verifier,
            "connection_trouble": connection.trouble,
            "api_claims": endpoints.claims,
            "api_requests": endpoints.requests,
            "api_writers": endpoints.writers,
            "smoke_notes": tried.notes,
            "smoke_tried": tried.kept,
            "smoke_troubles": tried.troubles,
            "smoke_untold": smoke.untold,
            "smoke_read": tried.read,
            "api_filed": endpoints.filed,
            "api_leaks": endpoints.leaks,
        }
        return {name: _typed(function) for name, function in exposed.items()}
