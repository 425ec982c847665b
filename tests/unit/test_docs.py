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
