"""The model, which is the required definition of the database, parsed from the ``tenancy_*`` variables."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils.errors import ModelError
from ...module_utils.quoting import derived_name, identifier
from .tenants import TENANT_TYPES, Tenant, TenantType

# A customized option needs a prefix (PostgreSQL manual, 20.16 "Customized Options").
SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)+")
SQLSTATE = re.compile("[0-9A-Z]{5}")
TABLE_ENTRIES = {
    "name", "surrogate_keys", "natural_keys", "foreign_keys", "indexes", "sample", "sample_writes", "written_at",
    "adopt", "append_only", "tenant_from",
}  # fmt: skip
TENANTS_ENTRIES = {"table", "key", "policy", "sample", "sample_writes"}
# In the tenants table, a session can change only its tenant's row. It can read only this row (own), or all (read_all).
TENANTS_POLICIES = ("own", "read_all")
# The placeholder for the tenant in the sample of the tenants table.
TENANT = "%tenant%"
# The commands that a trigger may forbid, and the default SQLSTATE of RAISE EXCEPTION (PostgreSQL manual, appendix A).
FORBIDDEN, RAISED = ("update", "delete"), "P0001"
# The languages of functions that the plan can replace.
LANGUAGES = ("plpgsql", "sql")
# The placeholder for tenancy_schema in an entry of tenancy_functions.
SCHEMA = "%schema%"
# Entries of the model whose variable is not called tenancy_<entry>, each with the variable's name in messages.
VARIABLES = {
    "database": "database_name",
    "application_role": "tenancy_app_role (or the user of DATABASE_URL)",
    "replaced_role": "The user of DATABASE_URL",
}


@dataclass(frozen=True)
class IndexColumn:
    """A column of an index: its name, and whether its order is descending."""

    name: str
    descending: bool = False

    @property
    def sql(self) -> str:
        """Return the SQL for the column in CREATE INDEX."""
        return identifier(self.name) + (" DESC" if self.descending else "")


@dataclass(frozen=True)
class ForeignKey:
    """Columns that reference a key of another tenant table, or of the same table."""

    columns: tuple[str, ...]
    references: str
    key: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A tenant table, with the columns of its surrogate, natural and foreign keys, and of its additional indexes."""

    name: str
    surrogate_keys: tuple[tuple[str, ...], ...]
    natural_keys: tuple[tuple[str, ...], ...]
    foreign_keys: tuple[ForeignKey, ...]
    indexes: tuple[tuple[IndexColumn, ...], ...]
    # The values of the sample row that samples.py cannot derive.
    sample: Mapping[str, str | int]
    sample_writes: tuple[str, ...]
    written_at: str | None
    # Whether an existing column with the tenant column's name contains tenants, although no policy or default shows
    # this.
    adopt: bool
    # The commands that triggers forbid, each with the SQLSTATE of the error.
    append_only: Mapping[str, str]
    # The columns of the foreign key from which rows take their tenant, if the table lacks the tenant column.
    tenant_from: tuple[str, ...] | None = None

    @property
    def columns(self) -> set[str]:
        """Return all columns in the table's entry, except those in the sample."""
        keys = {name for key in (*self.surrogate_keys, *self.natural_keys) for name in key}
        indexed = {column.name for index in self.indexes for column in index}
        indexed |= {name for key in self.foreign_keys for name in key.columns}
        return keys | indexed | ({self.written_at} if self.written_at else set())

    @property
    def policy(self) -> str:
        """Return the name of the table's policy."""
        return derived_name("tenant_isolation", self.name)


@dataclass(frozen=True)
class Reader:
    """A role other than the application role, whose policy lets it use the rows of ``tenant``.

    If ``tenant`` is None, the policy lets the role read all rows.
    """

    role: str
    tenant: Tenant | None

    @property
    def policy(self) -> str:
        """Return the name of the role's policy. It is the same on every table."""
        return reader_policy(self.role)


@dataclass(frozen=True)
class Tenants:
    """The tenants table, which has one row for each tenant.

    ``sample`` contains values for the rows of the proof's tenants.
    """

    name: str
    key: str
    policy: str
    sample: Mapping[str, str | int]
    sample_writes: tuple[str, ...]

    @property
    def table(self) -> Table:
        """Return the tenants table as a Table without keys and indexes."""
        return Table(self.name, (), (), (), (), self.sample, self.sample_writes, None, adopt=False, append_only={})


@dataclass(frozen=True)
class View:
    """A view over tenant tables, with the number of rows that it shows to a tenant that has only the sample rows."""

    name: str
    sample_rows: int


@dataclass(frozen=True)
class Function:
    """A function or procedure whose body the migration replaces. For a procedure, ``returns`` is empty."""

    name: str
    arguments: str
    identity: str
    returns: str
    body: str
    language: str = "plpgsql"

    @property
    def kind(self) -> str:
        """Return the SQL keyword for this kind of routine."""
        return "FUNCTION" if self.returns else "PROCEDURE"


@dataclass(frozen=True)
class Model:
    """The state of the database after the migration, as the operator describes it."""

    database: str
    schema: str
    column: str
    column_type: str
    setting: str
    # None if the tenant column existed before the migration. Every row then already has a tenant, so a default tenant
    # does not exist.
    default_tenant: Tenant | None
    application_role: str
    # The role that the application role replaces, if this run creates the application role.
    replaced_role: str | None
    bridge: bool
    tables: tuple[Table, ...]
    views: tuple[View, ...]
    functions: tuple[Function, ...]
    readers: tuple[Reader, ...] = ()
    tenants: Tenants | None = None
    # Whether the tenant column existed before the migration.
    adopted: bool = False

    @property
    def guarded(self) -> tuple[Table, ...]:
        """Return the tables that get policies: the tenant tables, and the tenants table."""
        return (*self.tables, *([self.tenants.table] if self.tenants else []))

    def tenant_keys(self, table: Table) -> tuple[tuple[str, ...], ...]:
        """Return the keys to which the migration adds the tenant column: natural keys and referenced keys."""
        own = (*table.surrogate_keys, *table.natural_keys)
        pointed = (
            next(one for one in own if set(one) == set(key.key))
            for other in self.tables
            for key in other.foreign_keys
            if key.references == table.name
        )
        return tuple(dict.fromkeys((*table.natural_keys, *pointed)))

    @property
    def tenant_type(self) -> TenantType:
        """Return the type of the tenant column."""
        return TENANT_TYPES[self.column_type]

    @property
    def default_constant(self) -> str:
        """Return the default tenant as an SQL constant."""
        return self.tenant_type.constant(self._default)

    @property
    def printed_default(self) -> str:
        """Return the default tenant as PostgreSQL prints the constant."""
        return self.tenant_type.printed_constant(self._default)

    @property
    def session_tenant(self) -> str:
        """Return the session's tenant as an SQL expression: NULL if the setting is unset, reset or empty."""
        return self.tenant_type.session(self.setting)

    @property
    def bridge_value(self) -> str:
        """Return the default tenant in the form of the bridge, which no session uses."""
        return self.tenant_type.bridge(self._default)

    @property
    def _default(self) -> Tenant:
        if self.default_tenant is None:
            raise ModelError("There is no default tenant, because tenancy_column_adopted is true.")
        return self.default_tenant

    @property
    def predicate(self) -> str:
        """Return the predicate of the policies. The sub-select is evaluated once per query instead of once per row."""
        return f"{identifier(self.column)} = (SELECT {self.session_tenant})"


def reader_policy(role: str) -> str:
    """Return the name of the policy for a role in tenancy_readers."""
    return derived_name("tenant_reader", role)


def _text(source: Mapping[str, Any], key: str) -> str:
    value = source.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ModelError(f"{VARIABLES.get(key, f'tenancy_{key}')} must be a non-empty string, not {value!r}.")
    return value


def _named(value: Any, where: str) -> str:
    """Return ``value`` if it is a valid identifier. An error message starts with ``where``."""
    try:
        identifier(value)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from None
    return str(value)


def _names(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise ModelError(f"{where} must be a list of column names, not {value!r}.")
    return tuple(_named(name, where) for name in value)


def _index(value: Any, where: str) -> tuple[IndexColumn, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise ModelError(f"{where} must be a list of columns, not {value!r}.")
    columns = []
    for entry in value:
        if isinstance(entry, Mapping):
            order = str(entry.get("order", "asc")).lower()
            if order not in ("asc", "desc"):
                raise ModelError(f"{where}: order must be asc or desc, not {entry.get('order')!r}.")
            columns.append(IndexColumn(entry.get("name", ""), order == "desc"))
        else:
            columns.append(IndexColumn(entry))
        _named(columns[-1].name, where)
    return tuple(columns)


def _sample(value: Any, where: str) -> dict[str, str | int]:
    if not isinstance(value, Mapping):
        raise ModelError(f"{where}: sample must contain columns and their values, not {value!r}.")
    for name, content in value.items():
        _named(name, f"{where}: sample")
        if isinstance(content, bool) or not isinstance(content, (str, int)):
            raise ModelError(f"{where}: the sample's {name} must be a string or an integer, not {content!r}.")
    return dict(value)


def _table(value: Any, number: int) -> Table:
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ModelError(f"tenancy_tables[{number}] must be a mapping with a name, not {value!r}.")
    name = _named(value["name"], f"tenancy_tables[{number}]")
    where = f"tenancy_tables, table {name!r}"
    unknown = sorted(set(value) - TABLE_ENTRIES)
    if unknown:
        raise ModelError(f"{where}: unknown entries {', '.join(map(repr, unknown))}.")
    surrogate = tuple(_names(key, f"{where}: a surrogate key") for key in value.get("surrogate_keys", []))
    sample = _sample(value.get("sample", {}), where)
    for key in surrogate:
        if set(key) <= set(sample):
            raise ModelError(
                f"{where}: the sample names the surrogate key ({', '.join(key)}), but two rows of the proof must "
                "have different keys: remove it from the sample. The proof then generates a value for each row."
            )
    return Table(
        name=name,
        surrogate_keys=surrogate,
        natural_keys=tuple(_names(key, f"{where}: a natural key") for key in value.get("natural_keys", [])),
        foreign_keys=tuple(_foreign_key(key, where) for key in value.get("foreign_keys", [])),
        indexes=tuple(_index(index, f"{where}: an index") for index in value.get("indexes", [])),
        sample=sample,
        sample_writes=tuple(value.get("sample_writes", [])),
        written_at=_named(value["written_at"], f"{where}: written_at") if "written_at" in value else None,
        adopt=_flag(value.get("adopt", False), f"{where}: adopt"),
        append_only=_append_only(value.get("append_only", []), where),
        tenant_from=_tenant_from(value, where),
    )


def _without(column: Any, table: Table) -> Table:
    """Return the table without ``column`` (the tenant column) in its natural keys, because the plan adds it to each."""
    keys = [tuple(name for name in key if name != column) for key in table.natural_keys]
    return dataclasses.replace(table, natural_keys=tuple(dict.fromkeys(key for key in keys if key)))


def _tenant_from(value: Mapping[str, Any], where: str) -> tuple[str, ...] | None:
    if "tenant_from" not in value:
        return None
    columns = _names(value["tenant_from"], f"{where}: tenant_from")
    if not any(set(_names(key["columns"], where)) == set(columns) for key in value.get("foreign_keys", [])):
        raise ModelError(
            f"{where}: tenant_from names ({', '.join(columns)}), but none of its foreign_keys has these columns."
        )
    return columns


def _tenants(value: Any, tables: Sequence[Table]) -> Tenants | None:
    if not value:
        return None
    where = "tenancy_tenants"
    if not isinstance(value, Mapping) or set(value) - TENANTS_ENTRIES or not {"table", "key", "policy"} <= set(value):
        raise ModelError(
            f"{where} must have table, key and policy, and may have sample and sample_writes, not {value!r}."
        )
    if value["policy"] not in TENANTS_POLICIES:
        raise ModelError(
            f"{where}: policy must be own (a session sees and changes only its tenant's row) or read_all (it reads "
            f"every row, as a service that finds the tenant by host name must), not {value['policy']!r}."
        )
    name = _named(value["table"], f"{where}: table")
    if name in {table.name for table in tables}:
        raise ModelError(f"{where} names {name!r}, which is one of tenancy_tables: remove it from that list.")
    writes = tuple(value.get("sample_writes", []))
    if unknown := set(writes) - {table.name for table in tables}:
        raise ModelError(f"{where}: sample_writes names {min(unknown)!r}, which is not a tenant table.")
    key, sample = _named(value["key"], f"{where}: key"), _sample(value.get("sample", {}), where)
    return Tenants(name, key, value["policy"], sample, writes)


def _default_tenant(source: Mapping[str, Any], column_type: str, *, adopted: bool) -> Tenant | None:
    """Return the tenant of rows without a tenant, or None if the tenant column existed before the migration."""
    given = source.get("default_tenant")
    if not adopted:
        return TENANT_TYPES[column_type].tenant(given)
    if given not in (None, ""):
        raise ModelError(
            f"tenancy_default_tenant must be null, not {given!r}, because tenancy_column_adopted is true: every row "
            "already has a tenant."
        )
    if source.get("bridge"):
        raise ModelError(
            "tenancy_bridge must be false, because tenancy_column_adopted is true: a session that sets no tenant "
            "has none."
        )
    return None


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ModelError(f"{where} must be true or false, not {value!r}.")
    return value


def _append_only(value: Any, where: str) -> dict[str, str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ModelError(f"{where}: append_only must be a list of commands that a trigger forbids, not {value!r}.")
    found = {}
    for entry in value:
        given = entry if isinstance(entry, Mapping) else {"command": entry}
        command, raised = given.get("command"), given.get("sqlstate", RAISED)
        if set(given) - {"command", "sqlstate"} or command not in FORBIDDEN:
            raise ModelError(
                f"{where}: an entry of append_only must be {' or '.join(FORBIDDEN)}, or have one of them as its "
                f"command, not {entry!r}."
            )
        if not isinstance(raised, str) or not SQLSTATE.fullmatch(raised):
            raise ModelError(f"{where}: append_only: an sqlstate has five uppercase letters or digits, not {raised!r}.")
        found[command] = raised
    return found


def _foreign_key(value: Any, where: str) -> ForeignKey:
    if not isinstance(value, Mapping) or set(value) != {"columns", "references", "key"}:
        raise ModelError(f"{where}: a foreign key must have columns, references and key, not {value!r}.")
    columns, key = (_names(value[part], f"{where}: the {part} of a foreign key") for part in ("columns", "key"))
    if len(columns) != len(key):
        raise ModelError(f"{where}: a foreign key with {len(columns)} columns cannot reference a key with {len(key)}.")
    return ForeignKey(columns, _named(value["references"], f"{where}: references"), key)


def _view(value: Any, number: int) -> View:
    where = f"tenancy_views[{number}]"
    if not isinstance(value, Mapping) or set(value) != {"name", "sample_rows"}:
        raise ModelError(f"{where} must have a name and sample_rows, not {value!r}.")
    rows = value["sample_rows"]
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ModelError(
            f"{where}: sample_rows must be an integer of at least 1, not {rows!r}: a view that shows no "
            "rows to a tenant proves nothing."
        )
    return View(_named(value["name"], where), rows)


def _reader(value: Any, number: int, column_type: str) -> Reader:
    where = f"tenancy_readers[{number}]"
    if not isinstance(value, Mapping) or set(value) not in ({"role", "tenant"}, {"role", "tenants"}):
        raise ModelError(f"{where} must have a role, and either a tenant or tenants: all, not {value!r}.")
    role = _named(value["role"], f"{where}: role")
    if role.lower() == "public":
        raise ModelError(f"{where}: a policy for PUBLIC also applies to the service: list each role.")
    if value.get("tenants", "all") != "all":
        raise ModelError(f"{where}: tenants must be all, not {value['tenants']!r}: for a single tenant, use tenant.")
    if "tenants" in value:
        return Reader(role, None)
    try:
        return Reader(role, TENANT_TYPES[column_type].tenant(value["tenant"]))
    except ModelError as error:
        raise ModelError(str(error).replace("tenancy_default_tenant", f"{where}: tenant", 1)) from None


def _readers(source: Mapping[str, Any], column_type: str) -> tuple[Reader, ...]:
    found = tuple(_reader(value, number, column_type) for number, value in enumerate(source.get("readers", [])))
    own = {source.get("application_role")} & {reader.role for reader in found}
    if own:
        raise ModelError(f"tenancy_readers names {min(map(str, own))!r}, the service's role: remove it from the list.")
    if len({reader.role for reader in found}) != len(found):
        raise ModelError("tenancy_readers lists a role twice.")
    return found


def _require_referenced_keys(tables: Sequence[Table]) -> None:
    """Require that every foreign key references a key of a tenant table."""
    known = {table.name: table for table in tables}
    for table in tables:
        for key in table.foreign_keys:
            where, target = f"tenancy_tables, table {table.name!r}", known.get(key.references)
            if target is None:
                raise ModelError(
                    f"{where}: a foreign key references {key.references!r}, which is not a tenant table: list it "
                    "in tenancy_tables, or remove the foreign key."
                )
            if set(key.key) not in [set(other) for other in (*target.surrogate_keys, *target.natural_keys)]:
                raise ModelError(
                    f"{where}: a foreign key references ({', '.join(key.key)}) of {target.name!r}, which is not one of "
                    "its surrogate_keys or natural_keys."
                )


def _function(value: Any, schema: str) -> Function:
    fields = ("name", "arguments", "identity", "returns", "body")
    if not isinstance(value, Mapping) or any(not isinstance(value.get(field), str) for field in fields):
        raise ModelError(f"Each entry of tenancy_functions needs the strings {', '.join(fields)}, not {value!r}.")
    language = value.get("language", "plpgsql")
    if language not in LANGUAGES:
        raise ModelError(f"tenancy_functions: language of {value['name']} must be plpgsql or sql, not {language!r}.")
    # A caller of the function may have any search path, so the body must qualify names with the schema.
    return Function(**{field: value[field].replace(SCHEMA, identifier(schema)) for field in fields}, language=language)


def _setting(source: Mapping[str, Any]) -> str:
    setting = _text(source, "setting")
    if not SETTING.fullmatch(setting):
        raise ModelError(
            f"tenancy_setting must be a prefixed setting name such as app.current_tenant, not {setting!r}."
        )
    for part in setting.split("."):
        _named(part, "tenancy_setting")
    if setting.lower().startswith("plpgsql."):
        raise ModelError(f"tenancy_setting {setting!r} is reserved for PL/pgSQL: choose another, such as app.tenant.")
    return setting


def _tables(source: Mapping[str, Any], *, adopted: bool) -> tuple[Table, ...]:
    tables = source.get("tables")
    if isinstance(tables, str) or not isinstance(tables, Sequence) or not tables:
        raise ModelError("tenancy_tables must be a non-empty list: without a table there is nothing to migrate.")
    parsed = tuple(_without(source.get("column"), _table(table, number)) for number, table in enumerate(tables))
    if len({table.name for table in parsed}) != len(parsed):
        raise ModelError("tenancy_tables lists a table twice.")
    for table in parsed:
        if unknown := set(table.sample_writes) - {other.name for other in parsed}:
            raise ModelError(
                f"tenancy_tables, table {table.name!r}: sample_writes names {min(unknown)!r}, which is not a tenant "
                "table."
            )
        if table.tenant_from is not None and not adopted:
            raise ModelError(
                f"tenancy_tables, table {table.name!r}: tenant_from needs tenancy_column_adopted: true; without it, "
                "existing rows belong to the default tenant."
            )
    _require_referenced_keys(parsed)
    return parsed


def parse(source: Mapping[str, Any]) -> Model:
    """Return the Model from the variables in ``source``.

    ``source`` contains the ``tenancy_*`` variables without their prefix, and also ``database`` and
    ``application_role``. Raises ModelError with one sentence about the first error.
    """
    column_type = _text(source, "column_type")
    if column_type not in TENANT_TYPES:
        raise ModelError(f"tenancy_column_type must be one of {', '.join(TENANT_TYPES)}, not {column_type!r}.")
    adopted = _flag(source.get("column_adopted", False), "tenancy_column_adopted")
    default_tenant = _default_tenant(source, column_type, adopted=adopted)
    bridge = source.get("bridge")
    if not isinstance(bridge, bool):
        raise ModelError(f"tenancy_bridge must be true or false, not {bridge!r}.")
    setting, parsed = _setting(source), _tables(source, adopted=adopted)
    views = tuple(_view(view, number) for number, view in enumerate(source.get("views", [])))
    replaced_role = source.get("replaced_role")
    for key in ("database", "schema", "column", "application_role", "replaced_role"):
        if key != "replaced_role" or replaced_role is not None:
            _named(_text(source, key), VARIABLES.get(key, f"tenancy_{key}"))
    return Model(
        database=source["database"],
        schema=source["schema"],
        column=source["column"],
        column_type=column_type,
        setting=setting,
        default_tenant=default_tenant,
        application_role=source["application_role"],
        replaced_role=replaced_role,
        bridge=bridge,
        tables=parsed,
        views=views,
        functions=tuple(_function(function, source["schema"]) for function in source.get("functions", [])),
        readers=_readers(source, column_type),
        tenants=_tenants(source.get("tenants"), parsed),
        adopted=adopted,
    )
