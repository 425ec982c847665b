"""A pooler between the service and PostgreSQL is detected by its effects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import MIGRATE, OWNER, Host
from pooler import on_its_socket_only, pgbouncer
from running import CHECK, ENVIRONMENT, VERIFY, accepted, file, put_back, refused, unit, url
from service import assert_works_in_full

pytestmark = pytest.mark.wide

POOLED = f"DATABASE_URL={url(where='localhost:6432')}\n"
SHARES = "pgbouncer at localhost, port 6432 shares sessions between clients:"


@pytest.fixture(scope="module", autouse=True)
def fresh(machine: Host) -> Iterator[None]:
    """Start and end with a fresh database."""
    machine.reset()
    yield
    machine.reset()


@pytest.fixture(autouse=True)
def service(machine: Host) -> Iterator[None]:
    """At the end, restore the service to its installed state."""
    yield
    put_back(machine)


@pytest.mark.parametrize(
    ("settings", "how"),
    [
        ({"pool_mode": "transaction"}, "while another was in a transaction (pool_mode = transaction)"),
        ({"pool_mode": "transaction", "server_reset_query_always": "1"}, "(pool_mode = transaction)"),
        ({"pool_mode": "transaction", "default_pool_size": "1"}, "(pool_mode = transaction)"),
        ({"pool_mode": "statement"}, "it refuses transactions (pool_mode = statement)"),
        ({"server_reset_query": ""}, "a setting of one client is still set for the next one (no server_reset_query)"),
        ({"server_reset_query": "", "server_round_robin": "1"}, "(no server_reset_query)"),
        ({"server_reset_query": "RESET ALL; DEALLOCATE ALL"}, "a lock of one client is still held for the next one"),
        ({"default_pool_size": "2"}, "a test of them failed (no response within 15 s)"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_a_pooler_that_shares_sessions_is_refused(machine: Host, settings: dict[str, str], how: str) -> None:
    with pgbouncer(machine, **settings), file(machine, ENVIRONMENT, POOLED), unit(machine, ""):
        refused(machine, SHARES, how, "set pool_mode = session with server_reset_query = DISCARD ALL")


def test_postgresql_behind_a_pooler_on_its_port_is_refused(machine: Host) -> None:
    pooler = pgbouncer(machine, port=5432, server="/run/postgresql", sockets="", pool_mode="transaction")
    shares = "pgbouncer at localhost, port 5432 shares sessions between clients"
    with on_its_socket_only(machine), pooler, unit(machine, ""):
        refused(machine, shares, playbooks=(MIGRATE, VERIFY))


def test_a_pooler_that_leads_elsewhere_is_refused(machine: Host) -> None:
    machine.sql(f"CREATE DATABASE ai_memory_two TEMPLATE ai_memory_template OWNER {OWNER}", database="postgres")
    elsewhere = "The service s own route (localhost, port 6432) leads to ai_memory_two, not to ai_memory on"
    pooler = pgbouncer(machine, database="ai_memory_two host=127.0.0.1")
    with pooler, file(machine, ENVIRONMENT, POOLED), unit(machine, ""):
        refused(machine, elsewhere)


def test_another_port_of_the_pooler_is_named(machine: Host) -> None:
    with pgbouncer(machine, pool_mode="transaction"), file(machine, ENVIRONMENT, POOLED), unit(machine, ""):
        refused(
            machine, "pgbouncer listens on port 6432, not PostgreSQL: set database_port to the port of PostgreSQL",
            playbooks=((*CHECK, "-edatabase_port=6432"),),
        )  # fmt: skip


def test_a_pooler_that_shares_nothing_is_named_and_no_other_client(machine: Host) -> None:
    with pgbouncer(machine), file(machine, ENVIRONMENT, POOLED), unit(machine, ""):
        named = "NOTE pgbouncer at localhost, port 6432 is on this route, and gives each client a reset session"
        assert named in accepted(machine).words
        run = machine.playbook(*MIGRATE)
        assert run.record["outcome"] == "SUCCESS"
        assert named in run.words
        assert_works_in_full(machine)
