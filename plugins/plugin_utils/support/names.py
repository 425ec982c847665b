"""Replace the names in an archive for support with pseudonyms, except the names of the model."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable
from pathlib import Path

from ...module_utils.logged import condition

# Names that the plan derives from a table's name.
_PLANNED = re.compile(
    r"(?:tenant_isolation|tenancy_bridge(?:_used)?)_(?P<table>\w+?)(?:_(?:select|insert|update|delete))?"
)
_PLUGIN_UTILS = Path(__file__).parents[1]
_ROOT = _PLUGIN_UTILS.parents[1]


class Names:
    """Assigns pseudonyms to names. Equal names of the same kind get the same pseudonym."""

    def __init__(self, known: Iterable[str]) -> None:
        """Set the names that the archive shows unchanged: those in the operator's inventory."""
        self.known = frozenset(known)
        self._given: dict[tuple[str, str], str] = {}
        self._count: dict[str, int] = {}

    @property
    def pseudonyms(self) -> dict[str, str]:
        """Return the real names by pseudonym. The archive does not contain this mapping."""
        return {pseudonym: name for (_, name), pseudonym in self._given.items()}

    def of(self, kind: str, name: str) -> str:
        """Return a known name unchanged, and any other name as ``kind_1``, ``kind_2``, ...

        Names that the plan derives from a known table's name are also unchanged.
        """
        planned = _PLANNED.fullmatch(name)
        if name in self.known or (planned and planned["table"] in self.known):
            return name
        if (kind, name) not in self._given:
            self._count[kind] = self._count.get(kind, 0) + 1
            self._given[kind, name] = f"{kind}_{self._count[kind]}"
        return self._given[kind, name]

    def label(self, text: str) -> str:
        """Return a label with a pseudonym for each word that is neither this runbook's own nor a known name."""
        parts = re.findall(r"\w+|[ -/:-@\[-`{-~]", text)
        return "".join(part if self._is_ours(part) else self._of_any_kind(part) for part in parts)

    def _is_ours(self, part: str) -> bool:
        return not re.match(r"\w", part) or part in self.known or part in own_words() or bool(condition(part))

    def _of_any_kind(self, name: str) -> str:
        given = (pseudonym for (_, known), pseudonym in self._given.items() if known == name)
        return next(given, None) or self.of("name", name)


@functools.cache
def own_words() -> frozenset[str]:
    """Return the words in the strings of this runbook's own code (without docstrings), roles and playbooks."""
    words: set[str] = set()
    for path in _PLUGIN_UTILS.glob("*/*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        documentation = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                words.update(re.findall(r"[A-Za-z_]+", node.value))
    for path in (*_ROOT.glob("roles/*/*/*.yml"), *_ROOT.glob("playbooks/*.yml")):
        words.update(re.findall(r"[A-Za-z_]+", path.read_text(encoding="utf-8")))
    return frozenset(words)


@functools.cache
def own_tasks() -> frozenset[str]:
    """Return the names of the roles' tasks."""
    texts = (path.read_text(encoding="utf-8") for path in _ROOT.glob("roles/*/tasks/*.yml"))
    return frozenset(found for text in texts for found in re.findall(r"(?m)^\s*- name: (.+)$", text))
