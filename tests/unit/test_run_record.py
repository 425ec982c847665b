"""The facts of a run become its record, and the messages to the operator and to a webhook."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from ansible_collections.aimemory.tenancy.plugins.filter import run as filters
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import commands, record, result, summary
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import facts as facts_
from production import ROOT

SCHEMA = json.loads((ROOT / "docs/run.schema.json").read_text())
# The variables of a host on which the run was refused immediately.
VARIABLES = {
    "report_result": result.new("20261125T172240Z-lab17", None), "report_run_kind": "migrate",
    "inventory_hostname": "lab17", "ansible_check_mode": False, "ansible_play_hosts_all": ["lab17"],
    "ansible_inventory_sources": [str(ROOT / "inventory/production.yml")],
}  # fmt: skip
PICKED = facts_.pick(VARIABLES, str)
STOPPED, HEALTHY = "2026-11-25T17:22:42.000000", "2026-11-25T17:22:44.500000"
FAILURE = {"phase": "apply", "task": "Run", "message": "permission denied"}
PHASES = [{"name": "preflight", "started": "2026-11-25T17:22:40.000000"}]
BACKUP = {
    "version": 1, "path": "/backups/a", "size_bytes": 2048, "sha256": 32 * "a" + 32 * "b", "encrypted": False,
    "proven_seconds": 1.5, "tables": [],
}  # fmt: skip


def facts(result_: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    """Return the facts of a run that was refused immediately, updated with the arguments."""
    ended = {**result.new("20261125T172240Z-lab17", None), "phases": PHASES, "outcome": "SUCCESS", "completed": HEALTHY}
    known = {
        "result": ended | (result_ or {}), "kind": "migrate", "host": "lab17", "check_mode": False,
        "versions": {"python": "3.13.0", "ansible-core": "2.21.5", "aimemory.tenancy": "0.1.0"},
        "asked": dict.fromkeys(PICKED["asked"], ""), "root": "/home/alice/runbook", "hosts": ["lab17"],
        "inventories": ["/home/alice/runbook/inventory/production.yml"], "unfinished_before": False,
        "default_inventory": "inventory/production.yml", "undone": False, "swapped": False,
        "service_login": {"switched": False, "put_back": None, "role": None, "kept": "/etc/ai.env.before-app"},
        "tables": {"before": {}, "after": {}}, "failsafe_seconds": 900,
    }  # fmt: skip
    texts = dict.fromkeys(("database", "service", "tenant", "tenant_column", "operator"), "")
    known |= texts | {name: {} for name in ("preflight", "expanded", "job", "durations", "bridges")}
    known |= {name: [] for name in ("proof", "login", "audit", "findings")}
    return dict.fromkeys(PICKED) | known | {"service": "ai memory", "database": "ai_memory"} | other


def test_results_of_roles_become_facts() -> None:
    attempts = {"attempts": {"findings": ["over the route"]}, "stopped_at": STOPPED}
    variables = VARIABLES | {"service_result": attempts, "backup_result": {"manifest": BACKUP, "taken": False}}
    picked = facts_.pick(variables, str)
    assert (picked["login"], picked["backup"], picked["swapped"]) == (["over the route"], None, False)
    assert (picked["stopped_at"], picked["healthy_at"], picked["copy"]) == (STOPPED, None, None)
    login = {"findings": ["over the login"], "switched": True, "restored": "alice"}
    backup, restore = {"manifest": BACKUP, "taken": True, "copy": "here"}, {"replaced": "old"}
    more = {"login_result": login, "backup_result": backup, "restore_result": restore}
    picked = facts_.pick(variables | more, str)
    assert (picked["login"], picked["backup"], picked["copy"]) == (["over the login"], BACKUP, "here")
    assert (picked["swapped"], picked["replaced_database"]) == (True, "old")
    assert picked["service_login"] | {"kept": ""} == {"switched": True, "put_back": "alice", "role": None, "kept": ""}


def migrated(result_: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    """Return the facts of a run that stopped the service and committed its change."""
    return facts(
        {"confirmed": True} | (result_ or {}),
        **{"committed": True, "plan": [], "stopped_at": STOPPED, "healthy_at": HEALTHY, "strategy": "atomic"} | other,
    )


FAILED = {"failure": FAILURE, "outcome": "FAILED"}
STEPS = [{"id": "memories.column", "sql": "ALTER", "seconds": 0.5}, {"id": "memories.backfill", "seconds": 2.0}]


def test_the_facts_of_the_fixture_are_those_that_the_role_picks() -> None:
    assert facts().keys() == PICKED.keys()
    assert facts()["service_login"].keys() == PICKED["service_login"].keys()


@pytest.mark.parametrize(
    "found",
    [
        facts(),
        facts(FAILED),
        facts({"outcome": None, "completed": None}),
        migrated(),
        migrated(FAILED | {"outcome": "PARTIAL", "service_failure": "ill"}),
        migrated(
            expanded={"steps": STEPS}, backup=BACKUP, service_login={"switched": True, "put_back": "a", "role": "a"}
        ),
    ],
)
def test_a_record_has_the_published_form(found: dict[str, Any]) -> None:
    jsonschema.validate(record.build(found), SCHEMA)


@pytest.mark.parametrize("name", PICKED)
def test_every_fact_that_the_role_picks_is_used(name: str) -> None:
    found = migrated(
        FAILED | {"service_failure": "ill"}, committed=False, backup=BACKUP, expanded={"ansible_job_id": "1"}
    )
    del found[name]
    with pytest.raises(KeyError, match=name):
        _ = commands.playbook(found), summary.lines(found)


def test_a_run_is_finished_when_it_has_an_outcome() -> None:
    begun = record.build(facts({"outcome": None, "completed": None}))
    assert (begun["outcome"], begun["finished"], begun["completed"]) == ("FAILED", False, None)
    assert record.build(facts())["finished"] is True


def test_a_run_that_was_refused_names_its_operator_too() -> None:
    assert record.build(facts(operator="ann"))["operator"] == "ann"
    assert record.build(facts(operator="ann", preflight={"operator": "bob"}))["operator"] == "bob"
    assert PICKED["operator"]


@pytest.mark.parametrize(
    ("found", "database", "service"),
    [
        (facts(FAILED), "unchanged", "kept"),
        (migrated(FAILED, committed=False), "unchanged", "restarted"),
        (migrated(FAILED, healthy_at=None), "changed", "stopped"),
        (migrated(FAILED, committed=False, undone=True), "reverted", "restarted"),
        (migrated(FAILED | {"recovery_failure": "no route"}, committed=None), "unknown", "restarted"),
        (facts(FAILED, expanded={"steps": STEPS}), "expanded", "kept"),
        (migrated(stopped_at=None, healthy_at=None, strategy="live"), "changed", "kept"),
        (migrated(FAILED | {"service_failure": "ill"}, stopped_at=None, renewed_at=STOPPED), "changed", "stopped"),
        (
            facts(FAILED, renewed_at=STOPPED, bridges={"alice": "01"}, preflight={"application_role": "alice"}),
            "expanded",
            "kept",
        ),
        (facts(FAILED, renewed_at=STOPPED), "unchanged", "kept"),
    ],
)
def test_the_state_after_the_run_is_in_the_record(found: dict[str, Any], database: str, service: str) -> None:
    built = record.build(found)
    assert (built["database_state"], built["service_state"]) == (database, service)


@pytest.mark.parametrize(
    ("bridges", "is_on"), [({"alice": "01"}, True), ({"alice": ""}, False), ({"bob": "01"}, False)]
)
def test_the_bridge_is_that_of_the_service(bridges: dict[str, str], is_on: bool) -> None:
    assert record.build(facts(bridges=bridges, preflight={"application_role": "alice"}))["bridge"] is is_on


def test_no_character_of_a_record_is_hidden() -> None:
    assert record.build(facts(FAILED | {"failure": FAILURE | {"message": "\x1b"}}))["failure"]["message"] == "\\x1b"


def test_options_are_what_was_given_a_value() -> None:
    asked = facts()["asked"] | {"tenancy_bridge": True, "migrate_watch_minutes": 0, "run_batches": [1, "50%"]}
    assert record.options(facts(asked=asked, limit="lab17", check_mode=True)) == {
        "tenancy_bridge": "true", "migrate_watch_minutes": "0", "run_batches": "[1, '50%']", "limit": "lab17",
        "inventory": "inventory/production.yml", "check mode": "true",
    }  # fmt: skip


@pytest.mark.parametrize("is_job", [False, True])
def test_a_backfill_has_a_duration_and_is_no_online_step(is_job: bool) -> None:
    steps: dict[str, Any] = {"steps": STEPS}
    found = migrated(expanded={"ansible_job_id": "1"} if is_job else steps, job=steps if is_job else {"steps": []})
    built = record.build(found | {"durations": {"memories.policy": 0.1}})
    assert [step["id"] for step in built["online_steps"]] == ["memories.column"]
    assert built["durations"] == {"memories.column": 0.5, "memories.backfill": 2.0, "memories.policy": 0.1}


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ({"switched": False, "put_back": None}, None),
        ({"switched": True, "put_back": None}, {"role": "app", "replaced": "postgres"}),
        ({"switched": True, "put_back": "postgres"}, {"role": "app", "replaced": None}),
    ],
)
def test_the_login_of_the_service_is_named_if_the_run_changed_it(login: dict[str, Any], expected: Any) -> None:
    known = {"role": "app", "kept": "/etc/ai.env.before-app"}
    built = record.build(facts(preflight={"replaced_role": "postgres"}, service_login=known | login))
    assert built["service_login"] == expected


UNKNOWN = {"recovery_failure": "no route"}


@pytest.mark.parametrize(
    ("found", "first", "second"),
    [
        (facts(FAILED), "Nothing was changed", None),
        (migrated(FAILED), "Database: the change is committed", "responds again"),
        (migrated(FAILED, committed=False), "Database: unchanged", "responds again"),
        (migrated(FAILED, committed=False, swapped=True), "Database: the change is committed", "responds again"),
        (migrated(FAILED, committed=False, undone=True), "Database: the change was committed and then", "responds"),
        (migrated(FAILED | UNKNOWN, committed=None), "Database: its state is unknown (no route)", "responds"),
        (migrated(FAILED | UNKNOWN), "Database: the change is committed", "responds again"),
        (migrated(FAILED, committed=False, unfinished_before=True, stopped_at=None, healthy_at=None),
         "Database: an earlier run migrated it", "DOES NOT RESPOND"),
        (facts(FAILED, expanded={"steps": STEPS}), "Database: 1 of the online steps", "was not stopped"),
        (migrated(FAILED, healthy_at=None), "Database: the change is committed", "systemctl status 'ai memory'"),
    ],
)  # fmt: skip
def test_a_failure_reports_the_state_of_service_and_database(
    found: dict[str, Any], first: str, second: str | None
) -> None:
    said = record.build(found)["aftermath"]
    assert said[0].startswith(first)
    assert second is None or second in said[1]


def test_a_recovery_that_failed_is_named_once() -> None:
    said = record.build(migrated(FAILED | UNKNOWN))["aftermath"]
    assert "The recovery failed: no route" in said
    assert "no route" not in " ".join(record.build(migrated(FAILED | UNKNOWN, committed=None))["aftermath"][1:])


def test_a_service_that_did_not_start_is_tried_again() -> None:
    ended = FAILED | {"service_failure": "ill"}
    built = record.build(migrated(ended, failsafe_timer="a.timer"))
    assert built["healthy_at"] is None
    assert built["aftermath"][-2:] == ["The service did not start: ill", "The server tries again in 900 s (a.timer)."]
    assert record.build(migrated(ended))["aftermath"][-1].endswith("(no timer is armed).")


@pytest.mark.parametrize(
    ("found", "count"),
    [
        (migrated(), 4),
        (facts(), 0),
        (migrated(committed=False, unfinished_before=True), 4),
        (migrated(kind="enforce"), 0),
        (migrated(FAILED, kind="enforce"), 4),
        (migrated(FAILED, kind="rollback", asked=facts()["asked"] | {"rollback_mode": "schema"}), 2),
    ],
)
def test_what_may_be_typed_next_depends_on_what_is_changed(found: dict[str, Any], count: int) -> None:
    assert len(record.build(found)["commands"]) == count


@pytest.mark.parametrize(
    ("other", "command"),
    [
        ({}, "ansible-playbook"),
        ({"limit": "a"}, "ansible-playbook -l lab17"),
        ({"hosts": ["lab15", "lab17"]}, "ansible-playbook -l lab17"),
        ({"inventories": ["/home/alice/runbook/inventory/lab.yml", "/a b.yml"]},
         "ansible-playbook -i inventory/lab.yml -i '/a b.yml' -l lab17"),
    ],
)  # fmt: skip
def test_a_command_never_means_another_host(other: dict[str, Any], command: str) -> None:
    assert commands.playbook(facts(**other)) == command


@pytest.mark.parametrize("kind", ["migrate", "enforce"])
def test_a_migrated_database_can_be_verified_and_rolled_back(kind: str) -> None:
    found = [item["command"] for item in commands.following("ansible-playbook -l a", kind)]
    assert found == [
        "ansible-playbook -l a playbooks/verify.yml",
        *(f"ansible-playbook -l a rollback.yml -e rollback_mode={mode}" for mode in ("policies", "schema", "restore")),
    ]


@pytest.mark.parametrize(
    ("mode", "further"), [("policies", ["schema", "restore"]), ("schema", ["restore"]), ("restore", [])]
)
def test_after_a_rollback_one_can_migrate_or_go_back_further(mode: str, further: list[str]) -> None:
    first, *others = [item["command"] for item in commands.following("ansible-playbook", "rollback", mode)]
    assert first == "ansible-playbook migrate.yml"
    assert others == [f"ansible-playbook rollback.yml -e rollback_mode={name}" for name in further]


@pytest.mark.parametrize(("kind", "mode"), [("backup", ""), ("rollback", ""), ("rollback", "everything")])
def test_a_run_that_changes_nothing_has_no_commands_to_promise(kind: str, mode: str) -> None:
    with pytest.raises(KeyError):
        commands.following("ansible-playbook", kind, mode)


def test_a_phase_is_added_with_the_time_at_which_it_begins() -> None:
    begun = result.begin_phase(result.begin_phase(result.new("a", None), "preflight"), "lock")
    assert [phase["name"] for phase in begun["phases"]] == ["preflight", "lock"]
    assert begun["phases"][0]["started"] <= begun["phases"][1]["started"]


@pytest.mark.parametrize(
    ("failed", "message"),
    [
        ({"msg": "no"}, "no"),
        ({"exception": "Traceback"}, "Traceback"),
        ({}, "no message"),
        ({"msg": "One or more items failed", "results": [{"failed": True, "msg": "a"}, {"failed": False, "msg": "b"},
                                                        {"msg": "c"}, {"failed": True, "msg": "d"}]}, "a d"),
    ],
)  # fmt: skip
def test_a_failure_is_described_in_a_sentence(failed: dict[str, Any], message: str) -> None:
    begun = result.begin_phase(result.new("a", None), "backup")
    expected = {"phase": "backup", "task": "Dump", "message": message}
    assert result.fail(begun, "Dump", failed)["failure"] == expected
    assert result.fail(result.new("a", None), "Dump", failed)["failure"]["phase"] == "start"


def test_a_run_fails_in_one_phase() -> None:
    def failed(phase: str) -> dict[str, Any]:
        return result.fail(result.begin_phase(result.new("a", None), phase), "Run", {"msg": "no"})

    assert result.failed_after_change(failed("start"))
    assert result.failed_after_change(failed("answer"))
    assert not result.failed_after_change(failed("apply"))
    assert not result.failed_after_change(result.new("a", None))


def test_what_fails_in_the_recovery_is_kept() -> None:
    assert result.fail_recovery(result.new("a", None), {"msg": "no"})["recovery_failure"] == "no"
    assert result.fail_service(result.new("a", None), {})["service_failure"] == "no message"


def test_a_call_that_fails_is_in_the_stage_that_it_came_to() -> None:
    begun = result.begin_phase(result.new("a", None), "cutover")
    stages = [{"name": "stop", "ago": 2.0}, {"name": "apply", "ago": 1.0}]
    failed = result.fail(begun, "Run", {"msg": "no", "stages": stages})
    assert [phase["name"] for phase in failed["phases"]] == ["cutover", "stop", "apply"]
    assert failed["failure"]["phase"] == "apply"


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (migrated(), "SUCCESS"),
        (facts({"failure": FAILURE}), "FAILED"),
        (facts({"failure": FAILURE, "cancelled": True}), "CANCELLED"),
        (migrated({"failure": FAILURE}), "PARTIAL"),
        (migrated({"failure": FAILURE}, committed=False, swapped=True), "PARTIAL"),
        (migrated({"failure": FAILURE}, committed=False), "FAILED"),
    ],
)
def test_the_outcome_says_whether_something_is_changed(found: dict[str, Any], outcome: str) -> None:
    ended = result.end(found)
    assert ended["outcome"] == outcome
    assert ended["completed"]


def test_the_downtime_ends_with_a_service_that_stays_healthy() -> None:
    assert result.end(migrated())["downtime"] == 2.5
    assert result.end(migrated({"service_failure": "ill"}))["downtime"] is None
    assert result.end(facts(healthy_at=HEALTHY))["downtime"] is None


def test_the_box_says_how_the_run_ended() -> None:
    login = facts()["service_login"] | {"switched": True, "role": "app"}
    tried = {"mode": "read", "unproven": ["a"], "shown": ["b", "c"]}
    copy = {"path": "/home/alice/runbook/copies/a.tar", "sha256": "c"}
    found = migrated(
        backup=BACKUP, copy=copy, service_login=login, api=tried, replaced_database="old",
        log="/home/alice/runbook/logs/a/execution-log.md", asked=facts()["asked"] | {"migrate_rehearse": "none"},
    )  # fmt: skip
    assert summary.lines(found) == [
        "Outcome:   SUCCESS",
        "Downtime:  2.5 s from stop to healthy",
        "Rehearsal: NONE (migrate_rehearse=none)",
        "API:       NOT PROVEN in full (service_smoke=read), see the log",
        "API:       2 WARNINGS: it shows or stores rows of the wrong tenant",
        "Backup:    /backups/a",
        "           2,048 bytes, not encrypted; restored and compared in 1.5 s",
        f"SHA-256:   {32 * 'a'}",
        f"           {32 * 'b'}",
        "Copy:      copies/a.tar",
        "Login:     app; the original DATABASE_URL is kept in",
        "           /etc/ai.env.before-app",
        "Replaced:  database old (kept, connections disabled)",
        "Log:       logs/a/execution-log.md",
        "Report:    logs/a/report.html",
        "Verify:    ansible-playbook playbooks/verify.yml",
        "Roll back: ansible-playbook rollback.yml -e rollback_mode=policies",
        "           ansible-playbook rollback.yml -e rollback_mode=schema",
        "           ansible-playbook rollback.yml -e rollback_mode=restore",
    ]


def test_the_box_of_a_failure_begins_with_it() -> None:
    lines = summary.lines(facts({"failure": FAILURE | {"message": 30 * "word "}, "outcome": "FAILED"}, check_mode=True))
    assert lines[0].startswith("FAILED in phase apply: word word")
    assert max(map(len, lines)) <= 76
    assert lines[-2:] == [
        "Nothing was changed: the service and the database are as they were.",
        "Outcome:   FAILED (check mode: nothing was touched)",
    ]


def test_the_box_of_a_cancelled_run_says_so_first() -> None:
    ended = {"failure": FAILURE, "cancelled": True, "outcome": "CANCELLED"}
    assert summary.lines(facts(ended)) == ["Not confirmed: nothing was touched.", "Outcome:   CANCELLED"]


def test_the_box_aligns_what_callers_felt() -> None:
    felt = {"obstacle": "", "sent": 231, "failed": 0, "worst": 0.414, "slices": None}
    lines = summary.lines(migrated(callers=felt, stopped_at=None, healthy_at=None))
    assert lines[1] == "Callers:   0 of 231 reads failed; the slowest took 414 ms."


def test_a_backup_without_test_and_copy_says_so() -> None:
    lines = summary.lines(facts(backup=BACKUP | {"proven_seconds": None, "encrypted": True}))
    assert "           2,048 bytes, encrypted; NOT restored as a test" in lines
    assert "Copy:      none on this machine" in lines


def test_a_login_that_was_put_back_is_named() -> None:
    login = facts()["service_login"] | {"switched": True, "put_back": "postgres"}
    assert "Login:     postgres again" in summary.lines(migrated(service_login=login))


@pytest.mark.parametrize(
    ("found", "event", "text"),
    [
        (facts(), "start", "started."),
        (facts(), "success", "SUCCESS, nothing to do."),
        (migrated(), "success", "SUCCESS, downtime 2.5 s."),
        (facts({"cancelled": True, "failure": FAILURE, "outcome": "CANCELLED"}), "cancelled",
         "CANCELLED, nothing was touched."),
        (facts(FAILED), "failure", "FAILED in phase apply. Service: ai memory was not stopped."),
    ],
)  # fmt: skip
def test_a_webhook_is_told_the_outcome_and_no_message_of_postgresql(
    found: dict[str, Any], event: str, text: str
) -> None:
    assert summary.message(found, event) == f"lab17: migrate of ai_memory {text} Run 20261125T172240Z-lab17."


def ended(outcome: str | None, **other: Any) -> dict[str, Any]:
    """Return the result of a run on one host with this outcome."""
    return {**result.new("a", None), "phases": PHASES, "outcome": outcome, **other}


def test_of_several_hosts_each_has_its_line() -> None:
    hosts = ["a", "b", "c", "d", "e", "f"]
    hostvars: dict[str, dict[str, Any]] = {
        "a": {"report_result": ended("SUCCESS", downtime=1.25)},
        "b": {"report_result": ended("SUCCESS")},
        "c": {"report_result": ended("PARTIAL", failure=FAILURE)},
        "d": {"report_result": ended("CANCELLED", failure=FAILURE)},
        "e": {"report_result": ended(None)},
        "f": {},
    }
    assert [" ".join(line.split()) for line in filters.hosts_summary(hosts, hostvars, False)] == [
        "HOSTS:", "a SUCCESS downtime 1.2 s", "b SUCCESS nothing to do", "c PARTIAL failed in phase apply",
        "d CANCELLED nothing touched", "e LOST contact lost in phase preflight", "f - not started",
    ]  # fmt: skip
    assert "inspected, nothing touched" in filters.hosts_summary(["b"], hostvars, True)[1]
    assert filters.begun_hosts(hosts, hostvars) == hosts[:-1]
    assert filters.unsuccessful_hosts(hosts, hostvars) == ["c", "d", "e"]


def test_hosts_that_have_something_to_confirm_are_asked_for_together() -> None:
    hostvars: dict[str, dict[str, Any]] = {"a": {"__report_question": "A?"}, "b": {}, "c": {"__report_question": "C?"}}
    assert filters.run_questions(["a", "b", "c"], hostvars) == ["A?", "C?"]
