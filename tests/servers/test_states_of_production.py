"""Every manually changed state of AI-Memory's database can be migrated, works with both releases, and can be rolled
back.

A state combines one variant each of the policies, the tenant column, the keys, the functions and the bridge.
Production's state is one of these combinations. A run tests a sample, in which any two variants of two different parts
occur together at least once. TESTS=all tests all combinations.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg2.extensions
import pytest

import by_hand
import temporary
import turns
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit.rule import ERROR
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import enforce, plan
from by_hand import FIRST_HALF, MODEL, Made
from lab import OWNER, TABLES
from planner import Database
from rows import insert
from server import ROOT, Server

NAME, FEW = "ai_memory_by_hand", "ai_memory_few_rows"
WANTED = dataclasses.replace(MODEL, database=NAME)
USER = "+15551234567"
# AI-Memory's original rows: a few in each table.
ROWS_BEFORE = [
    insert("memories", *({"k": f"memory {number}", "user_id": "+1"} for number in range(5))),
    insert("call_summaries", *({"call_id": f"call {number}", "user_id": "+1"} for number in range(3))),
    insert("caller_profiles", {"user_id": "+1"}, {"user_id": "+2"}),
    insert("personality_metrics", {"user_id": "+1", "call_id": "call 1", "openness": 40}),
]

PARTS = (by_hand.COLUMNS, by_hand.KEYS, by_hand.FUNCTIONS, by_hand.POLICIES, by_hand.BRIDGES)
RELEASES = ("legacy", "tenant-aware")
ALL = [
    made
    for made in itertools.starmap(by_hand.Made, itertools.product(*PARTS))
    # Keys and policies cannot use a column that does not exist.
    if made.column != "none" or (made.keys, made.policies) == ("old", "none")
]


def pairs(made: Made) -> set[tuple[tuple[str, str], ...]]:
    """Return the pairs of variants in a combination."""
    return set(itertools.combinations(dataclasses.asdict(made).items(), 2))


def pairwise(every: list[Made], chosen: list[Made]) -> list[Made]:
    """Return combinations that together contain every pair in ``every``: first ``chosen``, then repeatedly the
    combination that adds the most pairs."""
    found = list(chosen)
    missing = set().union(*map(pairs, every)) - set().union(*map(pairs, found))
    while missing:
        found.append(max(every, key=lambda made: len(pairs(made) & missing)))
        missing -= pairs(found[-1])
    return found


SAMPLE = ALL if turns.ALL else pairwise(ALL, list(by_hand.KNOWN))


class Release:
    """A session of the service. The tenant-aware release sets its tenant before each statement."""

    def __init__(self, connection: psycopg2.extensions.connection, tenant: int | None) -> None:
        """Use a session in autocommit mode; the tenant is None for a release without tenants."""
        self.tenant, self._cursor = tenant, connection.cursor()

    def run(self, sql: str, *values: Any) -> list[Any]:
        """Run one statement as the service does, and return its rows."""
        if self.tenant is not None:
            self._cursor.execute("SET app.current_tenant = %s", (str(self.tenant),))
        self._cursor.execute(sql, values or None)
        return self._cursor.fetchall() if self._cursor.description else []

    def work(self) -> None:
        """Store a memory, a summary, the caller's profile and the scores of two calls."""
        named = {} if self.tenant is None else {"customer_id": self.tenant}
        self.run(insert("memories", {"k": "mornings", "user_id": USER, **named}))
        # Even the tenant-aware release does not set the tenant column here.
        assert self.run(f"SELECT FROM caller_profiles WHERE user_id = '{USER}'") == []
        self.run(insert("caller_profiles", {"user_id": USER, "total_calls": 1}))
        self.run(f"UPDATE caller_profiles SET total_calls = total_calls + 1 WHERE user_id = '{USER}'")
        self.run(insert("call_summaries", {"call_id": USER, "user_id": USER, "summary": "a quote", **named}))
        for openness in (40, 60):
            row = {"user_id": USER, "call_id": USER, "openness": openness, "frustration_level": openness, **named}
            self.run(insert("personality_metrics", row))

    def read(self) -> list[Any]:
        """Return the caller's rows, as the service reads them."""
        return [
            self.run(f"SELECT {what} FROM {table} WHERE user_id = '{USER}' ORDER BY 1")
            for table, what in (
                ("memories", "k"), ("caller_profiles", "total_calls"), ("call_summaries", "summary"),
                ("personality_metrics", "openness"),
                ("personality_averages", "call_count, avg_openness, recent_frustration"),
            )
        ]  # fmt: skip

    def counted(self) -> dict[str, int]:
        """Return the number of visible rows in each table."""
        return {table: self.run(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}

    def forget(self) -> dict[str, int]:
        """Delete all rows of the caller, and return their number for each table."""
        gone = {}
        for table in TABLES:
            gone[table] = len(self.run(f"DELETE FROM {table} WHERE user_id = '{USER}' RETURNING true"))
        return gone


STORED = [[("mornings",)], [(2,)], [("a quote",)], [(40,), (60,)], [(2, 50, 50)]]
OF_CALLER = dict.fromkeys(TABLES, 1) | {"personality_metrics": 2}


@pytest.fixture(scope="module")
def few(server: Server) -> Iterator[str]:
    """Yield the name of an unmigrated database with a few rows."""
    server.sql(f"CREATE DATABASE {FEW} OWNER {OWNER}")
    server.sql('CREATE EXTENSION "uuid-ossp"', FEW)
    server.script(FEW, ROOT / "tests/servers/as_owner.sql", ROOT / "lab/database/schema.sql", embedding="real[]",
                  owner=OWNER)  # fmt: skip
    for statement in ROWS_BEFORE:
        server.sql(statement, FEW)
    yield FEW
    server.sql(f"DROP DATABASE {FEW}")


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Count the results of the combinations, and print them at the end."""
    found: Counter[str] = Counter()
    yield found
    plugins = request.config.pluginmanager
    with plugins.getplugin("capturemanager").global_and_fixture_disabled():
        plugins.getplugin("terminalreporter").write_line(
            f"\nStates of production: {found['tried']} combinations tried, {found['migrated']} migrated, "
            f"{found['refused']} refused."
        )


@contextlib.contextmanager
def made_by_hand(server: Server, few: str, made: Made, *others: str) -> Iterator[Database]:
    """Yield a copy of the database ``few``, after the manual change ``made`` and the statements ``others``."""
    with temporary.created(server, NAME, few), temporary.opened(server, NAME, WANTED) as database:
        database.run("; ".join([made.sql(NAME), *others]))
        database.commit()
        yield database


@contextlib.contextmanager
def release(server: Server, tenant: int | None) -> Iterator[Release]:
    """Yield a new session of the service."""
    with contextlib.closing(server.connect(NAME, OWNER)) as connection:
        yield Release(connection, tenant)


def dumped(server: Server) -> list[str]:
    """Return the lines of the schema's dump, sorted because OIDs affect their original order."""
    return sorted(server.run("pg_dump", "--schema-only", "--create", "--restrict-key=same", NAME).split("\n"))


def rows(server: Server) -> dict[str, list[Any]]:
    """Return all rows without their tenant column."""
    with contextlib.closing(server.connect(NAME)) as connection, connection.cursor() as cursor:
        found = {}
        for table in TABLES:
            cursor.execute(f"SELECT to_jsonb(t) - 'customer_id' FROM {table} AS t ORDER BY 1")
            found[table] = cursor.fetchall()
    return found


def assert_works_in_full(server: Server, of_release: str, before: dict[str, int]) -> None:
    """Check that the release works as the default tenant, even if another tenant has a caller with the same name."""
    with release(server, 1 if of_release == "tenant-aware" else None) as first, release(server, 2) as second:
        for session in (first, second):
            session.work()
        assert first.read() == second.read() == STORED
        assert second.counted() == OF_CALLER
        assert first.counted() == {table: before[table] + OF_CALLER[table] for table in TABLES}
        assert second.forget() == OF_CALLER
        assert first.read() == STORED
        assert first.forget() == OF_CALLER
        assert (first.counted(), second.counted()) == (before, dict.fromkeys(TABLES, 0))


@pytest.mark.parametrize("made", SAMPLE, ids=str)
def test_every_state_can_be_migrated_and_rolled_back(server: Server, few: str, tally: Counter[str], made: Made) -> None:
    tally["tried"] += len(RELEASES)
    with made_by_hand(server, few, made) as database:
        before, dump, kept = database.state(), dumped(server), rows(server)
        assert [entry for entry in database.audit() if entry["severity"] == ERROR and not entry["fixed_by_plan"]] == []
        assert [item for item in database.migrate() if not item["ok"]] == []
        database.commit()
        assert database.plan() == []
        assert database.failures(before) == []
        assert [entry for entry in database.audit() if entry["severity"] == ERROR] == []
        for of_release in RELEASES:
            assert_works_in_full(server, of_release, {name: len(found) for name, found in kept.items()})
        assert rows(server) == kept
        assert database.back_to(before) == []
        database.commit()
        assert (dumped(server), rows(server)) == (dump, kept)
    tally["migrated"] += len(RELEASES)


def test_the_bridge_is_not_built_beside_a_second_tenant(server: Server, few: str, tally: Counter[str]) -> None:
    tally["tried"] += 1
    theirs = insert("caller_profiles", {"customer_id": 2, "user_id": "+2"})
    with made_by_hand(server, few, FIRST_HALF, theirs) as database:
        before, dump = database.state(), dumped(server)
        sentence = r"tenants other than 1 exist \(caller_profiles 1\), .* set tenancy_bridge: false"
        with pytest.raises(UnsafeStateError, match=sentence):
            database.plan()
        tally["refused"] += 1
        database.model = dataclasses.replace(WANTED, bridge=False)
        assert [item for item in database.migrate() if not item["ok"]] == []
        database.commit()
        assert (database.plan(), database.failures(before)) == ([], [])
        with release(server, None) as unnamed, release(server, 1) as first, release(server, 2) as second:
            found = [session.counted()["caller_profiles"] for session in (unnamed, first, second)]
        assert found == [0, 2, 1]
        database.run("DELETE FROM caller_profiles WHERE customer_id = 2")
        assert database.back_to(before) == []
        database.commit()
        assert dumped(server) == dump


def test_a_number_of_another_meaning_is_refused_beside_policies(server: Server, few: str, tally: Counter[str]) -> None:
    tally["tried"] += 1
    (table,) = TABLES[2:3]
    made = dataclasses.replace(FIRST_HALF, policies="of some tables")
    with made_by_hand(server, few, made, f"UPDATE {table} SET customer_id = 42") as database:
        with pytest.raises(
            UnsafeStateError, match=rf"{table}.customer_id .* contains values other than 1 \(42; .* adopt"
        ):
            database.plan()
        tally["refused"] += 1


def test_nothing_but_enforcing_says_that_the_service_names_its_tenant(server: Server, few: str) -> None:
    with made_by_hand(server, few, FIRST_HALF) as database:
        before, dump = database.state(), dumped(server)
        for wanted, seen in (([], 2), ([f"ALTER ROLE {OWNER} IN DATABASE {NAME} RESET app.current_tenant"], 0)):
            database.migrate()
            database.run(*wanted)
            database.commit()
            with release(server, None) as session:
                assert session.counted()["caller_profiles"] == seen
        # The policies already equal the planned ones, but the plan still contains the bridge.
        assert [item["id"] for item in database.plan()] == ["bridge"]
        database.migrate()
        enforcing = enforce.build(database.state(), WANTED)
        database.run(*plan.transaction(enforcing, WANTED, "5s"))
        database.commit()
        with release(server, None) as unnamed, release(server, 1) as named:
            assert unnamed.counted() == dict.fromkeys(TABLES, 0)
            assert named.counted()["caller_profiles"] == 2
        assert (database.plan(), database.failures(before)) == ([], [])
        assert enforce.build(database.state(), WANTED) == []
        # Enforcing is intended for databases with a second tenant.
        database.run(insert("caller_profiles", {"customer_id": 2, "user_id": "+2"}))
        assert (database.plan(), database.failures({"tables": {}})) == ([], [])
        database.run("DELETE FROM caller_profiles WHERE customer_id = 2")
        assert database.back_to(before) == []
        database.commit()
        assert dumped(server) == dump
