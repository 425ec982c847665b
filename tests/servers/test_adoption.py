"""The migration adopts an existing tenant column without a default, and the rollback leaves the column unchanged."""

from __future__ import annotations

import re
from typing import Any

import pytest

import golden
import schemas
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import findings, hazards, revert
from lab import OWNER
from production import projects_source
from server import Server

ORGANIZATIONS = (
    "CREATE TABLE organizations (id serial PRIMARY KEY, host text NOT NULL UNIQUE)",
    "INSERT INTO organizations (host) SELECT 'h' || n FROM generate_series(1, 3) AS n",
)
TABLES = (
    *ORGANIZATIONS,
    (
        "CREATE TABLE projects (id serial PRIMARY KEY, customer_id integer NOT NULL REFERENCES organizations,"
        " slug text NOT NULL, code text NOT NULL UNIQUE, UNIQUE (customer_id, slug))"
    ),
    "INSERT INTO projects (customer_id, slug, code) VALUES (1, 'a', 'x'), (1, 'b', 'y'), (2, 'a', 'z')",
    # The tenant column is nullable, but contains no NULL.
    (
        "CREATE TABLE tasks (id serial PRIMARY KEY, project_id integer NOT NULL REFERENCES projects ON DELETE CASCADE,"
        " customer_id integer DEFAULT 1 REFERENCES organizations, title text NOT NULL, UNIQUE (project_id, title))"
    ),
    "INSERT INTO tasks (project_id, customer_id, title) VALUES (1, 1, 't'), (2, 1, 't'), (3, 2, 't')",
    "CREATE INDEX ON tasks (customer_id)",
    # These tables lack the tenant column: each takes its tenant from the table that it references.
    (
        "CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), task_id integer NOT NULL REFERENCES tasks,"
        " body text CHECK (body <> ''))"
    ),
    "CREATE INDEX ON notes (lower(body))",
    "INSERT INTO notes (task_id, body) SELECT id, 'n' FROM tasks, generate_series(1, 2)",
    "CREATE TABLE marks (note_id uuid NOT NULL REFERENCES notes, at date NOT NULL) PARTITION BY RANGE (at)",
    "CREATE TABLE marks_1 PARTITION OF marks FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
    "CREATE TABLE marks_2 PARTITION OF marks DEFAULT",
    "INSERT INTO marks SELECT id, day FROM notes, unnest('{2025-02-03,2001-01-01}'::date[]) AS day",
    "CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trigger'; END $$",
    "CREATE TRIGGER never BEFORE UPDATE ON notes FOR EACH STATEMENT EXECUTE FUNCTION never()",
)
SOURCE = projects_source(schemas.NAME)
ENTRIES = SOURCE["tables"]
ADOPTED = {name: SOURCE[name] for name in ("column_adopted", "default_tenant", "bridge", "tenants")}


def test_the_accepted_plan_is_the_one_of_this_database(server: Server) -> None:
    with schemas.database(server, TABLES, ENTRIES, **ADOPTED) as found:
        for case in ("projects", "projects-migrated"):
            assert golden.anywhere(found.state()) == golden.anywhere(golden.catalog(case))
            found.migrate()


def test_a_round_trip(server: Server) -> None:
    with schemas.database(server, TABLES, ENTRIES, **ADOPTED) as found:
        rows = {name: table["rows"] for name, table in found.state()["tables"].items()}
        schemas.round_trip(server, found)
        assert {name: table["rows"] for name, table in found.state()["tables"].items()} == rows


def test_each_row_has_the_tenant_of_the_row_to_which_it_points(server: Server) -> None:
    with schemas.database(server, TABLES, ENTRIES, **ADOPTED) as found:
        schemas.migrate(found)
        for name, wanted in (("notes", {"1": 4, "2": 2}), ("marks", {"1": 8, "2": 4}), ("tasks", {"1": 2, "2": 1})):
            assert found.state()["tables"][name]["column"]["tenants"] == wanted
        found.run(f"SET ROLE {OWNER}", "SET app.current_tenant = '2'")
        assert found.value("SELECT count(*) FROM marks") == 4
        assert found.value("SELECT count(*) FROM organizations") == 3


def test_online_steps_leave_out_tables_without_the_column(server: Server) -> None:
    with schemas.database(server, TABLES, ENTRIES, **ADOPTED) as found:
        before = found.state()
        steps = found.steps()
        assert {step["id"].partition(".")[0] for step in steps} == {"projects", "tasks"}
        found.carry_out(steps)
        schemas.migrate(found)
        assert found.back_to(before) == []
        found.commit()


def test_unchanged_rows_are_counted_by_tenant(server: Server) -> None:
    with schemas.database(server, TABLES, ENTRIES, **ADOPTED) as found:
        document = found.transaction(found.plan())
        counts = {name: found.value(query) for name, query in document["counts"].items()}
        assert counts["projects"] == {"1": 2, "2": 1}
        assert counts["notes"] == 6
        schemas.migrate(found)
        assert [item for item in findings.collect(found.state(), found.model, counts) if not item["ok"]] == []
        # The number of rows equals the expected number, but one row belongs to another tenant.
        found.run("INSERT INTO projects (customer_id, slug, code) VALUES (3, 's', 's')")
        found.run("INSERT INTO projects (customer_id, slug, code) VALUES (3, 't', 't')")
        counts["projects"] = {"1": 2, "2": 1, "3": 1, "4": 1}
        failed = [item["check"] for item in findings.collect(found.state(), found.model, counts) if not item["ok"]]
        assert failed == ["rows of each tenant unchanged"]


def test_row_security_is_removed_although_many_tenants_have_rows(server: Server) -> None:
    with schemas.database(server, TABLES, ENTRIES, **ADOPTED) as found:
        schemas.migrate(found)
        rows = {name: found.value(f"SELECT count(*) FROM {name}") for name in found.state()["tables"]}
        found.run(*(item["sql"] for item in revert.policies(found.state(), found.model)))
        assert [item for item in revert.policies_findings(found.state(), found.model, rows) if not item["ok"]] == []
        schemas.migrate(found)


NOTES_WITH_TENANT = (
    "ALTER TABLE notes DISABLE TRIGGER never; ALTER TABLE notes ADD customer_id integer; "
    "UPDATE notes SET customer_id = t.customer_id FROM tasks AS t WHERE t.id = task_id"
)
# Additional foreign keys for the refused cases.
MORE: dict[str, dict[str, dict[str, Any]]] = {
    "rows whose tenant is taken, and that reference another tenant's row": {
        "notes": {"columns": ["project"], "references": "projects", "key": ["id"]}
    },
    "rows that reference another row, whose tenants are taken": {
        "marks": {"columns": ["other"], "references": "notes", "key": ["id"]}
    },
}
REFUSED = {
    "rows without a tenant": (
        "UPDATE tasks SET customer_id = NULL WHERE id < 3",
        r"public\.tasks\.customer_id is NULL in 2 rows, and there is no default tenant",
    ),
    "a table that lacks the column": (
        "ALTER TABLE projects DROP customer_id CASCADE",
        r"public\.projects has no column customer_id, and there is no default tenant .*: list under tenant_from",
    ),
    "rows of two tenants": (
        "UPDATE tasks SET customer_id = 2 WHERE id = 1",
        r"public\.tasks has 1 rows whose \(project_id\) references a row of another tenant in projects: correct",
    ),
    "rows of two tenants, with a tenant that could be taken": (
        f"{NOTES_WITH_TENANT}; UPDATE notes SET customer_id = 2 WHERE task_id = 1",
        r"public\.notes has 2 rows whose \(task_id\) references a row of another tenant in tasks: correct",
    ),
    "rows whose tenant is taken, and that reference another tenant's row": (
        (
            "ALTER TABLE notes DISABLE TRIGGER never; ALTER TABLE notes ADD project integer REFERENCES projects; "
            "UPDATE notes SET project = 3 WHERE task_id = 1"
        ),
        r"public\.notes has 2 rows whose \(project\) references a row of another tenant in projects: correct",
    ),
    "rows that reference another row, whose tenants are taken": (
        (
            "ALTER TABLE marks ADD other uuid REFERENCES notes; "
            "UPDATE marks SET other = (SELECT id FROM notes WHERE task_id = 3 LIMIT 1)"
        ),
        r"public\.marks has 8 rows whose \(other\) references a row of another tenant in notes: correct",
    ),
    "rows that reference no row": (
        "ALTER TABLE notes ALTER task_id DROP NOT NULL; INSERT INTO notes (body) VALUES ('alone')",
        r"public\.notes has 1 rows whose tenant is unknown, because their \(task_id\) references no row of tasks",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rows_without_a_tenant_are_refused(server: Server, name: str) -> None:
    statement, sentence = REFUSED[name]
    entries = [
        entry | {"foreign_keys": [*entry["foreign_keys"], more]}
        if (more := MORE.get(name, {}).get(entry["name"]))
        else entry
        for entry in ENTRIES
    ]
    with schemas.database(server, TABLES, entries, **ADOPTED) as found:
        found.run(statement)
        assert any(re.search(sentence, text) for text in schemas.refused(found))


def test_without_the_decision_the_column_means_something_else(server: Server) -> None:
    with schemas.database(server, TABLES[:4], ENTRIES[:1]) as found:
        assert any("contains values other than 1 (2; 1 rows)" in text for text in schemas.refused(found))


WITHOUT_TENANTS_TABLE = {**ADOPTED, "tenants": None}
# Each comparison of a mood with an integer calls the owner's cast function.
MOOD = (
    "CREATE TYPE mood AS ENUM ('a', 'b')",
    (
        "CREATE FUNCTION trap(mood) RETURNS integer LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE EXCEPTION 'runs as %', current_user; END $$"
    ),
    "CREATE CAST (mood AS integer) WITH FUNCTION trap(mood) AS IMPLICIT",
)
UNCOMPARED = (
    "The columns (box) of public.items or those of boxes have a type that is not built into PostgreSQL, so the plan "
    "cannot look for rows that reference another tenant's row. Only a full rehearsal finds such rows."
)
# The types of boxes.id, items.box and items.customer_id (None: items lacks the column), and the expected notes.
MOODS: dict[str, tuple[str, str, str | None, list[str]]] = {
    "of a tenant": ("integer", "integer", "mood", [UNCOMPARED]),
    "of a key": ("integer", "mood", "integer", [UNCOMPARED]),
    "of both keys": ("mood", "mood", "integer", [UNCOMPARED]),
    "of a key that gives the tenant": ("integer", "mood", None, []),
}


@pytest.mark.parametrize("name", MOODS)
def test_casts_of_the_owner_do_not_run_with_the_administrators_rights(server: Server, name: str) -> None:
    key, box, tenant, notes = MOODS[name]
    value = {"integer": "1", "mood": "'a'"}
    foreign_key = {"columns": ["box"], "references": "boxes", "key": ["id"]}
    entries: list[dict[str, Any]] = [
        {"name": "boxes", "surrogate_keys": [["id"]]},
        {"name": "items", "surrogate_keys": [["id"]], "foreign_keys": [foreign_key]},
    ]
    tables = [
        f"CREATE TABLE boxes (id {key} PRIMARY KEY, customer_id integer)",
        f"INSERT INTO boxes VALUES ({value[key]}, 1)",
        f"CREATE TABLE items (id integer PRIMARY KEY, box {box})",
        f"INSERT INTO items VALUES (1, {value[box]})",
    ]
    if tenant is None:
        entries[1]["tenant_from"] = ["box"]
    else:
        tables += [f"ALTER TABLE items ADD customer_id {tenant}", f"UPDATE items SET customer_id = {value[tenant]}"]
    with schemas.database(server, [*MOOD, *tables], entries, **WITHOUT_TENANTS_TABLE) as found:
        state = found.state()
        assert [item["rows"] for item in state["hazards"]["links"]] == [None]
        assert hazards.uncompared(state, found.model) == notes
        said = "takes its tenant from boxes through (box)"
        refused = [text for text in hazards.obstacles(state, found.model) if said in text]
        assert len(refused) == (tenant is None)


def test_a_table_whose_tenant_is_not_taken_by_a_foreign_type_gets_it_by_hand(server: Server) -> None:
    foreign_key = {"columns": ["box"], "references": "boxes", "key": ["id"]}
    entries: list[dict[str, Any]] = [
        {"name": "boxes", "natural_keys": [["id"]]},
        {"name": "items", "surrogate_keys": [["id"]], "foreign_keys": [foreign_key], "tenant_from": ["box"]},
    ]
    tables = [
        "CREATE TYPE colour AS ENUM ('red', 'blue')",
        "CREATE TABLE boxes (id colour PRIMARY KEY, customer_id integer NOT NULL)",
        "INSERT INTO boxes VALUES ('red', 1), ('blue', 2)",
        "CREATE TABLE items (id serial PRIMARY KEY, box colour NOT NULL REFERENCES boxes)",
        "INSERT INTO items (box) VALUES ('red'), ('blue')",
    ]
    with schemas.database(server, tables, entries, **WITHOUT_TENANTS_TABLE) as found:
        (sentence,) = schemas.refused(found)
        assert sentence.endswith("add customer_id to public.items and fill it by hand first.")
        found.run(
            "ALTER TABLE items ADD customer_id integer",
            "UPDATE items SET customer_id = b.customer_id FROM boxes AS b WHERE b.id = items.box",
        )
        found.commit()
        schemas.round_trip(server, found)


def test_domains_are_compared_by_their_base_types(server: Server) -> None:
    tables = [
        "CREATE DOMAIN number AS bigint",
        "CREATE TABLE boxes (id bigint PRIMARY KEY, customer_id integer)",
        "CREATE TABLE items (id integer PRIMARY KEY, box number, customer_id integer)",
        "INSERT INTO boxes VALUES (1, 1)",
        "INSERT INTO items VALUES (1, 1, 2)",
    ]
    foreign_key = {"columns": ["box"], "references": "boxes", "key": ["id"]}
    entries: list[dict[str, Any]] = [
        {"name": "boxes", "surrogate_keys": [["id"]]},
        {"name": "items", "surrogate_keys": [["id"]], "foreign_keys": [foreign_key]},
    ]
    with schemas.database(server, tables, entries, **WITHOUT_TENANTS_TABLE) as found:
        assert [item["rows"] for item in found.state()["hazards"]["links"]] == [1]


COMPOSITE = (
    "CREATE TABLE orders (customer_id integer, region text, number bigint, PRIMARY KEY (region, number))",
    "INSERT INTO orders VALUES (7, 'n', 1), (7, 'n', 2), (8, 's', 1)",
    # The referencing columns differ from the key's columns in their types and their order.
    (
        "CREATE TABLE lines (number integer NOT NULL, region varchar(5) NOT NULL, place integer,"
        " FOREIGN KEY (region, number) REFERENCES orders (region, number) ON UPDATE CASCADE)"
    ),
    "INSERT INTO lines SELECT number, region, 1 FROM orders",
    "ALTER TABLE lines ADD extra jsonb DEFAULT '{}', ADD gone text",
    "ALTER TABLE lines DROP gone",
)
OF_ORDERS: list[dict[str, Any]] = [
    {"name": "orders", "natural_keys": [["region", "number"]], "sample": {"region": "w"}},
    {"name": "lines", "tenant_from": ["number", "region"],
     "foreign_keys": [{"columns": ["region", "number"], "references": "orders", "key": ["region", "number"]}]},
]  # fmt: skip


def test_a_row_takes_its_tenant_by_a_key_of_several_columns(server: Server) -> None:
    with schemas.database(server, COMPOSITE, OF_ORDERS, **WITHOUT_TENANTS_TABLE) as found:
        schemas.round_trip(server, found)


def test_an_empty_database_is_adopted(server: Server) -> None:
    empty = [text for text in TABLES if not text.startswith("INSERT")]
    with schemas.database(server, empty, ENTRIES, **ADOPTED) as found:
        schemas.round_trip(server, found)


def test_a_key_whose_values_tenants_share_prevents_the_rollback(server: Server) -> None:
    with schemas.database(server, TABLES, ENTRIES, **ADOPTED) as found:
        before = found.state()
        schemas.migrate(found)
        found.run("INSERT INTO projects (customer_id, slug, code) VALUES (3, 'c', 'x')")
        shared = r"\(code\) of public\.projects was unique .*, but now 2 rows share 1"
        with pytest.raises(UnsafeStateError, match=shared):
            found.back_to(before)


def test_a_tenant_may_have_the_name_null(server: Server) -> None:
    made = (
        "CREATE TABLE notes (id serial PRIMARY KEY, customer_id text)",
        "INSERT INTO notes (customer_id) VALUES ('NULL')",
    )
    entry = {"name": "notes", "surrogate_keys": [["id"]]}
    with schemas.database(server, made, [entry], **ADOPTED | {"tenants": None, "column_type": "text"}) as found:
        found.run("INSERT INTO notes (customer_id) VALUES (NULL)")
        document = found.state()["tables"]["notes"]
        assert (document["rows"], document["column"]["nulls"], document["column"]["tenants"]) == (2, 1, {"NULL": 1})
        found.run("DELETE FROM notes WHERE customer_id IS NULL")
        schemas.migrate(found)
