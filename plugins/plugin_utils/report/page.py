"""Render the record of a run as a self-contained HTML page, and as a log in Markdown."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from ...module_utils import contents, messages
from . import answers, callers, clock, grouped

Record = Mapping[str, Any]

# Matches the characters that are special within a line of GitHub's Markdown. Underscores within words, brackets outside
# links, and angle brackets outside tags are not special.
_SIGNS = re.compile(r"[\\`*|~]|\](?=\()|<(?=[A-Za-z/!?])|&(?=[A-Za-z#])|(?<![^\W_])_|_(?![^\W_])")
_BLANKS = re.compile(r"\s+")


def _at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def timeline(record: Record) -> list[dict[str, Any]]:
    """Return the phases with name, started, seconds, state, bar and down.

    ``bar`` is the position of the phase on a scale from 0 (start of the run) to 1000 (end). ``down`` is the position of
    the downtime, which is the same in all phases, or empty if the service was not stopped. A lost run counts as ended
    at the start of its last phase.
    """
    phases = record["phases"]
    if not phases:
        return []
    begin = _at(phases[0]["started"])
    ended = _at(record["completed"] or phases[-1]["started"])
    whole = max((ended - begin).total_seconds(), 0.001)

    def place(start: datetime.datetime, end: datetime.datetime) -> dict[str, float]:
        left, right = ((moment - begin).total_seconds() / whole * 1000 for moment in (start, end))
        return {"x": round(left, 1), "width": round(max(right - left, 0), 1)}

    stopped, healthy = record["stopped_at"], record["healthy_at"]
    down = place(_at(stopped), _at(healthy) if healthy else ended) if stopped else {}
    ends = [*(_at(phase["started"]) for phase in phases[1:]), ended]
    failed = (record["failure"] or {}).get("phase")
    bad = "CANCELLED" if record["outcome"] == "CANCELLED" else "FAILED"
    return [
        {
            "name": phase["name"],
            "started": phase["started"],
            "seconds": (end - _at(phase["started"])).total_seconds(),
            "state": bad if phase["name"] == failed and number == len(phases) - 1 else "ok",
            "bar": place(_at(phase["started"]), end),
            "down": down,
        }
        for number, (phase, end) in enumerate(zip(phases, ends, strict=True))
    ]


def downtime(record: Record) -> float | None:
    """Return the seconds from stop to healthy, or None if the service was not stopped or did not become healthy."""
    if record["stopped_at"] is None or record["healthy_at"] is None:
        return None
    return clock.seconds(record["stopped_at"], record["healthy_at"])


def _reached(record: Record, name: str) -> bool:
    """Return whether the run reached the phase ``name``."""
    return name in [phase["name"] for phase in record["phases"]]


def _done(record: Record, name: str) -> bool:
    """Return whether the run completed the phase ``name``."""
    is_whole = record["finished"] and not record["failure"]
    phases = record["phases"] if is_whole else record["phases"][:-1]
    return name in [phase["name"] for phase in phases]


def compared(record: Record) -> list[dict[str, Any]]:
    """Return the state of every table ``before`` and ``after`` the run.

    Each state has rows, column, row_security and definitions (the lists policies, keys and indexes). The first three
    are None if the table, or for ``column`` the column, did not exist.
    """
    before, after = record["tables"]["before"], record["tables"]["after"]
    names = dict.fromkeys((*before, *after))
    return [
        {"name": name, "before": _table(before.get(name, {})), "after": _table(after.get(name, {}))} for name in names
    ]


def _table(document: Record) -> dict[str, Any]:
    # The document of a table that does not exist lacks these facts.
    column, rls = document.get("column"), document.get("rls")
    return {
        "rows": document.get("rows"),
        "column": column and f"{column['type']}, {'NOT NULL' if column['not_null'] else 'may be NULL'}",
        "row_security": rls and ("on" if rls["enabled"] else "off") + (", forced" if rls["forced"] else ""),
        "definitions": {
            "policies": [_policy(item) for item in document.get("policies", ())],
            "keys": [_index(item) for item in document.get("indexes", ()) if _is_key(item)]
            + [_foreign_key(item) for item in document.get("foreign_keys", ())],
            "indexes": [_index(item) for item in document.get("indexes", ()) if not _is_key(item)],
        },
    }


def _policy(policy: Record) -> str:
    kind = "" if policy["permissive"] else "restrictive, "
    roles = ["public"] if policy["public"] else policy["roles"]
    return f"{policy['name']}: {kind}{policy['command']} to {', '.join(roles)}"


def _is_key(index: Record) -> bool:
    return bool(index["unique"] or index["constraint"])


def _index(index: Record) -> str:
    # The definition starts with the names of the index and the table, which the page already shows.
    built = index["definition"].partition(" USING ")[2] or index["definition"]
    shown = index["constraint_definition"] or f"{'unique ' if index['unique'] else ''}{built}"
    return f"{index['name']}: {shown}{'' if index['valid'] else ', INVALID'}"


def _foreign_key(key: Record) -> str:
    target = f"{key['references']['schema']}.{key['references']['table']}"
    return f"{key['name']}: FOREIGN KEY ({', '.join(key['columns'])}) REFERENCES {target} ({', '.join(key['key'])})"


def _one_line(text: str) -> str:
    """Return a string as one line, with hidden characters as escapes."""
    return _BLANKS.sub(" ", messages.visible(text, lines=True))


def line(value: Any) -> Markup:
    """Return the value as text for one line of Markdown or one cell of a table, with special characters escaped."""
    return Markup(_SIGNS.sub(r"\\\g<0>", "-" if value is None else _one_line(str(value))))


def prose(value: Any) -> Markup:
    """Return the value as text for a Markdown paragraph, in which a pipe character needs no escape."""
    return line(value).replace(r"\|", "|")


def code(text: str) -> Markup:
    """Return the text as inline code in Markdown, between more backticks than the text contains in a row."""
    shown = _one_line(text).strip()
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    blank = " " if shown.startswith("`") or shown.endswith("`") else ""
    return Markup(f"{fence}{blank}{shown}{blank}{fence}" if shown else "")


def block(lines: Iterable[str]) -> Markup:
    """Return the lines as an indented Markdown code block, which no text in a line can end, unlike a fenced one."""
    return Markup("\n".join(f"    {messages.visible(text, lines=True)}" for text in "\n".join(lines).split("\n")))


def _shown(value: Any) -> Any:
    return value if isinstance(value, Markup | jinja2.Undefined) else line(value)


def _seen(value: Any) -> Any:
    return messages.visible(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value


@functools.lru_cache
def _template(source: str, markdown: bool) -> jinja2.Template:
    # Jinja escapes values for HTML, and _shown escapes them for Markdown. Neither escapes Markup again.
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=_shown if markdown else _seen,
    )  # fmt: skip
    return environment.from_string(source)


def render(source: str, record: Record, markdown: bool = False) -> str:
    """Render the Jinja template ``source`` with the document of run.json, as HTML or Markdown.

    All values of the document are escaped.
    """
    return _template(source, markdown).render(
        record=record, timeline=timeline(record), downtime=downtime(record), tables=compared(record), prose=prose,
        code=code, block=block, changed=contents.changed_names, reached=functools.partial(_reached, record),
        done=functools.partial(_done, record), 
        caller_bars=callers.bars(record["callers"]),
        answers=answers, grouped=grouped, words=answers.words,
    )  # fmt: skip
