"""Production's inventory is a valid model, and a DBA has accepted its plan for the current database."""

from __future__ import annotations

import golden
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import production_source


def test_the_plan_of_productions_model_is_the_accepted_one() -> None:
    state = golden.catalog("unmigrated")
    source = production_source(state["database"])
    # Omit tables that this state lacks, because production gets them later. A misspelled table is also omitted, so the
    # comparison then fails.
    source["tables"] = [table for table in source["tables"] if table["name"] in state["tables"]]
    planned = golden.sql(golden.GOALS["migrate"](state, model.parse(source)))
    assert planned == golden.expected("unmigrated", "migrate").read_text()
