"""The isolation proof: in the real database, the application role attempts to reach another tenant's rows.

An attempt is a statement with its allowed outcomes, such as a row count or an SQLSTATE. The application role runs the
statement with row security on. ``proof.sql`` makes the attempts, and ``transaction`` rolls back their effects. This
module decides which outcomes are allowed. Each kind of attempt has a positive control, which must succeed, because a
proof in which every attempt fails proves nothing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from ...module_utils import sessions
from ...module_utils.quoting import identifier, literal, qualified
from ..catalog import state as catalog
from ..catalog import unique_keys
from ..catalog.state import Relation
from ..changes.statement import State
from ..model.model import ForeignKey, Model, Table, Tenants, View
from . import checks, order, room, samples, tenants_rows
from .attempt import (
    EQUAL,
    EVERY,
    IS_THERE,
    NO_PARTITION,
    NOTHING,
    NOTHING_OR_REFUSED,
    ONE,
    POINTS_NOWHERE,
    REFUSED,
    REFUSED_WITHOUT_TENANT,
    Attempt,
    Need,
    Outcomes,
    Row,
    made,
)
from .order import Order
from .room import Room
from .samples import Sample

RUNNER = Path(__file__).with_name("proof.sql")

Document = Mapping[str, Any]

# The beginning of the definition of a BEFORE INSERT trigger, as PostgreSQL prints it.
BEFORE_INSERT = re.compile(r'CREATE TRIGGER (?:"(?:[^"]|"")+"|\S+) BEFORE INSERT ')
# The number of rows to read from a table that has too many rows to count while the table is locked.
PROBED = 1000


def lacks(document: Document, privilege: str, columns: Sequence[str] = ()) -> bool:
    """Return whether the application role lacks ``privilege`` on the table that ``document`` describes.

    With ``columns``, the role must have the privilege on all of them. Without ``columns``, it must have the privilege
    on at least one column. A role that does not exist yet lacks no privilege, because the plan grants the required
    privileges before the service uses the role.
    """
    if document["rights"] is None or document["rights"][privilege] is True:
        return False
    allowed: list[str] = document["rights"][privilege]
    return not (set(columns) <= set(allowed) if columns else allowed)


@dataclass(frozen=True)
class Means:
    """The application role's privileges on each table, and the limits that triggers impose on every role.

    ``documents`` contains the documents of the tables in the state, by table name. For a table without a document, the
    role has every privilege, and no triggers exist. ``types`` contains the types in the state, and ``samples`` contains
    the sample rows by table name.
    """

    model: Model
    documents: Mapping[str, Document]
    types: Mapping[str, Document]
    samples: Mapping[str, Sample]
    order: Order

    def values(self, table: Table) -> Mapping[str, str]:
        """Return the columns of the sample row, each with its value as SQL."""
        return self.samples[table.name].values

    def updated(self, table: Table) -> str:
        """Return the column that the attempts update."""
        document = self.documents.get(table.name, {})

        def may(column: str) -> bool:
            return not any(self.lacks(table, privilege, (column,)) for privilege in ("UPDATE", "SELECT"))

        return samples.updated(self.model, table, self.samples[table.name], document, may)

    def lacks(self, table: Table, privilege: str, columns: Sequence[str] = ()) -> bool:
        """Return whether the role lacks ``privilege`` on a table. ``columns`` are as in the function ``lacks``."""
        document = self.documents.get(table.name)
        return document is not None and lacks(document, privilege, columns)

    def allows(self, outcomes: Outcomes, *needs: Need) -> Outcomes:
        """Return ``outcomes``, or only "permission denied" if the role lacks one of the privileges in ``needs``."""
        return REFUSED if any(self.lacks(*need) for need in needs) else outcomes

    def pointing(self, table: Table, key: ForeignKey) -> Mapping[str, str]:
        """Return the columns of a sample row whose foreign key ``key`` is not NULL, each with its value as SQL."""
        return self._other_sample(table, pointing=key).values

    def variant(self, table: Table, columns: Sequence[str]) -> dict[str, str]:
        """Return new values, as SQL, for those ``columns`` of a table that can differ from the sample row."""
        own = self.samples[table.name]
        pointing = {name for key in table.foreign_keys for name in key.columns}
        other = self._other_sample(table, unlike=own).values
        return {
            name: other[name]
            for name in columns
            if name in other and name in own.values and name not in pointing and other[name] != own.values[name]
        }

    def second(self, table: Table) -> Mapping[str, str]:
        """Return the columns of a tenant's second row, each with its value as SQL."""
        return self._other_sample(table, unlike=self.samples[table.name]).values

    def _other_sample(self, table: Table, **more: Any) -> Sample:
        document = self.documents.get(table.name, {})
        return samples.of(self.model, table, document, self.types, self.documents, **more)

    def inserts(self, table: Table) -> list[Need]:
        """Return the privileges needed to store the sample row: on its columns, and on the keys that it references."""
        parents = [(self.table(key.references), "SELECT", key.key) for key in self.order.used(table)]
        return [(table, "INSERT", sorted(self.values(table))), *parents]

    def stores(self, table: Table, *seen: str) -> bool:
        """Return whether the role can store the sample row of a table and the rows that this row references.

        ``seen`` contains the names of the tables that have already been checked.
        """
        lacking: list[Need] = [(table, "INSERT", (name,)) for name in self.samples[table.name].missing]
        return (
            not any(self.lacks(*need) for need in [*self.inserts(table), *lacking])
            # A table may reference itself, or be part of a cycle.
            and all(
                self.stores(self.table(key.references), table.name, *seen)
                for key in self.order.used(table)
                if key.references not in (table.name, *seen)
            )
        )

    def arbiters(self, table: Table) -> list[tuple[str, ...]]:
        """Return the natural keys of a table that ON CONFLICT can infer from a list of columns."""
        document = {"indexes": [], **self.documents.get(table.name, {})}
        return unique_keys.arbiters(document, self.model, table)

    def defers(self, table: Table) -> bool:
        """Return whether the table has a deferrable key, for which ON CONFLICT DO NOTHING fails (55000)."""
        return any(unique_keys.is_key(index) and index["key"]["deferrable"] for index in self._indexes(table))

    def _indexes(self, table: Table) -> Sequence[Document]:
        found: Sequence[Document] = self.documents.get(table.name, {}).get("indexes", [])
        return found

    def rows(self, table: Table, *seen: str) -> int:
        """Return the number of rows that each tenant of the proof has in a table after the samples are stored.

        ``seen`` contains the names of the tables that have already been counted.
        """
        tenants = self.model.tenants
        by_tenants = tenants.sample_writes.count(table.name) if tenants is not None else 0
        again = table.name in self.order.twice and self.stores(table)
        by_others = sum(
            item.sample_writes.count(table.name) * self.rows(item, table.name, *seen)
            for item in self.writers(table)
            if item.name not in (table.name, *seen) and self.stores(item)
        )
        found = by_tenants + again + self.stores(table) + by_others
        return min(found, 1) if self.is_single(table) else found

    def writers(self, table: Table) -> list[Table]:
        """Return the tables whose triggers write a row into ``table`` when a sample row is stored."""
        return [writer for writer in self.model.tables if table.name in writer.sample_writes]

    def is_single(self, table: Table, *seen: str) -> bool:
        """Return whether each tenant can have only one row in a table.

        This is the case if all columns of a unique key, except the tenant column, reference tables in which the tenant
        has only one row.
        """
        pointing = {
            name
            for key in self.order.used(table)
            if key.references not in (table.name, *seen)
            and self._is_alone(self.table(key.references), table.name, *seen)
            for name in key.columns
        }
        return table.name not in self.order.twice and any(
            index["unique"] and index["plain"] and {*index["names"]} <= pointing | {self.model.column}
            for index in self._indexes(table)
        )

    def _is_alone(self, parent: Table, *seen: str) -> bool:
        return not self.writers(parent) or self.is_single(parent, *seen)

    def replaces(self, table: Table) -> bool:
        """Return whether the sample row of a table replaces a row with the same key that a trigger wrote earlier."""
        tenants = self.model.tenants
        by_tenants = tenants is not None and table.name in tenants.sample_writes
        return self.is_single(table) and (by_tenants or bool(self.writers(table)))

    def others(self, table: Table, other: str) -> list[tuple[str, str]]:
        """Return the tenants whose rows a tenant tries to reach. Each is a pair: words for the label, and the tenant.

        These are the other tenant of the proof and, if one is known, a tenant that has rows.
        """
        known = catalog.known_tenant(self.model, self.documents.get(table.name, {}))
        words = "the default" if self.model.default_tenant is not None else "an existing"
        return [("another", other), *([(words, known)] if known is not None else [])]

    def forbids(self, table: Table, command: str, outcomes: Outcomes) -> Outcomes:
        """Return the allowed outcomes of ``command`` (update or delete) on a tenant's own rows.

        A trigger may forbid the command.
        """
        raised = table.append_only.get(command)
        # Instead of raising an error, a trigger may return NULL, which skips the row.
        return (f"error {raised}", *NOTHING) if raised is not None else outcomes

    def besides(self, table: Table, command: str, outcomes: Outcomes) -> Outcomes:
        """Return the allowed outcomes of a ``command`` that must not affect any row.

        A statement-level trigger fires even if no row is affected, so its error is allowed. A row-level trigger fires
        only for an affected row, so its error is not allowed.
        """
        raised = table.append_only.get(command)
        triggers = self.documents.get(table.name, {}).get("triggers", [])
        once = any(trigger["enabled"] and not trigger["row"] for trigger in triggers)
        return (*outcomes, f"error {raised}") if raised is not None and once else outcomes

    def conflicts(self, table: Table, outcomes: Outcomes, more: Outcomes) -> Outcomes:
        """Return the allowed outcomes of storing a row with an existing key.

        They include ``more`` if a trigger can change the key.
        """
        triggers = self.documents.get(table.name, {}).get("triggers", [])
        changes = any(item["enabled"] and item["row"] and BEFORE_INSERT.match(item["definition"]) for item in triggers)
        return (*outcomes, *more) if changes else outcomes

    def table(self, name: str) -> Table:
        """Return the table with this name."""
        return next(table for table in self.model.tables if table.name == name)


def gaps(state: State, model: Model) -> list[str]:
    """Return a sentence for each fact that privileges, triggers or foreign keys prevent the proof from showing."""
    means = _means(state, model)
    return [text for table in model.tables for text in _gaps(model, means, table)]


def _gaps(model: Model, means: Means, table: Table) -> list[str]:
    name, role = f"{model.schema}.{table.name}", model.application_role
    if means.lacks(table, "SELECT"):
        return [f"{role} has no privilege to read {name}. There, the proof shows only which statements are refused."]
    found = []
    if not means.stores(table):
        found.append(
            f"{role} has no privilege to store the sample in {name}. There, the proof cannot use a tenant's own rows, "
            "and shows only that the default tenant reads its rows."
        )
    refused = [command for command in ("UPDATE", "DELETE") if means.lacks(table, command)]
    refused += [f"{command.upper()} (append_only)" for command in table.append_only]
    if refused:
        commands = " and ".join(refused)
        found.append(f"The proof expects {commands} in {name} to be refused, even for a tenant's own rows.")
    return found + [
        f"The proof does not try to reference another tenant's row with {name} ({', '.join(key.columns)}), "
        f"because {reason}."
        for key in table.foreign_keys
        if (reason := _why_untried(means, table, key)) is not None
    ]


def _means(state: State, model: Model) -> Means:
    documents = {table.name: catalog.table(state, table.name) for table in model.guarded}
    found = {name: _granted(document, model) for name, document in documents.items() if document is not None}
    return _of_documents(model, found, state["types"])


def _granted(document: Document, model: Model) -> Document:
    """Return the document of a table as it is after the plan has added the tenant column to column privileges."""
    rights = document["rights"]
    given = {name: rights[name] for name in ("SELECT", "INSERT") if rights}
    more = {name: [*allowed, model.column] for name, allowed in given.items() if allowed and allowed is not True}
    return {**document, "rights": {**rights, **more}} if more else document


def _of_documents(model: Model, documents: Mapping[str, Document], types: Mapping[str, Document]) -> Means:
    rows = {
        table.name: samples.of(model, table, documents.get(table.name, {}), types, documents) for table in model.tables
    }
    return Means(model, documents, types, rows, order.of(model, documents))


def tenants_sample(state: State, model: Model, tenants: Tenants) -> Sample:
    """Return the sample row in the tenants table for a tenant of the proof, without its key."""
    return tenants_rows.sample(_means(state, model), tenants)


def synthetic_tenants(state: State, model: Model) -> tuple[str, str]:
    """Return two tenants that have no rows."""
    documents = [catalog.table(state, table.name) for table in model.tables]
    columns = [document["column"] for document in documents if document and document["column"]]
    used = {tenant for column in columns for tenant in column["tenants"]} | {str(model.default_tenant)}
    used |= {str(tenant) for tenant in state["tenant_keys"]}
    one, other = itertools.islice((tenant for tenant in model.tenant_type.unused_tenants() if tenant not in used), 2)
    return one, other


def document(
    state: State, model: Model, max_rows: int, seconds: float, url_options: str = "", *, probed: int = PROBED
) -> dict[str, Any]:
    """Return the proof as plain data, in the form that ``transaction.run`` needs.

    ``seconds`` limits the total time of all attempts. ``url_options`` are the options of the service's DATABASE_URL.
    In a table with more than ``max_rows`` rows, the proof reads only ``probed`` rows of the default tenant instead of
    counting all its rows.
    """
    means = _means(state, model)
    compared = [
        table
        for table in model.tables
        if not means.lacks(table, "SELECT", (model.column,))
        and catalog.known_tenant(model, catalog.required(state, table.name)) is not None
    ]
    one, other = synthetic_tenants(state, model)
    tried = attempts(model, one, other, partitions(state, model), means.documents, state["types"])
    return {
        "runner": RUNNER.read_text(),
        "role": model.application_role,
        "role_name": identifier(model.application_role),
        "seconds": seconds,
        "setting": model.setting,
        "setting_name": ".".join(map(identifier, model.setting.split("."))),
        "url_settings": sessions.parse_options(url_options),
        "attempts": tried + [_content_attempt(state, model, table, max_rows, probed) for table in compared],
        "tables": [qualified(model.schema, table.name) for table in model.guarded],
        "tenants_rows": tenants_rows.by_owner(means, one, other),
        "contents": {table.name: _content(state, model, table, max_rows, probed) for table in compared},
    }


def _content_attempt(state: State, model: Model, table: Table, max_rows: int, probed: int) -> Attempt:
    """Return the attempt that counts the rows that the default tenant reads. The outcome is a JSON value."""
    tenant = catalog.known_tenant(model, catalog.required(state, table.name))
    return {
        "id": f"{table.name}.content", "table": table.name, "tenant": tenant, "value": True,
        "sentence": f"Tenant {tenant} reads all of its rows and no others",
        "sql": _content(state, model, table, max_rows, probed, as_owner=False), "expected": [], "keep": False,
    }  # fmt: skip


def _content(state: State, model: Model, table: Table, max_rows: int, probed: int, *, as_owner: bool = True) -> str:
    """Return the query that counts the default tenant's rows.

    With ``as_owner``, the query counts every row of that tenant. Otherwise, it counts the rows that the tenant reads,
    and those of other tenants among them.
    """
    tenant = catalog.known_tenant(model, catalog.required(state, table.name))
    target, default = qualified(model.schema, table.name), literal(str(tenant))
    column = identifier(model.column)
    is_probed = catalog.required(state, table.name)["rows"] > max_rows
    # A row without a tenant counts as a row of the default tenant. If that tenant cannot read the row, the proof
    # reports the row as missing. No index supports coalesce, so a probe compares only the column.
    compared = column if is_probed else f"coalesce({column}, {default})"
    where = f" WHERE {compared} {EQUAL} {default}" if as_owner else ""
    others = f"pg_catalog.count(*) FILTER (WHERE ({column} {EQUAL} {default}) IS NOT TRUE)" if not as_owner else "0"
    part = f"(SELECT {column} FROM {target}{where} LIMIT {probed}) AS probe"
    source, counted = (part, "probed") if is_probed else (f"{target}{where}", "rows")
    return f"SELECT pg_catalog.jsonb_build_object('{counted}', pg_catalog.count(*), 'others', {others}) FROM {source}"


def partitions(state: State, model: Model) -> dict[str, list[Relation]]:
    """Return the partitions of each partitioned table, by table name."""
    found = {table.name: catalog.partitions(state, table) for table in catalog.tables(state, model)}
    return {name: parts for name, parts in found.items() if parts}


def attempts(
    model: Model,
    one: str,
    other: str,
    parted: Mapping[str, Sequence[Relation]] | None = None,
    documents: Mapping[str, Document] | None = None,
    types: Mapping[str, Document] | None = None,
) -> list[Attempt]:
    """Return the attempts of two tenants that have no rows, in order.

    An attempt is a dict with id, table, sentence, tenant, sql, expected and keep. If tenant is None, the session resets
    the tenant setting. expected contains the allowed outcomes. keep is whether later attempts see the stored rows. Some
    attempts have ``theirs``, a query that runs first as another tenant. Its result is the parameter $1 of sql.

    ``parted`` contains the partitions of partitioned tables, and ``types`` the types in the state. ``documents``
    contains the documents of the tables in the state, with the application role's privileges. If the role lacks a
    privilege for an attempt, PostgreSQL must refuse the attempt, even on the tenant's own rows.
    """
    means = _of_documents(model, documents or {}, types or {})
    relations: list[Table | View] = [*model.tables, *model.views]
    # A session that has never set a tenant can be tested only before the first attempt that sets one.
    tried = [attempt for relation in relations for attempt in _unset(model, means, relation)]
    tried += tenants_rows.stored(means, one, other)
    tried += [attempt for table in means.order.tables for attempt in _stored(means, table, one, other)]
    for table in model.tables:
        tried += _of_table(model, means, table, one, other, (parted or {}).get(table.name, []))
    tried += tenants_rows.attempts(means, one, other)
    for view in model.views:
        tried += _of_view(model, view, one, other)
    return tried


def _unset(model: Model, means: Means, relation: Table | View) -> list[Attempt]:
    """Return the attempt to read a relation in a session that has never set a tenant."""
    allowed = means.allows(NOTHING, (relation, "SELECT", ())) if isinstance(relation, Table) else NOTHING
    read = ("read.unset", "A session that sets no tenant reads rows", _read(model, relation), allowed)
    return made(relation, None, [read])


def _stored(means: Means, table: Table, one: str, other: str) -> list[Attempt]:
    """Return the attempts of two tenants to store the same row. Later attempts use these rows."""
    circle = means.order.circle(table)
    # The attempt for the first table of a cycle stores the rows of all its tables.
    if table != circle[0]:
        return []
    stored = means.allows(ONE, *(need for member in circle for need in means.inserts(member)))
    # An attempt that fails because there is no row to reference, or no value for a column, proves nothing.
    if stored != REFUSED and not means.stores(table):
        return []
    replaced = _replaced(means, table)
    if any(means.lacks(one, "DELETE") or "delete" in one.append_only for one in replaced):
        return []
    sql = "; ".join([*room.delete(means, replaced), *_store(means, circle)])
    sentence = "Another tenant stores a row with the same keys"
    return [
        *made(table, one, [("own.insert", "A tenant stores a row", sql, stored)], keep=True),
        *made(table, other, [("own.insert.same", sentence, sql, stored)], keep=True),
    ]


def _replaced(means: Means, table: Table) -> list[Table]:
    """Return the tables in which the sample row replaces rows that triggers wrote.

    Their rows can be deleted in the order of these tables.
    """
    if not means.replaces(table):
        return []
    return [one for one in means.order.pointers([table.name]) if one is table or means.writers(one)]


def _store(means: Means, circle: Sequence[Table]) -> list[str]:
    """Return the statements that store the sample row of one table, or of each table in a cycle."""
    found = ["SET CONSTRAINTS ALL DEFERRED"] if len(circle) > 1 else []
    for place, table in enumerate(circle):
        values = {**means.values(table), **means.samples[table.name].first}
        for before in circle[:place]:
            for key in means.order.deferred[before.name]:
                if key.references == table.name:
                    values |= _chosen(means.model, before, key)
        found.append(_insert_values(means, table, values))
        if table.name in means.order.twice:
            found.append(_insert_values(means, table, {**values, **means.second(table)}))
    return found


def _chosen(model: Model, before: Table, key: ForeignKey) -> dict[str, str]:
    """Return the key of a row that is stored later, as SQL that reads it from the row of ``before``.

    The earlier row already references this key.
    """
    source = f"{qualified(model.schema, before.name)} ORDER BY {', '.join(map(identifier, key.columns))} LIMIT 1"
    pairs = zip(key.columns, key.key, strict=True)
    return {pointed: f"(SELECT {identifier(column)} FROM {source})" for column, pointed in pairs}


def _of_table(
    model: Model, means: Means, table: Table, one: str, other: str, parts: Sequence[Relation]
) -> list[Attempt]:
    """Return the attempts on one table and its partitions. Both tenants have already stored their rows."""
    rooms = [(key, room.of(means, table, key)) for key in table.foreign_keys]
    pointing = [
        {**attempt, "theirs": {"tenant": other, "sql": _theirs(means, key, made_room)}}
        for key, made_room in rooms
        if made_room is not None and _why_untried(means, table, key) is None
        for attempt in made(table, one, [_pointing(means, table, key, made_room)])
    ]
    tried = [
        *made(table, one, _own(model, means, table)),
        *made(table, one, _towards(model, means, table, one, other)),
        *pointing,
        *made(table, one, _around(model, table)),
        *made(table, one, _written(model, means, table)),
        *made(table, other, _written(model, means, table, ".same")),
        *made(table, None, _without("reset", "A session that has reset its tenant", model, means, table, ())),
        *made(table, "", _without("empty", "A session whose tenant is empty", model, means, table, ())),
    ]
    for identity, who, setting, errors in model.tenant_type.invalid_settings():
        tried += made(table, setting, _without(identity, who, model, means, table, errors))
    tried += made(table, one, _in_partitions(model, means, table, parts, other))
    tried += made(
        table, None, [_from_partition(part, "reset", "A session that has reset its tenant") for part in parts]
    )
    return tried + made(
        table, "", [_from_partition(part, "empty", "A session whose tenant is empty") for part in parts]
    )


def _of_view(model: Model, view: View, one: str, other: str) -> list[Attempt]:
    """Return the attempts to read through a view."""
    read, through = _read(model, view), (f"{view.sample_rows} rows",)
    sentence = "Another tenant reads its own rows through the view"
    tried = [
        *made(view, one, [("own.read", "A tenant reads its own rows through the view", read, through)]),
        *made(view, other, [("own.read.same", sentence, read, through)]),
        *made(view, None, [("read.reset", "A session that has reset its tenant reads rows", read, NOTHING)]),
        *made(view, "", [("read.empty", "A session whose tenant is empty reads rows", read, NOTHING)]),
    ]
    for identity, who, setting, errors in model.tenant_type.invalid_settings():
        tried += made(view, setting, [(f"read.{identity}", f"{who} reads rows", read, (*NOTHING, *errors))])
    return tried


def _read(model: Model, table: Table | View, where: str = "") -> str:
    return f"SELECT FROM {qualified(model.schema, table.name)}{where}"


def _insert(means: Means, table: Table, extra: Mapping[str, Any] | None = None, clause: str = "") -> str:
    values = {**means.values(table)} | {name: literal(value) for name, value in (extra or {}).items()}
    return _insert_values(means, table, values) + clause


def _insert_values(means: Means, table: Table, values: Mapping[str, str]) -> str:
    target, names = qualified(means.model.schema, table.name), ", ".join(map(identifier, values))
    if not values:
        return f"INSERT INTO {target} DEFAULT VALUES"
    attributes = means.documents.get(table.name, {}).get("attributes", [])
    is_given = any(item["generated"] and item["name"] in values for item in attributes)
    overriding = " OVERRIDING SYSTEM VALUE" if is_given else ""
    itself = means.samples[table.name].itself
    if not itself:
        return f"INSERT INTO {target} ({names}){overriding} VALUES ({', '.join(values.values())})"
    own = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in itself.items())
    listed = ", ".join(values.values())
    return f"INSERT INTO {target} ({names}){overriding} SELECT {listed} FROM (SELECT {own}) AS {samples.ITSELF}{EVERY}"


def _upsert(means: Means, table: Table, key: tuple[str, ...]) -> str:
    wanted, column = ", ".join(map(identifier, (means.model.column, *key))), identifier(_upserted(means, table, key))
    return f" ON CONFLICT ({wanted}) DO UPDATE SET {column} = excluded.{column}"


def _upserted(means: Means, table: Table, key: tuple[str, ...]) -> str:
    """Return the column that an upsert changes: a column of the key, or the tenant column if the key is generated."""
    attributes = means.documents.get(table.name, {}).get("attributes", [])
    generated = {item["name"] for item in attributes if item["generated"]}
    return next((name for name in key if name not in generated), means.model.column)


def _own(model: Model, means: Means, table: Table) -> list[Row]:
    """Return the positive controls: attempts of a tenant on its own rows."""
    target, name = qualified(model.schema, table.name), means.updated(table)
    column, every = identifier(name), _every(means, table)
    # First delete the rows that reference the rows of this table.
    gone = means.order.pointers([table.name])
    delete = "; ".join(room.delete(means, gone))
    deleted = _every(means, gone[-1])
    for item in gone:
        deleted = means.forbids(item, "delete", deleted)
    # If a trigger skips DELETE without an error, the rows that reference a row of this table remain.
    if any("delete" in item.append_only for item in gone[:-1]):
        deleted = (*deleted, *POINTS_NOWHERE)
    updates: list[Need] = [(table, "UPDATE", (name,)), (table, "SELECT", (name,))]
    found = [
        ("own.read", "A tenant reads its own rows and no others", _read(model, table),
         means.allows(every, (table, "SELECT", ()))),
        ("own.update", "A tenant updates its own rows and no others", f"UPDATE {target} SET {column} = {column}{EVERY}",
         means.allows(means.forbids(table, "update", every), *updates)),
        ("own.delete", "A tenant deletes its own rows and no others", delete,
         means.allows(deleted, *((item, "DELETE", ()) for item in gone))),
    ]  # fmt: skip
    # Without a row of the tenant, there is no key to conflict with.
    for key in means.arbiters(table) if means.stores(table) else ():
        upserts: list[Need] = [
            *means.inserts(table), (table, "UPDATE", (_upserted(means, table, key),)),
            (table, "SELECT", (model.column, *key)),
        ]  # fmt: skip
        found += [
            (f"own.upsert.{'_'.join(key)}", "A tenant updates its own row with ON CONFLICT DO UPDATE",
             _insert(means, table, None, _upsert(means, table, key)),
             means.allows(means.conflicts(table, means.forbids(table, "update", ONE), IS_THERE), *upserts)),
        ]  # fmt: skip
        if means.defers(table):
            continue
        found += [
            (f"own.skip.{'_'.join(key)}", "A tenant finds its own key with ON CONFLICT DO NOTHING",
             _insert(means, table, None, " ON CONFLICT DO NOTHING"),
             means.allows(means.conflicts(table, NOTHING, ONE), *means.inserts(table))),
        ]  # fmt: skip
    return found


def _every(means: Means, table: Table) -> Outcomes:
    """Return the allowed outcome of a query for all of a tenant's rows after the samples are stored."""
    return (f"{means.rows(table)} rows",)


def _in_partitions(model: Model, means: Means, table: Table, parts: Sequence[Relation], other: str) -> list[Row]:
    """Return the attempts that name a partition directly.

    PostgreSQL may refuse them, because the service needs no privileges on partitions.
    """
    held = [f"SELECT 1 FROM {part.target}" for part in parts if not part.is_partitioned]
    if not held:
        return []
    found: list[Row] = [
        ("own.read.partitions", "A tenant reads its own rows in the partitions and no others",
         " UNION ALL ".join(held), (*_every(means, table), *REFUSED))
    ]  # fmt: skip
    column = identifier(means.updated(table))
    for part in parts:
        found.append((f"truncate{part.suffix}", "A tenant empties a partition", f"TRUNCATE {part.target}", REFUSED))
        for whose, tenant in means.others(table, other):
            where = f" WHERE {identifier(model.column)} {EQUAL} {literal(tenant)}"
            end = f"{whose.split()[-1]}{part.suffix}"
            found += [
                (f"read.{end}", f"A tenant reads rows of {whose} tenant in a partition",
                 f"SELECT FROM {part.target}{where}", NOTHING_OR_REFUSED),
                (f"update.{end}", f"A tenant updates rows of {whose} tenant in a partition",
                 f"UPDATE {part.target} SET {column} = {column}{where}", NOTHING_OR_REFUSED),
                (f"delete.{end}", f"A tenant deletes rows of {whose} tenant in a partition",
                 f"DELETE FROM {part.target}{where}", NOTHING_OR_REFUSED),
            ]  # fmt: skip
    return found


def _from_partition(part: Relation, identity: str, who: str) -> Row:
    return (f"read.{identity}{part.suffix}", f"{who} reads a partition", f"SELECT FROM {part.target}",
            NOTHING_OR_REFUSED)  # fmt: skip


def _towards(model: Model, means: Means, table: Table, one: str, other: str) -> list[Row]:
    """Return the attempts of a tenant on the rows of another tenant and of the default tenant."""
    target, tenant = qualified(model.schema, table.name), identifier(model.column)
    first = means.updated(table)
    column, columns = identifier(first), [identifier(name) for name in means.values(table)]
    theirs, foreign = {model.column: other}, f"{literal(other)}::{model.column_type}"
    copied, given_away = ", ".join([*columns, tenant]), ", ".join([*columns, foreign])
    reads: Need = (table, "SELECT", (model.column,))
    updated, deleted = means.besides(table, "update", NOTHING), means.besides(table, "delete", NOTHING)
    found: list[Row] = []
    for whose, number in means.others(table, other):
        where, name = f" WHERE {tenant} {EQUAL} {literal(number)}", whose.split()[-1]
        found += [
            (f"read.{name}", f"A tenant reads rows of {whose} tenant", _read(model, table, where),
             means.allows(NOTHING, reads)),
            (f"lock.{name}", f"A tenant locks rows of {whose} tenant",
             _read(model, table, f"{where} FOR UPDATE"), means.allows(NOTHING, reads, (table, "UPDATE", ()))),
            (f"update.{name}", f"A tenant updates rows of {whose} tenant",
             f"UPDATE {target} SET {column} = {column}{where}",
             means.allows(updated, reads, (table, "SELECT", (first,)), (table, "UPDATE", (first,)))),
            (f"take.{name}", f"A tenant makes rows of {whose} tenant its own",
             f"UPDATE {target} SET {tenant} = {literal(one)}{where}",
             means.allows(updated, reads, (table, "UPDATE", (model.column,)))),
            (f"delete.{name}", f"A tenant deletes rows of {whose} tenant", f"DELETE FROM {target}{where}",
             means.allows(deleted, reads, (table, "DELETE", ()))),
        ]  # fmt: skip
    # A tenant without rows has no rows to give away.
    given = REFUSED if means.rows(table) else NOTHING_OR_REFUSED
    raised = table.append_only.get("update")
    found += [
        ("insert", "A tenant stores a row for another tenant", _insert(means, table, theirs), REFUSED),
        ("insert.select", "A tenant copies its rows to another tenant",
         f"INSERT INTO {target} ({copied}) SELECT {given_away} FROM {target}", given),
        ("update.tenant", "A tenant gives its rows to another tenant",
         f"UPDATE {target} SET {tenant} = {literal(other)}{EVERY}",
         # Either the trigger or the policy refuses the statement.
         (*given, *(() if raised is None else means.forbids(table, "update", ())))),
        ("skip", "A tenant looks for another tenant's keys with ON CONFLICT DO NOTHING",
         _insert(means, table, theirs, " ON CONFLICT DO NOTHING"), REFUSED),
    ]  # fmt: skip
    found += [
        (f"upsert.{'_'.join(key)}", "A tenant overwrites another tenant's row with ON CONFLICT DO UPDATE",
         _insert(means, table, theirs, _upsert(means, table, key)), means.besides(table, "update", REFUSED))
        for key in means.arbiters(table)
    ]  # fmt: skip
    return found


def _why_untried(means: Means, table: Table, key: ForeignKey) -> str | None:
    """Return why the proof does not try to reference another tenant's row through ``key``, or None if it does."""
    document = means.documents.get(table.name, {})
    found = _of_state(means, document, key)
    if not found and any(_of_state(means, part, key) for part in document.get("partitions", [])):
        return "only partitions have that foreign key"
    if not all(item.get("enforced", True) for item in found):
        return "that foreign key is NOT ENFORCED"
    if any(key in pair and not _is_symmetric(means, table, pair) for pair in order.pairs(table, document)):
        return "a CHECK compares that foreign key with another one"
    if not means.stores(means.table(key.references)) or room.of(means, table, key) is None:
        return "it cannot store or delete the rows that this needs"
    return None


def _is_symmetric(means: Means, table: Table, pair: tuple[ForeignKey, ForeignKey]) -> bool:
    """Return whether the CHECKs still accept a row after its two foreign keys exchange their referenced rows."""
    rules = [item["expression"] for item in means.documents[table.name]["checks"]]
    one, other = pair
    rows = [
        dict.fromkeys(one.columns, Decimal(first)) | dict.fromkeys(other.columns, Decimal(3 - first))
        for first in (1, 2)
    ]  # fmt: skip
    return all(checks.holds(rule, row) is not False for rule in rules for row in rows)


def _of_state(means: Means, document: Document, key: ForeignKey) -> list[Document]:
    columns = {*key.columns}
    return [
        item
        for item in document.get("foreign_keys", [])
        if item["references"]["table"] == key.references
        and columns <= {*item["columns"]} <= columns | {means.model.column}
    ]


def _pointing(means: Means, table: Table, key: ForeignKey, made_room: Room) -> Row:
    """Return the attempt of a tenant to reference another tenant's row."""
    needs = [*means.inserts(table), *made_room.needs(means.table(key.references))]
    return (
        f"point.{'_'.join(key.columns)}", f"A tenant references a row of another tenant in {key.references}",
        _point(means, table, key, made_room), means.allows(POINTS_NOWHERE, *needs),
    )  # fmt: skip


def _theirs(means: Means, key: ForeignKey, made_room: Room) -> str:
    """Return the SQL that the other tenant runs: it deletes rows if necessary, and reads a key of that tenant.

    The result is a JSON object that maps each referencing column to the value in the key.
    """
    pairs = ", ".join(
        part
        for column, pointed in zip(key.columns, key.key, strict=True)
        for part in (literal(column), identifier(pointed))
    )
    source = qualified(means.model.schema, key.references)
    read = f"SELECT pg_catalog.json_build_object({pairs}) FROM {source} LIMIT 1"
    return "; ".join((*room.delete(means, made_room.deleted_by_other), read))


def _point(means: Means, table: Table, key: ForeignKey, made_room: Room) -> str:
    """Return the statements of the attempt to reference a row by the other tenant's key, which is $1."""
    schema, parent = means.model.schema, means.table(key.references)
    # json_populate_record converts each value to the type of its column in the table.
    theirs = f"(pg_catalog.json_populate_record(NULL::{qualified(schema, table.name)}, $1))"
    values = {**means.pointing(table, key), **made_room.values}
    values |= {column: f"{theirs}.{identifier(column)}" for column in key.columns}
    changes = ", ".join(f"{identifier(name)} = {sql}" for name, sql in made_room.changed.items())
    changed = [f"UPDATE {qualified(schema, parent.name)} SET {changes}{EVERY}"] if changes else []
    before = (*room.release(means, made_room.released), *room.delete(means, made_room.deleted))
    return "; ".join((*before, *changed, _insert_values(means, table, values)))


def _around(model: Model, table: Table) -> list[Row]:
    """Return the attempts with statements to which row security does not apply, and the attempt to turn it off."""
    target = qualified(model.schema, table.name)
    return [
        ("truncate", "A tenant empties the table", f"TRUNCATE {target}", REFUSED),
        ("copy.out", "A tenant copies the table to a file on the server", f"COPY {target} TO '/dev/null'", REFUSED),
        ("copy.in", "A tenant copies a file on the server into the table", f"COPY {target} FROM '/dev/null'", REFUSED),
        ("copy.program", "A tenant copies the table to a program", f"COPY {target} TO PROGRAM 'true'", REFUSED),
        ("off", "A tenant turns row security off", f"SET LOCAL row_security = off; {_read(model, table)}", REFUSED),
    ]


def _written(model: Model, means: Means, table: Table, suffix: str = "") -> list[Row]:
    """Return the controls for triggers: a row that a trigger writes must have the tenant of the stored row."""
    return [
        (f"own.trigger.{target.name}{suffix}", f"The trigger writes to {target.name} for the tenant of the row",
         _read(model, target), means.allows(_every(means, target), (target, "SELECT", ())))
        for target in model.tables
        if target.name in table.sample_writes and means.stores(table)
    ]  # fmt: skip


def _without(identity: str, who: str, model: Model, means: Means, table: Table, errors: tuple[str, ...]) -> list[Row]:
    """Return the attempts of a session without a valid tenant."""
    read = means.allows((*NOTHING, *errors), (table, "SELECT", ()))
    # Without a tenant, a session sees no row to reference, and possibly no partition accepts NULL.
    parted = NO_PARTITION if means.documents.get(table.name, {}).get("partitions") else ()
    return [
        (f"read.{identity}", f"{who} reads rows", _read(model, table), read),
        (
            f"insert.{identity}",
            f"{who} stores a row",
            _insert(means, table),
            (*REFUSED_WITHOUT_TENANT, *errors, *parted),
        ),
    ]
