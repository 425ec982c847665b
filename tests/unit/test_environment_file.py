"""The environment file keeps its attributes when its contents change. A file that cannot keep them is rejected."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

import pytest

from ansible_collections.aimemory.tenancy.plugins.modules import environment_file

ACL = "system.posix_acl_access"
# Format: version 2, then the tag, permissions and id of each entry. See acl(5), and posix_acl_xattr.h in the kernel.
ANYBODY = 0xFFFFFFFF
ENTRIES = [(0x01, 6, ANYBODY), (0x02, 4, 65534), (0x04, 0, ANYBODY), (0x10, 4, ANYBODY), (0x20, 0, ANYBODY)]
READABLE_BY_NOBODY = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in ENTRIES)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return an environment file."""
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o640)
    return path


def test_another_text_keeps_owner_mode_and_acl(file: Path) -> None:
    os.setxattr(file, ACL, READABLE_BY_NOBODY)
    os.setxattr(file, "user.note", b"kept")
    before = environment_file.attributes(str(file))
    environment_file.replace(environment_file.regular(str(file)), b"A=2\n")
    assert file.read_text() == "A=2\n"
    assert environment_file.attributes(str(file)) == before
    assert before[3].keys() == {ACL, "user.note"}
    assert [path.name for path in file.parent.iterdir()] == [".env"]


def test_a_link_stays_one(file: Path) -> None:
    link = file.parent / "link"
    link.symlink_to("chain")
    (file.parent / "chain").symlink_to(file)
    target = environment_file.regular(str(link))
    assert target == str(file)
    environment_file.replace(target, b"A=2\n")
    assert link.is_symlink()
    assert link.read_text() == "A=2\n"
    assert stat.S_IMODE(file.lstat().st_mode) == 0o640


def test_the_new_file_is_readable_only_to_readers_of_the_old_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the permissions after each step, with an ACL whose mask grants more than the group's entry."""
    os.setxattr(file, ACL, READABLE_BY_NOBODY)
    seen: list[tuple[int, bool]] = []
    for name in ("fchown", "fchmod", "setxattr", "removexattr", "fsync", "rename"):
        real = getattr(os, name)

        def step(*arguments: object, real: object = real) -> object:
            done = real(*arguments)  # type: ignore[operator]
            for path in file.parent.iterdir():
                acl = ACL in os.listxattr(path)
                seen.append((stat.S_IMODE(path.stat().st_mode), acl))
            return done

        monkeypatch.setattr(os, name, step)
    environment_file.replace(str(file), b"A=2\n")
    assert seen
    # Without the ACL, the mode's group bits apply to the group, which must not be able to read the file.
    assert all(acl or mode & 0o077 == 0 for mode, acl in seen), seen


def test_the_rights_of_the_folder_do_not_come_with_it(file: Path) -> None:
    default = READABLE_BY_NOBODY
    os.setxattr(file.parent, "system.posix_acl_default", default)
    environment_file.replace(str(file), b"A=2\n")
    assert os.listxattr(file) == []


def test_what_cannot_be_replaced_is_refused(file: Path) -> None:
    with pytest.raises(environment_file.FileError, match="is not a regular file"):
        environment_file.regular(str(file.parent))
    (file.parent / "nowhere").symlink_to("gone")
    with pytest.raises(environment_file.FileError, match="which does not exist"):
        environment_file.regular(str(file.parent / "nowhere"))
    os.link(file, file.parent / "other")
    with pytest.raises(environment_file.FileError, match=r"has 2 names \(hard links\)"):
        environment_file.regular(str(file))


def test_a_failure_leaves_the_old_file_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", fail)
    with pytest.raises(OSError, match="No space left"):
        environment_file.replace(str(file), b"A=2\n")
    assert file.read_text() == "A=1\n"
    assert [path.name for path in file.parent.iterdir()] == [".env"]


def test_links_without_an_end_are_an_error_and_no_loop(file: Path) -> None:
    one, other = file.parent / "one", file.parent / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(OSError, match="symbolic links"):
        environment_file.regular(str(one))


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root gives files to others.")
@pytest.mark.parametrize(
    ("of_link", "of_file", "followed"), [(0, 0, True), (0, 65534, True), (65534, 65534, True), (65534, 0, False)]
)
def test_a_link_of_another_user_is_not_followed(file: Path, of_link: int, of_file: int, *, followed: bool) -> None:
    link, directory = file.parent / "link", file.parent / "directory"
    directory.symlink_to(file.parent)
    link.symlink_to(file)
    os.chown(file, of_file, of_file)
    for name in (link, directory):
        os.chown(name, of_link, of_link, follow_symlinks=False)
    for path in (link, directory / file.name):
        if followed:
            assert environment_file.regular(str(path)) == str(file)
        else:
            message = "belongs to user 65534 but is a link to another user's file"
            with pytest.raises(environment_file.FileError, match=message):
                environment_file.regular(str(path))
