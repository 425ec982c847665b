"""The reason why a webhook did not get a message, without its URL, whose path is a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def problem(result: Mapping[str, Any]) -> str:
    """Return the reason from the result of ansible.builtin.uri; empty if the webhook got the message."""
    status, message = result.get("status", -1), str(result.get("msg", ""))
    if status in range(200, 300):
        return ""
    if status > 0:
        return f"it responded with HTTP status {status}"
    if "CERTIFICATE_VERIFY_FAILED" in message:
        return "its certificate is not trusted on this machine"
    if "timed out" in message:
        return "it did not respond in time"
    # A message of the operating system does not contain the URL.
    found = re.search(r"\[Errno -?\d+\] ([A-Za-z ]+)", message)
    return found[1] if found else "the connection failed"
