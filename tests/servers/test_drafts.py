"""A database without a model: its draft, the operator's decisions, the migration with the proof, and the rollback."""

from __future__ import annotations

import contextlib
import json

import pytest

import golden
import versions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import releases
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.describe import difference, draft, text
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from applications import GIVEN, OWNERS, made
from described import closed, dumped, lines, parsed, prepare, read
from planner import Database
from server import Server, running

TENANT = ("column", "column_type", "setting", "default_tenant", "default_tenant_name")


@pytest.mark.parametrize("case", versions.cases([*GIVEN, "by_hand"], {"by_hand": 14}))
def test_the_draft_of_a_database_is_the_golden_one(server: Server, case: str) -> None:
    with made(server, case):
        found = draft.build(read(server, case))
    assert text.tenancy(found) == (golden.DESCRIBED / case / "expected-tenancy.yml").read_text()
    written = golden.DESCRIBED / case / "expected-before.sql"
    assert text.before(found) == (written.read_text() if written.exists() else "")


@pytest.mark.parametrize("case", versions.cases(GIVEN, {"boat_rental": 15, "workshop": 15}))
def test_a_draft_migrates_is_proven_and_rolls_back(server: Server, case: str) -> None:
    with made(server, case):
        first, decided = (draft.build(read(server, case), given) for given in ({}, GIVEN[case]))
        # before.sql creates an extension, and contains no decision.
        assert [item["decision"] for item in decided["before"] if item["decision"]] == []
        prepare(server, case, decided)
        # The draft is used unchanged. The operator writes only the decisions: at most one line for every three tables,
        # and up to five more lines for the tenant.
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
        # An extension whose library is not loaded is not an error.
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
    assert 'ON CONFLICT ("email"), which matches no key after the migration' in entry["decision"]


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


def released_unmigrated(server: Server, case: str) -> str:
    """Run the release on a database that was never migrated, and return the schema."""
    with made(server, case):
        prepare(server, case, draft.build(read(server, case), GIVEN[case]))
        server.sql(RELEASE, case)
        return dumped(server, case)


@pytest.mark.since(15)
def test_the_differences_complete_the_model_after_a_release(server: Server) -> None:
    case = "workshop"
    expected = released_unmigrated(server, case)
    with made(server, case), contextlib.closing(server.connect(case)) as connection:
        connection.autocommit = False
        decided = draft.build(read(server, case), GIVEN[case])
        prepare(server, case, decided)
        source = parsed(text.tenancy(decided), case, OWNERS[case])
        database = Database(connection, case, model.parse(source))
        original = database.state()
        database.migrate()
        database.run(RELEASE)
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
        assert released.back_to(releases.combined([original, before], released.model)) == []
        released.commit()
        assert dumped(server, case) == expected
