#!/usr/bin/env python3
"""Build the release for the version in galaxy.yml: the archive, its checksum and the release notes.

The archive depends only on the commit, and on the version of zlib that compresses it. ``ansible-galaxy`` packs the
committed files. This program packs them again in a fixed order, with the commit's time and without an owner.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import yaml

CHANGELOG = "CHANGELOG.md"
UNRELEASED = "Unreleased"


def git(root: Path, *arguments: str) -> str:
    """Return the output of a git command in the repository ``root``, without trailing whitespace."""
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.rstrip()


def sections(changelog: str) -> dict[str, str]:
    """Return the lines below each heading of a changelog, by the heading's first word: a version or Unreleased."""
    _, *parts = re.split(r"^## ", changelog, flags=re.MULTILINE)
    return {part.split(maxsplit=1)[0]: part.partition("\n")[2].strip() for part in parts}


def refusals(root: Path, version: str) -> list[str]:
    """Return the reasons why the version cannot be released, each with its remedy."""
    found, notes = [], sections((root / CHANGELOG).read_text())
    changed = git(root, "status", "--porcelain").splitlines()
    if changed:
        found.append(f"{len(changed)} files differ from the commit, such as {changed[0][3:]}: commit them.")
    if not notes.get(version):
        found.append(f"{CHANGELOG} has no notes for {version}: add the heading '## {version} (date)' with its changes.")
    if notes.get(UNRELEASED):
        found.append(f"{CHANGELOG} has changes under {UNRELEASED}: move them below {version}, or raise the version.")
    if git(root, "tag", "--list", f"v{version}") and git(root, "rev-list", "-1", f"v{version}") != git(
        root, "rev-parse", "HEAD"
    ):
        found.append(f"The tag v{version} points to another commit: raise the version in galaxy.yml.")
    return found


def built(root: Path) -> dict[str, bytes]:
    """Return the members of the archive that ansible-galaxy builds from HEAD: the contents of each, by path.

    A directory has empty contents.
    """
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory, "source")
        source.mkdir()
        packed = subprocess.run(["git", "archive", "HEAD"], cwd=root, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as committed:
            committed.extractall(source, filter="tar")
        build = ["ansible-galaxy", "collection", "build", f"--output-path={directory}", str(source)]
        subprocess.run(build, cwd=directory, check=True, capture_output=True)
        (path,) = Path(directory).glob("*.tar.gz")
        with tarfile.open(path) as archive:
            files = {item.name: archive.extractfile(item) for item in archive.getmembers()}
            return {name: b"" if file is None else file.read() for name, file in files.items()}


def ordered(content: dict[str, bytes]) -> dict[str, bytes]:
    """Return the archive's members with FILES.json in a fixed order, and with its new checksum in MANIFEST.json."""
    listed, manifest = json.loads(content["FILES.json"]), json.loads(content["MANIFEST.json"])
    listed["files"].sort(key=lambda item: item["name"])
    files = _json(listed)
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(files).hexdigest()
    first = {"MANIFEST.json": _json(manifest), "FILES.json": files}
    return first | {name: content[name] for name in sorted(set(content) - set(first))}


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=1) + "\n").encode()


def packed(content: dict[str, bytes], time: int) -> bytes:
    """Return a compressed archive of the members, each with the given modification time in seconds since 1970."""
    directories = {item["name"] for item in json.loads(content["FILES.json"])["files"] if item["ftype"] == "dir"}
    stream = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=stream, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, data in content.items():
            item = tarfile.TarInfo(name)
            item.mtime, item.size, item.mode = time, len(data), 0o644
            if name in directories:
                item.type, item.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(item, io.BytesIO(data))
    return stream.getvalue()


def main(root: Path) -> str:
    """Write the release below ``release/`` and return a summary; raise SystemExit if the version cannot be released."""
    about = yaml.safe_load((root / "galaxy.yml").read_text())
    version = about["version"]
    refused = refusals(root, version)
    if refused:
        raise SystemExit("\n".join(refused))
    archive = packed(ordered(built(root)), int(git(root, "log", "-1", "--format=%ct")))
    name, directory = f"{about['namespace']}-{about['name']}-{version}.tar.gz", root / "release" / version
    directory.mkdir(parents=True, exist_ok=True)
    checksum = hashlib.sha256(archive).hexdigest()
    (directory / name).write_bytes(archive)
    (directory / "SHA256SUMS").write_text(f"{checksum}  {name}\n")
    (directory / "notes.md").write_text(sections((root / CHANGELOG).read_text())[version] + "\n")
    return f"{directory.relative_to(root)}/{name}: {len(archive):,} bytes, SHA-256 {checksum}"


if __name__ == "__main__":
    sys.stdout.write(main(Path.cwd()) + "\n")
