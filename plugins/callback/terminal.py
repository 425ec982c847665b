"""Show a run on the terminal: its phases, the messages of its tasks, and every failure."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.plugins.loader import filter_loader
from ansible.utils.vars import load_extra_vars

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages
from ansible_collections.aimemory.tenancy.plugins.plugin_utils import installed
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import clock, jobs, screen, wrapping

DOCUMENTATION = """
name: terminal
type: stdout
short_description: Shows the phases of a run instead of its tasks
description:
  - For the playbooks of this collection, the callback shows a line for each phase, with its state and duration. It
    also shows C(debug) messages and failures in full, and the current task at the bottom of the terminal.
  - For any other playbook, and with C(-v), the callback behaves like the C(ansible.builtin.default) callback.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
author: AI-Memory operations
"""

EXAMPLES = """
# fmt: ini
# ansible.cfg
[defaults]
stdout_callback = aimemory.tenancy.terminal
"""

# In the recap, the width of the column of host names, and the maximum width of the rest of the line.
RECAP_WIDTH, RECAP_BESIDE = 20, len(" : ok=000  changed=00  unreachable=0  failed=0")
# The status line shows the duration of a phase in the last run only if it was at least this number of seconds.
LONG = 3
# The maximum width of the column with the phase and, if there are several hosts, the host.
NAME_WIDTH = 40
COLORS = {"ok": constants.COLOR_OK, "FAILED": constants.COLOR_ERROR, "CANCELLED": constants.COLOR_WARN}
MARKS = {"FAIL ": constants.COLOR_ERROR, "ERROR ": constants.COLOR_ERROR, "WARNING": constants.COLOR_WARN}


WARNINGS = ("warnings", "deprecations")


def _if_phased(method: Callable[..., None]) -> Callable[..., None]:
    """Wrap ``method`` so that the default callback handles the event unless ``phased`` is true."""

    @functools.wraps(method)
    def call(self: CallbackModule, *args: Any, **kwargs: Any) -> None:
        if self.phased:
            method(self, *args, **kwargs)
        else:
            getattr(Default, method.__name__)(self, *args, **kwargs)

    return call


class Progress:
    """The progress of a host: its phases, the number of phases already shown, and the state of the service."""

    def __init__(self) -> None:
        """Initialize without phases."""
        self.phases: list[Mapping[str, str]] = []
        self.shown = 0
        self.failed = ""
        self.cancelled = False
        self.closed = False
        self.stopped: str | None = None
        self.expected: Mapping[str, float] = {}
        self.answered = False
        self.job = jobs.Job()

    def lasting(self, phase: Mapping[str, str], *, estimated: bool) -> str:
        """Return the duration of a phase so far and, if known, its duration in the last run, as text.

        The latter is omitted if it is shorter than LONG seconds or already exceeded. It is also omitted if the phase
        has another estimate (``estimated``).
        """
        seconds, whole = clock.seconds(phase["started"]), self.expected.get(phase["name"], 0)
        is_known = whole >= LONG and seconds <= whole and not estimated
        return f"{seconds:.0f} of about {whole:.0f} s" if is_known else f"{seconds:.0f} s"


class CallbackModule(Default):  # type: ignore[misc]
    """The callback plugin."""

    CALLBACK_NAME = "aimemory.tenancy.terminal"

    def __init__(self) -> None:
        """Initialize with nothing to show."""
        super().__init__()
        self.phased = False
        self._hosts: dict[str, Progress] = {}
        self._several = False
        self._heading = ""
        self._speaker = ""
        self._blank = False
        self._task, self._job_is_told = "", False
        self._signs = screen.symbols()
        self._foot = screen.Foot(self._foot_line)
        self._silent = False

    # Output

    def _say(self, text: str = "", color: str | None = None) -> None:
        if self._silent:
            return
        with self._foot:
            if self._heading:
                heading = "\n".join(screen.wrapped(self._heading, screen.columns()))
                self._display.display(f"\n{heading}\n")
                self._heading, self._blank = "", True
            # Do not print two blank lines in succession.
            if text or not self._blank:
                # Names and errors come from the server. Show their control characters as escapes.
                self._display.display(messages.visible(text), color=color)
            self._blank = not text

    def _speak(self, host: str, lines: Iterable[str], color: str | None = None) -> None:
        """Print lines about a host, preceded by its name if there are several hosts."""
        if self._several and host != self._speaker:
            self._say()
            self._say(f"[{host}]")
        self._speaker = host
        for line in lines:
            mark = next((mark for mark in MARKS if line.strip().startswith(mark)), None)
            self._say(line, color or (MARKS[mark] if mark else None))

    def _phase(self, host: str, number: int, state: str, until: str | None = None) -> None:
        phase = self._hosts[host].phases[number]
        name = f"{host:<20} {phase['name']}" if self._several else phase["name"]
        start, seconds = clock.time(phase["started"]), clock.seconds(phase["started"], until)
        begin, end = f"{self._signs[state]} {start} {number + 1:>2} ", f" {state:<9} {seconds:>7.1f} s"
        # Leave the last column of the terminal empty, because some terminals break the line there.
        if len(begin) + len(name) + len(end) >= screen.columns():
            end = f" {state} {seconds:.1f} s"
        width = min(max(screen.columns() - len(begin) - len(end) - 1, len(name)), NAME_WIDTH)
        self._say(f"{begin}{name:<{width}}{end}", COLORS[state])

    def _follow(self, host: str, phases: list[Mapping[str, str]]) -> None:
        """Show the phases that have ended since the last call."""
        progress = self._hosts[host]
        progress.phases = phases
        while progress.shown < len(phases) - 1:
            self._phase(host, progress.shown, "ok", phases[progress.shown + 1]["started"])
            progress.shown += 1

    def _close(self, host: str) -> None:
        """Show the last phase with its outcome, and stop the progress display of the host."""
        progress = self._hosts[host]
        if progress.shown < len(progress.phases):
            self._phase(
                host, progress.shown, "CANCELLED" if progress.cancelled else "FAILED" if progress.failed else "ok"
            )
            progress.shown += 1
        progress.closed = True

    def _foot_line(self) -> str:
        """Return the status line at the bottom of the terminal."""
        going = [(host, progress) for host, progress in self._hosts.items() if not progress.closed]
        if not going or not self._task:
            return ""
        parts = []
        for host, progress in going:
            phase = progress.phases[-1] if progress.phases else None
            name = f"{host} {phase['name']}" if phase and self._several else phase["name"] if phase else host
            since = None if progress.answered else progress.stopped
            waited = f", callers wait {clock.seconds(since):.1f} s" if since else ""
            # The progress of a job already contains an estimate.
            lasting = progress.lasting(phase, estimated=self._job_is_told) if phase else ""
            parts.append(f"{name} {lasting}{waited}" if phase else name)
        return messages.visible(f"{self._signs['now']} {clock.time(clock.ago(0))} {'; '.join(parts)}: {self._task}")

    def _update(self, host: str, facts: Mapping[str, Any]) -> None:
        """Update the progress of a host from the facts that a task sets."""
        progress = self._hosts[host]
        service = facts.get("service_result", {})
        if "stopped_at" in service:
            progress.stopped = service["stopped_at"]
        progress.answered = progress.answered or "healthy_at" in service
        if "report_result" in facts:
            result = facts["report_result"]
            self._follow(host, result["phases"])
            progress.cancelled = result["cancelled"]
            progress.expected = result.get("expected", {})
            progress.failed = progress.failed or (result["failure"] or {}).get("message", "")
            if result["failure"] or result["outcome"]:
                self._close(host)

    def _failed(self, host: str, name: str, result: Mapping[str, Any], title: str = "FAILED") -> None:
        """Print a failure with all messages of the failed task, unless the failure was printed before."""
        progress = self._hosts[host]
        # The summary of the run already reports that the operator cancelled the run.
        if progress.cancelled:
            return
        errors = [key for key in ("stderr", "module_stderr") if result.get(key)]
        # Some programs write their errors to standard output.
        keys = ("msg", *(errors or ("stdout", "module_stdout")), "censored")
        said = [str(result[key]).strip() for key in keys if result.get(key)]
        texts = list(dict.fromkeys(messages.sentence(text) for text in said))
        if progress.failed and texts == [progress.failed]:
            return
        lines = [line for text in texts for line in screen.wrapped(text, screen.columns() - 4)]
        self._speak(host, [f"{title}: {name}", *(f"    {line}" for line in lines)], constants.COLOR_ERROR)

    @staticmethod
    def _name(task: Any) -> str:
        """Return a task's name without its role and its file."""
        return str(task.get_name()).rpartition(" : ")[2].rpartition(" | ")[2]

    # Events of Ansible

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Decide whether the playbook belongs to this collection."""
        path = Path(playbook._file_name).resolve()
        self.phased = not self._display.verbosity and path.parent in (installed.ROOT, installed.ROOT / "playbooks")
        if self.phased:
            # With JSON output, standard output must contain only the document that the verdict callback prints.
            self._silent = installed.prints_json(path, load_extra_vars(playbook._loader))
            # Looking up a filter loads the whole collection. Load it once here, not again in the process of each task.
            filter_loader.get("aimemory.tenancy.plan_result")
            if not self._silent:
                self._foot.begin()
        else:
            super().v2_playbook_on_start(playbook)

    @_if_phased
    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Keep the play's name, which is printed before its first message."""
        self._play = play
        names = [host.name for host in play.get_variable_manager()._inventory.get_hosts(play.hosts)]
        self._several = len(names) > 1
        dry = " (dry run)" if play.check_mode else ""
        self._heading = f"{play.get_name()}{dry}: {', '.join(names)} (times in UTC)"

    @_if_phased
    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Keep the task's name for the status line, which is not updated while a prompt is shown."""
        screen.publish_columns()
        self._task, self._job_is_told = self._name(task), False
        self._foot.still = task.action.rpartition(".")[2] == "ask"
        if self._foot.still:
            with self._foot:
                self._display.display("")

    @_if_phased
    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Keep the handler's name for the status line."""
        self._task = self._name(task)

    @_if_phased
    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Start to show the progress of the host."""
        self._hosts.setdefault(host.name, Progress())

    @_if_phased
    def v2_runner_on_ok(self, result: Any) -> None:
        """Print the task's message, and use the facts that it sets."""
        self._warn(result)
        if "results" not in result.result:
            self._ended(result)

    @_if_phased
    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Handle an item of a loop like a task."""
        self._warn(result)
        self._ended(result)

    def _warn(self, result: Any) -> None:
        """Print the warnings of a task, but not its error, which is printed as a failure."""
        said = {key: messages.visible_document(result.result[key]) for key in WARNINGS if key in result.result}
        with self._foot:
            self._handle_warnings(said)

    def _ended(self, result: Any) -> None:
        host, said = result.host.name, result.result
        self._hosts.setdefault(host, Progress())
        self._update(host, said.get("ansible_facts") or {})
        # When the cutover module returns, the service already responds. The times become facts in a later task.
        if any(stage["name"] == "start" for stage in said.get("stages") or ()):
            self._hosts[host].answered = True
        if result.task.action.rpartition(".")[2] != "debug" or "msg" not in said:
            return
        lines = said["msg"] if isinstance(said["msg"], list) else str(said["msg"]).splitlines()
        if (result.task.vars or {}).get("report_box"):
            broken = screen.boxed(map(str, lines), self._signs)
        else:
            width = screen.columns()
            broken = [part for line in lines for part in screen.wrapped(str(line), width) or [""]]
        self._speak(host, ["", *broken] if len(broken) > 1 else broken)
        if len(broken) > 1:
            self._say()

    @_if_phased
    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Print the failure, unless it comes from loop items, whose failures have already been printed."""
        self._warn(result)
        if not any(item.get("failed") for item in result.result.get("results", [])):
            self._failed(result.host.name, self._name(result.task), result.result)

    @_if_phased
    def v2_runner_item_on_failed(self, result: Any) -> None:
        """Print the failure of an item."""
        self._warn(result)
        self._failed(result.host.name, self._name(result.task), result.result)

    @_if_phased
    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Print that the host is unreachable."""
        self._warn(result)
        self._failed(result.host.name, self._name(result.task), result.result, "UNREACHABLE")
        self._hosts[result.host.name].failed = "unreachable"
        self._close(result.host.name)

    @_if_phased
    def v2_runner_retry(self, result: Any) -> None:
        """Show in the status line why the task is retried, or the progress of a job.

        Without a terminal, print the progress occasionally.
        """
        if result.task.action.rpartition(".")[2] != "job_progress":
            self._task = f"{self._name(result.task)}: {result.result.get('msg') or 'not yet'}"
            return
        job = self._hosts[result.host.name].job
        self._task, self._job_is_told = job.line(result.result, time.monotonic()), True
        if not sys.stdout.isatty() and job.is_news():
            self._speak(result.host.name, [f"  {clock.time(clock.ago(0))} {self._task}"])

    @_if_phased
    def v2_runner_on_skipped(self, result: Any) -> None:
        """Show nothing for a skipped task."""

    @_if_phased
    def v2_runner_item_on_skipped(self, result: Any) -> None:
        """Show nothing for a skipped item."""

    @_if_phased
    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Show nothing for an included file."""

    @_if_phased
    def v2_on_file_diff(self, result: Any) -> None:
        """Show the diff if --diff is set."""
        if not self._silent:
            with self._foot:
                super().v2_on_file_diff(result)

    def _get_diff(self, difflist: Any) -> str:
        """Return the diff as the default callback shows it, with hidden characters as escapes."""
        return messages.visible(super()._get_diff(messages.visible_document(difflist)), lines=True)

    @_if_phased
    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the number of tasks by result, as Ansible counts them."""
        self._foot.end()
        self._heading = ""
        self._say()
        width = wrapping.column(stats.processed, RECAP_WIDTH, RECAP_BESIDE)
        for host in sorted(stats.processed):
            counts = stats.summarize(host)
            if host in self._hosts and self._hosts[host].cancelled:
                self._say(f"{host:<{width}} : ok={counts['ok']}  changed={counts['changed']}  cancelled=1")
                continue
            names = {"ok": "ok", "changed": "changed", "unreachable": "unreachable", "failed": "failures"}
            numbers = "  ".join(f"{name}={counts[key]}" for name, key in names.items())
            bad = counts["failures"] or counts["unreachable"]
            self._say(f"{host:<{width}} : {numbers}", constants.COLOR_ERROR if bad else None)
