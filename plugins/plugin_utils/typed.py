"""Errors with a remedy, as the errors of filters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.errors import TenancyError


def typed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with Ansible's error, and the same sentence, for an error with a remedy.

    The cause is left out: it may quote a value, such as a DATABASE_URL.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TenancyError as error:
            raise AnsibleFilterError(str(error)) from None

    return call
