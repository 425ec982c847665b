"""Check the values of variables in ways that an argument spec cannot, so that a run does not fail later."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ..whole import whole

# The variables that are numbers, each with its minimum value.
MINIMUMS = {
    "backup_copy_max_bytes": 0,
    "backup_hash_max_bytes": 0,
    "backup_jobs": 1,
    "backup_keep": 1,
    "database_port": 1,
    "migrate_watch_minutes": 0,
    "preflight_disk_margin_bytes": 0,
    "preflight_max_clock_skew_seconds": 1,
    "preflight_minimum_version": 0,
    "rehearse_max_duration": 1,
    "report_watch_bytes": 0,
    # A time limit for jobs. The state of a job is read once a second, so a limit below 2 s is too short.
    "report_watch_seconds": 2,
    "report_webhook_timeout": 1,
    "service_failsafe_seconds": 1,
    "service_health_request_timeout": 1,
    "service_health_timeout": 1,
    "service_journal_lines": 0,
    "service_renew_seconds": 1,
    "service_smoke_margin": 0,
    "service_watch_interval": 1,
    "support_journal_lines": 0,
    "support_log_lines": 0,
    "support_runs": 0,
    # With a time limit of 0, another session terminates the work as soon as it begins.
    "tenancy_backfill_batch_seconds": 1,
    "tenancy_bridge_quiet_seconds": 0,
    "tenancy_bridge_startup_seconds": 0,
    # 0 means no limit in PostgreSQL. Callers then wait behind the transaction for as long as it waits for its lock.
    "tenancy_live_lock_timeout_ms": 1,
    # With 0, the transaction has one attempt, and a lock that is not free never leads to a stop.
    "tenancy_live_patience_seconds": 1,
    "tenancy_live_rows": 0,
    "tenancy_max_downtime": 0,
    "tenancy_online_attempts": 1,
    # As for tenancy_live_lock_timeout_ms.
    "tenancy_online_lock_timeout_ms": 1,
    "tenancy_online_max_lag_bytes": 0,
    "tenancy_online_max_waiting": 1,
    "tenancy_online_patience_seconds": 0,
    "tenancy_online_rows": 0,
    "tenancy_online_step_timeout": 1,
    "tenancy_online_transaction_seconds": 1,
    "tenancy_proof_max_rows": 0,
    "tenancy_proof_timeout": 1,
    "tenancy_transaction_timeout": 1,
}

# Strings for programs on the server, which report an invalid value only after the service is stopped. Each has a
# pattern and its description.
TEXTS = {
    "backup_directory": (r"/.*[^/]", "an absolute path that does not end in /, such as /var/backups/ai-memory"),
    "database_lock_timeout": (r"[1-9][0-9]{0,4} ?(ms|s)", "a time with its unit, such as 5s or 500ms"),
    # The names of backup files contain the database's name. pg_dump reads a name with = as a connection string, and
    # Ansible's modules cannot quote ".
    "database_name": (
        r'[^"/=.-][^"/=]*',
        "a name without /, = and double quotes that does not start with a dot or a hyphen",
    ),
    "service_base_url": (
        r"https?://(127[.]0[.]0[.]1|localhost|\[::1\])(:[0-9]+)?",
        "a URL of the server itself, such as http://127.0.0.1:8100",
    ),
    "service_name": (
        r"(?!.*[.]service$)[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*",
        "the name of a systemd unit without .service",
    ),
    # PostgreSQL reserves the excluded names. The file name of the environment file's copy contains the role's name.
    "tenancy_app_role": (
        r'(?!pg_|public$|none$)[^"%/]+',
        "a role's name without /, % and double quotes that does not start with pg_",
    ),
}
# Matches the URL of a webhook, or "". Requests over the network must be encrypted.
WEBHOOK = r"(https://[!-~]+|http://(127[.]0[.]0[.]1|localhost|\[::1\])(:[0-9]+)?(/[!-~]*)?)?"
# The minimum number of seconds between probes. A shorter interval puts too much load on the service.
PROBE_INTERVAL = 0.05
# The answers to the confirmation prompts. Each must be the text YES.
CONFIRMATIONS = ("migrate_confirm", "enforce_confirm", "rollback_confirm")
OTHERS = (
    "service_probe_interval",
    "service_smoke", "service_smoke_prefix", "service_smoke_tenant", "service_smoke_user_id", "service_read_endpoints",
    "report_webhook_url", "tenancy_column_adopted", "service_renew", "service_renew_command",
)  # fmt: skip


def names() -> list[str]:
    """Return the names of the variables that ``invalid`` checks."""
    return [*MINIMUMS, *TEXTS, *CONFIRMATIONS, *OTHERS]


def invalid(values: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each invalid value.

    ``values`` contains the values of the variables in ``names``. The value "" means that the variable is not set, so
    its default applies.
    """
    given = {name: value for name, value in values.items() if value != ""}
    return [*_numbers(given), *_texts(given), *_confirmations(given), *_together(given)]


def _numbers(values: Mapping[str, Any]) -> Iterator[str]:
    for name, least in MINIMUMS.items():
        # The argument spec rejects a value that is not a number.
        if name in values and whole(values[name]) < least:
            yield f"{name} is {values[name]}: it must be at least {least}."


def _texts(values: Mapping[str, Any]) -> Iterator[str]:
    for name, (pattern, must) in TEXTS.items():
        if not re.fullmatch(pattern, str(values.get(name, ""))):
            yield f"{name} is {values.get(name, '')}: it must be {must}."


def _confirmations(values: Mapping[str, Any]) -> Iterator[str]:
    for name in CONFIRMATIONS:
        # YAML reads YES, yes, on and true as the same boolean. Only YES in capitals may confirm a change, so a boolean
        # does not confirm it.
        if not isinstance(values.get(name, ""), str):
            yield f'{name} is {values[name]}, not a text: quote it in YAML, as in {name}: "YES".'


def _together(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each invalid combination of values."""
    request, limit = values.get("service_health_request_timeout"), values.get("service_health_timeout")
    if request is not None and limit is not None and whole(request) > whole(limit):
        yield (
            f"service_health_request_timeout is {request}: it must be at most service_health_timeout, which is {limit}."
        )
    prefix = values.get("service_smoke_prefix", "")
    if prefix and (len(prefix) < 8 or not str(values.get("service_smoke_user_id", "")).startswith(prefix)):
        yield (
            f"service_smoke_prefix is {prefix}: it must be empty or have at least 8 characters, and"
            " service_smoke_user_id must start with it."
        )
    if float(values.get("service_probe_interval", PROBE_INTERVAL)) < PROBE_INTERVAL:
        yield f"service_probe_interval is {values['service_probe_interval']}: it must be at least {PROBE_INTERVAL}."
    if values.get("service_smoke") == "read" and not values.get("service_read_endpoints"):
        yield "service_smoke is read: service_read_endpoints must contain the endpoints to read."
    if values.get("service_renew") == "command" and not values.get("service_renew_command"):
        yield (
            "service_renew is command: service_renew_command must contain the command that renews the sessions, as a"
            " list of words."
        )
    # By default, service_smoke_tenant is the default tenant, which does not exist if the column is adopted.
    if (
        boolean(values.get("tenancy_column_adopted", False), strict=False)
        and values.get("service_smoke", "full") != "none"
        and not values.get("service_smoke_tenant")
    ):
        yield (
            "tenancy_column_adopted is true: service_smoke_tenant must be the tenant of service_smoke_user_id, unless"
            " service_smoke is none."
        )
    if not re.fullmatch(WEBHOOK, str(values.get("report_webhook_url", ""))):
        yield (
            "report_webhook_url is not the URL of a webhook (a secret, not shown here): it must start with"
            " https:// (http:// only for this machine) and contain no spaces. If it is empty, nothing is sent."
        )
