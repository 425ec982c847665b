"""DATABASE_URL sets a tenant."""

from __future__ import annotations

import re

from ..rule import ERROR, Inspected, Rule, UrlOptions


def _judge(inspected: Inspected) -> list[str]:
    named = re.search(rf"(?<![\w.]){re.escape(inspected.model.setting)}\s*=", inspected.url_options, re.IGNORECASE)
    return ["DATABASE_URL"] if named else []


RULE = Rule(
    severity=ERROR,
    why="The options parameter of DATABASE_URL sets the same tenant in every session.",
    remedy="Remove the setting from DATABASE_URL in the environment file.",
    judge=_judge,
    bad=UrlOptions("-c app.current_tenant=1"),
    good=UrlOptions("-c application_name=ai-memory"),
    found="DATABASE_URL",
)
