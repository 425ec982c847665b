"""Fetch a backup archive, verify the checksum of the fetched file, and give the file its final name.

Unlike this plugin, the ``fetch`` action computes a second checksum on the server, and writes the final file before it
verifies the checksum. A task that is delegated to localhost would start another Python interpreter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

# An interrupted fetch leaves a file with this name behind. The next fetch replaces it.
INCOMING = "incoming.partial"


def put(incoming: Path, path: Path, sha256: str) -> str:
    """Verify and rename the fetched file. Return "", or a sentence about the problem."""
    with incoming.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            return (
                "The copy on this machine differs from the backup (SHA-256). The backup on the server is complete."
                " Run the playbook again."
            )
    if path.exists():
        return f"{path} already exists and was not overwritten."
    incoming.chmod(0o600)
    incoming.rename(path)
    return ""


class ActionModule(ActionBase):  # type: ignore[misc]
    """Fetch ``archive`` from the server to ``path`` on this machine, and create the directory of ``path`` (0700)."""

    _supports_check_mode = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return Ansible's result. The task fails if the fetch fails or the checksums differ."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        text = {"type": "str", "required": True}
        _, arguments = self.validate_argument_spec(
            {"archive": text, "path": {"type": "path", "required": True}, "sha256": text}
        )
        path = Path(arguments["path"])
        incoming = path.with_name(INCOMING)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            incoming.unlink(missing_ok=True)
            incoming.touch(mode=0o600)
            self._connection.fetch_file(arguments["archive"], str(incoming))
            refusal = put(incoming, path, arguments["sha256"])
        except OSError as error:
            refusal = f"The copy on this machine failed: {error.strerror} ({error.filename or path})."
        return result | ({"failed": True, "msg": refusal} if refusal else {"changed": True})
