"""Clones with a bare remote beside them, and what to publish from one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from atraso.artefact.bundle import BUNDLED

NAME, MAIL = "A. Person", "person@example.org"
COMMITTED = {"README.md": "code\n", "src/model.py": "x = 1\n", ".gitignore": "ignored/\n"}


def alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give git a home of its own, so that nothing of this machine's configuration takes part."""
    home = folder / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(("GIT_", "SSH_", "ATRASO_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (home / ".gitconfig").write_text(f"[user]\n name = {NAME}\n email = {MAIL}\n[init]\n defaultBranch = main\n")


def git(folder: Path, *arguments: object) -> str:
    """Run git in a folder, as a person would, and return what it printed."""
    done = subprocess.run(["git", *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def clone_with_remote(folder: Path, object_format: str = "sha1") -> Path:
    """Return a clone with one commit on main, which its remote, the bare repository remote.git, has too."""
    git(folder, "init", "--bare", "--quiet", f"--object-format={object_format}", "remote.git")
    git(folder, "init", "--quiet", f"--object-format={object_format}", "clone")
    clone = folder / "clone"
    write(clone, COMMITTED)
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "-m", "code")
    git(clone, "remote", "add", "origin", folder / "remote.git")
    git(clone, "push", "--quiet", "origin", "main")
    git(clone, "fetch", "--quiet", "origin")
    return clone


def commit_by_another(folder: Path, branch: str, files: Mapping[str, str]) -> str:
    """Push a commit with *files* to a branch from a clone of someone else; return it."""
    other = folder / "other"
    shutil.rmtree(other, ignore_errors=True)
    git(folder, "clone", "--quiet", "--no-checkout", "remote.git", other)
    known = git(other, "branch", "--remotes", "--list", f"origin/{branch}")
    git(other, "checkout", "--quiet", "-B", branch, f"origin/{branch}" if known else "origin/main")
    write(other, files)
    git(other, "add", ".")
    git(other, "commit", "--quiet", "-m", "by another")
    git(other, "push", "--quiet", "origin", branch)
    return git(other, "rev-parse", "HEAD")


def hook(repository: Path, name: str, script: str) -> None:
    """Install a hook."""
    path = repository / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def checkout(clone: Path, *, everything: bool = False) -> dict[str, tuple[int, bytes]]:
    """Return every file of a clone with its time and content: all that is checked out, index, HEAD, branches, config.

    Left out, unless all is asked for, is what pushing is for: objects, what is known of the remote, our own refs.
    """
    left_out = () if everything else ("objects", "refs/remotes", "logs/refs/remotes", "refs/atraso")
    kept = {}
    for path in sorted(clone.rglob("*")):
        inside = path.relative_to(clone).as_posix()
        if path.is_file() and not inside.startswith(tuple(f".git/{name}/" for name in left_out)):
            kept[inside] = (path.stat().st_mtime_ns, path.read_bytes())
    return kept


def files_of(repository: Path, commit: str) -> dict[str, bytes]:
    """Return the files of a commit with their content."""
    names = git(repository, "ls-tree", "-r", "--name-only", "--full-tree", commit).splitlines()
    show = [["git", "cat-file", "blob", f"{commit}:{name}"] for name in names]
    return {
        name: subprocess.run(command, cwd=repository, capture_output=True, check=True).stdout
        for name, command in zip(names, show, strict=True)
    }


def kept_refs(clone: Path) -> list[str]:
    """Return the refs under which commits that were not taken are kept."""
    return git(clone, "for-each-ref", "--format=%(refname)", "refs/atraso").splitlines()


def has_ended(process: int) -> bool:
    """Whether a process ends within ten seconds; one that only waits to be collected has."""
    patience = threading.Event()
    for _ in range(500):
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        patience.wait(0.02)
    return False


def cell(source: str, *outputs: dict, count: int | None = 1) -> dict:
    """Return a code cell."""
    return {
        "cell_type": "code",
        "id": "x",
        "metadata": {},
        "source": [source],
        "outputs": list(outputs),
        "execution_count": count,
    }


def printed(text: str) -> dict:
    """Return an output of printed text."""
    return {"output_type": "stream", "name": "stdout", "text": [text]}


def notebook_of(*cells: dict) -> str:
    """Return a notebook as its file holds it."""
    title = {"cell_type": "markdown", "id": "t", "metadata": {}, "source": ["# A model"]}
    return json.dumps({"cells": [title, *cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def version_of(model: Path) -> str:
    """Return the version an artefact says it has."""
    return str(json.loads((model / "manifest.json").read_text())["version"])


def write_model(clone: Path) -> str:
    """Put the bundled artefact, an executed notebook and a card where `atraso publish` looks; return the version."""
    shutil.copytree(BUNDLED, clone / "notebooks" / "my-model")
    version = version_of(BUNDLED)
    executed = notebook_of(cell("import atraso"), cell("print(version)", printed(f"first\n{version} in x"), count=2))
    write(clone, {"notebooks/model.ipynb": executed, "docs/model-card.md": f"# The model {version}\n"})
    return version
