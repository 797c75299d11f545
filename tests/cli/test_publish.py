"""`atraso publish`: what a person sees, types and finds afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import click.testing
import pytest

from atraso.artefact.bundle import BUNDLED
from atraso.artefact.scorer import load_scorer
from atraso.cli.main import cli
from tests.clones import (
    alone,
    checkout,
    clone_with_remote,
    commit_by_another,
    files_of,
    git,
    has_ended,
    hook,
    kept_refs,
    write,
    write_model,
)

ATRASO = (sys.executable, "-m", "atraso", "publish", "--branch", "develop")


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clone, the current folder, in which the notebook was run, and no other thing is uncommitted."""
    alone(tmp_path, monkeypatch)
    made = clone_with_remote(tmp_path)
    write_model(made)
    monkeypatch.chdir(made)
    return made


def run(*arguments: object) -> click.testing.Result:
    """Run the command in this process; the checkout stays as it was, and errors of its own are raised."""
    clone = Path(git(Path.cwd(), "rev-parse", "--show-toplevel"))
    before = checkout(clone)
    words = ["publish", "--branch", "develop", *map(str, arguments)]
    done = click.testing.CliRunner().invoke(cli, words, standalone_mode=False)
    assert checkout(clone) == before
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_published_model_can_be_fetched_and_served(clone: Path) -> None:
    """Someone else's clone of the branch has the outputs, the card and an artefact that passes every check."""
    done = run()
    git(clone.parent, "clone", "--quiet", "--branch", "develop", "remote.git", "theirs")
    theirs = clone.parent / "theirs"

    assert done.exit_code == 0
    assert load_scorer(theirs / "notebooks/my-model").manifest.checksum == load_scorer(BUNDLED).manifest.checksum
    for name in ("notebooks/model.ipynb", "docs/model-card.md"):
        assert (theirs / name).read_bytes() == (clone / name).read_bytes()
    assert done.stdout.startswith(f"published the model {load_scorer(BUNDLED).manifest.version} to develop of origin")
    assert "a new branch on top of" in done.stdout
    assert "added       notebooks/my-model/manifest.json" in done.stdout


def test_publishing_again_says_that_there_is_nothing_to(clone: Path) -> None:
    """The second run changes nothing and ends with 0."""
    run()
    done = run()

    assert (done.exit_code, done.stdout[:18]) == (0, "nothing to publish")


def test_a_dry_run_says_what_would_be_done(clone: Path) -> None:
    """It names branch, base and files, and nothing is on the remote."""
    commit_by_another(clone.parent, "develop", {"theirs.txt": ""})
    tip = git(clone.parent / "remote.git", "rev-parse", "develop")
    done = run("--dry-run")

    assert done.stdout.startswith("dry run, nothing made")
    assert f"on top of {tip[:12]}; code {git(clone, 'rev-parse', 'HEAD')[:12]} (main)" in done.stdout
    assert git(clone.parent / "remote.git", "rev-parse", "develop") == tip


def test_json_has_the_whole_outcome(clone: Path) -> None:
    """Standard output is one JSON object, published or not, with files, commit and where it is kept."""
    hook(clone.parent / "remote.git", "update", "echo not today >&2; exit 1")
    refused = run("--json")
    kept = kept_refs(clone)
    (clone.parent / "remote.git" / "hooks" / "update").unlink()
    taken = run("--json")
    first, second = json.loads(refused.stdout), json.loads(taken.stdout)

    assert (refused.exit_code, taken.exit_code) == (1, 0)
    assert (first["status"], second["status"]) == ("not-pushed", "published")
    assert [first["kept"]] == kept
    assert "not today" in first["words"]
    assert second["commit"] == git(clone.parent / "remote.git", "rev-parse", "develop")
    assert second["kept"] is None
    assert second["files"][0] == {"what": "added", "path": "docs/model-card.md"}


def test_a_refused_push_ends_with_commands_that_work(clone: Path) -> None:
    """Exit code 1, the hook's words, and the line to push by hand does it once the hook is gone."""
    remote = clone.parent / "remote.git"
    hook(remote, "pre-receive", "echo develop is protected; exit 1")
    done = run()
    commands = {line.strip()[:17].strip(): line.strip()[17:].strip() for line in done.stderr.splitlines()}

    assert done.exit_code == 1
    assert "remote: develop is protected" in done.stderr
    assert "Nothing is lost" in done.stderr
    (remote / "hooks" / "pre-receive").unlink()
    for name in ("look at it", "push it by hand", "forget it"):
        subprocess.run(commands[name].split(), check=True, capture_output=True)
    assert "docs/model-card.md" in files_of(remote, "develop")
    assert kept_refs(clone) == []


def test_from_another_folder_the_usual_places_are_those_of_the_clone(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Defaults start at the top of the clone, given paths at the current folder; the artefact may be outside it."""
    monkeypatch.chdir(clone / "src")
    card = clone.parent / "card.md"
    (clone / "docs" / "model-card.md").rename(card)
    (clone / "notebooks" / "my-model").rename(clone.parent / "made")
    done = run("--card", "../../card.md", "--model", "../../made")

    assert done.exit_code == 0
    assert {"notebooks/model.ipynb", "docs/card.md", "artefact/manifest.json"} <= files_of(
        clone.parent / "remote.git", "develop"
    ).keys()


def test_the_model_is_where_the_notebook_saved_it(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ATRASO_MODEL_OUT, which the notebook saves to, is where the artefact is looked for, beside the notebook."""
    (clone / "notebooks" / "my-model").rename(clone / "notebooks" / "another")
    monkeypatch.setenv("ATRASO_MODEL_OUT", "another")

    assert run().exit_code == 0
    assert "notebooks/another/manifest.json" in files_of(clone.parent / "remote.git", "develop")


def test_on_the_published_branch_it_says_how_to_take_the_commit_over(clone: Path) -> None:
    """Who works on develop itself is told that it stays, and the command given makes the clone clean."""
    git(clone, "checkout", "--quiet", "-b", "develop")
    git(clone, "push", "--quiet", "origin", "develop")
    command = run().stdout.rpartition("keep your files: ")[2].split()
    files = {path: path.read_bytes() for path in (clone / "notebooks").rglob("*") if path.is_file()}
    subprocess.run(command, check=True, capture_output=True)

    assert git(clone, "rev-parse", "HEAD") == git(clone.parent / "remote.git", "rev-parse", "develop")
    assert git(clone, "status", "--porcelain") == ""
    assert {path: path.read_bytes() for path in files} == files


def test_a_users_mistake_is_a_sentence_and_exit_code_2(clone: Path) -> None:
    """A dirty tree is listed on standard error, without a traceback and without a word on standard output."""
    write(clone, {"src/model.py": "x = 2\n"})
    done = subprocess.run(ATRASO, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("atraso: a published model must be traceable to committed code")
    assert "  changed     src/model.py\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_uncommitted_work_is_published_only_when_said(clone: Path) -> None:
    """With --allow-dirty the answer and the commit name it."""
    write(clone, {"src/model.py": "x = 2\n"})
    done = run("--allow-dirty", "--message", "A try")

    assert "not committed, and named in the commit:\n  changed     src/model.py" in done.stdout
    message = git(clone.parent / "remote.git", "log", "-1", "--format=%B", "develop")
    assert message.startswith("A try\n")
    assert "Code-Uncommitted: changed src/model.py" in message


def test_notes_do_not_stop_it(clone: Path) -> None:
    """What is odd is said on standard error, and the model is published."""
    write(clone, {"docs/model-card.md": "# A model\n"})
    done = run()

    assert done.exit_code == 0
    assert "note: docs/model-card.md does not say which model it is of" in done.stderr


def test_ctrl_c_while_pushing_loses_nothing_and_breaks_nothing(clone: Path) -> None:
    """Interrupted while the remote's hook runs, it ends with 130, git is gone, and the same command works again."""
    remote, running = clone.parent / "remote.git", clone.parent / "running"
    hook(remote, "pre-receive", f"echo $$ > {running}.new; mv {running}.new {running}; while :; do sleep 0.05; done")
    before = checkout(clone)
    with subprocess.Popen(ATRASO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
        patience = threading.Event()
        while not running.exists() and command.poll() is None:
            patience.wait(0.02)
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=60)

    assert command.returncode == 130
    assert f"the commit is kept as {kept_refs(clone)[0]}" in said
    assert "Traceback" not in said
    assert has_ended(int(running.read_text()))
    assert checkout(clone) == before
    assert git(remote, "branch", "--list", "develop") == ""
    (remote / "hooks" / "pre-receive").unlink()
    assert run().exit_code == 0
    git(clone, "fsck", "--strict")
    git(remote, "fsck", "--strict")


def test_the_example_in_the_help_works(clone: Path) -> None:
    """The example that --help ends with runs as it stands."""
    text = run("--help").stdout
    example = text.split("Example: ")[1].splitlines()[0]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(example.split(), env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "dry run" in done.stdout
