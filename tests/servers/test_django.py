"""A Django project: its tables are described, migrated and rolled back, and its own tools still work."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.describe import difference, draft, text
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from described import dumped, lines, parsed, read
from planner import Database
from server import ROOT, Server

# Django refuses older versions.
pytestmark = pytest.mark.since(14)
NAME, OWNER_OF_SHOP = "shop", "shop"
# The decisions of the operator: the name of the tenant, and that all tenants share the settings.
GIVEN = {"default_tenant_name": "The first shop", "readable": ["public.shop_preference"]}


class Project:
    """The project in a separate directory, with its database."""

    def __init__(self, server: Server, directory: Path) -> None:
        """Copy the project."""
        self.server, self._directory = server, directory / "project"
        shutil.copytree(ROOT / "tests/servers/django_project", self._directory)

    def manage(self, *arguments: str, tenant: str | None = None) -> str:
        """Run ``manage.py`` as a deployment does; a tenant is set at login."""
        environment = os.environ | {
            "SHOP_HOST": str(self.server.directory), "SHOP_DATABASE": NAME, "SHOP_USER": OWNER_OF_SHOP,
            "SHOP_OPTIONS": f"-c app.current_tenant={tenant}" if tenant else "", "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=self._directory, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def order(self, email: str, tenant: str | None = None) -> int:
        """Place an order, and return how many customers the shop has."""
        call = f"from shop.use import order; print(order({email!r}))"
        return int(self.manage("shell", "--no-imports", "--command", call, tenant=tenant).split()[-1])


@pytest.fixture
def project(server: Server, tmp_path: Path) -> Iterator[Project]:
    """Return the project with its unmigrated database and a few orders."""
    server.sql(f"CREATE ROLE {OWNER_OF_SHOP} LOGIN")
    server.sql(f"CREATE DATABASE {NAME} OWNER {OWNER_OF_SHOP}")
    try:
        made = Project(server, tmp_path)
        made.manage("makemigrations", "shop")
        made.manage("migrate")
        made.order("ada@example.org")
        yield made
    finally:
        server.sql(f"DROP DATABASE {NAME} WITH (FORCE)")
        server.sql(f"DROP ROLE {OWNER_OF_SHOP}")


def test_a_project_becomes_multi_tenant_and_rolls_back(server: Server, project: Project) -> None:
    first, decided = (draft.build(read(server, NAME), given) for given in ({}, GIVEN))
    assert first["before"] == decided["before"] == []
    # The draft is used unchanged. A human writes only the decisions, at most one line for three tables.
    assert len(decided["tables"]) == 13
    assert 3 * lines(GIVEN) <= len(decided["tables"])
    source = parsed(text.tenancy(decided), NAME, OWNER_OF_SHOP)
    assert source["readable"] == [
        "public.shop_preference", "public.django_migrations", "public.django_content_type", "public.auth_permission",
    ]  # fmt: skip
    with contextlib.closing(server.connect(NAME)) as connection:
        connection.autocommit = False
        database = Database(connection, NAME, model.parse(source))
        before, schema = database.state(), dumped(server, NAME)
        assert [item for item in database.migrate() if not item["ok"]] == []
        assert database.failures(before) == []
        errors = [item for item in database.audit(readable=source["readable"]) if item["severity"] == "error"]
        assert errors == []
        database.commit()
        assert difference.differences(read(server, NAME), source) == []

        # The present release works as tenant 1. Another tenant has its own rows with the same keys.
        assert project.order("ada@example.org") == 1
        assert project.order("grace@example.org") == 2
        assert project.order("ada@example.org", tenant="2") == 1
        assert "No changes detected" in project.manage("makemigrations", "--check", "--dry-run")
        assert "No migrations to apply" in project.manage("migrate")

        # Another tenant's rows prevent the rollback.
        server.sql("SET row_security = off; DELETE FROM shop_orderline WHERE tenant_id = 2", NAME)
        for table in reversed(source["tables"]):
            server.sql(f'DELETE FROM "{table["name"]}" WHERE tenant_id = 2', NAME)
        assert database.back_to(before) == []
        database.commit()
        assert dumped(server, NAME) == schema
