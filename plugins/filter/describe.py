"""Filters of the describe role, which draft a model from the catalogs of a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils import installed
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.describe import catalog, difference, draft, text
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model


def describe_query(_: Any = None) -> str:
    """Return the query that reads the catalogs of a database without a model."""
    return catalog.query()


def describe_database(
    document: Mapping[str, Any], given: Mapping[str, Any], source: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the draft: files (by name), schema, the numbers of tables and decisions, and the difference.

    ``document`` is the result of the query. ``given`` contains the variables of the model that are already decided.
    ``source`` is the whole model, if the inventory contains one. The difference is between this model and the
    database; without a model, it is empty.
    """
    try:
        if source is not None:
            model.parse(source)
        made = draft.build(document, given)
        found = difference.differences(document, source) if source else []
    except TenancyError as error:
        raise AnsibleFilterError(str(error)) from error
    # A checkout already contains an ansible.cfg.
    settings = "" if installed.is_checkout() else text.SETTINGS
    files = {"tenancy.yml": text.tenancy(made), "before.sql": text.before(made), "ansible.cfg": settings}
    lines = difference.lines(found)
    return {
        "schema": made["schema"],
        "tables": len(made["tables"]),
        "decisions": draft.decisions(made),
        "files": {name: content for name, content in files.items() if content},
        "difference": lines,
    }


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"describe_query": describe_query, "describe_database": describe_database}
