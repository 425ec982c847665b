"""Write the documentation of each filter, which ``ansible-doc -t filter`` shows.

The text comes from the docstring of the filter's function, and the types come from its annotations. The example is the
shortest use of the filter in the roles and playbooks.
"""

from __future__ import annotations

import collections.abc
import importlib
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
FILTERS = ROOT / "plugins/filter"
COLLECTION = "aimemory.tenancy"
VERSION = "1.0.0"
# The files that may use filters, except tests.
USES = ("playbooks/**/*.yml", "roles/*/*/*.yml", "roles/*/templates/*.j2", "inventory/group_vars/**/*.yml")
WIDTH = 100
# Descriptions of parameters that several filters share, for docstrings that do not mention the parameter.
PARAMETERS = {
    "state": "The state document, which the catalog query returns.",
    "source": "The model, from the variables C(tenancy_*) of the inventory.",
    "snapshot": "The state document of the database before the migration.",
    "rows_before": "The number of rows in each tenant table before the run.",
    "inspected": "The result of the inspection: the state document and the audit.",
    "statements": "The statements of the plan, in order.",
    "result": "The current result of the role or module. The filter does not change this value.",
    "hosts": "The hosts of the play.",
    "hostvars": "The variables of all hosts, by host.",
    "service": "The name of the service's unit.",
    "database": "The name of the database.",
    "url": "The URL.",
    "text": "The text to convert or read.",
    "caller": "The user id of the caller in the API test.",
    "endpoints": "The endpoints, as in the variables C(service_read_endpoints) and C(service_write_endpoints).",
    "answers": "The responses, in the order of the requests.",
    "names": "The names of the relations.",
    "tables": "The tables of the model.",
}
KINDS: dict[Any, str] = {
    str: "str", int: "int", float: "float", bool: "bool", bytes: "raw", dict: "dict", list: "list",
    collections.abc.Mapping: "dict", collections.abc.Sequence: "list", collections.abc.Iterable: "list",
    collections.abc.Collection: "list",
}  # fmt: skip


def found() -> dict[str, Callable[..., Any]]:
    """Return the functions of the collection's filters by name."""
    functions: dict[str, Callable[..., Any]] = {}
    for path in sorted(FILTERS.glob("*.py")):
        module = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.filter.{path.stem}")
        functions |= module.FilterModule().filters()
    return functions


def kind(annotation: Any) -> str:
    """Return Ansible's type for an annotation, or ``raw`` if not exactly one type matches."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        kinds = {kind(part) for part in typing.get_args(annotation) if part is not type(None)}
        return kinds.pop() if len(kinds) == 1 else "raw"
    return KINDS.get(origin or annotation, "raw")


def sentences(text: str) -> list[str]:
    """Return the sentences of a docstring, with code in Ansible's markup."""
    plain = re.sub(r"\(see ``[^`]*``\)|: see ``[^`]*``(?=\.)", "", " ".join(text.split()))
    marked = re.sub(r"``([^`]*)``", lambda code: f"C({code[1]})" if ")" not in code[1] else f"'{code[1]}'", plain)
    whole = re.sub(r" (?=[,.])", "", marked.replace(" * ", " "))
    return [part for part in re.split(r"(?<=\.)\s+(?=[A-Z'])", whole) if part]


def headline(sentence: str) -> str:
    """Return the first sentence of a docstring as a heading that describes the result of the filter."""
    # The heading ends at a colon, unless the colon is in parentheses.
    said = re.split(r": (?![^(]*\))", sentence.removeprefix("Return ").removesuffix("."))[0]
    return said[0].upper() + said[1:]


def description(parameter: str, text: list[str]) -> list[str]:
    """Return the sentences of a docstring (``text``) that mention a parameter, or a general description."""
    said = [sentence for sentence in text if f"C({parameter})" in sentence]
    return said or [PARAMETERS.get(parameter, f"The argument C({parameter}); see the description of the filter.")]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _texts() -> Iterator[str]:
    """Yield the texts that may use filters: the strings in YAML files, and the lines of templates."""
    for pattern in USES:
        for path in sorted(ROOT.glob(pattern)):
            yield from path.read_text().splitlines() if path.suffix == ".j2" else _strings(_read(path))


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=_Loader)


class _Loader(yaml.SafeLoader):
    """Read values with Ansible's tags as plain strings."""


_Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))


def example(name: str, texts: list[str]) -> str:
    """Return an example task with the shortest expression in ``texts`` that uses a filter.

    Raises KeyError if no role and no playbook uses the filter.
    """
    used = [" ".join(text.split()) for text in texts if re.search(rf"{COLLECTION}\.{name}\b", text)]
    if not used:
        raise KeyError(f"no role and no playbook uses the filter {name}")
    text = min(used, key=lambda each: (len(each), each))
    shown = text if "{{" in text or "{%" in text else f"{{{{ {text} }}}}"
    lines = textwrap.wrap(shown, WIDTH - 6, break_long_words=False, break_on_hyphens=False)
    return "\n".join(["- ansible.builtin.debug:", "    msg: >-", *(f"      {line}" for line in lines)]) + "\n"


def document(name: str, function: Callable[..., Any], texts: list[str]) -> str:
    """Return the documentation of a filter as YAML. ``texts`` are the strings that may use filters."""
    text = sentences(inspect.getdoc(function) or "")
    hints = typing.get_type_hints(function)
    parameters = list(inspect.signature(function).parameters.values())
    options: dict[str, Any] = {}
    for number, parameter in enumerate(parameters):
        is_given = parameter.name.startswith("_")
        said = ["The value does not matter."] if is_given else description(parameter.name, text)
        option: dict[str, Any] = {"description": said, "type": kind(hints.get(parameter.name))}
        if parameter.default is parameter.empty:
            option["required"] = True
        elif parameter.default not in (None, ()):
            option["default"] = parameter.default
        options["_input" if number == 0 else parameter.name] = option
    about: dict[str, Any] = {
        "name": name, "author": "AI-Memory operations", "version_added": VERSION,
        "short_description": headline(text[0]), "description": text,
    }  # fmt: skip
    named = [each.name for each in parameters[1:] if each.kind is each.POSITIONAL_OR_KEYWORD]
    if named:
        about["positional"] = ", ".join(named)
    about["options"] = options
    returned = {"_value": {"description": f"{headline(text[0])}.", "type": kind(hints.get("return"))}}
    parts = {"DOCUMENTATION": about, "RETURN": returned}
    written = {key: _dumped({key: part}) for key, part in parts.items()}
    shown = "EXAMPLES: |\n" + textwrap.indent(example(name, texts), "  ")
    return "".join(["---\n# Written by `make docs`.\n", written["DOCUMENTATION"], shown, written["RETURN"]])


def _dumped(part: dict[str, Any]) -> str:
    return yaml.dump(part, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Indent lists as yamllint requires, and write repeated values in full."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent every list."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write no anchors or aliases."""
        return True


def documents() -> dict[Path, str]:
    """Return the documentation of all filters, by path of the file."""
    texts = list(_texts())
    return {FILTERS / f"{name}.yml": document(name, function, texts) for name, function in sorted(found().items())}


if __name__ == "__main__":
    wanted = documents()
    for path in set(FILTERS.glob("*.yml")) - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text)
