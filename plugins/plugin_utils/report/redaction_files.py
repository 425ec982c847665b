"""Whole files for whoever helps from afar: logs, catalogs, settings, units and the environment file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from io import StringIO
from typing import Any

from dotenv import dotenv_values

from ...module_utils.redaction import MARK, Known, message, secrets, without
from ...module_utils.redaction_logs import journal, journal_message, postgresql_log
from ...module_utils.redaction_sql import definition, statement

# Where a document holds SQL, lines of the journal, what somebody sent, what people wrote for themselves, and words that
# PostgreSQL or this runbook chose.
_SQL = """sql undo definition constraint_definition body default using check with_check columns expression statements
online"""
_JOURNAL = {"lines", "failures", "trouble"}
# Phases whose failures quote the journal.
_QUOTING = ("journal", "watch")
# Of a line of the journal: when, where and who. In an execution log such lines are a block of code.
_HEAD = r"\S+ \S+ \S+?\[\d+\]: "
_INDENT = "    "
_SENT = {"query"}
_FREE = {"comment", "constraint_comment"}
_CHOSEN = {
    "type",
    "kind",
    "constraint_type",
    "state",
    "wait_event",
    "wait_event_type",
    "vartype",
    "source",
    "unit",
    "password_method",
}
_UNIT_KEYS = re.compile(
    r"Description|Documentation|After|Before|Requires|Wants|BindsTo|PartOf|Conflicts|User|Group|SupplementaryGroups|"
    r"DynamicUser|WorkingDirectory|RootDirectory|EnvironmentFile|Type|Exec\w+|Restart\w*|Start\w+|Timeout\w+|Kill\w+|"
    r"Limit\w+|Memory\w+|CPU\w+|Tasks\w+|Nice|UMask|PIDFile|Protect\w+|Private\w+|NoNewPrivileges|Read\w+Paths|"
    r"Standard(?:Output|Error)|SyslogIdentifier|WantedBy|RequiredBy|Also|Alias|Slice|RuntimeDirectory|StateDirectory|"
    r"Condition\w+|Assert\w+|WatchdogSec|NotifyAccess|DefaultDependencies|RemainAfterExit"
)
_ASSIGNED = re.compile(r"[\"']?[A-Z][A-Z0-9_]*|--?[A-Za-z]+(?:-[a-z]+)*")
_PATH = re.compile(r"-?[-@:+!]*/[\w./@+-]*|[\w@.%-]+\.(service|target|socket|slice)")
# What gunicorn and uvicorn are told in the open.
_SWITCHES = """
w b k t c m workers bind worker-class timeout config threads graceful-timeout keep-alive max-requests
max-requests-jitter preload log-level access-logfile error-logfile capture-output host port reload loop http chdir
worker-connections backlog no-access-log proxy-headers umask log-file pid
"""
# Settings of PostgreSQL whose text is none of anybody's.
_TEXT_SETTINGS = """
cluster_name config_file data_directory datestyle default_text_search_config external_pid_file hba_file ident_file
lc_messages lc_monetary lc_numeric lc_time listen_addresses log_destination log_directory log_file_mode log_filename
log_line_prefix log_timezone search_path session_preload_libraries shared_preload_libraries ssl_ca_file ssl_cert_file
ssl_ciphers ssl_crl_file ssl_key_file stats_temp_directory synchronous_standby_names syslog_ident timezone
timezone_abbreviations unix_socket_directories unix_socket_group unix_socket_permissions local_preload_libraries
default_tablespace temp_tablespaces default_table_access_method jit_provider server_version dynamic_library_path
krb_server_keyfile
"""


def environment(text: str, known: Known) -> str:
    """Return the names that an environment file sets, without any value; names as variables have them."""
    names = [
        name
        for name in dotenv_values(stream=StringIO(text), interpolate=False)
        if re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name)
    ]
    return "".join(f"{name}={MARK}\n" for name in names)


def unit(text: str, known: Known) -> str:
    """Return a unit as ``systemctl cat`` writes it: values of known options, in ``Exec`` without assignments."""
    kept = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        option = re.fullmatch(r"\s*(\w+)\s*=\s*(.*)", line)
        if re.fullmatch(r"# /[\w./@\\-]+|\[\w+\]|\s*", line):
            kept.append(line)
        elif option and option[1] == "Environment":
            names = re.findall(r"(?:^|[\s\"'])([A-Z][A-Z0-9_]*)=", option[2])
            kept.append(f"Environment={' '.join(f'{name}={MARK}' for name in names) or MARK}")
        elif option and _UNIT_KEYS.fullmatch(option[1]):
            kept.append(f"{option[1]}={_value(option[2], known)}")
        else:
            kept.append(f"{option[1]}={MARK}" if option else f"# {MARK}")
    return "\n".join(kept) + "\n"


def _value(text: str, known: Known) -> str:
    """Return the words of an option's value: paths, switches and known words; no assignment's value.

    A switch that a server of this kind does not have may be followed by a secret, or hold one.
    """
    words = []
    after_stranger = False
    for word in text.split():
        assigned = re.fullmatch(r"([-\w\"']+)=(.*)", word)
        is_switch = re.match(r"-{1,2}[A-Za-z]", word) is not None
        if after_stranger and not is_switch and not _PATH.fullmatch(word):
            words.append(MARK)
        elif assigned:
            is_known = assigned[1].lstrip("-") in _SWITCHES.split()
            # What ends in signs of equality may be a secret in base64.
            name = assigned[1] if _ASSIGNED.fullmatch(assigned[1]) and assigned[2].strip("=") else MARK
            words.append(f"{name}={message(assigned[2], known, numbers=True) if is_known else MARK}")
        elif is_switch:
            words.append(word if re.fullmatch(r"-[A-Za-z]|--[a-z]+(-[a-z]+)*", word) else MARK)
        elif _PATH.fullmatch(word) or _application(word, known):
            words.append(word)
        else:
            words.append(message(word, known, numbers=True))
        if is_switch or _PATH.fullmatch(word):
            after_stranger = is_switch and not assigned and word.lstrip("-") not in _SWITCHES.split()
    return " ".join(words)


def _application(word: str, known: Known) -> bool:
    """Say whether a word is where a server finds its application, as ``module:name``, both known."""
    return re.fullmatch(r"[a-z_.]+:[a-z_]+", word) is not None and all(map(known.word, re.split("[.:]", word)))


def _journal_line(line: str, known: Known) -> str:
    return journal_message(re.sub(f"^{_HEAD}", "", line), known)


def log(text: str, known: Known) -> str:
    """Return an execution log line by line, with known words and numbers; without these where it quotes the journal."""
    quoting = tuple(f"Phase {phase}," for phase in _QUOTING)
    kept = []
    for line in text.splitlines():
        if re.match(_INDENT + _HEAD, line):
            kept.append(_INDENT + _journal_line(line.removeprefix(_INDENT), known))
        else:
            kept.append(message(line, known, numbers=not line.startswith((_INDENT, *quoting))))
    return "\n".join(kept) + "\n"


def dump(text: str, known: Known) -> str:
    """Return a dump of the schema without comments and without literals that may be data."""
    return definition(text, known)


def document(text: str, known: Known) -> str:
    """Return a JSON document with known words; SQL, journal and settings as they are treated elsewhere."""
    try:
        found = json.loads(text)
    except ValueError:
        return f"{MARK} no JSON\n"
    return json.dumps(_walk(found, "", known), indent=2, ensure_ascii=False) + "\n"


def _walk(value: Any, key: str, known: Known) -> Any:
    if isinstance(value, dict):
        if {"name", "setting"} <= value.keys():
            return setting(value, known)
        if value.get("phase") in _QUOTING and isinstance(value.get("message"), str):
            value = {**value, "message": message(value["message"], known)}
        return {_field(name, key, known): _walk(item, name, known) for name, item in value.items()}
    if isinstance(value, list):
        return [_walk(item, key, known) for item in value]
    if not isinstance(value, str):
        return value
    return _text(value, key, known)


def _field(name: str, key: str, known: Known) -> str:
    """Return the name of a field: those of ``tenants`` are what the tenant column holds, which may be no number yet."""
    if key == "tenants":
        return name if re.fullmatch(r"-?\d{1,5}|NULL", name) else MARK
    return name if known.title(name) or re.fullmatch(r"[a-z][a-z_]{0,40}", name) else message(name, known)


def _text(value: str, key: str, known: Known) -> str:
    if key in _FREE:
        return MARK
    if key in _SQL.split():
        return definition(value, known, trusted=key != "body")
    if key in _SENT:
        return statement(value, known)
    if key in _JOURNAL:
        return _journal_line(value, known)
    if key in _CHOSEN and re.fullmatch(r"[A-Za-z][A-Za-z_ -]{0,40}", value):
        return value
    if key == "sha256" and re.fullmatch("[0-9a-f]{64}", value):
        return value
    if key == "settings":
        name, _, given = value.partition("=")
        shown = setting({"name": name, "setting": given}, known)
        return f"{shown['name']}={shown['setting']}"
    return value if value in known.names else message(value, known, numbers=True)


def table(text: str, known: Known) -> str:
    """Return lines of short words, such as the sizes of disks; others are removed."""
    return "".join(f"{line if _short_words(line) else MARK}\n" for line in text.splitlines())


def _short_words(text: str) -> bool:
    return re.fullmatch(r"[\w .,/%+~:@=()-]{0,200}", text, re.ASCII) is not None and not re.search(r"\d{7}", text)


def versions(text: str, known: Known) -> str:
    """Return a JSON document of versions, of which each is a text of few words."""
    return json.dumps(_short(json.loads(text)), indent=2, ensure_ascii=False) + "\n"


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(item) for name, item in value.items()}
    return value if _short_words(str(value)) else MARK


def setting(row: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """Return a setting of PostgreSQL: its text only where the setting is one that holds nobody's."""
    name, value = str(row["name"]), str(row["setting"])
    typed = row.get("vartype") in ("bool", "integer", "real", "enum")
    # Numbers, switches, and tenants.
    harmless = (
        typed
        or name.lower() in _TEXT_SETTINGS.split()
        or re.fullmatch(r"-?[\d.]{1,5}\s?(ms|s|min|[kMG]B)?|on|off", value)
    )
    rest = {key: item if not isinstance(item, str) else message(item, known, numbers=True) for key, item in row.items()}
    return rest | {"name": name if known.title(name) else message(name, known), "setting": value if harmless else MARK}


KINDS: dict[str, Callable[[str, Known], str]] = {
    "document": document,
    "dump": dump,
    "environment": environment,
    "journal": journal,
    "log": log,
    "postgresql_log": postgresql_log,
    "table": table,
    "unit": unit,
    "versions": versions,
}


def redacted(taken: Iterable[Mapping[str, Any]], names: Iterable[str], environment_file: str) -> list[dict[str, Any]]:
    """Return what was taken as files without secrets and data: name, content, removed (how often).

    ``taken`` are dicts with name, kind (one of KINDS) and text.
    """
    known = Known(names)
    values = secrets(environment_file, known)
    files = []
    for item in taken:
        content = without(KINDS[item["kind"]](item["text"], known), values)
        files.append({**item, "content": content, "removed": content.count(MARK)})
    for file in files:
        del file["text"]
    return files
