"""Write audit.md from the audit's rules."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit.audit import MODULES, RULES
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit.rule import (
    ERROR,
    Example,
    Inventory,
    ServerVersion,
    ServiceStatement,
    Sql,
    UrlOptions,
)

PAGE = Path(__file__).resolve().parent / "audit.md"
HEAD = """# The audit

The audit searches the catalogs for ways to bypass row security that the attempts of the proof cannot reveal. *plan*
and *verify* run it, and list the findings of each rule. A warning is only listed. An error that the plan does not fix
ends the run before anything changes. *verify* fails on any error.

The examples use a database `ai_memory` with the tenant tables of AI-Memory. The service logs in as `alice`, and the
tenant column is `customer_id`. The tests run the examples on real servers. A rule must report its bad example, and must
report nothing after its good example.

`make docs` generates this page from the [rules](../plugins/plugin_utils/audit/rules).
"""
# The introduction to each type of example, and the language of its code block.
KINDS: dict[type[Example], tuple[str, str]] = {
    Sql: ("", "sql"),
    ServiceStatement: (", a statement that the service runs", "sql"),
    UrlOptions: (", as `options` of `DATABASE_URL`", "text"),
    ServerVersion: (", as the server version", "text"),
    Inventory: (", added to the inventory", "yaml"),
}


def _example(title: str, example: Example, end: str = "") -> str:
    where, language = KINDS[type(example)]
    return f"{title}{where}{end}:\n\n```{language}\n{example.strip()}\n```\n"


def _section(name: str) -> str:
    rule = RULES[name]
    return "\n".join(
        (
            f"## {name}\n",
            f"*{rule.severity.capitalize()}.* {MODULES[name].__doc__} {rule.why}\n",
            _example("Bad example", rule.bad, f" (the audit reports `{rule.found}`)"),
            _example("Good example", rule.good),
            f"Remedy: {rule.remedy}\n",
        )
    )


def page() -> str:
    """Return the page as Markdown: a table of the rules, errors first, and a section for each rule."""
    names = sorted(RULES, key=lambda name: RULES[name].severity != ERROR)
    rows = [f"| [{name}](#{name}) | {RULES[name].severity} | {MODULES[name].__doc__} |" for name in names]
    table = "\n".join(("| rule | severity | what it finds |", "|---|---|---|", *rows))
    return "\n".join((HEAD, table + "\n", *map(_section, names)))


if __name__ == "__main__":
    PAGE.write_text(page())
