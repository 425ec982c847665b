"""Telling a chat of something through a webhook, in a limited time, and why it was not told."""

from __future__ import annotations

import json
import ssl
import threading
import urllib.error
import urllib.request
from typing import Any


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Take a redirect for what it is: it would be followed without the message, and answered with 200."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


def _send(request: urllib.request.Request, timeout: float) -> str:
    # Proxies of the environment alone: asking macOS for its own ends a forked process.
    proxies = urllib.request.ProxyHandler(urllib.request.getproxies_environment())
    try:
        with urllib.request.build_opener(proxies, _NoRedirect).open(request, timeout=timeout):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered with HTTP status {error.code}"
    except OSError as error:
        return _reason(getattr(error, "reason", error))
    except Exception as error:
        # Its text may quote the URL, which is the secret.
        return f"it gave no answer that HTTP knows ({type(error).__name__})"


def _reason(error: object) -> str:
    """Return what an error of the network says, without the names in it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted on this machine"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return getattr(error, "strerror", None) or f"the connection failed ({type(error).__name__})"


def post(url: str, text: str, timeout: float) -> str:
    """Post ``{"text": text}`` to ``url`` in at most ``timeout`` seconds; return why it failed, nothing when it did not.

    Nothing is raised, and what is returned never quotes the URL, whose path is the secret of such webhooks.
    """
    try:
        request = urllib.request.Request(
            url, json.dumps({"text": text}).encode(), {"Content-Type": "application/json"}, method="POST"
        )
    except ValueError:
        return "its URL is none"
    answers: list[str] = []
    # The time limit of a socket is one for each step, and looking the name up has none.
    thread = threading.Thread(target=lambda: answers.append(_send(request, timeout)), daemon=True)
    thread.start()
    thread.join(timeout)
    return answers[0] if answers else f"it did not answer within {timeout:g} s"
