"""The entries of a dump, and the role that restores each entry. No code runs with more privileges than its owner has.

PostgreSQL parses, plans or evaluates a definition when it creates the object. A default whose type is an array of a
domain calls the domain's CHECK, a generated column is planned, and a partition's bound is evaluated. A constraint reads
every row. To attach an index, PostgreSQL compares it with the parent index and evaluates constants in both. Therefore,
a login that is a member of only the owner restores every object that may contain an expression. The superuser restores
the others, and those that an ordinary role cannot create.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from .errors import TenancyError

# pg_restore --list: number; OID of the catalog, OID of the object, kind, schema, name, owner.
_LINE = re.compile(r"(?P<number>\d+); (?P<catalog>\d+) (?P<oid>\d+) (?P<text>.*)", re.DOTALL)

# The statement with which pg_dump attaches a partition. Every name has its schema.
_NAME = r'([a-z_][a-z0-9_]*|"(?:[^"]|"")+")'
_ATTACH = re.compile(rf"(?m)^ALTER TABLE ONLY {_NAME}\.{_NAME} ATTACH PARTITION {_NAME}\.{_NAME} ")

# Kinds that may contain or evaluate an expression of their owner.
EXPRESSIONS = frozenset({
    "AGGREGATE", "CHECK CONSTRAINT", "CONSTRAINT", "DEFAULT", "DOMAIN", "FK CONSTRAINT", "FOREIGN TABLE", "FUNCTION",
    "INDEX", "INDEX ATTACH", "MATERIALIZED VIEW", "MATERIALIZED VIEW DATA", "POLICY", "PROCEDURE", "RULE", "STATISTICS",
    "TABLE", "TABLE ATTACH", "TABLE DATA", "TRIGGER", "VIEW",
})  # fmt: skip
# Kinds that an ordinary role can create only in some languages and with some settings.
_FUNCTIONS = ("FUNCTION", "PROCEDURE")
# Kinds that contain no expression, or that only a superuser can create.
OTHERS = frozenset({
    "ACCESS METHOD", "ACL", "BLOB", "BLOB COMMENTS", "BLOB METADATA", "BLOBS", "CAST", "COLLATION", "COMMENT",
    "CONVERSION",
    "DATABASE", "DATABASE PROPERTIES", "DEFAULT ACL", "ENCODING", "EVENT TRIGGER", "EXTENSION", "FOREIGN DATA WRAPPER",
    "FOREIGN SERVER", "LANGUAGE", "LARGE OBJECT", "OPERATOR", "OPERATOR CLASS",
    "OPERATOR FAMILY", "PROCEDURAL LANGUAGE", "PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA",
    "ROW SECURITY", "SCHEMA", "SEARCHPATH", "SECURITY LABEL", "SEQUENCE", "SEQUENCE OWNED BY", "SEQUENCE SET", "SERVER",
    "SHELL TYPE", "STATISTICS DATA", "STDSTRINGS", "SUBSCRIPTION", "SUBSCRIPTION TABLE", "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY", "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE", "TRANSFORM", "TYPE", "USER MAPPING",
})  # fmt: skip
_KINDS = sorted(EXPRESSIONS | OTHERS, key=len, reverse=True)
# Kinds that are not objects in a catalog. A schema may have the same name as the second word of a kind. The OID of the
# catalog distinguishes an index in a schema named ATTACH from an INDEX ATTACH.
_NO_OBJECTS = frozenset({
    "ACL", "BLOB COMMENTS", "BLOBS", "COMMENT", "DATABASE PROPERTIES", "ENCODING", "INDEX ATTACH",
    "MATERIALIZED VIEW DATA", "ROW SECURITY", "SEARCHPATH", "SECURITY LABEL", "SEQUENCE OWNED BY", "SEQUENCE SET",
    "STATISTICS DATA", "STDSTRINGS", "TABLE ATTACH", "TABLE DATA",
})  # fmt: skip
# The OID of pg_default_acl.
_DEFAULT_ACL = "826"
DATA = frozenset({"TABLE DATA", "SEQUENCE SET", "BLOBS", "BLOB COMMENTS"})
AFTER_DATA = frozenset({
    "CHECK CONSTRAINT", "CONSTRAINT", "FK CONSTRAINT", "INDEX", "INDEX ATTACH", "POLICY", "PUBLICATION",
    "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "ROW SECURITY", "RULE", "STATISTICS", "TRIGGER",
})  # fmt: skip
# The last kinds before the event triggers, which come at the end because later statements would fire them.
FINISH = frozenset({"ACL", "COMMENT", "DEFAULT ACL", "SECURITY LABEL", "STATISTICS DATA"})
LEFT_OUT = frozenset({"DATABASE", "DATABASE PROPERTIES"})
# Kinds that would connect to other servers.
ELSEWHERE = frozenset({"SUBSCRIPTION", "SUBSCRIPTION TABLE", "USER MAPPING"})
# Privileges that the owner's code needs while rows are restored. Those on functions and types come later, because
# PUBLIC has them by default.
_RIGHTS_FIRST = ("SCHEMA ", "TABLE ", "SEQUENCE ", "COLUMN ")


@dataclass(frozen=True)
class Entry:
    """One line of ``pg_restore --list``."""

    line: str
    oid: int
    kind: str
    schema: str
    tag: str
    owner: str

    @property
    def sentence(self) -> str:
        """Return the name of the entry for messages."""
        return " ".join(part for part in (self.kind.lower(), self.schema, self.tag) if part not in ("", "-"))


@dataclass
class Segment:
    """Entries that one login restores in order; ``owner`` is None for the superuser."""

    owner: str | None
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class Steps:
    """The entries of a dump in the order of the restore."""

    schemas: list[Segment]
    definitions: list[Segment]
    attachments: list[Segment]
    rights: list[Segment]
    data: list[Entry]
    after: list[Segment]
    refreshes: list[Segment]
    finish: list[Segment]
    event_triggers: list[Segment]
    left_out: list[Entry]


def shown(name: str) -> str:
    """Return a name as pg_restore lists it: with a space for each line break."""
    return name.replace("\n", " ").replace("\r", " ")


def parse(text: str, roles: Collection[str]) -> list[Entry]:
    """Return the entries in the output of ``pg_restore --list``; ``roles`` lists all roles that may be owners.

    Raises TenancyError for an unknown kind, and for an owner that does not exist as a role on this server.
    """
    entries = []
    for line in text.split("\n"):
        found = _LINE.fullmatch(line)
        if not found:
            continue
        words = found["text"]
        kind = _kind(words, found["catalog"])
        if kind is None:
            raise TenancyError(f"The dump contains an object that this runbook cannot restore: {words}.")
        schema, _, rest = words[len(kind) + 1 :].partition(" ")
        # The line ends with the owner: the longest role name that matches. Some entries have no owner.
        owners = [role for role in roles if rest.endswith(f" {role}")]
        owner = max(owners, key=len, default="")
        if not owner and kind in EXPRESSIONS:
            raise TenancyError(
                f"The dump contains {kind.lower()} {rest}, whose owner does not exist as a role on this server: "
                "create that role first."
            )
        tag = rest[: -len(owner) - 1] if owner else rest.strip()
        entries.append(Entry(line, int(found["oid"]), kind, schema, tag, owner))
    return entries


def _kind(words: str, catalog: str) -> str | None:
    """Return the kind at the beginning of an entry's text, or None if it is unknown."""
    found = [kind for kind in _KINDS if words.startswith(f"{kind} ")]
    if len(found) > 1:
        found = [
            kind
            for kind in found
            if (kind in _NO_OBJECTS) == (catalog == "0") and (kind == "DEFAULT ACL") <= (catalog == _DEFAULT_ACL)
        ]
    return found[0] if found else None


_PARTS = (
    "schemas", "definitions", "attachments", "rights", "data", "after", "refreshes", "finish", "event_triggers",
)  # fmt: skip


def steps(
    entries: Iterable[Entry],
    *,
    superusers: Collection[str],
    privileged: Collection[tuple[str, str]],
    excluded: Collection[str],
    unrefreshed: Collection[tuple[str, str]] = (),
) -> Steps:
    """Return the entries in the order of the restore, with the role that restores each.

    The superuser restores the objects that the roles in ``superusers`` own. ``privileged`` lists, by schema and tag,
    functions that an ordinary role cannot create, even as their owner. ``excluded`` lists kinds that are omitted.
    ``unrefreshed`` lists, by schema and name, materialized views that remain unpopulated.
    """
    parts: dict[str, list[Entry]] = {name: [] for name in _PARTS}
    left_out = []
    for entry in entries:
        if entry.kind in LEFT_OUT:
            continue
        if _is_excluded(entry, excluded) or (
            entry.kind == "MATERIALIZED VIEW DATA" and (entry.schema, entry.tag) in unrefreshed
        ):
            left_out.append(entry)
        else:
            parts[_part(entry)].append(entry)
    data = parts.pop("data")
    return Steps(
        **{name: _segments(part, superusers, privileged) for name, part in parts.items()}, data=data, left_out=left_out
    )


def _is_excluded(entry: Entry, kinds: Collection[str]) -> bool:
    subject = entry.tag.partition(" ")[0]
    return entry.kind in kinds or (entry.kind in ("COMMENT", "SECURITY LABEL") and subject in kinds)


def _part(entry: Entry) -> str:
    """Return the step that restores an entry."""
    if entry.kind in DATA:
        return "data"
    if entry.kind == "EVENT TRIGGER" or (
        entry.kind in ("COMMENT", "SECURITY LABEL") and entry.tag.startswith("EVENT TRIGGER ")
    ):
        return "event_triggers"
    if entry.kind in FINISH:
        return "rights" if entry.kind == "ACL" and entry.tag.startswith(_RIGHTS_FIRST) else "finish"
    # No other definition depends on the attachment of a partition.
    named = {"SCHEMA": "schemas", "TABLE ATTACH": "attachments", "MATERIALIZED VIEW DATA": "refreshes"}
    return named.get(entry.kind, "after" if entry.kind in AFTER_DATA else "definitions")


def _segments(
    part: Sequence[Entry], superusers: Collection[str], privileged: Collection[tuple[str, str]]
) -> list[Segment]:
    """Return the entries in their order, grouped into sequences that one role restores."""
    found: list[Segment] = []
    for entry in part:
        ordinary = (
            entry.kind in EXPRESSIONS
            and entry.owner not in superusers
            and not (entry.kind in _FUNCTIONS and (entry.schema, entry.tag) in privileged)
        )
        owner = entry.owner if ordinary else None
        if not found or found[-1].owner != owner:
            found.append(Segment(owner))
        found[-1].entries.append(entry)
    return found


def without(entries: Iterable[Entry], keys: Collection[tuple[str, str, str]]) -> list[Entry]:
    """Return the entries except ``keys`` (kind, schema and tag), and except attachments of the indexes in ``keys``."""
    left_out = {*keys, *(("INDEX ATTACH", schema, tag) for kind, schema, tag in keys if kind == "INDEX")}
    return [entry for entry in entries if (entry.kind, entry.schema, entry.tag) not in left_out]


def parent(statement: str, entry: Entry) -> tuple[str, str]:
    """Return the schema and name of the table to which ``statement``, the output of pg_restore, attaches a partition.

    Raises TenancyError if the output does not attach this partition.
    """
    found = _ATTACH.search(statement)
    names = [_unquoted(name) for name in found.groups()] if found else []
    if names[2:] != [entry.schema, entry.tag]:
        raise TenancyError(f"The dump does not show which table the partition {entry.schema}.{entry.tag} belongs to.")
    return names[0], names[1]


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def owners(entries: Iterable[Entry], superusers: Collection[str]) -> list[str]:
    """Return the ordinary roles whose objects may contain expressions: each needs its own login for the restore."""
    return sorted(
        {entry.owner for entry in entries if entry.kind in EXPRESSIONS and entry.owner not in superusers} - {""}
    )


def referring(entries: Iterable[Entry]) -> set[tuple[str, str]]:
    """Return the schema and name of the tables with a foreign key: a sample of their rows could reference missing
    rows."""
    return {
        (entry.schema, entry.tag.rpartition(" ")[0]) for entry in entries if entry.kind == "FK CONSTRAINT"
    }  # fmt: skip
