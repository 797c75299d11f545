"""What is linted: Dockerfiles, shell scripts, YAML, workflows; and that no secret is in the repository's history."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from deploy.checks import ROOT, CommandFailed, NotRun, run
from deploy.environments import own_tool

ACTION = re.compile(r"^\s*-?\s*uses:\s*([^@\s]+)@(\S+)(.*)$", re.MULTILINE)
DIGEST = re.compile(r"[0-9a-f]{40}")
PLANTED = 'aws_secret_access_key = "%s"\n'


def check_hadolint() -> str:
    """hadolint has nothing to say to any Dockerfile."""
    files = _files("*Dockerfile", "*.Dockerfile")
    if not files:
        raise NotRun("there is no Dockerfile in this repository")
    run(own_tool("linters", "hadolint"), *files)
    return _named(files)


def check_shellcheck() -> str:
    """shellcheck has nothing to say to any shell script."""
    files = sorted({*_files("*.sh"), *(file for file in _files(".ci/*", "deploy/*", "scripts/*") if _is_shell(file))})
    assert files, "there is no shell script"
    run(own_tool("linters", "shellcheck"), *files)
    return _named(files)


def check_yamllint() -> str:
    """yamllint has nothing to say, strictly, to what is written by hand."""
    files = _files("*.yaml", "*.yml")
    run(own_tool("linters", "yamllint"), "--strict", "-c", ROOT / ".yamllint.yaml", *files)
    return f"{len(files)} files"


def check_actionlint() -> str:
    """actionlint has nothing to say to the workflows, nor shellcheck to the scripts in them."""
    files = _files(".github/workflows/*.yml")
    assert files, "there is no workflow"
    run(own_tool("linters", "actionlint"), f"-shellcheck={own_tool('linters', 'shellcheck')}", *files)
    return _named(files)


def check_zizmor() -> str:
    """zizmor finds no way to misuse the workflows, whatever its confidence."""
    said = run(own_tool("linters", "zizmor"), "--offline", "--no-progress", "--format", "json", ".github/workflows")
    found = json.loads(said)
    assert not found, said
    return "no finding"


def check_actions_are_pinned() -> str:
    """Every action is named by a full digest with its version beside it, and rights are given job by job."""
    uses = []
    for file in _files(".github/workflows/*.yml"):
        text = (ROOT / file).read_text("utf-8")
        assert "\npermissions: {}\n" in text, f"{file.name} begins with more rights than none"
        for action, version, comment in ACTION.findall(text):
            assert DIGEST.fullmatch(version), f"{file.name}: {action}@{version} can be moved"
            assert re.search(r"# v\d+\.\d+\.\d+", comment), f"{file.name}: which version is {action}@{version}?"
            uses.append((action, version))
    record = (ROOT / "docs/decisions/0012-pipeline.md").read_text("utf-8")
    unknown = {pair for pair in uses if f"{pair[0]}@{pair[1]}" not in record}
    assert not unknown, f"nobody says where these digests come from: {unknown}"
    return f"{len(uses)} uses of {len(set(uses))} actions"


def check_gitleaks() -> str:
    """gitleaks finds no secret in any commit, and finds one that is planted."""
    program = own_tool("linters", "gitleaks")
    quiet = ("--no-banner", "--redact", "--log-level", "error")
    run(program, "git", *quiet, ROOT)
    with tempfile.TemporaryDirectory() as folder:
        # Made here, so that no file of the repository holds what looks like one.
        secret = "".join(chr(ord("A") + (7 * i * i + 3 * i) % 26) + str(i % 10) for i in range(20))
        (Path(folder) / "settings.ini").write_text(PLANTED % secret, "utf-8")
        try:
            run(program, "dir", *quiet, folder)
        except CommandFailed as found:
            assert "leaks found" in found.said or found.code == 1, found.said
        else:
            raise AssertionError("gitleaks sees no planted secret")
    return f"{run('git', 'rev-list', '--count', 'HEAD').strip()} commits"


def _files(*patterns: str) -> list[Path]:
    """Return the files that match, committed or about to be, from the repository's root."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns)
    return [Path(line) for line in listed.splitlines() if (ROOT / line).is_file()]


def _is_shell(file: Path) -> bool:
    with (ROOT / file).open("rb") as content:
        return re.match(rb"#!.*\b(ba|da)?sh\b", content.readline()) is not None


def _named(files: list[Path]) -> str:
    return ", ".join(str(file) for file in files)
