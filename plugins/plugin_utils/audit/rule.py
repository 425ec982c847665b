"""The parts of an audit rule. Each rule is one file in ``rules/``; the file's name is the name of the rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..catalog import state as catalog
from ..changes.statement import State
from ..model.model import Model

# An error stops the run unless the plan fixes it; a warning is only shown.
ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Inspected:
    """The inspected database: its state document, the model, and the options of DATABASE_URL."""

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
    """A statement that the service runs in the database before it is migrated."""

    __slots__ = ()


class UrlOptions(str):
    """The options of DATABASE_URL."""

    __slots__ = ()


class ServerVersion(str):
    """The version of the server, such as 17.11."""

    __slots__ = ()


class Inventory(str):
    """YAML for the inventory: entries that are added to a variable."""

    __slots__ = ()


Example = Sql | ServiceStatement | UrlOptions | ServerVersion | Inventory
Judgement = Callable[[Inspected], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One way to bypass row security: its detection, its effect and its remedy.

    At least one of ``sql``, ``service_statement`` and ``judge`` detects it:

    * ``sql`` is a query that returns one column: the subjects. It reads the catalogs and the relations of
      ``catalog.sql``, and takes no arguments.
    * ``service_statement`` is an SQL condition on ``query``, a statement of the service. ``title`` is a pattern of
      a tenant table's name, and ``lacks_column`` is true if the table has no tenant column. The subjects are those
      tables.
    * ``judge`` returns the subjects from the inspected database.

    The tests apply ``bad`` on real servers. The rule must then report exactly ``found``. The tests then apply ``good``,
    and the rule must report nothing. The documentation of the rule shows both examples. ``setup`` runs before them, and
    is not shown.
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
    # The subjects that the plan fixes. They do not stop the run.
    fixed_by_plan: Judgement | None = None
    setup: str = ""


def named_functions(inspected: Inspected) -> list[str]:
    """Return the functions of the model, whose bodies the plan replaces, with their names as in the catalogs."""
    return [f"{item.name}({item.identity.replace(', ', ',')})" for item in inspected.model.functions]
