"""Monitoring receives one JSON document from verify.yml, and a message if the result has changed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import verdict
from lab import ROOT, Host, Run
from receiver import listening
from reported import told

SCHEMA = json.loads((ROOT / "docs/verify.schema.json").read_text())
BROKEN, MENDED = (f"ALTER TABLE memories {word} FORCE ROW LEVEL SECURITY" for word in ("NO", ""))


def document(run: Run) -> dict[str, Any]:
    """Return the document of a run, which is its whole output except errors."""
    text = run.output if run.returncode == 0 else run.output[run.output.index("{\n") :]
    found: dict[str, Any] = json.loads(text)
    jsonschema.validate(found, SCHEMA)
    return found


def without_changing(run: Run) -> str:
    """Return a document's text without the fields that, according to docs/verify.schema.json, differ between runs."""
    found = copy.deepcopy(document(run))
    del found["started"], found["completed"]
    for part in found["hosts"]:
        if part["bridge"]:
            del part["bridge"]["last_used"]
    assert verdict.CHANGING == (("started",), ("completed",), ("hosts", "bridge", "last_used"))
    return verdict.text(found)


def kept(directory: Path, url: str) -> list[str]:
    """Return the arguments with which a run writes its state and metrics, and notifies a webhook."""
    state, metrics = directory / "state", directory / "tenancy.prom"
    return [f"-everify_state_directory={state}", f"-everify_metrics_file={metrics}", told(directory, url)]


def test_two_documents_are_equal_and_a_lost_host_is_news(machine: Host, tmp_path: Path) -> None:
    with listening() as receiver:
        given = kept(tmp_path, receiver.url)
        first, second = (machine.playbook("playbooks/verify.yml", "-everify_output=json", *given) for _ in range(2))
        assert document(first)["verdict"] == "holds"
        assert without_changing(first) == without_changing(second)
        assert receiver.texts == []
        # No server listens on this port. For an unreachable host, Ansible runs neither rescue nor always.
        lost = machine.playbook("playbooks/verify.yml", "-everify_output=json", *given, "-eansible_port=1", check=False)
        assert lost.returncode == 4
        (part,) = document(lost)["hosts"]
        assert (part["verdict"], part["failure"]["kind"], part["findings"]) == ("unchecked", "unreachable", 0)
        assert receiver.texts == [
            f"{machine.name}: verification of ai_memory COULD NOT BE MADE: the host is unreachable."
        ]
    metrics = (tmp_path / "tenancy.prom").read_text()
    assert f'{{database="ai_memory",host="{machine.name}",verdict="unchecked"}} 1' in metrics


@pytest.mark.wide
def test_a_finding_that_does_not_hold_is_news_once_and_so_is_its_end(machine: Host, tmp_path: Path) -> None:
    with listening() as receiver:
        given = kept(tmp_path, receiver.url)
        machine.sql(BROKEN)
        try:
            for _ in range(2):
                run = machine.playbook("playbooks/verify.yml", "-everify_output=json", *given, check=False)
                (part,) = document(run)["hosts"]
                assert part["verdict"] == "fails"
                assert {item["table"] for item in part["failing"]} >= {"memories"}
                assert len(receiver.texts) == 1
        finally:
            machine.sql(MENDED)
        assert document(machine.playbook("playbooks/verify.yml", "-everify_output=json", *given))["verdict"] == "holds"
        assert "HOLDS again" in receiver.texts[1]
        assert len(receiver.texts) == 2
