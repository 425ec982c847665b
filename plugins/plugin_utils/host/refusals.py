"""The reasons why a run does not start on a host, derived from the results of modules."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.common.text.formatters import bytes_to_human

from ...module_utils.messages import visible
from ..catalog import expressions, members
from . import open_transactions

Found = Mapping[str, Any]
SERVERS = ("postgres", "postmaster")
# PostgreSQL's error if a role that is not a superuser sets the parameters of the administrator's sessions.
NO_SUPERUSER = "permission denied to set parameter"
# The error of a PostgreSQL server that was built without libxml.
NO_LIBXML = "unsupported XML feature"


def of_host(inspected: Found, service: Found, wanted: Found) -> list[str]:
    """Return the sentences about the first cause that stops the run. Other problems may be its consequences.

    ``service`` and ``wanted`` are as in ``found.of_inspection``. The order is: the unit, the service's database,
    PostgreSQL's response, the server, code that reading the state runs, and the requirements of a backup.
    """
    causes = (_unit, _service, _answer, _server, _code, _backup)
    return next(filter(None, (cause(inspected, service, wanted) for cause in causes)), [])


def of_route(verdict: Found, attempts: Found, database_url: Found, wanted: Found) -> list[str]:
    """Return why a run does not accept the service's own route to the database.

    ``verdict`` is the result of ``service.route.judge``. ``attempts`` ({logged_in, problem, findings}) is the result
    of the attempts to bypass row security. ``database_url`` contains the parts of the URL. ``wanted`` contains
    database, and isolating: whether row security isolates tenants after the run. Only then do the attempts count.
    Otherwise, as in a rollback, the service may be unable to log in, or may use a pooler that shares sessions.
    """
    accepted = {"ok"}
    if not wanted["isolating"]:
        accepted |= {"unfit"} | ({"unreachable"} if database_url["dbname"] == wanted["database"] else set())
    if verdict["verdict"] not in accepted:
        return [verdict["sentence"]]
    if not wanted["isolating"]:
        return []
    if attempts["problem"]:
        where = f"{database_url['host'] or 'the Unix socket'}, port {database_url['port']}"
        return [of_unmade(attempts, database_url["user"], f"the service's own route ({where})")]
    return of_attempts(attempts["findings"])


def of_unmade(attempts: Found, user: str, where: str) -> str:
    """Return why a series of attempts has no findings.

    ``attempts`` is the result of the attempts ({logged_in, problem}), or of a task that failed (``msg``). ``user`` is
    the login, and ``where`` describes the route or the socket.
    """
    found = attempts.get("problem") or str(attempts.get("msg", "no message"))
    problem = found.split("\n")[0].rstrip(".")
    if "logged_in" not in attempts:
        return f"The attempts of {user} over {where} were not made: {problem}. Fix this problem, and run again."
    if attempts["logged_in"]:
        return (
            f"{user} logged in over {where}, but {problem}. If the tables are large, increase tenancy_proof_timeout."
            " Otherwise, check which lock or trigger delays the attempts. Then run the playbook again."
        )
    return f"{user} cannot log in over {where}: {problem}. Check the role's password in DATABASE_URL, and pg_hba.conf."


def of_attempts(findings: Iterable[Found]) -> list[str]:
    """Return why a login is refused.

    ``findings`` may show that the login can use a role that bypasses row security. If not, the result is empty.
    """
    reached = [finding["sentence"] for finding in findings if not finding["ok"]]
    return (
        [f"The service's login can bypass row security: {'; '.join(reached)}. Revoke that role from the login."]
        if reached
        else []
    )


def of_new_login(environment: str, state: Found, wanted: Found) -> list[str]:
    """Return why the run cannot give the service a separate login.

    ``environment`` is the text of the service's environment file. ``state`` comes from the service role. ``wanted``
    contains service, file (the path), role, mark and existing_role. ``mark`` is the comment on roles that this runbook
    created. ``existing_role`` is the existing role of that name, with its comment, or None.
    """
    found = []
    if not state["url_rewritable"] or not re.search(r"(?m)^\s*(export\s+)?DATABASE_URL\s*=", environment):
        found.append(
            f"The run cannot give {wanted['service']} another login: its DATABASE_URL comes from"
            f" {state['url_set_by'] or 'its code'}, not from {wanted['file'] or 'an environment file'}. Specify the"
            " file with -e service_environment_file=..., or add the file to the unit with EnvironmentFile=."
        )
    existing = wanted["existing_role"]
    if existing is not None and existing["comment"] != wanted["mark"]:
        found.append(
            f"The role {wanted['role']} already exists, but was not created by this runbook: specify another role"
            " with -e tenancy_app_role=..., or drop the existing role."
        )
    return found


def of_clients(clients: Found, wanted: Found) -> list[str]:
    """Return why other clients of the database stop a run, or why they stop the real run after a dry run.

    ``clients`` is the result of the other_clients module. ``wanted`` contains service, database, dry_run,
    terminates (whether the run terminates other clients), strategy and may_stop (whether the run may stop the service).
    A run that never stops the service accepts connected clients, unless they use the service's role.
    """
    service, database, is_dry = wanted["service"], wanted["database"], wanted["dry_run"]
    is_live = not wanted["may_stop"]
    connected, holding = "; ".join(clients["clients"]), "; ".join(clients["holders"])
    found = open_transactions.refusals(clients["transactions"], wanted)
    if is_live and clients["in_role"] and not wanted["terminates"]:
        in_role = "; ".join(clients["in_role"])
        found.append(
            f"Programs other than {service} are connected to {database} with its role: {in_role}. Their sessions are"
            " not renewed, and the change is not committed while an old session of this role exists. Close these"
            " sessions, give the programs their own login, or let the run terminate the sessions with -e"
            " service_terminate_clients=true."
        )
    if connected and not is_live and not wanted["terminates"]:
        found.append(
            f"Clients other than {service} are connected to {database}: {connected}. A run stops here while they are"
            " connected, unless it terminates them with -e service_terminate_clients=true."
            if is_dry
            else f"Clients other than {service} are connected to {database}: {connected}. Close them, or let the run"
            " terminate them with -e service_terminate_clients=true."
        )
    if holding:
        found.append(
            f"Sessions that the run does not terminate hold locks on tables of {database}: {holding}. A run stops"
            " here until these sessions end."
            if is_dry
            else f"Sessions that the run does not terminate hold locks on tables of {database}: {holding}. Wait until"
            " these sessions end. pg_stat_activity shows their activity."
        )
    return found


def of_lock(lock: Found, database: str) -> list[str]:
    """Return why the run does not hold the lock. ``lock`` is the result of the run_lock module."""
    if lock["held"]:
        return []
    if lock["alive"]:
        return [
            (
                f"The lock of {visible(lock['holder'] or 'no run')} is not stale: a session of a run still exists,"
                f" {visible(lock['alive']['names'])}. Wait until it has ended, or terminate it with"
                f" SELECT pg_terminate_backend({lock['alive']['pid']})."
            )
        ]
    if lock["problem"]:
        return [
            (
                f"The lock cannot be taken ({lock['problem']}): check that root can create a link in /run on the"
                " server and can connect to PostgreSQL. Then run the playbook again."
            )
        ]
    return [
        (
            f"Another run uses {database}: {visible(lock['holder'])}. Wait until it has ended. If that run is lost, add"
            " -e migrate_break_lock=true."
        )
    ]


def of_kept_lock(released: Found, path: str) -> list[str]:
    """Return a warning if the lock of an ending run remains at ``path``.

    ``released`` is the result of the run_lock module, which may have failed.
    """
    if released.get("held") is False:
        return []
    problem = visible(str(released.get("problem") or released.get("msg", "no message")))
    return [
        (
            f"WARNING: The lock of this run was not released ({problem}). Fix this problem, and run rm"
            f" {shlex.quote(path)} on the server. Otherwise, the next run reports that another run uses the database."
        )
    ]


def _unit(inspected: Found, service: Found, wanted: Found) -> list[str]:
    unit, name = inspected["unit"], wanted["service"]
    if wanted["stops_service"]:
        if unit["problem"]:
            return [f"systemd did not describe {name}.service ({unit['problem']}): correct service_name."]
        if unit["obstacles"]:
            return list(unit["obstacles"])
    if inspected["service"]["problem"]:
        return [f"The service cannot be inspected ({inspected['service']['problem']}): correct service_name."]
    if not service["result"]["state"]["unit_exists"]:
        return [f"There is no systemd unit {name} on {wanted['host']}: correct service_name."]
    if wanted["require_active"] and not service["result"]["state"]["active"]:
        return [
            (
                f"The service {name} is not running: start it first (systemctl start {name}), so that the run can check"
                " afterwards that it works."
            )
        ]
    if wanted["stops_service"] and inspected["renewal"]["invalid"]:
        return [inspected["renewal"]["invalid"]]
    return []


def _service(inspected: Found, service: Found, wanted: Found) -> list[str]:
    """Return why the service does not use this database.

    If PostgreSQL did not respond, this is unknown, and ``_answer`` reports the error.
    """
    found = service["result"]["location"]
    return [] if found["ok"] or found["pending"] else [found["sentence"]]


def _answer(inspected: Found, service: Found, wanted: Found) -> list[str]:
    postgresql, host = inspected["postgresql"], wanted["host"]
    server = postgresql["rows"].get("server")
    if NO_SUPERUSER in postgresql["problem"] or (server and not server[0]["server"]["admin_superuser"]):
        return [f"{wanted['admin']} is not a superuser of this server: correct database_admin_user."]
    if postgresql["problem"]:
        return [_silence(postgresql, service["result"]["state"]["listeners"], wanted)]
    if not service["result"]["location"]["ok"]:
        # PostgreSQL may have become available only after the service was inspected.
        return [
            (
                f"PostgreSQL on {host} did not answer when the sessions of {wanted['service']} were read"
                f" ({inspected['service']['server']['problem']}): run again."
            )
        ]
    return []


def _silence(postgresql: Found, listeners: Iterable[str], wanted: Found) -> str:
    """Return a sentence about why PostgreSQL does not respond, and what to do."""
    host, database = wanted["host"], wanted["database"]
    said = visible(postgresql["problem"].strip().rstrip("."), lines=True)
    if postgresql["login_triggers"]:
        names = postgresql["login_triggers"]
        return (
            f"PostgreSQL on {host} refuses a session that only reads {database}: {said}. The event trigger"
            f" {', '.join(names)} runs at every login there: use ALTER EVENT TRIGGER {names[0]} DISABLE for the"
            " duration of the run, or change its function to write nothing if transaction_read_only is on."
        )
    if NO_LIBXML in said:
        return (
            f"PostgreSQL on {host} was built without libxml, which a run needs to read the state: install the"
            " PostgreSQL packages of your distribution instead."
        )
    silent = f"PostgreSQL on {host} did not answer for the database {database}: {said}."
    if "psycopg2" in said:
        return silent
    poolers = [name for name in listeners if name not in SERVERS]
    if poolers:
        return (
            f"{silent} {' and '.join(poolers)} listens on port {wanted['port']}, not PostgreSQL: set database_port to"
            " the port of PostgreSQL itself. The run finds the service's port in its DATABASE_URL."
        )
    return f"{silent} Check systemctl status postgresql, and database_name, database_port and database_admin_user."


def _server(inspected: Found, service: Found, wanted: Found) -> list[str]:
    rows = inspected["postgresql"]["rows"]
    server, host, database = rows["server"][0]["server"], wanted["host"], wanted["database"]
    least = wanted["minimum_version"]
    found = []
    if server["version_num"] < least:
        found.append(
            f"PostgreSQL {server['version']} is too old: the run needs {least // 10000} or newer. Upgrade the server"
            " first, with pg_upgrade (pg_upgradecluster on Debian and Ubuntu)."
        )
    if server["standby"]:
        found.append(f"{host} is a standby, which is read-only: run against the primary.")
    found += _clock(server["clock"], inspected["clock"], wanted)
    if server["encoding"] != "UTF8":
        found.append(
            f"The encoding of {database} is {server['encoding']}: the run requires UTF8, so"
            " convert the database first. Make a dump with pg_dump --encoding=UTF8, and restore it into a database that"
            " was created with ENCODING UTF8."
        )
    found += members.refusals(rows["members"][0]["members"])
    return found + _role(server["roles"], service["result"]["state"]["database_url"]["user"], wanted)


def _clock(clock: float, times: Found, wanted: Found) -> list[str]:
    """Return why the difference between the clocks of the server and of this machine stops the run.

    A run uses the times of both clocks in file names and in queries of the journal. The server's clock was read between
    two readings of this machine's clock, so only a time outside this interval shows a difference.
    """
    earliest, latest = times["asked_at"] + times["before"], wanted["answered_at"] - times["after"]
    ahead = max(clock - latest, 0) + min(clock - earliest, 0)
    if abs(ahead) <= wanted["max_clock_skew_seconds"]:
        return []
    return [
        (
            f"The clock of {wanted['host']} is {round(abs(ahead))} seconds {'ahead of' if ahead > 0 else 'behind'} this"
            " machine's clock: correct the wrong clock (timedatectl), or allow the difference with"
            " -e preflight_max_clock_skew_seconds=..."
        )
    ]


def _role(roles: Mapping[str, bool], user: str, wanted: Found) -> list[str]:
    """Return why the role in DATABASE_URL is refused. ``roles`` maps each role to whether it bypasses row security."""
    if user not in roles:
        return [f"The user in DATABASE_URL, {visible(user)}, is not a role of this server: correct DATABASE_URL."]
    if roles[user] and wanted["isolating"] and not wanted["provides_login"]:
        return [
            (
                f"The service logs in as {visible(user)}, a role that bypasses row security: no policy would isolate"
                " tenants. Let the run create a login for the service with -e tenancy_provision_app_role=true, or"
                " set an ordinary role in DATABASE_URL."
            )
        ]
    return []


def _code(inspected: Found, service: Found, wanted: Found) -> list[str]:
    return expressions.refusals(inspected["postgresql"]["rows"]["expressions"][0]["expressions"])


def _backup(inspected: Found, service: Found, wanted: Found) -> list[str]:
    """Return every reason that prevents a backup, because the reasons are independent of each other."""
    found = _pg_dump(inspected, wanted)
    if not wanted["backs_up"]:
        return found
    directory = _directory(inspected["backups"], wanted)
    return found + (directory or _room(inspected, wanted))


def _pg_dump(inspected: Found, wanted: Found) -> list[str]:
    major = inspected["postgresql"]["rows"]["server"][0]["server"]["version_num"] // 10000
    number = re.search(r"\d+", inspected["pg_dump"])
    if number and int(number.group()) >= major:
        return []
    return [
        (
            f"pg_dump of PostgreSQL {major} or newer is required on {wanted['host']}"
            f" ({inspected['pg_dump'] or 'none was found'}): apt-get install postgresql-client-{major}."
        )
    ]


def _directory(backups: Found, wanted: Found) -> list[str]:
    directory, parent = backups["directory"], backups["parent"]
    place = directory if directory["exists"] else parent
    if place["is_directory"] and place["writable"] and not directory["is_link"]:
        return []
    what = "a symbolic link" if directory["is_link"] else "not a writable directory"
    return [
        (
            f"The backup_directory {wanted['backup_directory']} on {wanted['host']} is {what}: set a directory (whose"
            " parent exists) with -e backup_directory=..."
        )
    ]


def _room(inspected: Found, wanted: Found) -> list[str]:
    """Return a sentence for each disk that lacks free space.

    A dump is at most as large as the database, and a test restore needs the same space again. The space for a throwaway
    server is checked when that server is created.
    """
    data, backups = inspected["disk"]["data"], inspected["disk"]["backups"]
    size, margin = inspected["postgresql"]["rows"]["server"][0]["server"]["database_size_bytes"], wanted["margin_bytes"]
    needs = [(backups, "a dump", size + margin)]
    if wanted["restores"]:
        needs.append((data, "a restored copy", size + margin))
        if data and backups and data["mount"] == backups["mount"]:
            needs = [(backups, "a dump and a restored copy", 2 * size + margin)]
    unknown = [what for disk, what, _ in needs if disk is None]
    if unknown:
        return [
            (
                f"The command df on {wanted['host']} does not show the free space for {' and '.join(unknown)} of"
                f" {wanted['database']}: run it for backup_directory and for PostgreSQL's data directory."
            )
        ]
    return [
        f"{disk['mount']} has {bytes_to_human(disk['free'])} free, but {what} of {wanted['database']} needs up to"
        f" {bytes_to_human(wants)}: free up space there{', or set another backup_directory' if 'dump' in what else ''}."
        for disk, what, wants in needs
        if disk["free"] < wants
    ]
