"""SCRAM-SHA-256 verifiers, which PostgreSQL stores instead of passwords, so that no statement contains a password."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

ITERATIONS = 4096


def verifier(password: str, salt: bytes | None = None) -> str:
    """Return the verifier for an ASCII ``password``, in the form that CREATE ROLE … PASSWORD accepts.

    See RFC 5802, section 3, and RFC 7677; the format is the one in PostgreSQL's pg_authid.rolpassword. Raises
    ValueError for a password that is not ASCII, because it needs normalization first (SASLprep).
    """
    if not password.isascii():
        raise ValueError("Only an ASCII password has the same encoding on every client.")
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
