"""Recognize the tables of frameworks by their names and columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Own:
    """A framework's table: the framework, what the table contains, and the columns that identify the table."""

    framework: str
    holds: str
    columns: frozenset[str]


def _own(framework: str, holds: str, *columns: str) -> Own:
    return Own(framework, holds, frozenset(columns))


BOOKKEEPING, TYPES = "the migrations that were run", "the names of its models and permissions"
# The tables of frameworks, by table name. If frameworks share a name, the first entry whose columns all exist applies.
TABLES: dict[str, tuple[Own, ...]] = {
    "alembic_version": (_own("Alembic", BOOKKEEPING, "version_num"),),
    "django_migrations": (_own("Django", BOOKKEEPING, "app", "name", "applied"),),
    "django_content_type": (_own("Django", TYPES, "app_label", "model"),),
    "auth_permission": (_own("Django", TYPES, "content_type_id", "codename"),),
    "django_site": (_own("Django", "the sites that it serves", "domain", "name"),),
    "schema_migrations": (
        _own("Ecto", BOOKKEEPING, "version", "inserted_at"),
        _own("Rails or dbmate", BOOKKEEPING, "version"),
    ),
    "ar_internal_metadata": (_own("Rails", "the name of the environment", "key", "value"),),
    "flyway_schema_history": (_own("Flyway", BOOKKEEPING, "installed_rank", "script", "checksum"),),
    "schema_version": (_own("Flyway", BOOKKEEPING, "installed_rank", "script", "checksum"),),
    "_prisma_migrations": (_own("Prisma", BOOKKEEPING, "checksum", "migration_name"),),
    "SequelizeMeta": (_own("Sequelize", BOOKKEEPING, "name"),),
    "SequelizeData": (_own("Sequelize", BOOKKEEPING, "name"),),
    "migrations": (
        _own("Laravel", BOOKKEEPING, "migration", "batch"),
        _own("TypeORM", BOOKKEEPING, "timestamp", "name"),
    ),
    "knex_migrations": (_own("Knex", BOOKKEEPING, "name", "batch", "migration_time"),),
    "knex_migrations_lock": (_own("Knex", "its lock", "is_locked"),),
    "goose_db_version": (_own("goose", BOOKKEEPING, "version_id", "is_applied"),),
    "databasechangelog": (_own("Liquibase", BOOKKEEPING, "id", "author", "filename"),),
    "databasechangeloglock": (_own("Liquibase", "its lock", "locked"),),
}
# The names of tables that contain sessions or a cache. A table must also have at least one of the listed columns. A
# service finds a row of these tables by its key, often before it knows the tenant.
SESSIONS: dict[str, frozenset[str]] = {
    "django_session": frozenset(("session_data",)),
    "sessions": frozenset(("payload", "data", "sess", "session_data", "expires", "expires_at", "last_activity")),
    "session": frozenset(("payload", "data", "sess", "expire", "expires")),
    "user_sessions": frozenset(("payload", "data", "expires", "expires_at")),
    "cache": frozenset(("value", "expiration", "expires")),
    "cache_locks": frozenset(("owner", "expiration")),
    "cache_entries": frozenset(("value", "expires", "expires_at")),
    "django_cache": frozenset(("value", "expires")),
    "solid_cache_entries": frozenset(("value",)),
}


def owner(name: str, columns: Iterable[str]) -> Own | None:
    """Return the framework's table that has this name and these columns, or None."""
    found = set(columns)
    return next((own for own in TABLES.get(name, ()) if own.columns <= found), None)


def is_session(name: str, columns: Iterable[str]) -> bool:
    """Return whether a table with this name and these columns contains sessions or a cache."""
    return not SESSIONS.get(name, frozenset()).isdisjoint(columns)
