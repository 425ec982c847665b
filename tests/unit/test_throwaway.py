"""The throwaway server's settings and names."""

from __future__ import annotations

import re

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import restoring, throwaway

PLACE = "/var/backups/tenancy-throwaway-ai_memory"
FOUND = [
    ("TimeZone", "Europe/Berlin", "Client Connection Defaults / Locale and Formatting"),
    ("maintenance_work_mem", "65536", "Resource Usage / Memory"),
    ("max_locks_per_transaction", "128", "Lock Management"),
    ("app.region", "it's \\here", "Customized Options"),
    ("cron.database_name", "ai_memory", "Customized Options"),
    ("shared_buffers", "16384", "Resource Usage / Memory"),
    ("archive_command", "cp %p /archive", "Write-Ahead Log / Archiving"),
    ("data_directory", "/var/lib/postgresql/17/main", "File Locations"),
    ("listen_addresses", "*", "Connections and Authentication / Connection Settings"),
    ("default_tablespace", "fast", "Client Connection Defaults / Statement Behavior"),
    ("shared_preload_libraries", "pg_cron", "Client Connection Defaults / Shared Library Preloading"),
    ("lc_messages", "de_DE.UTF-8", "Client Connection Defaults / Locale and Formatting"),
]


def test_settings_that_code_depends_on_are_kept_and_no_others() -> None:
    chosen = throwaway.settings(FOUND, ["pg_cron"], PLACE, 5433)
    assert chosen["TimeZone"] == "Europe/Berlin"
    assert chosen["maintenance_work_mem"] == "65536"
    assert chosen["max_locks_per_transaction"] == "128"
    assert chosen["app.region"] == "it's \\here"
    assert chosen["shared_preload_libraries"] == "pg_cron"
    assert (chosen["shared_buffers"], chosen["lc_messages"], chosen["listen_addresses"]) == ("128MB", "C", "")
    assert chosen["data_directory"] == f"{PLACE}/data"
    assert chosen.keys().isdisjoint({"archive_command", "default_tablespace"})


def test_it_serves_no_other_client_and_writes_no_log_of_replication() -> None:
    chosen = throwaway.settings([], [], PLACE, 5432)
    assert chosen["unix_socket_directories"] == f'"{PLACE}"'
    assert (chosen["wal_level"], chosen["max_wal_senders"], chosen["autovacuum"]) == ("minimal", "0", "off")
    # Without background workers, no extension's scheduler runs.
    assert chosen["max_worker_processes"] == "0"


def test_values_are_quoted_as_postgresql_conf_wants_it() -> None:
    assert throwaway.configuration({"app.region": "it's \\here"}) == "app.region = 'it''s \\\\here'\n"


def test_only_libraries_of_the_databases_extensions_are_loaded() -> None:
    extensions = [("vector", "$libdir/vector"), ("timescaledb", "$libdir/timescaledb-2.17.2"), ("pg_cron", None)]
    preloaded = ["auto_explain", "timescaledb", "pg_cron", "pg_stat_statements", "$libdir/vector"]
    assert throwaway.needed_libraries(preloaded, extensions) == ["timescaledb", "pg_cron", "$libdir/vector"]


def test_a_unit_is_named_after_the_database() -> None:
    assert throwaway.unit_name("ai_memory") == "tenancy-throwaway-ai_memory"
    assert throwaway.unit_name("a b") != throwaway.unit_name("a_b")
    assert re.fullmatch(r"[A-Za-z0-9_-]{,64}", throwaway.unit_name("é" * 31 + "/"))


def test_a_socket_with_too_long_a_path_is_refused() -> None:
    with pytest.raises(
        throwaway.ThrowawayError, match="longer than 107 bytes: specify a directory with a shorter path"
    ):
        throwaway.Server(lambda *_: (0, "", ""), "/" + "d" * 80, "ai_memory", "tenancy-throwaway", "postgres", 5432)


def test_an_error_of_pg_restore_is_one_sentence_without_rows_and_statement() -> None:
    text = (
        "pg_restore: while PROCESSING TOC:\n"
        "pg_restore: from TOC entry 3581; 2606 16737 CHECK CONSTRAINT public c alice\n"
        'pg_restore: error: could not execute query: ERROR:  new row for relation "m" violates check constraint "c"\n'
        "DETAIL:  Failing row contains (1, a secret).\n"
        "Command was: ALTER TABLE public.m ADD CONSTRAINT c CHECK (false);\n"
    )
    found = restoring.sentence(text)
    assert found.startswith('CHECK CONSTRAINT public c alice: new row for relation "m" violates check constraint "c";')
    assert "secret" not in found
    assert "ALTER TABLE" not in found
    assert restoring.sentence("something else") == "something else"


def test_owners_logins_have_names_of_their_own() -> None:
    assert restoring.login_names("r", ["alice", "bob"]) == {None: "r0", "alice": "r1", "bob": "r2"}
