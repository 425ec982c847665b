"""The connections of processes: TCP connections by address, Unix sockets by the inode of the other end."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

ESTABLISHED = "01"
LISTENS = "0A"

# From linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h and linux/inet_diag.h.
_NETLINK, _SOCK_DIAG, _BY_FAMILY, _REQUEST_DUMP = 16, 4, 20, 0x301
_ESTABLISHED = 1 << int(ESTABLISHED, 16)
_ERROR, _DONE, _PEER, _SHOW_PEER = 2, 3, 2, 4
_EVERY_STATE = 0xFFFFFFFF

Connection = dict[str, Any]


def address(text: str) -> str:
    """Return an IP address in Python's format; an IPv4-mapped IPv6 address becomes an IPv4 address."""
    found = ip_address(text.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


class Table:
    """The connections of this host, read once for each network namespace."""

    def __init__(self, proc: Path) -> None:
        """Initialize with the directory /proc."""
        self._proc = proc
        self._tcp: dict[str, dict[str, Connection]] = {}
        self._unix: dict[str, dict[str, dict[str, Any]]] = {}
        self._peers: dict[str, str] | None = None

    def of(self, pid: int, inodes: list[str]) -> list[Connection]:
        """Return the connections of a process, by the inodes of its sockets.

        Each has ``inode`` and ``kind``. Kind ``tcp`` also has ``local`` and ``remote``, each [address, port]. Kind
        ``unix`` also has ``peer``, the inode of the other end ("" if unknown), and ``path``, the name of that end.
        Raises OSError.
        """
        place = self._proc / str(pid)
        space = os.readlink(place / "ns" / "net")
        if space not in self._tcp:
            # Other programs opened the connections to a listening port, so these are not sessions of this process.
            ports = {item["local"][1] for item in tcp_connections(place / "net", LISTENS).values()}
            found = tcp_connections(place / "net")
            self._tcp[space] = {inode: item for inode, item in found.items() if item["local"][1] not in ports}
            self._unix[space] = unix_sockets(place / "net" / "unix")
        connections = [self._tcp[space][inode] for inode in inodes if inode in self._tcp[space]]
        names = self._unix[space]
        connected = [inode for inode in inodes if inode in names and names[inode]["connected"]]
        known = connected and space == os.readlink(self._proc / "self" / "ns" / "net")
        peers = self._unix_peers() if known else {}
        return connections + [
            {"kind": "unix", "inode": inode, "peer": peer, "path": names.get(peer, {"name": ""})["name"]}
            for inode in connected
            for peer in [peers.get(inode, "")]
        ]

    def _unix_peers(self) -> dict[str, str]:
        if self._peers is None:
            try:
                self._peers = unix_peers()
            except OSError:
                # The kernel does not have unix_diag.
                self._peers = {}
        return self._peers


def tells_peers() -> bool:
    """Return whether the kernel reports which Unix sockets are connected to each other."""
    try:
        unix_peers()
    except OSError:
        return False
    return True


def inodes(place: Path) -> list[str]:
    """Return the inodes of a process's sockets; ``place`` is its directory below /proc. Raises OSError."""
    return sorted(descriptors(place))


def descriptors(place: Path) -> dict[str, int]:
    """Return one descriptor for each socket of a process, by the socket's inode. Raises OSError.

    ``place`` is the process's directory below /proc.
    """
    found, directory = {}, f"{place}/fd"
    for name in os.listdir(directory):
        # The process may have closed the descriptor in the meantime.
        with contextlib.suppress(FileNotFoundError):
            if match := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"{directory}/{name}")):
                found[match[1]] = int(name)
    return found


def tcp_connections(net: Path, state: str = ESTABLISHED) -> dict[str, Connection]:
    """Return the TCP sockets that have a given state in a network namespace (its directory below /proc), by inode."""
    return {
        fields[9]: {
            "kind": "tcp", "inode": fields[9], "local": _endpoint(fields[1]), "remote": _endpoint(fields[2]),
            "user": int(fields[7]),
        }
        for fields in _tcp_lines(net)
        if fields[3] == state
    }  # fmt: skip


def _tcp_lines(net: Path) -> Iterator[list[str]]:
    for name in ("tcp", "tcp6"):
        # A kernel without IPv6 does not have this file.
        if (net / name).exists():
            yield from map(str.split, (net / name).read_text().splitlines()[1:])


def _endpoint(text: str) -> list[Any]:
    """Return address and port; the kernel writes each 32-bit word of an address in the machine's byte order."""
    host, port = text.split(":")
    words = struct.pack(f"={len(host) // 8}I", *(int(host[at : at + 8], 16) for at in range(0, len(host), 8)))
    plain = IPv4Address(words) if len(words) == 4 else IPv6Address(words)
    return [address(str(plain)), int(port, 16)]


def unix_sockets(path: Path) -> dict[str, dict[str, Any]]:
    """Return the Unix sockets in a file like /proc/net/unix, by inode: name, connected, listens."""
    found: dict[str, dict[str, Any]] = {}
    for fields in (line.split(maxsplit=7) for line in path.read_text(errors="replace").splitlines()[1:]):
        found[fields[6]] = {
            "name": fields[7] if len(fields) > 7 else "",
            "connected": fields[5] == "03",
            # The flag __SO_ACCEPTCON.
            "listens": int(fields[3], 16) & 0x10000 != 0,
        }
    return found


def unix_peers() -> dict[str, str]:
    """Return the inode of the peer of every connected Unix socket, by the socket's own inode. Raises OSError."""
    peers: dict[str, str] = {}
    body = struct.pack("=BBHIII2I", socket.AF_UNIX, 0, 0, _EVERY_STATE, 0, _SHOW_PEER, 0, 0)
    for message in _diagnosed(body):
        # A header of 16 bytes with the inode at offset 4, then the attributes.
        inode, attribute = struct.unpack_from("=I", message, 4)[0], 16
        while attribute < len(message):
            size, name = struct.unpack_from("=HH", message, attribute)
            if name == _PEER:
                peers[str(inode)] = str(struct.unpack_from("=I", message, attribute + 4)[0])
            attribute += size + 3 & ~3
    return peers


def established() -> dict[str, bytes]:
    """Return the kernel's messages about connected TCP sockets in our network namespace, by inode. Raises OSError.

    This takes less than a millisecond, but reading /proc/net/tcp takes ten milliseconds. connection() parses a message.
    """
    found: dict[str, bytes] = {}
    for family in (socket.AF_INET, socket.AF_INET6):
        body = struct.pack("=BBBBI48x", family, socket.IPPROTO_TCP, 0, 0, _ESTABLISHED)
        found |= {str(struct.unpack_from("=I", message, 68)[0]): message for message in _diagnosed(body)}
    return found


def connection(message: bytes) -> Connection:
    """Return the connection in a message from the kernel, in the form of tcp_connections()."""
    size = 4 if message[0] == socket.AF_INET else 16
    ports = struct.unpack_from(">HH", message, 4)
    user, inode = struct.unpack_from("=II", message, 64)
    local, remote = (
        [address(str(ip_address(message[at : at + size]))), port] for at, port in zip((8, 24), ports, strict=True)
    )
    return {"kind": "tcp", "inode": str(inode), "local": local, "remote": remote, "user": user}


def _diagnosed(body: bytes) -> Iterator[bytes]:
    """Yield the kernel's replies to a request about sockets. Raises OSError."""
    with socket.socket(_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as asked:
        asked.settimeout(5)
        asked.send(struct.pack("=IHHII", 16 + len(body), _BY_FAMILY, _REQUEST_DUMP, 1, 0) + body)
        while True:
            data, at = asked.recv(1 << 18), 0
            while at < len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind == _ERROR:
                    raise OSError("the kernel does not report which sockets are connected (sock_diag)")
                if kind == _DONE:
                    return
                yield data[at + 16 : at + length]
                at += length + 3 & ~3


class Seen:
    """The connections of processes, collected over many readings because some exist for only milliseconds."""

    def __init__(self, proc: Path) -> None:
        """Initialize with the directory /proc. Raises OSError."""
        self._proc, self._space = proc, os.readlink(proc / "self" / "ns" / "net")
        self._listened = {item["local"][1] for item in tcp_connections(proc / "self" / "net", LISTENS).values()}
        self._sockets: dict[int, set[str]] = {}
        self._tcp: dict[str, Connection] = {}
        self._messages: dict[str, bytes] = {}
        self._peers: dict[str, str] = {}
        self._paths: dict[str, str] = {}

    def look(self, pids: Iterable[int]) -> None:
        """Read the connections once. In another network namespace, only TCP is visible, and reading takes longer."""
        for pid in pids:
            place = self._proc / str(pid)
            # The process may have ended already.
            with contextlib.suppress(OSError):
                self._sockets.setdefault(pid, set()).update(inodes(place))
                if os.readlink(place / "ns" / "net") != self._space:
                    self._tcp |= tcp_connections(place / "net")
        try:
            self._messages |= established()
        except OSError:
            self._tcp |= tcp_connections(self._proc / "self" / "net")
        with contextlib.suppress(OSError):
            self._peers |= unix_peers()
        own = {self._peers[inode] for found in self._sockets.values() for inode in found & self._peers.keys()}
        if own - self._paths.keys():
            names = unix_sockets(self._proc / "self" / "net" / "unix")
            self._paths |= {inode: names.get(inode, {"name": ""})["name"] for inode in own - self._paths.keys()}

    def of(self, pid: int) -> list[Connection]:
        """Return the connections of a process, in the form of Table.of()."""
        found = sorted(self._sockets.get(pid, ()))
        known = {inode: connection(self._messages[inode]) for inode in found if inode in self._messages} | self._tcp
        tcp = [known[inode] for inode in found if inode in known]
        unix = [(inode, self._peers[inode]) for inode in found if inode in self._peers]
        return [item for item in tcp if item["local"][1] not in self._listened] + [
            {"kind": "unix", "inode": inode, "peer": peer, "path": self._paths[peer]} for inode, peer in unix
        ]
