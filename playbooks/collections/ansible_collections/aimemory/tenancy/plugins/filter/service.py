"""Filters that read the service's environment file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.aimemory.tenancy.plugins.module_utils import database_url as url_module
from ansible_collections.aimemory.tenancy.plugins.module_utils import scram
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError


def _url(text: str) -> str:
    return url_module.from_environment_file(text)


def database_url(text: str) -> dict[str, Any]:
    """Return ``{user, host, port, dbname, sslmode, options, has_password}`` for an environment file's text."""
    return url_module.parse(_url(text))


def database_parameters(text: str, sslmode: str = "") -> dict[str, str]:
    """Return libpq's connection parameters without the password; ``sslmode`` fills in where the URL names none."""
    return url_module.parameters(_url(text), sslmode)


def database_password(text: str) -> str:
    """Return the password in DATABASE_URL: for arguments that are never logged."""
    return url_module.password(_url(text))


def with_database_login(text: str, user: str, password: str) -> str:
    """Return the environment file's text with another login in DATABASE_URL."""
    return url_module.with_value(text, url_module.with_login(_url(text), user, password))


def with_database_url_of(text: str, other: str) -> str:
    """Return the environment file's text with the DATABASE_URL of another one."""
    return url_module.with_value(text, _url(other))


def _typed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn an error into Ansible's with the same sentence, and without its cause, which may quote the URL."""

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
            "database_url": database_url,
            "database_parameters": database_parameters,
            "database_password": database_password,
            "with_database_login": with_database_login,
            "with_database_url_of": with_database_url_of,
            "scram_verifier": scram.verifier,
        }
        return {name: _typed(function) for name, function in exposed.items()}
