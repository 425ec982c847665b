"""A backup that does not match the database is rejected before any change."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import Host

pytestmark = pytest.mark.wide

RESTORE = ("rollback.yml", "-erollback_mode=restore", "-erollback_confirm=YES")
COPY = "/var/backups/ai-memory/ai_memory-20000101T000000Z"


@pytest.fixture(scope="module")
def backup(machine: Host) -> Iterator[str]:
    """Return the path of a backup."""
    machine.playbook("playbooks/backup.yml", "-ebackup_copy_max_bytes=0", "-ebackup_test_restore=false")
    (path,) = machine.run("sudo find /var/backups/ai-memory -mindepth 1 -maxdepth 1").split()
    yield path
    machine.run("sudo rm -r /var/backups/ai-memory")


def manifest(**changes: Any) -> Callable[[Host], None]:
    """Return a function that writes ``changes`` into the manifest."""

    def write(machine: Host) -> None:
        document = json.loads(machine.run(f"sudo cat {COPY}/manifest.json"))
        machine.run(f"sudo tee {COPY}/manifest.json", given=json.dumps(document | changes))

    return write


def files(command: str) -> Callable[[Host], None]:
    """Return a function that runs ``command`` as root in the backup's directory."""

    def damage(machine: Host) -> None:
        machine.run(f"sudo sh -c 'cd {COPY} && {command}'")

    return damage


def encrypted(machine: Host) -> None:
    """Turn the backup into an encrypted backup with a truncated archive."""
    machine.run(
        f"sudo sh -c 'cd {COPY} && tar --create SHA256SUMS database"
        " | age --encrypt --recipient $(age-keygen 2> /dev/null | tee /root/age.key | age-keygen -y)"
        " --output backup.tar.age && truncate --size=-99 backup.tar.age'"
    )
    manifest(encrypted=True)(machine)


DAMAGED = "is damaged, incomplete or differs from its manifest (SHA-256), so it is not restored:"
NAME = "Name another backup with -e restore_backup=..."


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (files("truncate --size=-9 $(ls database/*.gz | head -n1)"), f"{DAMAGED} database/"),
        (files("rm SHA256SUMS"), "SHA256SUMS: No such file or directory"),
        (files("echo { > manifest.json"), f"{COPY}/manifest.json is damaged: it is not JSON"),
        (manifest(sha256="0" * 64), f"{DAMAGED} SHA256SUMS does not match its checksum in the manifest. {NAME}"),
        (
            manifest(database="other"),
            f"manifest.json describes database other in {COPY}, but must describe ai_memory in its own",
        ),
        (
            manifest(path="/elsewhere"),
            "manifest.json describes database ai_memory in /elsewhere, but must describe ai_memory in",
        ),
        (manifest(tables=[{"schema": "public", "name": "memories"}]), "(without call_summaries, caller_profiles, pers"),
    ],
)
def test_an_invalid_backup_is_refused(
    machine: Host, backup: str, damage: Callable[[Host], None], sentence: str
) -> None:
    machine.run(f"sudo cp -a {backup} {COPY}")
    try:
        manifest(path=COPY)(machine)
        damage(machine)
        before = machine.untouched()
        run = machine.playbook(*RESTORE, f"-erestore_backup={COPY}", check=False)
        assert sentence in run.words
        assert machine.untouched() == before
    finally:
        machine.run(f"sudo rm -r {COPY}")


def test_an_encrypted_backup_that_is_cut_off_is_refused(machine: Host, backup: str) -> None:
    machine.run(f"sudo cp -a {backup} {COPY}")
    try:
        manifest(path=COPY)(machine)
        encrypted(machine)
        key = machine.run("sudo cat /root/age.key").split()[-1]
        before = machine.untouched()
        run = machine.playbook(*RESTORE, f"-erestore_backup={COPY}", f"-ebackup_age_identity={key}", check=False)
        assert f"{DAMAGED} age: error: " in run.words
        assert machine.untouched() == before
    finally:
        machine.run(f"sudo rm -r {COPY} /root/age.key")
