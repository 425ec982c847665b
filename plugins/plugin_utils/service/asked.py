"""Identify the service's database from its witnesses.

The witnesses are the service's sessions, its environment, and files that set DATABASE_URL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from ...module_utils import messages
from . import database_url

# Hosts in a URL that may refer to this server. The test of the route shows which server they really reach.
LOCAL = ("localhost", "127.0.0.1", "::1", "", "/var/run/postgresql", "/run/postgresql")
SERVERS = ("postgres", "postmaster")
URL_FILE = "service_database_url_file"

Answer = dict[str, Any]


class RefusalError(Exception):
    """The witnesses contradict each other, or lead to another database; the message is a sentence for the operator."""


@dataclass(frozen=True)
class Claim:
    """The value of DATABASE_URL from one witness; ``what`` describes the witness."""

    what: str
    url: str
    kind: str

    def leads_to(self) -> dict[str, Any]:
        """Return the parts of the URL, as ``database_url.parse`` does. Raises RefusalError if the URL is not usable."""
        try:
            return database_url.parse(self.url)
        except database_url.DatabaseUrlError as error:
            raise RefusalError(f"DATABASE_URL in {self.what} cannot be used. {error}") from None

    def says(self) -> str:
        """Return a sentence that names the database, host, port and user of the URL, but not the password."""
        found = self.leads_to()
        return f"DATABASE_URL in {self.what} leads to {found['dbname']} on {endpoint(found)} as {found['user']}"


def endpoint(where: Mapping[str, Any]) -> str:
    """Return the host and port of ``where`` as text for a message."""
    return f"{where['host'] or 'the Unix socket'}:{where['port']}"


def judge(witness: Mapping[str, Any], files: Iterable[Mapping[str, Any]], wanted: Mapping[str, Any]) -> Answer:
    """Return the verdict on the witnesses: ``{ok, pending, confirmed, sentence, url, source, notes}``.

    ``witness`` is the result of the service_witness module. Each item of ``files`` is {kind, path, real, text}.
    ``kind`` is one of these:

    * ``file``: the environment file in the inventory;
    * ``url``: URL_FILE;
    * ``kept``: the copy of the environment file that a run made before it gave the service another login.

    ``path`` is "" if no file is set, and ``text`` is None if the file does not exist. ``real`` is the path with all
    symbolic links resolved. ``wanted`` has service, database, port, and role (the login that the run provides).

    ``pending`` means that PostgreSQL did not respond, so no verdict is possible yet. ``confirmed`` means that sessions
    of a running service match the claim. It is also true if the service is not running, or if its sessions may
    be hidden. Some kernels do not report the peers of Unix sockets. Otherwise, a note describes what is missing.
    ``sentence`` describes the problem and the remedy, or the result. Only ``url`` contains the password.
    """
    claims = _claims(witness, files)
    try:
        chosen, confirmed, notes = _judge(witness, claims, list(files), wanted)
    except RefusalError as refusal:
        first = next((claim.url for claim in claims if _parses(claim)), "")
        return {
            "ok": False,
            "pending": False,
            "confirmed": False,
            "sentence": messages.visible(str(refusal)),
            "url": first,
            "source": "",
            "notes": [],
        }
    pending = not (witness["server"]["answered"] and witness["server"]["database"])
    return {
        "ok": not pending, "pending": pending, "confirmed": confirmed, "sentence": messages.visible(chosen.says()),
        "url": chosen.url, "source": chosen.kind, "notes": [messages.visible(note) for note in notes],
    }  # fmt: skip


def _parses(claim: Claim) -> bool:
    try:
        return bool(claim.leads_to())
    except RefusalError:
        return False


def _claims(witness: Mapping[str, Any], files: Iterable[Mapping[str, Any]]) -> list[Claim]:
    """Return the claims, the most credible one first."""
    environments = sorted(witness["environment"], key=lambda found: not found["sessions"])
    claims = [
        Claim(f"the environment of {_processes(found['processes'])}", found["url"], "process") for found in environments
    ]
    next_one = witness["next_environment"]
    if next_one["url"]:
        claims.append(Claim(f"the environment of its next start ({next_one['set_by']})", next_one["url"], "next"))
    # The operator sets URL_FILE if no witness shows the URL, so this file precedes the inventory's default. A file that
    # systemd reads is skipped, because its value is already in the claim for the next start.
    for file in sorted(files, key=lambda file: file["kind"] != "url"):
        if file["text"] is not None and file["kind"] in ("url", "file") and not _is_read(file, next_one):
            url = _url_in(file["text"], whole=file["kind"] == "url")
            if url:
                claims.append(Claim(file["path"], url, file["kind"]))
    return claims


def _is_read(file: Mapping[str, Any], next_one: Mapping[str, Any]) -> bool:
    """Return whether systemd reads the URL from this file at the next start."""
    return bool(next_one["url"]) and file["real"] == next_one["set_by"]


def _url_in(text: str, *, whole: bool) -> str:
    """Return the URL in a file's text, or "". With ``whole``, the URL may be the only text, as in a secret file."""
    try:
        return database_url.from_environment_file(text)
    except database_url.DatabaseUrlError:
        return text.strip() if whole and "\n" not in text.strip() else ""


def _processes(found: Iterable[Mapping[str, Any]]) -> str:
    """Return processes as text for a message: the name and pid of the first, and the number of the others."""
    first, *more = found
    return f"{first['name']} ({first['pid']})" + (f" and {len(more)} more" if more else "")


def _judge(
    witness: Mapping[str, Any], claims: list[Claim], files: list[Mapping[str, Any]], wanted: Mapping[str, Any]
) -> tuple[Claim, bool, list[str]]:
    """Return the valid claim, whether it is confirmed, and the notes. Raises RefusalError."""
    service, answered = wanted["service"], witness["server"]["answered"]
    running = witness["unit"]["active_state"] == "active"
    _require_readable(witness, files, wanted, running=running)
    here = [item for item in witness["sessions"] if item["database"] == wanted["database"]]
    if witness["sessions"] and not here:
        raise RefusalError(
            f"{service} works in {', '.join(sorted({_session(item) for item in witness['sessions']}))}, not in"
            f" {wanted['database']} on this server (port {wanted['port']}). {_all(claims)}Correct database_name, or run"
            " against the correct host."
        )
    if not claims:
        raise RefusalError(_no_claim(service, files, seen=bool(here)))
    if witness["unit"]["as_started"] and claims[0].kind == "process" and not witness["next_environment"]["url"]:
        raise RefusalError(
            f"{claims[0].says()}, but nothing sets it at the next start: {service} would not find its database. Restore"
            " DATABASE_URL in the file from which the unit reads it."
        )
    chosen, login = _agreeing(witness, claims, files, wanted)
    leads = chosen.leads_to()
    # Host and port prove nothing, because a pooler may listen there. PostgreSQL's own response is more reliable.
    if not answered:
        if leads["dbname"] != wanted["database"]:
            raise RefusalError(_elsewhere(chosen, wanted))
        return chosen, False, []
    if not witness["server"]["database"]:
        if (leads["dbname"], leads["port"]) != (wanted["database"], wanted["port"]) or leads["host"] not in LOCAL:
            raise RefusalError(_elsewhere(chosen, wanted))
        return chosen, False, []
    by_sessions = [item for item in here if item["role"] == login]
    through = [item for item in witness["strangers"] if _is_at(item, leads)]
    if here and not by_sessions:
        raise RefusalError(
            f"{service} works in {_session(here[0])}, but {chosen.says()}: restart {service}, or correct the"
            " DATABASE_URL that is not used."
        )
    if running and not by_sessions and not through and chosen.kind not in ("process", "url"):
        raise RefusalError(_no_claim(service, files, seen=False, named=chosen))
    if running and not by_sessions and not through and witness["strangers"]:
        raise RefusalError(
            f"{service} works on another server: {_connection(witness['strangers'][0])}. {_all(claims)}Correct the"
            " DATABASE_URL that is not used, or run against the correct host."
        )
    # A connection over a Unix socket is invisible if the kernel does not report the socket's peer.
    hidden = not witness["tells_sockets"] and (not leads["host"] or leads["host"].startswith("/"))
    confirmed = not running or bool(by_sessions or through or hidden)
    notes = _others(witness, by_sessions, through, service)
    return chosen, confirmed, notes if confirmed else [_unconfirmed(service, chosen), *notes]


def _require_readable(
    witness: Mapping[str, Any], files: list[Mapping[str, Any]], wanted: Mapping[str, Any], *, running: bool
) -> None:
    """Require that the witnesses can be read. Raises RefusalError otherwise."""
    for file in files:
        if file["text"] is None and file["kind"] in ("url", "file") and file["path"]:
            name = URL_FILE if file["kind"] == "url" else "service_environment_file"
            raise RefusalError(f"{file['path']} cannot be read on the server: correct {name}.")
    if witness["next_environment"]["problem"]:
        raise RefusalError(
            f"The environment of {wanted['service']} at its next start is unknown"
            f" ({witness['next_environment']['problem']}): correct its unit."
        )
    found = {item["pid"] for item in witness["processes"]}
    if running and (not found or witness["unit"]["main_pid"] not in {0, *found} or witness["unit"]["tasks"] == 0):
        raise RefusalError(
            f"{wanted['service']} is running, but its processes are not in its control group: its sessions are unknown."
        )
    closed = [item for item in witness["processes"] if not item["readable"]]
    if closed and len(closed) == len(found):
        raise RefusalError(
            f"Neither root nor the user of the process can read {_processes(closed)} of {wanted['service']}, so its"
            " sessions are unknown. Set User= in the unit, instead of changing the user within the process."
        )


def _agreeing(
    witness: Mapping[str, Any], claims: list[Claim], files: list[Mapping[str, Any]], wanted: Mapping[str, Any]
) -> tuple[Claim, str]:
    """Return the most credible claim and the role of the service's sessions.

    If a lost run explains why the claims differ, return the claim of the environment file instead. Raises RefusalError
    for any other difference.
    """
    chosen = claims[0]
    for other in claims[1:]:
        difference = _difference(chosen, other)
        if not difference:
            continue
        lost = _of_a_lost_run(witness, claims, files, wanted)
        if lost:
            # The processes keep the old login until they are restarted.
            return lost, chosen.leads_to()["user"]
        raise RefusalError(
            f"{chosen.says()}, but {other.says()}{difference}: restart {wanted['service']} if the second value"
            " was changed after the start. Otherwise, correct service_environment_file or the unused DATABASE_URL."
        )
    return chosen, chosen.leads_to()["user"]


def _difference(one: Claim, other: Claim) -> str:
    """Return how two claims differ, or "", as the end of a sentence that already names both databases."""
    first, second = one.leads_to(), other.leads_to()
    if any(first[name] != second[name] for name in ("user", "host", "port", "dbname")):
        return " instead"
    if database_url.password(one.url) != database_url.password(other.url):
        return " with another password"
    return "" if database_url.parameters(one.url) == database_url.parameters(other.url) else " with other parameters"


def _of_a_lost_run(
    witness: Mapping[str, Any], claims: list[Claim], files: list[Mapping[str, Any]], wanted: Mapping[str, Any]
) -> Claim | None:
    """Return the claim of the environment file if a lost run has given the service another login, or None.

    After such a run, the file contains the role ``wanted['role']``, a copy of the original file exists, and the
    processes still use the original value.
    """
    kept = next((_url_in(file["text"], whole=False) for file in files if file["kind"] == "kept" and file["text"]), "")
    read = any(_is_read(file, witness["next_environment"]) for file in files if file["kind"] == "file")
    kind = "next" if read else "file"
    file = next((claim for claim in claims if claim.kind == kind), None)
    if not kept or file is None or file.leads_to()["user"] != wanted["role"]:
        return None
    known = {"process": (kept, file.url), "next": (file.url,), "file": (file.url,)}
    return file if all(claim.url in known.get(claim.kind, ()) for claim in claims) else None


def _path(files: list[Mapping[str, Any]]) -> str:
    return next((str(file["path"]) for file in files if file["kind"] == "file"), "")


def _is_at(connection: Mapping[str, Any], leads: Mapping[str, Any]) -> bool:
    """Return whether a connection leads to the host and port of a URL."""
    host: str = connection["host"]
    if connection["port"] != leads["port"]:
        return False
    if leads["host"] in LOCAL:
        return host in ("127.0.0.1", "::1") or host.startswith("/")
    try:
        return host == str(ip_address(leads["host"]))
    except ValueError:
        # A host that is not an address is a socket directory, or a name, which can resolve to any address.
        return host == leads["host"] if leads["host"].startswith("/") else not host.startswith("/")


def _others(
    witness: Mapping[str, Any], own: list[Mapping[str, Any]], through: list[Mapping[str, Any]], service: str
) -> list[str]:
    """Return notes about the service's other sessions. Raises RefusalError if one of them may reach the tables."""
    notes, login = [], {item["role"] for item in own}
    for item in witness["sessions"]:
        if item in own:
            continue
        if item["reaches"] and item["role"] not in login:
            raise RefusalError(
                f"{service} also works in {_session(item)}, a role that reaches the tenant tables: no policy"
                " covers it. Let the service use one role, or REVOKE that role's privileges."
            )
        notes.append(f"{service} also works in {_session(item)}")
    for item in witness["strangers"]:
        if item in through:
            continue
        pooler = item["local"] and item["program"] not in SERVERS
        if pooler or (not item["local"] and item["sessions_here"]):
            raise RefusalError(
                f"{service} has another connection: {_connection(item)}. It may lead to this server, and the"
                " rows that it reaches are unknown: let the service connect directly to PostgreSQL."
            )
        notes.append(f"{service} also works on another server: {_connection(item)}")
    closed = [item for item in witness["processes"] if not item["readable"]]
    if closed:
        notes.append(
            f"Neither root nor the user of the process can read {_processes(closed)}, so its sessions are unknown"
        )
    return sorted(set(notes))


def _session(item: Mapping[str, Any]) -> str:
    return f"{item['database']} as {item['role']} ({item['name']})"


def _connection(item: Mapping[str, Any]) -> str:
    program = f", where {item['program']} listens" if item["program"] else ""
    return f"{item['name']} ({item['process']}) is connected to {item['host']}:{item['port']}{program}"


def _elsewhere(claim: Claim, wanted: Mapping[str, Any]) -> str:
    return (
        f"{claim.says()}, not to {wanted['database']} on this server (port {wanted['port']}): correct database_name and"
        " database_port, or run against the correct host."
    )


def _unconfirmed(service: str, claim: Claim) -> str:
    found = claim.leads_to()
    return (
        f"{service} had no session, not even during a health check: only {claim.what} shows that {service} works in"
        f" {found['dbname']} as {found['user']}. A run ends with an error unless it sees a session while the service"
        " stores a memory"
    )


def _no_claim(service: str, files: list[Mapping[str, Any]], *, seen: bool, named: Claim | None = None) -> str:
    session = "it has sessions" if seen else "it has no session, not even after a health check"
    if named:
        file = f"nothing shows that it reads {named.what}"
    else:
        file = f"DATABASE_URL is not set in {_path(files)}" if _path(files) else "no file is set"
    return (
        f"Neither the sessions nor the environment of {service} show its DATABASE_URL ({session}, its environment does"
        f" not set it, and {file}): set the file that its code reads with -e {URL_FILE}=..., or create a file that only"
        " root can read, with DATABASE_URL=postgresql://..."
    )


def _all(claims: list[Claim]) -> str:
    return "".join(f"{claim.says()}. " for claim in claims)
