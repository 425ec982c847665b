"""A wrong model is refused in one sentence that names the variable."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import model
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import ModelError
from production import model_source

TABLE = {"name": "t", "sample": {"a": 1}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"default_tenant": 0}, "tenancy_default_tenant must be an integer of at least 1, not 0"),
        ({"default_tenant": True}, "tenancy_default_tenant must be an integer"),
        ({"bridge": "yes"}, "tenancy_bridge must be true or false, not 'yes'"),
        ({"setting": "current_tenant"}, "tenancy_setting must be a prefixed setting name"),
        ({"setting": "app.x; DROP"}, "tenancy_setting must be a prefixed setting name"),
        ({"column_type": "text"}, "tenancy_column_type must be one of integer, bigint, smallint, not 'text'"),
        ({"column": " "}, "tenancy_column must be a non-empty string"),
        ({"schema": "x" * 64}, "longer than 63 bytes"),
        ({"tables": []}, "tenancy_tables must be a non-empty list"),
        ({"tables": ["memories"]}, r"tenancy_tables\[0\] must be a mapping with a name"),
        ({"tables": [TABLE, TABLE]}, "tenancy_tables names a table twice"),
        ({"tables": [TABLE | {"index": [["a"]]}]}, "unknown entries 'index'"),
        ({"tables": [TABLE | {"natural_keys": ["a"]}]}, "a natural key must be a list of column names, not 'a'"),
        ({"tables": [TABLE | {"indexes": [[]]}]}, "an index must be a list of columns"),
        ({"tables": [TABLE | {"indexes": [[{"name": "a", "order": "up"}]]}]}, "order must be asc or desc, not 'up'"),
        ({"tables": [{"name": "t"}]}, "sample must name at least one column with its value, not None"),
        ({"tables": [TABLE | {"sample": {"a": [1]}}]}, "the sample's a must be a string or an integer"),
        ({"tables": [TABLE | {"sample_writes": ["u"]}]}, "sample_writes names 'u', no tenant table"),
        ({"functions": [{"name": "f"}]}, "Each of tenancy_functions needs the strings"),
    ],
)
def test_a_wrong_model_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        model.parse(copy.deepcopy(model_source()) | changes)
