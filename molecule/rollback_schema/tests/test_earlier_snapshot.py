"""A snapshot from an earlier version of this runbook also restores the original schema."""

from __future__ import annotations

from lab import OWNER, Host
from planner import committed
from service import schema

# Objects of the owner. In a snapshot from an earlier version, their SQL does not qualify names that PostgreSQL
# finds through the session's search path.
OF_THE_OWNERS = [
    f"SET SESSION AUTHORIZATION {OWNER}",
    "CREATE FUNCTION open_to_all(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "CREATE POLICY open ON memories USING (open_to_all(k))",
    "CREATE FUNCTION first_tenant() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE memories ADD COLUMN customer_id integer DEFAULT first_tenant()",
    "CREATE DOMAIN words AS varchar(255)",
    "CREATE FUNCTION said(words) RETURNS words LANGUAGE sql AS 'SELECT $1'",
    "RESET SESSION AUTHORIZATION",
]


def test_it_leads_to_the_same_dump(machine: Host) -> None:
    with committed(machine, OF_THE_OWNERS) as database:
        name = database.model.database
        before = schema(machine, name)
        snapshot = database.state(of_earlier=True)
        assert snapshot["tables"]["memories"]["policies"][0]["using"] == "open_to_all(k)"
        assert snapshot["tables"]["memories"]["column"]["default"] == "first_tenant()"
        database.adopt()
        database.migrate()
        database.commit()
        assert schema(machine, name) != before
        assert database.back_to(snapshot) == []
        database.commit()
        assert schema(machine, name) == before
