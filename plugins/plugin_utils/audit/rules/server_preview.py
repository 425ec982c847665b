"""The server is a development version, a beta or a release candidate."""

from __future__ import annotations

import re

from ..rule import WARNING, Inspected, Rule, ServerVersion

# The version of a release is numeric. The version of a package may follow, as in "18.3 (Debian 18.3-1)".
PREVIEW = re.compile(r"\d+(devel|alpha|beta|rc)\d*")


def _judge(inspected: Inspected) -> list[str]:
    found = PREVIEW.match(inspected.state["server_version"])
    return [found[0]] if found else []


RULE = Rule(
    severity=WARNING,
    why="A pre-release receives no security fixes, and its catalogs may still change.",
    remedy="Move the database to a released version of PostgreSQL (pg_dump, or pg_upgrade).",
    judge=_judge,
    bad=ServerVersion("19beta1"),
    good=ServerVersion("19.0"),
    found="19beta1",
)
