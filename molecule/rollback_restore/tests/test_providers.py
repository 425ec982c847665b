"""A restored database has the locale provider of the replaced database, whatever the server's default is.

A second cluster on the lab host has another default provider, because the servers of tests/servers lack ICU.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import database_settings
from lab import OWNER, Host

# For each set of locale properties: the first version that supports them, and the clause of CREATE DATABASE.
PROVIDERS = {
    "libc": (15, "LOCALE_PROVIDER libc LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"),
    "libc with different categories": (15, "LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"),
    "icu": (15, "LOCALE_PROVIDER icu ICU_LOCALE 'de-u-kn-true' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"),
    "icu of another encoding": (
        15, "LOCALE_PROVIDER icu ICU_LOCALE 'sv' ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
    ),
    "icu with rules": (
        16, "LOCALE_PROVIDER icu ICU_LOCALE 'en' ICU_RULES '&a < ''-'' < g' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'",
    ),
    "builtin": (17, "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'"),
    "builtin without characters": (17, "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"),
}  # fmt: skip
DEFAULTS = {15: "--locale-provider=icu --icu-locale=de", 17: "--locale-provider=builtin --builtin-locale=C.UTF-8"}
NAME = "provided"
PLACE = "/tmp/provided"
# Every property that determines how strings are compared. The collation versions are equal, because each database is
# new and gets the version of the installed library.
PROPERTIES = """
SELECT to_jsonb(d) - ARRAY['oid', 'datname', 'datdba', 'datfrozenxid', 'datminmxid', 'dattablespace', 'datacl']
FROM pg_database d WHERE datname = %s
"""
WORDS = ["a10", "a9", "B", "b", "Z", "g", "ab", "o", "p"]
Connect = Any


@contextlib.contextmanager
def second_cluster(machine: Host, directory: Path, major: int) -> Iterator[Connect]:
    """Yield a function that connects to a server whose default provider is not libc."""
    programs, socket = f"/usr/lib/postgresql/{major}/bin", directory / "socket"
    options = shlex.quote(f"-k {PLACE} -c listen_addresses= -c port=5499 -c fsync=off")
    machine.run(
        f"sudo install -d -o postgres -m 755 {PLACE}; cd /; sudo -u postgres {programs}/initdb --no-sync --auth=trust"
        f" --encoding=UTF8 {DEFAULTS[major]} --locale=C.UTF-8 -D {PLACE}/data > /dev/null; sudo -u postgres"
        f" {programs}/pg_ctl --wait -D {PLACE}/data -l {PLACE}/log -o {options} start > /dev/null 2>&1"
    )
    tunnel = subprocess.Popen(
        [*machine.ssh[:-1], "-N", "-L", f"{directory}/.s.PGSQL.5499:{PLACE}/.s.PGSQL.5499", machine.ssh[-1]]
    )
    try:
        deadline = time.monotonic() + 30
        while not (directory / ".s.PGSQL.5499").exists():
            assert time.monotonic() < deadline, f"no tunnel to {socket}"
            time.sleep(0.05)

        def connect(database: str) -> psycopg2.extensions.connection:
            connection = psycopg2.connect(host=str(directory), port=5499, user="postgres", dbname=database)
            connection.autocommit = True
            return connection

        yield connect
    finally:
        tunnel.kill()
        tunnel.wait()
        machine.run(
            f"cd /; sudo -u postgres {programs}/pg_ctl --wait -m immediate -D {PLACE}/data stop > /dev/null;"
            f" sudo rm -rf {PLACE}"
        )


def asked(connect: Connect, database: str, query: str, *values: Any) -> Any:
    with contextlib.closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchone()[0] if cursor.description else None


def properties(connect: Connect, database: str) -> tuple[Any, Any, Any]:
    """Return the database's locale properties, its order of the words in WORDS, and its upper-case form of "ä"."""
    ordered = asked(connect, database, "SELECT array_agg(word ORDER BY word) FROM unnest(%s) AS word", WORDS)
    upper = asked(connect, database, "SELECT upper(convert_from(convert_to('ä', 'UTF8'), 'UTF8'))")
    return asked(connect, database, PROPERTIES, database), ordered, upper


@contextlib.contextmanager
def made(connect: Connect, statement: str, database: str) -> Iterator[None]:
    asked(connect, "postgres", statement)
    try:
        yield
    finally:
        asked(connect, "postgres", f"DROP DATABASE {database}")


@pytest.mark.parametrize("default", ["libc", "other"])
def test_a_copy_has_the_locale_provider_of_the_database(machine: Host, tmp_path_factory: Any, default: str) -> None:
    directory = tmp_path_factory.mktemp("s")
    major = int(machine.sql("SELECT current_setting('server_version_num')")[0][0]) // 10000
    known = {name: clause for name, (since, clause) in PROVIDERS.items() if since <= major}
    assert len(known) == {15: 4, 17: 7}[major]
    with second_cluster(machine, directory, major) as other:
        here, there = (machine.connect, other) if default == "libc" else (other, machine.connect)
        for name, clause in known.items():
            with made(here, f"CREATE DATABASE {NAME} TEMPLATE template0 OWNER postgres {clause}", NAME):
                with contextlib.closing(here(NAME)) as connection, connection.cursor() as cursor:
                    found = database_settings.read(cursor, NAME, f"{NAME}_copy")
                wanted = properties(here, NAME)
                # A restore on the same server, and one on a throwaway server with another default.
                for connect, statement in ((here, found["create"]), (there, found["elsewhere"])):
                    with made(connect, statement, f"{NAME}_copy"):
                        assert properties(connect, f"{NAME}_copy") == wanted, name


@pytest.mark.wide
def test_a_restore_keeps_the_provider_of_the_database(machine: Host) -> None:
    machine.reset()
    machine.run(
        "sudo systemctl stop ai-memory; cd /; sudo -u postgres pg_dump -Fc -f /tmp/ai_memory.dump ai_memory; sudo -u"
        f" postgres psql -qc 'DROP DATABASE ai_memory' -c \"CREATE DATABASE ai_memory TEMPLATE template0 OWNER {OWNER}"
        f' {PROVIDERS["icu"][1]}"; sudo -u postgres pg_restore -d ai_memory /tmp/ai_memory.dump; sudo rm'
        " /tmp/ai_memory.dump; sudo systemctl start ai-memory"
    )
    machine.wait_until_healthy()
    before = properties(machine.connect, "ai_memory")
    assert before[0]["datlocprovider"] == "i"
    # This run restores the backup on a throwaway server and compares the rows.
    machine.playbook("playbooks/backup.yml", "-ebackup_copy_max_bytes=0")
    run = machine.playbook("rollback.yml", "-erollback_mode=restore", "-erollback_confirm=YES")
    assert run.record["outcome"] == "SUCCESS"
    assert properties(machine.connect, "ai_memory") == before
