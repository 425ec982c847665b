"""Filters that gather what somebody needs who helps from afar, and make it fit to be given away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.aimemory.tenancy.plugins.module_utils import redaction
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import redaction_files
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import gathered


def redacted(taken: Iterable[Mapping[str, Any]], names: Iterable[str], environment: str) -> list[dict[str, Any]]:
    """Return what was taken (name, kind, text) as files without secrets and data: name, content, removed (how often).

    ``names`` are those of the catalogs, which are kept; the values in ``environment``, an environment file, never are.
    """
    return redaction_files.redacted(taken, names, environment)


def redacted_message(text: str, names: Iterable[str], environment: str) -> str:
    """Return what a program said without secrets and data."""
    known = redaction.Known(names)
    return redaction.without(redaction.message(text, known, numbers=True), redaction.secrets(environment, known))


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "gathered_text": gathered.text,
            "gathered_outputs": gathered.outputs,
            "gathered_answers": gathered.answers,
            "service_login": gathered.login,
            "redacted": redacted,
            "redacted_message": redacted_message,
        }
