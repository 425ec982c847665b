"""Convert the values of variables that are whole numbers."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.validation import check_type_int


def whole(value: Any) -> int:
    """Return a whole number from the value of a variable, such as 5, "5", "5.0" or "1e9".

    A value from -e is text. The function accepts the same values as an argument spec, which has checked the variable
    but does not convert it. Raises TypeError for other values.
    """
    return int(check_type_int(value))
