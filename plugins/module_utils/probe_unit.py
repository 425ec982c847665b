"""The transient systemd service that runs the prober, and its directory."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import probe_samples, prober, systemctl, units

# systemd stops a prober after LONGEST_SECONDS, and kills it if it still waits for a response STOP_SECONDS later.
LONGEST_SECONDS, STOP_SECONDS = 24 * 60 * 60, 3
RUN = Path("/run")


class ProbeUnit:
    """The prober of one service."""

    def __init__(self, run_command: Any, unit: str, run: Path = RUN) -> None:
        """Initialize with a module's ``run_command``, and the service's unit without ``.service``."""
        self.unit = f"{units.probes(f'{unit}.service')}.service"
        # The name of a unit may contain a backslash, but not a slash.
        self.place = run / self.unit.removesuffix(".service")
        self._systemd = systemctl.Systemctl(run_command)

    @property
    def alive(self) -> str:
        """Return the path of the file that a run touches while it waits for a long job."""
        return str(self.place / prober.ALIVE)

    def start(self, configuration: Mapping[str, Any]) -> None:
        """Start the prober. Raises OSError, and then leaves no files."""
        self.place.mkdir(mode=0o700)
        try:
            self._launch(configuration)
        except OSError:
            shutil.rmtree(self.place)
            raise

    def _launch(self, configuration: Mapping[str, Any]) -> None:
        descriptor = os.open(self.place / prober.CONFIGURATION, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(configuration, file)
        os.umask(0o077)
        (self.place / prober.ALIVE).touch()
        program = self.place / prober.PROGRAM
        prober.bundle(program)
        properties = (
            f"RuntimeMaxSec={LONGEST_SECONDS}", f"TimeoutStopSec={STOP_SECONDS}",
            "StandardOutput=null", "StandardError=null", "NoNewPrivileges=yes",
        )  # fmt: skip
        self._systemd.run(
            "systemd-run", "--quiet", "--collect", f"--unit={self.unit}",
            "--description=probes of the tenancy runbook", *(f"--property={text}" for text in properties),
            "--", sys.executable, "-I", str(program), str(self.place),
        )  # fmt: skip

    def stop(self) -> probe_samples.Samples | None:
        """Stop the prober and remove its directory; return its samples, or None if there are none. Raises OSError."""
        running = not self._systemd.is_down(self.unit)
        if running:
            self._systemd.order("stop", [self.unit])
        ended = time.monotonic()
        try:
            samples = probe_samples.read((self.place / prober.SAMPLES).read_text(encoding="utf-8"))
        except FileNotFoundError:
            samples = None
        if self.place.exists():
            shutil.rmtree(self.place)
        if samples is not None and samples.ended is None and running:
            # The prober waited for a response until systemd killed it.
            samples = dataclasses.replace(samples, ended=ended)
        return samples
