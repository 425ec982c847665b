"""A support archive contains facts, but no part of a planted secret or of callers' data."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import findings
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.support import archive, logs, taken
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.support.names import Names
from production import model_source, rental_source

KNOWN = ["memories", "customer_id", "user_id", "1", "NULL", "", "JWT_SECRET_KEY"]
SECRETS = [
    "Ophelia",
    "Ophelia's Zauberberg",
    "zauberberg",
    "+15557654321",
    "15557654321",
    "sk-9f8e7d6c",
    "ROSEBUD",
    "Ünlü",
]

FINDING = {"check": "memories.own.insert", "table": "memories", "expected": ["1 rows"], "actual": "1 rows", "ok": True}
RUN: dict[str, Any] = {
    "run": "20261129T142059Z-lab17", "kind": "migrate", "outcome": "PARTIAL", "finished": True,
    "completed": "2026-11-29T14:21:39.771480", "versions": {"PostgreSQL": "17.2 (Debian 17.2-1)"},
    "phases": [{"name": "preflight", "started": "2026-11-29T14:20:59.762122"}],
    "failure": {
        "phase": "journal", "task": "journal | Require no failure of the database",
        "message": "psycopg2.errors.UndefinedTable: said",
    },
    "options": {"migrate_rehearse": "none", "limit": "lab17"},
    "durations": {"memories.column": 0.5, "login.role.alice": 1},
    "plan": [{"id": "memories.column", "table": "memories", "phase": "column", "sql": "ALTER", "reason": "why"}],
    "findings": [FINDING],
    "audit": [{"rule": "role-superuser", "severity": "error", "subject": "x", "fixed_by_plan": False}],
    "journal": {"lines": ["a line"], "failures": [], "errors": 1, "errors_before": 0, "refused_before": 0},
}  # fmt: skip
ROLE = {
    "name": "alice", "superuser": False, "password_method": "md5", "member_of": ["pg_monitor"],
    "settings": ["search_path", "app.secret"],
}  # fmt: skip
SESSION = {"pid": 1, "role": "alice", "database": "d", "state": "active", "command": "SELECT", "waits_for": [2]}
TEXTS: dict[str, Any] = {
    "roles": [ROLE],
    "run": RUN,
    "sessions": [SESSION],
    "settings": {
        "work_mem": {"setting": "4096", "unit": "kB", "source": "configuration file"}, "app.x": {"setting": "1"},
    },
    "sizes": {"databases": {"d": 9}, "tables": [{"schema": "public", "name": "memories", "total_bytes": 8}]},
    "state": golden.catalog("migrated"),
    "verification": {"findings": [FINDING], "audit": RUN["audit"]},
    "versions": {
        "server": {"kernel": "6.8.0-31-generic", "extensions": {"vector": "0.8.0"}}, "runbook": "abcdef1-dirty",
    },
}  # fmt: skip


def made(kind: str, text: str, **more: str) -> dict[str, Any]:
    """Return an archive that is made from one text of this kind."""
    return archive.archive([{"name": "a", "what": "b", "kind": kind, "text": text, **more}], KNOWN)


def content(kind: str, document: Any, **more: str) -> str:
    """Return the contents that a document has in an archive."""
    (file,) = made(kind, document if isinstance(document, str) else json.dumps(document), **more)["files"]
    return str(file["content"])


def planted(value: Any, secret: str, *, number: int = 15557654321) -> Any:
    """Return the document with the secret as each string, in each list, and as a key and a value in each dict."""
    if isinstance(value, dict):
        return {
            **{key: planted(item, secret) for key, item in value.items()},
            secret: secret, "planted": {"planted": [number, secret]},
        }  # fmt: skip
    if isinstance(value, list):
        return [*(planted(item, secret) for item in value), secret, [secret], {"name": secret}, {secret: secret}]
    return secret if isinstance(value, str) else value


def test_every_kind_is_tried() -> None:
    assert TEXTS.keys() == archive._DOCUMENTS.keys()
    assert all(content(kind, document) for kind, document in TEXTS.items())


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_document_can_hold_a_secret(kind: str, secret: str) -> None:
    found = content(kind, planted(TEXTS[kind], secret))
    assert secret not in found
    assert secret not in json.loads(json.dumps(found))
    assert json.dumps(secret)[1:-1] not in found
    assert "15557654321" not in found


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_within_a_text_comes_through(kind: str, secret: str) -> None:
    def within(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: within(item) for key, item in value.items()}
        if isinstance(value, list):
            return [within(item) for item in value]
        return f"{value} {secret}" if isinstance(value, str) else value

    assert secret not in content(kind, within(TEXTS[kind]))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("service", "ActiveState={0}\nResult={0}\n{0}={0}\n{0}"),
        ("unit", "# /etc/{0}\n[{0}]\nExecStart={0}\n{0}={0}\nEnvironment={0}={0} \\\n {0}={0}\n{0}\n# {0}"),
        ("environment", "DATABASE_URL={0}\n{0}={0}\nexport {0}\n{0}\nKEY='{0}\n{0}=a'"),
        ("disks", "{0} 1 2 3 /{0}\next4 1 2 3 /{0}\n{0}"),
        ("journal", '{{"MESSAGE": "ERROR {0}: x", "SYSLOG_IDENTIFIER": "{0}", "__REALTIME_TIMESTAMP": "17958517"}}'),
        ("postgresql_log", "2026-11-28 07:43:11.000 UTC [1] {0}@{0} ERROR:  {0}\n\t{0}\n{0}\n{0} LOG:  {0}"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_that_programs_print_can_hold_a_secret(kind: str, text: str, secret: str) -> None:
    archived = made(kind, text.format(secret), unit="ai-memory")
    assert archived["files"]
    assert secret not in str(archived["files"])


def test_what_helps_is_kept() -> None:
    record = json.loads(content("run", RUN))
    assert record["failure"] == {"phase": "journal", "task": RUN["failure"]["task"], "message": "42P01"}
    assert record["durations"] == {"memories.column": 0.5, "login.role.name_1": 1}
    assert record["plan"] == [{"id": "memories.column", "table": "memories", "phase": "column"}]
    assert record["findings"] == [FINDING]
    assert record["audit"] == [{"rule": "role-superuser", "severity": "error", "fixed_by_plan": False}]
    assert (record["outcome"], record["phases"]) == ("PARTIAL", RUN["phases"])
    assert json.loads(content("roles", [ROLE]))[0] == ROLE | {
        "name": "role_1",
        "settings": ["search_path", "setting_1"],
    }
    assert json.loads(content("settings", TEXTS["settings"])) == {"work_mem": TEXTS["settings"]["work_mem"]}
    memories = json.loads(content("state", TEXTS["state"]))["tables"]["memories"]
    assert (memories["rows"], memories["rls"], memories["column"]["tenants"]) == (
        5755, {"enabled": True, "forced": True}, {"1": 5755},
    )  # fmt: skip
    assert "tenant_isolation_memories" in [policy["name"] for policy in memories["policies"]]


@pytest.mark.parametrize(("kind", "text", "kept"), [
    ("unit", "# /etc/systemd/system/a.service\nExecStart=/bin/a \\\n  --Type=x\nExecStart=b\nOdd=1", {
        "files": 1, "options": {"ExecStart": 2}, "others": 1}),
    ("environment", "DATABASE_URL=x\nJWT_SECRET_KEY=y\nAPI=z", {
        "variables": ["DATABASE_URL", "JWT_SECRET_KEY"], "others": 1}),
    ("disks", "Type 1B-blocks Used Avail Mounted on\next4 9 5 4 /\nvfat 9 5 4 /boot/efi", [
        {"type": "ext4", "size": 9, "used": 5, "available": 4, "mount": "/"},
        {"type": "other", "size": 9, "used": 5, "available": 4, "mount": "mount_1"}]),
])  # fmt: skip
def test_what_helps_is_kept_of_what_programs_print(kind: str, text: str, kept: Any) -> None:
    assert json.loads(content(kind, text)) == kept


def test_of_systemd_the_listed_properties_are_kept() -> None:
    printed = (
        "ActiveState=failed\nResult=exit-code\nNRestarts=3\nInactiveEnterTimestamp=Sat 2026-11-28 15:15:04 UTC\nA=b"
    )
    kept = {name: value for name, value in json.loads(content("service", printed)).items() if value}
    assert kept == dict(line.split("=") for line in printed.splitlines()[:-1])


def test_of_a_line_of_a_log_time_level_code_and_unit_are_kept() -> None:
    entry = {
        "MESSAGE": "ERROR permission denied for table x",
        "SYSLOG_IDENTIFIER": "gunicorn",
        "__REALTIME_TIMESTAMP": "1795851791123456",
    }
    started = entry | {"MESSAGE": "Started it", "SYSLOG_IDENTIFIER": "systemd"}
    lines = content("journal", f"{json.dumps(entry)}\n{json.dumps(started)}", unit="ai-memory").splitlines()
    assert [line.split() for line in lines] == [
        ["2026-11-28T07:43:11+00:00", "error", "42501", "ai-memory"],
        ["2026-11-28T07:43:11+00:00", "-", "-", "systemd"],
    ]  # fmt: skip
    log = (
        '2026-11-28 07:43:11.000 UTC [1] ERROR:  duplicate key value violates unique constraint "x"\n\tmore\n'
        "2026-11-28 07:43:11.000 UTC [1] DETAIL:  permission denied for table x\nodd\n2055-57-65 43:21:00 LOG:  x"
    )
    assert [line.split() for line in logs.of_postgresql(log, "postgresql").splitlines()] == [
        ["2026-11-28T07:43:11", "ERROR", "23505", "postgresql"], ["2026-11-28T07:43:11", "DETAIL", "-", "postgresql"],
        ["-", "-", "-", "postgresql"], ["-", "LOG", "-", "postgresql"],
    ]  # fmt: skip


def test_one_name_has_one_pseudonym_and_the_operator_can_look_it_up() -> None:
    names = Names(["memories"])
    assert [names.of("role", name) for name in ("alice", "bob", "alice")] == ["role_1", "role_2", "role_1"]
    assert names.of("database", "alice") == "database_1"
    assert names.label("login.role.alice") == "login.role.role_1"
    assert names.label("index (quux, memories)") == "index (name_1, memories)"
    assert names.pseudonyms == {"role_1": "alice", "role_2": "bob", "database_1": "alice", "name_1": "quux"}


@pytest.mark.parametrize(("kind", "text"), [("run", "no json"), ("journal", "{}"), ("journal", "[1]")])
def test_a_text_of_another_form_is_named_as_missing(kind: str, text: str) -> None:
    archived = made(kind, text, unit="x")
    assert archived["files"] == []
    assert archived["missing"] == [{"name": "a", "what": "b", "why": "it has an unknown format"}]


@pytest.mark.parametrize("case", sorted(path.name for path in golden.DIRECTORY.iterdir()))
def test_of_the_labels_of_plans_and_findings_no_word_of_ours_becomes_a_pseudonym(case: str) -> None:
    source = rental_source if case.startswith("rental") else model_source
    document = golden.catalog(case)
    wanted = model.parse(source(document["database"]))
    names = Names(taken.names(source()))
    found = [item["check"] for item in findings.collect(document, wanted)]
    found += [
        statement["id"] for name, goal in golden.cases() if name == case for statement in golden.statements(case, goal)
    ]
    for text in found:
        names.label(text)
    words = set(re.findall(r"\w+", json.dumps(document)))
    # Names with an underscore may come from the plan. Every other name with a pseudonym is a word in the catalogs.
    assert {name for name in names.pseudonyms.values() if "_" not in name} <= words


def test_raw_logs_are_as_they_are() -> None:
    assert content("raw", "Ophelia") == "Ophelia"
    assert "Ophelia" in content("raw_journal", json.dumps({"MESSAGE": "Ophelia", "__REALTIME_TIMESTAMP": "0"}))
