"""An application other than AI-Memory on a lab host, with its own inventory."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab import HOSTS, ROOT, Host, Run
from service import schema

CONFIRMED = ("-emigrate_confirm=YES", "-erollback_confirm=YES", "-ebackup_copy_max_bytes=0")


@dataclass(frozen=True)
class Application:
    """An application: ``files`` is the directory of its program and unit, and ``owner`` owns its tables.

    ``schema_file`` and ``seed_file`` create the tables and their rows. ``roles`` are other roles that ``remove``
    drops. ``reached`` is an inventory file that contains only how to connect to the lab host.
    """

    machine: Host
    name: str
    database: str
    owner: str
    port: int
    inventory: Path
    files: Path
    schema_file: Path
    seed_file: Path
    reached: Path
    roles: tuple[str, ...] = field(default=())

    def playbook(self, playbook: str, *arguments: str, check: bool | None = True, inventory: Path | None = None) -> Run:
        """Run a playbook with ``inventory``, by default the application's own inventory."""
        variables = {"ANSIBLE_INVENTORY": f"{inventory or self.inventory},{self.reached}"}
        return self.machine.playbook(playbook, *arguments, check=check, variables=variables)

    def sql(self, statement: str, values: tuple[Any, ...] | None = None) -> list[Any]:
        """Run one statement as the tests' superuser, and return its rows."""
        return self.machine.sql(statement, values, database=self.database)

    def schema(self) -> str:
        """Return the database's whole schema, as pg_dump prints it."""
        return schema(self.machine, self.database)

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        """Send a POST request to the service on the host, and return the response."""
        command = f"curl --silent --fail --data @- http://127.0.0.1:{self.port}{path}"
        answer: dict[str, Any] = json.loads(self.machine.run(command, given=json.dumps(body)))
        return answer

    def untouched(self) -> tuple[str, str, str]:
        """Return the state, except the rows, that must be the same after a run that makes no changes."""
        pid = self.machine.run(f"systemctl show --property=MainPID --value {self.name}")
        return self.machine.catalogs(self.database), self.machine.files(), pid

    def _arguments(self) -> str:
        given = {
            "application_files": str(self.files), "application_owner": self.owner,
            "application_schema": str(self.schema_file), "application_seed": str(self.seed_file),
            "application_roles": [self.owner, *self.roles],
        }  # fmt: skip
        return f"-e{json.dumps(given)}"

    def install(self) -> None:
        """Install the application with its rows."""
        if self.machine.run(f"ls -d /srv/{self.name}", check=False):
            # An interrupted test run has left the application installed.
            self.remove()
        self.playbook("molecule/shared/install.yml", self._arguments())

    def remove(self) -> None:
        """Remove the application and its database."""
        self.playbook("molecule/shared/remove.yml", self._arguments())


@contextlib.contextmanager
def installed(machine: Host, directory: Path, **described: Any) -> Iterator[Application]:
    """Write the lab host's inventory into ``directory``, install an application, and remove it at the end."""
    connection = {
        "ansible_host": "127.0.0.1", "ansible_port": HOSTS[machine.name]["ansible_port"], "ansible_user": "operator",
        "ansible_python_interpreter": "/usr/bin/python3", "ansible_ssh_private_key_file": str(ROOT / ".lab/id_ed25519"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={ROOT / '.lab/known_hosts'} -o IdentitiesOnly=yes",
    }  # fmt: skip
    reached = directory / "lab.yml"
    reached.write_text(yaml.safe_dump({"ai_memory": {"hosts": {machine.name: connection}}}))
    application = Application(machine, reached=reached, **described)
    application.install()
    yield application
    application.remove()
