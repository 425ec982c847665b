"""Keys of every form keep their definition and reject the same rows after migration and rollback."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

import schemas
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import plan
from generated_keys import Key, Keyed, tables
from lab import OWNER
from planner import Database
from server import Server

# The minimum number of keys in a run, and the number of tables in a migration.
KEYS, TABLES = 300, 50
BEFORE = (
    "CREATE EXTENSION btree_gist",
    "CREATE EXTENSION pg_trgm",
    "CREATE EXTENSION citext",
    # A server without ICU has no case-insensitive collation, so it uses an ordinary one.
    """DO $$ BEGIN
      CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    EXCEPTION WHEN feature_not_supported THEN
      CREATE COLLATION folded (provider = libc, locale = 'C.UTF-8');
    END $$""",
    f"GRANT CREATE ON TABLESPACE elsewhere TO {OWNER}",
)
PLAIN = "CREATE FUNCTION public.plain(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN trim($1); END'"
# The definition of each key without the tenant column. ``moved`` is 1 if the tenant column is the first column of the
# key, otherwise 0.
DEFINITIONS = """
SELECT coalesce(json_object_agg(t.relname || '.' || c.relname, json_build_object(
    'constraint', k.conname, 'type', k.contype, 'deferrable', k.condeferrable, 'deferred', k.condeferred,
    'method', m.amname, 'unique', i.indisunique, 'immediate', i.indimmediate, 'valid', i.indisvalid,
    'nulls_not_distinct', to_jsonb(i) -> 'indnullsnotdistinct', 'period', to_jsonb(k) -> 'conperiod',
    'elements', (SELECT json_agg(pg_get_indexdef(i.indexrelid, n, false) ORDER BY n)
                 FROM generate_series(1 + moved, i.indnkeyatts) AS n),
    'include', (SELECT json_agg(pg_get_indexdef(i.indexrelid, n, false) ORDER BY n)
                FROM generate_series(i.indnkeyatts + 1, i.indnatts) AS n),
    'classes', (SELECT json_agg(i.indclass[n] ORDER BY n) FROM generate_series(moved, i.indnkeyatts - 1) AS n),
    'collations', (SELECT json_agg(i.indcollation[n] ORDER BY n) FROM generate_series(moved, i.indnkeyatts - 1) AS n),
    'order', (SELECT json_agg(i.indoption[n] ORDER BY n) FROM generate_series(moved, i.indnkeyatts - 1) AS n),
    'operators', k.conexclop[1 + moved:],
    'columns', (SELECT json_agg(json_build_array(a.attoptions, to_jsonb(a) -> 'attstattarget') ORDER BY a.attnum)
                FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attnum > moved),
    'predicate', pg_get_expr(i.indpred, i.indrelid), 'storage', c.reloptions, 'tablespace', c.reltablespace,
    'identity', i.indisreplident, 'clustered', i.indisclustered, 'index_comment', obj_description(c.oid, 'pg_class'),
    'constraint_comment', obj_description(k.oid, 'pg_constraint'),
    'root', CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::regclass::text END)), '{}')
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_am m ON m.oid = c.relam
LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')
CROSS JOIN LATERAL (
  SELECT count(*)::integer AS moved FROM pg_attribute a
  WHERE a.attrelid = t.oid AND a.attname = 'customer_id' AND a.attnum = i.indkey[0]) AS f
WHERE t.relnamespace = 'public'::regnamespace
"""
# Stores the rows one by one, returns for each row whether and when it is rejected, and removes all rows.
TRIED = """
CREATE FUNCTION pg_temp.tried(statements text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  statement text;
  found text[] := '{}';
  stored boolean;
BEGIN
  BEGIN
    FOREACH statement IN ARRAY statements LOOP
      stored := false;
      BEGIN
        EXECUTE statement;
        stored := true;
        SET CONSTRAINTS ALL IMMEDIATE;
        SET CONSTRAINTS ALL DEFERRED;
        found := found || 'stored'::text;
      EXCEPTION WHEN OTHERS THEN
        -- Either of two keys may refuse a row first. A key WITHOUT OVERLAPS refuses an empty range.
        found := found || concat(CASE WHEN stored THEN 'later ' END,
                                 CASE WHEN SQLSTATE IN ('23505', '23P01', '23514') THEN 'refused' ELSE SQLSTATE END);
      END;
    END LOOP;
    RAISE SQLSTATE 'ZZ001';
  EXCEPTION WHEN SQLSTATE 'ZZ001' THEN NULL;
  END;
  RETURN found;
END $$
"""


def drawn(major: int, chosen: int) -> list[Keyed]:
    """Return random tables that have at least KEYS keys in total."""
    found: list[Keyed] = []

    @seed(chosen)
    @settings(
        max_examples=KEYS, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=[*HealthCheck],
    )  # fmt: skip
    @given(tables(major))
    def draw(table: Keyed) -> None:
        found.append(table)

    draw()
    counted, enough = 0, []
    for table in found:
        if counted >= KEYS:
            break
        enough.append(table)
        counted += len(table.keys)
    assert counted >= KEYS
    return enough


@contextlib.contextmanager
def unmigrated(server: Server, keyed: Sequence[Keyed]) -> Iterator[Database]:
    """Yield a separate database with the tables."""
    names = [f"t{number}" for number in range(len(keyed))]
    statements = [statement for name, table in zip(names, keyed, strict=True) for statement in table.statements(name)]
    entries = [table.entry(name) for name, table in zip(names, keyed, strict=True)]
    with schemas.database(server, [PLAIN, *statements], entries, BEFORE) as database:
        yield database


def tried(database: Database, keyed: Sequence[Keyed], tenants: Sequence[int | None]) -> list[list[list[str]]]:
    """Store each table's rows for each tenant, and return the outcomes. The tenant is None before the migration."""
    database.run("SET search_path = public", "SET row_security = off", "SET jit = off", TRIED)
    found = []
    for number, table in enumerate(keyed):
        statements = [
            insert.format(
                columns="" if tenant is None else ", customer_id", values="" if tenant is None else f", {tenant}"
            )
            for insert in table.inserts(f"t{number}")
            for tenant in tenants
        ]
        listed = json.dumps(statements).replace("'", "''")
        outcomes = database.value(f"SELECT pg_temp.tried(ARRAY(SELECT json_array_elements_text('{listed}'::json)))")
        step = len(tenants)
        found.append([outcomes[first::step] for first in range(step)])
    database.roll_back()
    return found


def dumped(server: Server) -> str:
    return server.run("pg_dump", "--schema-only", "--restrict-key=same", schemas.NAME)


def assert_same(server: Server, keyed: Sequence[Keyed]) -> None:
    """Check that the migration keeps the keys' definitions and behavior, and that the rollback restores the dump."""
    with unmigrated(server, keyed) as database:
        definitions, before, dump = database.value(DEFINITIONS), database.state(), dumped(server)
        (behaviour,) = zip(*tried(database, keyed, [None]), strict=True)
        database.execute(plan.document(database.plan(), database.model, "5s", 60))
        database.commit()
        assert database.plan() == []
        after = database.value(DEFINITIONS)
        changed = {name: (found, after.get(name)) for name, found in definitions.items() if after.get(name) != found}
        assert not changed, f"{len(changed)} definitions changed: {json.dumps(changed, indent=1)}"
        assert not set(after) - set(definitions)
        for number, (wanted, outcomes) in enumerate(zip(behaviour, tried(database, keyed, [1, 2]), strict=True)):
            made = "; ".join(keyed[number].statements(f"t{number}"))
            assert outcomes == [wanted, wanted], f"{made}: {keyed[number].inserts('t')}"
        assert database.back_to(before) == []
        database.commit()
        difference = [*difflib.unified_diff(dump.splitlines(), dumped(server).splitlines(), n=0, lineterm="")]
        assert not difference, "\n".join(difference[:60])


@pytest.fixture(scope="module", autouse=True)
def _elsewhere(server: Server) -> None:
    """Create the tablespace that some keys use."""
    made = "SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION '';"
    server.run("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-", given=made)


def test_equal_keys_of_a_partitioned_table_are_not_confused(server: Server) -> None:
    made = [f"ALTER TABLE {{table}} ADD CONSTRAINT {{table}}_k{n} UNIQUE (b, a)" for n in (1, 2)]
    made += [f"CREATE UNIQUE INDEX {{table}}_i{n} ON {{table}} (b, a)" for n in (1, 2)]
    assert_same(server, [Keyed((Key(tuple(made), ("a", "b")),), True, ())])


def test_generated_keys_keep_their_meaning(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = int(os.environ.get("KEYS_SEED") or random.SystemRandom().randrange(2**32))
    with capsys.disabled():
        sys.stdout.write(f"KEYS_SEED={chosen}\n")
    keyed = drawn(server.major, chosen)
    for first in range(0, len(keyed), TABLES):
        assert_same(server, keyed[first : first + TABLES])
