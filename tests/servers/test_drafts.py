"""A database without a model: its draft, the decisions, the migration with its proof, and the rollback."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import golden
import rental
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.describe import difference, draft, text
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from described import dumped, lines, parsed, prepare, read
from lab import OWNER
from planner import Database
from server import ROOT, TEMPLATE, Server, running

SCHEMAS = ROOT / "tests/servers/databases"
# The operator's decisions, as inventory variables, before a second draft.
GIVEN: Mapping[str, dict[str, Any]] = {
    "ai_memory": {"column": "customer_id", "default_tenant_name": "Peterson Insurance"},
    "boat_rental": {
        "column": "marina", "column_type": "uuid", "setting": "rental.marina",
        "default_tenant": "9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683", "readable": ["rental.boat_classes"],
    },
    # The draft has a line for the readers of the table of tenants.
    "saas": {"setting": "app.organization"},
    "workshop": {"default_tenant_name": "The shop by the bridge", "readable": ["workshop.settings"]},
}  # fmt: skip
TENANT = ("column", "column_type", "setting", "default_tenant", "default_tenant_name")
OWNERS = {
    "ai_memory": OWNER,
    "boat_rental": rental.OWNER,
    "saas": "mechanic",
    "workshop": "mechanic",
    "by_hand": "mechanic",
}


@contextlib.contextmanager
def made(server: Server, case: str) -> Iterator[None]:
    """Create the database of a case."""
    if case == "boat_rental":
        with rental.seeded(server, case):
            yield
        return
    with contextlib.ExitStack() as stack:
        owner = OWNERS[case]
        if case != "ai_memory":
            server.sql(f"CREATE ROLE {owner} LOGIN")
            stack.callback(server.sql, f"DROP ROLE {owner}")
        server.sql(f"CREATE DATABASE {case} OWNER {owner} TEMPLATE {TEMPLATE if case == 'ai_memory' else 'template1'}")
        stack.callback(server.sql, f"DROP DATABASE {case} WITH (FORCE)")
        if case != "ai_memory":
            files = [path for name in (case, f"{case}_seed") if (path := SCHEMAS / f"{name}.sql").exists()]
            server.script(case, ROOT / "tests/servers/as_owner.sql", *files, owner=owner)
        yield


@pytest.mark.parametrize("case", [*GIVEN, "by_hand"])
def test_the_draft_of_a_database_is_the_golden_one(server: Server, case: str) -> None:
    with made(server, case):
        found = draft.build(read(server, case))
    assert text.tenancy(found) == (golden.DESCRIBED / case / "expected-tenancy.yml").read_text()
    written = golden.DESCRIBED / case / "expected-before.sql"
    assert text.before(found) == (written.read_text() if written.exists() else "")


@pytest.mark.parametrize("case", GIVEN)
def test_a_draft_migrates_is_proven_and_rolls_back(server: Server, case: str) -> None:
    with made(server, case):
        first, decided = (draft.build(read(server, case), given) for given in ({}, GIVEN[case]))
        # before.sql creates an extension, and leaves nothing to decide.
        assert [item["decision"] for item in decided["before"] if item["decision"]] == []
        prepare(server, case, decided)
        # The draft is used unchanged. The operator writes only the decisions, at most one line for every three tables.
        # The tenant takes up to five more lines.
        assert 3 * lines({name: value for name, value in GIVEN[case].items() if name not in TENANT}) <= len(
            first["tables"]
        )
        assert case != "workshop" or 3 * lines(GIVEN[case]) <= len(first["tables"])
        source = parsed(text.tenancy(decided), case, OWNERS[case])
        with contextlib.closing(server.connect(case)) as connection:
            connection.autocommit = False
            database = Database(connection, case, model.parse(source))
            before, schema = database.state(), dumped(server, case)
            found = database.migrate()
            assert [item for item in found if not item["ok"]] == []
            assert database.failures(before) == []
            errors = [item for item in database.audit(readable=source["readable"]) if item["severity"] == "error"]
            assert errors == []
            database.commit()
            assert difference.differences(read(server, case), source) == []
            assert dumped(server, case) != schema
            assert database.back_to(before) == []
            database.commit()
            assert dumped(server, case) == schema
            assert database.state() == before


UPSERT = """
INSERT INTO "workshop"."customers" (email, "Full name") VALUES ('secret@example.org', 'Ada')
ON CONFLICT ("email") DO UPDATE SET "Full name" = excluded."Full name"
"""


@pytest.mark.parametrize("is_recorded", [False, True], ids=["sessions", "pg_stat_statements"])
def test_the_draft_names_the_services_upserts_and_no_row(server: Server, is_recorded: bool) -> None:
    case = "workshop"
    with contextlib.ExitStack() as stack:
        where = server
        if is_recorded:
            where = stack.enter_context(running(server.major, shared_preload_libraries="pg_stat_statements"))
        stack.enter_context(made(where, case))
        # It is not an error if the extension exists but its library is not loaded.
        where.sql("CREATE SCHEMA elsewhere; CREATE EXTENSION pg_stat_statements SCHEMA elsewhere", case)
        session = stack.enter_context(contextlib.closing(where.connect(case, OWNERS[case])))
        with session.cursor() as cursor:
            cursor.execute(UPSERT)
            if is_recorded:
                cursor.execute("SELECT 1")
        document = read(where, case)
    assert document["upserts"] == [{"relation": '"workshop"."customers"', "columns": '"email"'}]
    assert "secret" not in json.dumps(document)
    (entry,) = [item for item in draft.build(document)["tables"] if item["entry"]["name"] == "customers"]
    assert 'ON CONFLICT ("email"), which finds no key after the migration' in entry["decision"]


RELEASE = """
SET ROLE mechanic;
CREATE TABLE workshop.warranties (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  invoice bigint NOT NULL REFERENCES workshop.invoices (number),
  code text NOT NULL UNIQUE,
  begins_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE workshop.customers ADD referred_by bigint REFERENCES workshop.customers (id);
ALTER TABLE workshop.bicycles ADD serial_number text, ADD CONSTRAINT one_serial_number UNIQUE (serial_number);
ALTER TABLE workshop.parts ADD weight integer NOT NULL DEFAULT 1;
CREATE VIEW workshop.guaranteed AS
  SELECT w.code, i.repair FROM workshop.warranties w JOIN workshop.invoices i ON i.number = w.invoice;
CREATE FUNCTION workshop.extend(which text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE workshop.warranties SET begins_at = now() WHERE code = which;
END
$$;
RESET ROLE;
"""


def closed(source: dict[str, Any], found: list[difference.Difference]) -> dict[str, Any]:
    """Return the model with the lines that the differences print."""
    whole = copy.deepcopy(source)
    for item in found:
        place = whole[item["variable"].removeprefix("tenancy_")]
        if item["field"]:
            (entry,) = [entry for entry in place if entry["name"] == item["entry"]]
            place = entry.setdefault(item["field"], [])
        place.append(item["add"])
    return whole


def test_the_differences_complete_the_model_after_a_release(server: Server) -> None:
    case = "workshop"
    with made(server, case), contextlib.closing(server.connect(case)) as connection:
        connection.autocommit = False
        decided = draft.build(read(server, case), GIVEN[case])
        prepare(server, case, decided)
        source = parsed(text.tenancy(decided), case, OWNERS[case])
        database = Database(connection, case, model.parse(source))
        database.migrate()
        # The tables' owner has lost REFERENCES, which the release needs.
        database.run("GRANT REFERENCES ON ALL TABLES IN SCHEMA workshop TO mechanic", RELEASE)
        database.commit()
        found = difference.differences(read(server, case), source)
        assert [(item["variable"], item["entry"], item["field"]) for item in found] == [
            ("tenancy_tables", "", ""), ("tenancy_tables", "customers", "foreign_keys"),
            ("tenancy_tables", "bicycles", "natural_keys"), ("tenancy_views", "", ""), ("tenancy_functions", "", ""),
        ]  # fmt: skip
        whole = closed(source, found)
        assert difference.differences(read(server, case), whole) == []
        released = Database(connection, case, model.parse(whole))
        before = released.state()
        assert [item for item in released.migrate() if not item["ok"]] == []
        assert released.failures(before) == []
        errors = [item for item in released.audit(readable=whole["readable"]) if item["severity"] == "error"]
        assert errors == []
