"""What a clone lacks for publishing is told in a sentence each, before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from atraso.core.errors import AtrasoError
from atraso.training.git import Git, GitError
from atraso.training.publication import Publication
from atraso.training.publish import publish
from atraso.training.repository import Change, listed, open_repository
from tests.clones import alone, clone_with_remote, git

MADE = Publication({"m/manifest.json": b"{}"}, "m", "2017.1+abc123", "0" * 64, ())


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clean clone with a remote."""
    alone(tmp_path, monkeypatch)
    return clone_with_remote(tmp_path)


def refusal(clone: Path, remote: str = "origin", branch: str = "develop") -> str:
    """Return the sentence with which publishing is refused; nothing new is in the clone then."""
    before = git(clone, "count-objects")
    with pytest.raises(AtrasoError) as refused:
        publish(open_repository(clone), MADE, remote=remote, branch=branch)
    assert git(clone, "count-objects") == before
    return str(refused.value)


@pytest.mark.parametrize("name", ["", "-d", "a b", "a..b", "@{-1}", "HEAD", "refs/heads/develop", "x.lock"])
def test_what_cannot_be_a_branch_is_refused(clone: Path, name: str) -> None:
    """The name is refused before the remote is asked."""
    assert f"'{name}' is not the name of a branch" in refusal(clone, branch=name)


def test_an_unknown_remote_is_refused_with_those_that_are_there(clone: Path) -> None:
    """The sentence names the remotes at hand, or how to add one."""
    assert "no remote 'upstream' here; there are origin: say --remote" in refusal(clone, remote="upstream")
    git(clone, "remote", "remove", "origin")
    assert "git remote add origin URL" in refusal(clone)


def test_a_remote_of_several_places_is_refused(clone: Path) -> None:
    """One could take the commit and the other not."""
    git(clone, "remote", "set-url", "--add", "--push", "origin", "/a")
    git(clone, "remote", "set-url", "--add", "--push", "origin", "/b")

    assert "origin stands for 2 addresses" in refusal(clone)


def test_a_remote_that_is_not_there_is_told(clone: Path) -> None:
    """A path without a repository says how to correct the address, in git's words too."""
    git(clone, "remote", "set-url", "origin", clone.parent / "nowhere.git")
    sentence = refusal(clone)

    assert "there is no repository at the address of origin" in sentence
    assert "git said:" in sentence


def test_nobodys_commit_is_not_made(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without user.name and user.email the sentence gives the two commands; a name in the environment will do."""
    git(clone, "config", "--global", "--unset", "user.name")
    assert "git config --global user.name" in refusal(clone)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "X")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "X")
    assert publish(open_repository(clone), MADE, remote="origin", branch="develop").status == "published"


def test_a_clone_without_a_commit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no code that a model could be traced to."""
    alone(tmp_path, monkeypatch)
    git(tmp_path, "init", "--quiet", "clone")

    assert "nothing is committed here yet" in refusal(tmp_path / "clone")


def test_a_folder_without_a_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside any clone, and in a bare repository, the sentence says so with git's words."""
    alone(tmp_path, monkeypatch)
    git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    for folder, words in ((tmp_path, "not a git repository"), (tmp_path / "bare.git", "work tree")):
        with pytest.raises(GitError, match="no clone of a git repository") as refused:
            open_repository(folder)
        assert words in refused.value.words


def test_without_git_it_says_what_to_install(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no git is on the path, the sentence names the package; a folder that is gone is named."""
    with pytest.raises(GitError, match="git cannot be run in"):
        open_repository(clone / "gone")
    monkeypatch.setenv("PATH", str(clone))
    with pytest.raises(GitError, match="apt-get install git"):
        Git(clone).ask("version")


def test_a_long_list_is_cut() -> None:
    """A tree with a thousand new files names the first and counts the others."""
    lines = listed(Change("new", f"{n}.csv") for n in range(1000)).splitlines()

    assert (len(lines), lines[0].split(), lines[-1].strip()) == (13, ["new", "0.csv"], "and 988 more")
