"""The pages that are written from a single source say what it says, and the documents' links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

import audit
import refusals
import variables
from production import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


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
    )
    assert sorted(refusals.of_python([source])) == ["it is …", "… is gone", "… is no table of this database."]


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    text = document.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text()), target
