"""Write a draft as text: ``tenancy.yml``, and ``before.sql`` with the changes that the operator makes by hand."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from ...module_utils.messages import visible
from ...module_utils.quoting import MAX_IDENTIFIER_BYTES
from .draft import Draft, decisions

# The maximum line length that yamllint accepts.
WIDTH = 120
# Matches the start of a template, which Ansible evaluates.
TEMPLATE = re.compile(r"\{\{|\{%|\{#")
DECIDE = "# DECIDE"
SETTINGS = """\
# Settings for the terminal: copy this file to the directory in which you run ansible-playbook. The playbooks themselves
# configure the connections to the hosts.
[defaults]
stdout_callback = aimemory.tenancy.terminal
callback_result_format = yaml
display_skipped_hosts = false
interpreter_python = auto_silent
"""


class _Unsafe(str):
    """A string that the draft marks with ``!unsafe``, so that Ansible does not evaluate it as a template."""


class _Dumper(yaml.SafeDumper):
    """A YAML dumper that writes each value on one line."""


def _represented(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    """Return the YAML node of a string, in double quotes if the string has several lines."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if len(value.splitlines()) > 1 else None)


_Dumper.add_representer(str, _represented)
# Ansible reads strings and numbers as subclasses of str and int that also store their origin.
_Dumper.add_multi_representer(str, _represented)
_Dumper.add_multi_representer(int, lambda dumper, value: dumper.represent_int(value))
_Dumper.add_representer(_Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", value, style='"'))


def flow(value: Any) -> str:
    """Return a value as one line of YAML, from which Ansible reads the same value."""
    written = _dumped(value, allow_unicode=True)
    if visible(written, lines=True) != written:
        written = _dumped(value, allow_unicode=False)
    return written.removesuffix("...\n").rstrip("\n")


def _dumped(value: Any, *, allow_unicode: bool) -> str:
    return yaml.dump(
        _guarded(value), Dumper=_Dumper, default_flow_style=True, width=float("inf"), sort_keys=False,
        allow_unicode=allow_unicode,
    )  # fmt: skip


def _guarded(value: Any) -> Any:
    if isinstance(value, str):
        return _Unsafe(value) if TEMPLATE.search(value) else value
    if isinstance(value, Mapping):
        return {name: _guarded(item) for name, item in value.items()}
    return [_guarded(item) for item in value] if isinstance(value, (list, tuple)) else value


def item(entry: Mapping[str, Any]) -> list[str]:
    """Return the lines of an entry in a list of tables, views or functions, indented as in tenancy.yml."""
    line = f"  - {flow(entry)}"
    if len(line) <= WIDTH and "\n" not in entry.get("body", ""):
        return [line]
    lines: list[str] = []
    for name, value in entry.items():
        lead = "    " if lines else "  - "
        lines += [lead + part for part in _field(name, value)[:1]] + ["    " + part for part in _field(name, value)[1:]]
    return lines


def _field(name: str, value: Any) -> list[str]:
    """Return the lines of a field: one line, a list with one line for each item, or a function's unchanged body."""
    if name == "body" and "\n" in value:
        return _block(name, value)
    line = f"{name}: {flow(value)}"
    if len(line) + 4 <= WIDTH or not isinstance(value, list):
        return [line]
    return [f"{name}:", *(f"  - {flow(part)}" for part in value)]


def _block(name: str, value: str) -> list[str]:
    """Return a string as a YAML block, or on one line if it contains characters that a block cannot show."""
    lines = value.strip("\n").split("\n")
    lead = "!unsafe " if TEMPLATE.search(value) else ""
    shown = "".join(lines)
    if shown != visible(shown).replace("\\t", "\t"):
        return [f"{name}: {flow(value)}"]
    indicator = "2" if lines[0][:1] in (" ", "\t") else ""
    return [f"{name}: {lead}|{indicator}", *(f"  {line}" if line else "" for line in lines)]


def comment(text: str, indent: int = 0, lead: str = "#") -> list[str]:
    """Return ``text`` as the wrapped lines of a YAML comment."""
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
            f" {left} decisions, each marked DECIDE. With the chosen values, no tenant sees another"
            " tenant's rows."
        ),
        *_head(draft),
        "",
        *_readable(draft["readable"]),
        "",
        *_tables(draft),
        *_listed("views", draft["views"], "Views that the service reads, each with the number of visible sample rows."),
        *_listed("functions", draft["functions"], "Functions that write to tenant tables."),
    ]
    return "\n".join(lines) + "\n"


def _head(draft: Draft) -> list[str]:
    column = draft["column"]
    if column["tables"]:
        why = (
            f"{column['tables']} tables have the column {column['name']}. Specify another column if it does not "
            "contain the tenant."
        )
    else:
        why = "No column shows which tenant a row belongs to, so this column is new. Choose its name."
    shared = ", ".join(f"{name} ({number} tables)" for name, number in column["shared"].items())
    if shared:
        why += f" Most tables have {shared}."
    marks = {
        "column": (f"{DECIDE} (the tenant column):", f"{why} Run describe.yml again with -e tenancy_column=..."),
        "column_type": (f"{DECIDE} (its type):", "integer, bigint, smallint, uuid or text."),
        "default_tenant": (f"{DECIDE} (the default tenant):", "Existing rows belong to this tenant."),
    }
    values = {
        "column": column["name"],
        "column_type": column["type"],
        "setting": column["setting"],
        "default_tenant": column["tenant"],
        "default_tenant_name": column["tenant_name"],
    }
    role = re.sub("[^a-z0-9_]", "_", f"{draft['database'].lower()}_app")[:MAX_IDENTIFIER_BYTES]
    lines = [f"tenancy_schema: {flow(draft['schema'])}"]
    for name, value in values.items():
        if name in draft["undecided"]:
            lead, said = marks[name]
            lines += comment(said, lead=lead)
        lines.append(f"tenancy_{name}: {flow(value)}")
    if draft["adopted"]:
        lines.append("tenancy_column_adopted: true")
    return [
        *lines,
        f"tenancy_bridge: {flow(not draft['adopted'])}",
        "tenancy_provision_app_role: false",
        f"tenancy_app_role: {role}",
        *_tenants(draft["tenants"]),
    ]


def _tenants(found: Mapping[str, str] | None) -> list[str]:
    """Return the lines with tenancy_tenants: the table that the tenant column references."""
    if found is None:
        return []
    said = (
        "own: a session reads only its tenant's row. read_all: a session reads every row. A service that finds the"
        " tenant by host name needs read_all."
    )
    entry = {"table": found["name"], "key": found["key"], "policy": "own"}
    return [*comment(said, lead=f"{DECIDE} (the tenants' own table):"), f"tenancy_tenants: {flow(entry)}"]


def _readable(found: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["# Relations that the service can read although they contain no tenant's rows."]
    chosen = [entry for entry in found if not entry["commented"]]
    if found and not chosen:
        lines.append("# Remove the brackets if you list a relation.")
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
        *comment(
            "Referenced tables come first. For each entry under indexes, the migration builds an index that starts with"
            " the tenant column. Delete the entries that no query of a tenant needs."
        ),
        "tenancy_tables:",
    ]
    for entry in draft["tables"]:
        if entry["decision"]:
            lines += comment(entry["decision"], 2, f"{DECIDE} ({visible(entry['entry']['name'])}):")
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
    """Return the SQL of the changes to make by hand before the migration; empty if there are none."""
    if not draft["before"]:
        return ""
    lines = [
        "-- Changes that the migration does not make. Decide which changes to make, uncomment their statements, and",
        "-- run the file with psql as a superuser.",
    ]
    for entry in draft["before"]:
        why = f"{entry['why']} DECIDE: {entry['decision']}" if entry["decision"] else entry["why"]
        lead = "-- " if entry["commented"] else ""
        lines += ["", *_sql_comment(why)]
        lines += [f"{lead}{line}".rstrip() for line in visible(entry["sql"], lines=True).split("\n")]
    return "\n".join(lines) + "\n"


def _sql_comment(text: str) -> Iterable[str]:
    return textwrap.wrap(visible(text), WIDTH, initial_indent="-- ", subsequent_indent="-- ", break_long_words=False)
