"""The single transaction of a run: locks, statements, the isolation proof. Any error rolls back everything.

``plan.document`` creates the document, and this module runs it on the server.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg2
from psycopg2 import errors as database_errors

from . import clients, messages, open_transactions, outcomes, sessions
from .errors import TenancyError
from .quoting import dollar_quoted, identifier

# A setting for this transaction's session: an idle session would keep its locks, so the server terminates it soon.
SETTINGS: Mapping[str, str] = {"idle_in_transaction_session_timeout": "2s"}

# Every target must be a table: a view runs its functions with the privileges of the role that reads it. The query runs
# once for all targets, because callers wait while it runs.
KINDS = """
SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%s::regclass[]) AND c.relkind NOT IN ('r', 'p')
ORDER BY array_position(%s::regclass[], c.oid::regclass)
LIMIT 1
"""
# The files of each table and all its partitions, and the writes to them in this transaction, including those that were
# rolled back. The arguments are the names in the result, and the tables.
COUNTERS = """
SELECT json_object_agg(t.name, found.counters)
FROM unnest(%s::text[], %s::text[]) AS t (name, target)
CROSS JOIN LATERAL (
  SELECT json_build_object(
    'files', json_agg(pg_relation_filenode(relid) ORDER BY relid),
    'inserted', sum(pg_stat_get_xact_tuples_inserted(relid)),
    'updated', sum(pg_stat_get_xact_tuples_updated(relid)),
    'deleted', sum(pg_stat_get_xact_tuples_deleted(relid))) AS counters
  FROM (SELECT t.target::regclass AS relid UNION SELECT relid FROM pg_partition_tree(t.target::regclass)) AS tree
) AS found
"""
# The tables with their partitions, and all their indexes. Each result is added to the earlier ones, because the
# transaction may drop an index after reading from it.
READABLE = """
WITH tree AS (
  SELECT name::regclass::oid AS oid FROM unnest(%s::text[]) AS t (name)
  UNION SELECT p.relid FROM unnest(%s::text[]) AS t (name) CROSS JOIN LATERAL pg_partition_tree(name::regclass) AS p
)
SELECT oid::bigint, true FROM tree
UNION SELECT i.indexrelid::bigint, false FROM tree JOIN pg_index i ON i.indrelid = tree.oid
"""
# The number of rows that this transaction has read, by sequential scans and through indexes. The number includes rows
# that ALTER TABLE and CREATE INDEX scanned, and rows that a rolled-back subtransaction read.
TUPLES = """
SELECT coalesce(sum(pg_stat_get_xact_tuples_fetched(t.oid::oid)
  + CASE WHEN t.is_table THEN pg_stat_get_xact_tuples_returned(t.oid::oid) ELSE 0 END), 0)::bigint
FROM unnest(%s::bigint[], %s::boolean[]) AS t (oid, is_table)
"""
# The names that may appear in an error from the proof: tables, partitions, columns, constraints, indexes and types, as
# they are before the first attempt. With the arrays, PostgreSQL looks up their elements instead of reading the whole
# catalogs.
NAMES = """
WITH tree (oids) AS (
  SELECT array_agg(oid::oid) FROM (
    SELECT name::regclass AS oid FROM unnest(%s::text[]) AS t (name)
    UNION SELECT p.relid FROM unnest(%s::text[]) AS t (name) CROSS JOIN LATERAL pg_partition_tree(name::regclass) AS p
  ) AS relation
),
part (indexes, types) AS (
  SELECT ARRAY(SELECT indexrelid FROM pg_index WHERE indrelid = ANY (oids)),
         ARRAY(SELECT atttypid FROM pg_attribute WHERE attrelid = ANY (oids))
  FROM tree
)
SELECT array_agg(name) FROM (
  SELECT relname::text AS name FROM pg_class WHERE oid = ANY ((SELECT oids || indexes FROM tree, part)::oid[])
  UNION SELECT attname FROM pg_attribute WHERE attrelid = ANY ((SELECT oids FROM tree)::oid[])
  UNION SELECT conname FROM pg_constraint WHERE conrelid = ANY ((SELECT oids FROM tree)::oid[])
  UNION SELECT typname FROM pg_type WHERE oid = ANY ((SELECT types FROM part)::oid[])
  UNION SELECT conname FROM pg_constraint WHERE contypid = ANY ((SELECT types FROM part)::oid[])
) AS known
"""
# The settings of the service's login; later entries override earlier ones. For settings that the administrator's
# sessions change, the server's own value comes first.
LOGIN_SETTINGS = """
WITH filed AS (
  SELECT DISTINCT ON (lower(name)) lower(name) AS name, setting
  FROM pg_catalog.pg_file_settings WHERE applied ORDER BY lower(name), seqno DESC
)
SELECT json_agg(json_build_array(name, value) ORDER BY place, number) FROM (
  SELECT 0 AS place, 0::bigint AS number, k.name, coalesce(f.setting, k.boot_val) AS value
  FROM pg_catalog.pg_settings k LEFT JOIN filed f ON f.name = lower(k.name)
  WHERE k.name = ANY (%(ours)s) AND coalesce(f.setting, k.boot_val) IS NOT NULL
  UNION ALL
  SELECT 1 + 2 * (s.setrole <> 0)::int + (s.setdatabase <> 0)::int, x.number,
         split_part(x.entry, '=', 1), substr(x.entry, strpos(x.entry, '=') + 1)
  FROM pg_catalog.pg_db_role_setting s
  CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY AS x (entry, number)
  WHERE s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %(role)s))
    AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
) AS found
"""
# Settings that do not come from the login, because the proof itself sets the tenants and the time limits.
NOT_THE_LOGINS = {"role", "session_authorization", "row_security", "lock_timeout", "statement_timeout"}


# After these errors, a later attempt may succeed in locking the tables.
BUSY = (database_errors.LockNotAvailable, database_errors.DeadlockDetected)
# Seconds before the second attempt. Each further pause is PAUSE seconds longer, up to LONGEST_PAUSE.
PAUSE, LONGEST_PAUSE = 0.05, 1.0


class BusyError(TenancyError):
    """The transaction was rolled back because other sessions blocked it. A later attempt may succeed."""


class CommitError(TenancyError):
    """The session was lost during COMMIT, so it is not known whether the transaction was committed."""


def run(
    connection: Any,
    guard: Any,
    wanted: Mapping[str, Any],
    *,
    commits: bool = True,
    check: Callable[[Any], None] | None = None,
) -> dict[str, Any]:
    """Run the document ``wanted`` in one transaction. ``guard``, a connection in autocommit mode, limits its duration.

    The transaction is rolled back unless ``commits`` is true. ``check`` is called with the transaction's cursor once
    the tables are locked. If ``check`` raises BusyError, or if a lock is not free, the transaction is rolled back. It
    is then retried for ``patience`` seconds, a value in the document.

    Returns findings (of the proof, in the order of its attempts) and rows (the count for each counted table). Also
    returns durations (in seconds, by the id of the statement), the total seconds and the transaction ID. ``attempts``
    is the number of attempts, and ``locked`` the seconds for which the last one locked the tables. ``tuples_read`` is
    the number of table rows that the change read, including PostgreSQL's own scans, and ``proof_tuples_read`` the
    number that the proof read. Parallel workers' rows are not included. Raises CommitError if the transaction may have
    been committed. After psycopg2.Error, outcomes.ProofError, sessions.TimeLimitError or BusyError, it was not.
    """
    deadline = time.monotonic() + wanted["patience"]
    attempt = 1
    while True:
        try:
            return {**_attempt(connection, guard, wanted, commits, check), "attempts": attempt}
        except (*BUSY, BusyError) as error:
            connection.rollback()
            if not wanted["patience"]:
                raise
            if time.monotonic() > deadline:
                raise _busy(error, guard, wanted, attempt) from error
        time.sleep(min(LONGEST_PAUSE, PAUSE * attempt))
        attempt += 1


def _attempt(
    connection: Any, guard: Any, wanted: Mapping[str, Any], commits: bool, check: Callable[[Any], None] | None
) -> dict[str, Any]:
    is_committing = False
    try:
        with connection.cursor() as cursor, sessions.bounded(connection, guard, wanted["seconds"], "The transaction"):
            result = work(cursor, guard, wanted, check)
            is_committing = commits
            # A deferred trigger may still run at this point.
            if commits:
                connection.commit()
            else:
                connection.rollback()
    except (psycopg2.Error, sessions.TimeLimitError) as error:
        # An open session with an SQLSTATE means that PostgreSQL answered COMMIT with an error and rolled back.
        if is_committing and (connection.closed or not getattr(error, "pgcode", None)):
            raise _uncertain(error) from error
        raise
    return {**result, "locked": round(time.monotonic() - result["locked"], 6)}


def _uncertain(error: Exception) -> CommitError:
    """Return the error for a session that was lost during COMMIT. PostgreSQL may still commit, for example if COMMIT
    waits for a synchronous standby that is not connected."""
    reason = messages.of_database(error).splitlines()[0].rstrip(".")
    return CommitError(
        f"The session was lost during COMMIT, so the transaction may be committed: {reason}. COMMIT also waits for the "
        "servers in synchronous_standby_names: check that they are connected."
    )


def _busy(error: Exception, guard: Any, wanted: Mapping[str, Any], attempts: int) -> BusyError:
    """Return the error to raise after the last attempt; it names the transactions that hold the locks."""
    if isinstance(error, BusyError):
        return error
    tables = {"schema": wanted["schema"], "names": list(wanted["tables"])}
    with guard.cursor() as cursor:
        found = [item["sentence"] for item in open_transactions.find(cursor, tables, 0) if item["locks"]]
        holders = found + [item.name for item in clients.holders(cursor, tables)]
    return BusyError(
        f"The lock on the tenant tables was not free in {attempts} attempts within {wanted['patience']} s"
        + "".join(f"; {text}" for text in holders[:3] or [str(error).splitlines()[0]])
        + ". Wait until these transactions have ended, or end them, and run the playbook again."
    )


def work(
    cursor: Any, guard: Any, wanted: Mapping[str, Any], check: Callable[[Any], None] | None = None
) -> dict[str, Any]:
    """Do the work of ``run`` in the caller's transaction. In the result, ``locked`` is the time of the lock."""
    began = time.monotonic()
    # The settings are read before the lock, while no caller waits. The lock does not protect them: ALTER ROLE, ALTER
    # DATABASE and a reload of the configuration files never wait for the lock of a table. The statements of the
    # transaction change only the tenant setting, which the proof sets itself.
    settings = [] if wanted["proof"] is None else _login_settings(cursor, wanted["proof"])
    for query in wanted["begin"]:
        cursor.execute(query)
    locked = time.monotonic()
    if check is not None:
        check(cursor)
    targets = [*wanted["tables"].values()]
    cursor.execute(KINDS, (targets, targets))
    if found := cursor.fetchone():
        raise outcomes.ProofError(f"{found[0]} is no longer a table: another session is changing the schema.")
    counters = _counters(cursor, wanted)
    reads = _Reads(cursor, wanted)
    rows = {}
    for name, query in wanted["counts"].items():
        cursor.execute(query)
        rows[name] = cursor.fetchone()[0]
    for query in wanted["checks"]:
        cursor.execute(query)
    durations: dict[str, float] = {}
    for statement in wanted["statements"]:
        started = time.monotonic()
        for query in (*statement["checks"], statement["sql"]):
            cursor.execute(query)
        durations[statement["id"]] = round(time.monotonic() - started, 6)
    changed = reads.number()
    findings = [] if wanted["proof"] is None else _proven(cursor, guard, wanted, counters, settings)
    proven = reads.number() - changed
    cursor.execute("SELECT txid_current()")
    return {
        "findings": findings, "rows": rows, "durations": durations, "transaction": cursor.fetchone()[0],
        "tuples_read": changed, "proof_tuples_read": proven, "seconds": round(time.monotonic() - began, 6),
        "locked": locked,
    }  # fmt: skip


def _proven(
    cursor: Any, guard: Any, wanted: Mapping[str, Any], counters: Mapping[str, Any], settings: list[list[str]]
) -> list[dict[str, Any]]:
    """Return the findings of the proof and of the transaction's counters. Raises outcomes.ProofError.

    ``counters`` contains the counters at the beginning of the transaction. ``settings`` contains the names and values
    of each attempt's settings.
    """
    now = _counters(cursor, wanted)
    changed = outcomes.unchanged(counters, now, wanted["rewritten"])
    findings = prove(cursor, guard, wanted["proof"], settings)
    cursor.execute("SELECT pg_catalog.current_setting('track_counts')")
    tracks = cursor.fetchone()[0]
    counted = outcomes.counted(now, _counters(cursor, wanted), tracks, wanted["proof"]["attempts"], findings)
    findings += [*changed, counted]
    if leaks := outcomes.failure(findings):
        raise outcomes.AttemptError(f"The isolation proof failed: {leaks}")
    return findings


class _Reads:
    """The rows that the transaction reads from the tables and their indexes."""

    def __init__(self, cursor: Any, wanted: Mapping[str, Any]) -> None:
        """Read the counters at the beginning, because they may still include the session's earlier transactions."""
        self._cursor, self._tables, self._seen = cursor, [*wanted["tables"].values()], dict[int, bool]()
        self._began = 0
        self._began = self.number()

    def number(self) -> int:
        """Return the number of rows read since the beginning."""
        self._cursor.execute(READABLE, (self._tables, self._tables))
        self._seen.update(self._cursor.fetchall())
        self._cursor.execute(TUPLES, ([*self._seen], [*self._seen.values()]))
        return int(self._cursor.fetchone()[0]) - self._began


def _login_settings(cursor: Any, wanted: Mapping[str, Any]) -> list[list[str]]:
    """Return the names and values of the settings with which each attempt of the proof starts, as in a new session of
    the service."""
    cursor.execute(LOGIN_SETTINGS, {"ours": [*sessions.SETTINGS], "role": wanted["role"]})
    found = [*(cursor.fetchone()[0] or []), *wanted["url_settings"].items(), *wanted["planner"].items()]
    apart = NOT_THE_LOGINS | {wanted["setting"].lower()}
    return [[name, value] for name, value in found if name.lower() not in apart]


def prove(cursor: Any, guard: Any, wanted: Mapping[str, Any], settings: list[list[str]]) -> list[dict[str, Any]]:
    """Make the attempts of the proof with ``settings``, roll them back, and return a finding for each."""
    contents = {}
    for name, query in wanted["contents"].items():
        cursor.execute(query)
        contents[name] = cursor.fetchone()[0]
    cursor.execute(NAMES, (wanted["tables"], wanted["tables"]))
    names = set(cursor.fetchone()[0])
    given = {
        "setting": wanted["setting"], "setting_name": wanted["setting_name"], "lock_timeout": wanted["lock_timeout"],
        "settings": settings,
        # The function checks only whether a key exists, so null and false values are omitted.
        "attempts": [
            {name: attempt[name] for name in ("sql", "tenant", "theirs", "value", "keep") if _is_given(attempt, name)}
            for attempt in wanted["attempts"]
        ],
    }  # fmt: skip
    cursor.execute("SAVEPOINT tenancy_proof")
    if wanted["tenants_rows"]:
        store_as_owner(cursor, wanted["tenants_rows"])
    cursor.execute(wanted["runner"])
    cursor.execute(f"ALTER FUNCTION pg_temp.tenancy_attempts(pg_catalog.jsonb) OWNER TO {wanted['role_name']}")
    with sessions.bounded(cursor.connection, guard, wanted["seconds"], "The isolation proof"):
        try:
            cursor.execute("SELECT pg_temp.tenancy_attempts(%s)", (json.dumps(given),))
            told = cursor.fetchone()[0]
        finally:
            # No other statement may run before this rollback, because the role owns the function and could change it.
            # Deferred triggers do not run before it, because they wait for the commit.
            if not cursor.connection.closed:
                cursor.execute("ROLLBACK TO SAVEPOINT tenancy_proof")
    return outcomes.judge(wanted["attempts"], told or [], contents, names)


def store_as_owner(cursor: Any, given: Mapping[str, Any]) -> None:
    """Store the rows of the proof's tenants as the role that owns the table of tenants; the proof rolls them back."""
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (given["role"],))
    if cursor.fetchone()[0]:
        raise outcomes.ProofError(
            f"The service has no privilege to insert rows into {given['table']}. The owner of this table, "
            f"{given['role']}, is a superuser, and the proof makes no attempts as a superuser: make an ordinary role "
            "the owner of the table, or GRANT INSERT on the table to the service."
        )
    cursor.execute(f"ALTER TABLE {given['table']} NO FORCE ROW LEVEL SECURITY")
    body = f"BEGIN {'; '.join(given['statements'])}; SET CONSTRAINTS ALL IMMEDIATE; END"
    cursor.execute(
        "CREATE FUNCTION pg_temp.tenancy_tenants_rows() RETURNS void LANGUAGE plpgsql SECURITY DEFINER "
        f"SET search_path = pg_catalog, pg_temp AS {dollar_quoted(body)}"
    )
    cursor.execute(f"ALTER FUNCTION pg_temp.tenancy_tenants_rows() OWNER TO {identifier(given['role'])}")
    cursor.execute("SELECT pg_temp.tenancy_tenants_rows()")
    cursor.execute(f"ALTER TABLE {given['table']} FORCE ROW LEVEL SECURITY")


def _is_given(attempt: Mapping[str, Any], name: str) -> bool:
    value = attempt.get(name)
    return value is not None and value is not False


def _counters(cursor: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    cursor.execute(COUNTERS, ([*wanted["tables"]], [*wanted["tables"].values()]))
    found: dict[str, Any] = cursor.fetchone()[0]
    return found
