"""Check that sentences are short and use standard terms: ``python docs/prose.py``.

The check reads the documentation, the generated pages, and the comments, docstrings, task names and messages in FILES.
Code and quoted output do not count as prose. A sentence may have 25 words, except in tables and messages. The rules
have no exceptions: reword every sentence that they find.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 25
# The word that replaces code in a sentence.
CODE = "CODE"
GENERATED = "`make docs` generates this page"
MARKDOWN = (
    "*.md",
    "docs/*.md",
    "examples/*/*.md",
    "benchmarks/*.md",
    "roles/*/*.md",
)
# The files whose comments, docstrings, task names, descriptions and messages are checked.
FILES = (
    "*.yml",
    ".config/molecule/*.yml",
    "Makefile",
    "ansible.cfg",
    "awx/*.yml",
    "benchmarks/*.py",
    "benchmarks/*.sh",
    "benchmarks/*.sql",
    "docs/*.py",
    "files/*.sql",
    "inventory/**/*.example",
    "inventory/**/*.yml",
    "lab/*",
    "lab/database/*",
    "lab/image/*",
    "lab/service/*",
    "molecule/**/*.py",
    "molecule/**/*.yml",
    "playbooks/**/*.yml",
    "plugins/**/*.py",
    "plugins/**/*.sql",
    "roles/**/*.sql",
    "roles/**/*.yml",
    "tests/**/*.py",
)
# The strings of these Python files are data, not messages.
DATA = ("molecule/", "tests/")

# The keys of a YAML file whose values are prose, each with the kind of the passage.
YAML_KEYS = dict.fromkeys(("fail_msg", "msg", "prompt", "success_msg"), "message") | dict.fromkeys(
    ("description", "question_description", "question_name", "short_description"), "description"
)

WORD = re.compile(r"\S*\w\S*")
END = re.compile(r"(?<=[.!?])[\"')*]*\s+(?=[\"'(\[*]*[A-Z0-9…`])")
# Phrases that are not standard terms, each with better ones.
PHRASES = {
    r"\bof before\b": "original, earlier",
    r"\b(of\s+nobody|nobody\W*s)\b": "of no tenant, unused",
    r"\bwho(m)?ever\b": "any role that, anyone who",
    r"\bways? back\b|\bthere and back\b": "rollback",
    r"\b(leads?|leading|led) (\w+ )?back\b": "roll back",
    r"\bpass(es|ing)? (\w+ ){1,3}by\b": "bypass",
    r"\bmend(s|ed|ing)?\b": "fix, correct",
    r"\bby half\b": "partly",
    r"\bat last\b": "finally, or nothing",
    r"\bsome hundredths\b": "a number",
    r"\b(is|are|was|were|be|being|not) begun\b": "starts, has started",
    r"\basked again\b": "checked again, retried",
    r"\bin earnest\b": "for real, in a real run",
}
# After these words the conjunction in WHERE names a place. After other words it means "if" or "when".
PLACE = re.compile(
    r"\b(?:address|branch|case|column|database|directory|file|folder|host|line|machine|page|phase|place|point|query|row"
    r"|schema|server|step|table|to|knows?|see|shows?|says?|finds?|asks?|tells?|decides?|from|of|and|is|matters?)$",
    re.IGNORECASE,
)
# The brackets prevent this expression from matching its own source.
WHERE = re.compile(r"(?<![\w-])[w]here(?![\w-])")
PRONOUN = re.compile(
    r"^\w+(?: (?:away|down|in|on|out|up))? "
    r"(?:(?:it|them|him)\b|(?:this|that|these|those|both|all|one)(?=$| (?:as|at|by|for|in|on|to|with)\b))"
)


@dataclass(frozen=True)
class Passage:
    """A paragraph, cell, name or comment, with its kind, place, and text on a single line.

    ``counts`` is whether the sentences have a maximum length.
    """

    kind: str
    place: str
    text: str
    counts: bool = True


def too_long(passage: Passage) -> Iterator[str]:
    """Yield a finding for each sentence of more than 25 words."""
    for sentence in END.split(passage.text) if passage.counts else ():
        if (words := len(WORD.findall(sentence))) > LONGEST:
            yield f"{words} words: {sentence[:60]}…"


def banned(passage: Passage) -> Iterator[str]:
    """Yield a finding for each phrase that is not a standard term."""
    for pattern, better in PHRASES.items():
        for match in re.finditer(pattern, passage.text, re.IGNORECASE):
            yield f'"{match[0]}": {better}'
    for sentence in END.split(passage.text):
        if re.match(r"What\b.*\.$", sentence):
            yield f'"What …": name the thing: {sentence[:60]}…'


def where_for_if(passage: Passage) -> Iterator[str]:
    """Yield a finding for each match of WHERE that states a condition, judging by the preceding word."""
    for sentence in END.split(passage.text):
        if sentence.endswith("?"):
            continue
        if re.match(r"[W]here\b.*,", sentence):
            yield f"{sentence[:5]!r} instead of 'if': {sentence[:60]}…"
        for match in WHERE.finditer(sentence):
            before = sentence[: match.start()].rstrip(" ,")
            if before and not PLACE.search(before):
                yield f"{match[0]!r} instead of 'if': …{before[-30:]} {sentence[match.start() :][:35]}…"


def without_object(passage: Passage) -> Iterator[str]:
    """Yield a finding for a task name that has no object, or whose object is a pronoun."""
    name = passage.text.rpartition(" | ")[2]
    if passage.kind == "task name" and (PRONOUN.search(name) or len(name.split()) < 2):
        yield f'no object: "{passage.text}"'


RULES: tuple[Callable[[Passage], Iterator[str]], ...] = (too_long, banned, where_for_if, without_object)


def files(patterns: Iterable[str]) -> Iterator[Path]:
    """Yield the files of the repository that match any of the patterns, sorted, each once."""
    yield from sorted({path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()})


def _inline(token: Token) -> str:
    parts = []
    for child in token.children or ():
        if child.type == "text":
            parts.append(child.content)
        elif child.type == "code_inline":
            parts.append(CODE)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return "".join(parts)


def of_markdown(path: Path) -> Iterator[Passage]:
    """Yield the paragraphs, headings, list items and cells of a document. In a generated page, they are messages."""
    text = path.read_text()
    kind = "message" if GENERATED in text else "document"
    table = False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("table_open", "table_close"):
            table = token.type == "table_open"
        if token.type == "inline":
            line = (token.map or [0])[0] + 1
            yield Passage(kind, f"{path.relative_to(ROOT)}:{line}", _inline(token), kind == "document" and not table)


def of_task_names(path: Path) -> Iterator[Passage]:
    """Yield the names of plays and tasks in a file. A role's metadata, which names platforms, is ignored."""
    if path.parent.name == "meta":
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if match := re.match(r"\s*- name: [\"']?([A-Z].*|\w+ \| .*?)[\"']?$", line):
            yield Passage("task name", f"{path.relative_to(ROOT)}:{number}", match[1], counts=False)


def _paragraphs(kind: str, path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Passage]:
    """Yield the passages in numbered lines. A new one starts at an empty line, a gap in the numbers, or a list item."""
    start, last, parts = 0, -1, list[str]()
    for number, line in [*lines, (-1, "")]:
        words = re.sub(r"(`+)[^`]+\1|\{\{.*?\}\}", CODE, line.strip())
        if parts and (number != last + 1 or not words or words.startswith(("* ", "- "))):
            yield Passage(kind, f"{path.relative_to(ROOT)}:{start}", " ".join(parts))
            parts = []
        if words:
            start = start if parts else number
            parts.append(words)
        last = number


def of_comments(path: Path) -> Iterator[Passage]:
    """Yield the comments of a Python, SQL or other file. In other files, comments begin with a number sign."""
    text = path.read_text()
    found: list[tuple[int, str]] = []
    if path.suffix == ".py":
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        found = [(token.start[0], token.string.lstrip("#")) for token in tokens if token.type == tokenize.COMMENT]
    else:
        mark = r"(?:^|\s)--\s(.+)$" if path.suffix in (".sql", ".j2") else r"(?:^|\s)#\s(.+)$"
        for number, line in enumerate(text.splitlines(), 1):
            found += [(number, match[1]) for match in [re.search(mark, line)] if match]
    prose = [(number, line) for number, line in found if not re.match(r"!|\s*(fmt|noqa|type|ruff|yamllint)\b", line)]
    yield from _paragraphs("comment", path, prose)


def of_docstrings(path: Path) -> Iterator[Passage]:
    """Yield the paragraphs of a Python file's docstrings."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            first = node.body[0]
            text = ast.get_docstring(node) or ""
            yield from _paragraphs("docstring", path, enumerate(text.splitlines(), first.lineno))


def of_strings(path: Path) -> Iterator[Passage]:
    """Yield the strings of a Python file except docstrings: messages, labels and the documentation of modules."""
    tree = ast.parse(path.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else CODE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | parts:
            text = node.value
        else:
            continue
        yield Passage("message", f"{path.relative_to(ROOT)}:{node.lineno}", " ".join(text.split()), counts=False)


def _scalars(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the scalars of a YAML document, each with its key."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(value, yaml.ScalarNode):
                yield str(key.value), value
            yield from _scalars(value)


def of_messages(path: Path) -> Iterator[Passage]:
    """Yield the messages and prompts of a file's tasks, and the descriptions of options and questions."""
    text = path.read_text()
    if re.search(rf"^\s*(?:- )?({'|'.join(YAML_KEYS)}):", text, re.MULTILINE):
        for key, node in _scalars(yaml.compose(text, yaml.SafeLoader)):
            if kind := YAML_KEYS.get(key):
                words = " ".join(re.sub(r"\{\{.*?\}\}", CODE, node.value, flags=re.DOTALL).split())
                yield Passage(kind, f"{path.relative_to(ROOT)}:{node.start_mark.line + 1}", words, kind != "message")


def of_code(path: Path) -> Iterator[Passage]:
    """Yield the passages of a file that is not a document."""
    yield from of_comments(path)
    if path.suffix == ".py":
        yield from of_docstrings(path)
        if not str(path.relative_to(ROOT)).startswith(DATA):
            yield from of_strings(path)
    if path.suffix == ".yml":
        yield from of_task_names(path)
        yield from of_messages(path)


def passages() -> Iterator[Passage]:
    """Yield the passages of all files."""
    for path in files(MARKDOWN):
        yield from of_markdown(path)
    for path in files(FILES):
        yield from of_code(path)


def findings(passage: Passage) -> list[str]:
    """Return the findings of all rules for a passage."""
    return [finding for rule in RULES for finding in rule(passage)]


def main() -> int:
    """Print the findings, and their number for each kind of passage. Return 1 if there are any, otherwise 0."""
    counts: Counter[str] = Counter()
    for passage in passages():
        for finding in findings(passage):
            counts[passage.kind] += 1
            sys.stdout.write(f"{passage.place}: {finding}\n")
    for kind, count in sorted(counts.items()):
        sys.stdout.write(f"{count} findings of the kind {kind}\n")
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main())
