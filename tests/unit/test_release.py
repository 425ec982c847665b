"""A release consists of a commit's archive, checksum and notes. The same commit always produces the same bytes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
import yaml

import release
from production import ROOT

GALAXY = {
    "namespace": "acme", "name": "tools", "version": "1.2.0", "readme": "README.md", "authors": ["ann"],
    "build_ignore": ["tests", ".gitignore", "release"],
}  # fmt: skip
CHANGELOG = "# Changelog\n\n## Unreleased\n\n## 1.2.0 (2026-11-30)\n\n- Adds b.\n- Adds a.\n\n## 1.1.0\n\n- Begins.\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a committed collection of several files."""
    root = tmp_path / "repository"
    for name in ("b.yml", "a.yml", "z.yml", "deep/deeper/c.yml"):
        (root / "playbooks" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "playbooks" / name).write_text("---\n")
    (root / "tests").mkdir()
    (root / "tests/test.py").touch()
    (root / "README.md").write_text("# Tools\n")
    (root / ".gitignore").write_text("/release/\n/ignored\n")
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    (root / "galaxy.yml").write_text(yaml.safe_dump(GALAXY))
    git(root, "init", "--quiet")
    commit(root)
    return root


def git(root: Path, *arguments: str) -> str:
    """Run git with an author's name and address, and return the output."""
    who = ["-c", "user.name=ann", "-c", "user.email=ann@example.org"]
    return subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def commit(root: Path) -> None:
    """Commit all files of the repository."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "all")


def released(root: Path) -> dict[str, bytes]:
    """Build the release, and return its files by name."""
    subprocess.run([sys.executable, str(ROOT / "lab/release.py")], cwd=root, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in (root / "release/1.2.0").iterdir()}


def test_a_release_has_an_archive_its_checksum_and_its_notes(repository: Path) -> None:
    files = released(repository)
    assert set(files) == {"acme-tools-1.2.0.tar.gz", "SHA256SUMS", "notes.md"}
    assert files["notes.md"].decode() == "- Adds b.\n- Adds a.\n"
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=repository / "release/1.2.0", check=True)
    # Building the release leaves the working tree clean.
    assert git(repository, "status", "--porcelain") == ""


def test_a_release_is_installed_and_verified(repository: Path, tmp_path: Path) -> None:
    released(repository)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_HOME": str(tmp_path / "home")}
    archive = str(repository / "release/1.2.0/acme-tools-1.2.0.tar.gz")
    for command in (("install", "--offline", archive), ("verify", "--offline", "acme.tools")):
        subprocess.run(
            ["ansible-galaxy", "collection", *command], cwd=tmp_path, env=environment, check=True, capture_output=True
        )
    installed = tmp_path / "home/collections/ansible_collections/acme/tools"
    assert (installed / "playbooks/deep/deeper/c.yml").read_text() == "---\n"
    assert not (installed / "tests").exists()


def test_the_same_commit_gives_the_same_bytes_elsewhere(repository: Path, tmp_path: Path) -> None:
    first = released(repository)
    git(tmp_path, "clone", "--quiet", str(repository), "clone")
    clone = tmp_path / "clone"
    # The clone has different file times and permissions, a different order of files, and a file that git ignores.
    (clone / "playbooks/0.yml").write_text("---\n")
    (clone / "playbooks/0.yml").unlink()
    for path in clone.glob("playbooks/*.yml"):
        path.chmod(0o600)
        os.utime(path, (1, 1))
    (clone / "ignored").touch()
    # Wait until the time in the archive's header differs. This time has a resolution of one second.
    time.sleep(1.1)
    assert released(clone) == first


def test_members_have_the_time_of_the_commit_and_no_owner(repository: Path) -> None:
    released(repository)
    with tarfile.open(repository / "release/1.2.0/acme-tools-1.2.0.tar.gz") as archive:
        members = archive.getmembers()
    assert {member.mtime for member in members} == {int(git(repository, "log", "-1", "--format=%ct"))}
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    assert [member.name for member in members][2:] == sorted(member.name for member in members[2:])


def refused(repository: Path) -> str:
    """Build a release, which must fail without writing a file, and return the error output."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "lab/release.py")], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout
    assert not (repository / "release").exists()
    return done.stderr


def test_changed_and_new_files_are_refused(repository: Path) -> None:
    (repository / "README.md").write_text("# Other tools\n")
    (repository / "new").touch()
    assert "2 files differ from the commit, such as README.md: commit them." in refused(repository)


@pytest.mark.parametrize("changelog", [CHANGELOG.replace("1.2.0", "1.1.9"), re.sub("- Adds.*\n", "", CHANGELOG)])
def test_a_version_without_notes_is_refused(repository: Path, changelog: str) -> None:
    (repository / "CHANGELOG.md").write_text(changelog)
    commit(repository)
    assert "CHANGELOG.md has no notes for 1.2.0" in refused(repository)


def test_changes_that_no_version_has_are_refused(repository: Path) -> None:
    (repository / "CHANGELOG.md").write_text(CHANGELOG.replace("Unreleased\n", "Unreleased\n\n- Removes z.\n"))
    commit(repository)
    assert "CHANGELOG.md has changes under Unreleased" in refused(repository)


def test_a_version_that_is_tagged_elsewhere_is_refused(repository: Path) -> None:
    git(repository, "tag", "v1.2.0")
    first = released(repository)
    assert released(repository) == first
    subprocess.run(["rm", "-r", str(repository / "release")], check=True)
    (repository / "README.md").write_text("# Other tools\n")
    commit(repository)
    assert "The tag v1.2.0 points to another commit: raise the version in galaxy.yml." in refused(repository)


def test_this_repository_has_notes_for_its_version() -> None:
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    notes = release.sections((ROOT / "CHANGELOG.md").read_text())
    assert next(iter(notes)) == release.UNRELEASED
    assert [line for line in notes[version].splitlines() if line.startswith("- ")] != []
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert [text for text in headings[1:] if not re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", text)] == []
