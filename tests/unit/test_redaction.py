"""What nobody declared harmless is not in a bundle, whatever it stands in; and what helps is."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    redaction,
    redaction_logs,
    redaction_sql,
    vocabulary,
)
from ansible_collections.aimemory.tenancy.plugins.module_utils.redaction import MARK, Known
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import redaction_files

KNOWN = Known(
    ["memories", "caller_profiles", "caller_profiles_user_id_key", "user_id", "value_json", "alice", "k", "health"]
)
URL = "postgresql://alice:hunter2@localhost:5432/ai_memory"
WAITS = "DETAIL:  Process 12 waits for ShareLock on transaction 745; blocked by process 13."
PROMPT = "2026-11-25 18:28:05.514 UTC [244] alice@ai_memory "
# Whatever people say, write and store, with the signs that quote and end things among it.
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
signs = st.sampled_from(
    ["'", '"', "$$", "--", "/*", "\n", "\n\t", "ERROR:  ", "=(", ": ", "password=", "://", "\\", "E'"]
)
mixed = st.lists(anything | signs, max_size=6).map("".join)
# A word that neither the vocabulary nor the catalogs have.
secrets = st.from_regex(r"[b-df-hj-np-tv-xz]{8,12}", fullmatch=True)


def strangers(text: str, known: Known = KNOWN) -> list[str]:
    """Return the words of a text that are neither known nor marks, times or short numbers."""
    rest = re.sub(r"20\d\d-\d\d-\d\d[T ][\d:.,]+(Z| ?UTC| ?[+-]\d\d:?\d\d)?", " ", text.replace(MARK, " "))
    return [word for word in re.findall(r"\w+", rest) if not known.word(word) and not re.fullmatch(r"\d{1,5}", word)]


@given(mixed)
@example("hunter2://localhost:12345@x")
@example("key=('+1 555 123 4567')")
@example("A-PASSW=0")
def test_a_message_holds_known_words_only(text: str) -> None:
    assert strangers(redaction.message(text, KNOWN)) == []


@given(mixed)
@example("INSERT INTO memories VALUES ('she doesn't like mornings')")
def test_a_statement_holds_key_words_and_names_only(text: str) -> None:
    words = re.findall(r"\w+", redaction_sql.statement(text, KNOWN).replace(MARK, " "))
    parameters = re.findall(r"\$\d+", text)
    assert [
        word
        for word in words
        if word.lower() not in vocabulary.KEYWORDS
        and word not in KNOWN.names
        and not word.startswith("pg_")
        and word != "s"
        and f"${word}" not in parameters
    ] == []


@given(mixed, st.sampled_from(["LOG", "ERROR", "DETAIL", "CONTEXT", "STATEMENT", "HINT", "QUERY", "LOCATION", "PARTY"]))
def test_a_record_of_the_log_holds_known_words_only(text: str, severity: str) -> None:
    shown = redaction_logs.postgresql_log(f"{PROMPT}{severity}:  " + text.replace("\n", "\n\t") + "\n", KNOWN)
    shown = shown.replace(f"{severity}:  ", "", 1)
    assert [word for word in strangers(shown) if not word.startswith("pg_")] == []


@given(mixed, st.sampled_from(["", "ERROR app ", "[2026-11-25 18:15:54 +0000] [302] [INFO] ", "ValueError: "]))
def test_an_entry_of_the_journal_holds_known_words_only(text: str, head: str) -> None:
    entry = {"__REALTIME_TIMESTAMP": "1795630554290484", "SYSLOG_IDENTIFIER": "gunicorn", "_PID": "302"}
    shown = redaction_logs.journal(json.dumps(entry | {"MESSAGE": head + text}), KNOWN)
    assert strangers(shown) == []


@given(secrets, mixed)
def test_no_literal_of_a_definition_is_shown(secret: str, around: str) -> None:
    assume("\\" not in around)
    literal = "'" + (around + secret).replace("'", "''") + "'"
    for text in (
        f"CHECK (user_id <> {literal}::text)",
        f"$body$ BEGIN RAISE {literal}; END $body$",
        f"DEFAULT E{literal}",
    ):
        assert secret not in redaction_sql.definition(text, KNOWN)


@given(secrets, mixed)
def test_no_comment_of_a_definition_is_shown(secret: str, around: str) -> None:
    line, block = around.replace("\n", " ") + secret, around.replace("*/", "") + secret
    for text in (f"SELECT 1 -- {line}\nFROM memories", f"SELECT 1 /* {block} */ FROM memories"):
        shown = redaction_sql.definition(text, KNOWN)
        assert secret not in shown
        assert shown.endswith("FROM memories")


@given(secrets, mixed)
@example("hunter2hunter2", "MY_KEY=")
def test_no_value_of_an_environment_file_is_shown(secret: str, around: str) -> None:
    text = f"# {secret}\nDATABASE_URL={around.replace(chr(10), ' ')}{secret}\nBROKEN '{secret}\n{secret}==\n"
    assert secret not in redaction_files.environment(text, KNOWN)


@pytest.mark.parametrize(
    "text",
    [
        "KEY=error server database",
        "KEY='error server database'\n",
        "postgresql://alice:error server database@localhost/ai_memory",
        "postgresql://alice:error%20server%20database@localhost/ai_memory?sslmode=require\n",
        "# a comment\nURL=postgresql://alice:error%20server%20database@localhost/ai_memory",
    ],
)
def test_what_a_file_of_settings_holds_is_hidden_though_its_words_are_known(text: str) -> None:
    assert redaction.without("error server database", redaction.secrets(text, KNOWN)) == MARK


@given(secrets)
def test_no_value_of_a_unit_is_shown_that_may_be_a_secret(secret: str) -> None:
    text = "\n".join(
        [
            f"# {secret}", "[Service]", f"Environment=A=1 'B={secret} x' C=\"{secret}\"", f"SetCredential=x:{secret}",
            f"ExecStart=/usr/bin/env TOKEN={secret} app --password {secret} --api-key={secret} \\", f"  postgresql://a:{secret}@h/d",
            f"ExecStart=/usr/bin/app -e {secret} {secret}", f"Description={secret}",
        ]
    )  # fmt: skip
    shown = redaction_files.unit(text, KNOWN)
    assert secret not in shown
    assert f"Environment=A={MARK} B={MARK} C={MARK}" in shown
    assert f"ExecStart=/usr/bin/env TOKEN={MARK} app --password {MARK}" in shown
    assert "server" not in redaction_files.unit("ExecStart=/usr/bin/app --token server server\n", KNOWN)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("/usr/bin/curl -u monitor:server https://h/", f"/usr/bin/curl -u {MARK} {MARK}"),
        ("/usr/bin/mysql -pS3cret", f"/usr/bin/mysql {MARK}"),
        ("app --pass 12345 --pin 4711", f"app --pass {MARK} --pin {MARK}"),
        ("app --login alice:error --tokenerror", f"app --login {MARK} --tokenerror"),
        ("app --pin=4711 monitor:server2", f"app --pin={MARK} {MARK}"),
        ("app c2VjcmV0Cg== JBSWY3DP====== A1=x", f"app {MARK}={MARK} {MARK}={MARK} A1={MARK}"),
        ("/usr/bin/gunicorn --workers 4 --bind 127.0.0.1:8100 app:app",) * 2,
        ("/usr/bin/python3 -m uvicorn --port 8100 ai.server:app",) * 2,
    ],
)
def test_what_a_command_of_a_unit_shows(given: str, shown: str) -> None:
    assert redaction_files.unit(f"ExecStart={given}\n", KNOWN) == f"ExecStart={shown}\n"


def test_a_failure_that_quotes_the_journal_shows_no_number() -> None:
    failure = {"phase": "watch", "task": "error", "message": "After 35 s: ERROR app pin 4711 zip 90210"}
    shown = json.loads(redaction_files.document(json.dumps({"failure": failure}), KNOWN))
    assert shown["failure"]["message"] == f"After 35 s: ERROR app {MARK}"
    trouble = json.loads(redaction_files.document(json.dumps({"trouble": ["ERROR app pin 4711"]}), KNOWN))
    assert trouble == {"trouble": [f"ERROR app {MARK}"]}
    quoted = "    2026-11-28T07:09:06+00:00 lab17 gunicorn[9465]: ERROR app pin 4711\n    zip 90210\n"
    assert redaction_files.log(quoted, KNOWN) == f"    ERROR app {MARK}\n    {MARK}\n"
    line = 'Phase journal, task "error": ERROR app 4711'
    assert redaction_files.log(f"{line}\n4711\n", KNOWN) == f'Phase journal, task "error": ERROR app {MARK}\n4711\n'


@given(secrets)
def test_no_text_of_a_document_is_shown_that_is_not_known(secret: str) -> None:
    text = json.dumps(
        {
            "comment": "error", "definition": f"CREATE INDEX i ON memories (k) WHERE user_id = '{secret}'",
            "tenants": {secret: 3, "1": 4, "server": 5},
            "sizes": {"public.memories": 6}, "failure": {"message": f"failed: {secret}"}, "name": secret,
            "query": f"SELECT k FROM memories WHERE user_id = '{secret}", "lines": [f"ERROR app said {secret}"],
            "settings": [f"app.{secret}=x", f"app.current_tenant={secret}", "work_mem=9MB"],
            "rows": [{"name": "archive_command", "setting": f"cp {secret}", "vartype": "string"}],
        }
    )  # fmt: skip
    shown = redaction_files.document(text, KNOWN)
    assert secret not in shown
    found = json.loads(shown)
    assert found["comment"] == MARK
    assert found["definition"] == f"CREATE INDEX i ON memories (k) WHERE user_id = '{MARK}'"
    assert found["tenants"] == {MARK: 5, "1": 4}
    assert found["sizes"] == {"public.memories": 6}
    assert found["settings"][2] == "work_mem=9MB"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('duplicate key value violates unique constraint "caller_profiles_user_id_key"',) * 2,
        ('relation "memories" does not exist at character 15',) * 2,
        ('syntax error at or near "cancel the policy"', f'syntax error at or near "{MARK}"'),
        ('invalid input syntax for type integer: "she moved"', f'invalid input syntax for type integer: "{MARK}"'),
        ("canceling statement due to lock timeout",) * 2,
        ("database system was interrupted; last known up at 2026-11-25 18:07:44 UTC",) * 2,
        ("Key (user_id)=(+15551234567) already exists.", f"Key (user_id)={MARK}"),
        ("call +1 (555) 123-4567 now", f"call {MARK} now"),
        (f"could not connect: {URL}", f"could not connect: postgresql://{MARK}"),
        ("at http://localhost:12345@h/d", f"at http://{MARK}"),
        ("Listening at: http://127.0.0.1:8100/", "Listening at: http://127.0.0.1:8100/"),
        ("caller 4711 failed after 5 s", f"caller {MARK} failed after 5 s"),
        ("password=hunter2 token: abc", f"password={MARK} token: {MARK}"),
        ("Authorization: Bearer abc.def", f"Authorization: {MARK}"),
        ("failed\nDETAIL:  Failing row contains (x)\nmore", f"failed\nDETAIL: {MARK}"),
    ],
)
def test_what_a_message_shows(text: str, shown: str) -> None:
    assert redaction.message(text, KNOWN) == shown


def test_a_name_that_was_made_of_a_callers_number_is_not_known() -> None:
    assert Known(["caller_15551234567"]).names == frozenset()


def test_a_record_of_this_runbook_keeps_its_numbers() -> None:
    text = "Verification passed: 317 of 317 findings hold, 9678123 bytes, error 42501, 2026-11-25"
    assert redaction.message(text, KNOWN, numbers=True) == text
    assert redaction.message("user 15551234567 is 5551234", KNOWN, numbers=True) == f"user {MARK} is {MARK}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("INSERT INTO memories (k) VALUES ('she said', $1, 42)", "INSERT INTO memories (k) VALUES ('?', $1, ?)"),
        ("UPDATE memories SET k = E'it\\'s' WHERE user_id = $$x$$", "UPDATE memories SET k = '?' WHERE user_id = '?'"),
        ('SELECT "k", "unknown" FROM smith -- note', f'SELECT "k", "{MARK}" FROM {MARK}'),
        ("VALUES ('she doesn't like mornings')", f"VALUES ('?'{MARK} like {MARK}'?'"),
    ],
)
def test_what_a_statement_shows(text: str, shown: str) -> None:
    assert redaction_sql.statement(text, KNOWN) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("scope text DEFAULT 'user'::text NOT NULL",) * 2,
        ("CHECK ((openness >= (0)::double precision) AND (openness <= (100)::double precision))",) * 2,
        ("nullif(current_setting('app.current_tenant'::text, true), ''::text)",) * 2,
        ("OPTIONS (user 'alice', password 'server')", f"OPTIONS (user 'alice', password '{MARK}')"),
        ("ON memories_15551234567 WHERE k = 15551234567", f"ON {MARK} WHERE k = {MARK}"),
        ('LANGUAGE plpython3u AS $$ x = "she said" $$', f"LANGUAGE plpython3u AS $${MARK}$$"),
        ("-- Name: memories; Type: TABLE; Schema: public; Owner: alice",) * 2,
        ("AS $$ -- Name: she; Type: X\n$$", f"AS $$ -- {MARK}\n$$"),
    ],
)
def test_what_a_definition_shows(text: str, shown: str) -> None:
    assert redaction_sql.definition(text, KNOWN) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f'{PROMPT}ERROR:  relation "memories" does not exist',) * 2,
        (
            f"{PROMPT}STATEMENT:  INSERT INTO memories (k)\n\tVALUES ('she said\n\tthings')",
            f"{PROMPT}STATEMENT:  INSERT INTO memories (k)\n\tVALUES ('?')",
        ),
        (f"{PROMPT}DETAIL:  Failing row contains (1, she).", f"{PROMPT}DETAIL:  Failing row contains {MARK}"),
        (f"{PROMPT}DETAIL:  server said something", f"{PROMPT}DETAIL:  {MARK}"),
        (f"{PROMPT}CONTEXT:  unnamed portal with parameters: $1 = 'cancel'", f"{PROMPT}CONTEXT:  {MARK}"),
        (f"{PROMPT}CONTEXT:  JSON data, line 1: cancel the policy", f"{PROMPT}CONTEXT:  {MARK}"),
        (f'{PROMPT}CONTEXT:  COPY memories, line 3: "server"', f"{PROMPT}CONTEXT:  COPY memories, line 3: {MARK}"),
        (f"{PROMPT}CONTEXT:  PL/pgSQL function memories(integer) line 3 at SQL statement",) * 2,
        (f"{PROMPT}{WAITS}\n\tProcess 12: SELECT 'she'", f"{PROMPT}{WAITS}\n\tProcess 12: SELECT '?'"),
        (
            f"{PROMPT}LOG:  duration: 5012.345 ms  statement: SELECT 'she' FROM memories",
            f"{PROMPT}LOG:  duration: 5012.345 ms  statement: SELECT '?' FROM memories",
        ),
        (f"{PROMPT}LOG:  execute <unnamed>: SELECT 'she'", f"{PROMPT}LOG:  execute <unnamed>: SELECT '?'"),
        ("2026-11-25 18:28:05 UTC 23505 SMITH@db LOG:  error", f"2026-11-25 18:28:05 UTC 23505 {MARK}@db LOG:  error"),
        ("she said something", f"{MARK} a line of unknown form"),
        ("\tthe rest of a record that the end of the log begins with", f"{MARK} a line of unknown form"),
    ],
)  # fmt: skip
def test_what_the_log_shows(text: str, shown: str) -> None:
    assert redaction_logs.postgresql_log(text, Known([*KNOWN.names, "ai_memory", "db"])) == f"{shown}\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('127.0.0.1:42688 - "GET /health?user_id=she HTTP/1.0" 200', '"GET /health HTTP" 200'),
        ('"POST /memories/15551234567 HTTP/1.1" 500', f'"POST /memories/{MARK} HTTP" 500'),
        ("Traceback (most recent call last):",) * 2,
        ('  File "/opt/ai-memory/app.py", line 40, in run',) * 2,
        ('    url = "postgresql://alice:hunter2@h/d"', MARK),
        ('psycopg2.errors.UndefinedTable: relation "memories" does not exist',) * 2,
        ("smith.SmithError: x", MARK),
        ('LINE 1: INSERT INTO memories VALUES (\'she', f"LINE 1: {MARK}"),
        ("she prefers mornings", MARK),
        ("connection to server at \"localhost\" (::1), port 5432 failed: FATAL:  password authentication failed",) * 2,
    ],
)  # fmt: skip
def test_what_a_line_of_the_journal_shows(text: str, shown: str) -> None:
    assert redaction_logs.journal_message(text, KNOWN) == shown


def test_the_values_of_the_environment_are_shown_nowhere() -> None:
    environment = (
        'A=server\nB=server-error\nDATABASE_URL=postgresql://alice:err%20or@localhost/d\nHOST=127.0.0.1\nN=é€"x\n'
    )
    taken = [
        {"name": "a", "kind": "table", "text": "server-error err or err%20or 127.0.0.1 server"},
        {"name": "b", "kind": "dump", "text": 'SELECT "é€""x", "err or"'},
    ]
    first, second = redaction_files.redacted(taken, [], environment)
    assert first == {"name": "a", "kind": "table", "content": f"{MARK} {MARK} {MARK} 127.0.0.1 server\n", "removed": 3}
    assert second["content"] == f'SELECT "é€""x", "{MARK}"'


def test_every_value_of_a_json_file_is_found_as_json_writes_it() -> None:
    assert redaction.without(json.dumps({"a": 'p"ä'}), ['p"ä']) == '{"a": "' + MARK + '"}'


def test_the_vocabulary_has_no_word_that_people_say_of_themselves() -> None:
    persons = "i me my mine you your he him his she her we us our they them their mother father wife husband"
    assert (vocabulary.WORDS | vocabulary.KEYWORDS) & set(persons.split()) == set()
