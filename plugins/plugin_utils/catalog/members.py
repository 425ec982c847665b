"""Tables that a dump silently omits, because they are members of an extension."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils.quoting import identifier, qualified


def refusals(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each relation that must be removed from its extension. ``found`` is the result of
    members.sql."""
    return [_refusal(item) for item in found]


def _refusal(item: Mapping[str, Any]) -> str:
    name = f"{item['schema']}.{item['name']}"
    kind = "TABLE" if item["is_table"] else "MATERIALIZED VIEW"
    target = qualified(item["schema"], item["name"])
    remedy = f"ALTER EXTENSION {identifier(item['extension'])} DROP {kind} {target}"
    if item["is_tenant"]:
        return (
            f"The tenant table {name} is a member of the extension {item['extension']}, so no dump contains it:"
            f" {remedy} first."
        )
    return (
        f"{name}, which belongs to {item['owner']}, is a member of the extension {item['extension']}, so no dump"
        f" contains it: {remedy} first, or, if the script of the extension created it, ALTER {kind} {target} OWNER TO"
        " a superuser."
    )
