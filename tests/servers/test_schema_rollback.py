"""The rollback to the original schema does not run an ordinary role's code, and quotes every name."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

import pytest

import temporary
from ansible_collections.aimemory.tenancy.plugins.module_utils import sessions
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from lab import OWNER
from planner import Database
from server import Server

NAME = "ai_memory_schema_rollback"
# Each name looks like the end of the definition in which it occurs, followed by a statement.
DEFERRABLE = f'"a DEFERRABLE; ALTER ROLE {OWNER} SUPERUSER; --"'
WHERE = f'"a WHERE true; ALTER ROLE {OWNER} SUPERUSER; --"'
ONLY = f'"a ON ONLY b WITH (c); ALTER ROLE {OWNER} SUPERUSER; --"'
BODY = f"E'\\nAS $$; ALTER ROLE {OWNER} SUPERUSER; --'"
NOTED = (
    f"LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF current_user <> '{OWNER}' THEN"
    " RAISE LOG 'RAN as %', current_user; END IF;"
)
SEEN = f"CREATE FUNCTION public.seen(text) RETURNS text {NOTED} RETURN $1; END $$"
FINE = f"CREATE FUNCTION public.fine(text) RETURNS boolean {NOTED} RETURN true; END $$"
WORDS = "CREATE DOMAIN public.words AS text CHECK (public.fine(VALUE))"
ENUM = "CREATE TYPE public.words AS ENUM ('a')"
MOOD = f"""CREATE TYPE public.mood AS ENUM ('fair');
CREATE FUNCTION public.meant(public.mood) RETURNS text {NOTED} RETURN 'fair'; END $$;
CREATE CAST (public.mood AS text) WITH FUNCTION public.meant(public.mood) AS IMPLICIT"""
RANKED = f"""CREATE TYPE public.mood AS ENUM ('fair');
CREATE FUNCTION public.meant(public.mood) RETURNS integer {NOTED} RETURN 1; END $$;
CREATE CAST (public.mood AS integer) WITH FUNCTION public.meant(public.mood) AS IMPLICIT"""
UPDATE = "public.update_personality_averages"
TRIGGERED = "public.trigger_update_personality_averages"
# For each case: the original objects, and the owner's changes after the migration.
NAMES = {
    "included column": [
        f"""ALTER TABLE caller_profiles ADD {DEFERRABLE} integer, DROP CONSTRAINT caller_profiles_user_id_key,
        ADD CONSTRAINT caller_profiles_user_id_key UNIQUE (user_id) INCLUDE ({DEFERRABLE})
        DEFERRABLE INITIALLY DEFERRED"""
    ],
    "column of a key": [
        f"""ALTER TABLE memories ADD customer_id integer DEFAULT 1, ADD {DEFERRABLE} integer;
        ALTER TABLE memories ADD CONSTRAINT c UNIQUE (customer_id, {DEFERRABLE}) DEFERRABLE""",
        "ALTER TABLE memories DROP CONSTRAINT c",
    ],
    "column of an index": [
        f"""ALTER TABLE memories ADD {WHERE} integer, ADD {ONLY} integer;
        CREATE INDEX {ONLY} ON memories ({WHERE}, {ONLY}) WHERE {ONLY} > 0""",
        f"DROP INDEX {ONLY}",
    ],
    "excluded column": [
        f"""ALTER TABLE memories ADD customer_id integer DEFAULT 1, ADD {DEFERRABLE} integer;
        ALTER TABLE memories ADD CONSTRAINT c EXCLUDE USING btree (customer_id WITH =, {DEFERRABLE} WITH =)
        WHERE ({DEFERRABLE} > 0) DEFERRABLE""",
        "ALTER TABLE memories DROP CONSTRAINT c",
    ],
    "default of an argument": [
        f"""CREATE FUNCTION {UPDATE}(p_customer_id integer, p_user_id varchar DEFAULT {BODY}) RETURNS void
        LANGUAGE plpgsql AS 'BEGIN PERFORM ''$function''; END'"""
    ],
    "enum in a policy": [f"{ENUM}; CREATE POLICY p ON memories USING (k = ('a'::words)::text)"],
    "function of a policy": [f"{FINE}; CREATE POLICY p ON memories USING (public.fine(k))"],
    "domain of a column": [
        f"""{FINE}; {WORDS}; ALTER TABLE memories ADD w words;
        CREATE POLICY p ON memories USING (EXISTS (SELECT FROM public.memories AS words))"""
    ],
    "enum in a predicate": [
        f"{ENUM}; ALTER TABLE memories ADD m words; CREATE INDEX i ON memories (k) WHERE m = 'a'",
        "DROP INDEX i",
    ],
    "enum in a foreign key": [
        f"{ENUM}; CREATE TABLE ref (t words PRIMARY KEY); ALTER TABLE memories ADD m words REFERENCES ref (t)",
        "ALTER TABLE memories DROP CONSTRAINT memories_m_fkey",
    ],
}
# For each case: the original objects, the owner's changes after the migration, and the object that the message names.
MEANINGS = {
    "enum that becomes a domain": (
        f"{FINE}; {ENUM}; CREATE POLICY p ON memories USING (k = (('{{a}}'::words[])[1])::text)",
        f"DROP TYPE words; {WORDS}",
        "The policy p of public.memories, which the rollback restores, contains a value of public.words.",
    ),
    "enum that gets into a default": (
        f"{FINE}; {ENUM}; ALTER TABLE memories ADD customer_id integer DEFAULT length((('{{a}}'::words[])[1])::text)",
        f"DROP TYPE words; {WORDS}",
        "The default of public.memories.customer_id, which the rollback restores, contains a value of public.words.",
    ),
    "foreign key by a cast": (
        f"""{RANKED}; CREATE TABLE ref (t integer PRIMARY KEY); INSERT INTO ref VALUES (1);
        ALTER TABLE memories ADD m mood DEFAULT 'fair', ADD CONSTRAINT f FOREIGN KEY (m) REFERENCES ref (t)""",
        "ALTER TABLE memories DROP CONSTRAINT f",
        "The foreign key f of public.memories calls public.meant to compare its columns,",
    ),
    "foreign key by a cast of a domain": (
        f"""{RANKED}; CREATE DOMAIN felt AS mood; CREATE DOMAIN shown AS felt; CREATE TABLE ref (t integer PRIMARY KEY);
        INSERT INTO ref VALUES (1);
        ALTER TABLE memories ADD m shown DEFAULT 'fair', ADD CONSTRAINT f FOREIGN KEY (m) REFERENCES ref (t)""",
        "ALTER TABLE memories DROP CONSTRAINT f",
        "The foreign key f of public.memories calls public.meant to compare its columns,",
    ),
    "index that calls": (
        f"{SEEN}; CREATE INDEX i ON memories (seen(k))",
        "DROP INDEX i",
        "The index i of public.memories, which the rollback restores, may call public.seen",
    ),
    "index with an operator": (
        f"""{SEEN}; CREATE OPERATOR public.@@@@ (RIGHTARG = text, FUNCTION = public.seen);
        CREATE INDEX i ON memories ((@@@@ k))""",
        "DROP INDEX i",
        "The index i of public.memories, which the rollback restores, may call public.@@@@",
    ),
    "index with a cast": (
        f"{MOOD}; CREATE INDEX i ON memories ((k || ('fair'::mood)::text))",
        "DROP INDEX i",
        "The index i of public.memories, which the rollback restores, may call public.meant",
    ),
}


@pytest.fixture
def planted(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], object]]:
    """Yield a function that runs statements as the owner in a copy of the unmigrated database."""
    monkeypatch.setenv("PGUSER", "postgres")
    with temporary.created(server, NAME):
        yield lambda statements: server.sql(statements, NAME, OWNER)
    server.sql(f"ALTER ROLE {OWNER} NOSUPERUSER")


@contextlib.contextmanager
def administrator(server: Server) -> Iterator[Database]:
    """Yield the database in an administrator's session, as the playbooks open it."""
    with contextlib.closing(sessions.connect(NAME, 5432, host=str(server.directory))) as connection:
        yield Database(connection, NAME)
        connection.rollback()


def dumped(server: Server) -> list[str]:
    """Return the lines of the schema's dump, sorted because OIDs affect their original order."""
    return sorted(server.run("pg_dump", "--schema-only", "--create", "--restrict-key=same", NAME).split("\n"))


@pytest.mark.parametrize("case", NAMES)
def test_names_are_restored_unchanged(server: Server, planted: Callable[[str], object], case: str) -> None:
    before, *after = NAMES[case]
    planted(before)
    dump = dumped(server)
    with administrator(server) as database:
        snapshot = database.state()
        database.migrate()
        database.commit()
        for statement in after:
            planted(statement)
        assert database.back_to(snapshot) == []
        database.commit()
    assert dumped(server) == dump
    assert server.sql(f"SELECT rolsuper FROM pg_roles WHERE rolname = '{OWNER}'") == [(False,)]


def test_a_dropped_function_is_restored_with_its_owner(server: Server, planted: Callable[[str], object]) -> None:
    planted(f"ALTER FUNCTION {TRIGGERED}() SECURITY DEFINER")
    with administrator(server) as database:
        snapshot = database.state()
        database.migrate()
        database.commit()
        planted(f"DROP TRIGGER personality_metrics_insert_trigger ON personality_metrics; DROP FUNCTION {TRIGGERED}()")
        # Only the owner can restore a trigger.
        assert [item["actual"] for item in database.back_to(snapshot)] == [["personality_metrics_insert_trigger"]]
        database.commit()
        owner = f"SELECT proowner::regrole::text, prosecdef FROM pg_proc WHERE oid = '{TRIGGERED}'::regproc"
        assert server.sql(owner, NAME) == [(OWNER, True)]


@pytest.mark.parametrize("case", MEANINGS)
@pytest.mark.parametrize("of_earlier", [False, True], ids=["", "earlier snapshot"])
def test_the_present_meaning_of_names_is_read(
    server: Server, planted: Callable[[str], object], case: str, of_earlier: bool
) -> None:
    before, after, sentence = MEANINGS[case]
    planted(before)
    with administrator(server) as database:
        database.run("SET search_path = public")
        snapshot = database.state(of_earlier=of_earlier)
        database.run(f"SET search_path = {sessions.SETTINGS['search_path']}")
        # Only the model shows that a column with its own default is the tenant column.
        database.adopt()
        database.migrate()
        database.commit()
        planted(after)
        ran = server.log.read_text().count("RAN as postgres")
        with pytest.raises(UnsafeStateError, match=re.escape(sentence)):
            database.back_to(snapshot)
        assert server.log.read_text().count("RAN as postgres") == ran
