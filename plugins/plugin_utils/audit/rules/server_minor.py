"""The server lacks fixes for row security."""

from __future__ import annotations

from ..rule import WARNING, Inspected, Rule, ServerVersion

# The first minor release of each major that has the fixes.
FIXED_MINORS = {18: 7, 17: 12, 16: 16, 15: 20, 14: 25}


def _judge(inspected: Inspected) -> list[str]:
    major, minor = divmod(inspected.state["server_version_num"], 10000)
    # A major release that is not in the list is newer than all of them, or too old for the fixes.
    fixed = FIXED_MINORS.get(major, 0 if major > max(FIXED_MINORS) else minor + 1)
    return [inspected.state["server_version"]] if minor < fixed else []


RULE = Rule(
    severity=WARNING,
    why="Newer minor releases fix vulnerabilities in row security (CVE-2026-120154 and earlier).",
    remedy="Update PostgreSQL. If its major release no longer gets fixes, upgrade PostgreSQL (pg_upgrade).",
    judge=_judge,
    bad=ServerVersion("16.15"),
    good=ServerVersion("16.16"),
    found="16.15",
)
