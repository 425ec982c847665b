"""Extract facts for the support archive from the output of programs on the server."""

from __future__ import annotations

import re
from collections import Counter
from io import StringIO
from typing import Any

from dotenv import dotenv_values

from .names import Names

_PROPERTIES = """
LoadState ActiveState SubState Result Type Restart MainPID NRestarts ExecMainCode ExecMainStatus UnitFileState
NeedDaemonReload ActiveEnterTimestamp InactiveEnterTimestamp
"""
# The words that systemd uses as values of these properties.
_WORDS = """
abort activating active alias always auto-restart auto-restart-queued bad bad-setting cleaning condition core-dump dbus
dead deactivating disabled enabled enabled-runtime error exec exec-condition exit-code exited failed final-sigkill
final-sigterm final-watchdog forking generated idle inactive indirect linked linked-runtime loaded maintenance masked
masked-runtime no not-found notify notify-reload on-abnormal on-abort on-failure on-success on-watchdog oneshot oom-kill
protocol refreshing reload reload-notify reload-signal reloading resources running signal simple start start-limit-hit
start-post start-pre static stop stop-post stop-sigkill stop-sigterm stop-watchdog success timeout transient watchdog
yes
"""
_NUMBER_OR_TIME = re.compile(r"\d{1,10}|[A-Z][a-z]{2} [\d-]{10} [\d:]{8} UTC")
_OPTIONS = """
After AmbientCapabilities Before BindsTo CapabilityBoundingSet CPUQuota Conflicts DefaultDependencies DynamicUser
Environment EnvironmentFile ExecReload ExecStart ExecStartPost ExecStartPre ExecStop ExecStopPost Group KillMode
KillSignal LimitNOFILE LoadCredential MemoryHigh MemoryMax Nice NoNewPrivileges NotifyAccess PartOf PIDFile
PrivateDevices PrivateNetwork PrivateTmp ProtectHome ProtectSystem ReadOnlyPaths ReadWritePaths RemainAfterExit Requires
Restart RestartSec RootDirectory RuntimeDirectory Slice StandardError StandardOutput StartLimitBurst
StartLimitIntervalSec StateDirectory SuccessExitStatus SyslogIdentifier TasksMax TimeoutSec TimeoutStartSec
TimeoutStopSec Type UMask UnsetEnvironment User WantedBy Wants WatchdogSec WorkingDirectory
"""
# The variables of libpq, and the service's DATABASE_URL.
_VARIABLES = """
DATABASE_URL PGAPPNAME PGCHANNELBINDING PGCLIENTENCODING PGCONNECT_TIMEOUT PGDATABASE PGHOST PGHOSTADDR PGOPTIONS
PGPASSFILE PGPASSWORD PGPORT PGSERVICE PGSERVICEFILE PGSSLCERT PGSSLKEY PGSSLMODE PGSSLROOTCERT PGTARGETSESSIONATTRS
PGTZ PGUSER
"""
_FILE_SYSTEMS = frozenset(("btrfs", "ext3", "ext4", "overlay", "xfs", "zfs"))
_MOUNTS = frozenset(
    ["/", "/boot", "/data", "/home", "/opt", "/srv", "/usr", "/var", "/var/lib", "/var/lib/postgresql", "/var/log"]
)


def service(text: str, _: Names) -> dict[str, str | None]:
    """Return a unit's properties from the output of ``systemctl show``. Values that may be free text become None."""
    pairs = dict(line.partition("=")[::2] for line in text.splitlines())
    words = _WORDS.split()
    return {
        name: value if (value := pairs.get(name, "")) in words or _NUMBER_OR_TIME.fullmatch(value) else None
        for name in _PROPERTIES.split()
    }


def unit(text: str, _: Names) -> dict[str, Any]:
    """Return the number of a unit's files and the names of the options that they set, from ``systemctl cat``."""
    text, known = re.sub(r"\\\n\s*", " ", text), frozenset(_OPTIONS.split())
    options = Counter(re.findall(r"(?m)^\s*(\w+)\s*=", text))
    return {
        "files": len(re.findall(r"(?m)^# /\S+\.(?:service|conf)$", text)),
        "options": {option: times for option, times in sorted(options.items()) if option in known},
        "others": sum(times for option, times in options.items() if option not in known),
    }


def environment(text: str, names: Names) -> dict[str, Any]:
    """Return the known variables that an environment file sets (libpq's and the model's), and the number of others."""
    variables = set(dotenv_values(stream=StringIO(text), interpolate=False))
    known = variables & {*_VARIABLES.split(), *names.known}
    return {"variables": sorted(known), "others": len(variables - known)}


def disks(text: str, names: Names) -> list[dict[str, Any]]:
    """Return the file systems and their sizes in bytes, from df's columns fstype, size, used, avail and target."""
    found = re.findall(r"(?m)^(\w+) +(\d+) +(\d+) +(\d+) +(/.*)$", text)
    return [
        {
            "type": kind if kind in _FILE_SYSTEMS else "other", "size": int(size), "used": int(used),
            "available": int(available), "mount": mount if mount in _MOUNTS else names.of("mount", mount),
        }
        for kind, size, used, available, mount in found
    ]  # fmt: skip
