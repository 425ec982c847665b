"""Every role has privileges on a tenant table."""

from __future__ import annotations

from ..rule import WARNING, Rule, Sql

RULE = Rule(
    severity=WARNING,
    why="Every role has the privilege, including roles without a policy.",
    remedy="Revoke the privilege from PUBLIC, and grant it to the individual roles that need it.",
    sql="""
SELECT format('%s on %s', a.privilege_type, c.title)
FROM relation c
JOIN wanted w ON w.relid = c.oid
CROSS JOIN LATERAL aclexplode(c.relacl) AS a
WHERE a.grantee = 0
""",
    bad=Sql("GRANT SELECT ON memories TO PUBLIC;"),
    good=Sql("REVOKE SELECT ON memories FROM PUBLIC;"),
    found="SELECT on public.memories",
)
