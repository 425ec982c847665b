"""The operator reads the sentence, not the SQL around it."""

from __future__ import annotations

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.messages import (
    ENCRYPTED,
    LEFT_OUT,
    of_failure,
    sentence,
    without_values,
)

SPEC = "Validation of arguments failed:\n"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "Cannot execute SQL 'SET a = ''x''' None: no column \"a\"\nLINE 1: SET a, query list: ['SET a']",
            'no column "a"\nLINE 1: SET a',
        ),
        (
            "Cannot execute SQL 'DO $a$' None: The proof failed: x.read\nCONTEXT:  PL/pgSQL at RAISE\n, query list: []",
            "The proof failed: x.read",
        ),
        ("Cannot execute SQL 'SELECT %(a)s' {'a': 1}: division by zero, query list: ['SELECT']", "division by zero"),
        ("The filter plugin 'aimemory.tenancy.tenancy_plan' failed: [1] No table x.", "[1] No table x."),
        (
            f"{SPEC}argument 'a' is of type str and we were unable to convert to int: no {SPEC}value of c must be d.",
            "a is no int: no value of c must be d.",
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
            f'violates check constraint "one_row"\nDETAIL:  Failing row contains {LEFT_OUT}.\n',
        ),
        ("DETAIL:  Key (a, lower(b))=(1, x) already exists.", f"DETAIL:  Key (a, lower(b))={LEFT_OUT} already exists."),
        (
            'DETAIL:  Key (a)=(")=(1) is not present") is not present in table "t".',
            f'DETAIL:  Key (a)={LEFT_OUT} is not present in table "t".',
        ),
        (
            'failed\nCONTEXT:  COPY memories, line 7: "1\tshe\n"said" so"\nCommand was: COPY',
            f"failed\nCONTEXT:  COPY memories, line 7: {LEFT_OUT}\nCommand was: COPY",
        ),
        ('COPY memories, line 7, column k: "she"', f"COPY memories, line 7, column k: {LEFT_OUT}"),
        ("Key is missing (a).", "Key is missing (a)."),
    ],
)
def test_no_error_tells_what_callers_said(message: str, expected: str) -> None:
    assert without_values(message) == expected
    assert sentence(message) == expected.strip()
