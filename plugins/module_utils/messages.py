"""Error messages without Ansible's wrapping and without values, and with every invisible character shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

try:
    from psycopg2 import errorcodes
except ImportError:
    errorcodes = None

ENCRYPTED = (
    "A variable is encrypted with ansible-vault, and no matching vault password was given: add --ask-vault-pass or "
    "--vault-password-file with the correct password."
)

LEFT_OUT = "[left out; PostgreSQL's log has it]"

# Characters that a terminal or a browser interprets or hides, in addition to the categories below.
_HIDDEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]")
# Control, format (bidirectional overrides, zero width), line and paragraph separators, surrogates.
_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Cs")


def visible(text: str, *, lines: bool = False) -> str:
    """Return the text with each invisible character replaced by its escape, such as ``\\x1b``.

    With ``lines``, line breaks and tabs are kept. Use this option for multi-line text, not for a name.
    """
    seen = text.replace("\n", "").replace("\t", "") if lines else text
    if seen.isascii() and seen.isprintable():
        return text
    return "".join(
        character if (lines and character in "\n\t") or not _unseen(character) else _escape(character)
        for character in text
    )


def visible_document(value: Any) -> Any:
    """Return a document with ``visible`` applied to all strings in its lists and mappings; line breaks are kept."""
    if isinstance(value, str):
        return visible(value, lines=True)
    if isinstance(value, Mapping):
        return {visible_document(key): visible_document(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [visible_document(item) for item in value]
    return value


def _unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN or _HIDDEN.match(character) is not None


def _escape(character: str) -> str:
    code = ord(character)
    if character in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# Classes of SQLSTATEs (PostgreSQL manual, appendix A) whose messages quote names but no values in the first sentence.
# Class 22 (data exceptions) is excluded because its messages quote the value. P0, HV and any classes that code in the
# database invents are excluded because their messages may contain anything.
_OF_NAMES = frozenset(
    ("08", "0A", "0B", "21", "23", "25", "26", "28", "2B", "34", "3D", "3F", "40", "42", "44", "53", "54", "55", "57")
)
# Classes whose first sentences are constant: transaction conflicts, insufficient resources, operator intervention.
_OF_NOTHING = frozenset(("40", "53", "57"))
# SQLSTATEs whose details name objects and processes.
_DETAILED = frozenset(("2BP01", "40P01", "55006"))
# "PL/pgSQL function f(integer) line 1 at RAISE", in any language; other CONTEXT lines quote statements and data.
_ROUTINE = re.compile(
    r"\A[^\"'«»„:{]*PL/[^\"'«»„:{]*?(?<![\w./])(?P<name>(?:[\w$]+\.)*(?:[\w$]+|\"[^\"\n]+\")\([\w ,.\[\]\"]*\))"
)


def of_database(error: Any, tables: Collection[str] = ()) -> str:
    """Return the text of an error without values. The error is a psycopg2.Error, or another error that quotes
    PostgreSQL.

    The names of the table, column, constraint and type come from the error's fields, so they do not depend on the
    language. A sentence that may quote a value is replaced by the name of its SQLSTATE. Code in the database can build
    object names and statements from values, and raise errors with any fields. For an error that PostgreSQL found inside
    this code, names appear only if the error's table is one of ``tables``. For an error that the code itself raised, no
    names appear.
    """
    diag: Any = getattr(error, "diag", None)
    code: str | None = getattr(diag, "sqlstate", None)
    if not code:
        # An error of libpq (no connection, or a lost one) or of a program.
        return without_values(str(error).strip())
    primary = str(diag.message_primary or "").strip()
    if _tells_no_value(diag, code):
        parts = [primary]
        parts += [str(text).strip() for text in (diag.message_detail,) if text and code in _DETAILED]
    else:
        parts = [f"{_condition(code)} {LEFT_OUT}", *_where(diag)]
    is_known = not _raised(diag) and (not _within_code(diag) or diag.table_name in tables)
    named = [
        f"{what} {name}"
        for what, name in (
            ("table", _joined(diag.schema_name, diag.table_name)), ("column", diag.column_name),
            ("constraint", diag.constraint_name), ("type", diag.datatype_name),
        )
        if is_known and name and name.rpartition(".")[2] not in parts[0]
    ]  # fmt: skip
    return "; ".join(parts) + f" ({', '.join([f'SQLSTATE {code}', *named])})"


def _tells_no_value(diag: Any, code: str) -> bool:
    """Return whether the first sentence of an error never quotes a value."""
    if _raised(diag):
        # For this runbook's own DO blocks, CONTEXT has one line. For code in the database, it also names the caller.
        context = str(diag.context or "").strip()
        return "inline_code_block" in context and "\n" not in context
    return code[:2] in _OF_NOTHING or (code[:2] in _OF_NAMES and not _within_code(diag))


def _raised(diag: Any) -> bool:
    """Return whether code in a procedural language raised the error (pl_exec.c belongs to PL/pgSQL)."""
    return str(diag.source_file or "").startswith("pl")


def _within_code(diag: Any) -> bool:
    """Return whether PostgreSQL found the error in code other than the statement that was sent."""
    return bool(diag.context or diag.internal_query)


def _condition(code: str) -> str:
    try:
        return str(errorcodes.lookup(code)).lower().replace("_", " ")
    except (AttributeError, KeyError):
        return "an error raised by code in the database"


def _where(diag: Any) -> list[str]:
    """Return the routine in which the error occurred, if any; the rest of CONTEXT quotes statements."""
    first = str(diag.context or "").partition("\n")[0]
    found = _ROUTINE.match(first)
    return [f"in {found['name']}"] if found else []


def _joined(*names: str | None) -> str:
    return ".".join(name for name in names if name)


# In plain text, the parts of a message are recognized only by their form. Each part except the first begins with a
# label in any language and a colon ("DETAIL: ", "DÉTAIL : ", "詳細: "). The colon or a parenthesis may be full-width.
_BREAK, _BLANK = r"(?:\n|\\n|\A)", r"[ \u00a0]"
_LABEL = re.compile(
    rf"{_BREAK}[ \t]*([^\W\d_]{{2,24}}(?: ?\d+)?{_BLANK}?"
    rf"(?::{_BLANK}{{2}}|(?<=[ \u00a0\u3000-\u9fff\d]):{_BLANK}|\uff1a{_BLANK}*))"
)
# A line that begins with a program's name begins another message: "pg_restore: error: ...", "psql:file.sql:3: ERROR:
# ...".
_PROGRAM = re.compile(r"(?m)^(?=(?:pg_\w+|psql|createdb|dropdb|initdb)(?:\[\d+\])?: ?\S)")
_QUOTES = '"»«' + "\u201e\u201c\u201d\u201a\u2018\u2019\u2039\u203a\u300c\u300d\u300e\u300f\u300a\u300b"
# French quotation marks have a space on the inside.
_QUOTED = re.compile(
    f"«[ \u00a0\u202f](?P<french>[^{_QUOTES}]*)[ \u00a0\u202f]»|[{_QUOTES}](?P<name>[^{_QUOTES}]*)[{_QUOTES}]"
)
_DATUM = re.compile(f"(?s)[:\uff1a]\\s*[{_QUOTES}].*[{_QUOTES}][\\s.\u3002]*\\Z")
_NAME = re.compile(r"[^\W\d][\w$.-]*(?:\([\w ,.]*\))?")
# Parts of a message that do not help a reader who did not write the statement.
_PLACE = re.compile(r"\s*(?:\\n)?\s*(?:CONTEXT|HINT|QUERY|LINE \d+):")
_PAIR = re.compile(r"(?s)\A(.*?\))=\(.*\)(.*)\Z")


def without_values(message: str) -> str:
    """Return a message from PostgreSQL or one of its programs, in any language, without the rows and values in it.

    The first sentence of each message is kept, except quoted strings that are not names. The columns of a key in a
    DETAIL are kept. Everything else in DETAIL, CONTEXT and HINT quotes rows and statements.
    """
    return "".join(map(_without_values, _PROGRAM.split(message)))


def _without_values(message: str) -> str:
    # A label at the very beginning is the severity, or the label of a separate DETAIL line, as in a journal.
    labels = [found for found in _LABEL.finditer(message) if found.start() or _pair_or_row(message)]
    first = _sentence_alone(message[: labels[0].start()] if labels else message)
    if not labels:
        return first
    detail = message[labels[0].start() : labels[1].start() if len(labels) > 1 else None]
    if found := _PAIR.match(detail):
        shown = f"{found[1]}={LEFT_OUT}{found[2].rstrip()}"
    else:
        shown = "" if _PLACE.match(detail) else f"{labels[0].group()}{LEFT_OUT}"
    return first + shown + ("\n" if message.endswith("\n") else "")


def _pair_or_row(message: str) -> bool:
    """Return whether a single part is a DETAIL: it pairs columns with values, or ends with a list in parentheses."""
    return ")=(" in message or re.search(r"[)\uff09][\w\s.\u3002]*\Z", message) is not None


def _sentence_alone(text: str) -> str:
    """Return a first sentence without quoted strings that are not names."""
    text = re.sub(r"(?s)(\))=\(.*\)", rf"\1={LEFT_OUT}", text)
    if found := _DATUM.search(text):
        return f"{text[: found.start() + 1]} {LEFT_OUT}"
    values = [found.start() for found in _QUOTED.finditer(text) if not _NAME.fullmatch(found[str(found.lastgroup)])]
    if text.count('"') % 2:
        values.append(text.rindex('"') if not values else values[0])
    if not values:
        return text
    last = max(text.rfind(quote) for quote in _QUOTES)
    return f"{text[: min(values)]}{LEFT_OUT}{text[last + 1 :] if last > min(values) else ''}"


def _of_postgresql(message: str) -> bool:
    """Return whether a message comes from PostgreSQL or one of its programs, not from this runbook."""
    labels = [found for found in _LABEL.finditer(message) if found.start() or _pair_or_row(message)]
    return bool(labels) or ")=(" in message or _PROGRAM.match(message) is not None


def sentence(message: str) -> str:
    """Return an error message without SQL and rows from PostgreSQL, and without the name of the filter plugin."""
    if "undecryptable variable" in message:
        return ENCRYPTED
    # One message of ansible-core on argument specs may contain several of these lines:
    # `Validation of arguments failed:\nargument 'a' is of type str and we were unable to convert to int: ...`
    message = message.replace("Validation of arguments failed:\n", "")
    message = re.sub(
        r"argument '(\w+)' is of type \w+ and we were unable to convert to (\w+):", r"\1 is not of type \2:", message
    )
    # ansible-core: "The filter plugin 'aimemory.tenancy.tenancy_plan' failed: [1] ..."
    message = re.sub(r"(?s)^.*filter plugin '[\w.]+' failed: ", "", message)
    # community.postgresql: "Cannot execute SQL '<query>' <arguments>: <error>, query list: [<queries>]"
    if message.startswith("Cannot execute SQL '"):
        message = message.partition(", query list: ")[0]
        message = without_values(re.sub(r"(?s)^.*' (?:None|\{.*?\}|\[.*?\]|\(.*?\)): ", "", message))
    elif _of_postgresql(message):
        message = without_values(message)
    return visible(message.strip(), lines=True)


def of_connection(error: Any) -> str:
    """Return the text of an error in a session, including a session that could not start.

    If no session could start, libpq's text contains the names of sockets, databases and roles, but no values.
    """
    return of_database(error) if getattr(error, "pgcode", None) else sentence(str(error))


def of_failure(result: Mapping[str, Any]) -> str:
    """Return the message in a failed task's result: the error output of a program, or else the module's message."""
    return sentence(str(result.get("stderr") or result.get("msg", "no message")))
