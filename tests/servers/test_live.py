"""The parts of the ``live`` strategy make the same change as the single transaction.

Each test migrates an application atomically, and then in the parts of ``live``. It compares the catalogs and the dump
after each part.
"""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import online, plan, revert, schema
from applications import GIVEN
from described import dumped
from planner import Database, State
from server import Server
from test_chain import migrate, unmigrated


def prepare(database: Database) -> None:
    """Commit the online steps and then the early statements, and check the new plan after each."""
    planned = database.plan()
    online_steps, early = online.expand(planned, "live"), online.early(planned, "live")
    assert bool(early) == database.model.bridge
    # The early statements only create objects that the policies use, so callers do not wait for them.
    assert names(early) == [item["id"] for item in planned if item["phase"] == "bridge" and not is_on_a_table(item)]
    audited = database.audit()
    database.carry_out(online.steps(online_steps))
    assert names(online.early(database.plan(), "live")) == names(early)
    database.run(*(item["sql"] for item in early))
    database.commit()
    assert [entry for entry in database.audit() if entry not in audited] == []
    rest = database.plan()
    assert online.early(rest, "live") == []
    # The new plan can contain more: a partition that has the column gets its own default.
    assert {*names(online.cutover(planned, "live"))} <= {*names(rest)}
    assert online.cutover(rest, "live") == rest


def is_on_a_table(item: dict[str, Any]) -> bool:
    """Return whether a statement locks a table."""
    return str(item["sql"]).startswith(("CREATE POLICY ", "DROP POLICY ", "ALTER TABLE "))


def require_original(server: Server, database: Database, dump: str, before: State) -> None:
    """Check that the dump and the catalogs equal the original ones."""
    assert dumped(server, database.model.database) == dump
    assert database.state() == before
    database.commit()


def names(statements: list[dict[str, object]]) -> list[object]:
    """Return the ids of statements."""
    return [item["id"] for item in statements]


@pytest.mark.parametrize("case", GIVEN)
def test_the_parts_make_the_same_change_as_one_transaction(server: Server, case: str) -> None:
    with unmigrated(server, case) as (database, readable):
        before, dump = database.state(), dumped(server, case)
        database.commit()
        migrate(database, before, readable)
        migrated, migrated_dump = database.state(), dumped(server, case)
        assert database.back_to(before) == []
        database.commit()

        prepare(database)
        migrate(database, before, readable)
        assert dumped(server, case) == migrated_dump
        assert database.state() == migrated
        assert database.back_to(before) == []
        database.commit()
        require_original(server, database, dump, before)


@pytest.mark.parametrize("case", GIVEN)
def test_a_rollback_before_the_transaction_takes_the_other_parts_back(server: Server, case: str) -> None:
    with unmigrated(server, case) as (database, _):
        before, dump = database.state(), dumped(server, case)
        prepare(database)
        assert dumped(server, case) != dump
        assert database.back_to(before) == []
        database.commit()
        require_original(server, database, dump, before)

        prepare(database)
        state = database.state()
        off, lacking = revert.policies(state, database.model), plan.lacking(state, database.model)
        assert bool(off) == database.model.bridge
        database.execute(plan.document(off, database.model, "5s", 60, lacking=lacking))
        database.commit()
        assert database.value("SELECT count(*) FROM pg_db_role_setting WHERE setdatabase > 0") == 0
        assert database.back_to(before) == []
        database.commit()
        require_original(server, database, dump, before)


@pytest.mark.parametrize("case", GIVEN)
def test_a_rollback_to_a_snapshot_from_before_the_transaction_keeps_the_early_part(server: Server, case: str) -> None:
    """The run that is rolled back continued an earlier run, which committed everything except the transaction."""
    with unmigrated(server, case) as (database, readable):
        original, original_dump = database.state(), dumped(server, case)
        prepare(database)
        before, dump = database.state(), dumped(server, case)
        database.commit()
        migrate(database, before, readable)
        back = schema.build(database.state(), database.model, before)
        assert online.early(back, "live") == []
        assert database.back_to(before) == []
        database.commit()
        require_original(server, database, dump, before)

        # The rollback's transaction creates the early part again.
        off = revert.policies(before, database.model)
        database.execute(plan.document(off, database.model, "5s", 60, lacking=plan.lacking(before, database.model)))
        database.commit()
        back = schema.build(database.state(), database.model, before)
        assert bool(back) == database.model.bridge
        assert online.early(back, "live") == []
        assert database.back_to(before) == []
        database.commit()
        require_original(server, database, dump, before)

        assert database.back_to(original) == []
        database.commit()
        require_original(server, database, original_dump, original)


@pytest.mark.parametrize("case", GIVEN)
def test_the_keys_of_a_rollback_are_built_before_its_transaction(server: Server, case: str) -> None:
    with unmigrated(server, case) as (database, readable):
        before, dump = database.state(), dumped(server, case)
        migrate(database, before, readable)
        migrated, migrated_dump = database.state(), dumped(server, case)
        back = schema.build(migrated, database.model, before)
        steps = online.steps(online.expand(back, "live"))
        assert steps != []
        database.carry_out(steps)
        assert database.state() != migrated

        # The operator may migrate instead: the new plan removes the keys that the rollback has built.
        again = database.plan()
        assert {item["phase"] for item in again} == {"key"}
        database.migrate()
        database.run("DISCARD TEMP")
        database.commit()
        assert dumped(server, case) == migrated_dump
        assert database.state() == migrated

        database.carry_out(steps)
        rest = schema.build(database.state(), database.model, before)
        assert online.expand(rest, "live") == []
        assert names(rest) == names(online.cutover(back, "live"))
        assert database.back_to(before) == []
        database.commit()
        require_original(server, database, dump, before)
