"""The removal of the bridge from a migrated database (enforce.yml). Afterwards, every session must set its tenant."""

from __future__ import annotations

from ...module_utils.errors import UnsafeStateError
from .. import installed
from ..model.model import Model
from . import bridge, plan
from .statement import State, Statement


def build(state: State, model: Model) -> list[Statement]:
    """Return the statements that remove the bridge and its usage record.

    Raises UnsafeStateError if the database is not migrated completely.
    """
    left = plan.build(state, model)
    if left:
        migrate = installed.playbook("migrate")
        raise UnsafeStateError(
            [f"The database is not migrated completely ({len(left)} statements remain): run {migrate} first."]
        )
    return bridge.plan_remove_for_good(state, model)
