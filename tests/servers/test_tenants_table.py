"""The tenant column references a table of tenants, in which the proof temporarily stores its own tenants."""

from __future__ import annotations

import re
from typing import Any

import pytest

import schemas
from ansible_collections.aimemory.tenancy.plugins.module_utils.outcomes import AttemptError, ProofError
from lab import OWNER
from server import Server

TENANTS = (
    "CREATE TABLE plans (id serial PRIMARY KEY, name text NOT NULL)",
    "INSERT INTO plans (name) VALUES ('free')",
    (
        "CREATE TABLE tenants (id integer {} PRIMARY KEY, host text NOT NULL UNIQUE, name text NOT NULL,"
        " plan_id integer NOT NULL REFERENCES plans, size smallint NOT NULL CHECK (size BETWEEN 3 AND 5))"
    ),
    "INSERT INTO tenants (host, name, plan_id, size) {} SELECT 'h' || n, 'n', 1, 3 FROM generate_series(1, 3) AS n",
    (
        "CREATE TABLE items (id serial PRIMARY KEY, customer_id integer NOT NULL REFERENCES tenants ON DELETE RESTRICT,"
        " code text NOT NULL UNIQUE, given_to integer NOT NULL REFERENCES tenants (id))"
    ),
    "INSERT INTO items (customer_id, code, given_to) VALUES (1, 'a', 2)",
    (
        "CREATE TABLE parts (id serial PRIMARY KEY, item_id integer NOT NULL REFERENCES items,"
        " customer_id integer NOT NULL DEFAULT 1 REFERENCES tenants)"
    ),
)
ENTRIES: list[dict[str, Any]] = [
    {"name": "items", "surrogate_keys": [["id"]], "natural_keys": [["code"]], "adopt": True},
    {"name": "parts", "surrogate_keys": [["id"]], "adopt": True,
     "foreign_keys": [{"columns": ["item_id"], "references": "items", "key": ["id"]}]},
]  # fmt: skip
KEYS = {
    "a serial": ("DEFAULT nextval('numbers')", ""),
    "an identity": ("GENERATED ALWAYS AS IDENTITY", ""),
}


def statements(kind: str = "a serial") -> list[str]:
    """Return the statements that create the schema; ``kind`` is the kind of the tenants table's key."""
    made = [text.format(KEYS[kind][0]) if "TABLE tenants" in text else text.format("") for text in TENANTS]
    return ["CREATE SEQUENCE numbers", *made]


def tenants(**more: Any) -> dict[str, Any]:
    """Return the model's entry for the tenants table."""
    return {"table": "tenants", "key": "id", "policy": "own", **more}


@pytest.mark.parametrize("policy", ["own", "read_all"])
@pytest.mark.parametrize("kind", ["a serial", "an identity"])
def test_a_round_trip(server: Server, policy: str, kind: str) -> None:
    with schemas.database(server, statements(kind), ENTRIES, tenants=tenants(policy=policy)) as found:
        before = found.value("SELECT json_agg(t ORDER BY id) FROM tenants AS t")
        schemas.round_trip(server, found)
        assert found.value("SELECT json_agg(t ORDER BY id) FROM tenants AS t") == before


@pytest.mark.parametrize(("policy", "rows"), [("own", [0, 1]), ("read_all", [3, 3])])
def test_the_model_decides_which_rows_a_session_reads(server: Server, policy: str, rows: list[int]) -> None:
    with schemas.database(server, statements(), ENTRIES, tenants=tenants(policy=policy), bridge=False) as found:
        schemas.migrate(found)
        found.run(f"SET ROLE {OWNER}")
        seen = []
        for tenant in ("", "2"):
            found.run(f"SET app.current_tenant = '{tenant}'")
            seen.append(found.value("SELECT count(*) FROM tenants"))
        assert seen == rows
        found.run("UPDATE tenants SET name = 'mine'")
        assert found.value("SELECT count(*) FROM tenants WHERE name = 'mine'") == 1


def test_a_policy_of_another_role_stays(server: Server) -> None:
    with schemas.database(server, statements(), ENTRIES, tenants=tenants()) as found:
        found.run("CREATE ROLE dashboard", "GRANT SELECT ON tenants TO dashboard")
        for role in ("dashboard", OWNER):
            found.run(f"CREATE POLICY every_{role} ON tenants TO {role} USING (true)")
        before = found.state()
        found.migrate()
        assert found.failures(before) == []
        found.run("SET row_security = on", "SET ROLE dashboard")
        assert found.value("SELECT count(*) FROM tenants") == 3
        found.run(f"SET ROLE {OWNER}")
        assert found.value("SELECT count(*) FROM tenants") == 0


SPOILED = {
    "a policy that shows every row": ("ALTER POLICY tenant_isolation_tenants ON tenants USING (true)", "read.another"),
    "no row security": ("ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY", "read.another"),
    "a policy of other origin": ("CREATE POLICY more ON tenants FOR UPDATE USING (true)", "update.another"),
    "the privilege TRUNCATE": (f"GRANT TRUNCATE ON tenants, items, parts TO {OWNER}", "truncate"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_each_damage_is_named(server: Server, name: str) -> None:
    statement, attempt = SPOILED[name]
    policy = "read_all" if attempt == "update.another" else "own"
    with schemas.database(server, statements(), ENTRIES, tenants=tenants(policy=policy)) as found:
        before = found.state()
        schemas.migrate(found)
        found.run(statement)
        assert found.failures(before) != []
        if name != "the privilege TRUNCATE":
            with pytest.raises(AttemptError, match=rf"tenants\.{attempt}: "):
                found.prove()


def test_the_owner_stores_the_rows_if_the_service_may_not(server: Server) -> None:
    with schemas.database(server, statements(), ENTRIES, tenants=tenants(policy="read_all")) as found:
        found.run(
            "CREATE ROLE registrar", "ALTER TABLE tenants OWNER TO registrar", f"GRANT SELECT ON tenants TO {OWNER}",
            f"GRANT REFERENCES ON tenants TO {OWNER}", "GRANT SELECT ON plans TO registrar",
        )  # fmt: skip
        found.commit()
        try:
            schemas.round_trip(server, found)
        finally:
            found.roll_back()
            found.run(f"ALTER TABLE tenants OWNER TO {OWNER}", "DROP OWNED BY registrar", "DROP ROLE registrar")
            found.commit()


def test_the_proof_does_not_write_a_superusers_table(server: Server) -> None:
    with schemas.database(server, statements(), ENTRIES, tenants=tenants(policy="read_all")) as found:
        found.run("ALTER TABLE tenants OWNER TO postgres", f"GRANT SELECT ON tenants TO {OWNER}")
        with pytest.raises(
            ProofError, match="postgres, is a superuser, and the proof makes no attempts as a superuser"
        ) as caught:
            found.migrate()
        # No attempt was made, so this is not a leak.
        assert not isinstance(caught.value, AttemptError)


def test_a_trigger_may_write_rows_of_a_new_tenant(server: Server) -> None:
    values = "(customer_id, code, given_to) VALUES (NEW.id, 'first', NEW.id)"
    body = f"BEGIN INSERT INTO public.items {values}; RETURN NULL; END"
    more = [
        f"CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
        "CREATE TRIGGER welcome AFTER INSERT ON tenants FOR EACH ROW EXECUTE FUNCTION welcome()",
    ]
    entry = tenants(sample_writes=["items"], sample={"host": "%tenant%.example.com"})
    with schemas.database(server, statements() + more, ENTRIES, tenants=entry) as found:
        schemas.round_trip(server, found)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("ALTER TABLE items DROP CONSTRAINT items_given_to_fkey, DROP CONSTRAINT items_customer_id_fkey; "
         "ALTER TABLE parts DROP CONSTRAINT parts_customer_id_fkey; ALTER TABLE tenants DROP CONSTRAINT tenants_pkey"),
         r"public\.tenants\.id is not unique"),
        ("ALTER TABLE tenants RENAME id TO number", "tenancy_tenants names the column id, which .* does not have"),
        ("ALTER TABLE tenants ALTER id TYPE bigint", "has type bigint, but tenancy_column_type is integer"),
        (("ALTER TABLE tenants ADD domain text NOT NULL DEFAULT ''; ALTER TABLE tenants ALTER domain DROP DEFAULT, "
         "ADD CHECK (domain ~ '^(?=x)') NOT VALID"), "add domain: … to sample of tenancy_tenants"),
        ("DROP TABLE tenants CASCADE", r"tenancy_tenants names public\.tenants, which is not an ordinary table"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_the_tenants_table_is_refused(server: Server, change: str, sentence: str) -> None:
    with schemas.database(server, statements(), ENTRIES, tenants=tenants()) as found:
        found.run(change)
        assert any(re.search(sentence, text) for text in schemas.refused(found))


SHARED_NAME = (
    "CREATE TABLE firms (customer_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), title varchar(20) NOT NULL UNIQUE)",
    (
        "CREATE TABLE people (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL,"
        " customer_id uuid NOT NULL REFERENCES firms ON DELETE CASCADE)"
    ),
    "ALTER TABLE firms ADD boss uuid REFERENCES people, ADD sold_to uuid REFERENCES firms",
    "INSERT INTO firms (customer_id, title) VALUES ('9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683', 'one')",
    "INSERT INTO people (name, customer_id) SELECT 'p', customer_id FROM firms",
    "UPDATE firms SET boss = (SELECT id FROM people)",
)
OF_FIRMS: dict[str, Any] = {
    "column_type": "uuid", "default_tenant": "9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683",
    "tenants": {"table": "firms", "key": "customer_id", "policy": "own"},
}  # fmt: skip


def test_the_key_may_have_the_columns_name_and_the_table_may_point_to_tenant_tables(server: Server) -> None:
    entries = [{"name": "people", "surrogate_keys": [["id"]], "adopt": True}]
    with schemas.database(server, SHARED_NAME, entries, **OF_FIRMS) as found:
        schemas.round_trip(server, found)


def test_a_foreign_key_to_it_shows_that_the_column_is_the_tenants(server: Server) -> None:
    entries = [{name: value for name, value in entry.items() if name != "adopt"} for entry in ENTRIES]
    with schemas.database(server, statements(), entries) as found:
        (first, second) = schemas.refused(found)
        assert "public.items.customer_id already exists, references public.tenants" in first
        assert "public.parts.customer_id already exists, references public.tenants" in second
    with schemas.database(server, statements(), entries, tenants=tenants()) as found:
        assert found.plan() != []


def test_texts_are_tenants_as_well(server: Server) -> None:
    statements = [
        "CREATE TABLE sites (slug text PRIMARY KEY CHECK (slug <> ''), open boolean NOT NULL)",
        "INSERT INTO sites VALUES ('main', true)",
        "CREATE TABLE pages (path text, customer_id text NOT NULL REFERENCES sites ON UPDATE CASCADE, UNIQUE (path))",
        "INSERT INTO pages VALUES ('/', 'main')",
    ]
    given: dict[str, Any] = {
        "tenants": {"table": "sites", "key": "slug", "policy": "read_all"},
        "default_tenant": "main",
    }
    entries = [{"name": "pages", "natural_keys": [["path"]], "adopt": True}]
    with schemas.database(server, statements, entries, column_type="text", **given) as found:
        schemas.round_trip(server, found)
