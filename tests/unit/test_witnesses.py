"""The connections of processes, the matching database sessions, and the environment that systemd sets for a unit."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import processes, sockets, unit_environment, witnesses

PROC = Path("/proc")


def connections() -> list[dict[str, Any]]:
    """Return the connections of this process."""
    return sockets.Table(PROC).of(os.getpid(), sockets.inodes(PROC / "self"))


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_connections_over_tcp_are_found_by_their_addresses(family: int, host: str) -> None:
    with socket.socket(family) as server:
        server.bind((host, 0))
        server.listen()
        with socket.create_connection(server.getsockname()[:2]) as client:
            found = [(item["local"], item["remote"]) for item in connections() if item["kind"] == "tcp"]
            assert (list(client.getsockname()[:2]), list(server.getsockname()[:2])) in found


def test_connections_over_unix_sockets_are_found_by_their_other_end() -> None:
    one, other = socket.socketpair()
    with one, other:
        inodes = [os.readlink(f"/proc/self/fd/{end.fileno()}")[8:-1] for end in (one, other)]
        found = {item["inode"]: item["peer"] for item in connections() if item["kind"] == "unix"}
        assert [found[inode] for inode in inodes] == inodes[::-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1", "127.0.0.1"), ("::ffff:10.0.0.5", "10.0.0.5"), ("FE80::1%eth0", "fe80::1")],
)
def test_an_address_has_one_form(text: str, expected: str) -> None:
    assert sockets.address(text) == expected


def test_a_block_of_the_kernel_is_an_environment() -> None:
    block = b"A=1\0URL=postgresql://a:b=c@h/d\0odd\0EMPTY=\0"
    assert processes.environment(block) == {"A": "1", "URL": "postgresql://a:b=c@h/d", "EMPTY": ""}


def process(pid: int, *found: dict[str, Any]) -> processes.Process:
    return {"pid": pid, "name": "worker", "connections": list(found)}


def test_sessions_are_told_from_other_connections() -> None:
    tcp = {"kind": "tcp", "inode": "1", "local": ["127.0.0.1", 4000], "remote": ["127.0.0.1", 5432]}
    unix = {"kind": "unix", "inode": "2", "peer": "20"}
    strange = {"kind": "tcp", "inode": "3", "local": ["127.0.0.1", 4001], "remote": ["127.0.0.1", 6432]}
    unknown = {"kind": "unix", "inode": "4", "peer": ""}
    server = [
        {"pid": 10, "address": "127.0.0.1", "port": 4000, "role": "alice"},
        {"pid": 11, "address": "", "port": -1, "role": "bob"},
        {"pid": 12, "address": "10.0.0.5", "port": 4001, "role": "another's"},
    ]
    # Both workers have the TCP connection, because the second one has inherited it.
    seen = [process(1, tcp, strange), process(2, tcp, unix, unknown)]
    own, other = witnesses.split(seen, server, {11: ["20"], 12: ["21"]})
    assert [(item["role"], item["process"]) for item in own] == [("alice", 1), ("bob", 2)]
    assert [(item["inode"], item["process"]) for item in other] == [("3", 1), ("4", 2)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB = two words \n", {"A": "1", "B": "two words"}),
        ("# A=1\n; B=2\n\nC=3", {"C": "3"}),
        ('A=\'x # y\'\nB="a\\"b\\$c\\n"\n', {"A": "x # y", "B": 'a"b$c\\n'}),
        ("A=x # no comment\n", {"A": "x # no comment"}),
        ("A=one\\\ntwo\nB=a\\ b\\ \n", {"A": "onetwo", "B": "a b "}),
        ("A='two\nlines'\n", {"A": "two\nlines"}),
        ("A='1'\"2\"3\n", {"A": "123"}),
        ("A=1\nA=2\r\n", {"A": "2"}),
        ("export A=1\n2B=3\nodd\n=4\nC=\n", {"C": ""}),
        ("# ends in a backslash \\\nA=1\n", {"A": "1"}),
        ("A='never closed\n", {"A": "never closed\n"}),
    ],
)
def test_an_environment_file_is_read_as_systemd_does(text: str, expected: dict[str, str]) -> None:
    assert unit_environment.parse(text) == expected


def test_a_unit_has_an_object_on_the_bus() -> None:
    assert unit_environment.object_path("aimem@8100.service") == "/org/freedesktop/systemd1/unit/aimem_408100_2eservice"
    assert unit_environment.object_path("1a-b") == "/org/freedesktop/systemd1/unit/_31a_2db"


def answers(**properties: Any) -> unit_environment.Run:
    """Return a stand-in for busctl. It returns a document for each property, in the order of the requested names."""
    every = {
        "EnvironmentFiles": [], "PassEnvironment": [], "UnsetEnvironment": [], "Environment": [], **properties,
    }  # fmt: skip

    def run(*command: str) -> str:
        manager = "org.freedesktop.systemd1.Manager" in command
        names = command[command.index("get-property") + 4 :]
        given = {**every, "Environment": ["LANG=C", "A=manager"]} if manager else every
        return "\n".join(json.dumps({"data": given[name]}) for name in names)

    return run


def test_the_last_source_of_a_variable_wins(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("A=file\nB=file\n")
    (tmp_path / "b.env").write_text("B=last\nC=gone\n")
    run = answers(
        Environment=["A=unit", "D=unit", "E=1"], EnvironmentFiles=[[f"{tmp_path}/*.env", False], ["/nothing", True]],
        UnsetEnvironment=["C", "D=other", "E=1"],
    )  # fmt: skip
    sources = unit_environment.next_environment(run, "x.service")
    found = {name: witnesses.set_by(sources, name) for name in "ABCDE"}
    assert found == {
        "A": (f"{tmp_path}/a.env", "file"), "B": (f"{tmp_path}/b.env", "last"), "C": ("", ""),
        "D": ("Environment=", "unit"), "E": ("", ""),
    }  # fmt: skip
    assert witnesses.set_by(sources, "LANG") == ("systemd's own environment", "C")


def test_a_file_that_must_be_there_is_missed() -> None:
    with pytest.raises(FileNotFoundError, match="/nothing"):
        unit_environment.next_environment(answers(EnvironmentFiles=[["/nothing", False]]), "x.service")


def test_the_logins_of_all_services_are_found_without_their_passwords(tmp_path: Path) -> None:
    (tmp_path / "environment").write_text("URL='postgresql://alice:x@localhost/ai_memory'\nOTHER=1\n")
    shown = "\n".join([
        "Id=worker.service", 'Environment=A=1 "B=postgresql+psycopg://bob:y%20z@/ai_memory"',
        f"EnvironmentFiles={tmp_path}/environment (ignore_errors=no)",
        f"EnvironmentFiles={tmp_path}/missing (ignore_errors=yes)", "", "Id=broken.service",
        'Environment="C=postgres://', "", "Id=unusable.service",
        "Environment=D=postgresql://alice:no/secret@localhost/ai_memory E=postgresql://a:b@[/x F=postgres:///x", "",
        "Id=query.service", "Environment=G=postgresql:///x?user=eve&host=%2Frun%2Fpostgresql&password=y", "",
    ])  # fmt: skip
    assert unit_environment.logins(lambda *_: shown) == [
        {"unit": "worker.service", "user": "bob", "host": "", "database": "ai_memory"},
        {"unit": "worker.service", "user": "alice", "host": "localhost", "database": "ai_memory"},
        {"unit": "query.service", "user": "eve", "host": "/run/postgresql", "database": "x"},
    ]
