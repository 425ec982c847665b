"""The supported types of the tenant column, and the forms of a tenant: in SQL, as printed, and in the bridge."""

from __future__ import annotations

import itertools
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from ...module_utils.errors import ModelError
from ...module_utils.quoting import literal

Tenant = int | str
# An invalid setting: identity, description of the session, value of the setting, and possible errors.
InvalidSetting = tuple[str, str, str, tuple[str, ...]]

# Outcomes in the form that proof.sql reports. For error codes, see the PostgreSQL manual, appendix A.
NOT_OF_THE_TYPE, OUT_OF_RANGE = ("error 22P02",), ("error 22003",)


class TenantType(ABC):
    """A type of the tenant column."""

    def __init__(self, name: str) -> None:
        """Set the name of the type, in the form that format_type returns."""
        self.name = name

    @abstractmethod
    def tenant(self, value: Any) -> Tenant:
        """Return ``value`` in the form that PostgreSQL prints. Raises ModelError if ``value`` is not a tenant."""

    def constant(self, tenant: Tenant) -> str:
        """Return the tenant as an SQL constant."""
        return f"{literal(tenant).strip()}::{self.name}"

    def printed_constant(self, tenant: Tenant) -> str:
        """Return the constant as PostgreSQL prints it: without the E before the quote, and with single backslashes."""
        return self.constant(tenant).removeprefix("E").replace("\\\\", "\\")

    def session(self, setting: str) -> str:
        """Return the session's tenant as an SQL expression: NULL if the setting is unset, reset or empty."""
        return f"nullif(current_setting({literal(setting)}, true), '')::{self.name}"

    def printed_session(self, setting: str) -> str:
        """Return the result of ``session`` as pg_get_expr of PostgreSQL 12 to 18 prints it."""
        return f"(NULLIF(current_setting({literal(setting)}::text, true), ''::text))::{self.name}"

    @abstractmethod
    def bridge(self, tenant: Tenant) -> str:
        """Return the tenant in an equivalent form that identifies the bridge, because no session uses this form."""

    @abstractmethod
    def plain(self, spelled: str) -> str:
        """Return the usual form of a tenant. ``spelled`` has the form that ``bridge`` returns."""

    @abstractmethod
    def unused_tenants(self) -> Iterator[str]:
        """Yield tenants that are unlikely to be in use."""

    @abstractmethod
    def invalid_settings(self) -> list[InvalidSetting]:
        """Return values of the setting that are not tenants."""


class Number(TenantType):
    """A tenant that is a number of at least 1."""

    def __init__(self, name: str, largest: int) -> None:
        """Set the name and the largest number of the type."""
        super().__init__(name)
        self.largest = largest

    def tenant(self, value: Any) -> Tenant:
        """Return ``value``, which must be an integer that is at least 1 and fits into the type."""
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ModelError(f"tenancy_default_tenant must be an integer of at least 1, not {value!r}.")
        if value > self.largest:
            raise ModelError(
                f"tenancy_default_tenant {value} does not fit into a column of type {self.name}, whose largest value "
                f"is {self.largest}: choose a smaller number, or another tenancy_column_type."
            )
        return value

    def constant(self, tenant: Tenant) -> str:
        """Return the number. Like PostgreSQL, quote a number that does not fit into an integer."""
        return str(tenant) if int(tenant) < 2**31 else super().constant(tenant)

    def bridge(self, tenant: Tenant) -> str:
        """Return the number with a leading zero."""
        return f"0{tenant}"

    def plain(self, spelled: str) -> str:
        """Return the number without the leading zero."""
        return spelled.lstrip("0") or spelled

    def unused_tenants(self) -> Iterator[str]:
        """Yield numbers in descending order, starting with the largest one that fits into every number type."""
        return map(str, range(2**15 - 1, 0, -1))

    def invalid_settings(self) -> list[InvalidSetting]:
        """Return a setting that is not a number, and a number that is out of range."""
        return [
            ("garbage", "A session whose tenant is not a number", "1 OR true", NOT_OF_THE_TYPE),
            ("range", "A session whose tenant is out of range", "9" * 20, OUT_OF_RANGE),
        ]


class Uuid(TenantType):
    """A tenant that is a uuid."""

    FORM = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

    def tenant(self, value: Any) -> Tenant:
        """Return the uuid in lower case."""
        if not isinstance(value, str) or not self.FORM.fullmatch(value):
            raise ModelError(
                "tenancy_default_tenant must be a uuid such as 3f0c8a52-9d1e-4b7a-8c35-6e2f1d0b9a74, not "
                f"{value!r}, because tenancy_column_type is uuid."
            )
        return value.lower()

    def bridge(self, tenant: Tenant) -> str:
        """Return the uuid in braces, which PostgreSQL reads but never prints (manual, 8.12 "UUID Type")."""
        return f"{{{tenant}}}"

    def plain(self, spelled: str) -> str:
        """Return the uuid without the braces."""
        return spelled.strip("{}")

    def unused_tenants(self) -> Iterator[str]:
        """Yield uuids that count up from 1. No generator produces these."""
        return (f"00000000-0000-0000-0000-{number:012x}" for number in itertools.count(1))

    def invalid_settings(self) -> list[InvalidSetting]:
        """Return a setting that is not a uuid, and a uuid with an additional digit."""
        return [
            ("garbage", "A session whose tenant is not a uuid", "1 OR true", NOT_OF_THE_TYPE),
            (
                "range",
                "A session whose tenant is too long for a uuid",
                f"{next(self.unused_tenants())}0",
                NOT_OF_THE_TYPE,
            ),
        ]


class Text(TenantType):
    """A tenant that is a string. Any string that is not blank is a tenant, without its leading spaces."""

    def tenant(self, value: Any) -> Tenant:
        """Return ``value``, which must be a non-empty string that does not start with a space."""
        if not isinstance(value, str) or not value or value.startswith(" "):
            raise ModelError(
                "tenancy_default_tenant must be a non-empty string that does not start with a space, not "
                f"{value!r}, because tenancy_column_type is text."
            )
        return value

    def session(self, setting: str) -> str:
        """Return SQL for the session's tenant without leading spaces. The bridge's form starts with a space."""
        return f"nullif(ltrim(current_setting({literal(setting)}, true)), '')"

    def printed_session(self, setting: str) -> str:
        """Return the result of ``session`` as PostgreSQL prints it."""
        return f"NULLIF(ltrim(current_setting({literal(setting)}::text, true)), ''::text)"

    def bridge(self, tenant: Tenant) -> str:
        """Return the string with a leading space."""
        return f" {tenant}"

    def plain(self, spelled: str) -> str:
        """Return the string without the leading space."""
        return spelled.lstrip(" ")

    def unused_tenants(self) -> Iterator[str]:
        """Yield numbered strings that contain the words "isolation proof"."""
        return (f"isolation proof {number}" for number in itertools.count(1))

    def invalid_settings(self) -> list[InvalidSetting]:
        """Return a setting that consists of spaces. Any other non-empty string is a tenant."""
        return [("blank", "A session whose tenant is blank", "  ", ())]


TENANT_TYPES: dict[str, TenantType] = {
    kind.name: kind
    for kind in (
        Number("integer", 2**31 - 1), Number("bigint", 2**63 - 1), Number("smallint", 2**15 - 1), Uuid("uuid"),
        Text("text"),
    )
}  # fmt: skip
