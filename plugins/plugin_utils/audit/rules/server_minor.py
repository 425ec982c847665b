"""The server lacks fixes for row security."""

from __future__ import annotations

from ..rule import WARNING, Inspected, Rule, ServerVersion

# The first minor release with the fixes, by major version.
FIXED_MINORS = {18: 7, 17: 12, 16: 16, 15: 20, 14: 25}


def _judge(inspected: Inspected) -> list[str]:
    major, minor = divmod(inspected.state["server_version_num"], 10000)
    # A major version that is not listed is either newer than all listed versions, or no longer receives fixes.
    fixed = FIXED_MINORS.get(major, 0 if major > max(FIXED_MINORS) else minor + 1)
    return [inspected.state["server_version"]] if minor < fixed else []


RULE = Rule(
    severity=WARNING,
    why="Newer minor releases fix vulnerabilities in row security (CVE-2026-120154 and earlier).",
    remedy="Install the latest minor release. If the major version is no longer supported, upgrade it with pg_upgrade.",
    judge=_judge,
    bad=ServerVersion("16.15"),
    good=ServerVersion("16.16"),
    found="16.15",
)
