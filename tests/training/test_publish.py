"""Publishing reaches the branch whole or not at all, and never touches what is checked out."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from atraso.core.errors import AtrasoError
from atraso.training.publication import Publication
from atraso.training.publish import KEPT, Outcome, publish
from atraso.training.repository import Change, open_repository
from tests.clones import (
    COMMITTED,
    MAIL,
    NAME,
    alone,
    checkout,
    clone_with_remote,
    commit_by_another,
    files_of,
    git,
    hook,
    kept_refs,
    write,
)

NOTEBOOK, CARD, MODEL = "notebooks/model.ipynb", "docs/model-card.md", "notebooks/my-model"
FILES = {
    NOTEBOOK: b'{"cells": ["out\r\n"]}',
    CARD: b"# card\n",
    f"{MODEL}/manifest.json": b"{}",
    f"{MODEL}/scorecard.json": b"[1]",
    f"{MODEL}/CHECKSUMS": b"sum\n",
}
MADE = Publication(FILES, MODEL, "2017.1+abc123", "abc123" * 10, (NOTEBOOK, CARD, MODEL), ("a note",))


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clone in which the model was made and nothing else is uncommitted."""
    alone(tmp_path, monkeypatch)
    made = clone_with_remote(tmp_path)
    write(made, FILES)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    return made


def published(clone: Path, publication: Publication = MADE, **options: object) -> Outcome:
    """Publish to develop of origin; whatever comes of it, the checkout is as it was and no scratch is left."""
    before = checkout(clone)
    try:
        return publish(open_repository(clone), publication, **{"remote": "origin", "branch": "develop", **options})  # type: ignore[arg-type]
    finally:
        assert checkout(clone) == before
        assert list(Path(tempfile.gettempdir()).glob("atraso-publish-*")) == []


def refusal(clone: Path, **options: object) -> str:
    """Return the sentence with which publishing is refused; nothing is on the remote then."""
    remote = clone.parent / "remote.git"
    before = git(remote, "for-each-ref") if remote.is_dir() else ""
    with pytest.raises(AtrasoError) as refused:
        published(clone, **options)
    assert remote.is_dir() is False or git(remote, "for-each-ref") == before
    return str(refused.value)


def test_a_new_branch_begins_at_the_commit_checked_out(clone: Path) -> None:
    """The remote has a commit on top of the code with the three things besides, byte for byte, and says whose."""
    remote, code = clone.parent / "remote.git", git(clone, "rev-parse", "HEAD")
    outcome = published(clone)

    assert (outcome.status, outcome.parent, outcome.code, outcome.checked_out) == ("published", None, code, "main")
    assert outcome.commit == git(remote, "rev-parse", "develop")
    assert git(remote, "log", "--format=%H %an %ae %ce", "develop").split("\n")[0].endswith(f"{NAME} {MAIL} {MAIL}")
    assert git(remote, "rev-parse", "develop^") == code
    assert files_of(remote, "develop") == {name: text.encode() for name, text in COMMITTED.items()} | FILES
    assert {change.what for change in outcome.files} == {"added"}
    assert outcome.notes == ("a note",)
    assert kept_refs(clone) == []


def test_the_commit_says_which_model_by_which_code(clone: Path) -> None:
    """Its message is the text given, or a plain one, and trailers that git itself reads."""
    code = git(clone, "rev-parse", "HEAD")
    published(clone, message="New winter\n\nBecause of the fog.\n")
    first = git(clone.parent / "remote.git", "log", "-1", "--format=%B", "develop")
    trailers = git(clone.parent / "remote.git", "log", "-1", "--format=%(trailers:only)", "develop").splitlines()
    published(clone, replace(MADE, files=FILES | {CARD: b"2"}))

    assert first.startswith("New winter\n\nBecause of the fog.\n\nModel-Version")
    assert trailers == [
        "Model-Version: 2017.1+abc123",
        f"Model-Checksum: {MADE.checksum}",
        f"Code-Commit: {code}",
    ]
    assert git(clone.parent / "remote.git", "log", "-1", "--format=%s", "develop") == "Publish the model 2017.1+abc123"


def test_it_builds_on_what_others_did_to_the_branch(clone: Path) -> None:
    """The branch's own files stay, though this clone never saw its tip; FETCH_HEAD and branches do not move."""
    tip = commit_by_another(clone.parent, "develop", {"of_another.txt": "kept\n", CARD: "old\n"})
    outcome = published(clone)
    remote = clone.parent / "remote.git"

    assert outcome.parent == tip == git(remote, "rev-parse", "develop^")
    assert files_of(remote, "develop")["of_another.txt"] == b"kept\n"
    assert Change("changed", CARD) in outcome.files
    assert not (clone / ".git" / "FETCH_HEAD").exists() or "develop" not in (clone / ".git" / "FETCH_HEAD").read_text()


def test_the_artefact_of_the_branch_is_replaced_whole(clone: Path) -> None:
    """A file that the earlier artefact had and this one has not is removed, so that the published one verifies."""
    signed = replace(MADE, files=FILES | {f"{MODEL}/CHECKSUMS.sig": b"signature"})
    published(clone, signed)
    outcome = published(clone)

    assert Change("removed", f"{MODEL}/CHECKSUMS.sig") in outcome.files
    assert f"{MODEL}/CHECKSUMS.sig" not in files_of(clone.parent / "remote.git", "develop")


def test_publishing_the_same_again_makes_no_commit(clone: Path) -> None:
    """With nothing new the branch stays, and the outcome says so."""
    first = published(clone)
    second = published(clone)

    assert (second.status, second.commit, second.parent) == ("unchanged", None, first.commit)
    assert git(clone.parent / "remote.git", "rev-parse", "develop") == first.commit


def test_a_branch_that_is_not_there_is_begun_even_if_all_is_committed(clone: Path) -> None:
    """Where the code's own commit holds the three already, the new branch gets its commit with the trailers."""
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "-m", "model too")
    outcome = published(clone)

    assert outcome.status == "published"
    assert {change.what for change in outcome.files} == {"unchanged"}
    assert "Model-Version" in git(clone.parent / "remote.git", "log", "-1", "--format=%B", "develop")


def test_a_dirty_tree_is_refused_with_its_list(clone: Path) -> None:
    """Changed, staged, deleted and new files are named with why they matter; ignored and published ones are not."""
    write(clone, {"src/model.py": "x = 2\n", "src/new.py": "", "ignored/x": "", "notebooks/.ipynb_checkpoints/a": ""})
    write(clone, {"staged.py": ""})
    git(clone, "add", "staged.py", NOTEBOOK)
    (clone / "README.md").unlink()
    sentence = refusal(clone)

    listed = [line.split() for line in sentence.splitlines() if line.startswith("  ")]
    assert sorted(listed) == [
        ["added", "staged.py"],
        ["changed", "src/model.py"],
        ["deleted", "README.md"],
        ["new", "src/new.py"],
    ]
    assert "traceable" in sentence
    assert "--allow-dirty" in sentence


def test_a_dirty_tree_is_published_when_said_and_named_in_the_commit(clone: Path) -> None:
    """With allow_dirty the commit lists what was not committed; staged and half-staged work stays staged as it was."""
    write(clone, {"src/model.py": "x = 2\n"})
    git(clone, "add", ".")
    write(clone, {"src/model.py": "x = 3\n", "später.py": ""})
    git(clone, "add", "--intent-to-add", "später.py")
    outcome = published(clone, allow_dirty=True)
    message = git(clone.parent / "remote.git", "log", "-1", "--format=%B", "develop")

    assert "Code-Uncommitted: changed src/model.py" in message
    assert "Code-Uncommitted: added später.py" in message
    assert files_of(clone.parent / "remote.git", "develop")["src/model.py"] == b"x = 1\n"
    assert [change.path for change in outcome.uncommitted] == ["später.py", "src/model.py"]
    assert git(clone, "diff", "--cached", "--name-only").splitlines()[-1] == "src/model.py"


def test_a_refused_push_is_told_in_gits_words_and_the_commit_kept(clone: Path) -> None:
    """A hook of the remote says no: its words are shown, the commit is a local ref that can be pushed by hand."""
    remote = clone.parent / "remote.git"
    hook(remote, "pre-receive", "echo 'develop is protected: ask Ana'; exit 1")
    outcome = published(clone)

    assert outcome.status == "not-pushed"
    assert "does not take the commit on develop" in str(outcome.reason)
    assert "remote: develop is protected: ask Ana" in outcome.words
    assert "pre-receive hook declined" in outcome.words
    assert git(remote, "branch", "--list", "develop") == ""
    assert kept_refs(clone) == [outcome.kept] == [f"{KEPT}/develop/{str(outcome.commit)[:12]}"]
    (remote / "hooks" / "pre-receive").unlink()
    git(clone, "push", "origin", f"{outcome.kept}:refs/heads/develop")
    assert files_of(remote, "develop").items() >= FILES.items()


@pytest.mark.parametrize("begun", [True, False])
def test_a_branch_that_moves_meanwhile_is_not_overwritten(clone: Path, begun: bool) -> None:
    """Someone pushes between our look and our push: theirs stays, ours is kept, and running again adds ours to it."""
    if begun:
        commit_by_another(clone.parent, "develop", {"first.txt": ""})

    def overtaken(text: str, done: int, total: int) -> None:
        if text.startswith("pushing"):
            commit_by_another(clone.parent, "develop", {"second.txt": ""})

    outcome = published(clone, progress=overtaken)
    assert outcome.status == "not-pushed"
    assert "has moved on meanwhile" in str(outcome.reason)
    assert "rejected" in outcome.words
    assert kept_refs(clone) == [outcome.kept]
    assert published(clone).status == "published"
    assert {"second.txt", CARD} <= files_of(clone.parent / "remote.git", "develop").keys()
    assert kept_refs(clone) == [outcome.kept]


def test_a_hook_of_the_clone_may_stop_the_push(clone: Path) -> None:
    """The person's own pre-push hook is heard, without a terminal that it could ask on."""
    hook(clone / ".git", "pre-push", "(: </dev/tty) 2>/dev/null && echo 'could ask' >&2; echo 'no Fridays' >&2; exit 1")
    outcome = published(clone)

    assert outcome.status == "not-pushed"
    assert "pre-push hook" in str(outcome.reason)
    assert "no Fridays" in outcome.words
    assert "could ask" not in outcome.words


def test_a_remote_that_fails_while_pushing_loses_nothing(clone: Path) -> None:
    """The remote vanishes after it was asked: the cause is told and the commit kept."""

    def gone(text: str, done: int, total: int) -> None:
        if text.startswith("pushing"):
            (clone.parent / "remote.git").rename(clone.parent / "moved.git")

    outcome = published(clone, progress=gone)

    assert outcome.status == "not-pushed"
    assert "there is no repository at the address of origin" in str(outcome.reason)
    assert kept_refs(clone) == [outcome.kept]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_an_interrupt_anywhere_breaks_nothing(clone: Path, step: int) -> None:
    """Ctrl-C before any step leaves the checkout as it was and the remote without a branch; the next run publishes."""

    def interrupted(text: str, done: int, total: int) -> None:
        if done == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stop:
        published(clone, progress=interrupted)
    assert git(clone.parent / "remote.git", "branch", "--list", "develop") == ""
    kept = kept_refs(clone)
    assert [f"interrupted while pushing to develop of origin; the commit is kept as {ref}" for ref in kept] == getattr(
        stop.value, "__notes__", []
    )
    assert len(kept) == (1 if step == 3 else 0)
    assert published(clone).status == "published"


def test_a_dry_run_leaves_nothing(clone: Path) -> None:
    """It says what would change, against a tip it has to fetch, and not even an object is left in the clone."""
    tip = commit_by_another(clone.parent, "develop", {"of_another.txt": "kept\n"})
    before = checkout(clone, everything=True)
    outcome = published(clone, dry_run=True)

    assert (outcome.status, outcome.commit, outcome.parent) == ("dry-run", None, tip)
    assert {change.path for change in outcome.files} == FILES.keys()
    assert checkout(clone, everything=True) == before
    assert git(clone.parent / "remote.git", "rev-parse", "develop") == tip


def test_it_publishes_from_a_detached_head(clone: Path) -> None:
    """The commit checked out is enough: no branch is needed, none is made."""
    git(clone, "checkout", "--quiet", "--detach")
    outcome = published(clone)

    assert (outcome.status, outcome.checked_out) == ("published", None)


def test_code_that_nobody_else_can_find_is_pointed_out(clone: Path) -> None:
    """Where the branch exists and the code's commit is on no branch of the remote, a note says to push it."""
    commit_by_another(clone.parent, "develop", {"of_another.txt": ""})
    write(clone, {"src/model.py": "x = 5\n"})
    git(clone, "commit", "--quiet", "--all", "-m", "not pushed")
    unseen = published(clone, dry_run=True).notes
    git(clone, "push", "--quiet", "origin", "main")

    assert f"the code commit {git(clone, 'rev-parse', 'HEAD')[:12]} is not on origin yet" in unseen[-1]
    assert published(clone).notes == ("a note",)


def test_no_filter_takes_the_outputs_out(clone: Path) -> None:
    """A clone that strips notebooks when they are committed publishes them with their outputs all the same."""
    write(clone, {".gitattributes": "*.ipynb filter=strip\n* text=auto eol=lf\n"})
    git(clone, "add", ".gitattributes")
    git(clone, "commit", "--quiet", "-m", "strip")
    git(clone, "config", "filter.strip.clean", "echo stripped")
    published(clone)

    assert files_of(clone.parent / "remote.git", "develop")[NOTEBOOK] == FILES[NOTEBOOK]


def test_what_is_pushed_to_is_what_is_looked_at(clone: Path) -> None:
    """A remote that is fetched from one place and pushed to another is built upon where it is pushed to."""
    fork = clone.parent / "fork.git"
    git(clone.parent, "clone", "--quiet", "--bare", "remote.git", "fork.git")
    git(clone, "remote", "set-url", "--push", "origin", fork)
    commit_by_another(clone.parent, "develop", {"not_in_the_fork.txt": ""})
    outcome = published(clone)

    assert outcome.parent is None
    assert git(fork, "rev-parse", "develop") == outcome.commit


@pytest.mark.parametrize("surroundings", ["worktree", "shallow", "sha256", "folder", "push config", "hook of git"])
def test_clones_of_many_kinds_publish(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, surroundings: str
) -> None:
    """A worktree, a shallow clone, another hash, a folder below, settings of push, a caller's GIT_*: all work."""
    at, remote = clone, tmp_path / "remote.git"
    if surroundings == "worktree":
        at = tmp_path / "linked"
        git(clone, "worktree", "add", "--quiet", "-b", "side", at)
    elif surroundings == "shallow":
        commit_by_another(tmp_path, "main", {"later.txt": ""})
        at = tmp_path / "shallow"
        git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{remote}", at)
    elif surroundings == "sha256":
        (tmp_path / "else").mkdir()
        at, remote = clone_with_remote(tmp_path / "else", "sha256"), tmp_path / "else" / "remote.git"
        published(at, replace(MADE, files=FILES | {f"{MODEL}/old": b""}))
    elif surroundings == "folder":
        at = clone / "src"
    elif surroundings == "push config":
        git(clone, "tag", "--annotate", "mine", "-m", "mine")
        git(clone, "config", "push.followTags", "true")
        git(clone, "config", "push.gpgSign", "true")
    else:
        monkeypatch.setenv("GIT_INDEX_FILE", ".git/index.of.a.hook")
        monkeypatch.setenv("GIT_DIR", ".git.of.a.hook")
    outcome = published(at)
    for name in ("GIT_INDEX_FILE", "GIT_DIR"):
        monkeypatch.delenv(name, raising=False)

    assert outcome.status == "published"
    assert git(remote, "rev-parse", "develop") == outcome.commit
    assert files_of(remote, "develop").items() >= FILES.items()
    assert git(remote, "for-each-ref", "refs/tags") == ""


def test_a_place_that_is_taken_is_not_overwritten(clone: Path) -> None:
    """A folder of the branch that is no artefact, and a file where a folder is needed, are refused by name."""
    commit_by_another(clone.parent, "develop", {f"{MODEL}/thesis.txt": "years of work"})
    commit_by_another(clone.parent, "other", {"docs": "a file"})
    commit_by_another(clone.parent, "third", {f"{CARD}/index.md": "a folder"})

    assert f"{MODEL}/ of the branch is not an artefact" in refusal(clone)
    assert f"{CARD} has no room in the branch: docs is" in refusal(clone, branch="other")
    assert f"{CARD} has no room in the branch" in refusal(clone, branch="third")
