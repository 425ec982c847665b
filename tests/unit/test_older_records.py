"""Records of earlier releases are read, and records of later releases are rejected with a reason.

The documents in ``older`` have the formats of 2026-11-25. The files run.json and schema.json come from the tests of
the commit 109ca0a. The file manifest.json has the format that the backup role wrote at this commit.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible.errors import AnsibleLookupError

import golden
from ansible_collections.aimemory.tenancy.plugins.filter import phases
from ansible_collections.aimemory.tenancy.plugins.lookup import logged_backups
from ansible_collections.aimemory.tenancy.plugins.module_utils import backups, contents
from ansible_collections.aimemory.tenancy.plugins.modules import backup_info
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import record
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.support import archive, taken
from production import ROOT, model_source

OLDER = Path(__file__).parent / "older"
FILTERS = phases.FilterModule().filters()
SOURCE = model_source("ai_memory")
TABLES = ["memories", "call_summaries", "caller_profiles", "personality_metrics", "personality_averages"]
PATH = "/var/backups/ai-memory/ai_memory-20261125T175131Z"
PATH_OF_OLD_NAMES = 'SET LOCAL search_path = pg_catalog, "public", pg_temp; '


def older(name: str, **changed: Any) -> str:
    """Return the text of a document in ``older``, with changed values."""
    document: dict[str, Any] = json.loads((OLDER / name).read_text()) | changed
    return json.dumps(document)


def snapshot(text: str) -> dict[str, Any]:
    """Return the snapshot that is read from this text."""
    files = [{"source": "/b/schema.json", "content": base64.b64encode(text.encode()).decode()}]
    found: dict[str, Any] = FILTERS["combined_snapshot"](files, SOURCE)
    return found


def refusal(text: str) -> str:
    """Return why a backup with this manifest cannot be restored, or "" if it can."""
    return backups.unsuitable(
        f"{PATH}/manifest.json", backups.document(text, 1), asked="", directory="/var/backups/ai-memory",
        database="ai_memory", schema="public", tables=TABLES, has_key=False,
        problem=backups.unreadable(f"{PATH}/manifest.json", text, 1),
    )  # fmt: skip


def test_the_documents_are_older_than_todays() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(older("run.json")), json.loads((ROOT / "docs/run.schema.json").read_text()))
    assert "qualified" not in json.loads(older("schema.json"))["state"]
    assert "partitioned" not in json.loads(older("manifest.json"))["tables"][0]


def test_an_older_run_still_protects_its_backup(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/run.json").write_text(older("run.json"))
    assert logged_backups.needed(logged_backups.read(str(tmp_path)), "db1") == [PATH]


def test_a_newer_run_stops_the_removal_of_backups(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/run.json").write_text(older("run.json", version=record.VERSION))
    assert logged_backups.needed(logged_backups.read(str(tmp_path)), "db1") == [PATH]
    (tmp_path / "a/run.json").write_text(older("run.json", version=record.VERSION + 1))
    with pytest.raises(AnsibleLookupError) as raised:
        logged_backups.read(str(tmp_path))
    assert str(raised.value) == (
        f"The record {tmp_path}/a/run.json was written by a newer release of this runbook (format 2, not 1). It may"
        " name a backup that is still needed. Use that release, or move the record to another directory."
    )


def test_a_support_archive_contains_an_older_run(tmp_path: Path) -> None:
    directory = tmp_path / "20261125T175131Z-db1"
    directory.mkdir()
    (directory / "run.json").write_text(older("run.json"))
    made = archive.archive(taken.runs(str(tmp_path), "db1", 1, raw=False), TABLES)
    (file,) = made["files"]
    shown = json.loads(file["content"])
    assert (shown["outcome"], shown["backup"]["size_bytes"]) == ("SUCCESS", 9675228)
    assert made["missing"] == []


def test_an_older_manifest_is_restored() -> None:
    text = older("manifest.json")
    assert refusal(text) == ""
    rows = json.loads(text)["tables"]
    today = [{**table, "partitioned": False} for table in rows]
    assert contents.differences(today, rows) == []
    assert contents.differences([{**today[0], "rows": 1}, *today[1:]], rows) == [
        "public.memories has 1 rows instead of 5,755"
    ]


def test_a_newer_manifest_is_refused() -> None:
    assert refusal(older("manifest.json", version=2)) == (
        f"{PATH}/manifest.json was written by a newer release of this runbook (format 2, not 1): use that release, or"
        " name another backup with -e restore_backup=..."
    )


def test_the_module_refuses_a_newer_manifest(tmp_path: Path) -> None:
    place = tmp_path / "ai_memory-20261125T175131Z"
    place.mkdir()
    (place / "manifest.json").write_text(older("manifest.json", version=2, path=str(place)))
    wanted = {
        "directory": str(tmp_path), "database": "ai_memory", "backup": "", "proven": False, "user": "postgres",
        "schema": "public", "tables": TABLES, "identity": "",
    }  # fmt: skip
    found = backup_info.find(wanted)
    assert found["refusal"].startswith(f"{place}/manifest.json was written by a newer release of this runbook")


def test_an_older_snapshot_leads_to_the_same_statements() -> None:
    """Only the search path differs, because PostgreSQL omitted the schema from names in older snapshots."""
    migrated, found = golden.catalog("migrated"), snapshot(older("schema.json"))
    assert found["unreadable"] == []

    def planned(state: Any) -> dict[str, str]:
        return {item["id"]: item["sql"] for item in FILTERS["plan_statements"](migrated, SOURCE, "schema", state)}

    old, new = planned(found["state"]), planned(golden.catalog("unmigrated"))
    plain = {name: sql.removeprefix(PATH_OF_OLD_NAMES).partition("; SET LOCAL")[0] for name, sql in old.items()}
    # The sample database of that time had one more index, and one function had a different body.
    assert set(old) - set(new) == {
        "caller_profiles.index.idx_caller_profiles_last_call_date",
        "caller_profiles.rename.idx_caller_profiles_last_call_date",
    }
    assert set(new) - set(old) == set()
    differing = {name for name in new if plain[name] != new[name]}
    assert differing <= {"function.update_personality_averages(character varying)"}
    assert any(sql.startswith(PATH_OF_OLD_NAMES) for sql in old.values())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (older("schema.json", version=2), "was written by a newer release of this runbook (format 2, not 1)"),
        (older("schema.json", version=None), "was written by an older release of this runbook without this format"),
        (older("schema.json", version="1"), "was written by an older release of this runbook without this format"),
        ("{", "is damaged: it is not JSON"),
        ("[]", "is damaged, or was written by an older release"),
    ],
)
def test_another_snapshot_is_refused_with_the_remedy(text: str, sentence: str) -> None:
    (said,) = snapshot(text)["unreadable"]
    assert said.startswith("/b/schema.json ")
    assert sentence in said
    assert said.endswith("use that release") or "not JSON" in said


def test_todays_documents_have_the_formats_that_are_read() -> None:
    schema = json.loads((ROOT / "docs/run.schema.json").read_text())
    assert schema["properties"]["version"]["const"] == record.VERSION
