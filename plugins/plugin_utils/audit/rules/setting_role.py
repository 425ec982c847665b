"""A setting changes the role of the service's sessions."""

from __future__ import annotations

import re

from ..rule import ERROR, Inspected, Rule, Sql

# libpq's options parameter sets the role as -c role=x, -crole=x or --role=x.
OPTION = re.compile(r"(?:-c\s*|--)(role|session[_-]authorization)\s*=\s*(\S+)", re.IGNORECASE)


def _judge(inspected: Inspected) -> list[str]:
    return [
        f"{name.lower()} = {value} in options= of DATABASE_URL"
        for name, value in OPTION.findall(inspected.url_options)
        if value.strip("\"'").lower() not in ("none", inspected.model.application_role.lower())
    ]


RULE = Rule(
    severity=ERROR,
    why="The session runs as another role, which has no policy and which the proof does not test.",
    remedy="Reset the listed setting, and grant the privileges of the role that it names to the service's login.",
    sql="""
SELECT format('%s = %s for %s', p.name, p.value, p.place) FROM preset p, given
WHERE p.name IN ('role', 'session_authorization') AND p.value NOT IN ('none', lower(given.application_role))
""",
    judge=_judge,
    bad=Sql("ALTER ROLE alice IN DATABASE ai_memory SET role = 'pg_monitor';"),
    good=Sql("ALTER ROLE alice IN DATABASE ai_memory RESET role;"),
    found="role = pg_monitor for role alice in database ai_memory",
)
