"""Test parameters that need a minimum version of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest


def cases(names: Iterable[str], since: Mapping[str, int]) -> list[Any]:
    """Return the names as test parameters. Those in ``since`` need at least the given major version."""
    return [
        pytest.param(name, marks=[pytest.mark.since(since[name])] if name in since else [], id=name) for name in names
    ]
