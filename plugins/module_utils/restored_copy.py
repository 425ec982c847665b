"""A restored copy of a database on a throwaway server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from psycopg2 import sql

from . import backfill_login, contents, database_settings, priority, rehearsal, restoring, sessions, throwaway, toc

_NAMES: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
# The options of a module that makes or removes a copy; the documentation fragment ``throwaway`` describes them.
OPTIONS: dict[str, Any] = {
    "directory": {"type": "path", "required": True}, "system_user": {"type": "str", "required": True},
    "roles": _NAMES, "logins": _NAMES, "seconds": {"type": "int", "default": 1800},
    "bytes": {"type": "int", "default": 0}, "secrets": {"type": "list", "elements": "path", "default": []},
}  # fmt: skip


class Copy:
    """The restored copy of one database on its own throwaway server.

    ``options`` contains ``database``, ``port``, ``user`` and ``server`` (OPTIONS above). ``make`` also needs
    ``hash_max_bytes`` and ``jobs``. ``run`` runs a program, like Ansible's run_command.
    """

    def __init__(self, run: Callable[..., tuple[int, str, str]], options: Mapping[str, Any]) -> None:
        """Initialize with the options, and choose the name of the server."""
        self._run = run
        self.wanted = options
        self.chosen: Mapping[str, Any] = options["server"]
        self.server = throwaway.Server(
            run, self.chosen["directory"], options["database"], self.chosen["system_user"], options["user"],
            options["port"],
        )  # fmt: skip

    def make(self, files: str, tables: list[dict[str, Any]], mode: str) -> dict[str, Any]:
        """Make the copy from the dump in the directory ``files``; return host, walls, left, differences and seconds.

        ``tables`` is the result of ``contents.read`` in the dump's snapshot. ``mode`` is ``full``, or ``schema`` for
        the definitions with samples of rows. The rows are compared only in mode ``full``. In the result, ``walls``
        contains for each wall whether it is effective, and ``left`` lists what was omitted. After a failure, the server
        is removed. Raises TenancyError, psycopg2.Error and OSError.
        """
        began = time.monotonic()
        try:
            return self._make(files, tables, mode)
        except Exception as error:
            self.server.end()
            if time.monotonic() - began >= self.chosen["seconds"]:
                raise throwaway.ThrowawayError(
                    f"The throwaway server was stopped after {self.chosen['seconds']} s: allow more time with -e "
                    "rehearse_max_duration=..., or rehearse only the definitions with -e migrate_rehearse=schema."
                ) from error
            raise

    def _make(self, files: str, tables: list[dict[str, Any]], mode: str) -> dict[str, Any]:
        wanted, chosen, server = self.wanted, self.chosen, self.server
        began = time.monotonic()
        server.end()
        server.require_room(rehearsal.room(chosen["bytes"], mode))
        server.make_user()
        source = self._read_source()
        programs = throwaway.postmaster_directory(wanted["user"], source["data_directory"])
        pg_restore = restoring.pg_restore_that_reads(self._run, wanted["user"], programs, f"{files}/database")
        logins = restoring.login_names(restoring.LOGIN_NAME, sorted(source["ordinary"])).values()
        hidden = source["socket"] or "/run/postgresql"
        walls = server.start(
            programs, throwaway.settings(source["settings"], source["libraries"], server.place, wanted["port"]),
            source["encoding"], [*logins, backfill_login.role(wanted["database"]), *chosen["logins"]],
            chosen["seconds"], [source["data_directory"], *chosen["secrets"]], hidden,
        )  # fmt: skip
        started = time.monotonic()
        with self._throwaway_session("postgres") as cursor:
            for statement in source["roles"]:
                cursor.execute(statement)
            self._provide_logins(cursor)
            cursor.execute(source["definition"]["elsewhere"])
        target = restoring.Target(
            user=wanted["user"], database=wanted["database"], port=wanted["port"], host=server.place,
            files=f"{files}/database", pg_restore=pg_restore, jobs=wanted["jobs"],
            lists=f"{server.place}/lists", logins={"host": server.place, "port": str(wanted["port"])},
            excluded=toc.ELSEWHERE, privileged=source["privileged"], risky_keys=source["risky_keys"],
            samples=mode == "schema", may_stay_empty=True, low_priority=priority.low(),
        )  # fmt: skip
        left = [
            *restoring.Restoring(target, self._run).run(),
            *(
                f"the preloaded library {name} was not loaded: no extension of the database needs it"
                for name in source["unloaded"]
            ),
        ]
        with self._throwaway_session(wanted["database"]) as cursor:
            for statement in [*source["definition"]["replay"], "ANALYZE"]:
                cursor.execute(statement)
        restored = time.monotonic()
        differences = self._compare(tables) if mode == "full" else []
        return {
            "host": server.place, "walls": walls, "left": left, "differences": differences,
            "seconds": {
                "start": round(started - began, 2), "restore": round(restored - started, 2),
                "compare": round(time.monotonic() - restored, 2),
            },
        }  # fmt: skip

    def _read_source(self) -> dict[str, Any]:
        """Return the facts about the running server that the copy needs."""
        wanted = self.wanted
        found: dict[str, Any] = {}
        settings = {"default_transaction_read_only": "on"}
        opened = sessions.opened(wanted["user"], wanted["database"], wanted["port"], settings=settings)
        with opened as connection, connection.cursor() as cursor:
            # Role names and settings may contain percent signs, so values are passed as named arguments.
            values = {"administrator": wanted["user"]}

            def ask(query: str) -> list[Any]:
                cursor.execute(query, values)
                rows: list[Any] = cursor.fetchall()
                return rows

            found["settings"] = ask(throwaway.SERVER_SETTINGS)
            preloaded, found["data_directory"], sockets, found["encoding"] = ask(
                "SELECT pg_catalog.current_setting('shared_preload_libraries'),"
                " pg_catalog.current_setting('data_directory'),"
                " pg_catalog.current_setting('unix_socket_directories'),"
                " pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database"
                " WHERE datname = pg_catalog.current_database()"
            )[0]
            found["socket"] = sockets.split(",")[0].strip().strip('"')
            libraries = [library.strip() for library in preloaded.split(",") if library.strip()]
            found["libraries"] = throwaway.needed_libraries(libraries, ask(throwaway.LIBRARIES))
            found["unloaded"] = [name for name in libraries if name not in found["libraries"]]
            found["ordinary"] = [name for name, superuser in ask(restoring.ROLES) if not superuser]
            found["privileged"] = ask(restoring.PRIVILEGED)
            found["risky_keys"] = ask(restoring.RISKY_KEYS)
            made = ask(throwaway.ROLES)
            number = connection.server_version // 10000
            found["roles"] = [
                *(create for create, _, administrator in made if not administrator),
                *(alter for _, alter, _ in made),
                *(membership(row, number).as_string(cursor) for row in ask(throwaway.MEMBERSHIPS)),
                *(statement for (statement,) in ask(throwaway.ROLE_SETTINGS)),
            ]  # fmt: skip
            found["definition"] = database_settings.read(cursor, wanted["database"], wanted["database"])
            if connection.server_version >= throwaway.PARAMETER_RIGHTS_VERSION:
                found["roles"] += [statement for (statement,) in ask(throwaway.PARAMETER_RIGHTS)]
        return found

    def _provide_logins(self, cursor: Any) -> None:
        """Create the roles in the option ``roles``, or set LOGIN and INHERIT, which a rollback may have removed."""
        for name in self.chosen["roles"]:
            cursor.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", (name,))
            change = "ALTER" if cursor.fetchall() else "CREATE"
            cursor.execute(sql.SQL(f"{change} ROLE {{}} LOGIN INHERIT").format(sql.Identifier(name)))

    @contextlib.contextmanager
    def _throwaway_session(self, database: str) -> Any:
        """Yield a cursor on the throwaway server, in autocommit mode."""
        wanted = self.wanted
        opened = sessions.opened(wanted["user"], database, wanted["port"], host=self.server.place, autocommit=True)
        with opened as connection, connection.cursor() as cursor:
            yield cursor

    def _compare(self, tables: list[dict[str, Any]]) -> list[str]:
        """Return a sentence for each table whose restored rows differ from the dumped rows."""
        wanted = self.wanted
        where = (wanted["user"], wanted["database"], wanted["port"])
        opened = sessions.opened(*where, host=self.server.place, kind="reading")
        with opened as connection, connection.cursor() as cursor:
            return contents.differences(contents.read(cursor, wanted["hash_max_bytes"]), tables)


def membership(row: tuple[str, str, bool, bool, bool], version: int) -> Any:
    """Return the statement that makes a role a member of another; before PostgreSQL 16, ADMIN is the only option."""
    granted, member, admin, inherit, assume = row
    options = f"ADMIN {admin}, INHERIT {inherit}, SET {assume}" if version >= 16 else "ADMIN OPTION" if admin else ""
    return sql.SQL("GRANT {} TO {}" + (f" WITH {options}" if options else "")).format(
        sql.Identifier(granted), sql.Identifier(member)
    )
