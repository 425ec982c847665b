"""The failsafe: a timer that starts a service if a run is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import systemctl, units

# The exit status of systemctl if the timer is not loaded, that is, if no failsafe is armed.
NOT_LOADED = 5


class Failsafe:
    """The failsafe timer of one unit."""

    def __init__(self, run_command: Any, unit: str) -> None:
        """Initialize with a module's ``run_command``, and the unit that the timer starts."""
        self.unit, self.name = unit, units.failsafe(unit)
        self._run_command = run_command
        self.systemd = systemctl.Systemctl(run_command)

    def disarm(self) -> bool:
        """Stop the timer; return whether it was armed. Raises SystemctlError."""
        code, output, error = self._run_command(["systemctl", "stop", "--", f"{self.name}.timer"])
        if code not in (0, NOT_LOADED):
            raise systemctl.SystemctlError((error or output).strip())
        return bool(code == 0)

    def arm(self, seconds: int, triggers: Sequence[str] = (), companions: Sequence[str] = ()) -> units.Surroundings:
        """Arm the timer to start the unit, and related units, after ``seconds``. Raises SystemctlError.

        Return the related units: those found now, those given, and those of a timer that was already armed.
        """
        around, armed = units.surroundings(self.unit, self.systemd.show), self.armed()
        triggers = list(dict.fromkeys([*around.triggers, *triggers, *armed.triggers]))
        companions = list(dict.fromkeys([*around.companions, *companions, *armed.companions]))
        self.disarm()
        self.systemd.run(
            "systemd-run", "--quiet", f"--unit={self.name}", f"--on-active={seconds}s",
            "--timer-property=AccuracySec=1s", "--collect",
            "systemctl", "start", *triggers, self.unit, *companions,
        )  # fmt: skip
        return units.Surroundings(triggers, companions)

    def armed(self) -> units.Surroundings:
        """Return the other units that the armed timer starts, or none if no timer is armed. Raises SystemctlError."""
        shown = self.systemd.run("systemctl", "show", "--property=ExecStart", "--value", "--", f"{self.name}.service")
        started = units.started_by(shown)
        if self.unit not in started:
            return units.Surroundings()
        place = started.index(self.unit)
        return units.Surroundings(started[:place], started[place + 1 :])
