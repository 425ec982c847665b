"""Look up the backups that rollbacks need, in the records of runs on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import record

DOCUMENTATION = """
name: logged_backups
short_description: Paths of the backups that the rollback of a host's migrations needs
description:
  - Reads C(run.json) of every run below a directory on this machine, within the process of ansible-playbook.
  - A backup is needed if its migration changed the database, completely or partly.
options:
  _terms:
    description: The directory that contains the directories of runs, as a single term.
    type: list
    elements: path
    required: true
  host:
    description: The name of the host in the inventory.
    type: str
    required: true
"""

EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ query('aimemory.tenancy.logged_backups', 'logs', host='db1') }}"
"""

RETURN = """
_raw:
  description: The paths on the host.
  type: list
  elements: str
"""


def needed(records: Iterable[Mapping[str, Any]], host: str) -> list[str]:
    """Return the paths of the backups that a rollback of the host's migrations needs. Each record is a run.json."""
    return [
        run["backup"]["path"]
        for run in records
        if (run.get("kind"), run.get("host")) == ("migrate", host)
        and run.get("outcome") in ("SUCCESS", "PARTIAL")
        and run.get("backup")
    ]


def read(directory: str) -> list[dict[str, Any]]:
    """Return the records of all runs below a directory. Raises AnsibleLookupError if a record cannot be read."""
    found = []
    for path in sorted(Path(directory).glob("*/run.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise AnsibleLookupError(
                f"The record {path} cannot be read ({error}). It may name a backup that is still needed. Move the "
                "record to another directory."
            ) from error
        # The records of the first releases contain no version.
        written = document.get("version", 0)
        if written > record.VERSION:
            raise AnsibleLookupError(
                f"The record {path} was written by a newer release of this runbook (format {written}, not"
                f" {record.VERSION}). It may name a backup that is still needed. Use that release, or move the record"
                " to another directory."
            )
        found.append(document)
    return found


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup plugin."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[str]:
        """Return the paths of the backups. The only term is the directory of the runs."""
        self.set_options(var_options=variables, direct=kwargs)
        (directory,) = terms
        return needed(read(directory), self.get_option("host"))
