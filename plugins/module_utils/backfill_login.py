"""The SQL that creates and removes the login for the backfill."""

from __future__ import annotations

from collections.abc import Mapping

from .quoting import derived_name, identifier, literal

# The comment on a role that a run created. The comment lets the next run recognize and remove a leftover role.
MARK = "made by the tenancy runbook for a backfill"
POLICY = "tenancy_backfill"
ATTRIBUTES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT CONNECTION LIMIT 1"
# The number of pages that one transaction updates. Other sessions that update rows on these pages wait for
# the transaction to end.
BATCH_PAGES = 100


def role(database: str) -> str:
    """Return the login's name. It contains the database's name, because all databases of a server share the roles."""
    return derived_name(POLICY, database)


def login(given: Mapping[str, str]) -> list[str]:
    """Return the SQL that creates the login; ``given`` contains name, verifier, database and schema."""
    name = identifier(given["name"])
    return [
        f"CREATE ROLE {name} {ATTRIBUTES} PASSWORD {literal(given['verifier'])}",
        f"COMMENT ON ROLE {name} IS {literal(MARK)}",
        f"GRANT CONNECT ON DATABASE {identifier(given['database'])} TO {name}",
        f"GRANT USAGE ON SCHEMA {identifier(given['schema'])} TO {name}",
    ]


def removal(name: str) -> list[str]:
    """Return the SQL that removes the login, and its privileges and policies in this database."""
    return [f"DROP OWNED BY {identifier(name)}", f"DROP ROLE {identifier(name)}"]
