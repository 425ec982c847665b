"""The service's database is determined from the service's sessions, environment and files."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import asked

FILE = "/opt/ai-memory/.env"
WANTED = {"service": "ai-memory", "database": "ai_memory", "port": 5432, "role": "app"}
PASSWORD = "s3cret"
UNIT = {"active_state": "active", "main_pid": 7, "tasks": 2, "as_started": False}
STOPPED = {"active_state": "inactive", "main_pid": 0, "tasks": -1, "as_started": False}


def url(
    database: str = "ai_memory", user: str = "alice", where: str = "localhost:5432", password: str = PASSWORD
) -> str:
    return f"postgresql://{user}:{password}@{where}/{database}"


def session(database: str = "ai_memory", role: str = "alice", *, reaches: bool = True) -> dict[str, Any]:
    return {"pid": 9, "process": 8, "name": "gunicorn", "database": database, "role": role, "reaches": reaches}


def environment(value: str, *, sessions: bool = True) -> dict[str, Any]:
    return {"url": value, "processes": [{"pid": 7, "name": "gunicorn"}], "sessions": sessions}


def stranger(**changes: Any) -> dict[str, Any]:
    return {
        "process": 8, "name": "gunicorn", "host": "127.0.0.1", "port": 6432, "program": "pgbouncer", "local": True,
        "sessions_here": True, **changes,
    }  # fmt: skip


def witness(**changes: Any) -> dict[str, Any]:
    return {
        "unit": UNIT,
        "processes": [{"pid": pid, "name": "gunicorn", "readable": True} for pid in (7, 8)],
        "environment": [environment(url())], "next_environment": {"url": url(), "set_by": FILE, "problem": ""},
        "sessions": [session()], "strangers": [], "server": {"answered": True, "problem": "", "database": True},
        "listeners": [], "tells_sockets": True, **changes,
    }  # fmt: skip


def files(text: str | None = f"DATABASE_URL={url()}\n", **further: str) -> list[dict[str, Any]]:
    named = [{"kind": "file", "path": FILE, "real": FILE, "text": text}]
    return named + [
        {"kind": kind, "path": f"/etc/{kind}", "real": f"/etc/{kind}", "text": content}
        for kind, content in further.items()
    ]


def judge(found: dict[str, Any], given: list[dict[str, Any]] | None = None, **wanted: Any) -> asked.Answer:
    answer = asked.judge(found, files() if given is None else given, {**WANTED, **wanted})
    assert PASSWORD not in answer["sentence"] + "".join(answer["notes"])
    assert not (answer["ok"] and answer["pending"])
    return answer


NOT_SET = {"url": "", "set_by": "", "problem": ""}
NO_ENVIRONMENT = {"environment": [], "next_environment": NOT_SET}
LATE: dict[str, Any] = {"sessions": []}


@pytest.mark.parametrize(
    ("found", "given", "source"),
    [
        (witness(), None, "process"),
        (witness(**NO_ENVIRONMENT), None, "file"),
        (witness(**NO_ENVIRONMENT), files(None, url=url())[1:], "url"),
        (witness(unit=STOPPED, processes=[], environment=[], **LATE),
         None, "next"),
        # The connection goes through a pooler. The sessions on the server belong to the pooler, not to the service.
        (witness(environment=[environment(url(where="localhost:6432"), sessions=False)], next_environment=NOT_SET,
                 strangers=[stranger()], **LATE), [], "process"),
    ],
)  # fmt: skip
def test_witnesses_that_agree_are_believed(
    found: dict[str, Any], given: list[dict[str, Any]] | None, source: str
) -> None:
    answer = judge(found, given)
    assert (answer["ok"], answer["confirmed"], answer["source"], answer["notes"]) == (True, True, source, [])
    assert "//alice:" in answer["url"]


@pytest.mark.parametrize(
    ("found", "given", "sentence"),
    [
        (witness(sessions=[session("two")]), None, "ai-memory works in two as alice (gunicorn), not in ai_memory on "),
        (witness(sessions=[session(role="bob")]), None, "works in ai_memory as bob (gunicorn), but DATABASE_URL in t"),
        (witness(environment=[environment(url(user="bob"))]), None, "in the environment of its next start"),
        (witness(next_environment=NOT_SET), files(f"DATABASE_URL={url('two')}"), f"{FILE} leads to two on localhost:"),
        (witness(next_environment=NOT_SET), files(f"DATABASE_URL={url(password='x')}"), "with another password"),
        (witness(next_environment=NOT_SET), files(f"DATABASE_URL={url()}?connect_timeout=3"), "with other parameters"),
        (
            witness(environment=[environment(url("two")), environment(url())], next_environment=NOT_SET), None,
            "leads to two on localhost:5432 as alice",
        ),
        (
            witness(unit={**UNIT, "as_started": True}, next_environment=NOT_SET),
            files("A=1\n"), "but nothing sets it at the next start: ai-memory would not find its database",
        ),
        (witness(), files(None), f"{FILE} cannot be read on the server: correct service_environment_file."),
        (witness(next_environment={**NOT_SET, "problem": "/x: gone"}), None, "at its next start is unknown (/x: "),
        (witness(processes=[]), None, "its processes are not in its control group"),
        (witness(unit={**UNIT, "main_pid": 1}), None, "its processes are not in its control"),
        (witness(processes=[{"pid": 7, "name": "x", "readable": False}], **LATE), None, "Neither root nor the user o"),
        (witness(**NO_ENVIRONMENT), files("A=1\n"), "(it has sessions, its environment does not set it, and DATABASE"),
        (witness(**NO_ENVIRONMENT, **LATE), None, f"nothing shows that it reads {FILE}): set the file that its code"),
        (witness(environment=[environment("mysql://x")], next_environment=NOT_SET), [], "does not start with postgre"),
        (witness(strangers=[stranger(host="10.0.0.5", port=25060, program="", local=False)], **LATE), None,
         "ai-memory works on another server: gunicorn (8) is connected to 10.0.0.5:25060."),
        (witness(sessions=[session(), session(role="bob")]), None, "also works in ai_memory as bob (gunicorn), a rol"),
        (witness(strangers=[stranger()]), None, "is connected to 127.0.0.1:6432, where pgbouncer listens. It may lea"),
        (witness(strangers=[stranger(local=False, host="10.0.0.5")]), None, "It may lead to this server"),
    ],
)  # fmt: skip
def test_witnesses_that_contradict_each_other_are_refused(
    found: dict[str, Any], given: list[dict[str, Any]] | None, sentence: str
) -> None:
    answer = judge(found, given)
    assert sentence in answer["sentence"]
    assert not answer["ok"]
    assert not answer["pending"]


@pytest.mark.parametrize(
    ("found", "note"),
    [
        (witness(sessions=[session(), session("two")]), "ai-memory also works in two as alice (gunicorn)"),
        (witness(sessions=[session(), session(role="bob", reaches=False)]), "also works in ai_memory as bob (gunicor"),
        (witness(strangers=[stranger(program="postgres", port=5433)]), "also works on another server: gunicorn (8) i"),
        (witness(strangers=[stranger(local=False, sessions_here=False)]), "also works on another server"),
        (witness(processes=[{"pid": 7, "name": "a", "readable": True}, {"pid": 8, "name": "b", "readable": False}]),
         "can read b (8), so its sessions are unknown"),
    ],
)  # fmt: skip
def test_what_reaches_no_table_is_named(found: dict[str, Any], note: str) -> None:
    answer = judge(found)
    assert answer["ok"]
    assert note in answer["notes"][0]


def test_there_is_no_verdict_on_a_missing_database() -> None:
    nowhere = witness(server={"answered": True, "problem": "", "database": False}, **LATE)
    assert judge(nowhere)["pending"]
    assert "not to nowhere on this server" in judge(nowhere, database="nowhere")["sentence"]


def test_there_is_no_verdict_before_postgresql_answers() -> None:
    silent = witness(server={"answered": False, "problem": "refused"}, **LATE)
    assert judge(silent) | {"url": ""} == {
        "ok": False, "pending": True, "confirmed": False, "source": "process", "url": "", "notes": [],
        "sentence": "DATABASE_URL in the environment of gunicorn (7) leads to ai_memory on localhost:5432 as alice",
    }  # fmt: skip
    # A pooler may listen at these addresses, so there is no verdict before PostgreSQL answers.
    for where in ("localhost:6432", "192.0.2.1:5432", "db.internal:5432", "%2Fsrv%2Fpg:5432"):
        assert judge(silent | {"environment": [environment(url(where=where))], "next_environment": NOT_SET}, [])[
            "pending"
        ]
    answer = judge(silent, database="two")
    assert "not to two on this server (port 5432): correct database_name and database_port" in answer["sentence"]
    assert not answer["pending"]


@pytest.mark.parametrize(
    ("found", "given"),
    [
        (witness(**LATE), None),
        (witness(**NO_ENVIRONMENT, **LATE), files("OTHER=1\n", url=f"DATABASE_URL={url()}\n")),
    ],
)
def test_what_no_session_confirms_is_named(found: dict[str, Any], given: list[dict[str, Any]] | None) -> None:
    answer = judge(found, given)
    assert (answer["ok"], answer["confirmed"]) == (True, False)
    assert "ai-memory had no session, not even during a health check: only " in answer["notes"][0]


def test_a_kernel_that_does_not_tell_sockets_lets_a_claim_of_one_stand() -> None:
    over_socket = url(where="") + "?host=/run/postgresql"
    found = witness(environment=[environment(over_socket)], next_environment=NOT_SET, tells_sockets=False, **LATE)
    assert judge(found, [])["confirmed"]
    assert not judge(found | {"tells_sockets": True}, [])["confirmed"]
    assert not judge(witness(tells_sockets=False, **LATE))["confirmed"]


@pytest.mark.parametrize(
    "text",
    [
        f"DATABASE_URL={url()[:20]}\\\n{url()[20:]}\n",
        f'DATABASE_URL="{url().replace(PASSWORD, "p" + chr(92) + "$w")}"\n',
        f"DATABASE_URL={url()}\nexport DATABASE_URL={url('old')}\n",
    ],
    ids=["continued", "escaped", "exported"],
)
def test_a_file_of_the_unit_means_what_systemd_reads_in_it(text: str) -> None:
    read = url(password="p$w") if "$" in text else url()
    found = witness(environment=[environment(read)], next_environment={"url": read, "set_by": FILE, "problem": ""})
    assert judge(found, files(text))["ok"]
    assert not judge(found | {"next_environment": {"url": read, "set_by": "/etc/other", "problem": ""}}, files(text))[
        "ok"
    ]


def test_a_run_that_was_lost_with_a_new_login_is_no_contradiction() -> None:
    new = url(user="app", password="other")
    found = witness(next_environment={"url": new, "set_by": FILE, "problem": ""})
    given = files(f"DATABASE_URL={new}\n", kept=f"DATABASE_URL={url()}\n")
    # The service's processes still use the old login, but the file contains the new login.
    answer = judge(found, given)
    assert (answer["ok"], answer["source"], answer["url"]) == (True, "next", new)
    # The new login is also accepted if systemd does not load the file for the unit.
    other = witness(next_environment=NOT_SET)
    assert judge(other, given)["source"] == "file"
    assert not judge(found, given, role="another")["ok"]
    assert not judge(found, files(f"DATABASE_URL={new}\n", kept=f"DATABASE_URL={url('two')}\n"))["ok"]


def test_names_of_others_are_shown_and_not_sent() -> None:
    answer = judge(witness(sessions=[session("\x1b[2K", "a\nb")]))
    assert r"works in \x1b[2K as a\nb" in answer["sentence"]
