"""The result of an inspection of the service."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from . import asked, database_url


def files(environment_file: str, url_file: str, role: str) -> list[dict[str, str]]:
    """Return the files that may contain DATABASE_URL, as ``{kind, path}``. The path is "" if no file is set.

    The first two count as claims. The third is the copy of the environment file that a run made before it gave the
    service the login ``role``.
    """
    kept = f"{environment_file}.before-{role}" if environment_file else ""
    return [
        {"kind": "file", "path": environment_file}, {"kind": "url", "path": url_file}, {"kind": "kept", "path": kept},
    ]  # fmt: skip


def of_witness(
    witness: Mapping[str, Any], named: Iterable[Mapping[str, str]], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the location and state of the service: ``{result, credentials}`` for the service role.

    ``witness`` is the result of the service_witness module, and ``named`` is the result of ``files``, in the order in
    which the module read them. ``wanted`` is as in ``asked.judge``, whose result without the URL becomes
    ``result.location``. ``credentials`` has the ``url``, and ``environment`` (the environment file in Base64). Both
    contain the password. ``result`` does not.
    """
    contents = [None if held is None else base64.b64decode(held).decode(errors="replace") for held in witness["files"]]
    texts = [
        {**file, "text": text, "real": real}
        for file, text, real in zip(named, contents, witness["real_files"], strict=True)
    ]
    answer = asked.judge(witness, texts, wanted)
    unit, next_environment = witness["unit"], witness["next_environment"]
    url = answer.pop("url")
    return {
        "credentials": {"url": url, "environment": witness["files"][0] or ""},
        "result": {
            "location": answer,
            "state": {
                "unit_exists": unit["load_state"] == "loaded",
                "active": unit["active_state"] == "active",
                "main_pid": unit["main_pid"],
                "user": unit["user"],
                "listeners": witness["listeners"],
                # The file from which systemd reads the URL, or how the unit sets it.
                "url_set_by": next_environment["set_by"],
                # Whether a new URL in the environment file takes effect at the next start.
                "url_rewritable": witness["rewritable"],
                "database_url": database_url.parse(url) if url else {},
            },
        },
    }
