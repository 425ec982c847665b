"""Find the sessions of a service: match the connections of its processes with the server's sessions."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import processes, sockets

# These ports are not probed for PostgreSQL.
OTHER_PORTS = (80, 443)
# The first message of a client that requests TLS (PostgreSQL manual, "Message Formats", SSLRequest).
SSL_REQUEST = bytes((0, 0, 0, 8, 4, 210, 22, 47))

Session = dict[str, Any]


def split(
    seen: Iterable[processes.Process], sessions: Iterable[Session], backends: Mapping[int, Iterable[str]]
) -> tuple[list[Session], list[dict[str, Any]]]:
    """Return the sessions of the processes ``seen``, and their connections that are not sessions.

    ``sessions`` lists the server's sessions (pid, address, port, database, role). The address is "" for a Unix socket.
    ``backends`` maps the server's processes to their Unix sockets (inodes). Each item in both results also contains
    ``process``, the id of the service's process, and its ``name``.
    """
    by_address = {(item["address"], item["port"]): item for item in sessions if item["address"]}
    by_inode = {
        inode: item for item in sessions if not item["address"] for inode in backends.get(item["pid"], ())
    }  # fmt: skip
    own: dict[int, Session] = {}
    other: dict[str, dict[str, Any]] = {}
    for process in seen:
        who = {"process": process["pid"], "name": process["name"]}
        for connection in process["connections"]:
            if connection["kind"] == "tcp":
                session = by_address.get(tuple(connection["local"]))
            else:
                session = by_inode.get(connection["peer"])
            # Workers inherit connections from their parent process, so the first process with a connection represents
            # all of them.
            if session is not None:
                own.setdefault(session["pid"], {**session, **who})
            else:
                other.setdefault(connection["inode"], {**connection, **who})
    return list(own.values()), list(other.values())


def listeners(port: int, proc: Path = Path("/proc")) -> list[str]:
    """Return the names of the programs that listen on a TCP port, or on the Unix socket for that port number."""
    net = proc / "self" / "net"
    inodes = {item["inode"] for item in sockets.tcp_connections(net, sockets.LISTENS).values()
              if item["local"][1] == port}  # fmt: skip
    inodes |= {
        inode for inode, item in sockets.unix_sockets(net / "unix").items()
        if item["listens"] and item["name"].endswith(f"/.s.PGSQL.{port}")
    }  # fmt: skip
    return sorted(set(owners(inodes, proc).values()))


def owners(inodes: Iterable[str], proc: Path = Path("/proc")) -> dict[str, str]:
    """Return the name of one process for each socket; sockets without a process are omitted."""
    wanted = set(inodes)
    if not wanted:
        return {}
    pids = [int(path.name) for path in proc.iterdir() if path.name.isdigit()]
    return {
        inode: process["name"] for process in processes.read(pids, proc) for inode in wanted & set(process["sockets"])
    }


def speaks_postgresql(host: str, port: int, user: tuple[int, int]) -> bool:
    """Return whether an address responds like PostgreSQL or a pooler; the probe runs with a user's privileges."""

    def ask() -> bool:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(SSL_REQUEST)
            return connection.recv(1) in (b"S", b"N")

    try:
        return bool(processes.as_user(*user, [], ask, patience=6))
    except OSError:
        return False


def strangers(
    connections: Iterable[Mapping[str, Any]], groups: Mapping[int, int], proc: Path = Path("/proc")
) -> list[dict[str, Any]]:
    """Return the connections that lead to PostgreSQL or a pooler but are not sessions of this server.

    ``groups`` contains the group of each user, both as numbers. Each result has process, name, host, port, program and
    local. For a Unix socket, ``host`` is a directory. ``program`` is the name of the process at the other end, or "" if
    no such process is found. ``local`` is true if the other end is on this host.
    """
    mine = sockets.tcp_connections(proc / "self" / "net")
    ends = {(*item["local"], *item["remote"]): inode for inode, item in mine.items()}
    found, peers = [], {}
    for item in connections:
        if item["kind"] == "tcp":
            peers[item["inode"]] = ends.get((*item["remote"], *item["local"]), "")
        else:
            peers[item["inode"]] = item["peer"]
    programs = owners(inode for inode in peers.values() if inode)
    asked: dict[tuple[str, int], bool] = {}
    for item in connections:
        peer = peers[item["inode"]]
        program = programs.get(peer, "")
        if item["kind"] == "unix":
            directory, _, name = item["path"].rpartition("/")
            if not name.startswith(".s.PGSQL."):
                continue
            host, port = directory, int(name.rpartition(".")[2])
        else:
            host, port = item["remote"]
            if port in OTHER_PORTS:
                continue
            if (host, port) not in asked:
                asked[host, port] = speaks_postgresql(host, port, (item["user"], groups[item["user"]]))
            if not asked[host, port]:
                continue
        found.append(
            {
                "process": item["process"], "name": item["name"], "host": host, "port": port, "program": program,
                "local": bool(peer),
            }
        )  # fmt: skip
    return found


def backend_sockets(pids: Iterable[int], proc: Path = Path("/proc")) -> dict[int, list[str]]:
    """Return the sockets (inodes) of the server's processes."""
    return {process["pid"]: process["sockets"] for process in processes.read(pids, proc)}


def set_by(sources: Iterable[tuple[str, Mapping[str, str]]], variable: str) -> tuple[str, str]:
    """Return the source that sets a variable at the next start, and the value; both are "" if no source sets it."""
    for name, pairs in sources:
        if variable in pairs:
            return (os.path.realpath(name) if name.startswith("/") else name), pairs[variable]
    return "", ""
