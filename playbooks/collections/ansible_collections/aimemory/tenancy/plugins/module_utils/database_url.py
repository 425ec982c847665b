"""Where the service's DATABASE_URL leads, without its password."""

from __future__ import annotations

import io
import re
from typing import Any

import psycopg2
from dotenv import dotenv_values
from psycopg2.extensions import parse_dsn

from .errors import TenancyError


class DatabaseUrlError(TenancyError):
    """DATABASE_URL is missing or cannot be used; the message never holds the password."""


def from_environment_file(text: str, variable: str = "DATABASE_URL") -> str:
    """Return the value of ``variable`` in an environment file.

    Raises DatabaseUrlError where it is missing or empty.
    """
    value = dotenv_values(stream=io.StringIO(text), interpolate=False).get(variable)
    if not value:
        raise DatabaseUrlError(f"{variable} is not set in the service's environment file: add it there.")
    return value


def parse(url: str) -> dict[str, Any]:
    """Return ``{user, host, port, dbname, sslmode, options, has_password}`` of a PostgreSQL URL.

    Parsed by libpq itself; SQLAlchemy's ``postgresql+driver://`` is accepted. ``host`` is "" for a
    Unix socket of the default directory, ``port`` an int.

    Raises DatabaseUrlError where libpq cannot parse it, a user or database is missing, or several hosts are named.
    """
    plain = re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", url)
    if not re.match(r"^postgres(ql)?://", plain):
        raise DatabaseUrlError("DATABASE_URL does not begin with postgresql://: correct it in the environment file.")
    try:
        found = parse_dsn(plain)
    except psycopg2.ProgrammingError as error:
        # libpq's message may quote the URL, password included.
        raise DatabaseUrlError(
            "DATABASE_URL cannot be parsed: check that special characters of the password are percent-encoded."
        ) from error
    for part in ("user", "dbname"):
        if not found.get(part):
            raise DatabaseUrlError(f"DATABASE_URL names no {part}: correct it in the environment file.")
    host, port = found.get("host", ""), found.get("port", "5432")
    if "," in host or "," in port:
        raise DatabaseUrlError("DATABASE_URL names several hosts: this runbook changes one server at a time.")
    return {
        "user": found["user"],
        "host": host,
        "port": int(port),
        "dbname": found["dbname"],
        "sslmode": found.get("sslmode", ""),
        "options": found.get("options", ""),
        "has_password": bool(found.get("password")),
    }
