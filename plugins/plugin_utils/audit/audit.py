"""The audit: ways past row security that the catalogs show, each a rule with its severity, reason and remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils.errors import TenancyError
from ...module_utils.messages import visible
from ..catalog import state as catalog
from ..changes import foreign_keys
from ..changes.finding import Finding, finding
from ..changes.statement import State
from ..model.model import Model

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Rule:
    """One way past row security."""

    severity: str
    why: str
    remedy: str


RULES = {
    "role-superuser": Rule(
        ERROR, "a superuser passes every policy by", "give the service an ordinary login of its own in DATABASE_URL"
    ),
    "role-bypassrls": Rule(ERROR, "BYPASSRLS passes every policy by", "ALTER ROLE ... NOBYPASSRLS"),
    "role-createrole": Rule(
        ERROR, "it can give itself roles that read around policies", "ALTER ROLE ... NOCREATEROLE"
    ),
    "role-replication": Rule(ERROR, "replication copies every tenant's rows", "ALTER ROLE ... NOREPLICATION"),
    "role-owner": Rule(
        WARNING, "an owner can switch row security off and grant itself everything back",
        "give the service a login that owns nothing: migrate.yml -e tenancy_provision_app_role=true",
    ),
    "role-becomes": Rule(ERROR, "by SET ROLE it becomes a role that passes policies by", "REVOKE that role from it"),
    "role-server-files": Rule(
        ERROR, "files and programs of the server read the tables around policies", "REVOKE that role from it"
    ),
    "privilege-excess": Rule(ERROR, "row security does not hold it back", "REVOKE it"),
    "grant-public": Rule(
        WARNING, "roles for which no policy was made can use the table", "REVOKE it from PUBLIC and GRANT it by name"
    ),
    "setting-preset": Rule(
        ERROR, "a session has a tenant that nobody set in it", "RESET it there; only the bridge may set it"
    ),
    "setting-role": Rule(
        ERROR, "a login becomes another role, for which no policy was made and no proof holds",
        "RESET it there, and give the service's login what that role may do",
    ),
    "row-security-off": Rule(ERROR, "queries that policies filter fail", "RESET row_security there"),
    "view-definer": Rule(
        ERROR, "it reads with its owner's rights", "name it in tenancy_views (PostgreSQL 15)"
    ),
    "materialized-view": Rule(ERROR, "it keeps a copy that no policy filters", "drop it, or keep it from the service"),
    "rule": Rule(ERROR, "a rewrite rule runs with its table owner's rights", "drop it; use a trigger"),
    "definer-function": Rule(
        ERROR, "it works with its owner's rights, and dynamic SQL shows no dependency",
        "ALTER FUNCTION ... SECURITY INVOKER, or REVOKE EXECUTE",
    ),
    "relation-unlisted": Rule(
        ERROR, "the service reads it and no policy of the model covers it",
        "add it to tenancy_tables, or name it in tenancy_readable when it holds nobody's rows",
    ),
    "column-unlisted": Rule(ERROR, "it has the tenant column and no policy", "add it to tenancy_tables"),
    "child-table": Rule(
        ERROR, "it is no partition, and policies of the parent do not hold for whoever reads it",
        "end the inheritance (ALTER TABLE child NO INHERIT parent), then name it in tenancy_tables",
    ),
    "foreign-key": Rule(
        ERROR, "a row can point to another tenant's", "name it under foreign_keys of its table in tenancy_tables"
    ),
    "unique-key": Rule(
        ERROR, "a key without the tenant column tells one tenant what another has",
        "name its columns under natural_keys and migrate",
    ),
    "function-without-tenant": Rule(
        ERROR, "it writes a tenant table without naming the tenant", "name it in tenancy_functions"
    ),
    "large-object": Rule(WARNING, "large objects have no row security", "move them into a tenant table"),
    "publication": Rule(WARNING, "subscribers receive every tenant's rows", "drop the tables from the publication"),
    "setting-url": Rule(
        ERROR, "options= in DATABASE_URL gives every session the tenant", "remove it from the environment file"
    ),
    "approximate-index": Rule(
        WARNING,
        "it finds the nearest rows of all tenants, and the policy drops those of others: a small tenant gets too few",
        "from pgvector 0.8 on ALTER ROLE ... IN DATABASE ... SET ivfflat.iterative_scan = 'relaxed_order' (or hnsw.)",
    ),
    "copy-without-columns": Rule(
        WARNING, "the service was seen to COPY it without a list of columns, which fails once there is one more",
        "deploy a release that names the columns first",
    ),
    "select-star": Rule(
        WARNING,
        "the service was seen to read all its columns: where a driver prepares that, a column made meanwhile breaks it",
        "-e tenancy_strategy=atomic, or a release that names the columns",
    ),
    "server-minor": Rule(
        WARNING, "newer minor releases close holes in row security (CVE-2026-120154 and earlier)",
        "update PostgreSQL",
    ),
}  # fmt: skip

# The rules that are found out here; what audit.sql and statements.sql report are the others.
DERIVED = frozenset(
    {
        "role-superuser", "role-bypassrls", "role-becomes", "privilege-excess", "unique-key", "setting-url",
        "server-minor",
    }
)  # fmt: skip

# The first minor release of each major that has the fixes.
FIXED_MINORS = {18: 7, 17: 12, 16: 16, 15: 20, 14: 25}

Entry = dict[str, Any]
# What turns a session into another role's, as libpq's options set it: -c role=x, -crole=x, --role=x.
ROLE_OPTION = re.compile(r"(?:-c\s*|--)(role|session[_-]authorization)\s*=\s*(\S+)", re.IGNORECASE)


def collect(facts: Mapping[str, Sequence[str]], state: State, model: Model, url_options: str = "") -> list[Entry]:
    """Return what the audit found: rule, severity, subject, why, remedy, cured; errors first.

    ``facts`` is what audit.sql and statements.sql return; ``url_options`` the options of DATABASE_URL. Raises
    TenancyError for a rule that nothing is known of: what it found would be left out.
    """
    unknown = sorted(facts.keys() - (RULES.keys() - DERIVED))
    if unknown:
        raise TenancyError(
            f"The audit's SQL reports rules that this release does not know: {', '.join(unknown)}. Its files are of"
            " different releases: check the collection out anew."
        )
    found = {rule: list(subjects) for rule, subjects in facts.items()}
    found |= _of_role(state)
    found["privilege-excess"] = _privileges(state, model, "excess_privileges")
    found["unique-key"] = _unique_keys(state, model)
    if re.search(rf"(?<![\w.]){re.escape(model.setting)}\s*=", url_options, re.IGNORECASE):
        found["setting-url"] = ["DATABASE_URL"]
    for name, value in ROLE_OPTION.findall(url_options):
        if value.strip("\"'").lower() not in ("none", model.application_role.lower()):
            found.setdefault("setting-role", []).append(f"{name.lower()} = {value} in options= of DATABASE_URL")
    major, minor = divmod(state["server_version_num"], 10000)
    if minor < FIXED_MINORS.get(major, 0 if major > max(FIXED_MINORS) else minor + 1):
        found["server-minor"] = [state["server_version"]]
    # What the plan removes: an unknown unique key is refused by the planner before.
    cured = {
        "privilege-excess": _privileges(state, model, "granted_excess"),
        "unique-key": found["unique-key"],
        "function-without-tenant": [f"{item.name}({item.identity.replace(', ', ',')})" for item in model.functions],
        "view-definer": [title for view in model.views for title in catalog.titles(model.schema, view.name)],
        "foreign-key": _foreign_keys(state, model),
    }
    entries = [
        {
            "rule": name, "severity": rule.severity, "subject": visible(subject), "why": rule.why,
            "remedy": rule.remedy,
            "cured": not {subject, catalog.without_schema(subject, model.schema)}.isdisjoint(cured.get(name, [])),
        }
        for name, rule in RULES.items()
        for subject in found.get(name, [])
    ]  # fmt: skip
    return sorted(entries, key=lambda entry: entry["severity"] != ERROR)


def as_finding(entries: Sequence[Entry]) -> Finding:
    """Return the finding that no error is left."""
    left = [f"{entry['rule']}: {entry['subject']}" for entry in entries if entry["severity"] == ERROR]
    return finding("ways past row security", "", [], left)


def _of_role(state: State) -> dict[str, list[str]]:
    role = catalog.application_role(state)
    if role is None:
        return {}
    return {
        "role-superuser": [role["name"]] * role["superuser"],
        "role-bypassrls": [role["name"]] * role["bypassrls"],
        "role-becomes": list(role["bypassing_memberships"]),
    }


def _privileges(state: State, model: Model, which: str) -> list[str]:
    return [
        f"{privilege} on {relation.schema}.{relation.name}"
        for table in model.tables
        if catalog.table(state, table.name) is not None
        for relation in catalog.relations(state, model, table)
        for privilege in relation.document[which]
    ]


def _foreign_keys(state: State, model: Model) -> list[str]:
    """Return the foreign keys that the model names, as the audit's query does."""
    return [
        f"{name} of {title}"
        for table in model.tables
        if (document := catalog.table(state, table.name)) is not None
        for key in foreign_keys.of_table(document)
        if key["description"] in foreign_keys.descriptions(state, model)
        for name in catalog.printed(key["name"])
        for title in catalog.titles(model.schema, table.name)
    ]


def _unique_keys(state: State, model: Model) -> list[str]:
    return [
        f"{index['name']} of {relation.name}"
        for table in model.tables
        if catalog.table(state, table.name) is not None
        for relation in catalog.relations(state, model, table)
        for index in relation.document["indexes"]
        # What a partition has of its table's key is that key.
        if not (relation.is_partition and index["root"])
        if index["unique"] and model.column not in index["names"] and tuple(index["names"]) not in table.surrogate_keys
    ]
