"""A pooler between the service and PostgreSQL on a lab host."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import yaml

from lab import OWNER, ROOT, Host

DIRECTORY = "/run/test-pooler"
UNIT = "test-pooler.service"
PASSWORD: str = yaml.safe_load((ROOT / "inventory/group_vars/lab.yml").read_text())["lab_password"]
# Debian's directory, which also contains PostgreSQL's socket.
SOCKETS = "/var/run/postgresql"


@contextlib.contextmanager
def pgbouncer(
    machine: Host, *, port: int = 6432, server: str = "127.0.0.1", sockets: str = SOCKETS, **settings: str
) -> Iterator[None]:
    """Run pgbouncer on a port; ``server`` is the address of PostgreSQL, and ``settings`` are additional settings.

    The setting ``database`` is the database for clients that request ai_memory.
    """
    database = settings.pop("database", f"ai_memory host={server} port=5432")
    given = {
        "listen_addr": "127.0.0.1", "listen_port": str(port), "unix_socket_dir": sockets, "auth_type": "scram-sha-256",
        "auth_file": f"{DIRECTORY}/users", "pool_mode": "session", "client_tls_sslmode": "allow",
        "client_tls_key_file": f"{DIRECTORY}/key", "client_tls_cert_file": "/etc/ssl/certs/ssl-cert-snakeoil.pem",
        "client_tls_ca_file": "/etc/ssl/certs/ssl-cert-snakeoil.pem", "default_pool_size": "10", **settings,
    }  # fmt: skip
    lines = ["[databases]", f"ai_memory = dbname={database}", "[pgbouncer]", *(f"{k} = {v}" for k, v in given.items())]
    own = "--owner=postgres --group=postgres --mode=0600"
    machine.run(
        f"sudo install -d --owner=postgres --mode=0755 {DIRECTORY}"
        f" && sudo install {own} /etc/ssl/private/ssl-cert-snakeoil.key {DIRECTORY}/key"
        f" && sudo install {own} /dev/stdin {DIRECTORY}/ini",
        given="\n".join(lines) + "\n",
    )
    machine.run(f"sudo install {own} /dev/stdin {DIRECTORY}/users", given=f'"{OWNER}" "{PASSWORD}"\n')
    machine.run(f"sudo systemd-run --unit={UNIT} --collect -p User=postgres pgbouncer {DIRECTORY}/ini")
    try:
        machine.run(f"timeout 10 bash -c 'until exec 3<> /dev/tcp/127.0.0.1/{port}; do sleep 0.1; done' 2> /dev/null")
        yield
    finally:
        machine.run(f"sudo systemctl stop {UNIT}; sudo rm -r {DIRECTORY}", check=False)


@contextlib.contextmanager
def on_its_socket_only(machine: Host) -> Iterator[None]:
    """Make PostgreSQL listen only on its socket, and allow the service's role to log in there with a password."""
    hba = machine.sql("SHOW hba_file")[0][0]
    machine.run(f"sudo sed -i '1i local all {OWNER} scram-sha-256' {hba}")
    machine.sql("ALTER SYSTEM SET listen_addresses = ''")
    machine.run("sudo systemctl restart postgresql")
    try:
        yield
    finally:
        machine.sql("ALTER SYSTEM RESET listen_addresses")
        machine.run(f"sudo sed -i 1d {hba}; sudo systemctl restart postgresql")
