"""Filters of the support role, which convert results of tasks to a common form and extract facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.support import archive, taken


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "support_text": taken.text,
            "support_outputs": taken.outputs,
            "support_answers": taken.answers,
            "support_runs": taken.runs,
            "support_newest_log": taken.newest_log,
            "support_names": taken.names,
            "support_archive": archive.archive,
            "service_login": taken.login,
        }
