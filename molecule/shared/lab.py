"""Access to a lab host from the tests: commands over SSH, and PostgreSQL over a forwarded socket."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import psycopg2
import psycopg2.extensions
import yaml

from ansible_collections.aimemory.tenancy.plugins.module_utils import tokens

ROOT = Path(__file__).resolve().parents[2]
TABLES = ("memories", "call_summaries", "caller_profiles", "personality_metrics", "personality_averages")
ROWS = {
    "memories": 5755, "call_summaries": 123, "caller_profiles": 45, "personality_metrics": 67,
    "personality_averages": 45,
}  # fmt: skip
OWNER = "alice"
# The directory of the collection's plugins in a checkout.
PLUGINS = "plugins"
# The default strategy stops the service only if its sessions cannot be renewed. The "migrate" and "live" scenarios test
# that strategy, and the other scenarios test the stop.
STRATEGY = "-etenancy_strategy=atomic"
# The files that a checkout needs to run a playbook.
FILES = ("ansible.cfg", "galaxy.yml", "migrate.yml", "rollback.yml")
FOLDERS = ("collections", "files", "inventory", "meta", "playbooks", "plugins", "roles")
INVENTORIES = ("inventory/lab.yml", "inventory/fleet.yml")
HOSTS: dict[str, Any] = {
    name: variables
    for inventory in INVENTORIES
    for name, variables in yaml.safe_load((ROOT / inventory).read_text())["ai_memory"]["hosts"].items()
}
# The secret that signs the tokens for the tenant-aware release.
TOKEN_SECRET: str = yaml.safe_load((ROOT / "inventory/group_vars/lab.yml").read_text())["lab_token_secret"]
# A migration without the rehearsal, and without the test restore and the copy of its backup. Other scenarios test
# these parts.
MIGRATE = (
    "migrate.yml", "-emigrate_confirm=YES", "-emigrate_rehearse=none", "-ebackup_test_restore=false",
    "-ebackup_copy_max_bytes=0",
)  # fmt: skip


def copied_checkout(directory: Path) -> Path:
    """Copy the files that are needed to run a playbook, so that a test may break them, and return the copy's
    directory."""
    for name in (*FILES, *FOLDERS):
        source, target = ROOT / name, directory / name
        shutil.copytree(source, target, symlinks=True) if source.is_dir() else shutil.copy(source, target)
    (directory / ".lab").symlink_to(ROOT / ".lab")
    return directory


def _environment(checkout: Path, inventories: tuple[str, ...]) -> dict[str, str]:
    """Return an environment in which a checkout's Ansible prints plain text, even under Molecule."""
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(checkout / "ansible.cfg"),
        "ANSIBLE_INVENTORY": ",".join(str(checkout / inventory) for inventory in inventories),
        "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "COLUMNS": "500",
    }  # fmt: skip
    # Molecule sets a callback, and the paths of this checkout's roles and collections, which would replace those of
    # another checkout.
    for name in ("ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_ROLES_PATH", "ANSIBLE_STDOUT_CALLBACK"):
        environment.pop(name, None)
    return environment


def _options(port: int) -> list[str]:
    lab = ROOT / ".lab"
    return [
        "-i", str(lab / "id_ed25519"), "-p", str(port), "-o", f"UserKnownHostsFile={lab / 'known_hosts'}",
        "-o", "StrictHostKeyChecking=accept-new", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
        "-o", "ConnectTimeout=5",
    ]  # fmt: skip


class Host:
    """One lab host. ``close`` ends the tunnel to its PostgreSQL."""

    def __init__(self, name: str) -> None:
        """Look up the host's port in the inventories."""
        self.name = name
        self.ssh = ["ssh", *_options(HOSTS[name]["ansible_port"]), "operator@127.0.0.1"]
        self._directory = tempfile.TemporaryDirectory()
        self._tunnel: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the tunnel."""
        if self._tunnel is not None:
            self._tunnel.kill()
            self._tunnel.wait()
            self._tunnel = None
        self._directory.cleanup()

    def run(self, command: str, *, given: str = "", check: bool = True) -> str:
        """Run a command line on the host with ``given`` as standard input, and return the output."""
        done = subprocess.run(
            [*self.ssh, command], input=given, capture_output=True, text=True, timeout=600, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{command!r} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def at_home(self, command: str, *, cwd: Path) -> None:
        """Run a documented ssh or scp command on this machine, with this host as SERVER."""
        program, *words = shlex.split(re.sub(r"\bSERVER\b", self.ssh[-1], command))
        # The command must not connect to another host.
        assert any(self.ssh[-1] in word for word in words), command
        options = self.ssh[1:-1]
        if program == "scp":
            options = ["-P" if word == "-p" else word for word in options]
        subprocess.run([program, *options, *words], cwd=cwd, check=True, capture_output=True, timeout=120)

    def connect(self, database: str = "ai_memory", user: str = "operator") -> psycopg2.extensions.connection:
        """Connect to a database as the tests' superuser (or another role), in autocommit mode."""
        socket = Path(self._directory.name) / ".s.PGSQL.5432"
        if self._tunnel is None or self._tunnel.poll() is not None:
            socket.unlink(missing_ok=True)
            forward = f"{socket}:/var/run/postgresql/.s.PGSQL.5432"
            self._tunnel = subprocess.Popen([*self.ssh[:-1], "-N", "-L", forward, self.ssh[-1]])
            deadline = time.monotonic() + 10
            while not socket.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
        connection = psycopg2.connect(host=self._directory.name, dbname=database, user=user)
        connection.autocommit = True
        return connection

    def sql(self, statement: str, values: tuple[Any, ...] | None = None, database: str = "ai_memory") -> list[Any]:
        """Run one statement as the tests' superuser, and return its rows."""
        with contextlib.closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def rows(self, where: str = "true") -> dict[str, int]:
        """Return the number of rows in every tenant table."""
        return {table: self.sql(f"SELECT count(*) FROM {table} WHERE {where}")[0][0] for table in TABLES}

    def _request(self, path: str, method: str, body: str, token: str) -> str:
        program = (
            "import sys, urllib.request as u; token, body = sys.stdin.read().split(chr(10), 1);"
            ' headers = {"content-type": "application/json", "authorization": "Bearer " + token};'
            " request = u.Request(sys.argv[1], body.encode() or None, headers, method=sys.argv[2]);"
            " print(u.urlopen(request, timeout=10).read().decode())"
        )
        return self.run(f"python3 -c '{program}' 'http://127.0.0.1:8100{path}' {method}", given=f"{token}\n{body}")

    def call(self, path: str, *, method: str = "POST", tenant: int | None = None, **body: Any) -> dict[str, Any]:
        """Call the service on the host and return its response.

        The token contains the tenant, by default that in the body. The legacy release ignores the token.
        """
        claims = {"sub": "tests", "customer_id": tenant or body.get("customer_id", 1), "exp": int(time.time()) + 60}
        text = "" if method == "GET" else json.dumps(body)
        answer: dict[str, Any] = json.loads(self._request(path, method, text, tokens.signed(claims, TOKEN_SECRET)))
        return answer

    def healthy(self) -> bool:
        """Return whether the service responds."""
        try:
            return bool(self._request("/health", "GET", "", ""))
        except AssertionError:
            return False

    def wait_until_healthy(self, seconds: float = 40) -> None:
        """Wait for a response from the service; the host itself may be unreachable in the meantime."""
        deadline = time.monotonic() + seconds
        while not self.healthy():
            assert time.monotonic() < deadline, "the service does not respond"
            time.sleep(0.5)

    def service_pid(self) -> int:
        """Return the PID of the service's main process, or 0 while the service is stopped."""
        return int(self.run("systemctl show --property=MainPID --value ai-memory"))

    def failsafe_armed(self) -> bool:
        """Return whether the timer that starts the service is waiting."""
        return self.run("systemctl is-active ai-memory-failsafe.timer", check=False).strip() == "active"

    def catalogs(self, database: str = "ai_memory") -> str:
        """Return a hash of the catalogs. A changed definition has a row with a new xmin, which changes the hash."""
        catalogs = (
            "pg_class", "pg_attribute", "pg_attrdef", "pg_constraint", "pg_index", "pg_policy", "pg_proc",
            "pg_trigger", "pg_authid", "pg_db_role_setting", "pg_database", "pg_depend",
        )  # fmt: skip
        parts = " UNION ALL ".join(
            f"SELECT '{catalog}' AS catalog, xmin::text AS x, ctid::text AS c FROM {catalog}" for catalog in catalogs
        )
        digest = "md5(string_agg(concat_ws(' ', catalog, x), ',' ORDER BY catalog, x, c))"
        return str(self.sql(f"SELECT {digest} FROM ({parts}) AS t", database=database)[0][0])

    def databases(self) -> set[str]:
        """Return the databases that runs created and left behind."""
        names = self.sql("SELECT datname FROM pg_database WHERE datname LIKE 'ai_memory_%'", database="postgres")
        return {name for (name,) in names} - {"ai_memory_template"}

    def backups(self) -> list[str]:
        """Return the paths of the backups, oldest first."""
        return self.run("sudo find /var/backups/ai-memory -mindepth 1 -maxdepth 1 2> /dev/null | sort").split()

    def manifest(self, backup: str) -> dict[str, Any]:
        """Return a backup's manifest."""
        document: dict[str, Any] = json.loads(self.run(f"sudo cat {backup}/manifest.json"))
        return document

    def lock(self) -> str:
        """Return the holder of the lock, or "" if there is none."""
        return self.run("sudo readlink /run/tenancy-ai_memory.lock || true").strip()

    def files(self) -> str:
        """Return the name, size, time and mode of every file that a run could have changed."""
        return self.run(
            "sudo find /etc /opt /var/backups /usr/local /home /root -xdev"
            " -not -path '*/.ansible*' -type f -printf '%p %s %T@ %m\\n' | sort"
        )

    def untouched(self) -> tuple[str, str, int, dict[str, int]]:
        """Return the state that must be the same after a run that makes no changes."""
        return self.catalogs(), self.files(), self.service_pid(), self.rows()

    def playbook(
        self, playbook: str, *arguments: str, check: bool | None = True, variables: Mapping[str, str] | None = None
    ) -> Run:
        """Run a playbook on this host only. ``check`` specifies whether the run must succeed; None allows both.

        ``variables`` are added to the environment.
        """
        run = Run(self.name, playbook, *arguments, variables=variables)
        run.wait()
        if check is not None and (run.returncode == 0) != check:
            raise AssertionError(f"{playbook} ended with {run.returncode}:\n{run.output}")
        return run

    def module(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Run one module of the collection on this host as root, and return its result even if the module fails."""
        done = subprocess.run(
            ["ansible", self.name, "--become", "--one-line", f"--module-name=aimemory.tenancy.{name}",
             f"--args={json.dumps(arguments)}"],
            cwd=ROOT, env=_environment(ROOT, INVENTORIES), capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        found = re.search(r"=> (\{.*\})\s*$", done.stdout, re.DOTALL)
        assert found, done.stdout + done.stderr
        result: dict[str, Any] = json.loads(found.group(1))
        return result

    @contextlib.contextmanager
    def drop_in(self, settings: str) -> Iterator[None]:
        """Within the block, add lines to the [Service] section of the service's unit."""
        directory = "/run/systemd/system/ai-memory.service.d"
        self.run(f"sudo mkdir -p {directory}; sudo tee {directory}/test.conf", given=f"[Service]\n{settings}\n")
        self.run("sudo systemctl daemon-reload")
        try:
            yield
        finally:
            self.run(f"sudo rm {directory}/test.conf; sudo systemctl daemon-reload")

    def reset(self, login: str = "owner") -> None:
        """Start with a freshly seeded database and the legacy release."""
        self.run(f"sudo lab-reset legacy {login}")


def _of_the_published_form(text: str) -> dict[str, Any]:
    """Parse the record of a run, and validate it against its published schema."""
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, json.loads((ROOT / "docs/run.schema.json").read_text()))
    return document


class Run:
    """One run of ansible-playbook with a separate directory for the logs."""

    def __init__(
        self,
        host: str,
        playbook: str,
        *arguments: str,
        terminal: int | None = None,
        checkout: Path = ROOT,
        variables: Mapping[str, str] | None = None,
        inventories: tuple[str, ...] = (),
    ) -> None:
        """Start the run. ``terminal`` is the file descriptor of a terminal that supplies the answers.

        ``variables`` are added to the environment, and ``inventories`` to those of the lab.
        """
        self._logs = tempfile.TemporaryDirectory()
        self._copies = tempfile.TemporaryDirectory()
        environment = {**_environment(checkout, (*INVENTORIES, *inventories)), **(variables or {})}
        self.process = subprocess.Popen(
            ["ansible-playbook", playbook, "--limit", host, f"-ereport_directory={self._logs.name}",
             f"-ebackup_copy_directory={self._copies.name}", STRATEGY, *arguments],
            cwd=checkout, env=environment, stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            preexec_fn=None if terminal is None else lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        self.output = ""
        self.returncode: int | None = None

    def wait(self, timeout: float = 900) -> None:
        """Wait until the run has ended."""
        self.output, _ = self.process.communicate(timeout=timeout)
        self.returncode = self.process.returncode

    def kill(self) -> None:
        """Kill the run, including its workers, which run in separate process sessions."""
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        for pid in (*map(int, children.stdout.split()), self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.wait()

    @property
    def words(self) -> str:
        """Return the output with each sequence of whitespace, quotes and box borders replaced by one space."""
        return re.sub(r"[\s'\"\\|]+", " ", self.output)

    @property
    def changed(self) -> int:
        """Return the number of changed tasks in the recap."""
        found = re.search(r"changed=(\d+)", self.output)
        assert found, self.output
        return int(found.group(1))

    def files(self) -> dict[str, str]:
        """Return the contents of each file that the run wrote on this machine, by the file's name."""
        return {path.name: path.read_text() for path in Path(self._logs.name).glob("*/*")}

    def copies(self) -> list[Path]:
        """Return the copies of backups on this machine."""
        return sorted(path for path in Path(self._copies.name).rglob("*") if path.is_file())

    def _file(self, name: str) -> str:
        assert name in self.files(), f"no file {name}\n{self.output}"
        return self.files()[name]

    @property
    def log(self) -> str:
        """Return the execution log."""
        return self._file("execution-log.md")

    @property
    def record(self) -> dict[str, Any]:
        """Return run.json."""
        return _of_the_published_form(self._file("run.json"))

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        """Return the contents of each run.json that the run wrote, by host."""
        found = (_of_the_published_form(path.read_text()) for path in Path(self._logs.name).glob("*/run.json"))
        return {document["host"]: document for document in found}


@contextlib.contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run ``work`` in the background, and set its event after the block. An error in ``work`` fails the test."""
    over = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as pool:
        working = pool.submit(work, over)
        try:
            yield
        finally:
            over.set()
        working.result()


@contextlib.contextmanager
def typed(answer: str) -> Iterator[int]:
    """Yield a terminal on which ``answer`` is typed twice a second, because input before the prompt is discarded."""
    keyboard, terminal = pty.openpty()

    def type_it(over: threading.Event) -> None:
        while not over.wait(0.5):
            os.write(keyboard, f"{answer}\r".encode())

    try:
        with meanwhile(type_it):
            yield terminal
    finally:
        os.close(keyboard)
        os.close(terminal)


@contextlib.contextmanager
def only_readers(host: Host) -> Iterator[None]:
    """Hold a lock on the tenant tables that conflicts with every lock stronger than ACCESS SHARE."""
    with contextlib.closing(host.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"LOCK TABLE {', '.join(TABLES)} IN EXCLUSIVE MODE")
        yield
        cursor.execute("ROLLBACK")
