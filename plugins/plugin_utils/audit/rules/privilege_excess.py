"""The service's role has a privilege that row security does not restrict."""

from __future__ import annotations

from ...catalog import state as catalog
from ..rule import ERROR, Inspected, Rule, Sql


def _privileges(inspected: Inspected, which: str) -> list[str]:
    return [
        f"{privilege} on {relation.title}"
        for relation in inspected.relations()
        for privilege in catalog.excess(relation.document, inspected.model, which)
    ]


def _judge(inspected: Inspected) -> list[str]:
    return _privileges(inspected, "excess_privileges")


def _fixed_by_plan(inspected: Inspected) -> list[str]:
    # The plan revokes privileges granted to the role itself, but none granted to PUBLIC or to another role.
    return _privileges(inspected, "granted_excess")


RULE = Rule(
    severity=ERROR,
    why="Row security does not apply to this privilege.",
    remedy="Revoke the privilege from the service's role, or from the role or PUBLIC through which the role has it.",
    judge=_judge,
    fixed_by_plan=_fixed_by_plan,
    bad=Sql("GRANT TRUNCATE ON memories TO PUBLIC;"),
    good=Sql("REVOKE TRUNCATE ON memories FROM PUBLIC;"),
    found="TRUNCATE on public.memories",
)
