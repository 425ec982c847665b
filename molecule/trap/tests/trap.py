"""The trap: code that the service's role has planted, and a record of when it ran with more privileges than that role
has."""

from __future__ import annotations

from pathlib import Path

from lab import OWNER, Host

LOG = "$(ls -t /var/log/postgresql/*.log | head -1)"
# The table with the rule is not a tenant table, so the model lists it as readable.
READABLE = '-e{"tenancy_readable": ["public.trap_ruled"]}'
# An index whose predicate is constant for PostgreSQL's planner, and the function in the predicate.
CONSTANT = """
CREATE FUNCTION public.trap_constant(pg_catalog.int4) RETURNS pg_catalog.bool IMMUTABLE LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_note('constant'); RETURN true; END $$;
ALTER FUNCTION public.trap_constant(pg_catalog.int4) OWNER TO alice;
CREATE INDEX trap_constant ON public.memories (k) WHERE public.trap_constant(1)
"""
PLANT = Path(__file__).resolve().parents[1] / "plant.sql"


class Trap:
    """A database in which the service's role has planted code for the administrator."""

    def __init__(self, machine: Host, database: str = "ai_memory") -> None:
        """Plant the code."""
        self._machine = machine
        with_role = f"SET SESSION AUTHORIZATION {OWNER};\n{PLANT.read_text()}"
        machine.run(f"sudo truncate --size=0 {LOG}")
        # psql must stop at the first error, because otherwise a failed statement would go unnoticed.
        machine.run(f"psql -X -q -v ON_ERROR_STOP=1 {database}", given=with_role)
        self._read = self._size()

    def _size(self) -> int:
        return int(self._machine.run(f"sudo stat --format=%s {LOG}"))

    def sprung(self) -> list[str]:
        """Return a note for each piece of planted code that has run with more privileges than its owner has.

        A note names the code and the role that ran it. Earlier calls' notes are not returned again.
        """
        begin, self._read = self._read, self._size()
        # Only messages that begin with TRAP count, because a logged statement that plants code also contains TRAP.
        found = self._machine.run(f"sudo tail --bytes=+{begin + 1} {LOG} | grep -o 'LOG: *TRAP .*' | sort -u || true")
        return [line.split("TRAP ", 1)[1] for line in found.splitlines()]
