"""The parts of an audit rule. Each file in ``rules/`` defines one rule, which is named after the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..catalog import state as catalog
from ..changes.statement import State
from ..model.model import Model

# An error ends the run unless the plan fixes it. A warning is only shown.
ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Inspected:
    """The inspected database: its state document, the model, and the options parameter of DATABASE_URL."""

    state: State
    model: Model
    url_options: str

    def relations(self) -> Iterator[catalog.Relation]:
        """Yield the existing tenant tables and their partitions."""
        for table in catalog.tables(self.state, self.model):
            yield from catalog.relations(self.state, self.model, table)


class Sql(str):
    """Statements that a superuser runs in the migrated database."""

    __slots__ = ()


class ServiceStatement(str):
    """A statement that the service runs before the database is migrated."""

    __slots__ = ()


class UrlOptions(str):
    """The options parameter of DATABASE_URL."""

    __slots__ = ()


class ServerVersion(str):
    """The version of the server, such as 17.11."""

    __slots__ = ()


class Inventory(str):
    """YAML whose entries are added to the variables of the inventory."""

    __slots__ = ()


Example = Sql | ServiceStatement | UrlOptions | ServerVersion | Inventory
Judgement = Callable[[Inspected], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One way to bypass row security: its detection, its effect and its remedy.

    At least one of ``sql``, ``service_statement`` and ``judge`` detects it:

    * ``sql`` is a query that returns one column: the subjects, such as the names of tables or roles. It reads the
      catalogs and the common table expressions of ``catalog.sql``, and takes no arguments.
    * ``service_statement`` is an SQL condition on ``query``, a statement of the service. ``title`` is a pattern that
      matches a tenant table's name, and ``lacks_column`` is true if the table has no tenant column. The subjects are
      the tables for which the condition is true.
    * ``judge`` takes the inspected database, and returns the subjects.

    The tests apply ``bad`` on real servers. The rule must then report exactly ``found``. The tests then apply ``good``,
    and the rule must report nothing. The rule's documentation shows both examples. ``setup`` is SQL that runs before
    the examples. The documentation does not show it.
    """

    severity: str
    # Sentences for the operator.
    why: str
    remedy: str
    bad: Example
    good: Example
    found: str
    sql: str = ""
    service_statement: str = ""
    judge: Judgement | None = None
    # Returns the subjects that the plan fixes. These subjects do not end the run.
    fixed_by_plan: Judgement | None = None
    setup: str = ""


def named_functions(inspected: Inspected) -> list[str]:
    """Return the functions whose bodies the plan replaces, each as PostgreSQL prints it: name(type,type)."""
    return [f"{item.name}({item.identity.replace(', ', ',')})" for item in inspected.model.functions]
