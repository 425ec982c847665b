"""All invalid values are rejected together, each with its variable's name. The inventories' values are valid."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

import variables
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.host import settings

# The settings if an inventory sets only the required variables. The others are "".
PLAIN: dict[str, Any] = dict.fromkeys(settings.names(), "") | {
    "backup_directory": "/var/backups/ai-memory", "database_lock_timeout": "5s", "database_name": "ai_memory",
    "service_base_url": "http://127.0.0.1:8100", "service_name": "ai-memory", "tenancy_app_role": "ai_memory_app",
}  # fmt: skip


def invalid(**values: Any) -> list[str]:
    assert set(values) <= set(settings.names())
    return settings.invalid(PLAIN | values)


def test_what_is_left_out_is_not_refused() -> None:
    assert invalid() == []


SHORT_OR_OTHER = "it must be empty or have at least 8 characters, and service_smoke_user_id must start with it"


@pytest.mark.parametrize("name", settings.MINIMUMS)
def test_a_number_has_a_least_value(name: str) -> None:
    least = settings.MINIMUMS[name]
    # -e passes a number as a string, which the argument spec accepts in any notation of a whole number.
    accepted = (least, str(least), f"{least}.0", f"{least + 1}e3", least + 1)
    assert [found for value in accepted for found in invalid(**{name: value})] == []
    assert invalid(**{name: least - 1})[0] == f"{name} is {least - 1}: it must be at least {least}."


def test_each_number_is_a_variable_of_a_role() -> None:
    known = {name for role in variables.ROLES for name in variables.specs(role)}
    assert set(settings.names()) - known == set()


def test_each_whole_number_has_a_minimum() -> None:
    # Only watch.yml uses the variables of its role, and it has no preflight.
    specs = {name: spec for role in variables.ROLES if role != "watch" for name, spec in variables.specs(role).items()}
    assert {name for name, spec in specs.items() if spec["type"] == "int"} == set(settings.MINIMUMS)


@pytest.mark.parametrize(
    "name",
    [
        "tenancy_live_lock_timeout_ms", "tenancy_live_patience_seconds", "tenancy_transaction_timeout",
        "tenancy_proof_timeout", "tenancy_online_step_timeout", "tenancy_backfill_batch_seconds",
    ],
)  # fmt: skip
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    assert invalid(**{name: 0}) == [f"{name} is 0: it must be at least 1."]


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("backup_directory", "/", False), ("backup_directory", "/x/", False), ("backup_directory", "x", False),
        ("backup_directory", "/x\n", True),
        ("database_lock_timeout", "500 ms", True), ("database_lock_timeout", "5", False),
        ("database_lock_timeout", "0s", False), ("database_lock_timeout", "5s\n", False),
        ("database_name", 'Odd d é', True), ("database_name", "a/b", False), ("database_name", "-x", False),
        ("database_name", "", False),
        ("service_base_url", "https://localhost", True), ("service_base_url", "http://[::1]:81", True),
        ("service_base_url", "http://example.org", False), ("service_base_url", "http://localhost/x", False),
        ("service_name", "api@1", True), ("service_name", "api.service", False), ("service_name", "-x", False),
        ("tenancy_app_role", "pg_app", False), ("tenancy_app_role", "none", False), ("tenancy_app_role", "nones", True),
        ("report_webhook_url", "https://example.org/x", True), ("report_webhook_url", "http://example.org/x", False),
        ("report_webhook_url", "http://127.0.0.1:9/x", True), ("report_webhook_url", "https://a b", False),
    ],
)  # fmt: skip
def test_a_text_has_a_form(name: str, value: str, holds: bool) -> None:
    sentences = invalid(**{name: value})
    assert [sentence.split()[0] for sentence in sentences] == ([] if holds else [name])


@pytest.mark.parametrize("name", settings.CONFIRMATIONS)
def test_a_confirmation_is_a_text(name: str) -> None:
    unquoted, quoted = (yaml.safe_load(text) for text in (f"{name}: YES", f'{name}: "YES"'))
    assert invalid(**unquoted) == [f'{name} is True, not a text: quote it in YAML, as in {name}: "YES".']
    assert invalid(**{name: False}) == [f'{name} is False, not a text: quote it in YAML, as in {name}: "YES".']
    # The phase confirm compares a text with YES.
    assert invalid(**quoted) == invalid(**{name: "no"}) == []


def test_a_webhook_is_a_secret() -> None:
    assert "s3cret" not in invalid(report_webhook_url="http://example.org/s3cret")[0]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"service_health_request_timeout": 61, "service_health_timeout": "60"},
            "service_health_request_timeout is 61: it must be at most service_health_timeout, which is",
        ),
        (
            {"tenancy_column_adopted": True},
            "tenancy_column_adopted is true: service_smoke_tenant must be the tenant of service_smoke_user_id",
        ),
        (
            {"service_smoke_prefix": "smoke", "service_smoke_user_id": "smoke-1"},
            f"service_smoke_prefix is smoke: {SHORT_OR_OTHER}",
        ),
        (
            {"service_smoke_prefix": "smoke-test-", "service_smoke_user_id": "other"},
            f"service_smoke_prefix is smoke-test-: {SHORT_OR_OTHER}",
        ),
        (
            {"service_probe_interval": "0.01"},
            "service_probe_interval is 0.01: it must be at least 0.05.",
        ),
        (
            {"service_smoke": "read"},
            "service_smoke is read: service_read_endpoints must contain the endpoints to read.",
        ),
        (
            {"service_renew": "command"},
            "service_renew is command: service_renew_command must contain the command that renews the",
        ),
    ],
)
def test_values_must_go_together(values: dict[str, Any], sentence: str) -> None:
    assert [sentence in found for found in invalid(**values)] == [True]


def test_values_that_go_together_are_not_refused() -> None:
    assert invalid(
        service_health_request_timeout=60, service_health_timeout=60, service_smoke_prefix="smoke-test-",
        service_smoke_user_id="smoke-test-1", service_smoke="read", service_read_endpoints=[{"path": "/x"}],
        service_renew="command", service_renew_command=["true"],
        service_probe_interval="0.05",
    ) == []  # fmt: skip


def test_everything_is_told_at_once() -> None:
    assert len(invalid(backup_jobs=0, service_name="", service_smoke="read")) == 3
