"""A rollback of any part of a plan does not affect later changes.

The dump, which contains the schema and the roles' settings in the database, is the same as without the plan.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import pytest

import rental
import versions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes.statement import Statement
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from lab import OWNER
from planner import NAME, Database
from production import rental_source
from server import TEMPLATE, Server

# Later changes that do not involve the tenant, and the statements that undo them.
LATER = {
    "a column": ("ALTER TABLE {table} ADD later text DEFAULT 'later'", "ALTER TABLE {table} DROP COLUMN later"),
    "an index": ("CREATE INDEX later ON {table} ({column})", "DROP INDEX {schema}.later"),
    "a table": (
        "CREATE TABLE {schema}.later (id uuid REFERENCES {table} (id), note text CHECK (note <> ''))",
        "DROP TABLE {schema}.later",
    ),
    "comments": (
        "COMMENT ON TABLE {table} IS 'later'; COMMENT ON COLUMN {table}.{column} IS 'later'",
        "COMMENT ON TABLE {table} IS {comment}; COMMENT ON COLUMN {table}.{column} IS NULL",
    ),
    "a policy that restricts": (
        "CREATE POLICY later ON {table} AS RESTRICTIVE USING ({column} IS NOT NULL)", "DROP POLICY later ON {table}",
    ),
    "a right": ("GRANT SELECT ON {table} TO pg_monitor", "REVOKE SELECT ON {table} FROM pg_monitor"),
    "a setting of the login": (
        "ALTER ROLE {owner} IN DATABASE {database} SET work_mem = '8MB'",
        "ALTER ROLE {owner} IN DATABASE {database} RESET work_mem",
    ),
    "a view": ("CREATE VIEW {schema}.later AS SELECT id FROM {table}", "DROP VIEW {schema}.later"),
}  # fmt: skip
# How many prefixes of each plan are tested, from the empty plan to the whole plan. Each prefix is combined with one of
# the later changes.
PREFIXES = 12
WORDS = {
    "ai_memory": {
        "schema": "public", "table": "public.memories", "column": "user_id", "owner": OWNER,
    },
    "boat_rental": {
        "schema": "rental", "table": "rental.boats", "column": "name", "owner": rental.OWNER,
    },
}  # fmt: skip


@contextlib.contextmanager
def unmigrated(server: Server, application: str) -> Iterator[Database]:
    """Yield the unmigrated database of an application, in a transaction."""
    name = NAME if application == "ai_memory" else f"{application}_rollbacks"
    with contextlib.ExitStack() as stack:
        if application == "ai_memory":
            server.sql(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {OWNER}")
            stack.callback(server.sql, f"DROP DATABASE {name} WITH (FORCE)")
            wanted = None
        else:
            stack.enter_context(rental.seeded(server, name))
            wanted = model.parse(rental_source(name))
        connection = stack.enter_context(contextlib.closing(server.connect(name)))
        connection.autocommit = False
        yield Database(connection, name, wanted)


def dumped(server: Server, database: Database) -> str:
    """Return pg_dump's output for the schema, including the roles' settings in the database."""
    name = database.model.database
    return server.run("pg_dump", "--schema-only", "--create", "--restrict-key=same", name)


def prefixes(statements: list[Statement]) -> list[int]:
    """Return prefix lengths, evenly distributed from zero to the length of the plan."""
    return sorted({round(part * len(statements) / (PREFIXES - 1)) for part in range(PREFIXES)})


@pytest.mark.parametrize("application", versions.cases(WORDS, {"boat_rental": 15}))
def test_a_rollback_leaves_what_came_later_alone(server: Server, application: str) -> None:
    with unmigrated(server, application) as database:
        before, statements = database.state(), database.plan()
        comment = database.value(f"SELECT quote_nullable(obj_description('{WORDS[application]['table']}'::regclass))")
        words = {**WORDS[application], "database": database.model.database, "comment": comment}
        database.commit()
        first = dumped(server, database)
        for length, (name, (made, taken_back)) in zip(prefixes(statements), itertools.cycle(LATER.items())):
            database.run(made.format(**words))
            database.commit()
            wanted = dumped(server, database)
            assert wanted != first
            database.run(taken_back.format(**words))
            database.commit()

            database.run(*(item["sql"] for item in statements[:length]))
            database.commit()
            database.run(made.format(**words))
            database.commit()
            assert database.back_to(before) == []
            database.commit()
            assert dumped(server, database) == wanted, f"after {length} of {len(statements)} statements and {name}"
            database.run(taken_back.format(**words))
            database.commit()
        assert dumped(server, database) == first
