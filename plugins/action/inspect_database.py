"""Inspect a database: read its catalogs, and derive its state and the audit."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.catalog import inspection


class ActionModule(ActionBase):  # type: ignore[misc]
    """Inspect ``database`` on the server whose Unix socket is in the directory ``host``.

    ``inspect`` contains ``model``, ``readable`` (further relations that the service can read) and ``url_options`` (the
    options parameter of DATABASE_URL). ``port`` and ``user`` have the same meaning as in the read_catalogs module.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return Ansible's result with ``state`` and ``audit``. The task fails if the catalogs cannot be read."""
        done: dict[str, Any] = super().run(tmp, task_vars)
        text = {"type": "str", "required": True}
        _, wanted = self.validate_argument_spec(
            {
                "database": text, "port": {"type": "int", "required": True}, "host": {"type": "str", "default": ""},
                "user": text, "inspect": {"type": "dict", "options": inspection.OPTIONS, "required": True},
            }
        )  # fmt: skip
        arguments = {name: wanted[name] for name in ("database", "port", "host", "user")}
        try:
            look = wanted["inspect"]
            asked = inspection.request(look["model"], look["readable"])
            answered: dict[str, Any] = self._execute_module(
                "aimemory.tenancy.read_catalogs", arguments | asked, task_vars=task_vars
            )
            if answered.get("failed"):
                return done | answered
            found = inspection.read(answered["rows"], look["model"], look["url_options"])
        except TenancyError as error:
            return done | {"failed": True, "msg": str(error)}
        return done | {"changed": False} | found
