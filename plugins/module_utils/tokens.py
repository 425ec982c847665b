"""Bearer tokens that a service accepts because they are signed with its own secret (RFC 7519, HS256)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

ALGORITHM = "HS256"


def signed(claims: Mapping[str, Any], secret: str) -> str:
    """Return a signed token that contains the claims."""
    parts = [_encoded(json.dumps(part).encode()) for part in ({"alg": ALGORITHM, "typ": "JWT"}, claims)]
    content = ".".join(parts)
    signature = hmac.new(secret.encode("utf-8", "surrogateescape"), content.encode(), hashlib.sha256).digest()
    return f"{content}.{_encoded(signature)}"


def is_symmetric(secret: str) -> bool:
    """Return whether a secret can sign a token: a key in PEM format is for another algorithm."""
    return bool(secret) and "-----BEGIN" not in secret


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
