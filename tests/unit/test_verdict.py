"""The monitoring document of verify.yml, the messages about changes in the verdict, and the metrics."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.filter import phases
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import metrics, verdict, watch
from production import ROOT, model_source
from receiver import TOKEN, listening

SCHEMA = json.loads((ROOT / "docs/verify.schema.json").read_text())
MIGRATED = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
SOURCE = model_source(MIGRATED["database"])
VERSIONS = {"ansible-core": "2.21.5", "python": "3.13.0", "aimemory.tenancy": "1.0.0"}
LOST = verdict.failure("unreachable", "inspect | Inspect", {"msg": "timed out"})
# A name that a table's owner can choose, with control characters and the markup of a chat service.
NASTY = 'v\x1b[2K"\\\n<!channel>'
AUDIT = [
    {"rule": "view-definer", "severity": "error", "subject": NASTY, "why": "w", "remedy": "r", "fixed_by_plan": False}
]


def host(
    name: str = "a",
    *,
    rls: bool = True,
    audit: list[dict[str, Any]] | None = None,
    failure: dict[str, str] | None = None,
    verified: bool = True,
    used_at: float | None = None,
) -> verdict.Document:
    """Return the document of one host, built with the filters of the verify role."""
    state = copy.deepcopy(MIGRATED)
    state["tables"]["memories"]["rls"]["enabled"] = rls
    state["bridge_watch"]["used_at"] = used_at
    found = phases.verify_result({"state": state, "audit": audit or []}, SOURCE, None, {})
    return verdict.of_host(name, {
        "database": "ai_memory", "versions": VERSIONS, "failure": failure,
        "preflight": {"model": SOURCE, "server_version": "16.14", "application_role": "alice"} if verified else {},
        "verified": found if verified else {}, "api": None,
    })  # fmt: skip


def run(*hosts: verdict.Document, ended: float = 1_796_052_688.9) -> verdict.Document:
    document = verdict.of_run(hosts, ended - 20, ended)
    jsonschema.validate(document, SCHEMA)
    return document


def test_only_findings_that_hold_and_no_failure_hold() -> None:
    failed = verdict.failure("failed", "Test the API", {"msg": "no"})
    documents = {
        "holds": [host(), host(used_at=1_796_000_000)],
        "fails": [host(rls=False), host(audit=AUDIT), host(failure=failed), host(rls=False, failure=failed)],
        # If the connection was lost, the findings are incomplete, even if all known findings hold.
        "unchecked": [host(failure=LOST), host(verified=False), host(verified=False, failure=failed)],
    }
    for wanted, made in documents.items():
        for document in made:
            assert document["verdict"] == wanted
            assert run(document)["verdict"] == wanted


@pytest.mark.parametrize(
    ("hosts", "worst"),
    [
        ([], "unchecked"), ([host("b"), host("a")], "holds"), ([host(), host("b", failure=LOST)], "unchecked"),
        ([host("c", failure=LOST), host("a"), host("b", rls=False)], "fails"),
    ],
)  # fmt: skip
def test_the_verdict_of_several_hosts_is_the_worst(hosts: list[verdict.Document], worst: str) -> None:
    document = run(*hosts)
    assert document["verdict"] == worst
    assert [part["host"] for part in document["hosts"]] == sorted(part["host"] for part in hosts)


def test_a_document_names_what_fails_and_the_use_of_the_bridge() -> None:
    part = host(rls=False, audit=AUDIT, used_at=1_796_000_000)
    assert ("memories", "RLS") in [(item["table"], item["check"]) for item in part["failing"]]
    assert part["findings"] > 50
    assert part["bridge"] == {"tenant": "1", "last_used": "2026-11-30T00:53:20Z"}
    assert part["versions"]["PostgreSQL"] == "16.14"
    # Control characters are escaped. The document is ASCII text, whatever the names are.
    assert "\x1b" not in part["audit"][0]["subject"]
    text = verdict.text(run(part))
    assert text.isascii()
    assert json.loads(text)["hosts"] == [part]


def without_changing(document: Mapping[str, Any]) -> str:
    """Return a document's text without the fields that may differ between two verifications of the same database."""
    made = copy.deepcopy(dict(document))
    for *above, name in verdict.CHANGING:
        parents: list[Any] = [made]
        for step in above:
            found = [parent[step] for parent in parents]
            parents = [item for one in found if one is not None for item in (one if isinstance(one, list) else [one])]
        for parent in parents:
            del parent[name]
    return verdict.text(made)


def test_documents_of_one_state_differ_only_in_the_documented_fields() -> None:
    first, second = run(host(used_at=1_796_000_000)), run(host(used_at=1_796_009_999), ended=1_796_099_999)
    assert verdict.text(first) != verdict.text(second)
    assert without_changing(first) == without_changing(second)
    assert without_changing(first) != without_changing(run(host(rls=False)))


class Watched:
    """Nightly verifications of one host, with the messages that each of them sends."""

    def __init__(self, directory: Path, url: str) -> None:
        self.settings = {
            "verify_state_directory": str(directory / "state"), "verify_metrics_file": "", "report_webhook_url": url,
            "report_webhook_timeout": 5,
        }  # fmt: skip
        self.file = directory / "state/a.json"

    def night(self, document: verdict.Document) -> list[str]:
        """Report one verification, and return the problems."""
        return watch.report(run(document), {"a": self.settings})


def test_a_message_is_sent_when_the_result_changes_and_only_then(tmp_path: Path) -> None:
    unreachable = host(verified=False, failure=LOST)
    nights: list[tuple[verdict.Document, str]] = [
        (host(), ""), (host(used_at=1_796_000_000), ""),
        (host(rls=False), "a: verification of ai_memory FAILS: 1 of "), (host(rls=False, used_at=1_796_000_000), ""),
        # The audit has one more entry. The other findings are the same.
        (host(rls=False, audit=AUDIT), "a: verification of ai_memory FAILS: 2 of "), (host(rls=False, audit=AUDIT), ""),
        (unreachable, "a: verification of ai_memory COULD NOT BE MADE: the host is unreachable."),
        # The host is still unreachable, but another task failed, which is not news.
        (host(verified=False, failure=LOST | {"task": "b", "message": "c"}), ""),
        (host(), "a: verification of ai_memory HOLDS again: "), (host(), ""),
    ]  # fmt: skip
    with listening() as receiver:
        watched = Watched(tmp_path, receiver.url)
        for document, wanted in nights:
            before = len(receiver.texts)
            assert watched.night(document) == []
            said = receiver.texts[before:]
            assert len(said) == bool(wanted)
            assert "".join(said).startswith(wanted)
            # The state file is private, and no partial file remains.
            assert watched.file.stat().st_mode & 0o777 == 0o600
            assert [path.name for path in watched.file.parent.iterdir()] == ["a.json"]
    assert not [text for text in receiver.texts if "channel" in text or "\x1b" in text]


@pytest.mark.parametrize("first", [host(rls=False), host(verified=False, failure=LOST)])
def test_a_first_result_that_does_not_hold_is_news(tmp_path: Path, first: verdict.Document) -> None:
    with listening() as receiver:
        watched = Watched(tmp_path, receiver.url)
        watched.night(first)
        assert len(receiver.texts) == 1
        # The state file is damaged, so the next verification cannot read it.
        watched.file.write_text('{"version": 1, "told"')
        (problem,) = watched.night(first)
        said = "cannot be read: it is not a state file of this version. This verification counts as the first"
        assert said in problem
        assert len(receiver.texts) == 2


def test_a_message_that_was_not_received_is_sent_again(tmp_path: Path) -> None:
    with listening(404) as broken:
        watched = Watched(tmp_path, broken.url)
        assert watched.night(host()) == []
        for _ in range(2):
            (problem,) = watched.night(host(rls=False))
            assert problem.startswith("The webhook was not notified: it responded with HTTP status 404.")
            assert TOKEN not in problem
    # A verification without a webhook sends no message, so the change is still news.
    watched.settings["report_webhook_url"] = ""
    assert watched.night(host(rls=False)) == []
    with listening() as receiver:
        watched.settings["report_webhook_url"] = receiver.url
        watched.night(host(rls=False))
        watched.night(host(rls=False))
        assert len(receiver.texts) == 1


def test_no_message_leaves_over_an_unencrypted_connection(tmp_path: Path) -> None:
    watched = Watched(tmp_path, f"http://example.org/{TOKEN}")
    (problem,) = watched.night(host(verified=False))
    assert "report_webhook_url is not a valid URL of a webhook" in problem
    assert TOKEN not in problem


def test_a_state_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    problems = Watched(tmp_path, "").night(host())
    assert [re.sub(".*/", "", problem) for problem in problems] == [
        "a.json cannot be read: Not a directory. This verification counts as the first one.",
        "a.json cannot be written: File exists.",
    ]


# A label in the text format. In the value, backslashes, quotes and line breaks are escaped.
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
SAMPLE = re.compile(r"([a-z_]+)\{(.*)\} ([0-9]+)")
ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def parsed(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], int]]:
    """Return a file's samples by metric and labels. Assert that it is valid Prometheus text and OpenMetrics."""
    assert text.endswith("\n# EOF\n")
    found: dict[str, dict[tuple[tuple[str, str], ...], int]] = {}
    current = ""
    for line in text.removesuffix("# EOF\n").splitlines():
        if line.startswith("# HELP "):
            current, meaning = line.removeprefix("# HELP ").split(" ", 1)
            assert current not in found, "the lines of a metric are one group"
            assert meaning.endswith(".")
            found[current] = {}
        elif line.startswith("# "):
            assert line == f"# TYPE {current} gauge"
            assert found[current] == {}
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            assert sample[1] == current
            labels = LABEL.findall(sample[2])
            assert "".join(found.group() for found in LABEL.finditer(sample[2])) == sample[2]
            key = tuple((name, re.sub(r"\\.", lambda part: ESCAPES[part.group()], value)) for name, value in labels)
            assert key not in found[current], "no sample occurs twice"
            found[current][key] = int(sample[3])
    return found


def test_the_metrics_are_numbers_of_each_host(tmp_path: Path) -> None:
    path = tmp_path / "tenancy.prom"
    names = ("a", NASTY)
    settings = {
        name: {
            "verify_state_directory": str(tmp_path / "state"), "verify_metrics_file": str(path),
            "report_webhook_url": "", "report_webhook_timeout": 5,
        }
        for name in names
    }  # fmt: skip
    first = run(host(), {**host("b"), "host": NASTY}, ended=1_796_000_000)
    watch.report(first, settings)
    second = run(host(rls=False, audit=AUDIT), {**host("b", verified=False, failure=LOST), "host": NASTY})
    watch.report(second, settings)
    # The collector's user can read the file, and never finds a partial file.
    assert path.stat().st_mode & 0o777 == 0o644
    assert [file.name for file in tmp_path.glob("*.prom*")] == ["tenancy.prom"]
    found = parsed(path.read_text())

    def sample(name: str, host: str, **labels: str) -> int:
        key = {"host": host, "database": "ai_memory", **labels}
        return found[f"tenancy_verify_{name}"][tuple(sorted(key.items()))]

    assert [sample("verdict", "a", verdict=name) for name in verdict.VERDICTS] == [0, 1, 0]
    assert [sample("verdict", NASTY, verdict=name) for name in verdict.VERDICTS] == [0, 0, 1]
    assert (sample("failing_findings", "a"), sample("failing_findings", NASTY)) == (2, 0)
    assert (sample("audit_entries", "a", severity="error"), sample("audit_entries", "a", severity="warning")) == (1, 0)
    assert sample("last_run_timestamp_seconds", "a") == 1_796_052_688
    assert sample("last_success_timestamp_seconds", "a") == 1_796_000_000
    # The file contains only names and numbers.
    assert not re.search("memories|view-definer|alice", path.read_text())


def test_a_host_without_a_success_is_as_old_as_can_be() -> None:
    found = parsed(metrics.text(run(host(rls=False)), {"a": None}))
    assert set(found["tenancy_verify_last_success_timestamp_seconds"].values()) == {0}
