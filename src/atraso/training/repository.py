"""What publishing has to know of a clone and its remote. It reads; the only writing is of objects that are fetched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from atraso.core.errors import AtrasoError
from atraso.training.git import Git, GitError, without_passwords

# Copies that JupyterLab keeps beside every notebook it opens.
NEVER_CODE = ":(top,exclude,glob)**/.ipynb_checkpoints/**"
STATES = {"?": "new", "U": "in conflict", "D": "deleted", "A": "added"}

# What git's words tell of a conversation that failed, first match first -> what to do. {0} is the remote's name.
CAUSES = (
    (
        r"host key verification failed",
        "{0} is on a host whose key is not known here: run `git ls-remote {0}` once by hand and look at the key",
    ),
    (
        r"returned error: 403|permission to .* denied",
        "{0} knows you and does not let you write: ask its owner for the right to, then run this again",
    ),
    (
        r"prompts disabled|could not read (username|password)|authentication failed|permission denied|access denied",
        "{0} wants to know who you are, and a password is neither asked for nor kept here: make `git ls-remote {0}` "
        "work without typing (an SSH key in ssh-agent, or a credential helper of git), then run this again",
    ),
    (
        r"could(n't| not) resolve|connection refused|(failed|couldn't|could not) (to )?connect|timed out|unreachable|"
        r"no route to host|connection (was )?reset",
        "{0} cannot be reached: look at the network and at `git remote get-url {0}`, then run this again",
    ),
    (
        r"does not appear to be a git repository|repository .*not found",
        "there is no repository at the address of {0}: correct it with `git remote set-url {0} URL`",
    ),
)


class PublishError(AtrasoError):
    """What is to be published, or the state of the clone, is refused; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """A path of the repository and what is with it: new, changed, deleted, added, in conflict, removed, unchanged."""

    what: str
    path: str


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote as one talks to it: its name, its address fit to show, and git's arguments for asking and pushing."""

    name: str
    url: str
    address: str
    options: tuple[str, ...]


def open_repository(folder: Path) -> Git:
    """Return git at the top of the clone that *folder* is in; raises GitError where it is in none."""
    said = Git(folder).ask("rev-parse", "--show-toplevel")
    if said.code:
        raise GitError(f"{folder} is in no clone of a git repository to publish from: run this in one", said.words)
    return Git(Path(said.out.decode(errors="surrogateescape").removesuffix("\n")))


def check_branch(git: Git, branch: str) -> None:
    """Raise PublishError for what cannot be the name of a branch."""
    said = git.ask("check-ref-format", "--branch", branch)
    if said.code or said.text != branch or branch.startswith("refs/"):
        raise PublishError(f"'{branch}' is not the name of a branch: give one such as develop")


def check_identity(git: Git) -> None:
    """Raise PublishError where git has no name and address to sign a commit with."""
    if any(git.ask("var", name).code for name in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT")):
        raise PublishError(
            "git does not know whose commit it would be: git config --global user.name 'Your Name' and "
            "git config --global user.email you@example.org, then run this again"
        )


def code_commit(git: Git) -> str:
    """Return the commit that is checked out; raises PublishError where there is none yet."""
    said = git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if said.code:
        raise PublishError("nothing is committed here yet: commit the code that made the model, then run this again")
    return said.text


def branch_checked_out(git: Git) -> str | None:
    """Return the name of the branch that is checked out, or None where HEAD is detached."""
    said = git.ask("symbolic-ref", "--quiet", "--short", "HEAD")
    return None if said.code else said.text


def uncommitted(git: Git, besides: Callable[[str], bool]) -> tuple[Change, ...]:
    """Return what differs from the commit that is checked out, or is new and not ignored, *besides* some paths."""
    arguments = ("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", ":(top)", NEVER_CODE)
    out = git.run("git cannot say what is uncommitted", *arguments).out.decode(errors="replace")
    found = [Change(_state(entry[:2]), entry[3:]) for entry in out.split("\0") if entry]
    return tuple(change for change in found if not besides(change.path))


def _state(letters: str) -> str:
    if letters in ("DD", "AA"):
        return "in conflict"
    return next((state for letter, state in STATES.items() if letter in letters), "changed")


def remote_called(git: Git, name: str) -> Remote:
    """Return the remote of this *name*; raises PublishError where there is none, or it stands for several places."""
    known = git.run("git cannot list the remotes", "remote").text.splitlines()
    if name not in known:
        at_hand = f"there are {', '.join(known)}: say --remote" if known else f"add it: git remote add {name} URL"
        raise PublishError(f"there is no remote '{name}' here; {at_hand}")
    places = _addresses(git, "--push", name)
    if len(places) != 1:
        raise PublishError(f"{name} stands for {len(places)} addresses: make a remote with one, and say --remote")
    url = without_passwords(places[0])
    # What is pushed to must also be what is looked at; by name where that is the same place.
    address = name if _addresses(git, name)[:1] == places else places[0]
    # A helper is told to keep whatever let git in, so a password in the address must not meet one.
    return Remote(name, url, address, ("-c", "credential.helper=") if url != places[0] else ())


def _addresses(git: Git, *arguments: str) -> list[str]:
    said = git.run("git does not know the address of the remote", "remote", "get-url", "--all", *arguments)
    return said.text.splitlines()


def tip_of(git: Git, remote: Remote, branch: str) -> str | None:
    """Return the commit at the tip of the remote's *branch*, fetched if need be, or None where it has no such branch.

    No ref moves and FETCH_HEAD stays. Raises GitError, with the cause, where the remote cannot be asked.
    """
    ref = f"refs/heads/{branch}"
    said = git.over_network(*remote.options, "ls-remote", "--", remote.address, ref)
    if said.code:
        raise GitError(cause(said.words, remote.name), said.words)
    tips = [line.split("\t")[0] for line in said.text.splitlines() if line.endswith(f"\t{ref}")]
    if not tips:
        return None
    if _missing(git, tips[0]):
        quiet = ("--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--recurse-submodules=no", "--refmap=")
        said = git.over_network(*remote.options, "fetch", *quiet, "--", remote.address, ref)
        if said.code:
            raise GitError(cause(said.words, remote.name), said.words)
        if _missing(git, tips[0]):
            raise GitError(f"{branch} of {remote.name} was moved while it was read: run this again")
    return tips[0]


def _missing(git: Git, commit: str) -> bool:
    return git.ask("cat-file", "-e", f"{commit}^{{commit}}").code != 0


def is_in(git: Git, commit: str, tip: str) -> bool:
    """Whether *commit* is *tip* or among those before it."""
    return git.ask("merge-base", "--is-ancestor", commit, tip).code == 0


def seen_on(git: Git, commit: str, remote: str) -> bool:
    """Whether, as far as this clone knows, a branch of the remote holds *commit*."""
    return bool(git.ask("for-each-ref", "--count=1", f"--contains={commit}", f"refs/remotes/{remote}/").text)


def cause(words: str, remote: str) -> str:
    """Return why a conversation with *remote* failed and what to do, read from git's *words*."""
    found = (sentence for pattern, sentence in CAUSES if re.search(pattern, words, re.IGNORECASE))
    return next(found, "git could not talk to {0}: make `git ls-remote {0}` work, then run this again").format(remote)


def listed(changes: Iterable[Change], at_most: int = 12) -> str:
    """Return changes as indented lines."""
    lines = [f"  {change.what:<11} {change.path}" for change in changes]
    if len(lines) > at_most:
        lines = [*lines[:at_most], f"  and {len(lines) - at_most} more"]
    return "\n".join(lines)
