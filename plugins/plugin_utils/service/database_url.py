"""Find, parse and rewrite the service's DATABASE_URL."""

from __future__ import annotations

import io
import re
from typing import Any
from urllib.parse import quote

import psycopg2
from dotenv import dotenv_values
from psycopg2.extensions import parse_dsn

from ...module_utils.errors import TenancyError

VARIABLE = "DATABASE_URL"


class DatabaseUrlError(TenancyError):
    """DATABASE_URL is missing or cannot be used; the message never contains the password."""


def from_environment_file(text: str) -> str:
    """Return the DATABASE_URL in the text of an environment file.

    Raises DatabaseUrlError if the variable is missing or empty.
    """
    value = _values(text).get(VARIABLE)
    if not value:
        raise DatabaseUrlError(f"{VARIABLE} is not set in the service's environment file: add it there.")
    return value


def with_value(text: str, value: str) -> str:
    """Return the environment file's text with another DATABASE_URL and no other changes.

    Raises DatabaseUrlError if rewriting the line would change other variables.
    """
    line = re.compile(rf"(?m)^([ \t]*(?:export[ \t]+)?{VARIABLE}[ \t]*=[ \t]*)(['\"]?)[^\r\n]*?\2([ \t]*)(?=\r?$)")
    written = line.sub(lambda found: f"{found[1]}{found[2]}{value}{found[2]}{found[3]}", text)
    wanted = {**_values(text), VARIABLE: value}
    if _values(written) != wanted:
        raise DatabaseUrlError(
            f"{VARIABLE} cannot be rewritten in the environment file: put it on a separate line, without a comment."
        )
    return written


def with_login(url: str, user: str, password: str) -> str:
    """Return the URL with another user and password, for the same server and database.

    Raises DatabaseUrlError if the URL cannot be rewritten.
    """
    scheme, rest = url.split("://", 1)
    authority, path, query = re.fullmatch(r"(?s)([^/?#]*)([^?]*)(?:\?(.*))?", rest).groups()  # type: ignore[union-attr]
    kept = [part for part in (query or "").split("&") if part and part.split("=")[0] not in ("user", "password")]
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@{authority.rpartition('@')[2]}"
    written = f"{scheme}://{login}{path}" + (f"?{'&'.join(kept)}" if kept else "")
    if parameters(written) != {**parameters(url), "user": user}:
        raise DatabaseUrlError(
            "DATABASE_URL cannot be rewritten: write it as postgresql://user:password@host/database."
        )
    return written


def password(url: str) -> str:
    """Return the password of the URL, or ""."""
    return str(_parsed(url).get("password", ""))


def parameters(url: str, sslmode: str = "") -> dict[str, str]:
    """Return libpq's connection parameters without the password. ``sslmode`` is the default if the URL sets none."""
    found = {name: value for name, value in _parsed(url).items() if name != "password"}
    return {"sslmode": sslmode, **found} if sslmode else found


def _values(text: str) -> dict[str, str | None]:
    return dict(dotenv_values(stream=io.StringIO(text), interpolate=False))


def _parsed(url: str) -> dict[str, str]:
    """Return the URL as parsed by libpq. SQLAlchemy's ``postgresql+driver://`` is also accepted."""
    plain = re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", url)
    if not re.match(r"^postgres(ql)?://", plain):
        raise DatabaseUrlError("DATABASE_URL does not start with postgresql://: correct it in the environment file.")
    try:
        return dict(parse_dsn(plain))
    except (psycopg2.ProgrammingError, ValueError) as error:
        # libpq's message may quote the URL, including the password. Text that is not UTF-8 raises a ValueError.
        raise DatabaseUrlError(
            "DATABASE_URL cannot be parsed: check that special characters in the password are percent-encoded, that "
            "PostgreSQL knows every parameter after the question mark, and that the file is UTF-8."
        ) from error


def parse(url: str) -> dict[str, Any]:
    """Return ``{user, host, port, dbname, sslmode, options, has_password}`` of a PostgreSQL URL.

    ``host`` is "" for a Unix socket in the default directory. ``port`` is an int.

    Raises DatabaseUrlError in these cases:

    * libpq cannot parse the URL;
    * the user or the database is missing, or the port is invalid;
    * the URL lists several hosts, or refers to a service in pg_service.conf.
    """
    found = _parsed(url)
    if "service" in found or "servicefile" in found:
        raise DatabaseUrlError(
            "DATABASE_URL uses a service in pg_service.conf: specify host, port and database in DATABASE_URL instead."
        )
    for part in ("user", "dbname"):
        if not found.get(part):
            raise DatabaseUrlError(f"DATABASE_URL has no {part}: correct it in the environment file.")
    # libpq connects to hostaddr, even if host is set.
    host, port = found.get("hostaddr") or found.get("host", ""), found.get("port", "5432")
    if "," in host or "," in port:
        raise DatabaseUrlError("DATABASE_URL contains several hosts: this runbook changes one server at a time.")
    if not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise DatabaseUrlError("The port in DATABASE_URL is invalid: it must be a number from 1 to 65535.")
    return {
        "user": found["user"],
        "host": host,
        "port": int(port),
        "dbname": found["dbname"],
        "sslmode": found.get("sslmode", ""),
        "options": found.get("options", ""),
        "has_password": bool(found.get("password")),
    }
