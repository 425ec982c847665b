"""Post a message to a webhook, and report failures without the URL, because its path is a secret."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError

from ansible.module_utils.urls import open_url


def problem(result: Mapping[str, Any]) -> str:
    """Return why a request to a webhook failed, or "" if the webhook received the message.

    ``result`` is the result of ansible.builtin.uri.
    """
    status, message = result.get("status", -1), str(result.get("msg", ""))
    if status in range(200, 300):
        return ""
    if status > 0:
        return f"it responded with HTTP status {status}"
    if "CERTIFICATE_VERIFY_FAILED" in message:
        return "its certificate is not trusted on this machine"
    if "timed out" in message:
        return "it did not respond in time"
    # An error message from the operating system does not contain the URL.
    found = re.search(r"\[Errno -?\d+\] ([A-Za-z ]+)", message)
    return found[1] if found else "the connection failed"


def post(url: str, text: str, timeout: float) -> str:
    """Post the message ``text`` to ``url``. Return why the webhook did not receive the message, or "" if it did.

    ``timeout``, in seconds, limits each step of the request. The limit for the whole request, including the DNS lookup,
    is two seconds longer.
    """
    results: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: results.append(_request(url, text, timeout)), daemon=True)
    thread.start()
    thread.join(timeout + 2)
    return problem(results[0]) if results else "it did not respond in time"


def _request(url: str, text: str, timeout: float) -> dict[str, Any]:
    """Send the request, and return its status or error message in the form of ansible.builtin.uri."""
    headers = {"Content-Type": "application/json"}
    try:
        # Do not follow redirects, because open_url drops the message when it follows one.
        answer = open_url(
            url, json.dumps({"text": text}).encode(), headers, "POST", timeout=timeout, follow_redirects="none"
        )
        return {"status": answer.getcode()}
    except HTTPError as error:
        return {"status": error.code}
    except Exception as error:  # The libraries raise many kinds of errors, none of which may stop a run.
        return {"msg": str(error)}
