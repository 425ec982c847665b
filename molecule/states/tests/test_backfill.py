"""The backfill assigns tenants before the stop, and the owner's code gains no privileges during the backfill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import backfill_login
from lab import MIGRATE, OWNER, ROWS, Host

pytestmark = pytest.mark.wide

LOGIN = backfill_login.role("ai_memory")
# Code that records that it ran, and whether it ran with more privileges than its owner has. It records this in
# sequences, because a rollback does not reset them.
NOTE = (
    "PERFORM nextval('public.seen'); IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)"
    " THEN PERFORM nextval('public.trap'); END IF"
)
PLANTED = [
    "CREATE SEQUENCE seen", "CREATE SEQUENCE trap", "GRANT ALL ON SEQUENCE seen, trap TO PUBLIC",
    f"SET SESSION AUTHORIZATION {OWNER}",
    f"CREATE FUNCTION plant() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {NOTE}; RETURN NEW; END$$",
    "CREATE TRIGGER plant BEFORE UPDATE ON memories FOR EACH ROW EXECUTE FUNCTION plant()",
    "ALTER TABLE memories ENABLE ALWAYS TRIGGER plant",
    f"CREATE FUNCTION fine(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN {NOTE}; RETURN true; END$$",
    "ALTER TABLE memories ADD CHECK (public.fine(k)) NOT VALID",
    "RESET SESSION AUTHORIZATION",
]  # fmt: skip
# A half-finished migration: FORCE is on, and a policy hides the rows without a tenant.
HALF = [
    "ALTER TABLE memories ADD COLUMN customer_id integer",
    # The release sets no tenant, so new rows take the column's default. The existing rows have no tenant yet.
    "ALTER TABLE memories ALTER customer_id SET DEFAULT 1",
    "UPDATE memories SET customer_id = 1 WHERE type = (SELECT min(type) FROM memories)",
    "ALTER TABLE memories ENABLE ROW LEVEL SECURITY", "ALTER TABLE memories FORCE ROW LEVEL SECURITY",
    "CREATE POLICY half ON memories USING (customer_id = 1)",
]  # fmt: skip


def called(machine: Host, sequence: str) -> bool:
    """Return whether nextval was ever called on a sequence."""
    return bool(machine.sql(f"SELECT is_called FROM {sequence}")[0][0])


def left(machine: Host) -> list[object]:
    """Return the logins and policies that the backfill has left behind."""
    return machine.sql(
        "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'tenancy_backfill%%'"
        " UNION ALL SELECT polname::text FROM pg_policy WHERE polname LIKE 'tenancy_backfill%%'"
    )


@pytest.fixture
def half(machine: Host) -> Iterator[Host]:
    """Yield a host with a half-migrated database."""
    machine.reset()
    machine.sql(";".join(HALF))
    machine.sql(";".join(PLANTED))
    yield machine
    machine.reset()


@pytest.mark.sample
def test_the_owners_code_runs_as_the_login_alone(half: Host) -> None:
    assert half.sql("SELECT count(*) > 0 FROM memories WHERE customer_id IS NULL") == [(True,)]
    run = half.playbook(*MIGRATE)
    assert run.record["outcome"] == "SUCCESS"
    assert half.rows("customer_id = 1") == ROWS
    assert called(half, "seen")
    assert not called(half, "trap")
    assert left(half) == []
    # The trap detects a superuser.
    half.sql("UPDATE memories SET k = k WHERE id = (SELECT min(id::text)::uuid FROM memories)")
    assert called(half, "trap")


FAILING = {
    "a table that the login may not write": (
        "INSERT INTO public.history SELECT NEW.k", "permission denied for table history",
    ),
    "an error": ("RAISE EXCEPTION 'not now'", "not now"),
    "a trigger that skips rows": ("RETURN NULL", "0 of"),
    # The code can catch a timeout and continue.
    "code that does not end": (
        "BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN OTHERS OR query_canceled THEN PERFORM pg_sleep(600); END",
        "a batch did not end within 3 s and was terminated",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILING)
def test_a_backfill_that_fails_ends_the_run_before_the_stop(half: Host, case: str) -> None:
    work, sentence = FAILING[case]
    half.sql("CREATE TABLE history (k text)")
    half.sql(
        f"CREATE OR REPLACE FUNCTION plant() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {work}; RETURN NEW; END$$"
    )
    pid, nulls = half.service_pid(), "SELECT count(*) FROM memories WHERE customer_id IS NULL"
    before = half.sql(nulls)
    run = half.playbook(*MIGRATE, "-etenancy_backfill_batch_seconds=3", check=False)
    assert sentence in run.words
    assert run.record["failure"]["phase"] == "backfill"
    assert half.service_pid() == pid
    assert half.sql(nulls) == before
    assert left(half) == []


def test_what_an_interrupted_run_left_goes_with_the_next(half: Host) -> None:
    half.sql(
        f"CREATE ROLE {LOGIN} LOGIN; COMMENT ON ROLE {LOGIN} IS '{backfill_login.MARK}';"
        f" GRANT SELECT, UPDATE ON memories TO {LOGIN};"
        f" CREATE POLICY tenancy_backfill ON memories TO {LOGIN} USING (true);"
        " UPDATE memories SET customer_id = 1"
    )
    run = half.playbook(*MIGRATE)
    assert run.record["outcome"] == "SUCCESS"
    assert left(half) == []


def test_a_role_of_another_owner_is_left_alone(half: Host) -> None:
    half.sql(f"CREATE ROLE {LOGIN}")
    try:
        run = half.playbook(*MIGRATE, check=False)
        assert f"The role {LOGIN} already exists and was not created by this runbook" in run.words
        assert left(half) == [(LOGIN,)]
    finally:
        half.sql(f"DROP ROLE {LOGIN}")
