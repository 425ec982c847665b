"""Encrypt a backup into one archive with age, and decrypt the archive. age reads the key only from standard input."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import tempfile
from collections.abc import Sequence
from typing import IO, Any

from .errors import TenancyError

ARCHIVE = "backup.tar.age"
# The files of a backup, except its manifest.
PARTS = ("database", "globals.sql", "settings.sql", "SHA256SUMS")
_DECRYPT = ("age", "--decrypt", "--identity", "-")


class AgeError(TenancyError):
    """A backup cannot be encrypted or decrypted; the message gives the reason."""


def encrypt(directory: str, user: str, identity: str) -> None:
    """Encrypt the files of a backup into one archive with the key ``identity``, and verify the archive.

    The archive is decrypted again, and its contents are compared with the files. The archive is never on the disk
    unencrypted, because tar and age are connected by pipes. The unencrypted files are kept. Raises AgeError and
    OSError.
    """
    recipient = _recipient(directory, user, identity)
    archive = f"{directory}/{ARCHIVE}"
    said = _piped(
        ("tar", "--create", *PARTS), ("age", "--encrypt", "--recipient", recipient, "--output", archive), user,
        directory,
    )  # fmt: skip
    if said is not None:
        raise AgeError(f"The backup cannot be encrypted: {said}")
    with open(archive, "rb") as file:
        os.fsync(file.fileno())
    said = _piped((*_DECRYPT, archive), ("tar", "--compare"), user, directory, identity)
    if said is not None:
        raise AgeError(f"The encrypted backup does not decrypt to the files that were dumped: {said}")


def member(directory: str, user: str, identity: str, name: str) -> tuple[bytes, str | None]:
    """Return the contents of a small file in the archive in ``directory``, and an error message or None.

    The message is the error output of age and tar if either fails, for example on a truncated archive. Decrypted data
    is never written to a named file. Raises OSError.
    """
    with tempfile.TemporaryFile() as output:
        said = _piped(
            (*_DECRYPT, ARCHIVE), ("tar", "--extract", "--to-stdout", name), user, directory, identity, output
        )
        output.seek(0)
        return output.read(), said


def _recipient(directory: str, user: str, identity: str) -> str:
    done = subprocess.run(
        ["age-keygen", "-y"], input=f"{identity}\n".encode(), capture_output=True, check=False,
        **_as(user, directory),
    )  # fmt: skip
    if done.returncode != 0:
        raise AgeError("age-keygen cannot read the backup key.")
    return bytes(done.stdout).decode().strip()


def _piped(
    first: Sequence[str],
    second: Sequence[str],
    user: str,
    directory: str,
    given: str | None = None,
    output: IO[bytes] | None = None,
) -> str | None:
    """Run two programs as ``user``, and pipe the output of the first into the second.

    ``given`` is the input of the first program. The output of the second program is written to ``output``. Return the
    error output if a program fails, otherwise None. Raises OSError.
    """
    with tempfile.TemporaryFile() as said:
        options = _as(user, directory) | {"stderr": said}
        source = subprocess.Popen(
            first, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE, stdout=subprocess.PIPE, **options
        )
        try:
            if source.stdout is None:
                raise AssertionError
            with source.stdout:
                target = subprocess.Popen(second, stdin=source.stdout, stdout=output or said, **options)
            if source.stdin is not None:
                # A program that fails immediately may leave its input unread.
                with contextlib.suppress(BrokenPipeError), source.stdin:
                    source.stdin.write(f"{given}\n".encode())
        except OSError:
            source.kill()
            raise
        finally:
            codes = [source.wait()]
        codes.append(target.wait())
        if not any(codes):
            return None
        said.seek(0)
        return said.read().decode(errors="replace").strip() or "no message"


def _as(user: str, directory: str) -> dict[str, Any]:
    """Return the subprocess options that start a program as ``user`` in ``directory``, without root's groups."""
    entry = pwd.getpwnam(user)
    return {
        "user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "umask": 0o077, "cwd": directory,
    }  # fmt: skip
