"""End a run: determine its outcome, and write its record, log and page on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import (
    expected,
    facts,
    page,
    record,
    result,
    summary,
    texts,
)


def write(known: Mapping[str, Any], log: Path) -> str:
    """Write the record, the log and the page. Return "", or a sentence about the first file that cannot be written.

    The log and the page are rendered from the record alone, so that all three agree.
    """
    built, path = record.build(known), log.with_name("run.json")
    try:
        texts.write_json(path, built)
        for path, template in ((log, "execution-log.md.j2"), (log.with_name("report.html"), "report.html.j2")):
            source = (Path(page.__file__).with_name(template)).read_text()
            texts.write(path, page.render(source, built, markdown=path == log).strip() + "\n")
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}."
    return ""


def expect(known: Mapping[str, Any], directory: str) -> list[str]:
    """Return lines that predict the real run, if this is a dry run that succeeded and found work to do.

    ``directory`` contains the records of earlier runs.
    """
    has_work = known["plan"] or (known["plan"] is None and known["asked"]["rollback_mode"] == "restore")
    if not known["check_mode"] or known["result"]["failure"] is not None or not has_work:
        return []
    given = expected.given_options(context.CLIARGS.get("extra_vars") or (), known["asked"])
    return expected.lines(known, expected.earlier(Path(directory), known), given)


class ActionModule(ActionBase):  # type: ignore[misc]
    """End the run of a host. A dry run writes no files."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return Ansible's result with ``result``, ``lines`` for the operator, and ``problem``.

        ``problem`` is a sentence if a file cannot be written, otherwise "". The task does not fail in this case: the
        operator and the webhook must receive the outcome first.
        """
        done: dict[str, Any] = super().run(tmp, task_vars)
        variables: Mapping[str, Any] = task_vars or {}
        known = facts.pick(variables, self._templar.template)
        known["result"] = ended = result.end(known)
        problem = "" if ended["log"] is None else write(known, Path(ended["log"]))
        directory = self._templar.template(variables.get("report_directory", ""))
        said = {"lines": summary.lines(known, expect(known, directory)), "problem": problem}
        return done | {"changed": False, "result": ended} | said
