"""Write refusals.md from the assertions of the playbooks and roles, and the messages of the collection's Python."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2 import nodes

from ansible_collections.aimemory.tenancy.plugins import module_utils, modules
from variables import ROLES, ROOT

PAGE = ROOT / "docs/refusals.md"
HEAD = """# Every message that ends a run

Each says what is wrong and what to do; `…` stands for names, numbers and what a program answered. Before the phase
*stop* callers notice nothing of a run that ends with one; later ones also say what became of the database and the
service ([when something fails](../README.md#when-something-fails)). [Troubleshooting](troubleshooting.md) says more
about the commonest. Written by `make docs` from the playbooks, the roles and the collection themselves. What is wrong
with the value of a single variable is said by its description in [variables](variables.md).
"""
GAP = "…"
TASKS = {
    "Before anything else": ("playbooks/checkout.yml", "playbooks/rollback.yml"),
    **{role: (f"roles/{role}/tasks",) for role in ROLES},
}
UTILITIES, MODULES = (Path(package.__path__[0]) for package in (module_utils, modules))
PYTHON = {
    "The model (`tenancy_*`)": [UTILITIES / f"{name}.py" for name in ("model", "tenants", "quoting")],
    "`DATABASE_URL`": [UTILITIES / "database_url.py"],
    "What cannot be planned": [
        UTILITIES / f"{name}.py" for name in ("plan", "indexes", "foreign_keys", "views", "enforce", "revert", "schema")
    ],
    "On the server": sorted(MODULES.glob("*.py")),
}
FAILING = ("ansible.builtin.assert", "ansible.builtin.fail")


def _texts(node: nodes.Node) -> list[str]:
    """Return what a Jinja expression can become; whatever only the run knows is a gap."""
    if isinstance(node, nodes.TemplateData):
        return [node.data]
    if isinstance(node, nodes.Const):
        return [str(node.value)]
    if isinstance(node, nodes.CondExpr):
        return [*_texts(node.expr1), *(_texts(node.expr2) if node.expr2 else [""])]
    if isinstance(node, (nodes.Concat, nodes.Output)):
        return ["".join(parts) for parts in itertools.product(*map(_texts, node.nodes))]
    return [GAP]


def _tidy(text: str) -> str:
    """Return a message on one line, with one gap where several meet."""
    return re.sub(rf"({GAP}[\s/]*)+{GAP}", GAP, re.sub(r"\s+", " ", text)).strip()


def rendered(template: str) -> list[str]:
    """Return the messages that a Jinja template can become, each on one line."""
    parsed = jinja2.Environment(autoescape=True).parse(template)
    return [_tidy("".join(parts)) for parts in itertools.product(*map(_texts, parsed.body))]


def _templates(tasks: Any) -> Iterator[str]:
    """Yield the message of every task that fails by an assertion, in their order."""
    if isinstance(tasks, list):
        for task in tasks:
            yield from _templates(task)
    elif isinstance(tasks, dict):
        for action in FAILING:
            if action in tasks:
                message = tasks[action].get("fail_msg", tasks[action].get("msg", ""))
                field = re.fullmatch(r"{{ item\.(\w+) }}", message)
                yield from (item[field.group(1)] for item in tasks["loop"]) if field else (message,)
        for part in ("pre_tasks", "tasks", "post_tasks", "block", "rescue", "always"):
            yield from _templates(tasks.get(part, []))


def _of_tasks(paths: tuple[str, ...]) -> Iterator[str]:
    for path in (ROOT / path for path in paths):
        for file in sorted(path.rglob("*.yml")) if path.is_dir() else [path]:
            for template in _templates(yaml.safe_load(file.read_text())):
                yield from rendered(template)


def _literal(node: ast.AST) -> str | None:
    """Return a string of the source with gaps for its fields; nothing for another expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp):
        return "".join(_literal(side) or GAP for side in (node.left, node.right))
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
    return None


def _said(node: ast.AST) -> list[ast.expr]:
    """Return what a statement or call ends the run with."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return node.exc.args[:1]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fail_json":
        return [keyword.value for keyword in node.keywords if keyword.arg == "msg"]
    return []


def of_python(files: list[Path]) -> Iterator[str]:
    """Yield what Python files end a run with: what they raise or fail with, and every sentence."""
    for file in files:
        tree = ast.parse(file.read_text())
        documents = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and isinstance(node.body[0], ast.Expr)
        }
        said = {id(part) for node in ast.walk(tree) for part in _said(node)}
        for node in ast.walk(tree):
            text = _literal(node)
            # Obstacles are collected before they are raised: they are known by their form alone.
            if text is not None and (id(node) in said or (id(node) not in documents and is_message(_tidy(text)))):
                yield _tidy(text)


def is_message(text: str) -> bool:
    """Say whether a text is a sentence for the operator."""
    return re.fullmatch(rf"[A-Z{GAP}].*[a-z].*[.]", text) is not None and len(text.split()) > 4


def page() -> str:
    """Return the page as Markdown: a section a role or kind, one point a message."""
    sections = {name: list(_of_tasks(paths)) for name, paths in TASKS.items()}
    sections |= {name: list(of_python(files)) for name, files in PYTHON.items()}
    lines = [HEAD.rstrip("\n")]
    for name, messages in sections.items():
        points = [
            f"* {text.replace('*', chr(92) + '*')}" for text in dict.fromkeys(messages) if text.strip(GAP + " .:")
        ]
        lines += [f"\n## {name}\n", *points] if points else []
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
