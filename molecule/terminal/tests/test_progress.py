"""Long operations run as jobs on the server, and the terminal shows their progress."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import sessions
from ansible_collections.aimemory.tenancy.plugins.modules import job_progress
from lab import ROWS, TABLES, Host, meanwhile
from screen import Screen, on_a_terminal

pytestmark = pytest.mark.one_host

# With these settings, every database counts as large.
WATCHED = (
    "migrate.yml", "-emigrate_confirm=YES", "-emigrate_rehearse=none", "-ereport_watch_bytes=0",
    "-ebackup_copy_max_bytes=0",
)  # fmt: skip
JOBS = "sudo find /root/.ansible_async /var/lib/postgresql/.ansible_async -type f 2> /dev/null | wc -l"


def migration(machine: Host, *arguments: str) -> Screen:
    """Migrate on a terminal, whatever the size of the database."""
    return on_a_terminal("ansible-playbook", *WATCHED, "--limit", machine.name, *arguments)


@contextlib.contextmanager
def a_writer(machine: Host) -> Iterator[None]:
    """Hold a writer's locks on every table until the terminal has shown a concurrent build that waits for them."""

    def work(over: threading.Event) -> None:
        with contextlib.closing(machine.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"BEGIN; LOCK TABLE {', '.join(TABLES)} IN ROW EXCLUSIVE MODE")
            while not machine.sql(job_progress.BUILDS) and not over.wait(0.2):
                pass
            # The terminal queries the progress every two seconds.
            over.wait(8)
            cursor.execute("ROLLBACK")

    with meanwhile(work):
        yield


@pytest.fixture
def cannot_be_restored(machine: Host) -> Iterator[None]:
    """Add a CHECK constraint that fails if the schema public is not in the search path."""
    machine.reset()
    machine.sql("CREATE TABLE limits AS SELECT 1 AS least")
    machine.sql(
        "CREATE FUNCTION allowed(integer) RETURNS boolean LANGUAGE sql AS 'SELECT $1 >= (SELECT least FROM limits)'"
    )
    machine.sql("CREATE TABLE counted (n integer CHECK (allowed(n)))")
    machine.sql("INSERT INTO counted VALUES (1)")
    yield
    machine.sql("DROP TABLE counted, limits CASCADE")
    machine.sql("DROP FUNCTION allowed")


@pytest.mark.wide
@pytest.mark.usefixtures("cannot_be_restored")
def test_a_job_that_fails_says_why(machine: Host) -> None:
    backups, catalogs = machine.backups(), machine.catalogs()
    run = machine.playbook(*WATCHED, check=False)
    assert run.record["failure"]["phase"] == "backup"
    assert "The backup failed, and nothing was kept" in run.record["failure"]["message"]
    assert 'relation "limits" does not exist' in run.record["failure"]["message"]
    assert machine.backups() == backups
    assert machine.catalogs() == catalogs
    assert machine.run(JOBS).strip() == "0"


@pytest.mark.wide
def test_dump_restore_and_builds_say_how_far_they_are(machine: Host) -> None:
    machine.reset()
    # If the column were missing, adding it would wait for the writer.
    for table in TABLES:
        machine.sql(f"ALTER TABLE {table} ADD COLUMN customer_id integer NOT NULL DEFAULT 1")
    online = ("-etenancy_strategy=online", "-etenancy_online_transaction_seconds=600")
    with a_writer(machine):
        screen = migration(machine, *online, "-eservice_terminate_clients=true")
    assert screen.returncode == 0, screen.written
    feet = "\n".join(screen.feet)
    for job in ("dump", "test restore"):
        assert re.search(rf"[\d:]{{8}} backup \d+ (of about \d+ )?s: {job}(, | \d+%)", feet), feet
    # The terminal shows the part that fits in 80 columns.
    assert re.search(r"expand \d+ (of about \d+ )?s: waiting for writers before build: idx_", feet), feet
    assert machine.rows("customer_id = 1") == ROWS
    assert machine.run(JOBS).strip() == "0"


@pytest.fixture
def slow(machine: Host) -> Iterator[None]:
    """Create a table with one row in each block, and a function that takes 20 ms."""
    machine.sql("CREATE TABLE slow (text text); ALTER TABLE slow ALTER text SET STORAGE PLAIN")
    machine.sql("INSERT INTO slow SELECT repeat('x', 5000) FROM generate_series(1, 100)")
    machine.sql(
        "CREATE FUNCTION slowly(text) RETURNS integer LANGUAGE plpgsql IMMUTABLE"
        " AS 'BEGIN PERFORM pg_sleep(0.02); RETURN 1; END'"
    )
    yield
    machine.sql("DROP TABLE slow")
    machine.sql("DROP FUNCTION slowly")


@pytest.mark.usefixtures("slow")
def test_a_build_tells_its_share(machine: Host) -> None:
    shares = []
    with meanwhile(lambda over: machine.sql("CREATE INDEX slow_index ON slow (slowly(text))")):
        deadline = time.monotonic() + 20
        while len(shares) < 2 and time.monotonic() < deadline:
            for (told,) in machine.sql(job_progress.BUILDS):
                # At the first block, PostgreSQL reports that all blocks are done.
                if found := re.fullmatch(r"building index: scanning table, (\d\d?)%: slow(_index)?", told):
                    shares.append(int(found.group(1)))
            time.sleep(0.3)
    assert len(shares) == 2
    assert shares[0] < shares[1]


def test_a_step_that_waits_for_its_lock_is_told(machine: Host) -> None:
    def ask(over: threading.Event) -> None:
        with contextlib.closing(machine.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET application_name = '{sessions.APPLICATION}'")
            cursor.execute("BEGIN; LOCK TABLE memories IN ACCESS SHARE MODE")

    assert machine.sql(job_progress.STEP) == []
    with contextlib.closing(machine.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE memories")
        with meanwhile(ask):
            said = ""
            for _ in range(50):
                if said := "".join(text for (text,) in machine.sql(job_progress.STEP)):
                    break
                time.sleep(0.1)
            cursor.execute("ROLLBACK")
    assert said == "a step waits for its lock"
