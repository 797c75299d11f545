"""Publishing: one commit on top of a remote's branch, made beside the clone, pushed, and kept where it is refused.

Nothing that is checked out takes part. The commit is built in an index of its own, in a folder of its own, from the
branch as the remote has it; the clone's files, index, HEAD and branches are read and never written.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from atraso.artefact.bundle import MANIFEST
from atraso.training import repository
from atraso.training.git import Git, GitError, without_passwords
from atraso.training.publication import Publication
from atraso.training.repository import Change, PublishError, Remote, listed

# Says what is being done and how far the whole is: (text, steps done, steps in all).
Progress = Callable[[str, int, int], None]

KEPT = "refs/atraso/published"
SHORT = 12
FILE_MODE = "100644"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of publishing.

    `commit` is what was made (None: unchanged, dry run), `parent` the branch's tip it stands on (None: the branch is
    new and stands on `code`, the commit that is checked out). Where the push failed, `kept` is the local ref that holds
    the commit, `reason` says why and `words` are git's own.
    """

    status: Literal["published", "unchanged", "dry-run", "not-pushed"]
    remote: str
    url: str
    branch: str
    model: str
    code: str
    checked_out: str | None
    parent: str | None
    files: tuple[Change, ...]
    uncommitted: tuple[Change, ...]
    notes: tuple[str, ...]
    commit: str | None = None
    kept: str | None = None
    reason: str | None = None
    words: str = ""


def publish(
    git: Git,
    publication: Publication,
    *,
    remote: str,
    branch: str,
    message: str | None = None,
    allow_dirty: bool = False,
    dry_run: bool = False,
    progress: Progress = lambda *_: None,
) -> Outcome:
    """Commit *publication* on top of the *remote*'s *branch* and push it; never by force, and asking for no password.

    A branch that the remote does not have is begun at the commit that is checked out. A push that is refused is an
    outcome, not an error. Raises PublishError for a dirty tree (unless *allow_dirty*) and whatever else of the clone
    is in the way, GitError where the remote cannot be asked. A dry run leaves nothing behind, fetched objects included.
    """
    repository.check_branch(git, branch)
    repository.check_identity(git)
    code = repository.code_commit(git)
    target = repository.remote_called(git, remote)
    dirty = repository.uncommitted(git, publication.is_published_from)
    if dirty and not allow_dirty:
        raise PublishError(
            f"a published model must be traceable to committed code, and this is not committed:\n{listed(dirty)}\n"
            "Commit it, or name it in .gitignore if the model does not depend on it; --allow-dirty publishes all the "
            "same and lists it in the commit"
        )
    with tempfile.TemporaryDirectory(prefix="atraso-publish-") as scratch:
        apart = git.within(_beside(git, Path(scratch), dry_run))
        progress(f"asking {remote} for {branch}", 1, 4)
        tip = repository.tip_of(apart, target, branch)
        progress("building the commit", 2, 4)
        tree, files = _build(apart, publication, tip or code)
        outcome = Outcome(
            status="unchanged",
            remote=target.name,
            url=target.url,
            branch=branch,
            model=publication.version,
            code=code,
            checked_out=repository.branch_checked_out(git),
            parent=tip,
            files=files,
            uncommitted=dirty,
            notes=publication.notes + _untraceable(apart, target, code, tip),
        )
        if tip is not None and all(change.what == "unchanged" for change in files):
            return outcome
        if dry_run:
            return replace(outcome, status="dry-run")
        commit = _commit(git, tree, tip or code, message_of(publication, message, code, dirty))
    return _pushed(git, target, replace(outcome, commit=commit), progress)


def message_of(publication: Publication, text: str | None, code: str, dirty: tuple[Change, ...]) -> str:
    """Return the commit's message: *text* (or a plain subject), and trailers that say which model, by which code."""
    trailers = [
        f"Model-Version: {publication.version}",
        f"Model-Checksum: {publication.checksum}",
        f"Code-Commit: {code}",
        *(f"Code-Uncommitted: {change.what} {change.path}" for change in dirty),
    ]
    subject = (text or "").strip() or f"Publish the model {publication.version}"
    return "\n".join([subject, "", *trailers, ""])


def _beside(git: Git, scratch: Path, dry_run: bool) -> Mapping[str, str]:
    """Return where git keeps its index, and in a dry run new objects, while the commit is built."""
    environment = {"GIT_INDEX_FILE": str(scratch / "index")}
    if dry_run:
        (scratch / "objects").mkdir()
        said = git.run("git does not know where its objects are", "rev-parse", "--git-path", "objects")
        # Quoted as git reads it, so that a colon in the path does not part it in two.
        objects = json.dumps(str(git.folder / said.text), ensure_ascii=False)
        environment |= {
            "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
        }
    return environment


def _build(git: Git, publication: Publication, base: str) -> tuple[str, tuple[Change, ...]]:
    """Return the tree of *base* with the publication in it, and what that changes."""
    entries = _entries(git, base)
    blobs = {path: _blob(git, data) for path, data in publication.files.items()}
    old_artefact = {path for path in entries if path.startswith(f"{publication.artefact}/")}
    _check_room(entries, publication, old_artefact)
    changes = []
    lines = []
    for path in sorted(blobs.keys() | old_artefact):
        if path not in blobs:
            changes.append(Change("removed", path))
            lines.append(f"0 {'0' * len(base)}\t{path}")
            continue
        entry = f"{FILE_MODE} {blobs[path]}"
        before = entries.get(path)
        changes.append(Change("unchanged" if before == entry else "changed" if before else "added", path))
        lines.append(f"{entry}\t{path}")
    git.run("git cannot read the branch", "read-tree", base)
    stdin = os.fsencode("".join(f"{line}\0" for line in lines))
    git.run("git does not take the files", "update-index", "-z", "--index-info", stdin=stdin)
    return git.run("git cannot write the tree", "write-tree").text, tuple(changes)


def _entries(git: Git, commit: str) -> dict[str, str]:
    """Return mode and object of every file of a commit, by path."""
    out = git.run("git cannot list the branch", "ls-tree", "-r", "-z", "--full-tree", commit).out
    parts = (line.split("\t", 1) for line in os.fsdecode(out).split("\0") if line)
    return {path: f"{about.split()[0]} {about.split()[2]}" for about, path in parts}


def _blob(git: Git, data: bytes) -> str:
    # From standard input no filter applies: one that strips notebooks would take the outputs out again.
    return git.run("git cannot keep a file", "hash-object", "-w", "--stdin", stdin=data).text


def _check_room(entries: Mapping[str, str], publication: Publication, old_artefact: set[str]) -> None:
    """Raise PublishError where the branch has something else in the place of what is published."""
    folder = publication.artefact
    if old_artefact and f"{folder}/{MANIFEST}" not in old_artefact:
        raise PublishError(
            f"{folder}/ of the branch is not an artefact, so it is not replaced: save the model elsewhere"
        )
    folders = {str(parent) for path in entries for parent in Path(path).parents}
    for path in publication.files:
        in_the_way = [str(parent) for parent in Path(path).parents if str(parent) in entries]
        if in_the_way or path in folders:
            raise PublishError(f"{path} has no room in the branch: {[*in_the_way, path][0]} is something else there")


def _untraceable(git: Git, remote: Remote, code: str, tip: str | None) -> tuple[str, ...]:
    """Return the warning that nobody else can find the code, where that is so."""
    if tip is None or repository.is_in(git, code, tip) or repository.seen_on(git, code, remote.name):
        return ()
    return (f"the code commit {code[:SHORT]} is not on {remote.name} yet: push it too, or nobody else can find it",)


def _commit(git: Git, tree: str, parent: str, message: str) -> str:
    arguments = ("commit-tree", tree, "-p", parent, "-F", "-")
    return git.run("git cannot make the commit", *arguments, stdin=message.encode()).text


def _pushed(git: Git, target: Remote, made: Outcome, progress: Progress) -> Outcome:
    """Push the commit; until the remote has it, a ref of our own keeps it from being lost."""
    assert made.commit is not None
    kept = f"{KEPT}/{made.branch}/{made.commit[:SHORT]}"
    git.run("git cannot keep the commit", "update-ref", kept, made.commit)
    options = ("--porcelain", "--no-follow-tags", "--no-signed", "--recurse-submodules=no")
    refs = f"{made.commit}:refs/heads/{made.branch}"
    try:
        progress(f"pushing to {made.remote}", 3, 4)
        said = git.over_network(*target.options, "push", *options, "--", made.remote, refs)
    except GitError as error:
        return replace(made, status="not-pushed", kept=kept, reason=str(error))
    except KeyboardInterrupt as stop:
        stop.add_note(f"interrupted while pushing to {made.branch} of {made.remote}; the commit is kept as {kept}")
        raise
    if said.code:
        verdict = next((line for line in without_passwords(said.text).splitlines() if line.startswith("!\t")), "")
        words = "\n".join(part for part in (said.words, verdict.rpartition("\t")[2]) if part)
        return replace(made, status="not-pushed", kept=kept, reason=_reason(verdict, words, made), words=words)
    git.ask("update-ref", "-d", kept)
    return replace(made, status="published")


def _reason(verdict: str, words: str, made: Outcome) -> str:
    """Return in a sentence why the push failed, from git's verdict on the branch (empty: it did not come so far)."""
    if "[rejected]" in verdict:
        return f"{made.branch} of {made.remote} has moved on meanwhile: run this again, it builds on the new tip"
    if "[remote rejected]" in verdict:
        return (
            f"{made.remote} does not take the commit on {made.branch} (a rule or hook of its own): ask its owner, "
            "or publish to another branch with --branch"
        )
    if "failed to push some refs" in words and "fatal:" not in words:
        return "the pre-push hook of this clone stopped it: do what it says, then run this again"
    return repository.cause(words, made.remote)
