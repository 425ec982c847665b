"""What modules return becomes texts, or the reason why there is none."""

from __future__ import annotations

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import gathered

ITEM = {"name": "a.txt", "kind": "log", "what": "a log"}


@pytest.mark.parametrize(
    ("result", "added"),
    [
        ({"rc": 0, "stdout": "text"}, {"text": "text"}),
        ({"rc": 0, "stdout": " \n"}, {"why": "it is empty"}),
        ({"rc": 1, "stdout": "part", "stderr": "tail: cannot open", "msg": "non-zero"}, {"why": "tail: cannot open"}),
        ({"msg": "sudo: a password is required"}, {"why": "sudo: a password is required"}),
    ],
)
def test_what_a_program_wrote(result: dict[str, object], added: dict[str, str]) -> None:
    assert gathered.outputs([result | {"item": ITEM}]) == [ITEM | added]


def test_what_postgresql_answered() -> None:
    items = [ITEM | {"column": "document"}, ITEM | {"column": "state"}]
    answered = {"query_all_results": [[{"document": {"a": 1}}], [{"state": []}]]}
    assert [item["text"] for item in gathered.answers(items, answered)] == ['{"a": 1}', "[]"]
    refused = gathered.answers(items, {"msg": "unable to connect"})
    assert [item["why"] for item in refused] == ["unable to connect"] * 2


@pytest.mark.parametrize(
    ("environment", "login"),
    [("DATABASE_URL=postgresql://alice:x@localhost/d\n", "alice"), ("DATABASE_URL=mysql://a@h/d", "app"), ("", "app")],
)
def test_whom_the_service_logs_in_as(environment: str, login: str) -> None:
    assert gathered.login(environment, "app") == login
