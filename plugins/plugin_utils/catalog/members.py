"""Tables that a dump leaves out in silence, since they were added to an extension."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils.quoting import identifier, qualified


def refusals(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each relation that is to leave its extension; ``found`` is what members.sql selects."""
    return [_refusal(item) for item in found]


def _refusal(item: Mapping[str, Any]) -> str:
    name = f"{item['schema']}.{item['name']}"
    kind = "TABLE" if item["is_table"] else "MATERIALIZED VIEW"
    target = qualified(item["schema"], item["name"])
    remedy = f"ALTER EXTENSION {identifier(item['extension'])} DROP {kind} {target}"
    if item["is_tenant"]:
        return (
            f"The tenant table {name} is a member of the extension {item['extension']}, so that no dump holds it:"
            f" {remedy} first."
        )
    return (
        f"{name}, which belongs to {item['owner']}, is a member of the extension {item['extension']}, so that no dump"
        f" holds it: {remedy} first, or, where the extension's own script made it, ALTER {kind} {target} OWNER TO"
        " a superuser."
    )
