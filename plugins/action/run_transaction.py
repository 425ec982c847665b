"""Run the transaction with the change, and inspect the database afterwards in the same call."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.catalog import inspection


class ActionModule(ActionBase):  # type: ignore[misc]
    """Run ``transaction`` with the postgresql_transaction module, and inspect the database if ``inspect`` is given.

    ``inspect`` contains ``model``, ``readable`` and ``url_options``, as in the inspect_database action. The other
    options are those of the postgresql_transaction module.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result, with ``state`` and ``audit`` if the database was inspected."""
        done: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        wanted = arguments.pop("inspect", None)
        try:
            if wanted is not None:
                arguments |= inspection.request(wanted["model"], wanted["readable"])
            answered: dict[str, Any] = self._execute_module(
                "aimemory.tenancy.postgresql_transaction", arguments, task_vars=task_vars
            )
            if wanted is not None and not answered.get("failed"):
                answered |= inspection.read(answered.pop("rows"), wanted["model"], wanted["url_options"])
        except TenancyError as error:
            return done | {"failed": True, "msg": str(error)}
        return done | answered
