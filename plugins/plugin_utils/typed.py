"""A decorator that turns a TenancyError into an AnsibleFilterError."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.errors import TenancyError


def typed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function``, changed to raise AnsibleFilterError instead of TenancyError, with the same message.

    The original exception is not attached as the cause, because it may quote a value such as a DATABASE_URL.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TenancyError as error:
            raise AnsibleFilterError(str(error)) from None

    return call
