"""The generated pages match their sources, and the links in the documentation have targets."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

import audit
import prose
import refusals
import variables
from production import ROOT


@pytest.mark.parametrize("source", [audit, refusals, variables], ids=lambda module: module.__name__)
def test_a_written_page_is_not_stale(source: ModuleType) -> None:
    assert source.PAGE.read_text() == source.page(), "run `make docs`"


@pytest.mark.parametrize(
    ("template", "messages"),
    [
        ("{{ name }} is gone: correct it.", ["… is gone: correct it."]),
        ("{{ 'One ' ~ name if one else 'None: ' ~ why | trim }}", ["One …", "None: …"]),
        ("Now{{ ' here' if here }}.", ["Now here.", "Now."]),
    ],
)
def test_a_message_has_gaps_for_what_only_the_run_knows(template: str, messages: list[str]) -> None:
    assert refusals.rendered(template) == messages


def test_a_message_of_python_is_what_is_raised_failed_with_or_a_sentence(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text(
        '"""A documentation that ends with a stop."""\n'
        "query = 'SELECT name FROM pg_class'\n"
        "found.append(f'{name} is no table of this database.')\n"
        "module.fail_json(msg=f'{unit} is gone')\n"
        "raise ModelError('it is ' + wrong)\n"
        "answer = {'failed': True, 'msg': f'{path} is full', 'rc': 1}\n"
        "answer = {'msg': 'all is well'}\n"
    )
    assert sorted(refusals.of_python([source])) == [
        "it is …", "… is full", "… is gone", "… is no table of this database.",
    ]  # fmt: skip


def test_a_message_of_sql_is_what_is_raised_with_words(tmp_path: Path) -> None:
    source = tmp_path / "source.sql"
    source.write_text(
        "RAISE SQLSTATE 'TR001'; RAISE NOTICE 'Nothing ends here';\n"
        "RAISE EXCEPTION '% of the tenant''s rows, 5 %%: %', a, b USING ERRCODE = 'TR002';\n"
        "RAISE 'gone'; RAISE\n  USING MESSAGE = 'lost';\n"
    )
    assert list(refusals.of_sql([source])) == ["… of the tenant's rows, 5 %: …", "gone", "lost"]


def test_what_is_raised_on_the_server_and_here_is_listed() -> None:
    sections = refusals.sections()
    assert "The isolation proof failed: …" in sections["Within the transaction"]
    assert any(message.startswith("… did not end within … s") for message in sections["Within the transaction"])
    assert "… cannot be written: …." in sections["On this machine"]
    assert any(message.startswith("A variable is encrypted") for message in sections["Encrypted variables"])


def test_no_file_is_passed_over() -> None:
    plugins = refusals.UTILITIES.parent
    form = re.compile(r'raise \w+\(\s*f?"|fail_json|"failed": True')
    failing = {file for file in plugins.rglob("*.py") if form.search(file.read_text())}
    listed = {file for files in refusals.PYTHON.values() for file in files}
    # This file raises errors only for defects in the runbook itself, which no input can trigger.
    internal = {plugins / "module_utils/scram.py"}
    assert failing - listed == internal
    raising = {file for file in ROOT.glob("roles/**/*.sql*") if refusals.RAISED.search(file.read_text())}
    assert raising <= {file for files in refusals.SQL.values() for file in files}


def test_a_message_that_ends_with_an_answer_is_followed_by_what_to_do() -> None:
    messages = [text for texts in refusals.sections().values() for text in texts]
    ending = [text for text in messages if re.search(rf": {refusals.GAP}[.]?$", text)]
    assert [text for text in ending if not refusals.remedy(text)] == []
    assert [
        beginning for beginning in refusals.REMEDIES if not any(text.startswith(beginning) for text in messages)
    ] == []


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings in GitHub's form."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", list(prose.files(prose.MARKDOWN)), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    text = document.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text()), target
