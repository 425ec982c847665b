"""The prose check finds the banned phrases, and reads every kind of text that it covers."""

from __future__ import annotations

from pathlib import Path

import pytest

import prose
from prose import Passage


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(prose, "ROOT", tmp_path)
    return tmp_path


def found(text: str, kind: str = "document", counts: bool = True) -> list[str]:
    return prose.findings(Passage(kind, "file:1", text, counts))


LONG = "The " + "very " * 22 + "long sentence."


def test_a_sentence_has_25_words_at_most() -> None:
    [finding] = found(f"It is short. {LONG.replace('very', 'very very', 1)} So is this.")
    assert finding.startswith("26 words: The very very")
    assert found(f"It is short. {LONG}") == []
    assert found(LONG + LONG, counts=False) == []


@pytest.mark.parametrize(
    "text",
    [
        "The schema of before comes back.", "No row is nobody's.", "Whoever reads it.", "It plans a way back.",
        "The scenario leads it back.", "Roles that pass every policy by.", "Mend the cause.", "It works at last.",
        "A table that was migrated by half.", "The run is begun.", "The service is asked again.", "It runs in earnest.",
        "Some hundredths of a second pass.", "What is lost stays lost.",
    ],
)  # fmt: skip
def test_a_phrase_that_is_not_the_fields_is_found(text: str) -> None:
    assert len(found(text)) == 1


@pytest.mark.parametrize(
    "text",
    ["Roles that bypass every policy.", "What fails?", "What it changes", "It says what failed.", "The run begins."],
)
def test_plain_english_passes(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Where sudo asks, add a switch.",
        "The default is online where the tables are large.",
        "It is read, where it exists.",
    ],
)
def test_where_for_if_is_found(text: str) -> None:
    assert len(found(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "The directory where it lies.",
        "Where it runs",
        "Where is it, and is it empty?",
        "where it works",
        "It finds where the service works.",
        "A WHERE clause.",
    ],
)
def test_where_for_a_place_passes(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "name", ["make | Prove it", "Name it", "Try it again", "Store", "Start that", "Turn on those for the run"]
)
def test_a_task_name_without_an_object_is_found(name: str) -> None:
    assert found(name, "task name") == [f'no object: "{name}"']


@pytest.mark.parametrize("name", ["make | Prove the backup", "Require that it can be stopped", "Drop these databases"])
def test_a_task_name_with_an_object_passes(name: str) -> None:
    assert found(name, "task name") == []


def test_a_document_is_read_without_its_code_and_a_table_without_its_lengths(root: Path) -> None:
    file = root / "page.md"
    file.write_text(
        "# Where `it` runs\n\nSee [the\npage](x.md) and `whoever`.\n\n    whoever\n\n```\nwhoever\n```\n\n"
        "* An item\n\n| a | b |\n|---|---|\n| whoever | c |\n"
    )
    read = list(prose.of_markdown(file))
    assert [passage.text for passage in read] == [
        "Where CODE runs", "See the page and CODE.", "An item", "a", "b", "whoever", "c",
    ]  # fmt: skip
    assert [passage.counts for passage in read] == [True, True, True, False, False, False, False]
    assert read[1].place == "page.md:3"


def test_a_generated_page_holds_messages(root: Path) -> None:
    file = root / "page.md"
    file.write_text("`make docs` generates this page from its source.\n")
    assert [(passage.kind, passage.counts) for passage in prose.of_markdown(file)] == [("message", False)]


def test_comments_docstrings_and_task_names_are_read(root: Path) -> None:
    file = root / "source.py"
    file.write_text(
        '#!/bin/python\n"""Return ``what`` it\nis.\n\nAnd more.\n"""\nx = "# no"  # fmt: skip\n# One\n# comment.\n'
    )
    assert [(passage.place, passage.text) for passage in prose.of_docstrings(file)] == [
        ("source.py:2", "Return CODE it is."), ("source.py:5", "And more."),
    ]  # fmt: skip
    assert [(passage.place, passage.text) for passage in prose.of_comments(file)] == [("source.py:8", "One comment.")]
    file = root / "tasks.yml"
    file.write_text("# Why.\n- name: play | Do it\n  vars:  # Beside.\n    - name: a_column\n")
    assert [passage.text for passage in prose.of_task_names(file)] == ["play | Do it"]
    assert [passage.text for passage in prose.of_comments(file)] == ["Why.", "Beside."]
    file = root / "query.sql"
    file.write_text("SELECT 1 -- One.\n-- A comment\n-- of two lines.\n")
    assert [passage.text for passage in prose.of_comments(file)] == ["One. A comment of two lines."]


def test_messages_are_read_from_tasks_and_strings(root: Path) -> None:
    file = root / "tasks.yml"
    file.write_text('- assert:\n    fail_msg: "{{ x }} is gone"\n- debug:\n    msg: Say {{ y }} now.\n- z: msg\n')
    assert [passage.text for passage in prose.of_messages(file)] == ["CODE is gone", "Say CODE now."]
    file = root / "source.py"
    file.write_text('"""Not this."""\nraise E(\n    f"{name} is gone: "\n    "drop it"\n)\nx = "One"\n')
    assert [(passage.place, passage.text) for passage in sorted(prose.of_strings(file), key=str)] == [
        ("source.py:3", "CODE is gone: drop it"), ("source.py:6", "One"),
    ]  # fmt: skip


def test_messages_of_several_lines_and_descriptions_are_read(root: Path) -> None:
    file = root / "tasks.yml"
    file.write_text("- assert:\n    fail_msg: >-\n      {{ x\n      }} is\n      gone.\n- {other: One option.}\n")
    assert list(prose.of_messages(file)) == [Passage("message", "tasks.yml:2", "CODE is gone.", False)]
    file.write_text("a:\n  description: >-\n    One\n    option.\n  survey:\n    - question_name: Which one?\n")
    assert list(prose.of_messages(file)) == [
        Passage("description", "tasks.yml:2", "One option."), Passage("description", "tasks.yml:6", "Which one?"),
    ]  # fmt: skip


def test_the_names_of_systems_in_metadata_are_no_task_names(root: Path) -> None:
    file = root / "roles/r/meta/main.yml"
    file.parent.mkdir(parents=True)
    file.write_text("platforms:\n  - name: Debian\n")
    assert list(prose.of_task_names(file)) == []


def test_comments_of_other_files_begin_with_a_number_sign(root: Path) -> None:
    file = root / "script"
    file.write_text("#!/bin/sh\n# Start the\n# server.\n\nset -e  # Stop on errors.\necho '#no'\n")
    assert [passage.text for passage in prose.of_comments(file)] == ["Start the server.", "Stop on errors."]
    file = root / "query.sql.j2"
    file.write_text("-- A comment.\nSELECT '# no'\n")
    assert [passage.text for passage in prose.of_comments(file)] == ["A comment."]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plugins/modules/m.py", "# Whoever reads it.\n"),
        ("plugins/module_utils/m.py", '"""Whoever reads it."""\n'),
        ("plugins/module_utils/m.py", 'raise ValueError(f"{name}: whoever reads it")\n'),
        ("inventory/group_vars/g.yml", "# Whoever reads it.\n"),
        ("lab/up.yml", "- name: Ask whoever reads it\n"),
        ("lab/up.yml", "- fail:\n    msg: Whoever reads it.\n"),
        ("lab/image/Containerfile", "# Whoever reads it.\n"),
        ("ansible.cfg", "# Whoever reads it.\n"),
        ("migrate.yml", "# Whoever reads it.\n"),
        ("playbooks/tasks/p.yml", "- name: Ask whoever reads it\n"),
        ("roles/r/files/f.sql", "-- Whoever reads it.\n"),
        ("roles/r/tasks/main.yml", "- fail:\n    msg: >-\n      Ask\n      whoever reads it.\n"),
        ("roles/r/meta/argument_specs.yml", "description: Whoever reads it.\n"),
        ("files/f.sql", "-- Whoever reads it.\n"),
        ("README.md", "Whoever reads it.\n"),
    ],
)
def test_the_check_fails_for_documents_and_code(
    root: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    assert prose.main() == 0
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    assert prose.main() == 1
    assert f"{name}:" in capsys.readouterr().out


def test_strings_of_tests_are_data(root: Path) -> None:
    file = root / "tests/unit/test_it.py"
    file.parent.mkdir(parents=True)
    file.write_text('assert "whoever"\n')
    assert list(prose.of_code(file)) == []


@pytest.mark.parametrize("pattern", [*prose.MARKDOWN, *prose.FILES])
def test_every_pattern_names_a_file(pattern: str) -> None:
    assert list(prose.files([pattern]))


def test_every_kind_of_text_is_there() -> None:
    found = list(prose.passages())
    kinds = {"comment", "description", "docstring", "document", "message", "task name"}
    assert {passage.kind for passage in found} == kinds
    assert {"README.md", "CHANGELOG.md"} <= {passage.place.partition(":")[0] for passage in found}
