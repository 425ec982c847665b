"""The kind of each name that a plan creates must be known."""

from __future__ import annotations

import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.catalog import state
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import names
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import model_source


def test_an_unknown_kind_is_an_error() -> None:
    found, wanted = golden.catalog("unmigrated"), model.parse(model_source("ai_memory"))
    (relation, *_) = state.relations(found, wanted, wanted.tables[0])
    made = names.index(relation, "free")
    assert names.obstacles(found, wanted, [{"makes": [made]}]) == []
    with pytest.raises(KeyError, match="trigger"):
        names.obstacles(found, wanted, [{"makes": [{**made, "kind": "trigger"}]}])
