"""Report the result of verify.yml to monitoring: a JSON document, a message if the result changed, and metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.template import Templar
from ansible.utils.vars import load_extra_vars

DOCUMENTATION = """
name: verdict
type: aggregate
short_description: Reports the result of verify.yml to monitoring
description:
  - At the end of C(playbooks/verify.yml), the callback prints the result as one JSON document if C(verify_output) is
    C(json). If C(verify_state_directory) is set, it notifies the webhook of a changed result. If
    C(verify_metrics_file) is set, it writes the metrics to this file.
  - Unlike a task, the callback also runs if a host was unreachable. For any other playbook, it does nothing.
author: AI-Memory operations
"""

EXAMPLES = """
# fmt: ini
# ansible.cfg
[defaults]
callbacks_enabled = aimemory.tenancy.verdict
"""

# The host variables that the callback reads, with their defaults.
SETTINGS = {
    "database_name": "", "verify_state_directory": "", "verify_metrics_file": "", "report_webhook_url": "",
    "report_webhook_timeout": 5,
}  # fmt: skip


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """The callback plugin."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "aimemory.tenancy.verdict"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Initialize without a playbook."""
        super().__init__()
        self._wanted = self._is_json = False
        self._started = time.time()
        self._play: Any = None
        self._failures: dict[str, dict[str, str]] = {}

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Decide whether the playbook is verify.yml."""
        # Ansible finds the collection only after it has loaded the playbooks.
        from ansible_collections.aimemory.tenancy.plugins.plugin_utils import installed

        path = Path(playbook._file_name).resolve()
        self._wanted = path == installed.VERIFY
        self._is_json = installed.prints_json(path, load_extra_vars(playbook._loader))

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Keep the play, because its hosts and variables are read at the end."""
        self._play = play

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep the failure. Only the final statistics show whether the host failed."""
        if self._wanted and not ignore_errors:
            self._keep(result, "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Keep the failure of an unreachable host."""
        if self._wanted:
            self._keep(result, "unreachable")

    def _keep(self, result: Any, kind: str) -> None:
        from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import verdict

        name = str(result.task.get_name()).rpartition(" : ")[2]
        self._failures[result.host.name] = verdict.failure(kind, name, result.result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Report the result of the verification, if the playbook is verify.yml."""
        if not self._wanted or self._play is None:
            return
        from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import verdict, watch

        manager = self._play.get_variable_manager()
        # Name the group: if an earlier play failed, the last play that started may have hosts other than the databases.
        hosts = manager._inventory.get_hosts("ai_memory")
        variables = {host.name: manager.get_vars(play=self._play, host=host) for host in hosts}
        settings = {name: self._settings(found) for name, found in variables.items()}
        made = [
            verdict.of_host(name, self._facts(name, found, settings[name], stats)) for name, found in variables.items()
        ]
        document = verdict.of_run(made, self._started, time.time())
        for sentence in watch.report(document, settings):
            self._display.warning(sentence)
        if self._is_json:
            self._display.display(verdict.text(document))

    def _settings(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of a host, rendered because they may contain templates."""
        templar = Templar(loader=self._play.get_loader(), variables=variables)
        return {name: templar.template(variables.get(name, default)) for name, default in SETTINGS.items()}

    def _facts(
        self, name: str, variables: Mapping[str, Any], settings: Mapping[str, Any], stats: Any
    ) -> dict[str, Any]:
        from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import versions

        counts = stats.summarize(name)
        return {
            "database": settings["database_name"],
            "versions": versions.of("aimemory.tenancy"),
            # The statistics do not count a failure that a rescue section handled.
            "failure": self._failures.get(name) if counts["failures"] or counts["unreachable"] else None,
            "preflight": variables.get("preflight_result", {}),
            "verified": variables.get("verify_result", {}),
            "api": variables.get("service_result", {}).get("api"),
        }
