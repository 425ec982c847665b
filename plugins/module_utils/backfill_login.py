"""The login that the backfill changes rows over: how it is made and removed."""

from __future__ import annotations

from collections.abc import Mapping

from .quoting import derived_name, identifier, literal

# Says of a role that a run made it, so that the next one may remove what was left behind.
MARK = "made by the tenancy runbook for a backfill"
POLICY = "tenancy_backfill"
ATTRIBUTES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT CONNECTION LIMIT 1"
# Pages of a table whose rows are changed in one transaction, which others who change the same rows wait for.
BATCH_PAGES = 100


def role(database: str) -> str:
    """Return the login's name: roles belong to the server, and each database's backfill has its own."""
    return derived_name(POLICY, database)


def login(given: Mapping[str, str]) -> list[str]:
    """Return the SQL that makes the login; ``given`` has name, verifier, database and schema."""
    name = identifier(given["name"])
    return [
        f"CREATE ROLE {name} {ATTRIBUTES} PASSWORD {literal(given['verifier'])}",
        f"COMMENT ON ROLE {name} IS {literal(MARK)}",
        f"GRANT CONNECT ON DATABASE {identifier(given['database'])} TO {name}",
        f"GRANT USAGE ON SCHEMA {identifier(given['schema'])} TO {name}",
    ]


def removal(name: str) -> list[str]:
    """Return the SQL that removes the login with its rights and policies in this database."""
    return [f"DROP OWNED BY {identifier(name)}", f"DROP ROLE {identifier(name)}"]
