"""Log in as the service: the sessions use the settings of its role, database and URL instead of the run's own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg2

from . import sessions

SECONDS = 10


def of_libpq(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that libpq reads: those whose names begin with PG, and HOME."""
    return {name: value for name, value in environment.items() if name.startswith("PG") or name == "HOME"}


@contextlib.contextmanager
def environment_of(pairs: Mapping[str, str]) -> Iterator[None]:
    """Within the block, replace the environment that libpq reads."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(pairs)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def connect(parameters: Mapping[str, Any], password: str, environment: Mapping[str, str]) -> Any:
    """Return a connection of the service's login; an empty password is not sent. Raises psycopg2.Error.

    ``environment`` is the service's environment, from which libpq reads values that the parameters do not contain.
    """
    secret = {"password": password} if password else {}
    wanted = {"connect_timeout": SECONDS, **parameters, "application_name": sessions.APPLICATION, **secret}
    with environment_of(environment):
        return psycopg2.connect(**wanted)


@contextlib.contextmanager
def bounded(
    parameters: Mapping[str, Any], password: str, environment: Mapping[str, str], seconds: float, what: str
) -> Iterator[Any]:
    """Yield a connection as in ``connect``; after ``seconds``, another session of the login terminates it.

    A statement timeout is not enough, because a trigger can catch it. Raises psycopg2.Error, and
    sessions.TimeLimitError, which names ``what``.
    """
    with (
        contextlib.closing(connect(parameters, password, environment)) as connection,
        contextlib.closing(connect(parameters, password, environment)) as guard,
    ):
        guard.autocommit = True
        with sessions.bounded(connection, guard, seconds, what):
            yield connection
