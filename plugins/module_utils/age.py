"""Encrypted backups: one archive, made and read by age, whose key goes to its standard input alone."""

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
# What a backup consists of beside its manifest.
PARTS = ("database", "globals.sql", "settings.sql", "SHA256SUMS")
_DECRYPT = ("age", "--decrypt", "--identity", "-")


class AgeError(TenancyError):
    """age does not do what it is to do; the message says why."""


def encrypt(directory: str, user: str, identity: str) -> None:
    """Put the parts of a backup into an archive for the key ``identity``, which is decrypted and compared.

    The archive goes from tar to age, so that it never lies on the disk unencrypted, and the other way round. The parts
    stay. Raises AgeError and OSError.
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
        raise AgeError(f"The encrypted backup does not decrypt to what was dumped: {said}")


def member(directory: str, user: str, identity: str, name: str) -> tuple[bytes, str | None]:
    """Return a small file of the archive in ``directory``; nothing that is decrypted gets a name on the disk.

    The second is what age and tar said if they failed, as they do on an archive that was changed or cut; else None.
    Raises OSError.
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
        raise AgeError("age-keygen makes nothing of the key of the backups.")
    return bytes(done.stdout).decode().strip()


def _piped(
    first: Sequence[str],
    second: Sequence[str],
    user: str,
    directory: str,
    given: str | None = None,
    output: IO[bytes] | None = None,
) -> str | None:
    """Run two programs as ``user``, the output of the first being the input of the second.

    ``given`` is the input of the first; the output of the second goes to ``output``. Return what they said if one of
    them failed, else None. Raises OSError.
    """
    with tempfile.TemporaryFile() as said:
        options = _as(user, directory) | {"stderr": said}
        source = subprocess.Popen(
            first, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE, stdout=subprocess.PIPE, **options
        )
        try:
            assert source.stdout is not None
            with source.stdout:
                target = subprocess.Popen(second, stdin=source.stdout, stdout=output or said, **options)
            if source.stdin is not None:
                # What fails at once reads nothing.
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
    """Return the options of a program that runs as ``user`` in ``directory``: a shell, say, would not keep less."""
    entry = pwd.getpwnam(user)
    return {
        "user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "umask": 0o077, "cwd": directory,
    }  # fmt: skip
