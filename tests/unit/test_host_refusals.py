"""The result of the inspect_host module determines each refusal of a host. The earliest cause is reported first."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.host import found, refusals
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import found as service_found

URL = "postgresql://alice:s3cret@localhost:5432/ai_memory"
ENVIRONMENT = "/opt/ai-memory/.env"
# The time on this machine at the call and at the result, in seconds. The server's clock was read at least 2 s after the
# call and at least 1 s before the result.
ASKED, ANSWERED = 1000.0, 1004.0
SOUND = {"exists": True, "is_directory": True, "is_link": False, "writable": True}
MISSING = dict.fromkeys(SOUND, False)
ROOM = 10**9
WANTED: dict[str, Any] = {
    "operator": "eve", "host": "db1", "service": "ai-memory", "database": "ai_memory", "port": 5432,
    "admin": "postgres", "role": "app", "provides_login": False, "isolating": True, "stops_service": True,
    "require_active": True, "minimum_version": 130000, "answered_at": ANSWERED, "max_clock_skew_seconds": 60,
    "backs_up": True, "backup_directory": "/var/backups/ai", "restores": False, "margin_bytes": 10**6,
    "watch_bytes": 10**9, "watch_seconds": 5, "lock": "/run/tenancy-ai_memory.lock",
    "files": service_found.files(ENVIRONMENT, "", "app"),
}  # fmt: skip


def witness(**changes: Any) -> dict[str, Any]:
    return {
        "problem": "",
        "unit": {
            "load_state": "loaded", "active_state": "active", "main_pid": 7, "user": "ai", "tasks": 1,
            "as_started": False,
        },
        "processes": [{"pid": 7, "name": "gunicorn", "readable": True}],
        "environment": [{"url": URL, "processes": [{"pid": 7, "name": "gunicorn"}], "sessions": True}],
        "next_environment": {"url": URL, "set_by": ENVIRONMENT, "problem": ""}, "rewritable": True,
        "sessions": [
            {"pid": 9, "process": 7, "name": "gunicorn", "database": "ai_memory", "role": "alice", "reaches": True}
        ],
        "strangers": [], "server": {"answered": True, "problem": "", "database": True}, "listeners": [],
        "tells_sockets": True, "real_files": [ENVIRONMENT, "", ""],
        "files": [base64.b64encode(f"DATABASE_URL={URL}".encode()).decode(), None, None], **changes,
    }  # fmt: skip


def server(**changes: Any) -> dict[str, Any]:
    return {
        "version": "17.2", "version_num": 170002, "standby": False, "clock": 1002.5, "encoding": "UTF8",
        "admin_superuser": True, "database_size_bytes": 10**8, "roles": {"alice": False, "postgres": True},
        "app_role": None, "bypassing_roles": ["postgres"], **changes,
    }  # fmt: skip


NO_CODE: dict[str, list[Any]] = {
    name: [] for name in ("computed", "functions", "calls", "operators", "types", "domains", "written")
}


def postgresql(*, code: dict[str, Any] | None = None, members: list[Any] | None = None, **changes: Any) -> Any:
    rows = {
        "server": [{"server": server(**changes)}], "members": [{"members": members or []}],
        "expressions": [{"expressions": code or NO_CODE}],
    }  # fmt: skip
    return {"problem": "", "login_triggers": [], "session_settings": {}, "data_directory": "/data", "rows": rows}


def silent(problem: str, **changes: Any) -> dict[str, Any]:
    """Return the facts about a PostgreSQL server that does not respond."""
    return {
        "problem": problem, "login_triggers": [], "session_settings": {}, "data_directory": "", "rows": {}, **changes,
    }  # fmt: skip


def inspected(**changes: Any) -> dict[str, Any]:
    return {
        "service": witness(), "unit": {"obstacles": [], "notes": [], "problem": ""}, "postgresql": postgresql(),
        "clock": {"asked_at": ASKED, "before": 2.0, "after": 1.0}, "pg_dump": "pg_dump (PostgreSQL) 17.2",
        "backups": {"directory": SOUND, "parent": SOUND},
        "disk": {"data": {"mount": "/", "free": ROOM}, "backups": {"mount": "/var", "free": ROOM}},
        "lock_holder": "", "logins": [],
        "renewal": {"way": "gunicorn", "workers": 4, "obstacle": "", "invalid": ""}, **changes,
    }  # fmt: skip


def refused(host: dict[str, Any], **wanted: Any) -> list[str]:
    answer = found.of_inspection(host, {**WANTED, **wanted})
    assert bool(answer["refusals"]) != bool(answer["result"])
    assert "s3cret" not in str([answer["refusals"], answer["notes"], answer["result"]])
    sentences: list[str] = answer["refusals"]
    return sentences


def test_a_host_that_is_ready_is_described() -> None:
    answer = found.of_inspection(inspected(), WANTED)
    assert answer["refusals"] == answer["notes"] == []
    assert answer["result"] == {
        "operator": "eve", "application_role": "alice", "replaced_role": None, "app_role": None,
        "bypassing_roles": ["postgres"], "session_settings": {}, "server_version": "17.2",
        "server_version_num": 170002, "database_size_bytes": 10**8, "job_seconds": 0, "lock": WANTED["lock"],
        "lock_holder": "", "other_logins": [],
    }  # fmt: skip
    assert answer["service"]["result"]["state"]["database_url"]["user"] == "alice"
    assert answer["service"]["credentials"]["url"] == URL
    assert answer["service"]["result"]["renewal"] == {"way": "gunicorn", "workers": 4, "obstacle": "", "invalid": ""}


def test_a_login_of_the_runs_own_replaces_the_service_s() -> None:
    result = found.of_inspection(inspected(), {**WANTED, "provides_login": True, "watch_bytes": 1})["result"]
    assert (result["application_role"], result["replaced_role"], result["job_seconds"]) == ("app", "alice", 5)


CONTRADICTION = "ai-memory.service has no ExecReload=, but service_renew is reload: add it."
CONTRADICTED = {"way": "reload", "workers": 0, "obstacle": CONTRADICTION, "invalid": CONTRADICTION}
OBSTACLE = {"obstacles": ["ai-memory.service is masked."], "notes": [], "problem": ""}
INACTIVE = {**witness()["unit"], "active_state": "inactive", "main_pid": 0, "tasks": -1}
UNKNOWN = {**INACTIVE, "load_state": "not-found"}
STOPPED: dict[str, Any] = {"processes": [], "environment": [], "sessions": []}
NOT_ANSWERED = {"answered": False, "problem": "connection refused", "database": False}
PENDING = witness(server=NOT_ANSWERED, sessions=[])


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        (inspected(unit=OBSTACLE), "ai-memory.service is masked."),
        (
            inspected(unit={"obstacles": [], "notes": [], "problem": "no bus"}),
            "systemd did not describe ai-memory.service (no bus): correct service_name.",
        ),
        (inspected(renewal=CONTRADICTED), "ai-memory.service has no ExecReload=, but service_renew is reload: add it."),
        (inspected(service=witness(problem="no /proc")), "The service cannot be inspected (no /proc): correct service"),
        (
            inspected(service=witness(unit=UNKNOWN, **STOPPED)),
            "There is no systemd unit ai-memory on db1: correct service_name.",
        ),
        (
            inspected(service=witness(unit=INACTIVE, **STOPPED)),
            "The service ai-memory is not running: start it first (systemctl start ai-memory), so that the run can",
        ),
        (
            inspected(service=witness(environment=[], next_environment={"url": "", "set_by": "", "problem": "x"})),
            "The environment of ai-memory at its next start is unknown (x)",
        ),
        (
            inspected(service=PENDING, postgresql=silent("connection refused.\n")),
            "PostgreSQL on db1 did not answer for the database ai_memory: connection refused. Check systemctl status",
        ),
        (
            inspected(postgresql=silent("unsupported XML feature")),
            "PostgreSQL on db1 was built without libxml, which a run needs to read the state: install the PostgreSQL",
        ),
        (
            inspected(service=PENDING | {"listeners": ["pgbouncer"]}, postgresql=silent("not supported")),
            "pgbouncer listens on port 5432, not PostgreSQL: set database_port to the port of PostgreSQL itself.",
        ),
        (
            inspected(service=PENDING, postgresql=silent("python3 has no psycopg2: apt-get install python3-psycopg2.")),
            "did not answer for the database ai_memory: python3 has no psycopg2: apt-get install python3-psycopg2.",
        ),
        (
            inspected(postgresql=silent("INSERT in a read-only transaction", login_triggers=['"A"', "b"])),
            'The event trigger "A", b runs at every login there: use ALTER EVENT TRIGGER "A" DISABLE for the',
        ),
        (
            inspected(service=PENDING),
            "did not answer when the sessions of ai-memory were read (connection refused): run again.",
        ),
        (
            inspected(postgresql=silent('permission denied to set parameter "lc_messages"')),
            "postgres is not a superuser of this server: correct database_admin_user.",
        ),
        (inspected(postgresql=postgresql(admin_superuser=False)), "postgres is not a superuser of this server"),
        (
            inspected(postgresql=postgresql(version="12.22", version_num=120022)),
            "PostgreSQL 12.22 is too old: the run needs 13 or newer. Upgrade the server first, with pg_upgrade",
        ),
        (inspected(postgresql=postgresql(standby=True)), "db1 is a standby, which is read-only: run against the"),
        (
            inspected(postgresql=postgresql(encoding="SQL_ASCII")),
            "The encoding of ai_memory is SQL_ASCII: the run requires UTF8, so convert the",
        ),
        (
            inspected(postgresql=postgresql(members=[
                {"extension": "x", "schema": "public", "name": "t", "owner": "o", "is_table": True, "is_tenant": True}
            ])),
            "The tenant table public.t is a member of the extension x, so no dump contains it: ALTER EXTENSION",
        ),
        (
            inspected(postgresql=postgresql(roles={"postgres": True})),
            "The user in DATABASE_URL, alice, is not a role of this server: correct DATABASE_URL.",
        ),
        (
            inspected(postgresql=postgresql(roles={"alice": True})),
            "The service logs in as alice, a role that bypasses row security: no policy would isolate tenants. Let the",
        ),
        (
            inspected(postgresql=postgresql(code=NO_CODE | {"written": [{"what": "The index i", "type": "d"}]})),
            "The index i contains a value of d, a domain whose CHECK calls an ordinary role's code. The code would run",
        ),
        (
            inspected(pg_dump="pg_dump (PostgreSQL) 16.4"),
            "pg_dump of PostgreSQL 17 or newer is required on db1 (pg_dump (PostgreSQL) 16.4): apt-get install",
        ),
        (inspected(pg_dump=""), "(none was found): apt-get install postgresql-client-17."),
        (
            inspected(backups={"directory": SOUND | {"is_link": True, "is_directory": False}, "parent": SOUND}),
            "backup_directory /var/backups/ai on db1 is a symbolic link: set a directory (whose parent exists) with",
        ),
        (
            inspected(backups={"directory": SOUND | {"is_directory": False}, "parent": SOUND}),
            "backup_directory /var/backups/ai on db1 is not a writable directory: set a directory",
        ),
        (
            inspected(backups={"directory": SOUND | {"writable": False}, "parent": SOUND}),
            "is not a writable directory",
        ),
        (inspected(backups={"directory": MISSING, "parent": MISSING}), "is not a writable directory"),
        (
            inspected(backups={"directory": MISSING, "parent": SOUND | {"writable": False}}),
            "is not a writable directory",
        ),
        (
            inspected(disk={"data": None, "backups": {"mount": "/var", "free": 10**8}}),
            "/var has 95.37 MB free, but a dump of ai_memory needs up to 96.32 MB: free up space there, or set another",
        ),
        (
            inspected(disk={"data": None, "backups": None}),
            "The command df on db1 does not show the free space for a dump of ai_memory: run",
        ),
    ],
)  # fmt: skip
def test_a_refusal_follows_from_what_was_found(host: dict[str, Any], sentence: str) -> None:
    (refusal,) = refused(host)
    assert sentence in refusal


@pytest.mark.parametrize(
    ("clock", "sentence"),
    [
        (1002.0, ""), (1003.0, ""),
        (ASKED + 2 - 60, ""), (ASKED + 2 - 61, "is 61 seconds behind this machine's"),
        (ANSWERED - 1 + 60, ""), (ANSWERED - 1 + 61, "is 61 seconds ahead of this machine's"),
    ],
)  # fmt: skip
def test_clocks_are_refused_for_what_the_call_itself_does_not_explain(clock: float, sentence: str) -> None:
    sentences = refused(inspected(postgresql=postgresql(clock=clock)))
    assert [sentence in text for text in sentences] == ([True] if sentence else [])


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        (inspected(unit=OBSTACLE), {"stops_service": False}),
        (inspected(renewal=CONTRADICTED), {"stops_service": False}),
        # A service that cannot be renewed is stopped instead.
        (inspected(renewal={**CONTRADICTED, "invalid": ""}), {}),
        (inspected(service=witness(unit=INACTIVE, **STOPPED)), {"require_active": False}),
        (inspected(postgresql=postgresql(roles={"alice": True})), {"isolating": False}),
        (inspected(postgresql=postgresql(roles={"alice": True})), {"provides_login": True}),
        (inspected(backups={"directory": MISSING, "parent": MISSING}), {"backs_up": False}),
        (inspected(backups={"directory": MISSING, "parent": SOUND}), {}),
        (inspected(disk={"data": None, "backups": {"mount": "/var", "free": ROOM}}), {}),
    ],
)
def test_what_a_run_does_not_need_is_not_refused(host: dict[str, Any], wanted: dict[str, bool]) -> None:
    assert refused(host, **wanted) == []


@pytest.mark.parametrize(
    ("data", "backups", "missing"),
    [
        (("/", ROOM), ("/var", ROOM), []),
        (("/", 10**8), ("/var", ROOM), ["/ has 95.37 MB free, but a restored copy of ai_memory needs up to 96.32 MB"]),
        # If both directories are on one disk, the disk needs room for both the dump and the copy.
        (("/", 3 * 10**8), ("/", 3 * 10**8), []),
        (("/", 2 * 10**8), ("/", 2 * 10**8), ["a dump and a restored copy of ai_memory needs up to 191.69 MB"]),
        (("/", 10**8), ("/var", 10**8), ["a dump of", "a restored copy of"]),
    ],
)
def test_a_restore_needs_room_beside_the_database(
    data: tuple[str, int], backups: tuple[str, int], missing: list[str]
) -> None:
    room = {name: {"mount": mount, "free": free} for name, (mount, free) in {"data": data, "backups": backups}.items()}
    sentences = refused(inspected(disk=room), restores=True)
    assert len(sentences) == len(missing)
    assert all(part in sentence for part, sentence in zip(missing, sentences, strict=True))


def test_the_first_cause_alone_is_refused() -> None:
    """Remove the causes one after the other: the next cause is reported when the earlier causes are gone."""
    everything = inspected(
        unit=OBSTACLE, service=witness(unit=UNKNOWN, **STOPPED), postgresql=silent("connection refused"), pg_dump="",
        backups={"directory": MISSING, "parent": MISSING},
    )  # fmt: skip
    stages: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["masked"]),
        ({"unit": inspected()["unit"]}, ["no systemd unit"]),
        ({"service": witness(next_environment={"url": "", "set_by": "", "problem": "x"})}, ["is unknown"]),
        ({"service": PENDING}, ["did not answer for"]),
        ({"postgresql": postgresql(standby=True, encoding="LATIN1")}, ["when the sessions"]),
        ({"service": witness()}, ["standby", "LATIN1"]),
        ({"postgresql": postgresql(code=NO_CODE | {"written": [{"what": "i", "type": "d"}]})}, ["domain"]),
        # All missing requirements of a backup are reported together.
        ({"postgresql": postgresql()}, ["pg_dump", "backup_directory"]),
    ]
    for changes, parts in stages:
        everything |= changes
        sentences = refused(everything)
        assert len(sentences) == len(parts)
        assert all(part in sentence for part, sentence in zip(parts, sentences, strict=True))


def test_notes_are_sentences_of_what_else_is_there() -> None:
    noted = inspected(
        unit={"obstacles": [], "notes": ["x.timer would start it."], "problem": ""}, lock_holder="eve, since noon"
    )
    another = "Another run uses this database, or was lost: eve, since noon."
    assert found.of_inspection(noted, WANTED)["notes"] == ["x.timer would start it.", another]
    assert found.of_inspection(noted, {**WANTED, "stops_service": False})["notes"] == [another]
    further = witness()["sessions"][0] | {"pid": 10, "database": "other", "reaches": False}
    (note,) = found.of_inspection(inspected(service=witness(sessions=[*witness()["sessions"], further])), WANTED)[
        "notes"
    ]
    assert note == "ai-memory also works in other as alice (gunicorn)."


def test_other_units_with_a_login_to_the_database_are_named() -> None:
    there = {"user": "alice", "host": "127.0.0.1", "database": "ai_memory"}
    logins = [
        {**there, "unit": "ai-memory.service"}, *[{**there, "unit": "worker.service"}] * 2,
        {**there, "unit": "elsewhere.service", "host": "192.0.2.1"},
        {**there, "unit": "other.service", "database": "other"},
    ]  # fmt: skip
    answer = found.of_inspection(inspected(logins=logins), WANTED)
    assert answer["result"]["other_logins"] == [{"unit": "worker.service", "user": "alice"}]
    (note,) = answer["notes"]
    assert note.startswith("worker.service has a login to ai_memory as alice in its environment.")
    assert found.of_inspection(inspected(logins=logins), {**WANTED, "isolating": False})["notes"] == []


ROUTE = {"host": "localhost", "port": 5432, "user": "alice", "dbname": "ai_memory"}
MADE: dict[str, Any] = {
    "logged_in": True,
    "problem": "",
    "findings": [{"ok": True, "sentence": "The service becomes postgres"}],
}


@pytest.mark.parametrize(
    ("verdict", "isolating", "dbname", "is_refused"),
    [
        ("ok", True, "ai_memory", False), ("unfit", True, "ai_memory", True), ("elsewhere", True, "ai_memory", True),
        ("unreachable", True, "ai_memory", True),
        # A rollback accepts a service that cannot log in.
        ("ok", False, "ai_memory", False), ("unfit", False, "ai_memory", False),
        ("unreachable", False, "ai_memory", False), ("unreachable", False, "other", True),
        ("elsewhere", False, "ai_memory", True),
    ],
)  # fmt: skip
def test_a_route_is_refused_by_its_verdict(verdict: str, isolating: bool, dbname: str, is_refused: bool) -> None:
    judged = {"verdict": verdict, "sentence": "It leads elsewhere."}
    wanted = WANTED | {"isolating": isolating}
    refusal = refusals.of_route(judged, MADE, ROUTE | {"dbname": dbname}, wanted)
    assert refusal == (["It leads elsewhere."] if is_refused else [])


def test_attempts_that_were_not_made_or_reached_another_role_are_refused() -> None:
    well = {"verdict": "ok", "sentence": ""}
    unmade = {"logged_in": False, "problem": "too many clients", "findings": []}
    (refusal,) = refusals.of_route(well, unmade, ROUTE, WANTED)
    assert refusal == (
        "alice cannot log in over the service's own route (localhost, port 5432): too many clients. Check the role's"
        " password in DATABASE_URL, and pg_hba.conf."
    )
    late = {"logged_in": True, "problem": "the attempts took longer than 60 s", "findings": []}
    (refusal,) = refusals.of_route(well, late, ROUTE, WANTED)
    assert refusal == (
        "alice logged in over the service's own route (localhost, port 5432), but the attempts took longer than 60 s."
        " If the tables are large, increase tenancy_proof_timeout. Otherwise, check which lock or trigger delays the"
        " attempts. Then run the playbook again."
    )
    leak = {**MADE, "findings": [*MADE["findings"], {"ok": False, "sentence": "The service becomes eve"}]}
    (refusal,) = refusals.of_route(well, leak, ROUTE, WANTED)
    assert refusal == (
        "The service's login can bypass row security: The service becomes eve. Revoke that role from the login."
    )
    assert refusals.of_route(well, leak, ROUTE, WANTED | {"isolating": False}) == []


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        # The results of the module, and of a module that could not run.
        ({"msg": "no pg_hba.conf entry\nfor host", "logged_in": False}, "alice cannot log in over the socket: no "),
        ({"msg": "the attempts took longer than 60 s", "logged_in": True}, "alice logged in over the socket, but the"),
        ({"msg": "MODULE FAILURE: see stderr.\n"}, "The attempts of alice over the socket were not made: MOD"),
    ],
)  # fmt: skip
def test_only_a_failed_login_is_called_one(result: dict[str, Any], expected: str) -> None:
    refusal = refusals.of_unmade(result, "alice", "the socket")
    assert refusal.startswith(expected)
    assert ("password" in refusal) == (result.get("logged_in") is False)
    assert ".." not in refusal
