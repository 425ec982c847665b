"""What a dump holds, and who restores which part of it: the owner's code runs with no more rights than its owner has.

A definition is parsed, planned or evaluated while it is made: a literal of a domain's array in a default calls the
domain's CHECK, a generated column is planned, a partition's bound is evaluated, a constraint reads every row, and an
index that is attached is compared with the other one, for which constants in both are computed. So
all that may hold an expression is restored by a login that is a member of its owner alone; the rest, and what an
ordinary role may not make, by the superuser.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from .errors import TenancyError

# pg_restore --list: number; catalog's oid, object's oid, kind, schema, name, owner.
_LINE = re.compile(r"(?P<number>\d+); (?P<catalog>\d+) (?P<oid>\d+) (?P<text>.*)", re.DOTALL)

# As pg_dump writes it, with the schemas' names.
_NAME = r'([a-z_][a-z0-9_]*|"(?:[^"]|"")+")'
_ATTACH = re.compile(rf"(?m)^ALTER TABLE ONLY {_NAME}\.{_NAME} ATTACH PARTITION {_NAME}\.{_NAME} ")

# Kinds that may hold an expression of their owner, or that evaluate one.
EXPRESSIONS = frozenset({
    "AGGREGATE", "CHECK CONSTRAINT", "CONSTRAINT", "DEFAULT", "DOMAIN", "FK CONSTRAINT", "FOREIGN TABLE", "FUNCTION",
    "INDEX", "INDEX ATTACH", "MATERIALIZED VIEW", "MATERIALIZED VIEW DATA", "POLICY", "PROCEDURE", "RULE", "STATISTICS",
    "TABLE", "TABLE ATTACH", "TABLE DATA", "TRIGGER", "VIEW",
})  # fmt: skip
# Kinds that an ordinary role may not make in every language and with every setting.
_FUNCTIONS = ("FUNCTION", "PROCEDURE")
# Kinds that hold none, or that only a superuser makes.
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
# Kinds that are no object of a catalog. A schema may be called as the rest of a kind is: what the listing says of the
# catalog tells an index in a schema ATTACH from an INDEX ATTACH.
_NO_OBJECTS = frozenset({
    "ACL", "BLOB COMMENTS", "BLOBS", "COMMENT", "DATABASE PROPERTIES", "ENCODING", "INDEX ATTACH",
    "MATERIALIZED VIEW DATA", "ROW SECURITY", "SEARCHPATH", "SECURITY LABEL", "SEQUENCE OWNED BY", "SEQUENCE SET",
    "STATISTICS DATA", "STDSTRINGS", "TABLE ATTACH", "TABLE DATA",
})  # fmt: skip
# pg_default_acl.
_DEFAULT_ACL = "826"
DATA = frozenset({"TABLE DATA", "SEQUENCE SET", "BLOBS", "BLOB COMMENTS"})
AFTER_DATA = frozenset({
    "CHECK CONSTRAINT", "CONSTRAINT", "FK CONSTRAINT", "INDEX", "INDEX ATTACH", "POLICY", "PUBLICATION",
    "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "ROW SECURITY", "RULE", "STATISTICS", "TRIGGER",
})  # fmt: skip
# Last of all, the refreshes aside: whatever comes after an event trigger fires it.
FINISH = frozenset({"ACL", "COMMENT", "DEFAULT ACL", "SECURITY LABEL", "STATISTICS DATA"})
LEFT_OUT = frozenset({"DATABASE", "DATABASE PROPERTIES"})
# What would reach other servers.
ELSEWHERE = frozenset({"SUBSCRIPTION", "SUBSCRIPTION TABLE", "USER MAPPING"})
# Rights that the owner's code needs while rows are stored; those on functions and types come last, since without them
# everybody has them.
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
        """Return how it is called in messages."""
        return " ".join(part for part in (self.kind.lower(), self.schema, self.tag) if part not in ("", "-"))


@dataclass
class Segment:
    """Entries that one login restores, one after the other; ``owner`` is None for the superuser's."""

    owner: str | None
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class Steps:
    """The entries of a dump in the order in which they are restored."""

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
    """Return a name as pg_restore lists it: with a blank for each line break."""
    return name.replace("\n", " ").replace("\r", " ")


def parse(text: str, roles: Collection[str]) -> list[Entry]:
    """Return the entries of ``pg_restore --list``, whose owners are among ``roles``.

    Raises TenancyError for a kind that is not known, and for an owner whom this server does not have.
    """
    entries = []
    for line in text.split("\n"):
        found = _LINE.fullmatch(line)
        if not found:
            continue
        words = found["text"]
        kind = _kind(words, found["catalog"])
        if kind is None:
            raise TenancyError(f"The dump holds what this runbook does not know how to restore: {words}.")
        schema, _, rest = words[len(kind) + 1 :].partition(" ")
        # The longest name, since one may end like another. Some entries have no owner.
        owners = [role for role in roles if rest.endswith(f" {role}")]
        owner = max(owners, key=len, default="")
        if not owner and kind in EXPRESSIONS:
            raise TenancyError(
                f"The dump holds {kind.lower()} {rest}, whose owner is no role of this server: create that role first."
            )
        tag = rest[: -len(owner) - 1] if owner else rest.strip()
        entries.append(Entry(line, int(found["oid"]), kind, schema, tag, owner))
    return entries


def _kind(words: str, catalog: str) -> str | None:
    """Return the kind with which the text of an entry begins; None where it is not known."""
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
    """Return who restores what, in which order.

    ``superusers`` are the roles whose objects the superuser restores; ``privileged`` names, by schema and tag,
    functions that an ordinary role may not make whoever owns them; ``excluded`` are kinds that stay out;
    ``unrefreshed`` names, by schema and name, materialized views that stay empty.
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
    """Return the step in which an entry is restored."""
    if entry.kind in DATA:
        return "data"
    if entry.kind == "EVENT TRIGGER" or (
        entry.kind in ("COMMENT", "SECURITY LABEL") and entry.tag.startswith("EVENT TRIGGER ")
    ):
        return "event_triggers"
    if entry.kind in FINISH:
        return "rights" if entry.kind == "ACL" and entry.tag.startswith(_RIGHTS_FIRST) else "finish"
    # Nothing else of the definitions needs what attaches a partition.
    named = {"SCHEMA": "schemas", "TABLE ATTACH": "attachments", "MATERIALIZED VIEW DATA": "refreshes"}
    return named.get(entry.kind, "after" if entry.kind in AFTER_DATA else "definitions")


def _segments(
    part: Sequence[Entry], superusers: Collection[str], privileged: Collection[tuple[str, str]]
) -> list[Segment]:
    """Return the entries in their order, in runs that the same role restores."""
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
    """Return the entries but those named by kind, schema and tag, and what would attach an index among those."""
    left_out = {*keys, *(("INDEX ATTACH", schema, tag) for kind, schema, tag in keys if kind == "INDEX")}
    return [entry for entry in entries if (entry.kind, entry.schema, entry.tag) not in left_out]


def parent(statement: str, entry: Entry) -> tuple[str, str]:
    """Return schema and name of the table to which a partition is attached; ``statement`` is what pg_restore says.

    Raises TenancyError where it says something else.
    """
    found = _ATTACH.search(statement)
    names = [_unquoted(name) for name in found.groups()] if found else []
    if names[2:] != [entry.schema, entry.tag]:
        raise TenancyError(f"The dump does not say to which table the partition {entry.schema}.{entry.tag} belongs.")
    return names[0], names[1]


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def owners(entries: Iterable[Entry], superusers: Collection[str]) -> list[str]:
    """Return the roles over whose logins something is restored."""
    return sorted(
        {entry.owner for entry in entries if entry.kind in EXPRESSIONS and entry.owner not in superusers} - {""}
    )


def referring(entries: Iterable[Entry]) -> set[tuple[str, str]]:
    """Return schema and name of the tables that have a foreign key: a sample of their rows would refer to nothing."""
    return {
        (entry.schema, entry.tag.rpartition(" ")[0]) for entry in entries if entry.kind == "FK CONSTRAINT"
    }  # fmt: skip
