"""A dry run shows the expected duration of the run, from measurements if there are any, and the next command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.action import end_run
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import expected
from test_page import record
from test_run_record import FAILED, facts

REHEARSAL = {"apply_seconds": 1.0, "verify_seconds": 0.6, "restore_seconds": 2.2, "revert_seconds": 0.9}
NOTHING: dict[str, Any] = {"run": None, "rehearsal": None}


def dry(**other: Any) -> dict[str, Any]:
    """Return the facts of a dry run that found work."""
    tables = {"before": {"memories": {"bytes": 200_000_000}}, "after": {}}
    known: dict[str, Any] = {
        "plan": [{"id": "a"}],
        "check_mode": True,
        "host": "db1",
        "strategy": "atomic",
        "tables": tables,
    }
    return facts(**known | {"preflight": {"database_size_bytes": 300_000_000}} | other)


def stored(directory: Path, name: str, **other: Any) -> None:
    """Write the record of a run."""
    (directory / name).mkdir()
    (directory / name / "run.json").write_text(json.dumps(record(rehearsal=None, options={}) | other))


def test_the_newest_successful_run_of_the_same_work_is_the_measure(tmp_path: Path) -> None:
    stored(tmp_path, "20261101-db1", run="oldest")
    stored(tmp_path, "20261102-db1", run="same")
    others: tuple[dict[str, Any], ...] = (
        {"host": "db2"}, {"database": "other"}, {"kind": "rollback"}, {"outcome": "FAILED", "rehearsal": REHEARSAL},
        {"plan": [], "replaced_database": None}, {"options": {"tenancy_strategy": "online"}},
    )  # fmt: skip
    for number, other in enumerate(others):
        stored(tmp_path, f"2026110{number + 3}-db1", **other)
    (tmp_path / "20261120-db1").mkdir()
    (tmp_path / "20261120-db1/run.json").write_text("{")
    (tmp_path / "20261121-db1").mkdir()
    (tmp_path / "20261121-db1/run.json").write_text("[]")
    found = expected.earlier(tmp_path, dry())
    assert found["run"] is not None
    assert found["run"]["run"] == "same"
    # A failed run's rehearsal also counts, because the rehearsal itself may have succeeded.
    assert found["rehearsal"] is not None
    assert found["rehearsal"]["outcome"] == "FAILED"
    assert expected.earlier(tmp_path / "none", dry()) == NOTHING


def test_phases_last_as_long_as_in_the_last_run(tmp_path: Path) -> None:
    stored(tmp_path, "20261101-db1")
    stored(tmp_path, "20261102-db1", outcome="FAILED")
    about = {"kind": "migrate", "host": "db1", "database": "ai_memory"}
    assert expected.durations(tmp_path, about) == {"preflight": 2, "cutover": 3, "apply": 1, "start": 4}
    assert expected.durations(tmp_path, about | {"host": "db2"}) == {}


def test_a_run_lasts_as_long_as_the_last_one_without_its_question() -> None:
    phases = [{"name": "confirm", "started": "2026-11-25T17:41:31.000000"}, *record()["phases"]]
    assert expected.lines(dry(), NOTHING | {"run": record(phases=phases)}) == [
        "Duration:  about 10 s, as in the run of 2026-11-25 17:41:31 UTC",
        "Callers:   The service is stopped for about 2.0 s, as in that run.",
        "Next:      ansible-playbook migrate.yml",
    ]


def test_without_a_run_a_rehearsal_is_the_measure() -> None:
    lines = expected.lines(dry(), NOTHING | {"rehearsal": record(rehearsal=REHEARSAL)})
    assert lines[0] == "Duration:  about 38 s, according to the rehearsal of 2026-11-25 17:51:31 UTC"
    stopped = "Callers:   The service is stopped for about 1.0 s, plus the time of its stop and start."
    assert lines[1].startswith(stopped)


def test_without_any_measurement_the_estimate_says_so() -> None:
    lines = expected.lines(dry(), NOTHING)
    # The estimate is 30 s, plus twice the time for 300 MB.
    assert lines[0] == "Duration:  about 110 s, estimated from 300 MB: no run has been measured"
    assert lines[1].startswith("Callers:   The service is stopped for about 10 s, plus the time of its stop and start")
    large = expected.lines(dry(preflight={"database_size_bytes": 30_000_000_000}), NOTHING)
    assert large[0].startswith("Duration:  about 101 min, estimated from 30,000 MB")
    online = expected.lines(dry(strategy="online"), NOTHING)
    assert "stopped for about 0 s, plus the time of its stop and start" in online[1]


@pytest.mark.parametrize(
    "found", [NOTHING, NOTHING | {"run": record()}, NOTHING | {"rehearsal": record(rehearsal=REHEARSAL)}]
)
def test_a_service_that_is_never_stopped_is_said_to_run_on(found: dict[str, Any]) -> None:
    lines = expected.lines(dry(strategy="live"), found)
    assert [line for line in lines if "stopped" in line] == ["Callers:   The service is not stopped."]
    assert lines[-1].startswith("Next: ")


def test_the_next_command_has_the_options_of_the_dry_run_that_are_no_secrets() -> None:
    asked = dry()["asked"]
    given = expected.given_options(
        ["tenancy_strategy=atomic", "report_webhook_url=https://S3CRET", "@secret.yml", '{"a": "b"}', "a b=c",
         "restore_backup=/var/backups/a-1", "tenancy_bridge='x y'"],
        asked,
    )  # fmt: skip
    assert given == ["tenancy_strategy=atomic", "restore_backup=/var/backups/a-1"]
    assert expected.command(dry(), given) == (
        "ansible-playbook migrate.yml -e tenancy_strategy=atomic -e restore_backup=/var/backups/a-1"
    )
    back = dry(kind="rollback", asked=asked | {"rollback_mode": "schema"})
    assert expected.command(back, []) == "ansible-playbook rollback.yml -e rollback_mode=schema"
    assert expected.command(back, ["rollback_mode=schema"]) == "ansible-playbook rollback.yml -e rollback_mode=schema"


@pytest.mark.parametrize(
    ("known", "is_told"),
    [
        (dry(), True),
        (dry(check_mode=False), False),
        (dry(plan=[]), False),
        (dry(plan=None), False),
        (dry(plan=None, kind="rollback", asked=dry()["asked"] | {"rollback_mode": "restore"}), True),
        (dry(result=dry()["result"] | FAILED), False),
    ],
)
def test_only_a_dry_run_that_found_work_is_about_the_run_itself(
    tmp_path: Path, known: dict[str, Any], is_told: bool
) -> None:
    assert bool(end_run.expect(known, str(tmp_path))) is is_told


@pytest.mark.parametrize(
    ("value", "may_stop"), [(True, True), (False, False), ("true", True), ("false", False), ("", False)]
)
def test_a_live_run_is_said_to_stop_the_service_only_if_it_may(value: bool | str, *, may_stop: bool) -> None:
    known = dry(strategy="live")
    known["asked"] = {**known["asked"], "tenancy_live_otherwise_stop": value}
    (callers,) = [line for line in expected.lines(known, NOTHING) if line.startswith("Callers:")]
    assert ("unless the renewal of its sessions fails" in callers) is may_stop
