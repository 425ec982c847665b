"""A draft as files: ``tenancy.yml``, and ``before.sql`` if something is to be done by hand."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from ...module_utils.messages import visible
from ...module_utils.quoting import MAX_IDENTIFIER_BYTES
from .draft import Draft, decisions

# Width of the lines, as yamllint checks them.
WIDTH = 120
# What Ansible would take for a template.
TEMPLATE = re.compile(r"\{\{|\{%|\{#")
DECIDE = "# DECIDE"


class _Unsafe(str):
    """A text in which Ansible looks for no template."""


class _Dumper(yaml.SafeDumper):
    """Writes each value on one line."""


_Dumper.add_representer(_Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", value, style='"'))


def flow(value: Any) -> str:
    """Return a value as YAML on one line, which means the same to Ansible."""
    written = yaml.dump(
        _guarded(value), Dumper=_Dumper, default_flow_style=True, width=float("inf"), sort_keys=False,
        allow_unicode=True,
    )  # fmt: skip
    return written.removesuffix("...\n").rstrip("\n")


def _guarded(value: Any) -> Any:
    if isinstance(value, str):
        return _Unsafe(value) if TEMPLATE.search(value) else value
    if isinstance(value, Mapping):
        return {name: _guarded(item) for name, item in value.items()}
    return [_guarded(item) for item in value] if isinstance(value, (list, tuple)) else value


def item(entry: Mapping[str, Any]) -> list[str]:
    """Return an entry of a list of tables, views or functions, indented as in the model."""
    line = f"  - {flow(entry)}"
    if len(line) <= WIDTH and "\n" not in entry.get("body", ""):
        return [line]
    lines = []
    for name, value in entry.items():
        lead = "    " if lines else "  - "
        lines += [lead + part for part in _field(name, value)[:1]] + ["    " + part for part in _field(name, value)[1:]]
    return lines


def _field(name: str, value: Any) -> list[str]:
    """Return a field of an entry: on one line, a list with a line for each item, or a body as it is."""
    if name == "body" and "\n" in value:
        return _block(name, value)
    line = f"{name}: {flow(value)}"
    if len(line) + 4 <= WIDTH or not isinstance(value, list):
        return [line]
    return [f"{name}:", *(f"  - {flow(part)}" for part in value)]


def _block(name: str, value: str) -> list[str]:
    """Return a text of several lines, each as it is."""
    lines = value.strip("\n").split("\n")
    lead = "!unsafe " if TEMPLATE.search(value) else ""
    shown = "".join(lines)
    if shown != visible(shown).replace("\\t", "\t") or any(line != line.rstrip() for line in lines):
        return [f"{name}: {flow(value)}"]
    indicator = "2" if lines[0][:1] in (" ", "\t") else ""
    return [f"{name}: {lead}|{indicator}", *(f"  {line}" if line else "" for line in lines)]


def comment(text: str, indent: int = 0, lead: str = "#") -> list[str]:
    """Return a comment of as many lines as it needs."""
    first = f"{' ' * indent}{lead} "
    return textwrap.wrap(
        visible(text), WIDTH, initial_indent=first, subsequent_indent=f"{' ' * indent}#   ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def tenancy(draft: Draft) -> str:
    """Return the draft as the text of ``tenancy.yml``."""
    left = decisions(draft)
    lines = [
        "---",
        *comment(
            f"A draft that playbooks/describe.yml wrote from the catalogs of {draft['database']}. It leaves"
            f" {left} decisions, each marked DECIDE. What stands there is a choice that shows no tenant another's rows."
        ),
        *_head(draft),
        "",
        *_readable(draft["readable"]),
        "",
        *_tables(draft),
        *_listed("views", draft["views"], "Views that the service reads, with the rows that the samples show in each."),
        *_listed("functions", draft["functions"], "Functions that write tenant tables."),
    ]
    return "\n".join(lines) + "\n"


def _head(draft: Draft) -> list[str]:
    column = draft["column"]
    if column["tables"]:
        why = f"{column['tables']} tables have the column {column['name']}. If it is not the tenant's, name a new one."
    else:
        why = "No column says whose a row is: this one is new. Its name is yours to choose."
    shared = ", ".join(f"{name} ({number} tables)" for name, number in column["shared"].items())
    if shared:
        why += f" Most tables have: {shared}."
    role = re.sub("[^a-z0-9_]", "_", f"{draft['database'].lower()}_app")[:MAX_IDENTIFIER_BYTES]
    return [
        f"tenancy_schema: {flow(draft['schema'])}",
        *comment(why, lead=f"{DECIDE} (the tenant column):"),
        f"tenancy_column: {flow(column['name'])}",
        *comment("integer, bigint, smallint, uuid or text.", lead=f"{DECIDE} (its type):"),
        f"tenancy_column_type: {column['type']}",
        f"tenancy_setting: {flow(column['setting'])}",
        *comment("To whom do the rows that are there belong?", lead=f"{DECIDE} (the default tenant, and its name):"),
        f"tenancy_default_tenant: {flow(column['tenant'])}",
        "tenancy_default_tenant_name: the first tenant",
        "tenancy_bridge: true",
        "tenancy_provision_app_role: false",
        f"tenancy_app_role: {role}",
    ]


def _readable(found: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["# Relations that the service may read although they hold no tenant's rows."]
    chosen = [entry for entry in found if not entry["commented"]]
    lines.append("tenancy_readable:" if chosen else "tenancy_readable: []")
    for entry in found:
        name = flow(entry["title"])
        if entry["decision"]:
            lines += comment(f"{entry['why']}. {entry['decision']}", 2, f"{DECIDE} ({visible(entry['title'])}):")
        note = "" if entry["decision"] else f"  # {visible(entry['why'])}"
        lines.append(f"  {'# ' if entry['commented'] else ''}- {name}{note}")
    return lines


def _tables(draft: Draft) -> list[str]:
    lines = [
        "# Tables that others point to stand before them. Each of the indexes gets a second one that begins with the tenant",
        "# column: delete those that no query of a tenant needs.",
        "tenancy_tables:",
    ]
    for entry in draft["tables"]:
        if entry["decision"]:
            way = f"The tenants' as it stands here; shared: {entry['title']} in tenancy_readable in place of this entry."
            lines += comment(f"{entry['decision']} {way}", 2, f"{DECIDE} ({visible(entry['entry']['name'])}):")
        lines += item(entry["entry"])
    return lines


def _listed(name: str, found: Sequence[Mapping[str, Any]], title: str) -> list[str]:
    if not found:
        return ["", f"tenancy_{name}: []"]
    lines = ["", *comment(title), f"tenancy_{name}:"]
    for entry in found:
        if entry["decision"]:
            lines += comment(entry["decision"], 2, f"{DECIDE} ({visible(entry['title'])}):")
        lines += item(entry["entry"])
    return lines


def before(draft: Draft) -> str:
    """Return what is done by hand before the migration as SQL; empty if there is nothing."""
    if not draft["before"]:
        return ""
    lines = [
        "-- What the migration does not do by itself. Decide, remove the comment signs of what is to be done, and run the",
        "-- file with psql as a superuser.",
    ]
    for entry in draft["before"]:
        why = f"{entry['why']} DECIDE: {entry['decision']}" if entry["decision"] else entry["why"]
        lead = "-- " if entry["commented"] else ""
        lines += ["", *_sql_comment(why)]
        lines += [f"{lead}{line}".rstrip() for line in visible(entry["sql"], lines=True).split("\n")]
    return "\n".join(lines) + "\n"


def _sql_comment(text: str) -> Iterable[str]:
    return textwrap.wrap(visible(text), WIDTH, initial_indent="-- ", subsequent_indent="-- ", break_long_words=False)
