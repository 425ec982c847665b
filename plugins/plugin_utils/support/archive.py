"""The archive for support: files with facts, the reasons for missing files, and the names behind the pseudonyms."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import documents, host, logs
from .names import Names
from .shapes import Shape, pick

_DOCUMENTS: dict[str, Shape] = {
    "roles": documents.ROLES,
    "run": documents.RUN,
    "sessions": documents.SESSIONS,
    "settings": documents.SETTINGS,
    "sizes": documents.SIZES,
    "state": documents.STATE,
    "verification": documents.VERIFICATION,
    "versions": documents.VERSIONS,
}
_PRINTED: dict[str, Callable[[str, Names], Any]] = {
    "disks": host.disks,
    "environment": host.environment,
    "service": host.service,
    "unit": host.unit,
}
_LOGS: dict[str, Callable[[str, str], str]] = {"journal": logs.of_journal, "postgresql_log": logs.of_postgresql}
# These functions do not change the text. They are used only if the operator requested raw logs.
_RAW: dict[str, Callable[[str], str]] = {"raw": str, "raw_journal": logs.raw_journal}


def archive(taken: Iterable[Mapping[str, Any]], known: Iterable[str]) -> dict[str, Any]:
    """Return ``files`` (name, what, content), ``missing`` (name, what, why) and ``pseudonyms`` (name by pseudonym).

    ``taken`` are dicts with name, kind, what, and either text or why (the reason why the text is missing). Logs also
    have unit. The kind is a key of _DOCUMENTS, _PRINTED, _LOGS or _RAW. ``known`` are the names that the archive may
    show.
    """
    names = Names([*known, *documents.BUILT_IN])
    files, missing = [], []
    for item in taken:
        about = {"name": item["name"], "what": item["what"]}
        try:
            if "text" in item:
                files.append({**about, "content": _content(item, names)})
            else:
                missing.append({**about, "why": item["why"]})
        except (ValueError, KeyError, TypeError, AttributeError):
            missing.append({**about, "why": "it has an unknown format"})
    return {"files": files, "missing": missing, "pseudonyms": names.pseudonyms}


def _content(item: Mapping[str, Any], names: Names) -> str:
    kind, text = item["kind"], item["text"]
    if kind in _RAW:
        return _RAW[kind](text)
    if kind in _LOGS:
        return _LOGS[kind](text, item["unit"])
    found = _PRINTED[kind](text, names) if kind in _PRINTED else pick(json.loads(text), _DOCUMENTS[kind], names)
    return json.dumps(found, indent=2) + "\n"
