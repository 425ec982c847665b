"""Log lines of many programs are classified by their form."""

from __future__ import annotations

import json

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import logged

NOTHING = [
    # Success messages that mention the tenant, a table, the database or a driver.
    "INFO ai-memory JWT validated: customer_id=1",
    "INFO:ai_memory.auth:JWT validated: customer_id=1",
    "2026-11-28 07:43:11,123 - ai_memory.main - INFO - Stored memory 7c9e6679 for caller [customer:1]",
    "2026-11-28 07:43:11,123 INFO ai_memory.main stored memory [customer:1]",
    "[2026-11-28 07:43:11 +0000] [12] [INFO] connecting to database ai_memory with psycopg2 2.9.10",
    "2026-11-28 07:43:11.123 | INFO     | ai_memory.main:store:88 - psycopg2.errors.UndefinedColumn is handled here",
    'INFO ai-memory relation "cache" does not exist yet, skipping',
    "INFO alembic.runtime.migration Running upgrade 12 -> 13, add column customer_id",
    "2026-11-28 07:43:11,123 ai_memory.main INFO permission denied for table cache is handled here",
    "2026-11-28 07:43:11,123:INFO:ai_memory.main:permission denied for table cache is handled here",
    "2026-11-28 07:43:11,123|ai_memory.main|INFO|permission denied for table cache is handled here",
    "JWT validated: customer_id=1",
    "stored memory 7c9e6679 [customer:1]",
    "connected to database ai_memory, app.current_tenant is set for each request",
    "Traceback (most recent call last):",
    '  File "/opt/ai-memory/venv/lib/python3.12/site-packages/psycopg2/extras.py", line 236, in execute',
    'NOTICE:  relation "memories" already exists, skipping',
    'NOTICE:  table "customer_id" does not exist, skipping',
    "WARNING ai-memory slow query: 1204 ms for SELECT * FROM memories WHERE customer_id = 1",
    "WARNING:  there is already a transaction in progress",
    "WARNING retry 1 of 3 after psycopg2.errors.DeadlockDetected: deadlock detected",
    # Access logs.
    'INFO:     127.0.0.1:40122 - "POST /memory/store HTTP/1.1" 200 OK',
    'INFO:     127.0.0.1:40122 - "GET /errors/permission-denied HTTP/1.1" 404 Not Found',
    '127.0.0.1 - - [28/Nov/2026:07:43:11 +0000] "GET /health HTTP/1.1" 200 73 "-" "ERROR-checker/1.0"',
    '10.0.0.5 - alice [28/Nov/2026 07:43:11] "POST /v1/memories HTTP/1.1" 500 12',
    # Structured logs.
    '{"event": "JWT validated", "customer_id": 1, "level": "info", "timestamp": "2026-11-28T07:43:11Z"}',
    '{"level":30,"time":1795851791123,"pid":12,"msg":"column \\"customer_id\\" does not exist: created"}',
    '{"log.level":"info","message":"psycopg2.errors.UndefinedColumn was counted 0 times"}',
    '{"city": "Somerset", "code": "42501"}',
    'ts=2026-11-28T07:43:11Z level=info msg="permission denied for table x: expected" customer_id=1',
    "2026-11-28 07:43:11 [info     ] stored memory                  customer_id=1",
    "\x1b[32mINFO\x1b[0m:     Application startup complete.",
    "I, [2026-11-28T07:43:11.123456 #12]  INFO -- : Migrating to AddCustomerId",
    "D, [2026-11-28T07:43:11.123456 #12] DEBUG -- : PG::UndefinedTable is rescued",
    "info: Microsoft.EntityFrameworkCore.Database.Command[20101]",
    "I1128 07:43:11.123456      12 store.go:88] customer_id=1",
    # Callers' data, quoted in an error.
    "[SQL: INSERT INTO memories (k, value_json) VALUES (%(k)s, %(v)s)]",
    "[parameters: {'k': 'note', 'v': 'she said: permission denied for table memories'}]",
    "DETAIL:  Failing row contains (1, permission denied for table memories).",
    "LINE 1: INSERT INTO memories (k) VALUES ('violates foreign key constraint')",
    # The end of a traceback for another error.
    "httpx.ConnectError: All connection attempts failed",
    "psycopg2.OperationalError: server closed the connection unexpectedly",
    "psycopg2.errors.AdminShutdown: terminating connection due to administrator command",
    "psycopg2.errors.LockNotAvailable: canceling statement due to lock timeout",
    'psycopg2.errors.InvalidTextRepresentation: invalid input syntax for type uuid: "abc"',
    'psycopg2.errors.CheckViolation: new row for relation "m" violates check constraint "m_openness_check"',
    "sqlalchemy.exc.IntegrityError: (psycopg2.errors.CheckViolation) Prüfbedingung",
    'django.db.utils.IntegrityError: new row for relation "m" violates check constraint "m_openness_check"',
    'memory type "fact" does not exist',
    'user "bob" does not exist',
    "PermissionError: [Errno 13] Permission denied: '/var/log/ai-memory.log'",
    "An error of the database was handled",
]
ERRORS = [
    "2026-11-28 07:43:11,123 ai_memory.main ERROR could not embed",
    "2026-11-28 07:43:11,123:ERROR:ai_memory.main:could not embed",
    "2026-11-28 07:43:11,123:ai_memory.main:ERROR:could not embed",
    "2026-11-28 07:43:11,123|ERROR|ai_memory.main|could not embed",
    "2026-11-28 07:43:11,123|ai_memory.main|ERROR|could not embed",
    "2026-11-28 07:43:11,123 (MainThread) ERROR could not embed",
    "[Nest] 12  - 11/28/2026, 7:43:11 AM   ERROR [ExceptionsHandler] could not embed",
    "ERROR ai-memory language model connection refused: embeddings are computed later",
    "ERROR:ai_memory:request to the language model failed: database of models is not loaded",
    "2026-11-28 07:43:11,123 - ai_memory.llm - ERROR - HTTP 503 for customer_id=1",
    "2026-11-28 07:43:11,123 ERROR [ai_memory.main] customer_id is missing in the token",
    "[2026-11-28 07:43:11 +0000] [12] [ERROR] Exception in worker process",
    "[2026-11-28 07:43:11 +0000] [12] [CRITICAL] WORKER TIMEOUT (pid:4242)",
    "[2026-11-28 07:43:11,123: ERROR/ForkPoolWorker-1] Task embed[1] raised unexpected: TimeoutError()",
    "ERROR:    Exception in ASGI application",
    "[2026-11-28 07:43:11,123] ERROR in app: Exception on /memory/store [POST]",
    "2026-11-28 07:43:11.123 | ERROR    | ai_memory.main:store:88 - could not embed",
    "2026-11-28 07:43:11 [error    ] could not embed                customer_id=1",
    "\x1b[31mERROR\x1b[0m:    could not embed",
    "E, [2026-11-28T07:43:11.123456 #12] ERROR -- : Net::ReadTimeout",
    "F, [2026-11-28T07:43:11.123456 #12] FATAL -- : Net::ReadTimeout",
    "2026-11-28 07:43:11.123 ERROR 12 --- [nio-8080-exec-1] c.e.Memory : could not embed",
    "07:43:11.123 [main] ERROR com.example.Memory - could not embed",
    "E1128 07:43:11.123456      12 embed.go:88] could not embed",
    "2026-11-28T07:43:11.123Z\tERROR\tembed/embed.go:88\tcould not embed",
    'time="2026-11-28T07:43:11Z" level=error msg="could not embed" customer_id=1',
    "Error: connect ECONNREFUSED 127.0.0.1:11434",
    "error: could not embed",
    "fail: Microsoft.AspNetCore.Server.Kestrel[13]",
    "ERROR ai-memory psycopg2.OperationalError: server closed the connection unexpectedly",
    "ERROR ai-memory psycopg2.errors.SerializationFailure: could not serialize access",
    "ERROR ai-memory (psycopg2.errors.QueryCanceled) canceling statement due to statement timeout",
    "ERROR ai-memory [Errno 13] Permission denied: '/var/lib/models'",
    "ERROR ai-memory psycopg2.errors.TooManyConnections: sorry, too many clients already",
    "2026-11-28 07:43:11.123 UTC [12] alice@ai_memory ERROR:  deadlock detected",
    '{"event": "could not embed", "level": "error", "customer_id": 1}',
    '{"level":50,"time":1795851791123,"msg":"could not embed","customer_id":1}',
    '{"log": {"level": "ERROR"}, "message": "could not embed"}',
    '{"version":"1.1","short_message":"could not embed","level":3}',
    '{"severity":"CRITICAL","message":"could not embed"}',
]
FAILURES = [
    # psycopg2, psycopg: the last line of a traceback, a swallowed error, and an error in another language.
    ('psycopg2.errors.UndefinedColumn: column "customer_id" of relation "memories" does not exist', "42703"),
    ("psycopg2.errors.InsufficientPrivilege: permission denied for table memories", "42501"),
    ("psycopg2.errors.InsufficientPrivilege: FEHLER:  keine Berechtigung für Tabelle memories", "42501"),
    ("psycopg2.errors.NotNullViolation: ERREUR:  une valeur NULL viole la contrainte NOT NULL", "23502"),
    ("psycopg2.errors.SyntaxError: syntax error at or near", "42601"),
    ("psycopg2.errors.InFailedSqlTransaction: current transaction is aborted", "25P02"),
    ("psycopg2.errors.RaiseException: no tenant is set", "P0001"),
    ("psycopg2.errors.FeatureNotSupported: cached plan must not change result type", "0A000"),
    ('psycopg2.errors.InvalidTextRepresentation: invalid input syntax for type integer: ""', "22P02"),
    ('psycopg2.errors.UndefinedObject: unrecognized configuration parameter "app.current_tenant"', "42704"),
    ("psycopg.errors.UniqueViolation: llave duplicada viola restricción de unicidad", "23505"),
    ("psycopg2.errors.InternalError_: cache lookup failed for function 4711", "XX000"),
    ('psycopg2.OperationalError: connection failed: FATAL:  password authentication failed for user "alice"', "28P01"),
    ('psycopg2.OperationalError: connection failed: FATAL:  role "alice" does not exist', "28000"),
    ("ERROR ai-memory request failed: permission denied for table memories", "42501"),
    ("WARNING ai-memory no profile: permission denied for table caller_profiles", "42501"),
    ("Error retrieving memories: permission denied for table memories", "42501"),
    ("ERROR ai-memory storing failed: column m.customer_id does not exist", "42703"),
    ('2026-11-28 07:43:11,123 - ai_memory - ERROR - new row violates row-level security policy for table "m"', "42501"),
    ('[2026-11-28 07:43:11 +0000] [12] [ERROR] null value in column "c" violates not-null constraint', "23502"),
    ("ERROR storing failed: there is no unique or exclusion constraint matching the ON CONFLICT", "42P10"),
    ("ERROR ai-memory could not store: FEHLER:  Spalte »customer_id« existiert nicht", None),
    ("could not store: ОШИБКА:  столбец customer_id не существует", None),
    # asyncpg, SQLAlchemy, Django.
    ('asyncpg.exceptions.UndefinedColumnError: column "customer_id" does not exist', "42703"),
    ("asyncpg.exceptions.PostgresSyntaxError: Syntaxfehler bei »FROM«", "42601"),
    ("sqlalchemy.exc.ProgrammingError: (psycopg2.errors.UndefinedTable) relation does not exist", "42P01"),
    ("sqlalchemy.exc.ProgrammingError: (psycopg2.ProgrammingError) Spalte gibt es nicht", "42000"),
    ("sqlalchemy.exc.DBAPIError: (x.Error) <class 'asyncpg.exceptions.InsufficientPrivilegeError'>: x", "42501"),
    ('django.db.utils.ProgrammingError: relation "memories_memory" does not exist', "42P01"),
    ("django.db.utils.IntegrityError: Schlüsselwert verletzt Unique-Constraint", "23000"),
    # Ruby, Node, Go, Rust, Java, PHP, Elixir, .NET.
    ("ActiveRecord::StatementInvalid (PG::UndefinedColumn: ERROR:  column memories.customer_id x)", "42703"),
    ("E, [2026-11-28T07:43:11.123456 #12] ERROR -- : PG::InsufficientPrivilege: ERREUR:  droit refusé", "42501"),
    ('error: column "customer_id" does not exist', "42703"),
    ("  code: '42703',", "42703"),
    ("2026/11/28 07:43:11 storing: pq: permission denied for table memories", "42501"),
    ('2026/11/28 07:43:11 storing: ERROR: column "customer_id" does not exist (SQLSTATE 42703)', "42703"),
    ("2026/11/28 07:43:11 storing: FEHLER: Spalte »customer_id« existiert nicht (SQLSTATE 42703)", "42703"),
    ("2026-11-28T07:43:11Z ERROR ai_memory::store: error of the database: permission denied for table m", "42501"),
    ('org.postgresql.util.PSQLException: ERROR: relation "memories" does not exist', "42P01"),
    ("PDOException: SQLSTATE[42501]: Insufficient privilege: 7 FEHLER:  keine Berechtigung", "42501"),
    ("** (Postgrex.Error) ERROR 42703 (undefined_column) column x", "42703"),
    ("      Npgsql.PostgresException (0x80004005): 42501: permission denied", "42501"),
    ("ERROR:  42703: column x", "42703"),
    # Structured logs.
    ('{"event": "could not store", "level": "error", "error": "permission denied for table memories"}', "42501"),
    (json.dumps({"level": "error", "exception": "Traceback\npsycopg2.errors.UndefinedColumn: x"}), "42703"),
    (json.dumps({"level": 50, "err": {"type": "DatabaseError", "code": "42703", "routine": "x"}}), "42703"),
    (json.dumps({"error": 'column "customer_id" does not exist'}), "42703"),
    ("2026-11-28 07:43:11 [error    ] could not store   error='permission denied for table memories'", "42501"),
    ('ts=2026-11-28T07:43:11Z level=error msg="could not store" pgcode=42501', "42501"),
]  # fmt: skip


@pytest.mark.parametrize("line", NOTHING)
def test_a_line_without_an_error_is_none(line: str) -> None:
    said = logged.read(line)
    assert (said.level == logged.ERROR, said.failure) == (False, False)


@pytest.mark.parametrize("line", ERRORS)
def test_an_error_about_something_else_is_no_failure(line: str) -> None:
    said = logged.read(line)
    assert (said.level, said.failure) == (logged.ERROR, False)


@pytest.mark.parametrize(("line", "code"), FAILURES)
def test_an_error_of_the_database_is_a_failure(line: str, code: str | None) -> None:
    said = logged.read(line)
    assert (said.failure, said.code) == (True, code)


def test_the_journal_tells_the_level_of_a_line_that_has_none() -> None:
    assert logged.level("could not embed", 3) == logged.ERROR
    assert logged.level("could not embed", 6) is None
    assert logged.level("INFO could embed", 3) == logged.QUIET


def test_an_invalid_document_is_a_line() -> None:
    assert logged.read('{"broken: permission denied for table memories').failure
    assert logged.level("{} ERROR") is None


@pytest.mark.parametrize("depth", [100, 900, 100_000])
def test_a_document_may_be_deep(depth: int) -> None:
    deep = f"{'[' * depth}{']' * depth}"
    assert logged.read(f'{{"level": "info", "msg": {deep}}}').failure is False
    assert logged.read(f'{{"level": "error", "error": "permission denied for table m", "msg": {deep}}}').failure


def test_an_unknown_level_is_ignored() -> None:
    assert logged.level('{"level": true, "msg": "x"}') is None
    assert logged.level('{"level": "unheard", "severity": "error"}') == logged.ERROR
