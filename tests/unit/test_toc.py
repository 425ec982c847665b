"""Dump entries that can run an ordinary role's code are restored as that role, and the others as the superuser."""

from __future__ import annotations

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import toc
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError

ROLES = {"alice", "bob", "b c", "c", "postgres", "pg_database_owner"}
LISTED = """;
; Archive created at 2026-11-28 15:02:17 UTC
;     dbname: ai_memory
;
9; 2615 16400 SCHEMA - reports alice
3; 3079 16387 EXTENSION - uuid-ossp 
3759; 0 0 COMMENT - EXTENSION "uuid-ossp" 
12; 1247 16500 DOMAIN public email alice
13; 1255 16501 FUNCTION public fine(text) alice
14; 1255 16502 FUNCTION public untrusted(text) alice
15; 1255 16503 FUNCTION public mine() postgres
16; 1259 16504 TABLE public memories alice
17; 1259 16505 TABLE public others bob
18; 1259 16506 SEQUENCE public memories_n_seq alice
19; 1259 16507 MATERIALIZED VIEW public sums postgres
3800; 0 0 ACL public TABLE memories alice
3801; 0 0 ACL public FUNCTION fine(text) alice
3802; 0 0 ACL - SCHEMA reports alice
3749; 0 16504 TABLE DATA public memories alice
3750; 0 16505 TABLE DATA public others bob
3751; 0 0 SEQUENCE SET public memories_n_seq alice
3583; 2606 16508 CONSTRAINT public memories memories_pkey alice
3584; 1259 16509 INDEX public i alice
3602; 2620 16812 TRIGGER public memories t alice
3603; 2606 16813 FK CONSTRAINT public others others_memory_fkey bob
3604; 3466 16814 EVENT TRIGGER - guard postgres
3805; 0 0 COMMENT - EVENT TRIGGER guard postgres
3605; 6104 16815 PUBLICATION - p postgres
3606; 6100 16816 SUBSCRIPTION - s postgres
3607; 0 0 COMMENT - SUBSCRIPTION s postgres
3608; 1417 16817 USER MAPPING - USER MAPPING alice SERVER elsewhere postgres
3609; 0 16507 MATERIALIZED VIEW DATA public sums postgres
3610; 826 16818 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES alice
"""


def _steps(text: str = LISTED, **chosen: object) -> toc.Steps:
    given = {"superusers": {"postgres"}, "privileged": set(), "excluded": toc.ELSEWHERE} | chosen
    return toc.steps(toc.parse(text, ROLES), **given)  # type: ignore[arg-type]


def _who(segments: list[toc.Segment]) -> list[tuple[str | None, list[str]]]:
    return [(segment.owner, [entry.tag for entry in segment.entries]) for segment in segments]


def test_what_may_hold_an_expression_is_its_owners() -> None:
    assert _who(_steps().definitions) == [
        (None, ["uuid-ossp"]),
        ("alice", ["email", "fine(text)", "untrusted(text)"]),
        (None, ["mine()"]),
        ("alice", ["memories"]),
        ("bob", ["others"]),
        (None, ["memories_n_seq", "sums"]),
    ]
    assert _who(_steps().after) == [
        ("alice", ["memories memories_pkey", "i", "memories t"]),
        ("bob", ["others others_memory_fkey"]),
        (None, ["p"]),
    ]


def test_what_an_ordinary_role_may_not_make_is_the_superusers() -> None:
    segments = _who(_steps(privileged={("public", "untrusted(text)")}).definitions)
    assert ("alice", ["email", "fine(text)"]) in segments
    assert (None, ["untrusted(text)", "mine()"]) in segments


def test_rights_that_stored_rows_need_come_before_them_and_event_triggers_last() -> None:
    steps = _steps()
    assert _who(steps.rights) == [(None, ["TABLE memories", "SCHEMA reports"])]
    assert _who(steps.finish) == [
        (None, ['EXTENSION "uuid-ossp"', "FUNCTION fine(text)", "DEFAULT PRIVILEGES FOR TABLES"])
    ]
    assert _who(steps.event_triggers) == [(None, ["guard", "EVENT TRIGGER guard"])]
    assert [entry.tag for entry in steps.data] == ["memories", "others", "memories_n_seq"]


def test_a_copy_reaches_no_other_server() -> None:
    assert [entry.kind for entry in _steps().left_out] == ["SUBSCRIPTION", "COMMENT", "USER MAPPING"]


def test_a_view_that_would_call_an_ordinary_roles_function_stays_empty() -> None:
    steps = _steps(unrefreshed={("public", "sums")})
    assert steps.refreshes == []
    assert "materialized view data public sums" in [entry.sentence for entry in steps.left_out]
    assert _who(_steps().refreshes) == [(None, ["sums"])]


def test_every_entry_is_restored_once_or_left_out() -> None:
    steps = _steps()
    parts = (steps.schemas, steps.definitions, steps.rights, steps.after, steps.refreshes, steps.finish)
    restored = [entry for part in parts for segment in part for entry in segment.entries]
    restored += [entry for segment in steps.event_triggers for entry in segment.entries]
    entries = toc.parse(LISTED, ROLES)
    assert len(entries) == LISTED.count("\n") - 4
    assert sorted([*restored, *steps.data, *steps.left_out], key=lambda entry: entry.line) == sorted(
        entries, key=lambda entry: entry.line
    )


def test_the_owner_is_the_longest_name() -> None:
    (entry,) = toc.parse("1; 1259 5 TABLE public a b c", ROLES)
    assert (entry.tag, entry.owner) == ("a", "b c")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("1; 1259 5 TABLE public a zoe", "whose owner does not exist as a role on this server: create that role first"),
        ("1; 9999 5 MARVEL public a alice", "an object that this runbook cannot restore: MARVEL public a alice"),
    ],
)
def test_what_is_not_known_is_an_error(line: str, sentence: str) -> None:
    with pytest.raises(TenancyError, match=sentence):
        toc.parse(line, ROLES)


def test_owners_have_a_login_and_superusers_none() -> None:
    assert toc.owners(toc.parse(LISTED, ROLES), {"postgres"}) == ["alice", "bob"]


def test_a_table_with_a_foreign_key_is_known() -> None:
    assert toc.referring(toc.parse(LISTED, ROLES)) == {("public", "others")}


@pytest.mark.parametrize(
    ("line", "kind", "schema"),
    [
        ("1; 1259 5 INDEX ATTACH i alice", "INDEX", "ATTACH"),
        ("1; 0 0 INDEX ATTACH public i alice", "INDEX ATTACH", "public"),
        ("1; 2604 5 DEFAULT ACL memories k alice", "DEFAULT", "ACL"),
        ("1; 826 5 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES alice", "DEFAULT ACL", "public"),
        ("1; 3381 5 STATISTICS DATA s alice", "STATISTICS", "DATA"),
        ("1; 0 0 STATISTICS DATA public memories alice", "STATISTICS DATA", "public"),
        ("1; 1259 5 TABLE DATA memories alice", "TABLE", "DATA"),
        ("1; 0 5 TABLE DATA public memories alice", "TABLE DATA", "public"),
    ],
)
def test_a_schema_with_the_name_of_a_kind_is_a_schema(line: str, kind: str, schema: str) -> None:
    (entry,) = toc.parse(line, ROLES)
    assert (entry.kind, entry.schema) == (kind, schema)


def test_only_functions_are_above_their_owner() -> None:
    text = "1; 1259 5 VIEW public untrusted(text) alice\n2; 1259 6 FOREIGN TABLE public far alice"
    found = _steps(text, privileged={("public", "untrusted(text)")})
    assert _who(found.definitions) == [("alice", ["untrusted(text)", "far"])]
