"""A job's state comes from the file of Ansible's async wrapper, and the job's progress is returned as one string."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.aimemory.tenancy.plugins.modules import job_progress


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ('{"started": 1, "finished": 0, "ansible_job_id": "j1.2"}', False),
        ('{"changed": true, "tables": []}', True),
        ('{"failed": true, "msg": "No space left on device"}', True),
        ('{"changed": tr', False),
        ("", False),
    ],
)
def test_a_job_is_over_when_its_result_is_there(tmp_path: Path, text: str, over: bool) -> None:
    (tmp_path / "j1.2").write_text(text)
    assert job_progress.job_is_over(str(tmp_path), "j1.2") is over


def test_an_unknown_job_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        job_progress.job_is_over(str(tmp_path), "j1.2")


@pytest.mark.parametrize(
    ("share", "detail", "text"),
    [
        (0.454, "memories", "dump 45%, memories"),
        (None, "starting", "dump, starting"),
        (1.0, "", "dump 100%"),
        (None, "", "dump"),
    ],
)
def test_stage_share_and_detail_are_one_text(share: float | None, detail: str, text: str) -> None:
    assert job_progress._told("dump", share, detail)["msg"] == text
