"""Whether a job has ended, from the file of Ansible's async wrapper."""

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


def test_a_backup_is_a_dump_until_there_is_a_server_that_it_is_restored_into(tmp_path: Path) -> None:
    path, copy = tmp_path / "new.partial", tmp_path / "server"
    wanted = {"kind": "backup", "path": str(path), "copy": str(copy), "bytes": 30_000_000}
    assert job_progress.how_far(wanted) == "dump, 0 of about 30 MB"
    path.mkdir()
    (path / "database").write_bytes(b"x" * 2_000_000)
    assert job_progress.how_far(wanted) == "dump, 2 of about 30 MB"
    copy.mkdir()
    (copy / "data").write_bytes(b"x" * 5_000_000)
    assert job_progress.how_far(wanted) == "test restore, 5 of about 30 MB"


def test_the_size_of_a_directory_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "database").mkdir()
    (tmp_path / "database/1.dat.gz").write_bytes(b"x" * 1_500_000)
    (tmp_path / "globals.sql").write_bytes(b"x" * 500_000)
    assert job_progress.size_of(str(tmp_path)) == 2_000_000
    assert job_progress.share(job_progress.size_of(str(tmp_path)), 30_000_000) == "2 of about 30 MB"
