"""The throwaway server: it has the running server's programs, its own directory and an unprivileged system user.

The server runs as a transient systemd unit that stops after a time limit and removes its directory. Nothing remains if
the run is lost. A probe tests each sandbox property first, because systemd accepts some properties that have no effect
on the host.
"""

from __future__ import annotations

import contextlib
import grp
import hashlib
import json
import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from . import database_settings, rehearsal, sessions
from .errors import TenancyError
from .identity import acting_as
from .priority import NICENESS

# The path of a Unix socket may have at most 107 bytes (unix(7)).
SOCKET_BYTES = 107
# The time limit for the server's start, in seconds. At low priority, the start may take long.
START_SECONDS = 600
PREFIX = "tenancy-throwaway-"

# Settings that code in the database or the restore may depend on: whole categories of PostgreSQL's settings, and
# individual settings.
CATEGORIES = (
    "Client Connection Defaults", "Version and Platform Compatibility", "Query Tuning", "Lock Management",
    "Customized Options",
)  # fmt: skip
SINGLE = (
    "maintenance_work_mem",
    "work_mem",
    "hash_mem_multiplier",
    "temp_buffers",
    "max_stack_depth",
    "max_connections",
)
# Settings in these categories that are omitted, because they specify other directories, load libraries or are set
# below.
WITHOUT = (
    "default_tablespace", "temp_tablespaces", "shared_preload_libraries", "session_preload_libraries",
    "local_preload_libraries", "lc_messages",
)  # fmt: skip
# The values of the running server's settings, without this session's changes.
SERVER_SETTINGS = """
SELECT s.name, CASE WHEN s.source IN ('configuration file', 'command line', 'environment variable', 'global')
                    THEN s.setting ELSE f.setting END, s.category
FROM pg_catalog.pg_settings s
LEFT JOIN LATERAL (SELECT setting FROM pg_catalog.pg_file_settings f
                   WHERE f.applied AND f.name = s.name ORDER BY seqno DESC LIMIT 1) AS f ON true
WHERE s.source IN ('configuration file', 'command line', 'environment variable', 'global') OR f.setting IS NOT NULL
"""
LIBRARIES = """
SELECT e.extname::text, p.probin
FROM pg_catalog.pg_extension e
LEFT JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid
  AND d.deptype = 'e' AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_proc p ON p.oid = d.objid
"""
FIXED: Mapping[str, str] = {
    "listen_addresses": "", "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
    "wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "256MB", "min_wal_size": "32MB",
    "autovacuum": "off",
    # Background workers include the schedulers of extensions.
    "max_worker_processes": "0", "shared_buffers": "128MB", "huge_pages": "off", "ssl": "off",
    "lc_messages": "C", "logging_collector": "off", "log_destination": "stderr", "log_min_messages": "warning",
    # A logged statement could contain values from rows.
    "log_min_error_statement": "panic", "track_counts": "on", "max_prepared_transactions": "0",
}  # fmt: skip

# The roles of the running server, without their passwords. (Percent signs are doubled because the query has
# parameters.)
ROLES = """
SELECT pg_catalog.format('CREATE ROLE %%I', rolname),
       pg_catalog.format('ALTER ROLE %%I %%s %%s %%s %%s %%s %%s %%s CONNECTION LIMIT %%s', rolname,
         CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
         CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
         CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
         CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
         CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
         CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
         CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END, rolconnlimit),
       rolname = %(administrator)s
FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname
"""
MEMBERSHIPS = """
SELECT g.rolname::text, m.rolname::text, pg_catalog.bool_or(a.admin_option AND m.rolname <> %(administrator)s),
       pg_catalog.bool_or(coalesce((pg_catalog.to_jsonb(a) ->> 'inherit_option')::boolean, true)),
       pg_catalog.bool_or(coalesce((pg_catalog.to_jsonb(a) ->> 'set_option')::boolean, true))
FROM pg_catalog.pg_auth_members a
JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
JOIN pg_catalog.pg_roles m ON m.oid = a.member
GROUP BY 1, 2
"""
ROLE_SETTINGS = f"""
SELECT pg_catalog.format('ALTER ROLE %%s SET %%s', coalesce(pg_catalog.quote_ident(r.rolname), 'ALL'),
{database_settings.ASSIGNED})
FROM pg_catalog.pg_db_role_setting s
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL (
  SELECT pg_catalog.split_part(entry, '=', 1) AS name,
         pg_catalog.substr(entry, pg_catalog.strpos(entry, '=') + 1) AS value
  FROM pg_catalog.unnest(s.setconfig) AS entry
) AS x
WHERE s.setdatabase = 0 AND (s.setrole = 0 OR r.rolname !~ '^pg_')
"""
# PostgreSQL 15 and later have privileges on settings. Grantee 0 is PUBLIC.
PARAMETER_RIGHTS_VERSION = 150000
PARAMETER_RIGHTS = """
SELECT pg_catalog.format('GRANT %%s ON PARAMETER %%s TO %%s%%s', x.privilege_type,
  (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(part), '.')
   FROM pg_catalog.unnest(pg_catalog.string_to_array(p.parname, '.')) AS part),
  coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_catalog.pg_parameter_acl p
CROSS JOIN LATERAL pg_catalog.aclexplode(p.paracl) AS x
LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
"""

# A program that reports as JSON what the server's user can do. Its arguments are the port, paths and process to probe.
PROBE = r"""
import json, os, socket, sys
port, place, hidden, pid, *secrets = sys.argv[1:]

def fails(attempt):
    try:
        attempt()
    except OSError:
        return True
    return False

def connect():
    socket.create_connection(("127.0.0.1", int(port)), 2).close()

def write():
    name = os.path.join(place, str(os.getpid()))
    open(name, "w").close()
    os.unlink(name)

def read(path):
    os.listdir(path) if os.path.isdir(path) else open(path).close()

status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(json.dumps({
    "user": os.getuid() != 0 and all(fails(lambda path=path: read(path)) for path in secrets),
    "no new privileges": status.get("NoNewPrivs", "").strip() == "1",
    "network": fails(connect),
    "files outside": fails(write),
    "socket of the database": fails(lambda: os.listdir(hidden)),
    "processes": not os.path.exists("/proc/" + pid),
}))
"""
# The barriers (walls) that sandbox properties can create.
WALLS = ("user", "no new privileges", "network", "files outside", "socket of the database", "processes")


class ThrowawayError(TenancyError):
    """The throwaway server cannot be created; the message gives the cause and the remedy."""


def unit_name(database: str) -> str:
    """Return the name of the unit for a database, which is also the name of the server's directory."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", database)[:32]
    return PREFIX + (plain if plain == database else f"{plain}-{hashlib.sha256(database.encode()).hexdigest()[:8]}")


def needed_libraries(preloaded: Sequence[str], extensions: Sequence[tuple[str, str | None]]) -> list[str]:
    """Return the preloaded libraries that an extension in the database needs.

    ``extensions`` contains pairs of an extension's name and the library of one of its functions.
    """
    names = {name for name, _ in extensions}
    libraries = {re.sub(r"-[0-9.]+$", "", os.path.basename(library)) for _, library in extensions if library}
    return [library for library in preloaded if os.path.basename(library) in names | libraries]


def settings(found: Sequence[tuple[str, str, str]], libraries: Sequence[str], place: str, port: int) -> dict[str, str]:
    """Return the settings of the throwaway server: settings that code may depend on, and fixed settings.

    ``found`` contains the name, value and category of each setting of the running server.
    """
    kept = {
        name: value
        for name, value, category in found
        if value is not None
        and name not in WITHOUT
        and (name in SINGLE or category.partition(" / ")[0] in CATEGORIES or "." in name)
    }
    return kept | dict(FIXED) | {
        "port": str(port), "unix_socket_directories": f'"{place}"', "shared_preload_libraries": ",".join(libraries),
        "data_directory": f"{place}/data", "hba_file": f"{place}/pg_hba.conf", "ident_file": f"{place}/pg_ident.conf",
    }  # fmt: skip


def configuration(chosen: Mapping[str, str]) -> str:
    """Return settings in the format of postgresql.conf."""
    return "".join(f"{name} = '{_quoted(value)}'\n" for name, value in chosen.items())


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def candidates(directory: str, hidden: str) -> list[tuple[str, str, list[str]]]:
    """Return the properties that may create a wall, as tuples of wall, name and properties."""
    return [
        ("network", "PrivateNetwork", ["PrivateNetwork=yes"]),
        ("network", "IPAddressDeny", ["IPAddressDeny=any"]),
        ("network", "RestrictAddressFamilies", ["RestrictAddressFamilies=AF_UNIX"]),
        ("files outside", "ProtectSystem", ["ProtectSystem=strict", f"ReadWritePaths={directory}"]),
        ("socket of the database", "InaccessiblePaths", [f"InaccessiblePaths={hidden}"]),
        ("processes", "ProtectProc", ["ProtectProc=invisible"]),
    ]


def postmaster_directory(user: str, data_directory: str) -> str:
    """Return the directory of the running server's programs; raises ThrowawayError."""
    try:
        with acting_as(user):
            with open(os.path.join(data_directory, "postmaster.pid"), encoding="ascii") as file:
                pid = int(file.readline())
            program = os.readlink(f"/proc/{pid}/exe")
    except (OSError, ValueError) as error:
        raise ThrowawayError(f"The program that serves {data_directory} is unknown: {error}.") from error
    directory = os.path.dirname(program.removesuffix(" (deleted)"))
    for name in ("postgres", "initdb"):
        if not os.access(os.path.join(directory, name), os.X_OK):
            raise ThrowawayError(
                f"{directory}/{name}, in the directory of the running server's program, cannot be run: was PostgreSQL "
                "replaced since its start? Reinstall its package, or restart PostgreSQL."
            )
    return directory


class Server:
    """The throwaway server of one database. ``start`` creates it, and ``end`` removes it completely."""

    def __init__(
        self,
        run: Callable[..., tuple[int, str, str]],
        parent: str,
        database: str,
        user: str,
        administrator: str,
        port: int,
    ) -> None:
        """Initialize with the parent directory, system user and port, and with the database and its administrator."""
        self._run = run
        self.unit = unit_name(database)
        self.parent = parent
        self.place = os.path.join(parent, self.unit)
        self.user = user
        self.administrator = administrator
        self.port = port
        if len(os.fsencode(f"{self.place}/.s.PGSQL.{port}")) > SOCKET_BYTES:
            raise ThrowawayError(
                f"The path of the socket {self.place}/.s.PGSQL.{port} is longer than {SOCKET_BYTES} bytes: specify a "
                "directory with a shorter path with -e rehearse_directory=..."
            )

    def end(self) -> bool:
        """Stop the server and remove its directory; return whether either existed."""
        code, _, _ = self._run(["systemctl", "stop", f"{self.unit}.service"])
        self._run(["systemctl", "reset-failed", f"{self.unit}.service"])
        left = os.path.lexists(self.place)
        if left:
            shutil.rmtree(self.place)
        return code == 0 or left

    def require_room(self, needed: int) -> None:
        """Require ``needed`` free bytes in the parent directory; raises ThrowawayError if there are fewer."""
        free = shutil.disk_usage(rehearsal.nearest(self.parent)).free
        if free < needed:
            there, wanted = f"{free / 1e6:,.0f} MB", f"{needed / 1e6:,.0f} MB"
            raise ThrowawayError(
                f"The throwaway server needs {wanted} in {self.parent}, which has {there} free: free up disk space, or "
                "specify another directory with -e rehearse_directory=/path/on/the/server."
            )

    def make_user(self) -> bool:
        """Create the system user if there is none; return whether it was created. Raises ThrowawayError."""
        created = False
        try:
            pwd.getpwnam(self.user)
        except KeyError:
            code, _, error = self._run([
                "useradd", "--system", "--no-create-home", "--home-dir=/nonexistent", "--shell=/usr/sbin/nologin",
                "--user-group", "--comment=throwaway PostgreSQL servers of the tenancy runbook", self.user,
            ])  # fmt: skip
            if code != 0:
                raise ThrowawayError(f"The system user {self.user} cannot be created: {error.strip()}.") from None
            created = True
        entry = pwd.getpwnam(self.user)
        groups = [grp.getgrgid(gid).gr_name for gid in os.getgrouplist(self.user, entry.pw_gid) if gid != entry.pw_gid]
        if entry.pw_uid == 0 or groups:
            raise ThrowawayError(
                f"The system user {self.user} has privileges (groups: {', '.join(groups) or 'root'}): it must have "
                "none."
            )
        return created

    def start(
        self,
        programs: str,
        chosen: Mapping[str, str],
        encoding: str,
        logins: Collection[str],
        seconds: int,
        secrets: Sequence[str],
        hidden: str,
    ) -> dict[str, bool]:
        """Start the empty server, and return for each wall whether it is effective. Raises ThrowawayError.

        ``programs`` is the directory of PostgreSQL's programs, ``chosen`` the settings, ``seconds`` the time limit. The
        administrator may also log in as the roles in ``logins``. The walls protect the paths in ``secrets`` and the
        database's socket directory, ``hidden``.
        """
        entry, administrator = pwd.getpwnam(self.user), pwd.getpwnam(self.administrator)
        os.makedirs(self.parent, mode=0o755, exist_ok=True)
        os.mkdir(self.place, 0o700)
        # Only the administrator may connect to the socket.
        os.chown(self.place, entry.pw_uid, administrator.pw_gid)
        os.chmod(self.place, 0o710)
        self._write("postgresql.conf", configuration(chosen))
        self._write("pg_hba.conf", "local all all peer map=throwaway\n")
        self._write("pg_ident.conf", "".join(
            f'throwaway "{self.administrator}" "{name}"\n' for name in (self.administrator, *logins)
        ))  # fmt: skip
        self._write("probe.py", PROBE)
        for name, owner in (("lists", administrator), ("tmp", entry)):
            os.mkdir(f"{self.place}/{name}", 0o700)
            os.chown(f"{self.place}/{name}", owner.pw_uid, owner.pw_gid)
        with self._trial() as (port, outside):
            words = [str(port), outside, hidden, str(os.getpid()), *secrets]
            properties = self._properties_with_effect(words, hidden)
            initdb = shlex.join([
                f"{programs}/initdb", "--no-sync", f"--pgdata={self.place}/data", f"--username={self.administrator}",
                f"--encoding={encoding}", "--locale=C", "--auth=reject",
            ])  # fmt: skip
            place = shlex.quote(self.place)
            server = shlex.join([f"{programs}/postgres", "-c", f"config_file={self.place}/postgresql.conf"])
            probe = f"{self._probe(words)} > {place}/walls.json"
            script = f"exec >> {place}/log 2>&1; {probe}; {initdb} && exec {server}"
            self._launch([
                # max_stack_depth is copied from the running server. Without a stack limit, any value of it is accepted.
                *properties, "LimitSTACK=infinity", f"RuntimeMaxSec={seconds}", f"Nice={NICENESS}", "UMask=0077",
                "IOSchedulingClass=idle", "KillSignal=SIGQUIT", "TimeoutStopSec=10", f"WorkingDirectory={self.place}",
                # The directory is removed when the unit stops, for any reason.
                f"ExecStopPost=+{shutil.which('rm')} -rf {self.place}",
            ], script)  # fmt: skip
            self._wait()
        with open(f"{self.place}/walls.json", encoding="utf-8") as file:
            walls = json.load(file)
        return {wall: bool(walls[wall]) for wall in WALLS}

    def _write(self, name: str, text: str) -> None:
        with open(f"{self.place}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(file.name, 0o640)
        os.chown(file.name, 0, pwd.getpwnam(self.user).pw_gid)

    @contextlib.contextmanager
    def _trial(self) -> Iterator[tuple[int, str]]:
        """Yield a port on this host that accepts connections, and a directory that every user can write to."""
        outside = tempfile.mkdtemp(prefix="tenancy-probe-", dir="/var/tmp")
        try:
            os.chmod(outside, 0o1777)
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                listener.listen(16)
                yield listener.getsockname()[1], outside
        finally:
            shutil.rmtree(outside)

    def _probe(self, words: Sequence[str]) -> str:
        return shlex.join([sys.executable, "-I", f"{self.place}/probe.py", *words])

    def _user_properties(self) -> list[str]:
        return [f"User={self.user}", "NoNewPrivileges=yes"]

    def _properties_with_effect(self, words: Sequence[str], hidden: str) -> list[str]:
        """Test all properties in parallel with the probe, and return those that are effective."""
        tried = [("", "none", []), *candidates(self.place, hidden)]
        running = []
        for wall, _, properties in tried:
            command = [
                "systemd-run", "--quiet", "--wait", "--collect", "--pipe",
                *(f"--property={text}" for text in (*self._user_properties(), *properties, "RuntimeMaxSec=20")),
                "--", "/bin/sh", "-c", self._probe(words),
            ]  # fmt: skip
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            running.append((wall, properties, process))
        chosen: dict[str, list[str]] = {}
        plain: dict[str, bool] = {}
        for wall, properties, process in running:
            output, _ = process.communicate()
            try:
                found = json.loads(output)
            except ValueError:
                # systemd cannot start a service with this property on this host.
                continue
            if not wall:
                plain = found
            elif found.get(wall) and not plain.get(wall):
                chosen.setdefault(wall, properties)
        return [*self._user_properties(), *(text for properties in chosen.values() for text in properties)]

    def _launch(self, properties: Sequence[str], script: str) -> None:
        code, _, error = self._run([
            "systemd-run", "--quiet", "--collect", f"--unit={self.unit}",
            "--description=throwaway PostgreSQL server of the tenancy runbook",
            *(f"--property={text}" for text in properties), f"--setenv=TMPDIR={self.place}/tmp", "--setenv=LC_ALL=C",
            "--", "/bin/sh", "-c", script,
        ])  # fmt: skip
        if code != 0:
            raise ThrowawayError(f"systemd does not start the throwaway server: {error.strip()}.")

    def _wait(self) -> None:
        """Wait until the server accepts connections."""
        import psycopg2

        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with acting_as(self.administrator):
                    sessions.connect("postgres", self.port, host=self.place).close()
                return
            except psycopg2.Error as error:
                _, state, _ = self._run(["systemctl", "is-active", f"{self.unit}.service"])
                if state.strip() not in ("active", "activating") or time.monotonic() > deadline:
                    raise ThrowawayError(f"The throwaway server did not start: {self._log_end() or error}") from error
            time.sleep(0.05)

    def _log_end(self) -> str:
        """Return the last lines of the server's log."""
        try:
            with open(f"{self.place}/log", encoding="utf-8", errors="replace") as file:
                return " ".join(file.read().split("\n")[-6:]).strip()
        except OSError:
            return ""
