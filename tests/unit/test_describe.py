"""The draft of a model from a database's catalogs, the draft's files, and the differences between draft and model."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

import golden
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.describe import (
    bodies,
    columns,
    difference,
    draft,
    frameworks,
    order,
    text,
)
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import model_source, rental_source

CASES = golden.described_cases()


def source(case: str) -> dict[str, Any]:
    """Return the draft of a case, in the form that the planner reads."""
    found = yaml.safe_load(text.tenancy(draft.build(golden.described_catalog(case))))
    return {name.removeprefix("tenancy_"): value for name, value in found.items()} | {
        "database": case, "application_role": "owner",
    }  # fmt: skip


def catalog(**tables: dict[str, Any]) -> dict[str, Any]:
    """Return the catalogs of a database with these tables. Each argument contains a table's fields, such as columns."""
    plain = {
        "kind": "r",
        "partition": False,
        "inherits": [],
        "rules": [],
        "foreign_keys": [],
        "triggers": [],
        "over": [],
    }
    relations = [
        plain | {"title": f"public.{name}", "schema": "public", "name": name, "indexes": [], "columns": []} | more
        for name, more in tables.items()
    ]
    return {"database": "app", "extensions": [], "relations": relations, "functions": [], "upserts": []}


def column(name: str, type_name: str = "integer", **more: Any) -> dict[str, Any]:
    """Return a column in the form of the catalogs."""
    return {
        "name": name, "type": type_name, "not_null": True, "default": None, "identity": False, "generated": False,
    } | more  # fmt: skip


def key(*names: str, **more: Any) -> dict[str, Any]:
    """Return a unique index in the form of the catalogs."""
    return {
        "name": "_".join(names), "columns": list(names), "reads": list(names), "descending": [False] * len(names),
        "method": "btree", "plain": True, "unique": True, "primary": False, "exclusion": False, "valid": True,
    } | more  # fmt: skip


class Loader(yaml.SafeLoader):
    """Reads each ``!unsafe`` string, which Ansible does not template, as a pair."""


def _unsafe(loader: Loader, node: yaml.ScalarNode) -> tuple[str, str]:
    return "unsafe", loader.construct_scalar(node)


Loader.add_constructor("!unsafe", _unsafe)


def loaded(written: str) -> Any:
    """Return parsed YAML, in which each ``!unsafe`` string is a pair."""
    return yaml.load(written, Loader)


@pytest.mark.parametrize("case", CASES)
def test_a_draft_equals_the_golden_one(case: str) -> None:
    for name, content in golden.described(case).items():
        path = golden.DESCRIBED / case / f"expected-{name}"
        assert (path.read_text() if path.exists() else "") == content


@pytest.mark.parametrize("case", CASES)
def test_an_unchanged_draft_is_a_valid_model(case: str) -> None:
    wanted = model.parse(source(case))
    assert [table.name for table in wanted.tables] == [
        item["entry"]["name"] for item in draft.build(golden.described_catalog(case))["tables"]
    ]


@pytest.mark.parametrize("case", CASES)
def test_each_decision_is_marked_and_counted(case: str) -> None:
    made = draft.build(golden.described_catalog(case))
    marks = text.tenancy(made).count("# DECIDE (") + text.before(made).replace("\n-- ", " ").count(" DECIDE: ")
    assert marks == draft.decisions(made)
    assert f"leaves {marks} decisions" in text.tenancy(made).replace("\n#  ", "")


@pytest.mark.parametrize("case", CASES)
def test_a_draft_has_no_difference_to_its_database(case: str) -> None:
    found = difference.differences(golden.described_catalog(case), source(case))
    # The remaining differences are statements in before.sql, or decisions that are still open.
    assert [item for item in found if item["variable"] not in ("by hand", "tenancy_readable")] == []


@pytest.mark.parametrize(
    ("case", "inventory"), [("ai_memory", model_source), ("boat_rental", rental_source)], ids=["ai_memory", "rental"]
)
def test_a_draft_equals_the_model_that_was_written_by_hand(case: str, inventory: Any) -> None:
    """The draft lacks only what an operator decides: indexes, some samples, and function bodies."""
    wanted = inventory()
    made = source(case)
    shared = {name.removeprefix(f"{wanted['schema']}.") for name in wanted.get("readable", ())}

    def compared(entry: dict[str, Any]) -> dict[str, Any]:
        found = {name: value for name, value in entry.items() if name not in ("indexes", "sample")}
        pointing = sorted(found.pop("foreign_keys", []), key=str)
        return found | {"foreign_keys": pointing}

    by_name = {entry["name"]: compared(entry) for entry in made["tables"] if entry["name"] not in shared}
    assert by_name == {entry["name"]: compared(entry) for entry in wanted["tables"]}
    assert made["schema"] == wanted["schema"]
    assert made["views"] == wanted["views"]
    assert {item["name"] for item in made["functions"]} <= {item["name"] for item in wanted["functions"]}


def test_the_tables_of_a_framework_are_its_own() -> None:
    found = source("workshop")
    assert found["readable"] == ["workshop.alembic_version"]
    assert "alembic_version" not in [entry["name"] for entry in found["tables"]]


@pytest.mark.parametrize("name", frameworks.TABLES)
def test_a_table_of_the_same_name_with_other_columns_is_the_tenants(name: str) -> None:
    assert frameworks.owner(name, ["id", "title"]) is None
    for own in frameworks.TABLES[name]:
        found = frameworks.owner(name, own.columns)
        assert found is not None
        assert found.columns <= own.columns


def test_sessions_and_caches_are_decisions() -> None:
    document = catalog(
        django_session={"columns": [column("session_key", "text"), column("session_data", "text")]},
        notes={"columns": [column("id"), column("author")], "foreign_keys": []},
    )
    made = draft.build(document)
    decided = {item["entry"]["name"]: item["decision"] for item in made["tables"]}
    assert decided["django_session"].startswith("The table contains sessions or a cache")
    assert decided["notes"].startswith("No foreign key shows")


@pytest.mark.parametrize(
    ("default", "identity", "kind"),
    [
        ("nextval('app.numbers'::regclass)", False, "surrogate_keys"),
        ("gen_random_uuid()", False, "surrogate_keys"),
        ("public.uuid_generate_v4()", False, "surrogate_keys"),
        ("uuidv7()", False, "surrogate_keys"),
        (None, True, "surrogate_keys"),
        (None, False, "natural_keys"),
        ("'nextval('::text", False, "natural_keys"),
        ("now()", False, "natural_keys"),
    ],
)
def test_a_key_is_random_by_its_default(default: str | None, identity: bool, kind: str) -> None:
    document = catalog(notes={"columns": [column("id", default=default, identity=identity)], "indexes": [key("id")]})
    (entry,) = [item["entry"] for item in draft.build(document)["tables"]]
    assert entry == {"name": "notes", kind: [["id"]]}


def test_a_key_that_holds_a_foreign_keys_column_is_natural() -> None:
    pointing = {"columns": ["id"], "references": "public.notes", "key": ["id"]}
    document = catalog(
        notes={"columns": [column("id", identity=True)], "indexes": [key("id")]},
        bodies={"columns": [column("id", identity=True)], "indexes": [key("id")], "foreign_keys": [pointing]},
    )
    entries = {item["entry"]["name"]: item["entry"] for item in draft.build(document)["tables"]}
    assert entries["notes"]["surrogate_keys"] == [["id"]]
    assert entries["bodies"]["natural_keys"] == [["id"]]


def test_a_key_of_expressions_is_named_by_the_columns_that_it_reads() -> None:
    lower = key("code", columns=[None], plain=False)
    excluded = key("room", "at", unique=False, exclusion=True, method="gist")
    document = catalog(notes={"columns": [column("code"), column("room"), column("at")], "indexes": [lower, excluded]})
    made = draft.build(document)
    assert made["tables"][0]["entry"]["natural_keys"] == [["code"], ["room", "at"]]
    assert [item["sql"] for item in made["before"]] == ["CREATE EXTENSION btree_gist;"]


@pytest.mark.parametrize(
    ("relation", "names", "is_found"),
    [
        ("notes", "code", True), ('"notes"', '"code"', True), ("public.notes", "code", True), ("Notes", " code ", True),
        ("other.notes", "code", False), ("notes", "id", False), ("notes", "code, id", False), ("pages", "code", False),
    ],
)  # fmt: skip
def test_an_upsert_that_finds_no_key_is_named(relation: str, names: str, is_found: bool) -> None:
    document = catalog(
        notes={"columns": [column("id", identity=True), column("code")], "indexes": [key("id"), key("code")]},
    )
    document["upserts"] = [{"relation": relation, "columns": names}]
    decision = draft.build(document)["tables"][0]["decision"]
    assert (f"ON CONFLICT ({names})" in decision) is is_found
    assert "No foreign key" in decision


def test_a_column_that_most_tables_share_is_the_tenants() -> None:
    owned = {"columns": [column("id", identity=True), column("organization_id", "uuid"), column("code", "text")]}
    document = catalog(
        organizations={"columns": [column("id", "uuid", default="gen_random_uuid()")], "indexes": [key("id")]},
        notes=owned | {"indexes": [key("id"), key("organization_id", "code")]},
        bodies=owned | {"indexes": [key("id")]},
    )
    made = draft.build(document)
    assert made["column"] == {
        "name": "organization_id", "type": "uuid", "setting": "app.current_tenant", "tables": 2, "tenant": None,
        "tenant_name": "no tenant", "shared": {"code": 2},
    }  # fmt: skip
    entries = {item["entry"]["name"]: item["entry"] for item in made["tables"]}
    assert entries["notes"]["natural_keys"] == [["code"]]


def test_an_existing_column_is_adopted_with_the_tenants_table() -> None:
    tenant = {"columns": ["organization_id"], "references": "public.organizations", "key": ["id"]}
    note = {"columns": ["note_id"], "references": "public.notes", "key": ["id"]}
    owned = {"columns": [column("id", identity=True), column("organization_id", "uuid")], "foreign_keys": [tenant]}
    document = catalog(
        organizations={"columns": [column("id", "uuid", default="gen_random_uuid()")], "indexes": [key("id")]},
        notes=owned | {"indexes": [key("id")]},
        pages=owned,
        images=owned,
        words=owned,
        plans=owned,
        charts=owned,
        lines={"columns": [column("note_id")], "foreign_keys": [note]},
        loose={"columns": [column("note_id", not_null=False)], "foreign_keys": [note]},
        people={"columns": [column("id")], "indexes": [key("id")]},
        remarks={
            "columns": [column("author_id"), column("line_id")],
            "foreign_keys": [
                {"columns": ["author_id"], "references": "public.people", "key": ["id"]},
                {"columns": ["line_id"], "references": "public.lines", "key": ["id"]},
            ],
        },
    )
    found = yaml.safe_load(text.tenancy(draft.build(document)))
    assert found["tenancy_column_adopted"] is True
    assert found["tenancy_default_tenant"] is None
    assert found["tenancy_bridge"] is False
    assert found["tenancy_tenants"] == {"table": "organizations", "key": "id", "policy": "own"}
    entries = {entry["name"]: entry for entry in found["tenancy_tables"]}
    assert entries.keys() >= {"notes", "pages", "lines", "loose", "people", "remarks"}
    assert entries["lines"]["tenant_from"] == ["note_id"]
    # The table lines takes its tenant from notes. The table remarks takes it from lines, because people has no tenant.
    assert entries["remarks"]["tenant_from"] == ["line_id"]
    assert entries["notes"] == {"name": "notes", "surrogate_keys": [["id"]]}
    decisions = {item["entry"]["name"]: item["decision"] for item in draft.build(document)["tables"]}
    assert decisions["loose"].startswith("The table lacks organization_id")
    # The decisions concern the column, the readers of the tenants' table, and two tables without a tenant.
    assert draft.decisions(draft.build(document)) == 4


def test_the_column_of_the_migration_is_not_adopted() -> None:
    default = "(NULLIF(current_setting('app.tenant'::text, true), ''::text))::integer"
    document = catalog(
        notes={"columns": [column("id", identity=True), column("firm", default=default)], "indexes": [key("id")]}
    )
    found = yaml.safe_load(text.tenancy(draft.build(document)))
    assert (found["tenancy_column"], found["tenancy_setting"]) == ("firm", "app.tenant")
    assert "tenancy_column_adopted" not in found
    assert found["tenancy_default_tenant"] == 1


def test_a_shared_column_without_a_known_name_is_named() -> None:
    made = draft.build(golden.described_catalog("ai_memory"))
    assert made["column"]["name"] == "tenant_id"
    assert made["column"]["shared"] == {"user_id": 5}


def test_a_database_without_a_table_is_refused() -> None:
    with pytest.raises(TenancyError, match="has no table: correct database_name"):
        draft.build(catalog())


@pytest.mark.parametrize(
    ("links", "nullable", "wanted"),
    [
        ({"a": ["b"], "b": [], "c": ["a"]}, [], ["b", "a", "c"]),
        ({"a": ["a"], "b": ["a"]}, [], ["a", "b"]),
        ({"a": ["b"], "b": ["a"]}, [("b", "a")], ["b", "a"]),
        ({"a": ["b"], "b": ["a"]}, [("a", "b")], ["a", "b"]),
        ({"z": ["a"], "a": ["b"], "b": ["a"]}, [("b", "a")], ["b", "a", "z"]),
        ({"a": ["x", "b"], "b": ["a"], "x": []}, [("a", "b"), ("b", "a")], ["x", "a", "b"]),
    ],
)
def test_referenced_tables_come_first(
    links: dict[str, list[str]], nullable: list[tuple[str, str]], wanted: list[str]
) -> None:
    assert order.referenced_first(links, nullable) == wanted


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["created_at", "updated_at"], "updated_at"),
        (["seen_at", "created_at"], "created_at"),
        (["measured_at", "created_at"], "created_at"),
        (["expires_at"], None),
        (["expires_at", "left_at"], "left_at"),
        (["birthday"], None),
    ],
)
def test_the_column_with_the_time_of_writing_is_found(names: list[str], wanted: str | None) -> None:
    kinds = {name: "date" if name == "birthday" else "timestamp with time zone" for name in names}
    filled = {name: "now()" if name == "left_at" else None for name in names}
    assert columns.written_at({name: column(name, kinds[name], default=filled[name]) for name in names}) == wanted


NOTES = {"notes": [("author", "title")]}
BODIES = {
    "INSERT INTO notes (author, title) VALUES (a, b);": "INSERT INTO notes (t, author, title) VALUES (X, a, b);",
    "insert into app.notes(author) values (a), (b)": "insert into app.notes(t, author) values (X, a), (X, b)",
    "INSERT INTO notes (author) SELECT a FROM b WHERE c;": "INSERT INTO notes (t, author) SELECT X, a FROM b WHERE c;",
    "INSERT INTO notes (author, title) VALUES (a, ')') ON CONFLICT (author, title) DO NOTHING;":
        "INSERT INTO notes (t, author, title) VALUES (X, a, ')') ON CONFLICT (t, author, title) DO NOTHING;",
    "UPDATE notes SET a = (SELECT 1 WHERE b) WHERE c OR d RETURNING a INTO b;":
        "UPDATE notes SET a = (SELECT 1 WHERE b) WHERE notes.t = X AND (c OR d) RETURNING a INTO b;",
    "DELETE FROM notes WHERE a = 'x';": "DELETE FROM notes WHERE notes.t = X AND (a = 'x');",
    "UPDATE notes SET a = 'x'": "UPDATE notes SET a = 'x' WHERE notes.t = X",
    "UPDATE notes SET a = b WHERE c = $q$d$q$ -- e\n;":
        "UPDATE notes SET a = b WHERE notes.t = X AND (c = $q$d$q$) -- e\n;",
    "UPDATE notes SET a = 1;": "UPDATE notes SET a = 1 WHERE notes.t = X;",
    "DELETE FROM ONLY notes AS n WHERE n.a;": "DELETE FROM ONLY notes AS n WHERE n.t = X AND (n.a);",
    "FOR r IN DELETE FROM notes WHERE a LOOP b; END LOOP;":
        "FOR r IN DELETE FROM notes WHERE notes.t = X AND (a) LOOP b; END LOOP;",
    "WITH x AS (DELETE FROM notes WHERE a) SELECT 1;":
        "WITH x AS (DELETE FROM notes WHERE notes.t = X AND (a)) SELECT 1;",
    "-- DELETE FROM notes;\nDELETE FROM others;": "-- DELETE FROM notes;\nDELETE FROM others;",
    "SELECT a FROM notes FOR UPDATE; DELETE FROM other.notes;":
        "SELECT a FROM notes FOR UPDATE; DELETE FROM other.notes;",
}  # fmt: skip
LEFT = (
    "INSERT INTO notes VALUES (a);", "INSERT INTO notes (a) SELECT b UNION SELECT c;", "TRUNCATE notes;",
    "INSERT INTO notes (a) SELECT DISTINCT b FROM c;",
    "INSERT INTO notes (a) VALUES (b) ON CONFLICT (lower(a)) DO NOTHING;",
    "EXECUTE 'DELETE FROM notes';", "UPDATE notes SET a = 1 WHERE CURRENT OF b;", "COPY notes FROM 'a';",
    "MERGE INTO notes USING a ON b WHEN MATCHED THEN DELETE;",
)  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_a_statement_gets_the_tenant(body: str) -> None:
    assert bodies.with_tenant(body, "app", NOTES, "t", "X") == bodies.Proposal(BODIES[body], [])


@pytest.mark.parametrize("body", LEFT)
def test_a_statement_of_another_form_is_unchanged_and_named(body: str) -> None:
    assert bodies.with_tenant(f"BEGIN\n  {body}\nEND", "app", NOTES, "t", "X") == bodies.Proposal(
        f"BEGIN\n  {body}\nEND", [body]
    )


@pytest.mark.parametrize(
    "value",
    ["{{ lookup('pipe', 'id') }}", "{% raw %}", "a\nb: c", "\x1b[3A", "‮x", "yes", "1", "", " a", "ü", "# x", "null"],
)
def test_a_written_value_keeps_its_meaning(value: str) -> None:
    written = text.flow({"a": value})
    assert loaded(written)["a"] == (("unsafe", value) if "{{" in value or "{%" in value else value)
    assert "\x1b" not in written
    assert "‮" not in written


def test_a_value_of_ansibles_types_is_written_like_any_other() -> None:
    class Tagged(str):
        """A string of a subclass, as Ansible passes strings in variables."""

        __slots__ = ()

    class TaggedNumber(int):
        """A number of a subclass, as Ansible passes numbers in variables."""

    given = {"column": Tagged("shop"), "default_tenant": TaggedNumber(7), "readable": [Tagged("workshop.settings")]}
    written = text.tenancy(draft.build(golden.described_catalog("workshop"), given))
    assert "\ntenancy_column: shop\n" in written
    assert "\ntenancy_default_tenant: 7\n" in written
    assert "\n  - workshop.settings  # shared by all tenants\n" in written


NAMES = ("a\nb", "x: {{ 1 }}", 'q"uote', "a.b", "- c", "\x1b[2K", "{a", "# d", "two  blanks", "e\n\n  f: 'g'")


def test_any_name_is_valid_in_both_files() -> None:
    tables: dict[str, Any] = {
        name: {"columns": [column("id", identity=True)], "indexes": [key("id")]} for name in NAMES
    }  # fmt: skip
    tables[NAMES[0]] |= {"inherits": [f"public.{NAMES[3]}"], "rules": [NAMES[-1]]}
    tables["m"] = {"kind": "m", "over": [f"public.{NAMES[0]}"], "name": "m\nDROP TABLE notes;"}
    document = catalog(**tables)
    document["functions"] = [
        {
            "id": 1, "schema": "public", "name": "f\ng", "kind": "f", "language": "plpython3u", "arguments": "",
            "identity": "", "returns": "void", "trigger": False,
            "body": 'DELETE FROM "a.b";\nDROP TABLE x;', "definition": "f\nDROP;",
        }
    ]  # fmt: skip
    made = draft.build(document)
    written = text.tenancy(made)

    names = [entry["name"] for entry in loaded(written)["tenancy_tables"]]
    assert names == [("unsafe", name) if "{{" in name else name for name in NAMES]
    assert "\x1b" not in written
    before = text.before(made)
    assert len(made["before"]) == 4
    assert [line for line in before.splitlines() if line and not line.startswith("--")] == []


def test_additions_of_a_release_are_differences() -> None:
    document, before = golden.described_catalog("workshop"), source("workshop")
    model_before = copy.deepcopy(before)
    for entry in model_before["tables"]:
        if entry["name"] == "repairs":
            entry["foreign_keys"] = [item for item in entry["foreign_keys"] if item["references"] != "employees"]
        if entry["name"] == "customers":
            entry["natural_keys"] = []
    model_before["tables"] = [entry for entry in model_before["tables"] if entry["name"] != "invoices"]
    model_before |= {"views": [], "functions": [], "readable": []}
    found = difference.differences(document, model_before)
    assert {(item["variable"], item["entry"], item["field"]) for item in found} == {
        ("tenancy_tables", "", ""), ("tenancy_tables", "repairs", "foreign_keys"),
        ("tenancy_tables", "customers", "natural_keys"), ("tenancy_views", "", ""), ("tenancy_functions", "", ""),
        ("tenancy_readable", "", ""),
    }  # fmt: skip
    assert "      - {columns: [lead_id], references: employees, key: [id]}" in difference.lines(found)
    assert difference.differences(document, closed(model_before, found)) == []


def closed(wanted: dict[str, Any], found: list[difference.Difference]) -> dict[str, Any]:
    """Return the model after inserting the lines that the differences propose."""
    made = copy.deepcopy(wanted)
    for item in found:
        place = made[item["variable"].removeprefix("tenancy_")]
        if item["field"]:
            (entry,) = [entry for entry in place if entry["name"] == item["entry"]]
            place = entry.setdefault(item["field"], [])
        place.append(item["add"])
    return made


def test_dropped_objects_of_the_model_are_named() -> None:
    wanted = source("workshop")
    wanted["tables"].append({"name": "gone"})
    by_name = {entry["name"]: entry for entry in wanted["tables"]}
    by_name["parts"] |= {"natural_keys": [["sku"], ["title"]], "written_at": "added_at", "sample": {"size": 1}}
    by_name["stock"]["foreign_keys"].append({"columns": ["taken"], "references": "parts", "key": ["sku"]})
    wanted["views"].append({"name": "gone_view", "sample_rows": 1})
    wanted["readable"].append("workshop.gone_list")
    said = [item["say"] for item in difference.differences(golden.described_catalog("workshop"), wanted)]
    assert said == [
        "parts has no unique key (title): remove the key from natural_keys.",
        "parts has no column size: remove the column from sample.",
        "parts has no column added_at: remove the column from written_at.",
        "stock has no foreign key (taken) to parts: remove the key from foreign_keys.",
        "The table gone of the model does not exist: remove its entry.",
        "The view gone_view of the model does not exist: remove its entry.",
        "workshop.gone_list does not exist: remove it from tenancy_readable.",
    ]


GIVEN = {
    "schema": "workshop", "column": "shop", "column_type": "uuid", "setting": "shop.id",
    "default_tenant": "9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683", "default_tenant_name": "North",
    "readable": ["workshop.settings"],
}  # fmt: skip


def test_a_made_decision_is_not_marked() -> None:
    document = golden.described_catalog("workshop")
    made = draft.build(document, GIVEN)
    written = text.tenancy(made)
    found = yaml.safe_load(written)
    shared = ["workshop.settings", "workshop.alembic_version", "workshop.how_it_is_set"]
    assert {name: found[f"tenancy_{name}"] for name in GIVEN} == GIVEN | {"readable": shared}
    assert draft.decisions(made) == draft.decisions(draft.build(document)) - 4
    assert "DECIDE (the tenant column)" not in written
    assert "settings" not in [entry["name"] for entry in found["tenancy_tables"]]
    assert "NEW.shop" in written
    assert "nullif(current_setting('shop.id', true), '')::uuid" in written


@pytest.mark.parametrize(
    "given",
    [{"column_type": "money"}, {"default_tenant": "first"}, {"column_type": "uuid", "default_tenant": 1}],
)
def test_an_invalid_tenant_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(TenancyError, match=r"^tenancy_"):
        draft.build(golden.described_catalog("workshop"), given)


def table(*names: str, **more: Any) -> dict[str, Any]:
    """Return a table with a generated key and columns with these names."""
    return {"columns": [column("id", identity=True), *map(column, names)], "indexes": [key("id")]} | more


def pointing(columns_: list[str], references: str, pointed: list[str]) -> dict[str, Any]:
    """Return a foreign key in the form of the catalogs."""
    return {"columns": columns_, "references": f"public.{references}", "key": pointed}


def test_a_foreign_key_is_named_once_and_without_the_tenant() -> None:
    twice = pointing(["note_id"], "notes", ["id"])
    composite = pointing(["tenant", "note_id"], "notes", ["tenant", "id"])
    document = catalog(
        notes=table("tenant"), pages=table("tenant", "note_id", foreign_keys=[twice, dict(twice), composite]),
        words=table("tenant"),
    )  # fmt: skip
    entries = {item["entry"]["name"]: item["entry"] for item in draft.build(document)["tables"]}
    assert entries["pages"]["foreign_keys"] == [{"columns": ["note_id"], "references": "notes", "key": ["id"]}]


def test_a_column_that_identifies_the_rows_is_not_the_tenant_column() -> None:
    document = catalog(notes=table("customer"), pages=table("customer"))
    assert draft.build(document)["column"]["name"] == "customer"
    for relation in document["relations"]:
        relation["indexes"] = [key("customer")]
    assert draft.build(document)["column"]["name"] == "tenant_id"


def test_a_relation_of_another_schema_can_be_given_as_shared() -> None:
    document = catalog(notes=table(), pages=table(), daily=table(schema="reports", title="reports.daily"))
    assert [item["commented"] for item in draft.build(document)["readable"]] == [True]
    (said,) = draft.build(document, {"readable": ["reports.daily"]})["readable"]
    assert (said["title"], said["commented"], said["decision"]) == ("reports.daily", False, None)


@pytest.mark.parametrize(
    ("names", "is_list"), [(["word"], True), (["a", "b", "c"], True), (["a", "b", "c", "d"], False)]
)
def test_a_list_has_few_columns(names: list[str], is_list: bool) -> None:
    document = catalog(
        notes=table(*names), pages=table("note_id", foreign_keys=[pointing(["note_id"], "notes", ["id"])])
    )
    decision = draft.build(document)["tables"][0]["decision"]
    assert (decision is not None) is is_list


def test_only_plain_indexes_are_built_per_tenant() -> None:
    plain = key("word", unique=False)
    special = [key("other", unique=False, method="gin"), key("more", unique=False, plain=False)]
    document = catalog(notes=table("word", "other", "more", indexes=[plain, plain, *special]))
    (found,) = draft.build(document)["tables"]
    assert found["entry"]["indexes"] == [["word"]]


FUNCTION = {
    "id": 1, "schema": "public", "name": "f", "kind": "f", "language": "plpgsql", "arguments": "", "identity": "",
    "returns": "trigger", "trigger": True, "body": "BEGIN\n  INSERT INTO notes (a) VALUES (1);\nEND", "definition": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("events", "row", "on", "tenant"),
    [
        (["insert"], True, "pages", "NEW.tenant_id"), (["insert", "update"], True, "pages", "NEW.tenant_id"),
        (["delete"], True, "pages", "OLD.tenant_id"), (["delete", "insert"], True, "pages", "nullif("),
        (["insert"], False, "pages", "nullif("), (["insert"], True, "alembic_version", "nullif("),
    ],
)  # fmt: skip
def test_the_tenant_of_a_row_is_named_if_there_is_one(events: list[str], row: bool, on: str, tenant: str) -> None:
    trigger = {"name": "t", "function": 1, "row": row, "events": events}
    document = catalog(notes=table("a"), pages=table(), alembic_version={"columns": [column("version_num")]})
    for relation in document["relations"]:
        relation["triggers"] = [trigger] if relation["name"] == on else []
    document["functions"] = [FUNCTION]
    (found,) = draft.build(document)["functions"]
    assert f"VALUES ({tenant}" in found["entry"]["body"]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("INSERT INTO notes VALUES (1, f(2), '(3), (4)');", 1),
        ("INSERT INTO notes (a) VALUES (1), (2) RETURNING b;", 2), ("INSERT INTO notes (a) SELECT b FROM c;", 1),
        ("INSERT INTO notes DEFAULT VALUES", 1),
        ("INSERT INTO notes (a)\nVALUES ('x'), ('y'), ('z') ON CONFLICT DO NOTHING", 3),
    ],
)  # fmt: skip
def test_the_rows_of_an_insert_are_counted(body: str, wanted: int) -> None:
    (statement,) = bodies.written(body, "app")
    assert bodies.rows(body, statement) == wanted


def test_an_upsert_of_a_generated_key_is_unchanged() -> None:
    body = "INSERT INTO notes (id) VALUES (1) ON CONFLICT (id) DO NOTHING;"
    wanted = "INSERT INTO notes (t, id) VALUES (X, 1) ON CONFLICT (id) DO NOTHING;"
    assert bodies.with_tenant(body, "app", NOTES, "t", "X") == bodies.Proposal(wanted, [])


def test_an_installed_extension_is_not_requested() -> None:
    excluded = key("room", unique=False, exclusion=True, method="gist")
    document = catalog(notes=table("room", indexes=[excluded])) | {"extensions": ["btree_gist"]}
    assert draft.build(document)["before"] == []


@pytest.mark.parametrize("body", ["  BEGIN\n  x\n  END", "BEGIN  \n\tx\nEND", "BEGIN\n\n  {{ x }}\nEND", "\n a\n b"])
def test_a_body_keeps_its_text(body: str) -> None:
    written = "\n".join(["functions:", *text.item({"name": "f", "body": body})])
    found = loaded(written)["functions"][0]["body"]
    assert (found[1] if "{{" in body else found).strip("\n") == body.strip("\n")


def test_the_difference_adopts_a_new_table_with_the_tenant_and_names_code_alone() -> None:
    document = catalog(notes=table("tenant_id"), pages=table())
    document["relations"].append(document["relations"][0] | {"kind": "m", "name": "m", "title": "public.m"})
    document["relations"][-1]["over"] = ["public.notes"]
    document["functions"] = [FUNCTION | {"language": "plpython3u", "trigger": False}]
    wanted = {"schema": "public", "column": "tenant_id", "column_type": "integer", "default_tenant": 1, "tables": []}
    found = difference.differences(document, wanted)
    assert [item["add"] for item in found if item["variable"] == "tenancy_tables"] == [
        {"name": "notes", "surrogate_keys": [["id"]], "adopt": True}, {"name": "pages", "surrogate_keys": [["id"]]},
    ]  # fmt: skip
    (by_hand,) = [item["say"] for item in found if item["variable"] == "by hand"]
    assert by_hand.startswith("The function public.f() in the language plpython3u writes to tenant tables")


@pytest.mark.parametrize(
    ("raised", "wanted"),
    [
        ("RAISE EXCEPTION 'no'", ["update"]), ("RAISE 'no'", ["update"]),
        ("RAISE SQLSTATE 'WS001'", [{"command": "update", "sqlstate": "WS001"}]),
        ("RAISE EXCEPTION 'no' USING ERRCODE = 'restrict_violation'", [{"command": "update", "sqlstate": "23001"}]),
        ("RAISE check_violation USING MESSAGE = 'no'", [{"command": "update", "sqlstate": "23514"}]),
        ("RAISE EXCEPTION USING ERRCODE = 'WS002'", [{"command": "update", "sqlstate": "WS002"}]),
        ("RAISE NOTICE 'yes'", None), ("x", None),
    ],
)  # fmt: skip
def test_what_a_trigger_forbids_is_read(raised: str, wanted: list[Any] | None) -> None:
    document = catalog(notes=table())
    document["relations"][0]["triggers"] = [{"name": "t", "function": 1, "row": True, "events": ["update"]}]
    document["functions"] = [FUNCTION | {"body": f"BEGIN {raised}; RETURN OLD; END"}]
    (found,) = draft.build(document)["tables"]
    assert found["entry"].get("append_only") == wanted
