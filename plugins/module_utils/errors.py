"""Errors of the planner: each says what is wrong and what to do about it."""

from __future__ import annotations

from .messages import visible


class TenancyError(ValueError):
    """Base of all errors that the planner raises on purpose."""


class ModelError(TenancyError):
    """The wanted model (group_vars) is wrong: nothing was read from or sent to a database."""


class UnsafeStateError(TenancyError):
    """The database is in a state that cannot be reconciled safely.

    Carries every obstacle at once, so that one run tells the operator all of them.
    """

    def __init__(self, obstacles: list[str]) -> None:
        """Number the obstacles in the message."""
        self.obstacles = list(obstacles)
        super().__init__(" ".join(f"[{number}] {visible(text)}" for number, text in enumerate(obstacles, start=1)))
