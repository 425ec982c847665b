"""The facts that the role service keeps from one inspection of the service."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from . import asked, database_url


def files(environment_file: str, url_file: str, role: str) -> list[dict[str, str]]:
    """Return the files that may contain DATABASE_URL: ``{kind, path}``; the path is "" if none is set.

    The first two are claims. The third is the environment file before a run gave the service the login ``role``.
    """
    kept = f"{environment_file}.before-{role}" if environment_file else ""
    return [
        {"kind": "file", "path": environment_file}, {"kind": "url", "path": url_file}, {"kind": "kept", "path": kept},
    ]  # fmt: skip


def of_witness(
    witness: Mapping[str, Any], named: Iterable[Mapping[str, str]], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the service's database and how the service runs: ``{asked, url, environment, state}``.

    ``witness`` is the result of the module service_witness. ``named`` are ``files`` in the order in which it read them.
    ``wanted`` is the argument of ``asked.judge``, whose answer is ``asked``. ``url`` and ``environment`` (the
    environment file in Base64) contain the password; ``state`` does not.
    """
    contents = [None if held is None else base64.b64decode(held).decode(errors="replace") for held in witness["files"]]
    texts = [
        {**file, "text": text, "real": real}
        for file, text, real in zip(named, contents, witness["real_files"], strict=True)
    ]
    answer = asked.judge(witness, texts, wanted)
    unit, next_environment = witness["unit"], witness["next_environment"]
    return {
        "asked": answer,
        "url": answer["url"],
        "environment": {"content": witness["files"][0] or ""},
        "state": {
            "unit_exists": unit["load_state"] == "loaded",
            "active": unit["active_state"] == "active",
            "main_pid": unit["main_pid"],
            "user": unit["user"],
            "listeners": witness["listeners"],
            # The file from which systemd reads DATABASE_URL, or how the unit sets it; and whether a run can rewrite it.
            "url_set_by": next_environment["set_by"],
            "url_rewritable": witness["rewritable"],
            "database_url": database_url.parse(answer["url"]) if answer["url"] else {},
        },
    }
