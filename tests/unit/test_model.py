"""An invalid model is rejected with one sentence, which names the variable."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import ModelError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import model_source

TABLE = {"name": "t", "sample": {"a": 1}}
POINTING = TABLE | {"foreign_keys": [{"columns": ["a"], "references": "t", "key": ["a"]}], "natural_keys": [["a"]]}
TENANTS = {"table": "organizations", "key": "id", "policy": "own"}
UUID = "3f0c8a52-9d1e-4b7a-8c35-6e2f1d0b9a74"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"default_tenant": 0}, "tenancy_default_tenant must be an integer of at least 1, not 0"),
        ({"default_tenant": True}, "tenancy_default_tenant must be an integer"),
        ({"default_tenant": -1}, "tenancy_default_tenant must be an integer of at least 1, not -1"),
        ({"default_tenant": "one"}, "tenancy_default_tenant must be an integer of at least 1, not 'one'"),
        ({"default_tenant": 2**31}, "type integer, whose largest value is 2147483647"),
        ({"default_tenant": 2**15, "column_type": "smallint"}, "does not fit into a column of type smallint"),
        ({"default_tenant": 2**63, "column_type": "bigint"}, "does not fit into a column of type bigint"),
        ({"bridge": "yes"}, "tenancy_bridge must be true or false, not 'yes'"),
        ({"setting": "current_tenant"}, "tenancy_setting must be a prefixed setting name"),
        ({"setting": "app.x; DROP"}, "tenancy_setting must be a prefixed setting name"),
        ({"setting": "app.1x"}, "tenancy_setting must be a prefixed setting name"),
        ({"setting": "app.cur rent"}, "tenancy_setting must be a prefixed setting name"),
        ({"setting": "app."}, "tenancy_setting must be a prefixed setting name"),
        ({"setting": ".app"}, "tenancy_setting must be a prefixed setting name"),
        ({"setting": "app.a\n"}, "tenancy_setting must be a prefixed setting name"),
        ({"setting": "app." + "x" * 64}, "tenancy_setting: The identifier 'x+' is longer than 63 bytes"),
        ({"setting": "PLpgSQL.tenant"}, "tenancy_setting 'PLpgSQL.tenant' is reserved for PL/pgSQL"),
        ({"column_type": "money"}, "tenancy_column_type must be one of integer, bigint, smallint, uuid, text, not"),
        ({"column_type": "uuid"}, "tenancy_default_tenant must be a uuid such as .*, not 1"),
        ({"column_type": "uuid", "default_tenant": UUID[:-1]}, "tenancy_default_tenant must be a uuid such as"),
        ({"column_type": "uuid", "default_tenant": f"{UUID}0"}, "tenancy_default_tenant must be a uuid such as"),
        ({"column_type": "uuid", "default_tenant": f"{{{UUID}}}"}, "tenancy_default_tenant must be a uuid such as"),
        ({"column_type": "text"}, "tenancy_default_tenant must be a non-empty string .*, not 1"),
        ({"column_type": "text", "default_tenant": ""}, "tenancy_default_tenant must be a non-empty string"),
        ({"column_type": "text", "default_tenant": " a"}, "that does not start with a space"),
        ({"column": " "}, "tenancy_column must be a non-empty string"),
        ({"column": 1}, "tenancy_column must be a non-empty string, not 1"),
        ({"column": "é" * 32}, "tenancy_column: The identifier 'é+' is longer than 63 bytes"),
        ({"schema": "x" * 64}, "tenancy_schema: The identifier 'x+' is longer than 63 bytes"),
        ({"database": "x" * 64}, "database_name: The identifier 'x+' is longer than 63 bytes"),
        ({"database": 1}, "database_name must be a non-empty string, not 1"),
        (
            {"application_role": "x" * 64},
            r"tenancy_app_role \(or the user of DATABASE_URL\): The identifier 'x+' is longer",
        ),
        ({"replaced_role": ""}, "The user of DATABASE_URL must be a non-empty string, not ''"),
        ({"tables": []}, "tenancy_tables must be a non-empty list"),
        ({"tables": ["memories"]}, r"tenancy_tables\[0\] must be a mapping with a name"),
        ({"tables": [{"name": 1}]}, r"tenancy_tables\[0\] must be a mapping with a name"),
        (
            {"tables": [TABLE | {"name": ""}]},
            r"tenancy_tables\[0\]: An SQL identifier must be a non-empty string, not ''",
        ),
        ({"tables": [TABLE | {"name": "x" * 64}]}, r"tenancy_tables\[0\]: The identifier 'x+' is longer than 63 bytes"),
        ({"tables": [TABLE | {"name": "a\x00"}]}, r"tenancy_tables\[0\]: The identifier 'a\\x00' contains a NUL"),
        (
            {"tables": [TABLE | {"natural_keys": [["x" * 64]]}]},
            "table 't': a natural key: The identifier 'x+' is longer",
        ),
        ({"tables": [TABLE | {"indexes": [[{"nam": "a"}]]}]}, "table 't': an index: An SQL identifier must be a non-"),
        ({"tables": [TABLE | {"sample": {"": 1}}]}, "table 't': sample: An SQL identifier must be a non-empty string"),
        (
            {"tables": [TABLE | {"written_at": 1}]},
            "table 't': written_at: An SQL identifier must be a non-empty string",
        ),
        ({"tables": [TABLE, TABLE]}, "tenancy_tables lists a table twice"),
        ({"tables": [TABLE | {"index": [["a"]]}]}, "unknown entries 'index'"),
        ({"tables": [TABLE | {"natural_keys": ["a"]}]}, "a natural key must be a list of column names, not 'a'"),
        ({"tables": [TABLE | {"indexes": [[]]}]}, "an index must be a list of columns"),
        ({"tables": [TABLE | {"indexes": [[{"name": "a", "order": "up"}]]}]}, "order must be asc or desc, not 'up'"),
        ({"tables": [TABLE | {"sample": ["a"]}]}, "sample must contain columns and their values, not "),
        (
            {"tables": [TABLE | {"surrogate_keys": [["a"]]}]},
            "table 't': the sample names the surrogate key",
        ),
        ({"tables": [TABLE | {"sample": {"a": [1]}}]}, "the sample's a must be a string or an integer"),
        ({"tables": [TABLE | {"sample_writes": ["u"]}]}, "sample_writes names 'u', which is not a tenant table"),
        ({"tables": [TABLE | {"adopt": "yes"}]}, "table 't': adopt must be true or false, not 'yes'"),
        ({"tables": [TABLE | {"append_only": "update"}]}, "append_only must be a list of commands"),
        ({"tables": [TABLE | {"append_only": ["insert"]}]}, "update or delete, or have one of them as its command"),
        ({"tables": [TABLE | {"append_only": [{"command": "update", "state": 1}]}]}, "must be update or delete"),
        ({"tables": [TABLE | {"append_only": [{"command": "update", "sqlstate": "x"}]}]}, "an sqlstate has five"),
        (
            {"readers": [{"role": "dashboard"}]},
            r"tenancy_readers\[0\] must have a role, and either a tenant or tenants: all",
        ),
        ({"readers": [{"role": "public", "tenants": "all"}]}, "a policy for PUBLIC also applies to the service"),
        ({"readers": [{"role": "dashboard", "tenants": "some"}]}, "tenants must be all, not 'some'"),
        ({"readers": [{"role": "dashboard", "tenant": "a"}]}, r"tenancy_readers\[0\]: tenant must be an integer"),
        ({"readers": [{"role": "alice", "tenants": "all"}]}, "tenancy_readers names 'alice', the service's role"),
        ({"readers": [{"role": "dashboard", "tenant": 1}] * 2}, "tenancy_readers lists a role twice"),
        ({"column_adopted": "yes"}, "tenancy_column_adopted must be true or false, not 'yes'"),
        (
            {"column_adopted": True},
            "tenancy_default_tenant must be null, not 1, because tenancy_column_adopted is true",
        ),
        (
            {"column_adopted": True, "default_tenant": None},
            "tenancy_bridge must be false, because tenancy_column_adopted",
        ),
        ({"tables": [POINTING | {"tenant_from": ["b"]}]}, r"tenant_from names \(b\), but none of its foreign_keys has"),
        ({"tables": [POINTING | {"tenant_from": ["a"]}]}, "tenant_from needs tenancy_column_adopted: true"),
        ({"tenants": {"table": "o", "key": "id"}}, "tenancy_tenants must have table, key and policy, and may have"),
        ({"tenants": TENANTS | {"policy": "all"}}, r"policy must be own \(.*\) or read_all \(.*\), not 'all'"),
        (
            {"tenants": TENANTS | {"table": "memories"}},
            "tenancy_tenants names 'memories', which is one of tenancy_tables",
        ),
        (
            {"tenants": TENANTS | {"sample_writes": ["u"]}},
            "tenancy_tenants: sample_writes names 'u', which is not a tenant table",
        ),
        ({"tenants": TENANTS | {"key": ""}}, "tenancy_tenants: key: An SQL identifier must be a non-empty string"),
        ({"functions": [{"name": "f"}]}, "Each entry of tenancy_functions needs the strings"),
    ],
)
def test_a_wrong_model_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        model.parse(copy.deepcopy(model_source()) | changes)


@pytest.mark.parametrize("name", ['Tenant "Nr" é', "select", "{{ 1 }}", "x" * 63, "é" * 31, "a b", "$1", "%s", "\\"])
def test_a_name_that_postgresql_could_have_is_accepted(name: str) -> None:
    table = {"name": name, "natural_keys": [[name]], "indexes": [[{"name": name}]], "sample": {name: 1}}
    changes = dict.fromkeys(("database", "schema", "column", "application_role", "replaced_role"), name)
    found = model.parse(model_source() | changes | {"tables": [table]})
    assert {found.database, found.schema, found.column, found.application_role, found.tables[0].name} == {name}
    assert found.tables[0].columns == {name}


@pytest.mark.parametrize(
    ("column_type", "largest"), [("smallint", 2**15 - 1), ("integer", 2**31 - 1), ("bigint", 2**63 - 1)]
)
def test_the_largest_tenant_is_accepted(column_type: str, largest: int) -> None:
    changes = {"column_type": column_type, "default_tenant": largest}
    assert model.parse(model_source() | changes).default_tenant == largest


@pytest.mark.parametrize("setting", ["app.tenant", "App.Tenant_1", "a.b.c", "_a._$1", "app.select"])
def test_a_setting_that_postgresql_could_have_is_accepted(setting: str) -> None:
    assert model.parse(model_source() | {"setting": setting}).setting == setting


def test_every_column_that_a_table_names_is_known() -> None:
    table = TABLE | {
        "surrogate_keys": [["b"]], "natural_keys": [["c", "d"]], "indexes": [["e", {"name": "f", "order": "desc"}]],
        "written_at": "g",
    }  # fmt: skip
    assert model.parse(model_source() | {"tables": [table]}).tables[0].columns == set("bcdefg")


def test_what_a_trigger_forbids_has_its_sqlstate() -> None:
    table = TABLE | {"append_only": ["update", {"command": "delete", "sqlstate": "0A000"}]}
    found = model.parse(model_source() | {"tables": [table]}).tables[0]
    assert found.append_only == {"update": "P0001", "delete": "0A000"}
    assert not found.adopt


def test_functions_contain_the_schema_as_an_identifier() -> None:
    function = dict.fromkeys(("arguments", "identity"), "") | {"name": "f", "returns": "void"}
    function["body"] = "BEGIN PERFORM %schema%.g(); END"
    found = model.parse(model_source() | {"schema": 'odd "s"', "functions": [function]}).functions[0]
    assert found.body == 'BEGIN PERFORM "odd ""s""".g(); END'
