"""The operator sees an error's message, but neither the surrounding SQL nor quoted data."""

from __future__ import annotations

import unicodedata
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aimemory.tenancy.plugins.module_utils.messages import (
    ENCRYPTED,
    LEFT_OUT,
    of_database,
    of_failure,
    sentence,
    visible,
    visible_document,
    without_values,
)

SPEC = "Validation of arguments failed:\n"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "Cannot execute SQL 'SET a = ''x''' None: no column \"a\"\nLINE 1: SET a, query list: ['SET a']",
            'no column "a"',
        ),
        (
            "Cannot execute SQL 'DO $a$' None: The proof failed: x.read\nCONTEXT:  PL/pgSQL at RAISE\n, query list: []",
            "The proof failed: x.read",
        ),
        ("Cannot execute SQL 'SELECT %(a)s' {'a': 1}: division by zero, query list: ['SELECT']", "division by zero"),
        ("The filter plugin 'aimemory.tenancy.tenancy_plan' failed: [1] No table x.", "[1] No table x."),
        (
            f"{SPEC}argument 'a' is of type str and we were unable to convert to int: no {SPEC}value of c must be d.",
            "a is not of type int: no value of c must be d.",
        ),
        (
            "Error rendering template: Attempt to use undecryptable variable: Attempting to decrypt but no",
            ENCRYPTED,
        ),
        ("Status code was 500 and not [200]: failed: no", "Status code was 500 and not [200]: failed: no"),
    ],
)
def test_the_sentence_is_what_is_left(message: str, expected: str) -> None:
    assert sentence(message) == expected


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"stderr": "pg_restore: error: no space", "msg": "non-zero return code"}, "pg_restore: error: no space"),
        ({"stderr": "", "msg": "The dump failed."}, "The dump failed."),
        ({}, "no message"),
    ],
)
def test_what_a_program_said_comes_first(result: dict[str, str], expected: str) -> None:
    assert of_failure(result) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            'violates check constraint "one_row"\nDETAIL:  Failing row contains (1, she said (so).\n\nHINT:  no).\n',
            f'violates check constraint "one_row"\nDETAIL:  {LEFT_OUT}\n',
        ),
        ("DETAIL:  Key (a, lower(b))=(1, x) already exists.", f"DETAIL:  Key (a, lower(b))={LEFT_OUT} already exists."),
        (
            'no\nDETAIL:  Key (a)=(")=(1) is not present") is not present in table "t".',
            f'no\nDETAIL:  Key (a)={LEFT_OUT} is not present in table "t".',
        ),
        ('failed\nCONTEXT:  COPY memories, line 7: "1\tshe\n"said" so"\nCommand was: COPY', "failed"),
        (
            (
                'pg_restore: error: could not execute query: ERROR:  no unique index "u"\n'
                "DETAIL:  Key (a)=(she\nsaid) is duplicated.\nCommand was: ALTER TABLE\n"
                'pg_restore: error: COPY failed for table "m": ERROR:  "x" is no table\nCONTEXT:  COPY m: "she"\n'
            ),
            (
                'pg_restore: error: could not execute query: ERROR:  no unique index "u"\n'
                f"DETAIL:  Key (a)={LEFT_OUT} is duplicated.\nCommand was: ALTER TABLE\n"
                'pg_restore: error: COPY failed for table "m": ERROR:  "x" is no table\n'
            ),
        ),
        (
            "NULL-Wert in Spalte »k« darf nicht sein\nDETAIL:  Fehlgeschlagene Zeile enthält (1, sie sagte).",
            f"NULL-Wert in Spalte »k« darf nicht sein\nDETAIL:  {LEFT_OUT}",
        ),
        ("DETAIL:  Fehlgeschlagene Zeile enthält (1, sie sagte).", f"DETAIL:  {LEFT_OUT}"),
        (
            "doppelt »m«\nDETAIL:  Schlüssel »(user_id)=(sie)« existiert.\nKONTEXT:  »sie«",
            f"doppelt »m«\nDETAIL:  Schlüssel »(user_id)={LEFT_OUT}« existiert.",
        ),
        (
            "une valeur NULL de la colonne « k »\nDÉTAIL : La ligne en échec contient (1, elle a dit)\nCONTEXTE : elle",
            f"une valeur NULL de la colonne « k »\nDÉTAIL : {LEFT_OUT}",
        ),
        (
            '重複したキー値は一意性制約"m_pkey"違反となります\nDETAIL:  キー (id)=(彼女) はすでに存在します。',
            f'重複したキー値は一意性制約"m_pkey"違反となります\nDETAIL:  キー (id)={LEFT_OUT} はすでに存在します。',
        ),
        ("違反しています\n詳細: 失敗した行は(1, 彼女)を含みます", f"違反しています\n詳細: {LEFT_OUT}"),
    ],
)
def test_no_error_tells_what_callers_said(message: str, expected: str) -> None:
    assert without_values(message) == expected
    assert sentence(message) == expected.strip()
    assert sentence(f"Cannot execute SQL 'SELECT 1' None: {message}, query list: ['SELECT 1']") == expected.strip()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('invalid input syntax for type integer: "she said"', "invalid input syntax for type integer:"),
        ('invalid input syntax for type integer: "she"', "invalid input syntax for type integer:"),
        ("ungültige Eingabesyntax für Typ integer: »sie sagte«", "ungültige Eingabesyntax für Typ integer:"),
        ('integer型の入力構文が不正です: "彼女"', "integer型の入力構文が不正です:"),
        ('value "she "said" so" is out of range', "value"),
        ("Wert »+1 555« ist außerhalb des Bereichs", "Wert"),
        ('COPY memories, line 7, column k: "she"', "COPY memories, line 7, column k:"),
    ],
)
def test_what_is_no_name_in_quotation_marks_is_left_out(message: str, expected: str) -> None:
    found = without_values(message)
    assert found.startswith(f"{expected} {LEFT_OUT}")
    for value in ("she", "sie", "said", "555", "彼女"):
        assert value not in found


def test_names_in_quotation_marks_stay() -> None:
    for message in (
        'relation "public.memories" does not exist', "Relation »memories« existiert nicht", '"x" is not a table',
        "Key is missing (a).", 'function "f(integer)" does not exist',
    ):  # fmt: skip
        assert without_values(message) == message


def test_what_this_runbook_says_itself_is_not_changed() -> None:
    message = 'run_batches must be numbers, for example -e \'{"run_batches": [1, "50%"]}\': 0 is not.'
    assert sentence(message) == message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("memories", "memories"),
        ("Grüße, 彼女 🙂 »x«", "Grüße, 彼女 🙂 »x«"),
        ("a\x1b[3A\x1b[2Kb", r"a\x1b[3A\x1b[2Kb"),
        ("\x9b2K\x7f\x00", r"\x9b2K\x7f\x00"),
        ("a\u202eb\u2066c\u200bd\ufeff", r"a\u202eb\u2066c\u200bd\ufeff"),
        ("a\u2028b\U000e0041", r"a\u2028b\U000e0041"),
        ("a\ud800", r"a\ud800"),
        ("\u3164", r"\u3164"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
    ],
)
def test_every_character_shows_itself(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_of_a_text_stay_lines() -> None:
    assert visible("a\n\tb\r\x1bc", lines=True) == "a\n\tb" + r"\r\x1bc"
    assert visible_document({"a\x1b": ["b\x07", 1, None]}) == {r"a\x1b": [r"b\x07", 1, None]}


@given(st.text())
def test_nothing_that_is_shown_is_obeyed(text: str) -> None:
    shown = visible(text)
    assert shown == visible(shown)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs")]


FIELDS = (
    "message_primary", "message_detail", "context", "internal_query", "source_file", "schema_name", "table_name",
    "column_name", "constraint_name", "datatype_name",
)  # fmt: skip
CHECK = {
    "sqlstate": "23514", "message_primary": 'new row for relation "memories" violates check constraint "k_check"',
    "source_file": "execMain.c", "schema_name": "public", "table_name": "memories", "constraint_name": "k_check",
}  # fmt: skip
IN_CODE = {"context": "PL/pgSQL function public.t(text) line 1 at SQL statement"}


def error(**fields: str) -> Any:
    """Return a psycopg2 error with these diagnostic fields."""
    return SimpleNamespace(diag=SimpleNamespace(**(dict.fromkeys(FIELDS) | fields)))


def test_an_error_of_the_statement_itself_is_told() -> None:
    assert of_database(error(**CHECK)) == f"{CHECK['message_primary']} (SQLSTATE 23514)"


def test_of_a_known_table_an_error_within_code_names_the_constraint() -> None:
    assert of_database(error(**CHECK, **IN_CODE), {"memories"}) == (
        f"check violation {LEFT_OUT}; in public.t(text) (SQLSTATE 23514, table public.memories, constraint k_check)"
    )


@pytest.mark.parametrize(
    ("code", "primary", "words"),
    [
        ("42P07", 'relation "memories_+1555" already exists', "duplicate table"),
        ("42P01", 'relation "memories_+1555" does not exist', "undefined table"),
        ("26000", 'prepared statement "she said" does not exist', "invalid sql statement name"),
        ("3F000", 'schema "she" does not exist', "invalid schema name"),
        ("34000", 'cursor "she" does not exist', "invalid cursor name"),
        ("23505", 'duplicate key value violates unique constraint "memories_+1555_pkey"', "unique violation"),
    ],
)
@pytest.mark.parametrize("within", [IN_CODE, {"internal_query": "SELECT 1"}])
def test_an_error_within_code_quotes_nothing(code: str, primary: str, words: str, within: dict[str, str]) -> None:
    given = {
        "sqlstate": code, "message_primary": primary, "source_file": "heap.c", "table_name": "memories_+1555",
        "constraint_name": "memories_+1555_pkey",
    }  # fmt: skip
    told = of_database(error(**given, **within), {"memories"})
    assert told.startswith(f"{words} {LEFT_OUT}")
    assert "1555" not in told
    assert "she" not in told


def test_what_code_raises_has_no_names() -> None:
    raised = CHECK | IN_CODE | {"source_file": "pl_exec.c", "constraint_name": "she said", "column_name": "+1555"}
    assert of_database(error(**raised), {"memories"}) == (
        f"check violation {LEFT_OUT}; in public.t(text) (SQLSTATE 23514)"
    )


def test_what_is_always_the_same_is_told_within_code_as_well() -> None:
    given = {"sqlstate": "57014", "message_primary": "canceling statement due to statement timeout"}
    assert of_database(error(**given, **IN_CODE)) == f"{given['message_primary']} (SQLSTATE 57014)"


@pytest.mark.parametrize(
    ("context", "where"),
    [
        ("PL/pgSQL function f(text,integer) line 3 at RAISE", "; in f(text,integer)"),
        ("PL/pgSQL-Funktion s.f() Zeile 3", "; in s.f()"),
        ("PL/pgSQL function inline_code_block line 1 at EXECUTE", ""),
        ('SQL statement "SELECT she(said)"', ""),
        ("JSON data, line 1: she(said)", ""),
        ("unnamed portal with parameters: $1 = 'PL/x she(said)'", ""),
    ],
)
def test_of_a_context_only_the_routine_is_told(context: str, where: str) -> None:
    given = {"sqlstate": "22P02", "message_primary": "invalid", "context": context}
    assert of_database(error(**given)) == f"invalid text representation {LEFT_OUT}{where} (SQLSTATE 22P02)"
