"""The audit, which searches the catalogs for ways to bypass row security. Each file in ``rules/`` defines one rule."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...module_utils.errors import TenancyError
from ...module_utils.messages import visible
from ..catalog import state as catalog
from ..changes.finding import Finding, finding
from ..changes.statement import State
from ..model.model import Model
from .rule import ERROR, Inspected, Rule

HERE = Path(__file__).parent
MODULES = {
    file.stem.replace("_", "-"): importlib.import_module(f"{__package__}.rules.{file.stem}")
    for file in sorted((HERE / "rules").glob("*.py"))
}
# Each rule is named after its file. If a file defines no RULE, this line raises an error.
RULES: Mapping[str, Rule] = {name: module.RULE for name, module in MODULES.items()}
# The placeholder for the rules' conditions in statements.sql.
CONDITIONS = "/* one row a rule */"

Entry = dict[str, Any]


def query() -> str:
    """Return one read-only query for all rules that read the catalogs.

    Its result is one JSON document in the column ``audit``, which maps each rule to the subjects that the rule found.
    The query takes the named arguments of catalog.sql.
    """
    found = "\n  UNION ALL\n".join(
        f"  SELECT '{name}', subject::text FROM (\n{_escaped(rule.sql.strip())}\n  ) AS r (subject)"
        for name, rule in RULES.items()
        if rule.sql
    )
    return f"""{(HERE / "catalog.sql").read_text().rstrip()},
found (rule, subject) AS (
{found}
)
SELECT coalesce(json_object_agg(rule, subjects), '{{}}') AS audit
FROM (SELECT rule, json_agg(subject ORDER BY subject) AS subjects FROM found GROUP BY rule) AS grouped
"""


def statements_query() -> str:
    """Return one DO block for all rules that search the service's statements. See statements.sql."""
    conditions = ",\n".join(
        f"        ('{name}', {_escaped(rule.service_statement.strip())})"
        for name, rule in RULES.items()
        if rule.service_statement
    )
    return (HERE / "statements.sql").read_text().replace(CONDITIONS, conditions.lstrip())


def collect(facts: Mapping[str, Sequence[str]], state: State, model: Model, url_options: str = "") -> list[Entry]:
    """Return the audit's entries, errors first. Each has rule, severity, subject, why, remedy and fixed_by_plan.

    ``facts`` maps rules to the subjects that both queries found. ``url_options`` is the options parameter of
    DATABASE_URL. ``fixed_by_plan`` is true if the plan fixes the entry. Raises TenancyError if ``facts`` contains an
    unknown rule, whose findings would otherwise be lost.
    """
    read = {name for name, rule in RULES.items() if rule.sql or rule.service_statement}
    unknown = sorted(facts.keys() - read)
    if unknown:
        raise TenancyError(
            f"The audit's SQL reports unknown rules: {', '.join(unknown)}. The audit's files come from different"
            " releases: install the collection again."
        )
    inspected = Inspected(state, model, url_options)
    entries = [entry for name in RULES for entry in _entries(name, facts.get(name, ()), inspected)]
    return sorted(entries, key=lambda entry: entry["severity"] != ERROR)


def as_finding(entries: Sequence[Entry]) -> Finding:
    """Return the finding that shows whether the audit has errors."""
    left = [f"{entry['rule']}: {entry['subject']}" for entry in entries if entry["severity"] == ERROR]
    return finding("ways to bypass row security", "", [], left)


def _entries(name: str, facts: Sequence[str], inspected: Inspected) -> list[Entry]:
    rule = RULES[name]
    fixed = set(rule.fixed_by_plan(inspected)) if rule.fixed_by_plan else set()
    judged = rule.judge(inspected) if rule.judge else ()
    schema = inspected.model.schema
    return [
        {
            "rule": name, "severity": rule.severity, "subject": visible(subject), "why": rule.why,
            "remedy": rule.remedy,
            "fixed_by_plan": not fixed.isdisjoint({subject, catalog.without_schema(subject, schema)}),
        }
        for subject in (*facts, *judged)
    ]  # fmt: skip


def _escaped(sql: str) -> str:
    """Return SQL with doubled percent signs, for a query with named arguments."""
    return sql.replace("%", "%%")
