"""Restore a dump into a new database; each owner's code runs with at most that owner's privileges.

The superuser restores objects without code. A login that is a member of only one ordinary role restores that role's
objects (``toc``), so that the role's code cannot gain privileges. An ordinary login also restores the rows of
superusers' tables. For the duration of the restore, an owner gets privileges that it lacks, such as CREATE in a schema.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg2
from psycopg2 import sql

from . import messages, sessions, toc
from .errors import TenancyError
from .identity import acting_as

# The number of rows of each table that are restored with the definitions.
SAMPLE_ROWS = 100
LOGIN_NAME = "tenancy_restore_"
# The comment by which a run recognizes logins that a lost run left behind.
MARK = "Login of a restore, removed at its end"
# An ordinary role cannot change every setting that an administrator's session changes.
ORDINARY = {
    "search_path": "pg_catalog,pg_temp", "statement_timeout": "0", "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0", "default_transaction_read_only": "off",
}  # fmt: skip

ROLES = "SELECT rolname::text, rolsuper FROM pg_catalog.pg_roles"
# Functions that an ordinary role cannot create, even as their owner.
PRIVILEGED = """
SELECT n.nspname::text, pg_catalog.format('%%s(%%s)', p.proname, pg_catalog.oidvectortypes(p.proargtypes))
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
  -- The language of an aggregate is internal, but any role may create an aggregate.
  AND p.prokind <> 'a'
  AND (NOT l.lanpltrusted OR p.proleakproof OR p.prosupport <> 0
    OR EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) AS c (entry)
               JOIN pg_catalog.pg_settings s ON s.name = pg_catalog.split_part(c.entry, '=', 1)
               WHERE s.context = 'superuser'))
"""
# Every object that an expression of an object in "start" calls, with the number of the object in "start". They are
# functions (also those of operators, operator classes and domains) and views, whose queries run whenever the view is
# read. Tables and materialized views are excluded, because they contain only data.
_REACHED = """
reached (number, classid, objid) AS (
  SELECT number, classid, objid FROM start
  UNION
  SELECT f.number, e.classid, e.objid
  FROM reached f
  CROSS JOIN LATERAL (
    SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d
    WHERE d.classid = f.classid AND d.objid = f.objid AND d.deptype <> 'e'
      AND NOT (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND EXISTS (
        SELECT FROM pg_catalog.pg_class c WHERE c.oid = d.objid AND c.relkind NOT IN ('i', 'I')))
    UNION ALL
    SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, w.oid
    FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class AND c.relkind = 'v'
    WHERE f.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND w.ev_class = f.objid
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid FROM pg_catalog.pg_constraint k
    WHERE f.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND k.contypid = f.objid
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, a.atttypid
    FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE f.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = f.objid
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.amproc::pg_catalog.oid FROM pg_catalog.pg_amproc p
    WHERE f.classid = 'pg_catalog.pg_opfamily'::pg_catalog.regclass AND p.amprocfamily = f.objid
  ) AS e (classid, objid)
),
-- The reached objects that an ordinary role owns, and may have replaced.
code (number) AS (
  SELECT f.number FROM reached f JOIN pg_catalog.pg_proc p ON p.oid = f.objid
  JOIN pg_catalog.pg_roles o ON o.oid = p.proowner AND NOT o.rolsuper
  WHERE f.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  UNION ALL
  SELECT f.number FROM reached f
  JOIN pg_catalog.pg_constraint k ON k.oid = f.objid AND k.contypid <> 0 AND k.contype = 'c'
  JOIN pg_catalog.pg_type t ON t.oid = k.contypid
  JOIN pg_catalog.pg_roles o ON o.oid = t.typowner AND NOT o.rolsuper
  WHERE f.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
  UNION ALL
  SELECT f.number FROM reached f JOIN pg_catalog.pg_class c ON c.oid = f.objid AND c.relkind = 'v'
  JOIN pg_catalog.pg_roles o ON o.oid = c.relowner AND NOT o.rolsuper
  WHERE f.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
)
"""
# Indexes and keys of a superuser's tables that would run an ordinary role's code as the superuser. They are identified
# by kind, schema and tag, as in a dump's listing.
RISKY_KEYS = f"""
WITH RECURSIVE own AS (
  SELECT c.oid, c.relname, n.nspname FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  JOIN pg_catalog.pg_roles r ON r.oid = c.relowner AND r.rolsuper
),
start (number, classid, objid, kind, schema, tag) AS (
  SELECT i.indexrelid, 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid,
         CASE WHEN k.oid IS NULL THEN 'INDEX' ELSE 'CONSTRAINT' END, t.nspname::text,
         CASE WHEN k.oid IS NULL THEN x.relname::text ELSE pg_catalog.concat(t.relname, ' ', k.conname) END
  FROM pg_catalog.pg_index i
  JOIN own t ON t.oid = i.indrelid
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
  UNION ALL
  -- A foreign key between columns of different types uses casts, but pg_depend does not list them.
  SELECT k.oid, 'pg_catalog.pg_proc'::pg_catalog.regclass, s.castfunc, 'FK CONSTRAINT', t.nspname::text,
         pg_catalog.concat(t.relname, ' ', k.conname)
  FROM pg_catalog.pg_constraint k
  JOIN own t ON t.oid = k.conrelid
  CROSS JOIN LATERAL pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u (own, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.own
  JOIN pg_catalog.pg_attribute b
    ON b.attrelid = k.confrelid AND b.attnum = k.confkey[u.place] AND b.atttypid <> a.atttypid
  CROSS JOIN LATERAL (
    WITH RECURSIVE part (oid) AS (
      VALUES (a.atttypid), (b.atttypid)
      UNION
      SELECT y.oid FROM part JOIN pg_catalog.pg_type x ON x.oid = part.oid
      JOIN pg_catalog.pg_type y ON y.oid IN (x.typbasetype, x.typelem)
    )
    SELECT oid FROM part) AS p
  JOIN pg_catalog.pg_cast s ON s.castsource = p.oid AND s.castcontext = 'i' AND s.castmethod = 'f'
  WHERE k.contype = 'f'
),
{_REACHED}
SELECT DISTINCT s.kind, s.schema, s.tag FROM start s JOIN code c ON c.number = s.number
"""
# Superusers' materialized views whose queries would run an ordinary role's code.
RISKY_VIEWS = f"""
WITH RECURSIVE start (number, classid, objid) AS (
  SELECT c.oid, 'pg_catalog.pg_rewrite'::pg_catalog.regclass, w.oid
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_roles r ON r.oid = c.relowner AND r.rolsuper
  JOIN pg_catalog.pg_rewrite w ON w.ev_class = c.oid
  WHERE c.relkind = 'm'
),
{_REACHED}
SELECT DISTINCT n.nspname::text, m.relname::text
FROM code c
JOIN pg_catalog.pg_class m ON m.oid = c.number
JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace
"""
MEMBERS = """
SELECT n.nspname::text, c.relname::text
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class c ON c.oid = d.objid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e'
"""
# The tables with their original names. A listing shows a line break in a name as a space.
TABLES = """
SELECT n.nspname::text, c.relname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""
# Missing privileges, each as two statements: GRANT and REVOKE.
SCHEMA_RIGHTS = """
SELECT pg_catalog.format('GRANT %%s ON SCHEMA %%I TO %%I', r, nspname, %(owner)s::text),
       pg_catalog.format('REVOKE %%s ON SCHEMA %%I FROM %%I', r, nspname, %(owner)s::text)
FROM pg_catalog.pg_namespace CROSS JOIN (VALUES ('USAGE'), ('CREATE')) AS v (r)
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  -- An owner needs CREATE only in schemas that contain its objects.
  AND (r = 'USAGE' OR nspname = ANY (%(schemas)s))
  AND NOT pg_catalog.has_schema_privilege(%(owner)s, oid, r)
"""
TABLESPACE_RIGHTS = """
SELECT pg_catalog.format('GRANT CREATE ON TABLESPACE %%I TO %%I', spcname, %(owner)s::text),
       pg_catalog.format('REVOKE CREATE ON TABLESPACE %%I FROM %%I', spcname, %(owner)s::text)
FROM pg_catalog.pg_tablespace
WHERE spcname !~ '^pg_' AND NOT pg_catalog.has_tablespace_privilege(%(owner)s, oid, 'CREATE')
"""
SERVER_RIGHTS = """
SELECT pg_catalog.format('GRANT USAGE ON FOREIGN SERVER %%I TO %%I', srvname, %(owner)s::text),
       pg_catalog.format('REVOKE USAGE ON FOREIGN SERVER %%I FROM %%I', srvname, %(owner)s::text)
FROM pg_catalog.pg_foreign_server
WHERE %(foreign_tables)s AND NOT pg_catalog.has_server_privilege(%(owner)s, oid, 'USAGE')
"""
# An owner needs all these privileges on its own tables, and REFERENCES on other tables if it owns foreign keys.
TABLE_RIGHTS = """
SELECT pg_catalog.format('GRANT %%s ON %%I.%%I TO %%I', r, n.nspname, c.relname, %(owner)s::text),
       pg_catalog.format('REVOKE %%s ON %%I.%%I FROM %%I', r, n.nspname, c.relname, %(owner)s::text)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('REFERENCES'), ('TRIGGER')) AS v (r)
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (pg_catalog.pg_get_userbyid(c.relowner) = %(owner)s
    OR (r = 'REFERENCES' AND c.relkind IN ('r', 'p') AND %(keys)s))
  AND NOT pg_catalog.has_table_privilege(%(owner)s, c.oid, r)
"""


class RestoreError(TenancyError):
    """The dump cannot be restored; the message names the object and the cause."""


@dataclass
class Target:
    """The database that receives a dump, and how to connect to it.

    With ``may_stay_empty``, a materialized view may remain unpopulated if it reads from a server to which the copy
    cannot connect. ``host`` is the directory of the server's socket, or "" for libpq's default. ``logins`` contains the
    connection parameters of this restore's logins, and ``password`` their password, or "" if none is needed.
    """

    user: str
    database: str
    port: int
    host: str
    files: str
    pg_restore: str
    jobs: int
    lists: str
    logins: Mapping[str, str]
    password: str = ""
    verifier: str = ""
    tablespaces: bool = False
    excluded: Collection[str] = ()
    privileged: Collection[tuple[str, str]] = ()
    risky_keys: Collection[tuple[str, str, str]] = ()
    samples: bool = False
    may_stay_empty: bool = False
    prefix: str = LOGIN_NAME
    low_priority: Sequence[str] = field(default_factory=tuple)


def make_login(name: str, verifier: str) -> Any:
    """Return the statements that create a login for a restore; ``verifier`` is "" if the login needs no password."""
    password = sql.SQL("PASSWORD {}").format(sql.Literal(verifier)) if verifier else sql.SQL("")
    made = sql.SQL("CREATE ROLE {0} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE {1}; COMMENT ON ROLE {0} IS {2}")
    return made.format(sql.Identifier(name), password, sql.Literal(MARK))


def _required_privileges(entries: Sequence[toc.Entry], owner: str) -> dict[str, Any]:
    """Return the schemas in which an owner has objects, and whether it owns foreign keys and foreign tables."""
    own = [entry for entry in entries if entry.owner == owner]
    kinds = {entry.kind for entry in own}
    return {
        "schemas": sorted({entry.schema for entry in own}), "keys": "FK CONSTRAINT" in kinds,
        "foreign_tables": "FOREIGN TABLE" in kinds,
    }  # fmt: skip


def login_names(prefix: str, owners: Sequence[str]) -> dict[str | None, str]:
    """Return a mapping from each owner to its login's name, and from None to the login for superusers' rows."""
    named: dict[str | None, str] = {None: f"{prefix}0"}
    return named | {owner: f"{prefix}{number}" for number, owner in enumerate(owners, start=1)}


def sentence(text: str) -> str:
    """Return a pg_restore error as one sentence: the object, and PostgreSQL's error without rows and statements."""
    where = re.search(r"from TOC entry \d+; \d+ \d+ (.*)", text)
    what = re.search(r"(?s)(?:ERROR|FATAL|error):\s+(.*?)(?=\nCommand was:|\npg_restore:|\Z)", text)
    message = messages.without_values((what.group(1) if what else text).strip())
    message = re.sub(r"^could not execute query: ERROR:\s+", "", message)
    message = message.partition("\nCONTEXT:")[0].partition("\nHINT:")[0].replace("\nDETAIL:", ";")
    return f"{where.group(1)}: {message}" if where else message


class Restoring:
    """One restore; ``run`` performs it and returns sentences about objects that were omitted."""

    def __init__(self, target: Target, run: Callable[..., tuple[int, str, str]]) -> None:
        """Initialize with the target; ``run`` is the module's run_command."""
        self.target = target
        self._run_command = run
        self._revokes: list[str] = []
        self.names: dict[str | None, str] = {}

    def run(self) -> list[str]:
        """Restore the dump; return sentences about omitted objects. Raises TenancyError and psycopg2.Error."""
        target = self.target
        with self._administrator("postgres") as cursor:
            cursor.execute(ROLES)
            roles = dict(cursor.fetchall())
        superusers = {name for name, superuser in roles.items() if superuser}
        entries = toc.parse(self._list_dump(), roles)
        owners = toc.owners(entries, superusers)
        self.names = login_names(target.prefix, owners)
        self._make_logins()
        try:
            left = self._restore(entries, owners, superusers)
        except BaseException:
            # The first error is raised even if the cleanup fails. If the server is gone, its logins are gone too.
            with contextlib.suppress(psycopg2.Error):
                self._revoke_granted()
                self._drop_logins()
            raise
        return left

    def _restore(self, entries: list[toc.Entry], owners: list[str], superusers: set[str]) -> list[str]:
        """Restore the entries, and return sentences about those that were omitted."""
        target = self.target
        chosen: dict[str, Any] = {
            "superusers": superusers, "privileged": set(target.privileged), "excluded": set(target.excluded),
        }  # fmt: skip
        entries = toc.without(entries, target.risky_keys)
        entries, moved = self._attached_by_parents(entries, superusers)
        steps = toc.steps(entries, **chosen)
        referring = toc.referring(entries)
        self._restore_segments(steps.schemas)
        needs = {owner: _required_privileges(entries, owner) for owner in owners}
        self._grant_missing(needs, SCHEMA_RIGHTS, SERVER_RIGHTS, *([TABLESPACE_RIGHTS] if target.tablespaces else []))
        self._restore_segments(steps.definitions)
        with self._owned_by_parents(moved):
            self._restore_segments(steps.attachments)
        self._revoke_granted()
        self._restore_segments(steps.rights)
        self._grant_missing(needs, SCHEMA_RIGHTS, TABLE_RIGHTS, *([TABLESPACE_RIGHTS] if target.tablespaces else []))
        self._restore_data(steps.data, superusers, referring)
        with self._owned_by_parents(moved):
            self._restore_segments(steps.after, parallel=True)
        risky = self._ask(RISKY_VIEWS)
        if risky:
            steps = toc.steps(entries, **chosen, unrefreshed=risky)
        empty = self._refresh_views(steps.refreshes)
        self._revoke_granted()
        self._restore_segments(steps.finish)
        self._drop_logins()
        # The event triggers come last, because every later statement would fire them.
        self._restore_segments(steps.event_triggers)
        return [
            *(f"{entry.sentence} was left out" for entry in steps.left_out if entry.kind != "COMMENT"),
            *empty,
            *(
                f"{kind.lower()} {schema} {tag} was left out: it belongs to a superuser and runs an ordinary role's "
                "code"
                for kind, schema, tag in sorted(target.risky_keys)
            ),
        ]

    def _attached_by_parents(
        self, entries: Sequence[toc.Entry], superusers: set[str]
    ) -> tuple[list[toc.Entry], list[tuple[toc.Entry, str]]]:
        """Let ordinary roles that own partitioned tables attach the superusers' partitions of these tables.

        Return the entries with the new owners. Also return each of these partitions, with the role that owns its table.
        The role that attaches a partition or its index evaluates expressions of the table, and must own the table and
        the partition. The owner of the table gains nothing, because it can already access the partition's rows.
        """
        tables = {(entry.schema, entry.tag): entry.owner for entry in entries if entry.kind == "TABLE"}
        found, moved = [], []
        for entry in entries:
            if entry.kind == "TABLE ATTACH" and entry.owner in superusers:
                statement = self._output([f"--use-list={self._write_list([entry])}", "--file=-", self.target.files])
                owner = tables.get(toc.parent(statement, entry), entry.owner)
                if owner not in superusers:
                    moved.append((entry, owner))
                    entry = replace(entry, owner=owner)
            found.append(entry)
        return found, moved

    @contextlib.contextmanager
    def _owned_by_parents(self, partitions: Sequence[tuple[toc.Entry, str]]) -> Iterator[None]:
        """Within the block, make the owners of the partitioned tables own superusers' partitions too."""
        self._set_owners(partitions)
        yield
        self._set_owners([(entry, entry.owner) for entry, _ in partitions])

    def _set_owners(self, partitions: Sequence[tuple[toc.Entry, str]]) -> None:
        with self._administrator() as cursor:
            for entry, owner in partitions:
                table = sql.Identifier(entry.schema, entry.tag)
                cursor.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(table, sql.Identifier(owner)))

    @contextlib.contextmanager
    def _administrator(self, database: str | None = None) -> Iterator[Any]:
        """Yield a cursor of the administrator, and commit its transaction at the end."""
        target = self.target
        opened = sessions.opened(target.user, database or target.database, target.port, host=target.host)
        with opened as connection, connection, connection.cursor() as cursor:
            yield cursor

    def _ask(self, query: str) -> set[tuple[str, str]]:
        """Return the schemas and names that a query finds, in the form in which a dump lists them."""
        with self._administrator() as cursor:
            cursor.execute(query)
            return {(toc.shown(schema), toc.shown(name)) for schema, name in cursor.fetchall()}

    def _list_dump(self) -> str:
        return self._output(["--list", self.target.files])

    def _output(self, arguments: Sequence[str]) -> str:
        """Return the output of pg_restore. Raises RestoreError."""
        code, output, error = self._run([self.target.pg_restore, *arguments])
        if code != 0:
            raise RestoreError(sentence(error))
        return output

    def _make_logins(self) -> None:
        """Create a login for every owner, as a member of only that role, and a login that is a member of no role.

        Each login inherits exactly the privileges of its role, so code that resets the role gains no privileges.
        """
        with self._administrator("postgres") as cursor:
            for owner, name in self.names.items():
                cursor.execute(make_login(name, self.target.verifier))
                if owner is not None:
                    cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(owner), sql.Identifier(name)))

    def _drop_logins(self) -> None:
        with self._administrator() as cursor:
            for name in self.names.values():
                cursor.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))
        self.names = {}

    def _grant_missing(self, needs: Mapping[str, Mapping[str, Any]], *queries: str) -> None:
        """Grant the privileges that the owners lack, for the duration of the restore."""
        with self._administrator() as cursor:
            for owner, needed in needs.items():
                for query in queries:
                    cursor.execute(query, {"owner": owner, **needed})
                    for grant, revoke in cursor.fetchall():
                        cursor.execute(grant)
                        self._revokes.append(revoke)

    def _revoke_granted(self) -> None:
        """Revoke the privileges that were granted for the duration of the restore."""
        with self._administrator() as cursor:
            for statement in self._revokes:
                cursor.execute(statement)
        self._revokes = []

    def _restore_segments(
        self, segments: Sequence[toc.Segment], *, parallel: bool = False, options: Sequence[str] = ()
    ) -> None:
        for segment in segments:
            owner = None if segment.owner is None else (segment.owner,)
            self._restore_entries(segment.entries, owner, parallel=parallel, options=options)

    def _refresh_views(self, segments: Sequence[toc.Segment]) -> list[str]:
        """Populate the materialized views; return those that remain unpopulated, with the reason. Raises
        RestoreError."""
        empty = []
        for segment in segments:
            for entry in segment.entries:
                try:
                    # The view is populated with the rows that its owner sees. With row security off, a view over a
                    # table with forced row security could not be populated.
                    self._restore_segments([toc.Segment(segment.owner, [entry])], options=("--enable-row-security",))
                except RestoreError as error:
                    if not self.target.may_stay_empty:
                        raise
                    empty.append(f"materialized view {entry.schema}.{entry.tag} was left empty ({error})")
        return empty

    def _restore_data(
        self, entries: Sequence[toc.Entry], superusers: set[str], referring: set[tuple[str, str]]
    ) -> None:
        """Restore each owner's rows with that owner's login, and superusers' rows with an ordinary login.

        The administrator restores superusers' rows in extensions' tables, and everything except rows.
        """
        members = self._ask(MEMBERS)
        mine, others = [], []
        owned: dict[str, list[toc.Entry]] = {}
        for entry in entries:
            if entry.kind != "TABLE DATA" or (entry.owner in superusers and (entry.schema, entry.tag) in members):
                mine.append(entry)
            elif entry.owner in superusers:
                others.append(entry)
            else:
                owned.setdefault(entry.owner, []).append(entry)
        if others:
            with self._administrator() as cursor:
                login = sql.Identifier(self.names[None])
                listed = {(entry.schema, entry.tag) for entry in others}
                cursor.execute(TABLES)
                tables = [found for found in cursor.fetchall() if tuple(map(toc.shown, found)) in listed]
                for schema in sorted({schema for schema, _ in tables}):
                    cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), login))
                for table in tables:
                    cursor.execute(sql.SQL("GRANT INSERT ON {} TO {}").format(sql.Identifier(*table), login))
        groups: list[tuple[list[toc.Entry], tuple[str | None] | None]] = [(mine, None), (others, (None,))]
        groups += [(found, (owner,)) for owner, found in owned.items()]
        for found, owner in groups:
            if self.target.samples:
                for entry in found:
                    if entry.kind == "TABLE DATA" and (entry.schema, entry.tag) not in referring:
                        self._restore_sample(entry, owner)
            else:
                self._restore_entries(found, owner, parallel=True)

    def _connection(self, owner: tuple[str | None] | None) -> dict[str, str]:
        """Return the connection parameters for the administrator or for an owner's login."""
        target = self.target
        found = {"dbname": target.database, "application_name": sessions.APPLICATION}
        if owner is None:
            return (
                found
                | {"port": str(target.port), "options": sessions.options()}
                | ({"host": target.host} if target.host else {})
            )
        settings = ORDINARY | ({"role": owner[0]} if owner[0] is not None else {})
        return found | dict(target.logins) | {"user": self.names[owner[0]], "options": sessions.written(settings)}

    def _restore_entries(
        self,
        entries: Sequence[toc.Entry],
        owner: tuple[str | None] | None,
        *,
        parallel: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        """Restore entries in the given order."""
        if not entries:
            return
        jobs = self.target.jobs if parallel and len(entries) > 1 else 1
        code, _, error = self._run(
            [
                *self.target.low_priority, self.target.pg_restore, "--exit-on-error", *options,
                *([] if self.target.tablespaces else ["--no-tablespaces"]),
                *([f"--jobs={jobs}"] if jobs > 1 else []),
                f"--use-list={self._write_list(entries)}", f"--dbname={_conninfo(self._connection(owner))}",
                self.target.files,
            ]
        )  # fmt: skip
        if code != 0:
            raise RestoreError(sentence(error))

    def _write_list(self, entries: Sequence[toc.Entry]) -> str:
        """Return the path of a new file that lists the entries."""
        with acting_as(self.target.user):
            descriptor, path = tempfile.mkstemp(dir=self.target.lists, prefix="list-")
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write("".join(f"{entry.line}\n" for entry in entries))
        return path

    def _restore_sample(self, entry: toc.Entry, owner: tuple[str | None] | None) -> None:
        """Restore at most SAMPLE_ROWS rows of a table, in the order of the dump."""
        command = [
            *self.target.low_priority,
            self.target.pg_restore,
            f"--use-list={self._write_list([entry])}",
            "--file=-",
            self.target.files,
        ]
        with acting_as(self.target.user):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if process.stdout is None:
            raise AssertionError
        try:
            statement = ""
            rows: list[bytes] = []
            for line in process.stdout:
                if not statement:
                    statement = line.decode() if line.startswith(b"COPY ") else ""
                elif line.rstrip(b"\n") == b"\\." or len(rows) >= SAMPLE_ROWS:
                    break
                else:
                    rows.append(line)
            else:
                # The output ended without the end-of-data marker.
                raise RestoreError(f"{entry.sentence}: pg_restore ended before it wrote the last row")
        finally:
            process.kill()
            process.wait()
        if not rows:
            return
        with acting_as(self.target.user):
            connection = psycopg2.connect(**self._connection(owner), **self._password(owner))
        try:
            with connection, connection.cursor() as cursor, tempfile.TemporaryFile() as file:
                file.writelines(rows)
                file.seek(0)
                cursor.copy_expert(statement.rstrip().rstrip(";"), file)
        finally:
            connection.close()

    def _password(self, owner: tuple[str | None] | None) -> dict[str, str]:
        return {"password": self.target.password} if owner is not None and self.target.password else {}

    def _run(self, command: list[str]) -> tuple[int, str, str]:
        """Run a program as the database's system user."""
        environment = {"PGPASSWORD": self.target.password} if self.target.password else {}
        with acting_as(self.target.user):
            code, output, error = self._run_command(command, environ_update=environment)
        return int(code), str(output), str(error)


def _conninfo(parameters: Mapping[str, str]) -> str:
    """Return libpq's connection string."""

    def quoted(value: str) -> str:
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    return " ".join(f"{name}={quoted(value)}" for name, value in parameters.items())


def pg_restore_that_reads(run: Callable[..., tuple[int, str, str]], user: str, directory: str, files: str) -> str:
    """Return a pg_restore that can read the dump: the server's own, or the one in PATH. Raises RestoreError."""
    error = ""
    for program in (os.path.join(directory, "pg_restore"), "pg_restore"):
        if os.path.isabs(program) and not os.access(program, os.X_OK):
            continue
        with acting_as(user):
            code, _, error = run([program, "--list", files])
        if code == 0:
            return program
    raise RestoreError(f"No pg_restore on this server can read the dump: {sentence(error)}")
