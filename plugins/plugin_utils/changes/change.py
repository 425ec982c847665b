"""The kinds of changes to a database, and the parts that a kind can define.

Each kind is one file that ends with its ``CHANGE``. ``registry.CHANGES`` lists the kinds in order. Most parts are
functions, named like the fields of ``Change``. A kind omits the parts that it does not need.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...module_utils.quoting import identifier, literal
from ..catalog import state as catalog
from ..catalog.state import Relation
from ..model.model import Model
from .finding import Finding
from .statement import State, Statement, statement

Document = Mapping[str, Any]
# The document of a relation that the snapshot does not contain.
NO_DOCUMENT: Document = {
    "policies": [], "rls": {"enabled": False, "forced": False}, "indexes": [], "foreign_keys": [], "column": None,
    "granted_excess": [],
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Ended:
    """Database errors that occur in the service until the statements of ``phase`` have run.

    ``codes`` are their SQLSTATEs. ``needle`` is a part of the error message, with ``{column}`` as a placeholder for the
    tenant column. ``secured`` is true if only row security causes these errors.
    """

    phase: str
    codes: tuple[str, ...]
    needle: str = ""
    secured: bool = False


# The SQLSTATEs of the errors that occur if a policy created by hand rejects a row, or reads a setting without a value.
HELD_BACK = ("42501", "42704", "22P02")
MORE_ROWS = "Drop a policy that would show more rows: permissive policies are combined with OR"


def nothing(*_: Any) -> list[Any]:
    """Return an empty list. This is the default for a part that a kind omits."""
    return []


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """One kind of change.

    ``phases`` are the phases of its statements in the plan and in the rollbacks. plan.py, schema.py and revert.py
    define the order of the phases.

    ``plan`` returns the statements of the migration, and ``findings`` shows whether they were applied. ``obstacles``
    returns the reasons why they cannot be planned. ``hazards`` returns the reasons why the plan would fail.

    ``rollback`` returns the statements that restore the schema of the snapshot, and ``rollback_findings`` shows whether
    the schema is restored. ``rollback_obstacles`` returns the reasons why it cannot be restored.

    ``row_security_off`` returns the statements of rollback_mode=policies, which keeps columns and keys.
    ``row_security_off_findings`` shows whether they were applied.

    ``ended_errors`` are the errors of the service that the change fixes. ``audit_rules`` are the audit rules whose
    findings it fixes.
    """

    phases: frozenset[str]
    obstacles: Callable[[State, Model], list[str]] = nothing
    hazards: Callable[[State, Model], list[str]] = nothing
    plan: Callable[[State, Model], list[Statement]]
    findings: Callable[[State, Model], list[Finding]]
    rollback: Callable[[Rollback], list[Statement]] = nothing
    rollback_obstacles: Callable[[Rollback], list[str]] = nothing
    rollback_findings: Callable[[Rollback], list[Finding]] = nothing
    row_security_off: Callable[[State, Model], list[Statement]] = nothing
    row_security_off_findings: Callable[[State, Model], list[Finding]] = nothing
    ended_errors: tuple[Ended, ...] = ()
    audit_rules: frozenset[str] = frozenset()


class Rollback:
    """The rollback from ``state`` to the schema of ``snapshot``.

    The snapshot must be the result of ``snapshots.upgraded``, so that it is comparable with the state.
    """

    def __init__(self, state: State, model: Model, snapshot: State) -> None:
        """Find each relation of ``state`` in the snapshot."""
        self.state, self.model, self.snapshot = state, model, snapshot
        # A snapshot taken with an earlier model may lack the tenants table.
        others = [table for table in model.guarded if table not in model.tables]
        known = [one for one in others if catalog.table(state, one.name) and catalog.table(snapshot, one.name)]
        self.guarded = (*model.tables, *known)
        self.relations = [
            RelationRollback(self, relation)
            for table in self.guarded
            # The deepest partitions come first, because the indexes of the table attach the indexes of its partitions.
            for relation in [*catalog.partitions(state, table), catalog.relation(state, model, table)]
        ]

    @property
    def path(self) -> str | None:
        """Return the schema whose names the snapshot does not qualify, or None if it qualifies every name."""
        return None if self.snapshot.get("qualified") else self.model.schema

    @property
    def role(self) -> str | None:
        """Return the service's login at the time of the snapshot."""
        return role_of(self.snapshot)

    @property
    def is_same_role(self) -> bool:
        """Return whether the service still has the login of the snapshot."""
        return self.role == role_of(self.state)

    @property
    def from_the_top(self) -> list[RelationRollback]:
        """Return the existing relations, each before its partitions."""
        return [item for table in self.guarded for item in reversed(self.relations) if item.table == table]

    @property
    def known(self) -> list[RelationRollback]:
        """Return the relations of the snapshot, each table before its partitions."""
        order = [table.name for table in self.guarded]
        found = [item for item in self.relations if item.is_known]
        return sorted(found, key=lambda item: (order.index(item.table.name), item.relation.is_partition))


class RelationRollback:
    """A table or partition in the current state (``now``) and in the snapshot (``before``)."""

    def __init__(self, whole: Rollback, relation: Relation) -> None:
        """Find the relation in the snapshot."""
        self.whole, self.relation, self.table = whole, relation, relation.table
        self.now, self.target, self.title, self.where = (
            relation.document,
            relation.target,
            relation.title,
            relation.where,
        )
        kept = by_place(catalog.relations(whole.snapshot, whole.model, self.table))
        self.is_known = (relation.schema, relation.name) in kept
        is_ours = any(policy["name"] == self.table.policy for policy in self.now["policies"])
        # The snapshot lacks newer partitions. Without the model's policy, such a partition keeps its row security.
        later = NO_DOCUMENT if is_ours else {**NO_DOCUMENT, "rls": self.now["rls"]}
        self.before = kept.get((relation.schema, relation.name), later)

    def statement(self, identity: str, phase: str, sql: str, reason: str, **more: Any) -> Statement:
        """Return one statement of the rollback. ``more`` contains further arguments for ``statement``."""
        name = f"{self.table.name}.{identity}{self.relation.suffix}"
        return statement(name, self.table.name, phase, sql, reason, **more)

    def alter(self, identity: str, phase: str, action: str, reason: str) -> Statement:
        """Return the ALTER TABLE statement for this relation."""
        return self.statement(identity, phase, f"ALTER TABLE {self.target} {action}", reason)

    def comment(self, what: str, text: str | None) -> list[Statement]:
        """Return the statement that restores a comment on the object ``what``, unless ``text`` is None."""
        if text is None:
            return []
        sql = f"COMMENT ON {what} IS {literal(text)}"
        return [self.statement(f"comment.{what}", "comment", sql, "Restore the original comments")]


def drop_policy(relation: Relation, name: str, reason: str) -> Statement:
    """Return the statement that drops a policy of a table or partition."""
    table, sql = relation.table.name, f"DROP POLICY {identifier(name)} ON {relation.target}"
    return statement(f"{table}.policy.drop.{name}{relation.suffix}", table, "policy", sql, reason)


def role_of(state: State) -> str | None:
    """Return the name of the application role, or None if it does not exist."""
    role = catalog.application_role(state)
    return None if role is None else str(role["name"])


def by_name(documents: Iterable[Document]) -> dict[str, Document]:
    """Return a mapping from names to documents."""
    return {document["name"]: document for document in documents}


def by_place(relations: Iterable[Relation]) -> dict[tuple[str, str], Document]:
    """Return a mapping from schemas and names to the documents of relations."""
    return {(relation.schema, relation.name): relation.document for relation in relations}


def made(document: Any) -> Any:
    """Return the part of an object's document that must be equal in two states for the object to be unchanged."""
    if isinstance(document, Mapping):
        # A snapshot of an earlier version lacks these fields. "root" is the index to which an index is attached.
        found = {"root": None, "enforced": True, "period": False, **document}
        # Such a snapshot also lacks "casts". The field "key" repeats parts of the definition.
        left_out = ("dependents", "valid", "clustered", "casts", "key")
        return {name: value for name, value in found.items() if name not in left_out}
    return document


def missing(before: list[Any], now: list[Any]) -> list[str]:
    """Return the names of the objects in ``before`` that are missing or changed in ``now``."""
    there = [made(item) for item in now]
    return [item["name"] if isinstance(item, Mapping) else item for item in before if made(item) not in there]


def relations(state: State, model: Model) -> list[Relation]:
    """Return the tables of the model that exist, each before its partitions."""
    return [relation for table in catalog.tables(state, model) for relation in catalog.relations(state, model, table)]


def guarded_relations(state: State, model: Model) -> list[Relation]:
    """Return the relations that get policies of the model: tenant tables, their partitions and the tenants table."""
    return relations(state, model) + tenants_relation(state, model)


def tenants_relation(state: State, model: Model) -> list[Relation]:
    """Return a list with the tenants table. The list is empty if the model or the database has no such table."""
    found = [model.tenants.table] if model.tenants is not None else []
    return [catalog.relation(state, model, table) for table in found if catalog.table(state, table.name) is not None]
