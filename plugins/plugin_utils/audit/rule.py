"""The parts of a rule of the audit. Each rule is one file in ``rules/``, whose name is the rule's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..catalog import state as catalog
from ..changes.statement import State
from ..model.model import Model

# An error ends the run unless the plan fixes it; a warning is shown.
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
    """YAML of the inventory: entries to add to those of a variable."""

    __slots__ = ()


Example = Sql | ServiceStatement | UrlOptions | ServerVersion | Inventory
Judgement = Callable[[Inspected], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One way to bypass row security: how to find it, why it matters, and the remedy.

    One or several of ``sql``, ``service_statement`` and ``judge`` find it:

    * ``sql`` selects one column of subjects. It reads the catalogs and the relations of ``catalog.sql``, and takes no
      arguments.
    * ``service_statement`` is an SQL condition on ``query``, a statement of the service. ``title`` is a pattern of
      a tenant table's name, and ``lacks_column`` says whether it has no tenant column. The subjects are those tables.
    * ``judge`` returns the subjects from the inspected database.

    ``bad`` is the rule's mutant: the tests plant it on real servers, and the rule must then name ``found`` and
    nothing else. The tests then run ``good``, and the rule must find nothing. The page of the rule shows both.
    ``setup`` runs before them and is not shown.
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
    # The subjects that the plan fixes: they do not end the run.
    fixed_by_plan: Judgement | None = None
    setup: str = ""


def named_functions(inspected: Inspected) -> list[str]:
    """Return the functions of the model, whose bodies the plan replaces, as the catalogs name them."""
    return [f"{item.name}({item.identity.replace(', ', ',')})" for item in inspected.model.functions]
