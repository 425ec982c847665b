"""Write audit.md from the rules of the audit."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit.audit import ERROR, RULES

PAGE = Path(__file__).resolve().parent / "audit.md"
HEAD = """# The audit

Ways past row security that no attempt of the proof finds out, read from the catalogs in *plan* and *verify*. An error
that the plan does not cure ends the run before anything is touched, and *verify* allows none; a warning is shown. Each
names what it was found on. Written by `make docs` from the rules themselves.
"""


def page() -> str:
    """Return the page as Markdown: errors first, each rule with its reason and remedy."""
    lines = [HEAD, "| rule | severity | why | remedy |", "|---|---|---|---|"]
    for name, rule in sorted(RULES.items(), key=lambda item: item[1].severity != ERROR):
        lines.append("| " + " | ".join((f"`{name}`", rule.severity, rule.why, rule.remedy)) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
