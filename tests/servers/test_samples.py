"""The proof derives its rows from the catalogs, for all types, CHECKs and keys of the tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

import schemas
from ansible_collections.aimemory.tenancy.plugins.module_utils import outcomes
from ansible_collections.aimemory.tenancy.plugins.module_utils.quoting import literal
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import patterns
from lab import OWNER
from planner import Database
from schemas import refused
from server import Server

# A column of each type, and some with type modifiers.
TYPES = (
    "smallint", "integer", "bigint", "numeric", "numeric(2,2)", "numeric(5,-2)", "real", "double precision", "money",
    "boolean", "text", "varchar", "varchar(3)", "char", "char(2)", '"char"', "name", "citext", "date", "timestamp",
    "timestamp(0)", "timestamptz", "time", "time(0)", "timetz", "interval", "interval hour to minute", "uuid", "json",
    "jsonb", "jsonpath", "bytea", "xml", "bit(3)", "bit varying(5)", "inet", "cidr", "macaddr", "macaddr8", "point",
    "line", "lseg", "box", "path", "polygon", "circle", "tsvector", "tsquery", "oid", "regclass", "regtype", "regrole",
    "pg_lsn", "xid8", "tid", "hstore", "ltree", "cube", "seg", "int4range", "daterange", "tstzrange", "int4multirange",
    "integer[]", "varchar(3)[]", "text[][]", "hstore[]", "mood", "mood[]", '"Odd ""type"""', "pair", "pair[]", "word",
    "word[]", "small", "inner_word", "named_mood", "spread", "odd_pair", "int2vector", "refcursor", "lo",
)  # fmt: skip
EXTENSIONS = [f"CREATE EXTENSION {name}" for name in ("citext", "hstore", "ltree", "cube", "seg", "lo")]
KINDS = (
    "CREATE TYPE mood AS ENUM ('it''s \"ok\"', 'sad')",
    'CREATE TYPE "Odd ""type""" AS ENUM (\'a, b\')',
    "CREATE DOMAIN word AS varchar(12) NOT NULL CHECK (VALUE IN ('one', 'two, \"three\"'))",
    "CREATE DOMAIN small AS integer CHECK (VALUE > 100) CHECK (VALUE <= 102)",
    "CREATE DOMAIN inner_word AS word",
    "CREATE DOMAIN named_mood AS mood CHECK (VALUE <> 'it''s \"ok\"')",
    "CREATE TYPE pair AS (one integer, other text, w word, m mood)",
    "CREATE TYPE odd_pair AS (p pair, r int4range)",
    "CREATE TYPE spread AS RANGE (subtype = varchar)",
)


# The version of PostgreSQL that introduced a type, or its modifiers.
SINCE = {"int4multirange": 14, "numeric(5,-2)": 15}


def column_list(major: int) -> str:
    """Return column definitions, one for each type of a PostgreSQL version. All are NOT NULL without a default."""
    known = (name for name in TYPES if SINCE.get(name, 0) <= major)
    return ", ".join(f"c{number} {name} NOT NULL" for number, name in enumerate(known))


@contextlib.contextmanager
def tables(server: Server, statements: tuple[str, ...], entries: list[dict[str, Any]]) -> Iterator[Database]:
    """Yield a database with a model of ``entries``, after its owner has run ``statements``."""
    with schemas.database(server, [*KINDS, *statements], entries, EXTENSIONS) as database:
        yield database


def assert_migrates(database: Database) -> None:
    """Migrate, and check that nothing leaks, that the next plan is empty, and that every finding holds."""
    before = database.state()
    found = database.migrate()
    assert [item for item in found if not item["ok"]] == []
    assert database.failures(before) == []
    assert database.plan() == []


def test_a_column_of_every_type(server: Server) -> None:
    statements = (f"CREATE TABLE things (id bigserial PRIMARY KEY, {column_list(server.major)})",)
    with tables(server, statements, [{"name": "things", "surrogate_keys": [["id"]]}]) as database:
        assert_migrates(database)


REGEX = "code text NOT NULL CHECK (code ~ '^(?=A)[A-Z]{3}$')"


def test_a_column_without_a_known_value_is_named_and_taken_from_the_sample(server: Server) -> None:
    statements = (f"CREATE TABLE things (id serial PRIMARY KEY, {REGEX})",)
    entry = {"name": "things", "surrogate_keys": [["id"]]}
    with tables(server, statements, [entry]) as database:
        (sentence,) = refused(database)
        assert sentence == (
            "public.things.code is NOT NULL without a default, but no value for it can be derived "
            "(CHECK (code ~ '^(?=A)[A-Z]{3}$'::text)): add code: … to sample of things in tenancy_tables."
        )
    with tables(server, statements, [entry | {"sample": {"code": "ABC"}}]) as database:
        assert_migrates(database)


ROLES = "CREATE TABLE roles (id serial PRIMARY KEY, label text NOT NULL UNIQUE)"
USERS = (
    "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, username text NOT NULL UNIQUE, mail text,"
    " role_id integer NOT NULL REFERENCES roles, upper_name text GENERATED ALWAYS AS (upper(username)) STORED)"
)
MEMBERS = (
    "CREATE TABLE teams (id uuid PRIMARY KEY DEFAULT gen_random_uuid())",
    "CREATE TABLE members (user_id bigint REFERENCES users, team_id uuid REFERENCES teams)",
    "ALTER TABLE members ADD PRIMARY KEY (user_id, team_id)",
    "CREATE TABLE badges (user_id bigint PRIMARY KEY REFERENCES users, issued date NOT NULL)",
)
OF_USERS = {"name": "users", "surrogate_keys": [["id"]], "natural_keys": [["username"]]}
OF_ROLES = {"name": "roles", "surrogate_keys": [["id"]], "natural_keys": [["label"]]}
TO_USERS = {"columns": ["user_id"], "references": "users", "key": ["id"]}
OF_MEMBERS = (
    {"name": "teams", "surrogate_keys": [["id"]]},
    {"name": "members", "natural_keys": [["user_id", "team_id"]], "sample": {},
     "foreign_keys": [TO_USERS, {"columns": ["team_id"], "references": "teams", "key": ["id"]}]},
    {"name": "badges", "surrogate_keys": [["user_id"]], "foreign_keys": [TO_USERS]},
)  # fmt: skip


def test_a_look_up_a_join_table_and_a_table_of_defaults_alone(server: Server) -> None:
    statements = (ROLES, "INSERT INTO roles (label) VALUES ('reader')", USERS, *MEMBERS)
    with tables(server, statements, [OF_USERS, *OF_MEMBERS]) as database:
        assert_migrates(database)


def test_a_row_with_a_natural_key_is_pointed_elsewhere(server: Server) -> None:
    role = {"columns": ["role_id"], "references": "roles", "key": ["id"]}
    with tables(
        server, (ROLES, USERS, *MEMBERS), [OF_ROLES, OF_USERS | {"foreign_keys": [role]}, *OF_MEMBERS]
    ) as database:
        assert_migrates(database)


@pytest.mark.parametrize(("null", "is_tried"), [("", True), ("NOT NULL", False)])
def test_a_row_points_elsewhere_although_its_other_parent_points_there(
    server: Server, null: str, is_tried: bool
) -> None:  # fmt: skip
    statements = (
        "CREATE TABLE books (id uuid PRIMARY KEY)",
        f"CREATE TABLE readers (id serial PRIMARY KEY, book_id uuid {null} REFERENCES books)",
        "CREATE TABLE loans (reader_id integer NOT NULL REFERENCES readers, book_id uuid NOT NULL REFERENCES books)",
    )
    to_book = {"columns": ["book_id"], "references": "books", "key": ["id"]}
    to_reader = {"columns": ["reader_id"], "references": "readers", "key": ["id"]}
    entries: list[dict[str, Any]] = [
        {"name": "books", "natural_keys": [["id"]]},
        {"name": "readers", "surrogate_keys": [["id"]], "foreign_keys": [to_book]},
        {"name": "loans", "foreign_keys": [to_reader, to_book]},
    ]
    with tables(server, statements, entries) as database:
        attempts = database.transaction(database.plan())["proof"]["attempts"]
        # The attempt deletes the tenant's book but keeps the loan's reader. A reader that must reference the book
        # prevents the deletion.
        assert ("loans.point.book_id" in [item["id"] for item in attempts]) is is_tried
        assert_migrates(database)


def test_an_empty_look_up_is_named(server: Server) -> None:
    with tables(server, (ROLES, USERS), [OF_USERS]) as database:
        (sentence,) = refused(database)
        assert sentence == (
            "public.users.role_id is NOT NULL without a default, but no value for it can be derived (public.roles, "
            "which it references, has no row): add role_id: … to sample of users in tenancy_tables."
        )
        database.run("INSERT INTO roles (label) VALUES ('reader')")
        assert_migrates(database)


def test_a_look_up_is_read_without_code_of_its_owner(server: Server) -> None:
    statements = (
        """CREATE FUNCTION fine(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN RAISE EXCEPTION 'superuser'; END IF;
        RETURN true; END $$""",
        "CREATE DOMAIN region AS citext CHECK (fine(VALUE))",
        "CREATE TABLE cities (region region, city mood, parts integer[], PRIMARY KEY (region, city), UNIQUE (parts))",
        "INSERT INTO cities VALUES (E'north\\x01 <&>', 'sad', '{1}')",
        # The key does not cover the rows of an inheriting table.
        "CREATE TABLE more_cities () INHERITS (cities)", "ALTER TABLE cities ENABLE ROW LEVEL SECURITY",
        "CREATE TABLE houses (id serial PRIMARY KEY, region region NOT NULL, city mood NOT NULL)",
        "ALTER TABLE houses ADD FOREIGN KEY (region, city) REFERENCES cities",
        "CREATE TABLE rooms (id serial PRIMARY KEY, parts integer[] NOT NULL REFERENCES cities (parts))",
    )  # fmt: skip
    entries: list[dict[str, Any]] = [{"name": name, "surrogate_keys": [["id"]]} for name in ("houses", "rooms")]
    with tables(server, statements, entries) as database:
        (sentence,) = refused(database)
        assert sentence.startswith(
            "public.rooms.parts is NOT NULL without a default, but no value for it can be derived "
        )
        assert "which it references, has a type whose code must not run" in sentence
    entries[1]["sample"] = {"parts": "{1}"}
    with tables(server, statements, entries) as database:
        assert_migrates(database)


CHECKED = r"""CREATE TABLE things (id serial PRIMARY KEY,
  age integer NOT NULL CHECK (age BETWEEN 18 AND 99),
  code char(3) NOT NULL CHECK (length(code) = 3),
  plan text NOT NULL CHECK (plan IN ('free', 'it''s')),
  stage text NOT NULL CHECK (stage = ANY ('{new,old}'::text[])),
  mood mood NOT NULL CHECK (mood = 'sad'),
  kind varchar(9) NOT NULL CHECK (kind = ANY (ARRAY['a', 'b'])),
  share numeric(3, 2) NOT NULL CHECK (share > 0 AND share < 0.1),
  ratio float NOT NULL CHECK (ratio > 0 AND ratio < 1),
  name text NOT NULL CHECK (btrim(name) <> '' AND name = lower(name)),
  shout varchar(20) NOT NULL CHECK (upper(shout) = shout AND char_length(shout) >= 17),
  mail text NOT NULL CHECK (mail LIKE '%@%'),
  born date NOT NULL CHECK (born > '1900-01-01' AND born <= CURRENT_DATE),
  due timestamptz NOT NULL CHECK (due > now()),
  since date NOT NULL, until date NOT NULL, CHECK (since < until),
  began timestamp NOT NULL, ended timestamp NOT NULL, CHECK (ended > began + interval '1 hour'),
  took interval NOT NULL CHECK (took > interval '36 hours'),
  data jsonb NOT NULL CHECK (jsonb_typeof(data) = 'array'),
  tags text[] NOT NULL CHECK (cardinality(tags) > 0),
  even integer NOT NULL CHECK (even <> 0 AND NOT even = 1),
  state text NOT NULL DEFAULT 'new', reason text, CHECK (state = 'new' OR reason IS NOT NULL),
  a text, b text, CHECK (num_nonnulls(a, b) = 1),
  c text, d varchar(5), CHECK (c IS NOT NULL OR d IS NOT NULL),
  flag boolean NOT NULL CHECK (NOT flag),
  small smallint NOT NULL CHECK (small >= 32767),
  free text CHECK (free ~ '^(?=x)'), wild text NOT NULL CHECK (wild <> '' OR free ~ '(?=y)'),
  email text NOT NULL CHECK (email ~* '^[^@\s]+@[^@]+\.[A-Z]{2,}$' AND length(email) > 9),
  colour char(7) NOT NULL CHECK (colour ~ '^#[[:xdigit:]]{6}$'), dull text NOT NULL CHECK (dull !~ '[a-f]'),
  half integer NOT NULL CHECK (half % 5 = 3), month timestamptz NOT NULL,
  CHECK (date_trunc('month', month AT TIME ZONE 'UTC') = '2031-05-01'),
  period tstzrange NOT NULL CHECK (NOT isempty(period)),
  gone text NOT NULL CHECK (length(gone) BETWEEN 2 AND 4),
  kept text NOT NULL CHECK (kept ~~ 'x%'::text OR kept IS NOT NULL))"""


def test_checks_are_satisfied(server: Server) -> None:
    with tables(server, (CHECKED,), [{"name": "things", "surrogate_keys": [["id"]]}]) as database:
        assert_migrates(database)


def test_checks_that_are_not_understood_are_named_and_their_remedy_passes(server: Server) -> None:
    statements = (
        "CREATE DOMAIN code AS text CHECK (VALUE ~ '^(?=D)[A-Z]{3}$')",
        f"CREATE TABLE things (id serial PRIMARY KEY, {REGEX}, other code NOT NULL)",
        "ALTER TABLE things ADD nickname text UNIQUE CHECK (nickname SIMILAR TO 'x%'), ADD one int, ADD two int",
        "ALTER TABLE things ADD CHECK (one > 3 AND one < 2 AND (one IS NOT NULL OR two IS NOT NULL))",
    )
    entry: dict[str, Any] = {"name": "things", "surrogate_keys": [["id"]], "natural_keys": [["nickname"]]}
    with tables(server, statements, [entry]) as database:
        found = refused(database)
        named = [sentence.split(", but no value for it can be derived (")[0] for sentence in found]
        assert named == [
            "public.things.code is NOT NULL without a default",
            "public.things.other is NOT NULL without a default",
            "public.things.nickname is part of a natural key",
        ]
        assert "(public.code: CHECK (VALUE ~ '^(?=D)[A-Z]{3}$'::text)): add other: … " in found[1]
    entry["sample"] = {"code": "ABC", "other": "DEF", "nickname": "xy"}
    with tables(server, statements, [entry]) as database:
        assert_migrates(database)


PATTERNS = (
    r"^[^@]+@[^@]+\.[a-z]{2,}$", "^[A-Z]{3}$", r"^\+?[1-9]\d{1,14}$", "^[a-z0-9]+(?:-[a-z0-9]+)*$", "^(http|https)://",
    "^[[:alpha:]_][[:alnum:]_-]*$", r"\S", "[]a]", "^[^]]+$", "^([a-z ]+)+$", r"\mA", r"a\M", r"\ya.", r"^[\w.+-]+$",
    "a?b*c+", "^$|^x{2,3}$", r"^[\]\\^-]$", "x{2}{3}", "(?i)a", r"(a)\1", "(?=a)", "a{,3}", "[[:<:]]a", "[[.a.]]",
    "a**", "(", "[b-a]", r"\u",
    "^.$", "^a$", "^[[:punct:]]+$", "^[[:space:][:digit:]]+$", r"^\D+\W?\s*$", "",
)  # fmt: skip
TEXTS = (
    "",
    "a",
    "A",
    "ab",
    "xx",
    "a-b",
    "a\nb",
    "\n",
    "]",
    "^",
    "-",
    "\\",
    "a@b.cc",
    "http://x",
    "_",
    "12",
    "1 2",
    "a a",
    "!~",
)


def test_a_regular_expression_means_what_postgresql_means(server: Server) -> None:
    known = 0
    for pattern in PATTERNS:
        for text in (*TEXTS, *patterns.examples(pattern)):
            for sign, ignores in (("~", False), ("~*", True)):
                found = patterns.matches(text, pattern, ignore_case=ignores)
                if found is not None:
                    query = f"SELECT {literal(text)} {sign} {literal(pattern)}"
                    assert server.sql(query) == [(found,)], (text, pattern)
                    known += 1
        # Each example must match the pattern.
        assert all(
            patterns.matches(text, pattern, ignore_case=False) in (True, None) for text in patterns.examples(pattern)
        )
    assert known > 1000


def test_nothing_satisfies_a_check(server: Server) -> None:
    table = "CREATE TABLE things (id serial PRIMARY KEY, a int, b int, CHECK (a IS NOT NULL AND a > 3 AND a < 2))"
    with tables(server, (table,), [{"name": "things", "surrogate_keys": [["id"]]}]) as database:
        (sentence,) = refused(database)
        assert sentence.startswith("public.things.a is required by a CHECK, but no value for it can be derived (CHECK ")


def test_a_surrogate_key_that_the_application_makes_is_random(server: Server) -> None:
    kinds = ("uuid", "text", "varchar(21)", "bigint", "integer", "char(32)", "numeric")
    statements = tuple(f"CREATE TABLE t{number} (id {kind} PRIMARY KEY)" for number, kind in enumerate(kinds))
    entries = [{"name": f"t{number}", "surrogate_keys": [["id"]]} for number in range(len(kinds))]
    with tables(server, statements, entries) as database:
        assert_migrates(database)
    statements = ("CREATE TABLE t (id boolean PRIMARY KEY)",)
    with tables(server, statements, [{"name": "t", "surrogate_keys": [["id"]]}]) as database:
        assert "two rows cannot have the same surrogate key, and its type has no random value" in refused(database)[0]


def test_a_table_without_a_partition_is_named_and_its_remedy_passes(server: Server) -> None:
    statements = ("CREATE TABLE events (id serial, day date NOT NULL) PARTITION BY RANGE (day)",)
    with tables(server, statements, [{"name": "events"}]) as database:
        (sentence,) = refused(database)
        assert sentence.startswith("public.events is partitioned, but none of its partitions can store rows")
        database.run(f"SET ROLE {OWNER}", "CREATE TABLE events_0 PARTITION OF events DEFAULT", "RESET ROLE")
        assert_migrates(database)


@pytest.mark.parametrize("by", ["RANGE (at)", "LIST (kind)", "HASH (kind)"])
def test_the_row_lies_in_a_partition(server: Server, by: str) -> None:
    parts = {
        "RANGE (at)": ("FROM ('2031-02-01') TO ('2031-03-01')", "FROM ('2031-03-01') TO ('2031-04-01')"),
        "LIST (kind)": ("IN ('x', 'y')", "IN ('z')"),
        "HASH (kind)": ("WITH (MODULUS 2, REMAINDER 0)", "WITH (MODULUS 2, REMAINDER 1)"),
    }[by]
    statements = (
        f"CREATE TABLE events (id serial, at timestamptz NOT NULL, kind text NOT NULL) PARTITION BY {by}",
        *(f"CREATE TABLE events_{place} PARTITION OF events FOR VALUES {bound}" for place, bound in enumerate(parts)),
    )
    with tables(server, statements, [{"name": "events"}]) as database:
        assert_migrates(database)


WRITES = "CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NULL; END $$"
WELCOME = "CREATE TRIGGER welcome AFTER INSERT ON {} FOR EACH ROW EXECUTE FUNCTION welcome()"


def test_a_trigger_may_write_several_rows_with_names_of_their_own(server: Server) -> None:
    statements = (
        "CREATE TABLE people (id bigserial PRIMARY KEY, name text NOT NULL UNIQUE)",
        "CREATE TABLE folders (person bigint REFERENCES people, name text, PRIMARY KEY (person, name))",
        WRITES.format("INSERT INTO public.folders VALUES (NEW.id, 'in'), (NEW.id, 'out');"),
        WELCOME.format("people"),
    )
    person = {"columns": ["person"], "references": "people", "key": ["id"]}
    entries: list[dict[str, Any]] = [
        {"name": "people", "surrogate_keys": [["id"]], "natural_keys": [["name"]], "sample_writes": ["folders"] * 2},
        {"name": "folders", "natural_keys": [["person", "name"]], "foreign_keys": [person]},
    ]
    with tables(server, statements, entries) as database:
        assert_migrates(database)


def test_the_rows_of_triggers_are_counted_through_triggers(server: Server) -> None:
    noted = WRITES.replace("welcome", "note").format("INSERT INTO public.history (tab) VALUES (TG_TABLE_NAME);")
    statements = (
        "CREATE TABLE people (id text PRIMARY KEY, slug text GENERATED ALWAYS AS (lower(id)) STORED UNIQUE)",
        "CREATE TABLE folders (id bigserial PRIMARY KEY, person text NOT NULL REFERENCES people, name text)",
        "CREATE TABLE notes (folder bigint NOT NULL REFERENCES folders, person text NOT NULL REFERENCES people)",
        "CREATE TABLE history (id bigserial PRIMARY KEY, tab text NOT NULL)",
        WRITES.format("INSERT INTO public.folders (person, name) VALUES (NEW.id, 'in'), (NEW.id, 'out');"),
        WELCOME.format("people"),
        noted,
        *(WELCOME.replace("welcome", "note").format(name) for name in ("people", "folders")),
    )
    person = {"columns": ["person"], "references": "people", "key": ["id"]}
    folder = {"columns": ["folder"], "references": "folders", "key": ["id"]}
    entries: list[dict[str, Any]] = [
        {"name": "people", "natural_keys": [["id"], ["slug"]], "sample_writes": ["folders", "folders", "history"]},
        {"name": "folders", "surrogate_keys": [["id"]], "foreign_keys": [person], "sample_writes": ["history"]},
        {"name": "notes", "foreign_keys": [folder, person]},
        {"name": "history", "surrogate_keys": [["id"]]},
    ]
    with tables(server, statements, entries) as database:
        assert_migrates(database)


def test_what_a_trigger_writes_does_not_meet_the_samples_of_its_target(server: Server) -> None:
    statements = (
        "CREATE TABLE calls (id serial PRIMARY KEY, caller varchar(9) NOT NULL, day date NOT NULL, minutes integer)",
        "CREATE TABLE callers (caller varchar(9), day date, calls integer NOT NULL, PRIMARY KEY (caller, day))",
        "CREATE TABLE notes (id serial PRIMARY KEY, caller varchar(9) NOT NULL)",
        """CREATE FUNCTION count_call() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.callers (caller, day, calls) VALUES (NEW.caller, NEW.day, 1);
        INSERT INTO public.notes (caller) VALUES (NEW.caller); RETURN NULL; END $$""",
        "CREATE TRIGGER count_call AFTER INSERT ON calls FOR EACH ROW EXECUTE FUNCTION count_call()",
    )
    entries: list[dict[str, Any]] = [
        {"name": "calls", "surrogate_keys": [["id"]], "sample_writes": ["callers", "notes"]},
        {"name": "callers", "natural_keys": [["caller", "day"]]}, {"name": "notes", "surrogate_keys": [["id"]]},
    ]  # fmt: skip
    with tables(server, statements, entries) as database:
        assert_migrates(database)


ONE_TO_ONE = (
    "CREATE TABLE people (id bigserial PRIMARY KEY, name text NOT NULL UNIQUE)",
    "CREATE TABLE sales (id bigserial PRIMARY KEY, person bigint NOT NULL REFERENCES people)",
    "CREATE TABLE profiles (person bigint PRIMARY KEY REFERENCES people ON DELETE CASCADE, sales integer)",
    "CREATE TABLE pictures (profile bigint PRIMARY KEY REFERENCES profiles, path text)",
)
# The table whose trigger writes the row, and the trigger's statement.
WRITTEN = {
    "an insert": ("people", "INSERT INTO public.profiles VALUES (NEW.id);"),
    "an upsert": ("people", "INSERT INTO public.profiles VALUES (NEW.id) ON CONFLICT DO NOTHING;"),
    "an insert into a table that is not older": ("sales", "INSERT INTO public.profiles VALUES (NEW.person, 1);"),
    "an update, or else an insert": (
        "sales",
        ("UPDATE public.profiles SET sales = sales + 1 WHERE person = NEW.person;"
         " IF NOT FOUND THEN INSERT INTO public.profiles VALUES (NEW.person, 1); END IF;"),
    ),
    "two rows, one of which points to the other": (
        "people", "INSERT INTO public.profiles VALUES (NEW.id); INSERT INTO public.pictures VALUES (NEW.id);"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_the_sample_replaces_the_same_row_of_a_trigger(server: Server, name: str) -> None:
    table, body = WRITTEN[name]
    writes = {table: {"sample_writes": ["profiles", "pictures"] if "pictures" in body else ["profiles"]}}
    person = {"columns": ["person"], "references": "people", "key": ["id"]}
    profile = {"columns": ["profile"], "references": "profiles", "key": ["person"]}
    entries: list[dict[str, Any]] = [
        {"name": "people", "surrogate_keys": [["id"]], "natural_keys": [["name"]]},
        {"name": "profiles", "natural_keys": [["person"]], "foreign_keys": [person]},
        {"name": "sales", "surrogate_keys": [["id"]], "foreign_keys": [person]},
        {"name": "pictures", "natural_keys": [["profile"]], "foreign_keys": [profile]},
    ]
    entries = [entry | writes.get(entry["name"], {}) for entry in entries]
    with tables(server, (*ONE_TO_ONE, WRITES.format(body), WELCOME.format(table)), entries) as database:
        assert_migrates(database)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("bigserial", {"surrogate_keys": [["id"]], "natural_keys": [["number"]]}),
        ("bigint", {"natural_keys": [["id"], ["number"]]}),
    ],
    ids=["a generated key", "a key of the application"],
)
def test_a_trigger_may_number_the_rows(server: Server, kind: str, keys: dict[str, Any]) -> None:
    statements = (
        f"CREATE TABLE tickets (id {kind} PRIMARY KEY, number integer NOT NULL UNIQUE)",
        "CREATE SEQUENCE numbers",
        WRITES.format("NEW.number := nextval('public.numbers'); RETURN NEW;"),
        WELCOME.format("tickets").replace("AFTER", "BEFORE"),
    )
    with tables(server, statements, [{"name": "tickets", **keys}]) as database:
        assert_migrates(database)


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        ({"nick": "x"}, "nick, but public.users has no such column: correct it."),
        ({"upper_name": "X"}, "upper_name, a generated column, which PostgreSQL writes itself: remove it."),
        ({"id": 7}, "id, a generated column, which PostgreSQL writes itself: remove it."),
        ({"customer_id": 1}, "customer_id, the tenant column, which each attempt sets itself: remove it."),
    ],
)  # fmt: skip
def test_a_sample_that_no_row_can_have_is_refused(server: Server, sample: dict[str, Any], sentence: str) -> None:
    statements = (ROLES, "INSERT INTO roles (label) VALUES ('reader')", USERS)
    entry = OF_USERS | {"surrogate_keys": [["id", "mail"]], "sample": sample}
    with tables(server, statements, [entry]) as database:
        assert f"The sample of users in tenancy_tables names {sentence}" in refused(database)


def test_what_was_added_since_is_named_by_the_proof(server: Server) -> None:
    """A run that only verifies reports the column and the remedy."""
    with tables(
        server, ("CREATE TABLE t (id serial PRIMARY KEY)",), [{"name": "t", "surrogate_keys": [["id"]]}]
    ) as database:
        assert_migrates(database)
        database.run("ALTER TABLE t ADD c text NOT NULL CHECK (c ~ '^(?=x)')")
        assert database.plan() == []
        with pytest.raises(
            outcomes.ProofError, match=r"error 23502 \(column c, table t\).* In tenancy_tables, set sample of t to"
        ):
            database.prove()
