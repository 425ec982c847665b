"""Foreign keys of every kind: the replacement, the proof, and the rollback."""

from __future__ import annotations

from typing import Any

import pytest

import schemas
import versions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import notes
from lab import OWNER
from server import Server, running

PARENT = ("CREATE TABLE parents (id serial PRIMARY KEY, code text UNIQUE)",)
OF_PARENTS = {"name": "parents", "surrogate_keys": [["id"]], "natural_keys": [["code"]]}


def key(columns: str, references: str, pointed: str) -> dict[str, Any]:
    """Return a foreign key of the model. Spaces separate the names in ``columns`` and ``pointed``."""
    return {"columns": columns.split(), "references": references, "key": pointed.split()}


def surrogate(name: str, *keys: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a table of the model, with the surrogate key id."""
    return {"name": name, "surrogate_keys": [["id"]], "foreign_keys": list(keys)} | more


TO_PARENTS = key("parent_id", "parents", "id")
CHILD = "CREATE TABLE children (id serial PRIMARY KEY, parent_id integer {})"
POINTER = "REFERENCES parents (id) {}"

SCHEMAS: dict[str, tuple[list[str], list[dict[str, Any]]]] = {
    "a self reference": (
        ["CREATE TABLE nodes (id serial PRIMARY KEY, up integer REFERENCES nodes ON DELETE CASCADE)"],
        [surrogate("nodes", key("up", "nodes", "id"))],
    ),
    "a self reference of a root to itself": (
        ["CREATE TABLE nodes (id serial PRIMARY KEY, up integer NOT NULL REFERENCES nodes)"],
        [surrogate("nodes", key("up", "nodes", "id"))],
    ),
    "a self reference by a natural key": (
        ["CREATE TABLE staff (badge text PRIMARY KEY, boss text NOT NULL REFERENCES staff ON UPDATE CASCADE)"],
        [{"name": "staff", "natural_keys": [["badge"]], "foreign_keys": [key("boss", "staff", "badge")]}],
    ),
    "a self reference by uuids of the application": (
        ["CREATE TABLE nodes (id uuid PRIMARY KEY, up uuid NOT NULL REFERENCES nodes)"],
        [surrogate("nodes", key("up", "nodes", "id"))],
    ),
    "a circle": (
        [
            "CREATE TABLE orders (id serial PRIMARY KEY, last_event integer)",
            "CREATE TABLE events (id serial PRIMARY KEY, order_id integer NOT NULL REFERENCES orders)",
            "ALTER TABLE orders ADD FOREIGN KEY (last_event) REFERENCES events",
        ],
        [surrogate("orders", key("last_event", "events", "id")), surrogate("events", key("order_id", "orders", "id"))],
    ),
    "a circle in the other order": (
        [
            "CREATE TABLE orders (id serial PRIMARY KEY, last_event integer)",
            "CREATE TABLE events (id serial PRIMARY KEY, order_id integer NOT NULL REFERENCES orders)",
            "ALTER TABLE orders ADD FOREIGN KEY (last_event) REFERENCES events ON DELETE SET NULL",
        ],
        [surrogate("events", key("order_id", "orders", "id")), surrogate("orders", key("last_event", "events", "id"))],
    ),
    "a circle that a trigger closes": (
        [
            "CREATE TABLE orders (id serial PRIMARY KEY, last_event integer)",
            "CREATE TABLE events (id serial PRIMARY KEY, order_id integer NOT NULL REFERENCES orders)",
            "ALTER TABLE orders ADD FOREIGN KEY (last_event) REFERENCES events",
            ("CREATE FUNCTION last() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "UPDATE public.orders SET last_event = NEW.id WHERE id = NEW.order_id; RETURN NULL; END $$"),
            "CREATE TRIGGER last AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION last()",
        ],
        [surrogate("orders", key("last_event", "events", "id")), surrogate("events", key("order_id", "orders", "id"))],
    ),
    "a deferred circle": (
        [
            "CREATE TABLE departments (id serial PRIMARY KEY, name text NOT NULL UNIQUE, head integer NOT NULL)",
            "CREATE TABLE people (id serial PRIMARY KEY, department_id integer NOT NULL REFERENCES departments)",
            "ALTER TABLE departments ADD FOREIGN KEY (head) REFERENCES people DEFERRABLE INITIALLY DEFERRED",
        ],
        [
            surrogate("departments", key("head", "people", "id"), natural_keys=[["name"]]),
            surrogate("people", key("department_id", "departments", "id")),
        ],
    ),
    "a circle that can be deferred, one to one": (
        [
            "CREATE TABLE carts (id uuid PRIMARY KEY, owner uuid NOT NULL UNIQUE)",
            "CREATE TABLE owners (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), cart uuid NOT NULL UNIQUE)",
            "ALTER TABLE owners ADD FOREIGN KEY (cart) REFERENCES carts DEFERRABLE",
            "ALTER TABLE carts ADD FOREIGN KEY (owner) REFERENCES owners DEFERRABLE",
        ],
        [
            surrogate("carts", key("owner", "owners", "id"), natural_keys=[["owner"]]),
            surrogate("owners", key("cart", "carts", "id"), natural_keys=[["cart"]]),
        ],
    ),
    "a diamond": (
        [
            "CREATE TABLE tops (id serial PRIMARY KEY)",
            "CREATE TABLE lefts (id serial, top integer REFERENCES tops, PRIMARY KEY (id), UNIQUE (top, id))",
            "CREATE TABLE rights (id serial, top integer REFERENCES tops, PRIMARY KEY (id), UNIQUE (top, id))",
            ("CREATE TABLE ends (id serial PRIMARY KEY, top integer NOT NULL, l integer NOT NULL, r integer,"
            " FOREIGN KEY (top, l) REFERENCES lefts (top, id), FOREIGN KEY (r, top) REFERENCES rights (id, top))"),
        ],
        [
            surrogate("tops"),
            surrogate("lefts", key("top", "tops", "id"), surrogate_keys=[["id"], ["top", "id"]]),
            surrogate("rights", key("top", "tops", "id"), surrogate_keys=[["id"], ["top", "id"]]),
            surrogate("ends", key("top l", "lefts", "top id"), key("top r", "rights", "top id")),
        ],
    ),
    "one to one by the same key": (
        [
            "CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE)",
            "CREATE TABLE workers (id integer PRIMARY KEY REFERENCES people, hired date NOT NULL)",
            "CREATE TABLE managers (id integer PRIMARY KEY REFERENCES workers ON DELETE CASCADE)",
        ],
        [
            surrogate("people", natural_keys=[["name"]]),
            surrogate("workers", key("id", "people", "id")),
            surrogate("managers", key("id", "workers", "id")),
        ],
    ),
    "one to one with keys of its own": (
        [
            "CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE, email text NOT NULL UNIQUE)",
            ("CREATE TABLE profiles (id serial PRIMARY KEY, slug text NOT NULL UNIQUE,"
            " person integer NOT NULL UNIQUE REFERENCES people, mail text NOT NULL REFERENCES people (email))"),
        ],
        [
            surrogate("people", natural_keys=[["name"], ["email"]]),
            surrogate("profiles", key("person", "people", "id"), key("mail", "people", "email"),
                      natural_keys=[["slug"], ["person"]]),
        ],
    ),
    "a join table without a key": (
        [
            "CREATE TABLE users (id serial PRIMARY KEY)", "CREATE TABLE groups (id serial PRIMARY KEY)",
            "CREATE TABLE members (user_id integer REFERENCES users, group_id integer REFERENCES groups)",
        ],
        [surrogate("users"), surrogate("groups"),
         {"name": "members", "sample": {},
          "foreign_keys": [key("user_id", "users", "id"), key("group_id", "groups", "id")]}],
    ),
    "a join table of a table with itself": (
        [
            "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE)",
            ("CREATE TABLE follows (who integer REFERENCES users, whom integer REFERENCES users, "
            "PRIMARY KEY (who, whom))"),
        ],
        [surrogate("users", natural_keys=[["name"]]),
         {"name": "follows", "natural_keys": [["who", "whom"]],
          "foreign_keys": [key("who", "users", "id"), key("whom", "users", "id")]}],
    ),
    "a join table named with its surrogate key": (
        [
            "CREATE TABLE users (id serial PRIMARY KEY)", "CREATE TABLE groups (id serial PRIMARY KEY)",
            ("CREATE TABLE members (user_id integer REFERENCES users, group_id integer REFERENCES groups, "
            "PRIMARY KEY (user_id, group_id))"),
        ],
        [surrogate("users"), surrogate("groups"),
         {"name": "members", "sample": {}, "surrogate_keys": [["user_id", "group_id"]],
          "foreign_keys": [key("user_id", "users", "id"), key("group_id", "groups", "id")]}],
    ),
    "a foreign key that one partition has": (
        [
            *PARENT,
            "CREATE TABLE logs (at date NOT NULL, parent_id integer) PARTITION BY RANGE (at)",
            "CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
            "CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
            "ALTER TABLE logs_1 ADD CONSTRAINT mine FOREIGN KEY (parent_id) REFERENCES parents (id) ON DELETE SET NULL",
            "COMMENT ON CONSTRAINT mine ON logs_1 IS 'mine'",
        ],
        [OF_PARENTS, {"name": "logs", "foreign_keys": [TO_PARENTS]}],
    ),
    "a foreign key to a unique index": (
        [
            "CREATE TABLE parents (id serial PRIMARY KEY, code text)", "CREATE UNIQUE INDEX codes ON parents (code)",
            "CREATE TABLE children (id serial PRIMARY KEY, code text REFERENCES parents (code))",
        ],
        [OF_PARENTS, surrogate("children", key("code", "parents", "code"))],
    ),
    "two foreign keys on the same columns": (
        [
            *PARENT, CHILD.format("REFERENCES parents"),
            "ALTER TABLE children ADD CONSTRAINT again FOREIGN KEY (parent_id) REFERENCES parents ON DELETE CASCADE",
        ],
        [OF_PARENTS, surrogate("children", TO_PARENTS)],
    ),
}  # fmt: skip
SCHEMAS |= {
    "a foreign key that names the tenant already": (
        [
            "CREATE TABLE parents (id serial PRIMARY KEY, customer_id integer NOT NULL DEFAULT 1)",
            "ALTER TABLE parents ADD UNIQUE (customer_id, id)",
            ("CREATE TABLE children (id serial PRIMARY KEY, parent_id integer, customer_id integer NOT NULL DEFAULT 1,"
            " CONSTRAINT pair FOREIGN KEY (parent_id, customer_id) REFERENCES parents (id, customer_id))"),
        ],
        [surrogate("parents"), surrogate("children", TO_PARENTS)],
    ),
    "a foreign key to a partitioned table": (
        [
            "CREATE TABLE events (id integer, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)",
            "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
            "CREATE TABLE events_2 PARTITION OF events DEFAULT",
            ("CREATE TABLE marks (id serial PRIMARY KEY, event integer, day date,"
            " FOREIGN KEY (event, day) REFERENCES events ON DELETE CASCADE)"),
        ],
        [{"name": "events", "surrogate_keys": [["id", "day"]]},
         surrogate("marks", key("event day", "events", "id day"))],
    ),
    "a foreign key that decides the partition": (
        [
            "CREATE TABLE events (id integer, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)",
            "CREATE TABLE events_1 PARTITION OF events DEFAULT",
            ("CREATE TABLE marks (event integer NOT NULL, day date NOT NULL, note text,"
            " FOREIGN KEY (event, day) REFERENCES events) PARTITION BY RANGE (day)"),
            "CREATE TABLE marks_1 PARTITION OF marks FOR VALUES FROM ('2000-01-01') TO ('2100-01-01')",
        ],
        [{"name": "events", "surrogate_keys": [["id", "day"]]},
         {"name": "marks", "foreign_keys": [key("event day", "events", "id day")]}],
    ),
    "a self reference of a partitioned table": (
        [
            "CREATE TABLE nodes (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, up uuid) PARTITION BY HASH (id)",
            "CREATE TABLE nodes_1 PARTITION OF nodes FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
            "CREATE TABLE nodes_2 PARTITION OF nodes FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
            "ALTER TABLE nodes ADD FOREIGN KEY (up) REFERENCES nodes ON DELETE SET NULL",
        ],
        [surrogate("nodes", key("up", "nodes", "id"))],
    ),
    "a foreign key of a partition and one of its table": (
        [
            *PARENT,
            "CREATE TABLE logs (at date NOT NULL, parent_id integer REFERENCES parents) PARTITION BY RANGE (at)",
            "CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2024-01-01') TO ('2026-01-01')",
            "ALTER TABLE logs_1 ADD CONSTRAINT own FOREIGN KEY (parent_id) REFERENCES parents ON DELETE CASCADE",
        ],
        [OF_PARENTS, {"name": "logs", "foreign_keys": [TO_PARENTS]}],
    ),
    "SET NULL of one of two columns": (
        [
            "CREATE TABLE halls (name text, row integer, PRIMARY KEY (name, row))",
            ("CREATE TABLE seats (id serial PRIMARY KEY, name text NOT NULL, row integer,"
            " FOREIGN KEY (name, row) REFERENCES halls ON DELETE SET NULL (row) ON UPDATE CASCADE)"),
        ],
        [{"name": "halls", "natural_keys": [["name", "row"]]},
         surrogate("seats", key("name row", "halls", "name row"))],
    ),
    "integers that point to bigints, not yet validated": (
        [
            "CREATE TABLE wide (id bigserial PRIMARY KEY)",
            "CREATE TABLE narrow (id serial PRIMARY KEY, wide_id integer NOT NULL)",
            "INSERT INTO narrow (wide_id) VALUES (7)",
            "ALTER TABLE narrow ADD CONSTRAINT later FOREIGN KEY (wide_id) REFERENCES wide NOT VALID",
        ],
        [surrogate("wide"), surrogate("narrow", key("wide_id", "wide", "id"))],
    ),
    "an expression and an exclusion of its own": (
        [
            *PARENT,
            ("CREATE TABLE children (id serial PRIMARY KEY, parent_id integer NOT NULL REFERENCES parents, nick text"
            " NOT NULL, customer_id integer NOT NULL DEFAULT 1)"),
            "CREATE UNIQUE INDEX nicks ON children (customer_id, lower(nick))",
        ],
        [OF_PARENTS, surrogate("children", TO_PARENTS, sample={"nick": "Proof"})],
    ),
    "a join table of a table with itself, whose keys are <>": (
        [
            "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE)",
            ("CREATE TABLE friends (a integer REFERENCES users, b integer REFERENCES users, PRIMARY KEY (a, b),"
            " CHECK (a <> b))"),
        ],
        [surrogate("users", natural_keys=[["name"]]),
         {"name": "friends", "natural_keys": [["a", "b"]], "sample": {},
          "foreign_keys": [key("a", "users", "id"), key("b", "users", "id")]}],
    ),
    "a join table of a table with itself, whose keys are <": (
        [
            "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE)",
            ("CREATE TABLE pairs (a integer REFERENCES users, b integer REFERENCES users, PRIMARY KEY (a, b),"
            " CHECK (a < b))"),
        ],
        [surrogate("users", natural_keys=[["name"]]),
         {"name": "pairs", "natural_keys": [["a", "b"]], "sample": {},
          "foreign_keys": [key("a", "users", "id"), key("b", "users", "id")]}],
    ),
    "a join table of a table with itself, whose keys are >": (
        [
            "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE)",
            ("CREATE TABLE rivals (a integer REFERENCES users, b integer REFERENCES users, PRIMARY KEY (a, b),"
            " CHECK (a > b))"),
        ],
        [surrogate("users", natural_keys=[["name"]]),
         {"name": "rivals", "natural_keys": [["a", "b"]], "sample": {},
          "foreign_keys": [key("a", "users", "id"), key("b", "users", "id")]}],
    ),
    "one of two": (
        [
            "CREATE TABLE posts (id serial PRIMARY KEY)", "CREATE TABLE photos (id serial PRIMARY KEY)",
            ("CREATE TABLE comments (id serial PRIMARY KEY, post integer REFERENCES posts, photo integer REFERENCES "
            "photos, CHECK (num_nonnulls(post, photo) = 1))"),
            ("CREATE TABLE likes (id serial PRIMARY KEY, post integer REFERENCES posts, photo integer REFERENCES "
            "photos, CHECK ((post IS NULL) <> (photo IS NULL)))"),
        ],
        [
            surrogate("posts"), surrogate("photos"),
            surrogate("comments", key("post", "posts", "id"), key("photo", "photos", "id")),
            surrogate("likes", key("post", "posts", "id"), key("photo", "photos", "id")),
        ],
    ),
}  # fmt: skip
ACTIONS = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT")
SCHEMAS |= {
    words: ([*PARENT, CHILD.format(f"REFERENCES parents {words}")], [OF_PARENTS, surrogate("children", TO_PARENTS)])
    for words in (
        *(f"ON DELETE {action}" for action in ACTIONS), *(f"ON UPDATE {action}" for action in ACTIONS[:3]),
        "MATCH FULL", "MATCH FULL ON DELETE SET NULL", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED", "NOT NULL",
    )
}  # fmt: skip


# NOT ENFORCED requires PostgreSQL 18.
NOT_ENFORCED = [*PARENT, CHILD.format("CONSTRAINT loose REFERENCES parents NOT ENFORCED")]
# No attempt can show that these foreign keys are missing. Only a partition has the key, a CHECK compares it, or another
# foreign key with the same column rejects the row first.
UNSHOWN = {("logs", "parent_id"), ("ends", "top_r"), *((name, key) for name in ("pairs", "rivals") for key in "ab")}


# The plan adds a column list to ON DELETE SET NULL and SET DEFAULT, which requires PostgreSQL 15.
SINCE = {name: 15 for name, (statements, _) in SCHEMAS.items() if "ON DELETE SET" in " ".join(statements)}


@pytest.mark.parametrize("name", versions.cases(SCHEMAS, SINCE))
def test_a_round_trip(server: Server, name: str) -> None:
    statements, entries = SCHEMAS[name]
    with schemas.database(server, statements, entries) as found:
        schemas.round_trip(server, found, UNSHOWN)


def test_a_key_that_is_not_enforced_stays_not_enforced() -> None:
    with running(18) as server:
        server.sql(f"CREATE ROLE {OWNER} LOGIN")
        with schemas.database(server, NOT_ENFORCED, [OF_PARENTS, surrogate("children", TO_PARENTS)]) as found:
            said = notes.of_plan(found.state(), found.model)
            assert any("(parent_id), because that foreign key is NOT ENFORCED" in text for text in said)
            schemas.round_trip(server, found, {("children", "parent_id")})


# Each of these schemas is refused before any change, with a message that contains the remedy.
REFUSED: dict[str, tuple[list[str], list[dict[str, Any]], str]] = {
    "MATCH FULL of several columns": (
        [
            "CREATE TABLE parents (a text, b text, PRIMARY KEY (a, b))",
            ("CREATE TABLE children (id serial PRIMARY KEY, a text, b text,"
            " CONSTRAINT whole FOREIGN KEY (a, b) REFERENCES parents MATCH FULL)"),
        ],
        [{"name": "parents", "natural_keys": [["a", "b"]]}, surrogate("children", key("a b", "parents", "a b"))],
        "The foreign key whole of public.children is MATCH FULL, which rows with a NULL violate",
    ),
    "ON UPDATE SET NULL": (
        [*PARENT, CHILD.format("CONSTRAINT up REFERENCES parents ON UPDATE SET NULL")],
        [OF_PARENTS, surrogate("children", TO_PARENTS)],
        "The foreign key up of public.children is ON UPDATE SET NULL, which would set the tenant column as well",
    ),
    "a circle without a nullable or deferrable key": (
        [
            "CREATE TABLE a (id uuid PRIMARY KEY, b uuid NOT NULL)",
            "CREATE TABLE b (id uuid PRIMARY KEY, a uuid NOT NULL REFERENCES a)",
            "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b",
        ],
        [surrogate("a", key("b", "b", "id")), surrogate("b", key("a", "a", "id"))],
        "The foreign key (b) of public.a is part of a cycle of foreign keys whose columns are all NOT NULL, and it",
    ),
    "a foreign key to a partition": (
        [
            "CREATE TABLE parents (id integer PRIMARY KEY) PARTITION BY RANGE (id)",
            "CREATE TABLE parents_1 PARTITION OF parents FOR VALUES FROM (0) TO (1000000000)",
            "CREATE TABLE parents_2 PARTITION OF parents DEFAULT",
            "CREATE TABLE children (id serial PRIMARY KEY, parent_id integer CONSTRAINT part REFERENCES parents_1)",
        ],
        [surrogate("parents"), surrogate("children")],
        ("The foreign key part of public.children references public.parents_1, a partition of public.parents: let the"
         " key reference public.parents, or drop the key first."),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_impossible_foreign_key_is_refused_by_name(server: Server, name: str) -> None:
    statements, entries, sentence = REFUSED[name]
    with schemas.database(server, statements, entries) as found:
        assert any(text.startswith(sentence) for text in schemas.refused(found))


FORBID = (
    "CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'append only'; END $$",
    "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
)
USERS = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE, mail text)"
OF_USERS = surrogate("users", natural_keys=[["name"]])
LOG = "CREATE TABLE log (at timestamptz NOT NULL DEFAULT now(), user_id integer NOT NULL REFERENCES users, what text)"
OF_LOG = {"name": "log", "foreign_keys": [key("user_id", "users", "id")]}
COLUMNS = "GRANT SELECT (id, name), INSERT (name) ON users TO {owner}"
# Tables without a primary key, append-only tables, and tables with column privileges for the service's login.
OTHERS: dict[str, tuple[list[str], list[dict[str, Any]]]] = {
    "no key at all": ([USERS, LOG, "INSERT INTO log SELECT now(), 1, 'x' WHERE false"], [OF_USERS, OF_LOG]),
    "no key, and a replica identity": (
        [USERS, LOG, "ALTER TABLE log REPLICA IDENTITY FULL"], [OF_USERS, OF_LOG],
    ),
    "append-only by triggers for each row": (
        [USERS, LOG, *FORBID, "CREATE TRIGGER u BEFORE UPDATE ON log FOR EACH ROW EXECUTE FUNCTION never()",
         "CREATE TRIGGER d BEFORE DELETE ON log FOR EACH ROW EXECUTE FUNCTION never()"],
        [OF_USERS, OF_LOG | {"append_only": ["update", "delete"]}],
    ),
    "append-only by a trigger for each statement": (
        [USERS, LOG, *FORBID, "CREATE TRIGGER u BEFORE UPDATE OR DELETE ON log EXECUTE FUNCTION never()"],
        [OF_USERS, OF_LOG | {"append_only": ["update", "delete"]}],
    ),
    "append-only without an error": (
        [USERS, LOG, *FORBID,
         "CREATE TRIGGER u BEFORE UPDATE OR DELETE ON log FOR EACH ROW EXECUTE FUNCTION nothing()"],
        [OF_USERS, OF_LOG | {"append_only": ["update", "delete"]}],
    ),
    "append-only by a rule": (
        [USERS, LOG, "REVOKE UPDATE, DELETE ON log FROM {owner}"], [OF_USERS, OF_LOG],
    ),
    "append-only, with foreign keys to it": (
        [USERS, *FORBID, "CREATE TRIGGER d BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION never()", LOG],
        [OF_USERS | {"append_only": ["delete"]}, OF_LOG],
    ),
    "rights by column": (
        [USERS, LOG, "REVOKE ALL ON users, log FROM {owner}", COLUMNS, "GRANT UPDATE (name) ON users TO {owner}",
         "GRANT SELECT, INSERT (user_id, what) ON log TO {owner}"],
        [OF_USERS, OF_LOG],
    ),
    "privileges on columns, and an upsert": (
        [USERS, "REVOKE ALL ON users FROM {owner}", COLUMNS, "GRANT UPDATE (name) ON users TO {owner}"], [OF_USERS],
    ),
    "privileges on columns, and an original tenant column": (
        [USERS, "ALTER TABLE users ADD customer_id integer", "REVOKE ALL ON users FROM {owner}", COLUMNS], [OF_USERS],
    ),
    "privileges without a column that a row needs": (
        [USERS, LOG, "REVOKE ALL ON users FROM {owner}", "GRANT SELECT, INSERT (mail) ON users TO {owner}"],
        [OF_USERS, OF_LOG],
    ),
}  # fmt: skip


# In these cases, an attempt can make a row reference another tenant's row.
TRIED = ("no key at all", "no key, and a replica identity", "append-only by a rule")


@pytest.mark.parametrize("name", OTHERS)
def test_a_round_trip_of_unusual_tables(server: Server, name: str) -> None:
    statements, entries = OTHERS[name]
    made = [text.replace("{owner}", OWNER) for text in statements]
    with schemas.database(server, made, entries) as found:
        schemas.round_trip(server, found, set() if name in TRIED else {("log", "user_id")})


# The tables and columns in a publication, and why PostgreSQL refuses UPDATE and DELETE.
PUBLISHED = {
    "a table": ("log", "which has no replica identity: "),
    "columns of a table": ("log (what)", "whose replica identity is not among the published columns: "),
}


@pytest.mark.parametrize("name", versions.cases(PUBLISHED, {"columns of a table": 15}))
def test_a_published_table_without_a_replica_identity_is_refused_with_a_remedy(server: Server, name: str) -> None:
    listed, why = PUBLISHED[name]
    with schemas.database(
        server, [USERS, LOG, f"CREATE PUBLICATION p FOR TABLE {listed}"], [OF_USERS, OF_LOG]
    ) as found:
        (sentence,) = schemas.refused(found)
        beginning, _, remedy = sentence.removesuffix(" first.").rpartition(". ")
        assert beginning.startswith(f"The publication p publishes UPDATE and DELETE of public.log, {why}")
        found.run(remedy)
        found.commit()
        schemas.round_trip(server, found)
