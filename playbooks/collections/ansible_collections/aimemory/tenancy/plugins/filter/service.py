"""Filters that read the service's environment file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.aimemory.tenancy.plugins.module_utils import database_url as url_module
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError


def database_url(text: str) -> dict[str, Any]:
    """Return ``{user, host, port, dbname, sslmode, options, has_password}`` for an environment file's text."""
    try:
        return url_module.parse(url_module.from_environment_file(text))
    except TenancyError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"database_url": database_url}
