"""The execution environment contains all dependencies of a run, and ansible-navigator's settings are valid."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from production import ROOT


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the image's build context."""
    directory = tmp_path_factory.mktemp("context")
    create = ["ansible-builder", "create", f"--context={directory}", "--output-filename=Containerfile"]
    subprocess.run(create, cwd=ROOT, check=True, capture_output=True)
    return directory


def definition() -> dict[str, Any]:
    """Return execution-environment.yml."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "execution-environment.yml").read_text())
    return document


def test_the_image_gets_the_locked_packages_and_the_collections(context: Path) -> None:
    steps = (context / "Containerfile").read_text()
    assert (context / "_build/requirements/py312.txt").read_bytes() == (ROOT / "requirements/py312.txt").read_bytes()
    assert "COPY _build/requirements/py312.txt /tmp/requirements.txt" in steps
    assert re.search(r"pip install .*--require-hashes --requirement /tmp/requirements.txt", steps)
    wanted = yaml.safe_load((ROOT / "requirements.yml").read_text())
    assert yaml.safe_load((context / "_build/requirements.yml").read_text()) == wanted
    assert "ansible-galaxy collection install $ANSIBLE_GALAXY_CLI_COLLECTION_OPTS -r requirements.yml" in steps
    # The collections' own Python requirements are excluded, because their versions are not locked.
    excluded = (context / "_build/exclude-collections.txt").read_text().split()
    assert sorted(excluded) == sorted(collection["name"] for collection in wanted["collections"])


def test_the_image_has_the_python_of_the_lock_and_ssh(context: Path) -> None:
    steps = (context / "Containerfile").read_text()
    (lock,) = [entry["src"] for entry in definition()["additional_build_files"]]
    (minor,) = re.findall(r"py3(\d+)\.txt$", lock)
    assert f'ARG PYCMD="/usr/bin/python3.{minor}"' in steps
    assert f'ARG PYPKG="python3.{minor}"' in steps
    assert "openssh-clients" in (context / "_build/bindep.txt").read_text().split()


def test_navigator_knows_its_settings() -> None:
    show = ["ansible-navigator", "settings", "--schema", "json", "--execution-environment", "false"]
    schema = json.loads(subprocess.run(show, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    settings = yaml.safe_load((ROOT / "ansible-navigator.yml").read_text())
    jsonschema.validate(settings, schema)
    # The schema rejects an unknown setting, so the validation is effective.
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"ansible-navigator": settings["ansible-navigator"] | {"nothing": 1}}, schema)


def test_navigator_keeps_no_artifact_and_runs_the_image_that_is_built() -> None:
    settings = yaml.safe_load((ROOT / "ansible-navigator.yml").read_text())["ansible-navigator"]
    assert settings["playbook-artifact"] == {"enable": False}
    assert settings["mode"] == "stdout"
    image = settings["execution-environment"]["image"]
    # The first comment of the file contains the command that builds the image.
    (built,) = re.findall(r"ansible-builder build --tag (\S+)", (ROOT / "execution-environment.yml").read_text())
    assert image == f"{built}:latest"


@pytest.mark.parametrize("image", ["localhost/another:1"])
def test_the_user_may_name_another_image(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_NAVIGATOR_EXECUTION_ENVIRONMENT_IMAGE", image)
    show = ["ansible-navigator", "settings", "--effective", "--execution-environment", "false"]
    shown = subprocess.run(show, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert yaml.safe_load(shown)["ansible-navigator"]["execution-environment"]["image"] == image
