"""The documents in an archive for support, and the fields of each document that the archive includes."""

from __future__ import annotations

from .shapes import (
    Each,
    code,
    command,
    count,
    durations,
    label,
    letter,
    matching,
    method,
    name,
    number,
    one_of,
    outcome,
    own,
    present,
    setting,
    task,
    time,
    type_,
    version,
)

FINDING = {"check": label, "table": name("relation"), "expected": outcome, "actual": outcome, "ok": number}
AUDIT = {"rule": own, "severity": own, "fixed_by_plan": number}
INDEX = {
    "name": name("index"), "names": [name("column")], "descending": [number], "method": method, "plain": number,
    "unique": number, "valid": number, "replica_identity": number, "clustered": number, "constraint_type": letter,
    "dependents": count,
}  # fmt: skip
TABLE = {
    "exists": number, "kind": letter, "owner": name("role"), "rows": number,
    "column": {
        "type": type_, "not_null": number, "generated": number, "nulls": number, "tenants": Each("tenant", number)
    },
    "rls": {"enabled": number, "forced": number},
    "policies": [
        {"name": name("policy"), "command": command, "permissive": number, "public": number, "roles": [name("role")]}
    ],
    "indexes": [INDEX],
    "attributes": [
        {"name": name("column"), "type": type_, "not_null": number, "has_default": number, "generated": number}
    ],
    "triggers": [{"name": name("trigger"), "row": number, "enabled": number}],
    "foreign_keys": [
        {"name": name("constraint"), "columns": [name("column")], "references": {"table": name("relation")},
         "deferrable": number, "deferred": number, "validated": number}
    ],
    "rights": {"SELECT": number, "INSERT": number, "UPDATE": number, "DELETE": number},
    "checks": count, "views": count, "partitions": count, "excess_privileges": count, "granted_excess": count,
}  # fmt: skip
_LISTS = (
    "settings event_triggers publications subscriptions prepared building duplicates meanings routines row_types"
    " unvalidated"
)
STATE = {
    "server_version_num": number,
    "tables": Each("relation", TABLE),
    "functions": [
        {"name": name("function"), "types": count, "owner": name("role"), "granted": number, "returns": type_,
         "language": one_of("sql|plpgsql|c|internal")}
    ],
    "application_role": {
        "name": name("role"), "superuser": number, "bypassrls": number, "login": number,
        "bypassing_memberships": [name("role")],
    },
    "bridges": Each("role", present),
    "bridge_watch": {"exists": number, "used_at": number, "strays": count},
    "hazards": dict.fromkeys(_LISTS.split(), count) | {"backfill_login": number, "records_statements": number},
    "code": {"types": count, "functions": count, "operators": count, "casts": count},
    "views": Each("relation", {"rows": number}),
}  # fmt: skip
_TIMED = {"id": label, "seconds": number}
_WRITTEN = {"schema": name("schema"), "name": name("relation")}
_OPTIONS = """
tenancy_strategy tenancy_provision_app_role tenancy_bridge migrate_rehearse migrate_on_failure rollback_mode
backup_format backup_test_restore service_terminate_clients service_smoke
"""
_REHEARSED = """
statements attempts findings locked_seconds apply_seconds verify_seconds restore_seconds revert_seconds
"""
RUN = {
    "version": number,
    "run": matching(r"\d{8}T\d{6}Z-[\w.-]{1,64}"), "kind": own, "outcome": own, "finished": number, "completed": time,
    "versions": dict.fromkeys(("PostgreSQL", "ansible-core", "Python", "aimemory.tenancy"), version),
    "phases": [{"name": own, "started": time}],
    "failure": {"phase": own, "task": task, "message": code},
    "options": dict.fromkeys((*_OPTIONS.split(), "check mode"), own),
    "stopped_at": time, "healthy_at": time, "strategy": own, "locked_seconds": number, "durations": durations,
    "renewed": {"way": own, "workers": number, "processes": number, "seconds": number},
    "backup": {
        "version": number, "size_bytes": number, "encrypted": number, "proven_seconds": number,
        "tables": [_WRITTEN | {"rows": number, "partitioned": number}],
    },
    "rehearsal": {"mode": own, "strategy": own, "left_out": count, **dict.fromkeys(_REHEARSED.split(), number)},
    "online_steps": [_TIMED], "plan": [{"id": label, "table": name("relation"), "phase": own}],
    "proof": [FINDING], "login": [FINDING], "findings": [FINDING], "audit": [AUDIT],
    "journal": {"errors": number, "errors_before": number, "refused_before": number, "lines": count, "failures": count},
    "api": {"mode": own, "token": own, "endpoints": number, "apart": number, "unproven": count, "shown": count},
    "watched": {
        "seconds": number, "samples": number, "lines": number, "errors": number, "requests": number,
        "refused": number, "refused_before": number, "trouble": count,
    },
    "callers": {
        "interval": number, "sent": number, "failed": number, "worst": number, "p99": number, "gap": number,
        "seconds": number, "slices": {"step": number, "worst": count, "failed": count},
        "health": {"sent": number, "failed": number, "worst": number},
    },
    "written": [_WRITTEN | {"written": number, "gone": number}],
    "tables": {"before": Each("relation", TABLE), "after": Each("relation", TABLE)},
}  # fmt: skip
VERIFICATION = {"findings": [FINDING], "audit": [AUDIT]}
_ROLE = "superuser bypassrls login inherit createrole createdb replication connection_limit expires"
ROLES = [
    {"name": name("role"), **dict.fromkeys(_ROLE.split(), number), "member_of": [name("role")],
     "password_method": one_of("none|SCRAM-SHA-256|md5|unknown"), "settings": [name("setting")]}
]  # fmt: skip
_SIZES = ("total_bytes", "table_bytes", "index_bytes", "estimated_rows", "dead_rows")
SIZES = {
    "databases": Each("database", number),
    "tables": [{"schema": name("schema"), "name": name("relation"), **dict.fromkeys(_SIZES, number)}],
}
SESSIONS = [
    {
        "pid": number, "role": name("role"), "database": name("database"), "waits_for": [number],
        "type": one_of(
            "client backend|autovacuum launcher|autovacuum worker|logical replication launcher|background writer"
            "|logical replication worker|parallel worker|checkpointer|archiver|startup|walreceiver|walsender|walwriter"
            "|walsummarizer|slotsync worker|io worker"
        ),
        "state": one_of(
            "active|idle|idle in transaction|idle in transaction (aborted)|fastpath function call|disabled"
        ),
        "wait_event_type": one_of("Activity|BufferPin|Client|Extension|InjectionPoint|IO|IPC|Lock|LWLock|Timeout"),
        "transaction_seconds": number, "query_seconds": number,
        "command": one_of(
            "ALTER|ANALYZE|BEGIN|CALL|COMMIT|COPY|CREATE|DECLARE|DELETE|DO|DROP|EXECUTE|FETCH|GRANT|INSERT|LISTEN|LOCK"
            "|MERGE|REFRESH|REINDEX|RESET|REVOKE|ROLLBACK|SELECT|SET|SHOW|START|TABLE|TRUNCATE|UPDATE"
            "|VACUUM|VALUES|WITH"
        ),
    }
]  # fmt: skip
# Settings whose values are numbers, or words from PostgreSQL's fixed lists.
_SETTINGS = """
autovacuum autovacuum_max_workers authentication_timeout checkpoint_completion_target checkpoint_timeout
client_min_messages data_checksums deadlock_timeout default_transaction_isolation default_transaction_read_only
effective_cache_size event_triggers fsync full_page_writes hot_standby huge_pages idle_in_transaction_session_timeout
idle_session_timeout jit lock_timeout log_connections log_disconnections log_duration
log_error_verbosity log_lock_waits log_min_duration_statement log_min_error_statement log_min_messages log_statement
logging_collector maintenance_work_mem max_connections max_locks_per_transaction max_prepared_transactions
max_replication_slots max_stack_depth max_wal_senders max_wal_size max_worker_processes min_wal_size
password_encryption port restrict_nonsystem_relation_kind row_security shared_buffers ssl standard_conforming_strings
statement_timeout superuser_reserved_connections synchronous_commit temp_buffers temp_file_limit track_activities
track_counts transaction_timeout wal_buffers wal_level work_mem
"""
SETTINGS = {
    field: {
        "setting": setting,
        "unit": one_of("B|kB|8kB|MB|GB|ms|s|min"),
        "source": one_of(
            "configuration file|command line|environment variable|database|user|database user|global|override|default"
        ),
        "pending_restart": number,
    }
    for field in _SETTINGS.split()
}
# Names that PostgreSQL, this runbook and common extensions define.
_BUILT_IN = """
public postgres template0 template1 plpgsql vector uuid-ossp pgcrypto pg_stat_statements pg_trgm citext hstore btree_gin
btree_gist safeupdate pg_checkpoint pg_create_subscription pg_database_owner pg_execute_server_program pg_maintain
pg_monitor pg_read_all_data pg_read_all_settings pg_read_all_stats pg_read_server_files pg_signal_backend
pg_stat_scan_tables pg_use_reserved_connections pg_write_all_data pg_write_server_files search_path tenancy_bridge_note
"""
BUILT_IN = frozenset(_BUILT_IN.split()) | SETTINGS.keys()
VERSIONS = {
    "server": {
        "distribution": one_of("Debian|Ubuntu"),
        **dict.fromkeys(("release", "kernel", "python", "psycopg2", "pg_dump", "postgresql"), version),
        "extensions": Each("extension", version),
    },
    "operator": {
        "system": version,
        **dict.fromkeys(("python", "ansible-core", "psycopg2"), version),
        "aimemory.tenancy": version, "ansible.posix": version, "community.postgresql": version,
    },
    "runbook": matching(r"(?=\d*[a-f])[0-9a-f]{7,40}(-dirty)?"),
}  # fmt: skip
