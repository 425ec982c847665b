"""Natural keys of every form are found. Each is replaced by a key of the same form, or refused by name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

import schemas
import versions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import plan
from planner import Database
from schemas import refused
from server import Server

THINGS = (
    "CREATE TABLE things (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text, b integer, d int4range,"
    " customer_email citext)"
)
ENTRY: dict[str, Any] = {"name": "things", "surrogate_keys": [["id"]]}
TENANTS = {"text": "first", "uuid": "9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683"}
FOLDED = "CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"


@contextlib.contextmanager
def things(
    server: Server, statements: tuple[str, ...], keys: list[list[str]], column_type: str = "integer", **entry: Any
) -> Iterator[Database]:
    """Yield a database in which the owner has created the table "things" and run ``statements``.

    ``keys`` are the natural keys of the table.
    """
    with schemas.database(
        server, [THINGS, *statements], [ENTRY | {"natural_keys": keys, "sample": {"b": 1}} | entry],
        ["CREATE EXTENSION citext"], column_type=column_type, default_tenant=TENANTS.get(column_type, 1),
    ) as database:  # fmt: skip
        yield database


def defined(database: Database, name: str) -> str:
    """Return PostgreSQL's definition of an index, and of its constraint if it has one."""
    printed = database.value(
        f"""SELECT concat_ws('; ', pg_get_indexdef(i.indexrelid), k.conname || ': ' || pg_get_constraintdef(k.oid))
        FROM pg_index i LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
        WHERE i.indexrelid = '{name}'::regclass"""
    )
    return str(printed).partition(" ON ")[2]


def dumped(server: Server) -> str:
    return server.run("pg_dump", "--schema-only", "--restrict-key=same", schemas.NAME)


# For each form: the statements that create the key k, its natural key, and its definition after the migration.
FORMS: dict[str, tuple[tuple[str, ...], list[str], str]] = {
    "nulls not distinct": (
        ("ALTER TABLE things ADD CONSTRAINT k UNIQUE NULLS NOT DISTINCT (b)",), ["b"],
        "public.things USING btree (customer_id, b) NULLS NOT DISTINCT; k: UNIQUE NULLS NOT DISTINCT (customer_id, b)"),
    "collation": (
        ('CREATE UNIQUE INDEX k ON things (a COLLATE "C" DESC NULLS LAST)',), ["a"],
        'public.things USING btree (customer_id, a COLLATE "C" DESC NULLS LAST)'),
    "operator class": (
        ("CREATE UNIQUE INDEX k ON things (a text_pattern_ops)",), ["a"],
        "public.things USING btree (customer_id, a text_pattern_ops)"),
    "expression": (
        ("CREATE UNIQUE INDEX k ON things (lower(a))",), ["a"],
        "public.things USING btree (customer_id, lower(a))"),
    "expression that looks like a predicate": (
        ("CREATE UNIQUE INDEX k ON things ((a || ') WHERE (b > 0')) INCLUDE (d) WHERE a <> ') WHERE ('",), ["a"],
        ("public.things USING btree (customer_id, ((a || ') WHERE (b > 0'::text))) INCLUDE (d)"
         " WHERE (a <> ') WHERE ('::text)")),
    "predicate": (
        ("CREATE UNIQUE INDEX k ON things (a, b) WHERE b > 7",), ["b", "a"],
        "public.things USING btree (customer_id, a, b) WHERE (b > 7)"),
    "no column": (
        ("CREATE UNIQUE INDEX k ON things ((true))",), [],
        "public.things USING btree (customer_id, (true))"),
    "one row of those that a flag chooses": (
        ("CREATE UNIQUE INDEX k ON things ((1)) WHERE b > 7",), ["b"],
        "public.things USING btree (customer_id, (1)) WHERE (b > 7)"),
    "the owner's function": (
        ("CREATE FUNCTION folded(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN lower($1); END'",
         "CREATE UNIQUE INDEX k ON things (folded(a))"), ["a"],
        "public.things USING btree (customer_id, folded(a))"),
    "deferred": (
        ("ALTER TABLE things ADD CONSTRAINT k UNIQUE (a) INCLUDE (b) WITH (fillfactor=61) INITIALLY DEFERRED",), ["a"],
        ("public.things USING btree (customer_id, a) INCLUDE (b) WITH (fillfactor='61');"
         " k: UNIQUE (customer_id, a) INCLUDE (b) DEFERRABLE INITIALLY DEFERRED")),
    "primary key": (
        ("ALTER TABLE things DROP CONSTRAINT things_pkey, ADD CONSTRAINT k PRIMARY KEY (a)",), ["a"],
        "public.things USING btree (customer_id, a); k: PRIMARY KEY (customer_id, a)"),
    "exclusion": (
        ("ALTER TABLE things ADD CONSTRAINT k EXCLUDE USING btree (a WITH =) WHERE (a LIKE '+%')",), ["a"],
        ("public.things USING btree (customer_id, a) WHERE (a ~~ '+%'::text);"
         " k: EXCLUDE USING btree (customer_id WITH =, a WITH =) WHERE ((a ~~ '+%'::text))")),
    "type of an extension": (
        ("ALTER TABLE things ADD CONSTRAINT k UNIQUE (customer_email)",), ["customer_email"],
        "public.things USING btree (customer_id, customer_email); k: UNIQUE (customer_id, customer_email)"),
    "two names of one key": (
        ("ALTER TABLE things ADD CONSTRAINT k UNIQUE (a)", "CREATE UNIQUE INDEX other ON things (a)"), ["a"],
        "public.things USING btree (customer_id, a); k: UNIQUE (customer_id, a)"),
}  # fmt: skip


@pytest.mark.parametrize("form", versions.cases(FORMS, {"nulls not distinct": 15}))
def test_a_key_keeps_its_form_and_its_name(server: Server, form: str) -> None:
    statements, key, wanted = FORMS[form]
    with things(server, statements, [key] if key else []) as database:
        before, dump = database.state(), dumped(server)
        assert [item for item in database.migrate() if not item["ok"]] == []
        database.commit()
        assert defined(database, "k") == wanted
        assert database.failures(before) == []
        assert database.plan() == []
        assert database.back_to(before) == []
        database.commit()
        assert dumped(server) == dump


@pytest.mark.parametrize("key", [["code"], ["code", "customer_id"], ["customer_id", "code"]])
@pytest.mark.parametrize("made", ["UNIQUE (code, customer_id)", "EXCLUDE (code WITH =, customer_id WITH =)"])
def test_the_tenant_column_counts_at_any_position(server: Server, made: str, key: list[str]) -> None:
    statements = (
        "ALTER TABLE things ADD customer_id integer NOT NULL DEFAULT 1, ADD code text",
        f"ALTER TABLE things ADD CONSTRAINT k {made}",
    )
    with things(server, statements, [key]) as database:
        before, dump = database.state(), dumped(server)
        assert not [item for item in database.plan() if item["phase"] in ("build", "key")]
        assert [item for item in database.migrate() if not item["ok"]] == []
        assert database.failures(before) == []
        assert database.back_to(before) == []
        database.commit()
        assert dumped(server) == dump


@pytest.mark.parametrize(
    "made",
    [
        "CREATE UNIQUE INDEX k ON things (a) INCLUDE (customer_id)",
        "CREATE UNIQUE INDEX k ON things (a, (coalesce(customer_id, 1)))",
        "CREATE UNIQUE INDEX k ON things (a) WHERE customer_id = 1",
        "ALTER TABLE things ADD CONSTRAINT k EXCLUDE USING gist (a WITH =, customer_id WITH <>)",
    ],
)
def test_a_key_that_only_mentions_the_tenant_column_does_not_hold_it(server: Server, made: str) -> None:
    with things(server, ("ALTER TABLE things ADD customer_id integer NOT NULL DEFAULT 1",), [["a"]]) as database:
        database.run("CREATE EXTENSION btree_gist", made)
        (entry,) = [item for item in database.audit() if item["rule"] == "unique-key"]
        assert (entry["subject"], entry["fixed_by_plan"]) == ("k of things", True)
        assert [item for item in database.migrate() if not item["ok"]] == []
        assert defined(database, "k").partition("(")[2].startswith("customer_id, a")


def test_an_unnamed_exclusion_constraint_is_refused_by_name(server: Server) -> None:
    made = "ALTER TABLE things ADD CONSTRAINT k EXCLUDE USING btree (a WITH =) WHERE (a LIKE '+%')"
    with things(server, (made,), []) as database:
        (sentence,) = refused(database)
        assert sentence == (
            "The exclusion constraint k of public.things on (a) is not in the model, and reveals one tenant's "
            "values to another: list its columns under natural_keys of that table."
        )


GIST = "CREATE EXTENSION btree_gist"
MANY = ", ".join(f"c{number} integer" for number in range(32))
OTHERS = ", ".join(f"c{number}" for number in range(1, 32))
# For each refused key: its statement, its natural key, the message, and the remedy that the owner applies.
PLACE = "The key k of public.things must also contain customer_id, but "
IMPOSSIBLE = {
    "hash": (
        "ALTER TABLE things ADD CONSTRAINT k EXCLUDE USING hash (a WITH =)", ["a"],
        PLACE + "an index of the method hash can have only one column: make it EXCLUDE USING btree, or a unique key "
        "first.",
        "ALTER TABLE things DROP CONSTRAINT k, ADD CONSTRAINT k EXCLUDE USING btree (a WITH =)",
    ),
    "SP-GiST": (
        "ALTER TABLE things ADD CONSTRAINT k EXCLUDE USING spgist (d WITH &&)", ["d"],
        PLACE + "an index of the method spgist can have only one column: make it EXCLUDE USING gist first.",
        f"{GIST}; ALTER TABLE things DROP CONSTRAINT k, ADD CONSTRAINT k EXCLUDE USING gist (d WITH &&)",
    ),
    "GiST": (
        "ALTER TABLE things ADD CONSTRAINT k EXCLUDE USING gist (d WITH &&)", ["d"],
        PLACE + f"GiST cannot compare integer for equality without the extension btree_gist: {GIST} first.",
        GIST,
    ),
    "32 columns": (
        f"DROP TABLE things; CREATE TABLE things ({MANY}, CONSTRAINT k UNIQUE (c0) INCLUDE ({OTHERS}))", ["c0"],
        PLACE + "has 32 columns, and PostgreSQL allows at most 32: remove one first, for example an included "
        "column.",
        "ALTER TABLE things DROP CONSTRAINT k, ADD CONSTRAINT k UNIQUE (c0)",
    ),
    "foreign key": (
        "ALTER TABLE things ADD CONSTRAINT k UNIQUE (a); CREATE TABLE elsewhere (a text REFERENCES things (a))", ["a"],
        ("The key k of public.things must be replaced, but constraint elsewhere_a_fkey on table public.elsewhere "
         "depends on it: list a foreign key under foreign_keys of its tenant table, or change or drop the dependent "
         "object first."),
        "ALTER TABLE elsewhere DROP CONSTRAINT elsewhere_a_fkey",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_a_key_that_cannot_be_exchanged_is_refused_with_a_remedy(server: Server, case: str) -> None:
    made, key, sentence, remedy = IMPOSSIBLE[case]
    entry: dict[str, Any] = {"surrogate_keys": [], "sample": {}} if "32" in case else {}
    with things(server, (made,), [key], "integer", **entry) as database:
        assert refused(database) == [sentence]
        database.run(remedy)
        database.commit()
        before, dump = database.state(), dumped(server)
        assert [item for item in database.migrate() if not item["ok"]] == []
        assert database.back_to(before) == []
        database.commit()
        assert dumped(server) == dump


@pytest.mark.since(17)
def test_a_partitioned_exclusion_constraint_is_refused_by_name(server: Server) -> None:
    made = (
        "DROP TABLE things; CREATE TABLE things (a text, b integer) PARTITION BY LIST (b)",
        "CREATE TABLE things_one PARTITION OF things FOR VALUES IN (1)",
        "ALTER TABLE things ADD CONSTRAINT k EXCLUDE USING btree (a WITH =, b WITH =)",
    )
    with things(server, made, [["a", "b"]], surrogate_keys=[]) as database:
        (sentence,) = refused(database)
        assert sentence.startswith(
            "The key k of public.things must also contain customer_id, but PostgreSQL cannot attach"
        )


@pytest.mark.since(18)
def test_a_tenant_column_whose_not_null_is_not_valid_is_refused(server: Server) -> None:
    made = (
        "ALTER TABLE things ADD customer_id integer, DROP CONSTRAINT things_pkey, ADD PRIMARY KEY (b)",
        "UPDATE things SET customer_id = 1",
        "ALTER TABLE things ADD CONSTRAINT present NOT NULL customer_id NOT VALID",
    )
    with things(server, made, [["b"]], surrogate_keys=[]) as database:
        (sentence,) = refused(database)
        assert sentence.startswith("The NOT NULL constraint present of public.things.customer_id is NOT VALID")
        database.run("ALTER TABLE things VALIDATE CONSTRAINT present")
        assert [item for item in database.migrate() if not item["ok"]] == []


def test_a_predicate_with_a_value_of_the_owners_domain_is_refused(server: Server) -> None:
    made = (
        "CREATE FUNCTION fine(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'",
        "CREATE DOMAIN word AS text CHECK (public.fine(VALUE))",
        "CREATE UNIQUE INDEX k ON things (a) WHERE a::word <> 'x'::word",
    )
    with things(server, made, [["a"]]) as database:
        assert any(
            text.startswith(
                "The key k of public.things must be replaced, and contains a value of public.word. This type is a"
            )
            for text in refused(database)
        )


def test_marks_comments_and_statistics_stay(server: Server) -> None:
    made = (
        "ALTER TABLE things ALTER a SET NOT NULL",
        "ALTER TABLE things ADD CONSTRAINT k UNIQUE (a)",
        "CREATE UNIQUE INDEX shown ON things (lower(a), b)",
        "ALTER INDEX shown ALTER COLUMN 1 SET STATISTICS 42",
        "COMMENT ON CONSTRAINT k ON things IS 'it''s \\ a key'",
        "COMMENT ON INDEX shown IS 'it''s an index'",
        "ALTER TABLE things REPLICA IDENTITY USING INDEX k",
        "ALTER TABLE things CLUSTER ON shown",
    )
    with things(server, made, [["a"], ["a", "b"]]) as database:
        database.run("ALTER INDEX shown DEPENDS ON EXTENSION citext")
        database.commit()
        before, dump = database.state(), dumped(server)
        exchange = next(item for item in database.plan() if item["id"].endswith("replica_identity"))
        assert (exchange["phase"], exchange["online"]) == ("key", [])
        database.migrate()
        database.commit()
        added = ("customer_id", "POLICY", "ROW LEVEL SECURITY", "tenancy", "idx_")
        lines = [line for line in dumped(server).splitlines() if not any(word in line for word in added)]
        for line in dump.splitlines():
            if line.startswith(
                ("COMMENT", "ALTER TABLE ONLY public.things REPLICA", "ALTER TABLE public.things CLUSTER")
            ):
                assert line in lines
        assert "ALTER INDEX public.shown ALTER COLUMN 2 SET STATISTICS 42;" in lines
        assert database.value("SELECT count(*) FROM pg_depend WHERE objid = 'shown'::regclass AND deptype = 'x'") == 1
        assert database.back_to(before) == []
        database.commit()
        assert dumped(server) == dump
        assert database.value("SELECT count(*) FROM pg_depend WHERE objid = 'shown'::regclass AND deptype = 'x'") == 1


def test_on_conflict_on_constraint_still_works(server: Server) -> None:
    upsert = "INSERT INTO things (a) VALUES ('x') ON CONFLICT ON CONSTRAINT k DO UPDATE SET b = 2"
    with things(server, ("ALTER TABLE things ADD CONSTRAINT k UNIQUE (a)", upsert), [["a"]]) as database:
        database.migrate()
        database.run("SET row_security = off", "ALTER TABLE things ALTER customer_id SET DEFAULT 1", upsert)
        assert database.value("SELECT count(*) FROM things WHERE b = 2") == 1
        with pytest.raises(psycopg2.errors.InvalidColumnReference):
            database.run("INSERT INTO things (a) VALUES ('x') ON CONFLICT (a) DO NOTHING")


@pytest.mark.parametrize("column_type", ["text", "uuid", "bigint", "smallint"])
def test_an_exclusion_by_gist_holds_a_tenant_of_every_type(server: Server, column_type: str) -> None:
    made = "ALTER TABLE things ADD CONSTRAINT k EXCLUDE USING gist (d WITH &&, b WITH =)"
    server_side = "CREATE EXTENSION btree_gist"
    with things(server, (), [["d", "b"]], column_type) as database:
        database.run(server_side, made)
        assert [item for item in database.migrate() if not item["ok"]] == []


def test_an_existing_index_is_used(server: Server) -> None:
    made = (
        "ALTER TABLE things ADD CONSTRAINT k UNIQUE (a)",
        "ALTER TABLE things ADD customer_id integer NOT NULL DEFAULT 1",
        "CREATE UNIQUE INDEX by_hand ON things (customer_id, a)",
    )
    with things(server, made, [["a"]]) as database:
        file = database.value("SELECT pg_relation_filenode('by_hand')")
        database.migrate()
        assert database.value("SELECT pg_relation_filenode('k')") == file
        assert database.plan() == []


def test_an_interrupted_build_is_continued(server: Server) -> None:
    made = ("CREATE UNIQUE INDEX k ON things (lower(a)) WHERE b > 7", "INSERT INTO things (a, b) VALUES ('x', 8)")
    with things(server, made, [["a"]]) as database:
        before, dump = database.state(), dumped(server)
        database.carry_out(database.steps())
        assert [item["id"] for item in database.plan() if item["phase"] == "build"] == []
        database.run("DROP INDEX k_tenant_key", "CREATE INDEX k_tenant_key ON things (b)")
        assert [item["sql"].split(" ")[0] for item in database.plan() if item["phase"] == "build"] == ["DROP", "CREATE"]
        statements = plan.build(database.state(), database.model)
        database.execute(plan.document(statements, database.model, "5s", 60))
        assert database.plan() == []
        assert database.back_to(before) == []
        database.commit()
        assert dumped(server) == dump


def test_an_invalid_index_is_dropped_and_the_key_is_built(server: Server) -> None:
    made = "INSERT INTO things (a) VALUES ('x'), ('x')"
    with things(server, (made,), [["a"]]) as database:
        with contextlib.closing(server.connect(schemas.NAME)) as other, other.cursor() as cursor:
            with pytest.raises(psycopg2.errors.UniqueViolation):
                cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY k ON things (a)")
            (sentence,) = refused(database)
            assert "2 rows share 1 of its values" in sentence
            cursor.execute("DELETE FROM things WHERE id = 2")
            cursor.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
            assert cursor.fetchone() == (1,)
        database.roll_back()
        before, dump = database.state(), dumped(server)
        assert [item for item in database.migrate() if not item["ok"]] == []
        assert database.failures(before) == []
        assert database.back_to(before) == []
        database.commit()
        # pg_dump omits this index while it is invalid.
        assert dumped(server).replace("CREATE UNIQUE INDEX k ON public.things USING btree (a);", "") == dump.replace(
            "CREATE UNIQUE INDEX k ON public.things USING btree (a);", ""
        )


def test_a_collation_that_folds_case_stays(server: Server) -> None:
    with things(server, (), [["a"]]) as database:
        try:
            database.run(FOLDED, "CREATE UNIQUE INDEX k ON things (a COLLATE folded)")
        except psycopg2.errors.FeatureNotSupported:
            # This server is built without ICU.
            database.roll_back()
            database.run("CREATE COLLATION folded (provider = libc, locale = 'C.UTF-8')")
            database.run("CREATE UNIQUE INDEX k ON things (a COLLATE folded)")
        database.migrate()
        assert defined(database, "k") == "public.things USING btree (customer_id, a COLLATE folded)"
