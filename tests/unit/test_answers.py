"""A report's first screen answers the operator's questions, however the run ended."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import answers, grouped
from test_page import FINDING, VERIFIED, record

FAILURE = {"phase": "apply", "task": "Run", "message": "permission denied"}
KEPT: dict[str, Any] = {"stopped_at": None, "healthy_at": None, "service_state": "kept"}
FAILED: dict[str, Any] = {
    "outcome": "FAILED", "failure": FAILURE, "commands": [], "database_state": "unchanged", "written": None,
}  # fmt: skip
BACK = [f"ansible-playbook -l db1 rollback.yml -e rollback_mode={mode}" for mode in ("policies", "schema", "restore")]
LOST = "the run was interrupted, or lost its connection, in phase start."


def answered(**other: Any) -> dict[str, str]:
    """Return a report's answers by question. ``other`` contains fields of the run's record."""
    return {item["question"]: " ".join(item["lines"]) for item in answers.of(record(**other))}


@pytest.mark.parametrize(
    ("other", "headline"),
    [
        ({}, "Yes. ai_memory isolates the rows of each tenant, and ai-memory works with it."),
        (
            KEPT | {"plan": [], "replaced_database": None},
            "Yes. There was nothing to do: the database was already in this state",
        ),
        (
            {"plan": [], "replaced_database": None},
            "Yes. An earlier run made the change, but was lost before its end. This run restarted",
        ),
        ({"kind": "enforce"}, "Yes. The bridge is off"),
        ({"kind": "backup"}, "Yes. The backup is complete."),
        ({"kind": "rehearse"}, "Yes. The change was applied, proven and rolled back in a copy."),
        *(
            ({"kind": "rollback", "options": {"rollback_mode": mode}}, f"Yes. {text}")
            for mode, text in (
                ("policies", "Row security is off again."),
                ("schema", "The original schema is restored with all rows, and ai-memory works with it."),
                ("restore", "ai_memory is restored from the backup, and ai-memory works with it."),
            )
        ),
        (FAILED | KEPT, "No. The run ended before it changed anything."),
        (FAILED, "No. The change failed. The database is unchanged."),
        (
            FAILED | {"database_state": "reverted"},
            "No. The change was rolled back, because a check failed after its commit.",
        ),
        (FAILED | {"database_state": "expanded"}, "No. The new columns and indexes exist, but nothing else was"),
        (FAILED | {"database_state": "unknown"}, "No. It is not known whether the database was changed."),
        (FAILED | {"database_state": "changed", "outcome": "PARTIAL"}, "Partly. The database was changed, but a later"),
        (FAILED | KEPT | {"outcome": "CANCELLED"}, "Cancelled: the answer was not YES. Nothing was touched."),
        ({"finished": False, "outcome": "FAILED"}, f"Not known: {LOST}"),
        ({"finished": False, "phases": []}, f"Not known: {LOST}"),
    ],
)
def test_every_end_of_a_run_has_its_own_headline(other: dict[str, Any], headline: str) -> None:
    assert answered(**other)["Did it work?"].startswith(headline)


def test_the_numbers_of_findings_and_attempts_are_explained() -> None:
    said = answered()["Did it work?"]
    assert "2 of 3 findings hold: 1 facts about the database, read again after the change, and 2 attempts" in said
    assert "statements as alice that try to reach another tenant's rows" in said
    assert "attempts" not in answered(findings=[VERIFIED])["Did it work?"]
    assert "finding" not in answered(findings=[])["Did it work?"]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({}, "Yes, for 2.0 s: the service was stopped at 17:51:35 UTC and responded again at 17:51:37 UTC."),
        (KEPT, "The service was not stopped."),
        (KEPT | {"strategy": "live"}, "The service was not stopped."),
        (KEPT | {"service_state": "restarted"}, "Yes, during one restart of the service"),
        ({"healthy_at": None}, "Yes. The service was stopped at 17:51:35 UTC and has not responded since."),
        (
            KEPT | {"strategy": "live", "callers": None},
            "The service was not stopped.",
        ),
    ],
)
def test_how_long_callers_were_cut_off_is_said_first(other: dict[str, Any], said: str) -> None:
    assert answered(**other, watched=None)["Was anybody cut off?"].startswith(said)


def test_what_callers_felt_follows() -> None:
    felt = (
        "responded again at 17:51:37 UTC. Callers waited 1.9 s: 18 of 240 reads failed while the service was stopped."
    )
    assert felt in answered(watched=None)["Was anybody cut off?"]


def test_what_the_watch_saw_follows() -> None:
    assert answered()["Was anybody cut off?"].endswith(
        "In the next 60 s, 0 of 12 requests failed (3 in the hour before the change)."
    )


def test_the_data_are_safe_because_of_a_backup_that_was_restored() -> None:
    said = answered()["Is the data safe?"]
    assert said.startswith("Yes. The backup was restored as a test in 3.5 s, and row counts and checksums of all 1")
    assert "(5,755 rows) are the same in the restored copy." in said
    assert "/var/backups/ai-memory/ai_memory-1 (9.7 MB); a copy is on the operator's machine: /home/alice/" in said
    assert "No table has fewer rows than before: 5,755 rows in 1 tables." in said
    backup = record()["backup"]
    large = backup | {"tables": [backup["tables"][0] | {"hash": None}]}
    assert "except for the largest tables, checksums" in answered(backup=large)["Is the data safe?"]
    assert "there is NO copy on another machine" in answered(copy=None)["Is the data safe?"]


def test_a_backup_without_a_test_does_not_make_the_data_safe() -> None:
    said = answered(backup=record()["backup"] | {"proven_seconds": None})["Is the data safe?"]
    assert said.startswith("A backup was taken, but NOT restored as a test.")


def test_rows_that_are_missing_are_named() -> None:
    tables = record()["tables"]
    after = {"memories": tables["after"]["memories"] | {"rows": 5000}}
    said = answered(tables=tables | {"after": after})["Is the data safe?"]
    assert "Fewer rows than before: memories (5,755, now 5,000)." in said
    assert "No table has fewer" not in said


def test_a_run_that_changed_nothing_needs_no_backup() -> None:
    nothing = FAILED | KEPT | {"backup": None, "replaced_database": None, "written": None}
    assert answered(**nothing)["Is the data safe?"].startswith("Yes: nothing was changed.")


def test_it_is_said_until_when_nothing_is_lost_on_the_way_back() -> None:
    said = answered(commands=BACK)["How can it be undone, and until when?"]
    assert said.startswith("Without data loss, until a tenant other than the default tenant has rows.")
    assert "rollback_mode=schema restores the original schema: every row stays" in said
    # The time in the manifest is in the server's time zone.
    assert "every row written after 2026-11-25 17:51:33 UTC is lost" in said
    last = answered(kind="rollback", options={"rollback_mode": "schema"}, commands=BACK[2:])
    assert last["How can it be undone, and until when?"].startswith("rollback_mode=restore restores the backup")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"kind": "backup"}, "There is nothing to undo: the database was only read."),
        (FAILED, "There is nothing to undo."),
        (FAILED | {"database_state": "expanded"}, "rollback.yml -e rollback_mode=schema removes the columns"),
        ({"kind": "rollback", "options": {"rollback_mode": "restore"}}, "migrate.yml migrates again"),
        ({"kind": "enforce"}, "One statement restores the bridge and affects no rows"),
    ],
)
def test_a_run_without_a_command_for_it_says_so_too(other: dict[str, Any], said: str) -> None:
    assert answered(**{"commands": []} | other)["How can it be undone, and until when?"].startswith(said)


def test_after_a_migration_bridge_login_api_and_audit_remain() -> None:
    said = answered(audit=[{"rule": "a-rule", "fixed_by_plan": False}, {"rule": "b", "fixed_by_plan": True}])
    remaining = said["What remains to be done?"]
    bridge = "The bridge is on: ai-memory may still set no tenant, and then works as Peterson Insurance."
    assert remaining.startswith(bridge)
    assert "The old login postgres still exists" in remaining
    assert "Correct the API: it shows or stores rows of the wrong tenant (1 warnings)." in remaining
    assert "could not prove: that it stores." in remaining
    assert "Read the audit's warnings below: a-rule." in remaining
    owner = answered(service_login=None)["What remains to be done?"]
    assert "ai-memory logs in as alice, which owns tables" in owner


def test_after_all_of_it_nothing_remains() -> None:
    done = answered(bridge=False, service_login=None, audit=[], api=None, replaced_database=None)
    assert done["What remains to be done?"] == "Nothing."


def test_a_database_that_was_replaced_is_dropped_by_hand() -> None:
    said = answered(kind="rollback", options={"rollback_mode": "restore"})["What remains to be done?"]
    assert said == "Drop the database ai_memory_replaced on the server when its rows are no longer needed."


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (FAILED, "Correct the cause, and run the playbook again."),
        (FAILED | {"outcome": "CANCELLED"}, "Run the playbook again, and type YES in capitals."),
        (FAILED | {"service_state": "stopped"}, "Start the service on the server at once."),
        (FAILED | {"database_state": "unknown"}, "Run playbooks/verify.yml to see the state of the database."),
        (FAILED | {"database_state": "changed", "outcome": "PARTIAL"}, "Run playbooks/verify.yml. If all findings"),
        ({"finished": False, "outcome": "FAILED", "database_state": "unchanged"}, "Run playbooks/verify.yml to see"),
    ],
)
def test_after_a_failure_the_next_step_is_named(other: dict[str, Any], said: str) -> None:
    assert answered(**other)["What remains to be done?"].startswith(said)


def test_of_a_lost_run_nothing_is_claimed() -> None:
    lost = {"finished": False, "outcome": "FAILED", "database_state": "unchanged", "commands": [], "backup": None}
    said = answered(**KEPT | lost | {"written": None, "replaced_database": None})
    assert said["Was anybody cut off?"].startswith("Not known")
    assert not said["Is the data safe?"].startswith("Yes")
    assert said["How can it be undone, and until when?"].startswith("Not known yet")


def test_a_cancelled_run_is_not_asked_about_data_and_the_way_back() -> None:
    said = answered(**FAILED | KEPT | {"outcome": "CANCELLED"})
    assert list(said) == ["Did it work?", "Was anybody cut off?", "What remains to be done?"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"), ([], "none"), ({}, "none"), ("", "none"), (True, "yes"), (False, "no"), (0, "0"),
        (0.42, "0.42"), (1.0, "1"), (["a", "b"], "a, b"), ({"rows": 5, "others": False}, "rows: 5, others: no"),
        ("1 rows", "1 row"), ("11 rows", "11 rows"), ("error ?????", "error ?????"),
        ("error 42501", "error 42501 (insufficient privilege)"),
    ],
)  # fmt: skip
def test_no_value_is_shown_as_python_writes_it(value: Any, text: str) -> None:
    assert answers.words(value) == text


def test_the_same_check_of_all_tables_is_one_row() -> None:
    checks = [
        FINDING | {"table": name, "actual": name[-1], "expected": ["0 rows", "1 rows"]} for name in ("t1", "t2", "t3")
    ]
    wrong = FINDING | {"table": "t1", "ok": False, "actual": "7 rows", "expected": ["0 rows", "1 rows"]}
    assert [
        (row["what"], row["tables"], row["outcome"], row["count"], row["ok"])
        for row in grouped.judged([*checks, wrong])
    ] == [
        ("A tenant reads", "t1", "7 rows instead of 0 rows or 1 row", 1, False),
        ("A tenant reads", "all 3 tables", "1 / 2 / 3", 3, True),
    ]
    assert grouped.judged([VERIFIED])[0]["outcome"] == "text instead of integer"


def test_statements_with_the_same_reason_are_one_row() -> None:
    plan = [{"id": name, "table": name, "reason": "Add"} for name in ("a", "b")]
    plan.append({"id": "c", "table": "", "reason": "Set"})
    assert grouped.statements(plan, {"a": 1, "b": 2}) == [
        {"reason": "Add", "tables": "a, b", "count": 2, "seconds": 3},
        {"reason": "Set", "tables": "", "count": 1, "seconds": None},
    ]


def test_subjects_of_one_rule_are_one_row() -> None:
    entries = [
        {"severity": severity, "rule": rule, "remedy": "r", "subject": subject}
        for severity, rule, subject in (("warning", "w", "s1"), ("error", "e", "s2"), ("warning", "w", "s3"))
    ]
    assert [(row["rule"], row["subjects"]) for row in grouped.audited(entries)] == [("e", "s2"), ("w", "s1, s3")]


def test_facts_of_a_rehearsal_have_labels_and_units() -> None:
    found = {"locked_seconds": 0.42, "walls": ["user", "network"], "left_out": [], "new_fact": 1}
    assert grouped.rehearsed(found) == [
        ("Longest lock on the tables", "0.42 s"), ("Tested isolation of the copy's server", "user, network"),
        ("Not in the copy", "none"), ("new fact", "1"),
    ]  # fmt: skip
    assert grouped.rehearsed(None) == []
