"""Post a message to a webhook, and report a failure without the URL, whose path is a secret."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError

from ansible.module_utils.urls import open_url


def problem(result: Mapping[str, Any]) -> str:
    """Return why a post failed, from the result of ansible.builtin.uri; empty if the webhook received the message."""
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


def post(url: str, text: str, timeout: float) -> str:
    """Post a message. Return the reason why the webhook did not receive it; empty if it did.

    ``timeout`` in seconds limits each step of the request. The limit for the whole request, including the DNS lookup,
    is two seconds longer.
    """
    results: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: results.append(_request(url, text, timeout)), daemon=True)
    thread.start()
    thread.join(timeout + 2)
    return problem(results[0]) if results else "it did not respond in time"


def _request(url: str, text: str, timeout: float) -> dict[str, Any]:
    """Return the status or the message of a request, in the form of ansible.builtin.uri."""
    headers = {"Content-Type": "application/json"}
    try:
        # When open_url follows a redirect, it drops the message.
        answer = open_url(
            url, json.dumps({"text": text}).encode(), headers, "POST", timeout=timeout, follow_redirects="none"
        )
        return {"status": answer.getcode()}
    except HTTPError as error:
        return {"status": error.code}
    except (
        Exception
    ) as error:  # The libraries raise many kinds of errors, and none of them may stop a run.
        return {"msg": str(error)}
