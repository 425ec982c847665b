"""Errors that the collection raises. Each message is for the operator, and names the cause and the remedy."""

from __future__ import annotations

from .messages import visible


class TenancyError(ValueError):
    """Base class of errors that the collection's filters and modules report to the operator."""


class ModelError(TenancyError):
    """The model (group_vars) is invalid, so no statement is planned."""


class UnsafeStateError(TenancyError):
    """The database is in a state that cannot be changed safely.

    The error contains every obstacle, so that one run reports all of them.
    """

    def __init__(self, obstacles: list[str]) -> None:
        """Number the obstacles in the message."""
        self.obstacles = list(obstacles)
        super().__init__(" ".join(f"[{number}] {visible(text)}" for number, text in enumerate(obstacles, start=1)))
