"""The plan backwards, to the schema of before: the state that the migration found, kept as a snapshot, is brought back.

What is planned is the difference between the state now and the snapshot, so that a half-done migration, one whose
policies were rolled back, and one without the bridge all lead to the same schema. No row is touched.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils.errors import UnsafeStateError
from ...module_utils.quoting import identifier, literal, qualified
from ..catalog import definitions
from ..catalog import state as catalog
from ..catalog.state import Relation
from ..model.model import Function, Model, Table
from . import bridge, foreign_keys, functions, indexes, plan, views
from .finding import Finding, finding
from .statement import State, Statement, statement

Document = Mapping[str, Any]

NOTHING: Document = {
    "policies": [], "rls": {"enabled": False, "forced": False}, "indexes": [], "foreign_keys": [], "column": None,
    "granted_excess": [],
}  # fmt: skip
# What depends on the tenant column goes before it, a primary key before its columns may be NULL, and the old keys come
# back after the new ones have gone.
PHASES = (
    "policy", "force", "enable", "bridge", "function", "view", "default", "unlink", "key", "not_null", "build",
    "attach", "column", "link", "restore", "privilege", "comment",
)  # fmt: skip


# Whose SQL holds definitions of the snapshot.
QUOTING = ("function", "default", "build", "attach", "link", "restore")


def build(state: State, model: Model, snapshot: State, *, lone: bool = True) -> list[Statement]:
    """Return the statements that lead from ``state`` to the schema of ``snapshot``, a state document of before.

    Raises UnsafeStateError where rows of another tenant exist, if the default one must be the ``lone`` one, or objects
    of somebody else use the tenant column.
    """
    is_old, snapshot = not snapshot.get("qualified"), upgraded(snapshot, state, model)
    obstacles = _obstacles(state, model, snapshot, lone=lone)
    if obstacles:
        raise UnsafeStateError(obstacles)
    statements = [item for relation in _relations(state, model, snapshot) for item in relation.statements()]
    statements += _bridge(state, model, snapshot)
    statements += _functions(state, model, snapshot)
    statements += views.back(state, model, snapshot)
    if is_old:
        statements = [_under_its_path(item, model) if item["phase"] in QUOTING else item for item in statements]
    return sorted(statements, key=lambda item: PHASES.index(item["phase"]))


def findings(state: State, model: Model, snapshot: State, rows_before: Mapping[str, int]) -> list[Finding]:
    """Return whether everything of the schema of ``snapshot`` is there again, and every row still.

    ``rows_before`` maps a table's name to its rows before the rollback; it is empty if they were not counted, since the
    service works meanwhile. What somebody else has made since, and does not use the tenant column, is left alone.
    """
    found = []
    watched, snapshot = _watched(state, model, snapshot), upgraded(snapshot, state, model)
    for table in model.tables:
        now, before = catalog.required(state, table.name), catalog.required(snapshot, table.name)
        found += [
            finding(f"{part} of before that are missing", table.name, [], _missing(before[part], now[part]))
            for part in ("columns", "triggers", "views")
        ]
        if rows_before:
            found.append(finding("rows unchanged", table.name, rows_before[table.name], now["rows"]))
        kept = _by_place(catalog.relations(snapshot, model, table))
        for relation in catalog.relations(state, model, table):
            # A partition of later was never without the tenant.
            if (relation.schema, relation.name) in kept:
                before = kept[relation.schema, relation.name]
                before = {**before, "policies": _own_policies(before, table, snapshot)}
                found += _as_before(relation, before, _role(snapshot) == _role(state))
    if snapshot["bridge_watch"]["exists"]:
        missing = [item["id"] for item in bridge.bring_record(state, _model_of(snapshot, model), watched)]
        found.append(finding("parts of the bridge's record that are missing", "", [], missing))
    has_record = snapshot["bridge_watch"]["exists"]
    functions_before = [item for item in snapshot["functions"] if item["name"] != bridge.NOTE or not has_record]
    found.append(
        finding("functions of before that are missing", "", [], _missing(functions_before, state["functions"]))
    )
    left = [
        function.name
        for function in model.functions
        if catalog.function(state, function.name, function.identity) is not None
        and catalog.function(snapshot, function.name, function.identity) is None
    ]
    found.append(finding("functions of the migration that are left", "", [], left))
    found.append(finding("bridges as before", "", snapshot["bridges"], state["bridges"]))
    return found + views.as_before(state, model, snapshot)


def upgraded(snapshot: State, state: State, model: Model) -> State:
    """Return a snapshot whose definitions can be compared with those of ``state``.

    An earlier version of this runbook read the catalogs under the search path of the session, so that PostgreSQL left
    the schema out of the names in it. Where nothing else differs, the definition of now is the same one.
    """
    if snapshot.get("qualified"):
        return snapshot
    found: State = _upgraded(snapshot, state, model)
    return found


def _upgraded(before: Any, now: Any, model: Model) -> Any:
    if isinstance(before, str) and isinstance(now, str):
        return now if _plain(before, model) == _plain(now, model) else before
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return {key: _upgraded(value, now.get(key), model) for key, value in before.items()}
    if isinstance(before, list) and isinstance(now, list):
        return [_upgraded(item, _counterpart(item, now, model), model) for item in before]
    return before


def _counterpart(item: Any, now: list[Any], model: Model) -> Any:
    def name(document: Any) -> Any:
        if isinstance(document, Mapping):
            # Functions of one name differ in their types.
            types = [_plain(each, model) for each in document.get("types", [])]
            return document.get("name"), types, document.get("description") if document.get("name") is None else None
        return _plain(document, model) if isinstance(document, str) else document

    return next((other for other in now if name(other) == name(item)), None)


def _plain(text: str, model: Model) -> str:
    return catalog.without_schema(text, model.schema)


def _under_its_path(item: Statement, model: Model) -> Statement:
    """Return a statement of an old snapshot so that it finds the names that stand without their schema in it.

    PostgreSQL's own come first, and a printed expression has the types of its arguments.
    """
    path = f"SET LOCAL search_path = pg_catalog, {identifier(model.schema)}, pg_temp"
    return {**item, "sql": f"{path}; {item['sql'].rstrip(';')}; SET LOCAL search_path = pg_catalog, pg_temp"}


def _as_before(relation: Relation, before: Document, is_same_role: bool) -> list[Finding]:
    table, now = relation.table.name, relation.document
    where = f" of {relation.name}" if relation.is_partition else ""
    missing = {part: _missing(before[part], now[part]) for part in ("policies", "indexes")}
    missing["foreign keys"] = _missing(*(foreign_keys.of_table(document) for document in (before, now)))
    found = [finding(f"{part}{where} of before that are missing", table, [], names) for part, names in missing.items()]
    found += [finding(f"{part}{where} as before", table, before[part], now[part]) for part in ("rls", "owner")]
    column = f"tenant column{where} as before"
    found.append(finding(column, table, _column(before["column"]), _column(now["column"])))
    if is_same_role:
        found.append(finding(f"rights{where} as before", table, before["granted_excess"], now["granted_excess"]))
    return found


def _obstacles(state: State, model: Model, snapshot: State, *, lone: bool) -> list[str]:
    if snapshot["database"] != state["database"]:
        return [f"The snapshot is of database {snapshot['database']}, not of {state['database']}: name another one."]
    found = []
    foreign = catalog.other_tenants(state, model)
    if foreign and lone:
        counts = ", ".join(f"{name} {count}" for name, count in foreign.items())
        found.append(
            f"Rows of tenants other than {model.default_tenant} exist ({counts}), which the old schema could not tell "
            "apart. Move or delete those rows first, or use rollback_mode=restore."
        )
    for table in model.tables:
        now, before = catalog.table(state, table.name), catalog.table(snapshot, table.name)
        if now is None or before is None:
            found.append(f"Table {model.schema}.{table.name} does not exist, now or in the snapshot.")
        elif now["column"] is not None and before["column"] is None:
            for relation in catalog.relations(state, model, table):
                found += _dependents(state, model, relation)
    if all(catalog.table(document, table.name) for document in (state, snapshot) for table in model.tables):
        found += [text for relation in _relations(state, model, snapshot) for text in relation.obstacles()]
    return found + [
        text
        for function in model.functions
        if (before := _function_of_before(state, snapshot, function)) is not None
        for text in definitions.literals(
            state, f"The function {function.name} of before", [functions.header(before)], _path(model, snapshot)
        )
    ]


def _path(model: Model, snapshot: State) -> str | None:
    """Return the schema whose names stand without it in the snapshot."""
    return None if snapshot.get("qualified") else model.schema


def _relations(state: State, model: Model, snapshot: State) -> list[_Relation]:
    return [
        _Relation(state, model, relation, snapshot)
        for table in model.tables
        # The deepest partitions first: the table's indexes take theirs over.
        for relation in [*catalog.partitions(state, model, table), catalog.relation(state, model, table)]
    ]


def _dependents(state: State, model: Model, relation: Relation) -> list[str]:
    """Return one obstacle for each object that uses the tenant column and that this project did not make."""
    table, now = relation.table, relation.document
    ours = _of_the_migration(model, relation)
    own = {table.policy, *bridge.policy_names(table), plan.check_name(model, table)}
    own |= {name for index in ours for name in (index["name"], index["constraint"])}
    # What is neither an index, a key nor a policy has no name here, and is never this project's.
    used = [
        item["description"] for item in now["column"]["dependents"] if item["name"] is None or item["name"] not in own
    ]
    used += [text for index in ours for text in index["dependents"]]
    links = foreign_keys.descriptions(state, model)
    name = f"{relation.schema}.{relation.name}"
    return [f"{text} uses {name}.{model.column}, which goes: drop it first." for text in sorted({*used} - links)]


def _of_the_migration(model: Model, relation: Relation) -> list[Document]:
    """Return the keys and indexes that begin with the tenant column as the model says."""
    keys = [(model.column, *key) for key in model.tenant_keys(relation.table)]
    indexes = [(model.column, *(column.name for column in index)) for index in relation.table.indexes]
    return [index for index in relation.document["indexes"] if tuple(index["names"]) in [*keys, *indexes]]


class _Relation:
    """The way back of one table, or of one partition."""

    def __init__(self, state: State, model: Model, relation: Relation, snapshot: State) -> None:
        """Look at it as it is and as it was."""
        self.state, self.model, self.snapshot = state, model, snapshot
        self.relation, self.table = relation, relation.table
        before = _by_place(catalog.relations(snapshot, model, self.table))
        self.now = relation.document
        is_ours = any(policy["name"] == self.table.policy for policy in self.now["policies"])
        # A partition of later has nothing of before; row security that it got by hand stays.
        later = NOTHING if is_ours else {**NOTHING, "rls": self.now["rls"]}
        self.before = before.get((relation.schema, relation.name), later)
        self.target = relation.target
        # The service may have had another login then.
        self.role = _role(snapshot)

    def statements(self) -> list[Statement]:
        """Return what leads back, in no order yet."""
        return [
            *self._policies(), *self._row_security(), *self._foreign_keys(), *self._indexes(), *self._column(),
            *self._privileges(),
        ]  # fmt: skip

    def obstacles(self) -> list[str]:
        """Return what of an ordinary role would run if the definitions of before came back."""
        title = f"{self.relation.schema}.{self.relation.name}"
        path, now, before = _path(self.model, self.snapshot), self.now["column"], self.before["column"]
        found = [
            text
            for policy in self._policies_of_before()
            for text in definitions.literals(
                self.state, f"The policy {policy['name']} of {title}", [policy["using"], policy["check"]], path
            )
        ]
        if now is not None and before is not None and now["default"] != before["default"]:
            what = f"The default of {title}.{self.model.column}"
            found += definitions.literals(self.state, what, [before["default"]], path)
        for index in self._indexes_of_before():
            if not index["plain"]:
                texts = [index["definition"], index["constraint_definition"]]
                found += definitions.expressions(self.state, f"The index {index['name']} of {title}", texts, path)
        for key in self._foreign_keys_of_before():
            found += foreign_keys.calling(self.state, self.relation.schema, self.relation.name, key)
        return found

    def _statement(self, identity: str, phase: str, sql: str, reason: str) -> Statement:
        return statement(f"{self.table.name}.{identity}{self.relation.suffix}", self.table.name, phase, sql, reason)

    def _alter(self, identity: str, phase: str, action: str, reason: str) -> Statement:
        return self._statement(identity, phase, f"ALTER TABLE {self.target} {action}", reason)

    def _policies(self) -> list[Statement]:
        now, before = _by_name(self.now["policies"]), _by_name(self._own_policies())
        ours, record = {self.table.policy, *before}, bridge.policy_names(self.table)
        # The bridge takes its own policies along where it goes, and brings them where they were; somebody else's stay.
        if not self.snapshot["bridge_watch"]["exists"]:
            ours -= record
        elif not _has_record(self.before, self.table):
            ours |= record
        planned = [
            self._statement(
                f"policy.drop.{name}", "policy", f"DROP POLICY {identifier(name)} ON {self.target}",
                "Drop the policies of the migration",
            )
            for name, policy in now.items()
            if name in ours and policy != before.get(name)
        ]  # fmt: skip
        for policy in self._policies_of_before():
            planned.append(
                self._statement(f"policy.{policy['name']}", "restore", catalog.policy_sql(policy, self.target),
                                "Bring the policies of before back")
            )  # fmt: skip
            planned += self._comment(f"POLICY {identifier(policy['name'])} ON {self.target}", policy["comment"])
        return planned

    def _policies_of_before(self) -> list[Document]:
        now = _by_name(self.now["policies"])
        return [policy for policy in self._own_policies() if policy != now.get(policy["name"])]

    def _own_policies(self) -> list[Document]:
        return _own_policies(self.before, self.table, self.snapshot)

    def _row_security(self) -> list[Statement]:
        words = {("enabled", False): "DISABLE", ("enabled", True): "ENABLE", ("forced", False): "NO FORCE",
                 ("forced", True): "FORCE"}  # fmt: skip
        return [
            self._alter(part, "force" if part == "forced" else "enable",
                        f"{words[part, self.before['rls'][part]]} ROW LEVEL SECURITY",
                        "Bring row-level security back to what it was")
            for part in ("forced", "enabled")
            if self.now["rls"][part] != self.before["rls"][part]
        ]  # fmt: skip

    def _foreign_keys(self) -> list[Statement]:
        planned = [
            self._alter(f"foreign_key.drop.{name}", "unlink", f"DROP CONSTRAINT {identifier(name)}",
                        "Drop the foreign keys that name the tenant")
            for name in self._changed_foreign_keys()
        ]  # fmt: skip
        for key in self._foreign_keys_of_before():
            name, sql = key["name"], foreign_keys.bring(self.target, key)
            planned.append(self._statement(f"foreign_key.{name}", "link", sql, "Bring the foreign keys back"))
            planned += self._comment(f"CONSTRAINT {identifier(name)} ON {self.target}", key["comment"])
        return planned

    def _changed_foreign_keys(self) -> list[str]:
        now, before = (_by_name(foreign_keys.of_table(document)) for document in (self.now, self.before))
        return [
            name
            for name, key in now.items()
            if any(foreign_keys.names_tenant(key, self.model, wanted) for wanted in self.table.foreign_keys)
            and (name not in before or _made(key) != _made(before[name]))
        ]

    def _foreign_keys_of_before(self) -> list[Document]:
        now, changed = _by_name(foreign_keys.of_table(self.now)), self._changed_foreign_keys()
        return [key for key in foreign_keys.of_table(self.before) if key["name"] not in now or key["name"] in changed]

    def _indexes(self) -> list[Statement]:
        now, before = _by_name(self.now["indexes"]), _by_name(self.before["indexes"])
        planned = []
        for name in sorted(self._own_indexes()):
            if name in before and _made(now[name]) == _made(before[name]):
                continue
            if self.relation.is_partition and now[name]["root"]:
                # The table's takes it along.
                continue
            constraint, reason = now[name]["constraint"], "Drop the keys and indexes per tenant"
            planned.append(
                self._alter(f"key.drop.{name}", "key", f"DROP CONSTRAINT {identifier(constraint)}", reason)
                if constraint is not None
                else self._statement(
                    f"index.drop.{name}", "key", f"DROP INDEX {qualified(self.relation.schema, name)}", reason
                )
            )
        for index in self._indexes_of_before():
            planned += self._bring(index)
        return planned

    def _own_indexes(self) -> set[str]:
        return {index["name"] for index in _of_the_migration(self.model, self.relation)}

    def _indexes_of_before(self) -> list[Document]:
        now, ours = _by_name(self.now["indexes"]), self._own_indexes()
        return [
            index
            for index in self.before["indexes"]
            if (name := index["name"]) not in now or (name in ours and _made(now[name]) != _made(index))
        ]

    def _bring(self, index: Document) -> list[Statement]:
        reason = {"comment": "Bring the comments of before back"}
        return [
            self._statement(identity, phase, sql, reason.get(phase, "Bring the keys and indexes of before back"))
            for phase, identity, sql in indexes.bring(self.relation, index)
        ]

    def _column(self) -> list[Statement]:
        now, before = self.now["column"], self.before["column"]
        column = identifier(self.model.column)
        if now is None or now == before or (before is None and self.relation.is_partition):
            # A partition's column goes with the table's.
            return []
        if before is None:
            reason = f"Drop {self.model.column}; every row stays"
            return [self._alter("column.drop", "column", f"DROP COLUMN {column}", reason)]
        planned = []
        reason = f"Bring {self.model.column} back to what it was"
        if now["default"] != before["default"]:
            action = "DROP DEFAULT" if before["default"] is None else f"SET DEFAULT {before['default']}"
            sql = f"ALTER TABLE {self.relation.alone} ALTER COLUMN {column} {action}"
            planned.append(self._statement("default", "default", sql, reason))
        check = plan.check_name(self.model, self.table)
        if not self.relation.is_partition and catalog.depends(self.state, self.table.name, check):
            planned.append(self._alter("check.drop", "not_null", f"DROP CONSTRAINT {identifier(check)}", reason))
        if not self.relation.is_partition and now["not_null"] and not before["not_null"]:
            planned.append(self._alter("not_null", "not_null", f"ALTER COLUMN {column} DROP NOT NULL", reason))
        return planned

    def _privileges(self) -> list[Statement]:
        now = self.now["granted_excess"] if self.role == self.model.application_role else []
        back = sorted(set(self.before["granted_excess"]) - set(now))
        if self.role is None or not back:
            return []
        sql = f"GRANT {', '.join(back)} ON {self.target} TO {identifier(self.role)}"
        return [self._statement("grant", "privilege", sql, "Grant back what was revoked")]

    def _comment(self, what: str, text: str | None) -> list[Statement]:
        if text is None:
            return []
        sql = f"COMMENT ON {what} IS {literal(text)}"
        return [self._statement(f"comment.{what}", "comment", sql, "Bring the comments of before back")]


def _bridge(state: State, model: Model, snapshot: State) -> list[Statement]:
    now, before = state["bridges"], snapshot["bridges"]
    planned = [
        statement(f"bridge.{role}", "", "bridge", bridge.assign(model, role, before.get(role)),
                  "Bring the bridge back to what it was")
        for role in sorted({*now, *before})
        if now.get(role) != before.get(role)
    ]  # fmt: skip
    # A table that joined later was migrated beside the record, which enforcing may have removed since.
    if snapshot["bridge_watch"]["exists"]:
        watched = _watched(state, model, snapshot)
        planned += bridge.bring_record(state, _model_of(snapshot, model), watched)
        later = {table.name for table in model.tables} - {relation.table.name for relation in watched}
        return planned + bridge.remove_sequences(state, model, later, "Stop recording who needs the bridge there")
    return planned + bridge.remove_record(state, model)


def _model_of(snapshot: State, model: Model) -> Model:
    """Return the model with the login that the service had then."""
    return dataclasses.replace(model, application_role=_role(snapshot) or model.application_role)


def _watched(state: State, model: Model, snapshot: State) -> list[Relation]:
    """Return the relations on which the bridge's record was kept then."""
    found = []
    for table in model.tables:
        kept = _by_place(catalog.relations(snapshot, model, table))
        found += [
            relation
            for relation in catalog.relations(state, model, table)
            if _has_record(kept.get((relation.schema, relation.name), NOTHING), table)
        ]
    return found if snapshot["bridge_watch"]["exists"] else []


def _has_record(before: Document, table: Table) -> bool:
    names = bridge.policy_names(table)
    return any(policy["name"] in names for policy in before["policies"])


def _own_policies(before: Document, table: Table, snapshot: State) -> list[Document]:
    """Return the policies of before without those of the bridge's record, which comes back in its form of today."""
    names = bridge.policy_names(table) if snapshot["bridge_watch"]["exists"] else set()
    return [policy for policy in before["policies"] if policy["name"] not in names]


def _functions(state: State, model: Model, snapshot: State) -> list[Statement]:
    planned = []
    for function in model.functions:
        now = catalog.function(state, function.name, function.identity)
        before = catalog.function(snapshot, function.name, function.identity)
        identity, name = f"function.{function.name}({function.identity})", qualified(model.schema, function.name)
        reason = f"Bring {function.name} back to what it was"
        if now is not None and before is None:
            sql = f"DROP FUNCTION {name}({function.identity})"
            planned.append(statement(f"{identity}.drop", "", "function", sql, reason))
        if (brought := _function_of_before(state, snapshot, function)) is not None:
            planned.append(statement(identity, "", "function", brought["definition"].strip(), reason))
            # What is made again belongs to whoever makes it, here a superuser, and may be SECURITY DEFINER.
            if now is None or now["owner"] != brought["owner"]:
                sql = f"ALTER FUNCTION {name}({function.identity}) OWNER TO {identifier(brought['owner'])}"
                planned.append(statement(f"{identity}.owner", "", "function", sql, reason))
        if before is not None and now is not None and now["granted"] and not before["granted"]:
            sql = f"REVOKE EXECUTE ON FUNCTION {name}({function.identity}) FROM {identifier(model.application_role)}"
            planned.append(statement(f"{identity}.revoke", "", "function", sql, reason))
    return planned


def _function_of_before(state: State, snapshot: State, function: Function) -> Document | None:
    """Return the function as it was, where it is not so now."""
    now, before = (catalog.function(found, function.name, function.identity) for found in (state, snapshot))
    return before if before is not None and (now is None or now["definition"] != before["definition"]) else None


def _role(state: State) -> str | None:
    role = catalog.application_role(state)
    return None if role is None else str(role["name"])


def _by_name(documents: Iterable[Document]) -> dict[str, Document]:
    return {document["name"]: document for document in documents}


def _by_place(relations: Iterable[Relation]) -> dict[tuple[str, str], Document]:
    return {(relation.schema, relation.name): relation.document for relation in relations}


def _made(document: Any) -> Any:
    """Return what says how an index or another object is made, without what uses it."""
    if isinstance(document, Mapping):
        # A snapshot of an earlier version of this runbook knows of no index that is a part of another.
        made = {"root": None, **document}
        # Nor had one of an earlier version of the state what converts the columns of a foreign key.
        left_out = ("dependents", "valid", "clustered", "casts")
        return {name: value for name, value in made.items() if name not in left_out}
    return document


def _missing(before: list[Any], now: list[Any]) -> list[str]:
    """Return the names of what is not as it was."""
    made = [_made(item) for item in now]
    return [item["name"] if isinstance(item, Mapping) else item for item in before if _made(item) not in made]


def _column(column: Document | None) -> dict[str, Any] | None:
    """Return what of the tenant column is schema."""
    return None if column is None else {name: column[name] for name in ("type", "not_null", "default", "generated")}
