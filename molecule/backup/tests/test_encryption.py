"""An encrypted backup reveals nothing, and can be restored only with its key."""

from __future__ import annotations

import pytest

from lab import ROWS, Host, Run

# The tests share one backup.
pytestmark = [pytest.mark.one_host(together=True), pytest.mark.wide]

BACKUP = "playbooks/backup.yml"


@pytest.fixture(scope="module")
def key(machine: Host) -> str:
    """Start with a fresh host, and return an age key."""
    machine.reset()
    return machine.run("age-keygen 2> /dev/null").strip().split("\n")[-1]


@pytest.fixture(scope="module")
def run(machine: Host, key: str) -> Run:
    """Make an encrypted backup."""
    return machine.playbook(BACKUP, "-vvv", f"-ebackup_age_identity={key}")


def test_an_encrypted_one_holds_nothing_in_plain(machine: Host, key: str, run: Run) -> None:
    backup = machine.backups()[-1]
    assert machine.manifest(backup)["encrypted"] is True
    assert machine.run(f"sudo ls {backup}").split() == ["backup.tar.age", "manifest.json"]
    members = f"sudo sh -c 'age --decrypt --identity - {backup}/backup.tar.age | tar --list'"
    assert {"globals.sql", "settings.sql", "SHA256SUMS", "database/toc.dat"} <= set(
        machine.run(members, given=key).split()
    )
    (copy,) = run.copies()
    assert b"backup.tar.age" in copy.read_bytes()[:4096]
    assert key not in run.output
    assert key not in "".join(run.files().values())
    # The search finds the planted key, which shows that the search works. No other file contains the key.
    machine.run("cat > /tmp/planted", given=key)
    search = "sudo grep --recursive --files-with-matches --file=- /etc /opt /var /tmp /home || true"
    assert machine.run(search, given=key).split() == ["/tmp/planted"]
    machine.run("rm /tmp/planted")
    assert "AGE-SECRET-KEY" not in machine.run("sudo journalctl --no-pager")


@pytest.mark.usefixtures("run")
def test_an_encrypted_one_can_be_restored_with_its_key_alone(machine: Host, key: str) -> None:
    restore = ("rollback.yml", "-erollback_mode=restore", "-erollback_confirm=YES")
    before = machine.untouched()
    run = machine.playbook(*restore, check=False)
    assert "is encrypted: give the key that it was encrypted with as backup_age_identity" in run.words
    other = machine.run("age-keygen 2> /dev/null").strip().split("\n")[-1]
    run = machine.playbook(*restore, f"-ebackup_age_identity={other}", check=False)
    assert "no identity matched any of the recipients" in run.words
    assert machine.untouched() == before
    machine.sql("DELETE FROM memories WHERE type = 'fact'")
    machine.playbook(*restore, f"-ebackup_age_identity={key}")
    assert machine.rows() == ROWS
    assert [name for name in machine.backups() if "unpacked" in name] == []


@pytest.mark.parametrize("key", ["nonsense", "AGE-SECRET-KEY-1QQQQ"], indirect=False)
def test_an_invalid_key_is_refused(machine: Host, key: str) -> None:
    before = machine.untouched()
    run = machine.playbook(BACKUP, f"-ebackup_age_identity={key}", check=False)
    assert "cannot read backup_age_identity" in run.words
    assert key not in run.output
    assert machine.untouched() == before
