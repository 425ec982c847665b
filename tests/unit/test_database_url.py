"""DATABASE_URL is parsed whatever the password is, and the password is never shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import database_url
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service.database_url import DatabaseUrlError

# libpq does not accept NUL characters; surrogates are not valid UTF-8.
passwords = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)


@given(passwords)
@example("p@ss/w:rd%1 é")
@example("'; DROP ROLE alice; --")
def test_a_password_changes_nothing_and_is_not_returned(password: str) -> None:
    found = database_url.parse(
        f"postgresql://alice:{quote(password, safe='')}@localhost:5433/ai_memory?sslmode=require"
    )
    assert found == {
        "user": "alice", "host": "localhost", "port": 5433, "dbname": "ai_memory", "sslmode": "require",
        "options": "", "has_password": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://alice@/ai_memory", {"host": "", "port": 5432, "has_password": False}),
        ("postgresql+psycopg2://alice@localhost/ai_memory", {"host": "localhost"}),
        ("postgresql://alice@[::1]/ai_memory", {"host": "::1"}),
        ("postgresql:///ai_memory?host=/run/postgresql&user=alice", {"host": "/run/postgresql", "user": "alice"}),
        ("postgresql://alice@h/ai_memory?options=-c%20app.x%3D1", {"options": "-c app.x=1"}),
        ("postgresql://alice:x@%2Fvar%2Frun%2Fpostgresql/ai_memory", {"host": "/var/run/postgresql", "port": 5432}),
        ("postgresql://alice@/d?host=/run/postgresql&port=5433", {"host": "/run/postgresql", "port": 5433}),
        ("postgresql://alice@h/d?hostaddr=192.0.2.1", {"host": "192.0.2.1"}),
        ("postgresql://alice@[fe80::1]:5433/d", {"host": "fe80::1", "port": 5433}),
        ("postgresql://alice@h:/d", {"port": 5432}),
        ("postgresql://alice:@h/d?connect_timeout=3&application_name=x", {"has_password": False}),
        ("postgresql://%C3%A4@h/a%20b", {"user": "ä", "dbname": "a b"}),
    ],
)
def test_the_forms_of_a_url(url: str, expected: dict[str, object]) -> None:
    found = database_url.parse(url)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://alice:secret@localhost/ai_memory", "does not start with postgresql://"),
        ("postgresql://alice:secret%zz@localhost/ai_memory", "percent-encoded"),
        ("postgresql://alice:sec/ret@localhost/ai_memory", "has no user"),
        ("postgresql://localhost/ai_memory", "has no user"),
        ("postgresql://alice:secret@localhost", "has no dbname"),
        ("postgresql://alice:secret@one,two/ai_memory", "several hosts"),
        ("postgresql://alice:secret@/ai_memory?host=one,two", "several hosts"),
        ("postgresql://alice:secret@/ai_memory?hostaddr=192.0.2.1,192.0.2.2", "several hosts"),
        ("postgresql://alice:secret@h:54x/ai_memory", "is invalid: it must be a number from 1 to 65535"),
        ("postgresql://alice:secret@h:0/ai_memory", "is invalid: it must be"),
        ("postgresql://alice:secret@h:65536/ai_memory", "is invalid: it must be"),
        ("postgresql://alice:secret@h:-1/ai_memory", "is invalid: it must be"),
        ("postgresql://alice:secret@[::1/ai_memory", "cannot be parsed"),
        ("postgresql://alice:secret@h/ai_memory?sec=ret", "PostgreSQL knows every parameter after the question mark"),
        ("postgresql://alice:secret%00@h/ai_memory", "cannot be parsed"),
        ("postgresql://alice:secret\udce9@h/ai_memory", "the file is UTF-8"),
        ("postgresql://alice:secret%e9@h/ai_memory", "the file is UTF-8"),
        ("postgresql://alice:secret@h/ai_memory?service=x", "uses a service in pg_service.conf"),
        ("postgresql://alice:secret@h:5432:5433/ai_memory", "is invalid: it must be"),
        ("alice:secret@h/ai_memory", "does not start with postgresql://"),
    ],
)
def test_a_bad_url_is_refused_without_its_password(url: str, sentence: str) -> None:
    with pytest.raises(DatabaseUrlError, match=sentence) as caught:
        database_url.parse(url)
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "# comment\nOTHER=1\nDATABASE_URL=postgresql://a@h/d\n",
        "export DATABASE_URL='postgresql://a@h/d'\n",
        'DATABASE_URL="postgresql://a@h/d" # trailing\r\n',
        "DATABASE_URL=postgresql://b@h/d\nDATABASE_URL=postgresql://a@h/d\n",
    ],
)
def test_the_value_is_read_as_the_service_reads_it(text: str) -> None:
    assert database_url.from_environment_file(text) == "postgresql://a@h/d"


@pytest.mark.parametrize("text", ["", "DATABASE_URL=\n", "# DATABASE_URL=postgresql://a@h/d\n", "DATABASE_URL\n"])
def test_a_missing_value_is_refused(text: str) -> None:
    with pytest.raises(DatabaseUrlError, match="is not set in the service's environment file"):
        database_url.from_environment_file(text)


REST = "OTHER=1\n# DATABASE_URL=old\n{}\nLAST='x y'"


@pytest.mark.parametrize(
    ("line", "rewritten"),
    [
        ("DATABASE_URL=postgresql://a:b@h/d", "DATABASE_URL=new"),
        ("export DATABASE_URL = 'postgresql://a:b@h/d' ", "export DATABASE_URL = 'new' "),
        ('DATABASE_URL="postgresql://a:b@h/d"\r', 'DATABASE_URL="new"\r'),
        ("DATABASE_URL=one\nDATABASE_URL=two", "DATABASE_URL=new\nDATABASE_URL=new"),
    ],
)
def test_only_the_value_is_rewritten(line: str, rewritten: str) -> None:
    assert database_url.with_value(REST.format(line), "new") == REST.format(rewritten)


@pytest.mark.parametrize("line", ['DATABASE_URL="a\nb"', "DATABASE_URL"])
def test_what_cannot_be_rewritten_is_refused(line: str) -> None:
    with pytest.raises(DatabaseUrlError, match="cannot be rewritten"):
        database_url.with_value(line, "new")


@given(
    passwords, st.sampled_from(["", ":old", ":o%40ld"]), st.sampled_from(["", "?sslmode=require&options=-c%20a.b%3D1"])
)
def test_another_login_leads_to_the_same_place(password: str, old: str, query: str) -> None:
    url = f"postgresql+psycopg2://alice{old}@localhost:5433/ai_memory{query}"
    written = database_url.with_login(url, "app role", password)
    assert database_url.parameters(written) == database_url.parameters(url) | {"user": "app role"}
    assert database_url.password(written) == password
    assert written.startswith("postgresql+psycopg2://app%20role:")


def test_a_login_among_the_parameters_is_replaced() -> None:
    written = database_url.with_login("postgresql:///d?user=alice&host=/run/postgresql&password=old", "app", "new")
    assert written == "postgresql://app:new@/d?host=/run/postgresql"


def test_the_mode_that_the_service_adds_fills_in() -> None:
    assert database_url.parameters("postgresql://a:b@h/d", "require")["sslmode"] == "require"
    assert database_url.parameters("postgresql://a:b@h/d?sslmode=disable", "require")["sslmode"] == "disable"
    assert "sslmode" not in database_url.parameters("postgresql://a:b@h/d")
    assert "password" not in database_url.parameters("postgresql://a:b@h/d")
