"""Foreign keys between tenant tables are replaced by keys with the tenant column, and a rollback restores them."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pglast
import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import ModelError, UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit import audit
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import findings, foreign_keys, plan, schema
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import proof
from conftest import attribute, blank_state
from production import model_source
from simulator import foreign_key_entry, index_entry, run

State = dict[str, Any]
BOATS = {"name": "boats", "surrogate_keys": [["id"]], "sample": {"name": "proof"}}
BERTHS = {"name": "berths", "natural_keys": [["pier", "number"]], "sample": {"pier": "proof", "number": 1}}
TO_BOATS = {"columns": ["boat_id"], "references": "boats", "key": ["id"]}
TO_BERTHS = {"columns": ["pier", "number"], "references": "berths", "key": ["pier", "number"]}
TRIPS = {
    "name": "trips",
    "surrogate_keys": [["id"]],
    "foreign_keys": [TO_BOATS, TO_BERTHS],
    "sample": {"note": "proof"},
}


def source(*tables: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return model_source() | {"tables": list(tables or (BOATS, BERTHS, TRIPS)), "functions": []} | changes


WANTED = model.parse(source())


def state() -> State:
    """Return the state of the boat rental, in which trips reference boats and berths."""
    found, example = blank_state(), blank_state()["tables"]["memories"]
    columns = {
        "boats": ["id", "name"],
        "berths": ["pier", "number"],
        "trips": ["id", "boat_id", "pier", "number", "note"],
    }
    keys = {"boats": ["id"], "berths": ["pier", "number"], "trips": ["id"]}
    found["tables"] = {
        name: copy.deepcopy(example)
        | {
            "columns": columns[name], "attributes": [attribute(column) for column in columns[name]], "foreign_keys": [],
            "indexes": [index_entry(f"{name}_pkey", key, unique=True, constraint="p")],
        }
        for name, key in keys.items()
    }  # fmt: skip
    for name, table in found["tables"].items():
        table["indexes"][0]["definition"] = (
            f"CREATE UNIQUE INDEX {name}_pkey ON public.{name} ({', '.join(keys[name])})"
        )
    found["tables"]["trips"]["foreign_keys"] = [
        foreign_key_entry("trips_boat_id_fkey", "trips", ["boat_id"], "boats", ["id"]) | {"delete": "c"},
        foreign_key_entry("leaves from", "trips", ["pier", "number"], "berths", ["pier", "number"])
        | {"update": "c", "delete": "n", "deferrable": True, "deferred": True, "comment": "it's a berth"},
    ]
    found["tables"]["berths"]["indexes"][0]["dependents"] = ["constraint leaves from on table trips"]
    return found


def change(document: State, number: int = 0, **changes: Any) -> State:
    document["tables"]["trips"]["foreign_keys"][number] |= changes
    return document


def test_both_sides_get_the_tenant_and_everything_else_stays() -> None:
    before = state()
    after = run(before, plan.build(before, WANTED))
    boat, berth = after["tables"]["trips"]["foreign_keys"]
    assert (boat["columns"], boat["key"]) == (["customer_id", "boat_id"], ["customer_id", "id"])
    assert (berth["columns"], berth["key"]) == (["customer_id", "pier", "number"], ["customer_id", "pier", "number"])
    assert (boat["name"], boat["delete"], boat["set_columns"]) == ("trips_boat_id_fkey", "c", None)
    kept = {name: berth[name] for name in ("name", "update", "delete", "deferrable", "deferred", "comment")}
    assert kept == {name: before["tables"]["trips"]["foreign_keys"][1][name] for name in kept}
    # ON DELETE SET NULL does not change the tenant column.
    assert berth["set_columns"] == ["pier", "number"]
    assert plan.build(after, WANTED) == []
    assert [item for item in findings.collect(after, WANTED) if not item["ok"]] == []


def test_the_random_key_stays_beside_the_one_with_the_tenant() -> None:
    after = run(state(), plan.build(state(), WANTED))
    keys = {tuple(index["names"]): index["constraint_type"] for index in after["tables"]["boats"]["indexes"]}
    assert keys == {("id",): "p", ("customer_id", "id"): "u"}


def test_every_prefix_of_the_transaction_leads_on() -> None:
    statements = plan.build(state(), WANTED)
    # The statements up to this phase run in one transaction, after the online steps.
    for length in range([item["phase"] for item in statements].index("unlink") + 1):
        half = run(state(), statements[:length])
        assert plan.build(run(half, plan.build(half, WANTED)), WANTED) == []


def test_a_rollback_brings_the_foreign_keys_back() -> None:
    before = state()
    statements = schema.build(run(before, plan.build(before, WANTED)), WANTED, before)
    phases = [item["phase"] for item in statements]
    assert phases.index("unlink") < phases.index("key") < phases.index("link")
    boat, berth = (item["sql"] for item in statements if item["phase"] == "link")
    assert boat == (
        'ALTER TABLE "public"."trips" ADD CONSTRAINT "trips_boat_id_fkey" FOREIGN KEY ("boat_id")'
        ' REFERENCES "public"."boats" ("id") ON DELETE CASCADE'
    )
    assert berth == (
        'ALTER TABLE "public"."trips" ADD CONSTRAINT "leaves from" FOREIGN KEY ("pier", "number")'
        ' REFERENCES "public"."berths" ("pier", "number") ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE'
        " INITIALLY DEFERRED"
    )
    comments = [item["sql"] for item in statements if item["phase"] == "comment"]
    assert comments == ['COMMENT ON CONSTRAINT "leaves from" ON "public"."trips" IS \'it\'\'s a berth\'']


def test_the_original_schema_has_the_original_foreign_keys() -> None:
    before = state()
    migrated = run(before, plan.build(before, WANTED))
    rows = {name: table["rows"] for name, table in before["tables"].items()}
    assert "original foreign keys that are missing" in {
        item["check"] for item in schema.findings(migrated, WANTED, before, rows) if not item["ok"]
    }
    phases = ("unlink", "key", "build", "attach", "link", "comment")
    back = run(migrated, [item for item in schema.build(migrated, WANTED, before) if item["phase"] in phases])
    assert back["tables"]["trips"]["foreign_keys"] == before["tables"]["trips"]["foreign_keys"]
    assert [item for item in schema.build(back, WANTED, before) if item["phase"] in phases] == []


def test_a_foreign_key_of_the_migration_is_no_obstacle_to_its_rollback() -> None:
    migrated = run(state(), plan.build(state(), WANTED))
    berths = migrated["tables"]["berths"]
    ours = {"name": "leaves from", "description": "constraint leaves from on table trips"}
    berths["column"]["dependents"] = [ours]
    next(index for index in berths["indexes"] if len(index["names"]) == 3)["dependents"] = [ours["description"]]
    assert schema.build(migrated, WANTED, state())
    berths["column"]["dependents"].append({"name": "theirs", "description": "constraint theirs on table bills"})
    with pytest.raises(UnsafeStateError, match=r"constraint theirs on table bills uses public\.berths\.customer_id"):
        schema.build(migrated, WANTED, state())


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (
            change(state(), columns=["note"]),
            r"public\.trips has no foreign key \(boat_id\) to boats \(id\): correct",
        ),
        (change(state(), 1, match="f"), "leaves from of public.trips is MATCH FULL, .*: make it MATCH SIMPLE first"),
        (change(state(), 1, update="n"), "is ON UPDATE SET NULL, which would set the tenant column as well"),
        (change(state(), 1, update="d"), "is ON UPDATE SET DEFAULT, which would set the tenant column as well"),
        (state() | {"server_version_num": 140000}, "is ON DELETE SET NULL, .* before PostgreSQL 15"),
    ],
)
def test_what_cannot_name_the_tenant_is_refused(broken: State, sentence: str) -> None:
    with pytest.raises(UnsafeStateError, match=sentence):
        plan.build(broken, WANTED)


def test_a_foreign_key_that_the_model_does_not_name_keeps_its_key() -> None:
    wanted = model.parse(source(BOATS, BERTHS, TRIPS | {"foreign_keys": [TO_BOATS]}))
    with pytest.raises(UnsafeStateError, match="leaves from on table trips depends on it: list a foreign key under"):
        plan.build(state(), wanted)


def test_the_audit_marks_entries_that_the_plan_fixes() -> None:
    subjects = ['"leaves from" of public.trips', "trips_boat_id_fkey of public.trips", "other of public.trips"]
    found = audit.collect({"foreign-key": subjects}, state(), WANTED)
    fixed = {entry["subject"]: entry["fixed_by_plan"] for entry in found if entry["rule"] == "foreign-key"}
    assert fixed == dict(zip(subjects, (True, True, False), strict=True))


def test_findings_name_what_is_left() -> None:
    migrated = run(state(), plan.build(state(), WANTED))
    old = state()["tables"]["trips"]["foreign_keys"][0]
    trips = migrated["tables"]["trips"]
    trips["foreign_keys"].append(old | {"name": "old"})
    failed = [(item["check"], item["actual"]) for item in findings.collect(migrated, WANTED) if not item["ok"]]
    assert failed == [("foreign key (boat_id) without the tenant column left", ["old"])]
    assert [item["id"] for item in plan.build(migrated, WANTED)] == ["trips.foreign_key.boat_id.drop"]


@pytest.mark.parametrize(
    ("changes", "written"),
    [
        ({}, ""),
        ({"match": "f"}, " MATCH FULL"),
        ({"update": "r", "delete": "r"}, " ON UPDATE RESTRICT ON DELETE RESTRICT"),
        ({"delete": "d", "set_columns": ['a"b']}, ' ON DELETE SET DEFAULT ("a""b")'),
        ({"deferrable": True}, " DEFERRABLE"),
        ({"validated": False}, " NOT VALID"),
    ],
)
def test_a_definition_says_everything(changes: State, written: str) -> None:
    key = foreign_key_entry("f", "t", ["a"], "u", ["b"]) | changes
    assert foreign_keys.definition(key) == f'FOREIGN KEY ("a") REFERENCES "public"."u" ("b"){written}'
    pglast.parse_sql(f"ALTER TABLE t ADD {foreign_keys.definition(key)}")


def test_a_tenant_tries_to_point_to_anothers_rows() -> None:
    found = {item["id"]: item for item in proof.attempts(WANTED, "1", "2")}
    boat, berth = found["trips.point.boat_id"], found["trips.point.pier_number"]
    assert boat["expected"] == berth["expected"] == ["error 23503"]
    for item in (boat, berth):
        named = [raw.stmt for raw in pglast.parse_sql(item["sql"])]
        assert len(named) >= 1
        # The attempt reads the other tenant's key first, and passes it to the statement as a parameter.
        assert item["theirs"]["tenant"] == "2"
        assert len(pglast.parse_sql(item["theirs"]["sql"])) == 1
        assert "$1" in item["sql"]
    # Both tenants have the same berth, so the attempt deletes the tenant's own berth first.
    assert 'DELETE FROM "public"."trips" WHERE true; DELETE FROM "public"."berths" WHERE true; INSERT' in berth["sql"]
    assert "DELETE" not in boat["sql"]


def test_a_sample_points_to_the_samples_before_it() -> None:
    found = {item["id"]: item["sql"] for item in proof.attempts(WANTED, "1", "2")}
    assert '(SELECT "id" FROM "public"."boats" ORDER BY "id" LIMIT 1)' in found["trips.own.insert"]
    both = ('DELETE FROM "public"."trips" WHERE true', 'DELETE FROM "public"."boats" WHERE true')
    assert found["boats.own.delete"] == "; ".join(both)
    assert found["trips.own.delete"] == 'DELETE FROM "public"."trips" WHERE true'


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"references": "bills"}, "references 'bills', which is not a tenant table: list it in tenancy_tables"),
        ({"references": ""}, "references: An SQL identifier must be"),
        ({"key": ["name"]}, r"references \(name\) of 'boats', which is not one of its"),
        ({"columns": ["a", "b"]}, "with 2 columns cannot reference a key with 1"),
        ({"columns": "a"}, "the columns of a foreign key must be a list"),
        ({"column": ["a"]}, "must have columns, references and key"),
    ],
)
def test_a_wrong_foreign_key_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        model.parse(source(BOATS, TRIPS | {"foreign_keys": [TO_BOATS | changes]}))


def test_a_table_is_stored_behind_those_that_it_points_to() -> None:
    wanted = model.parse(source(TRIPS, BERTHS, BOATS))
    stored = [item["table"] for item in proof.attempts(wanted, "1", "2") if item["id"].endswith(".own.insert")]
    assert stored == ["berths", "boats", "trips"]


def test_a_table_may_point_to_itself() -> None:
    boats = BOATS | {"foreign_keys": [{"columns": ["tender_of"], "references": "boats", "key": ["id"]}]}
    wanted = model.parse(source(boats))
    found = {item["id"]: item["sql"] for item in proof.attempts(wanted, "1", "2")}
    assert found["boats.own.delete"] == 'DELETE FROM "public"."boats" WHERE true'
    assert list(itertools.chain(*wanted.tenant_keys(wanted.tables[0]))) == ["id"]
