"""Write an archive of text files on this machine, within the process of ansible-playbook.

The community.general.archive module is not used: it belongs to another collection and only archives files on disk.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import files


def archive(directory: str, texts: Mapping[str, str]) -> bytes:
    """Return a tar.gz archive with ``texts`` (contents by name) below ``directory``, without owner names."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as bundle:
        for name, text in texts.items():
            content = messages.visible(text, lines=True).encode("utf-8", errors="replace")
            entry = tarfile.TarInfo(f"{directory}/{name}")
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
            bundle.addfile(entry, io.BytesIO(content))
    return made.getvalue()


class ActionModule(ActionBase):  # type: ignore[misc]
    """Write ``files`` (contents by name) to the archive ``path`` (.tar.gz). Check mode writes no archive."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return Ansible's result with path and size in bytes. The task fails if the archive cannot be written."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {"path": {"type": "path", "required": True}, "files": {"type": "dict", "required": True}}
        )
        path = Path(arguments["path"])
        content = archive(path.name.removesuffix(".tar.gz"), arguments["files"])
        try:
            if not self._task.check_mode:
                files.put(path, content)
        except OSError as error:
            return result | {"failed": True, "msg": f"{path} cannot be written: {error.strerror}."}
        return result | {"changed": True, "path": str(path), "size": len(content)}
