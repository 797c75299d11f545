"""`atraso publish`: notebook with outputs, artefact and model card to a branch of a git remote."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from atraso.training.publish import Outcome

NOTEBOOK, CARD, MODEL = Path("notebooks/model.ipynb"), Path("docs/model-card.md"), "my-model"
KNOWN_BY = 12

MORE = """Example: atraso publish --branch develop --dry-run

\b
Exit codes: 0 published, or nothing to publish; 1 the remote did not take it (the commit is kept, and it is said
where); 2 something to correct first (nothing was made); 130 interrupted.
"""


@click.command(epilog=MORE)
@click.option("--branch", required=True, help="Branch of the remote; begun at the commit checked out if it is new.")
@click.option("--remote", default="origin", show_default=True, help="Remote, by its name in this clone.")
@click.option("--model", type=click.Path(path_type=Path), help="Artefact; default: the one the notebook saves.")
@click.option("--notebook", type=click.Path(path_type=Path), help=f"Executed notebook; default: {NOTEBOOK}.")
@click.option("--card", type=click.Path(path_type=Path), help=f"Model card; default: {CARD}.")
@click.option("--message", metavar="TEXT", help="Message of the commit; model and code are added to it as trailers.")
@click.option("--allow-dirty", is_flag=True, help="Publish though other files are uncommitted; the commit lists them.")
@click.option("--dry-run", is_flag=True, help="Check everything and ask the remote, but commit and push nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def publish(
    branch: str,
    remote: str,
    model: Path | None,
    notebook: Path | None,
    card: Path | None,
    message: str | None,
    allow_dirty: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Commit the executed notebook, the artefact and the model card to a branch of a remote, and push it.

    Your files, index, HEAD and branches stay as they are: the commit is made beside them, on top of the branch as the
    remote has it, and pushed without force. No password is asked for and none is kept: git must get in by itself (an
    SSH key in ssh-agent, a credential helper).

    Refused are a notebook that was not run to its end, an artefact that does not verify, a notebook or card of another
    model, and a tree with other uncommitted files, since a published model must be traceable to committed code. The
    default artefact is what $ATRASO_MODEL_OUT names, else my-model, beside the notebook.

    Each file goes where it is in the clone. From outside the clone the notebook goes to notebooks/, the card to docs/
    and the artefact to artefact/.
    """
    import json
    from dataclasses import asdict

    from atraso.cli.show import bar, say
    from atraso.training.publication import gather
    from atraso.training.publish import publish as publish_to
    from atraso.training.repository import open_repository

    git = open_repository(Path.cwd())
    notebook = notebook or _from_here(git.folder / NOTEBOOK)
    model = model or notebook.parent / os.environ.get("ATRASO_MODEL_OUT", MODEL)
    card = card or _from_here(git.folder / CARD)
    try:
        with bar("publishing") as progress:
            progress("reading notebook, artefact and card", 0, 4)
            publication = gather(notebook, model, card, git.folder)
            outcome = publish_to(
                git,
                publication,
                remote=remote,
                branch=branch,
                message=message,
                allow_dirty=allow_dirty,
                dry_run=dry_run,
                progress=progress,
            )
    except KeyboardInterrupt as stop:
        for note in getattr(stop, "__notes__", ()):
            say(f"atraso: {note}")
        raise
    for note in outcome.notes:
        say(f"note: {note}")
    if as_json:
        click.echo(json.dumps(asdict(outcome), ensure_ascii=False))
    elif outcome.status != "not-pushed":
        click.echo(_told(outcome))
    if outcome.status == "not-pushed":
        say(_not_pushed(outcome))
        sys.exit(1)


def _from_here(path: Path) -> Path:
    """Return *path* as a person in the current folder would write it, where it is below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _told(outcome: Outcome) -> str:
    from atraso.training.repository import listed

    place = f"{outcome.branch} of {outcome.remote} ({outcome.url})"
    if outcome.status == "unchanged":
        return f"nothing to publish: {place} has this notebook, this card and the model {outcome.model} already"
    code = f"code {outcome.code[:KNOWN_BY]} ({outcome.checked_out or 'no branch: HEAD is detached'})"
    base = (
        f"on top of {outcome.parent[:KNOWN_BY]}"
        if outcome.parent
        else f"a new branch on top of {outcome.code[:KNOWN_BY]}"
    )
    if outcome.commit is None:
        first = f"dry run, nothing made: the model {outcome.model} would go to {place}\n{base}; {code}"
    else:
        first = f"published the model {outcome.model} to {place}\ncommit {outcome.commit[:KNOWN_BY]} {base}; {code}"
    lines = [first, listed(outcome.files)]
    if outcome.uncommitted:
        lines.append(f"not committed, and named in the commit:\n{listed(outcome.uncommitted)}")
    if outcome.commit and outcome.checked_out == outcome.branch:
        lines.append(f"your own {outcome.branch} stays where it was, without this commit")
        if outcome.code == outcome.parent or outcome.parent is None:
            lines[-1] += f"; to take it over and keep your files: git reset {outcome.commit[:KNOWN_BY]}"
    return "\n".join(lines)


def _not_pushed(outcome: Outcome) -> str:
    from atraso.training.git import quoted

    return (
        f"atraso: not published: {outcome.reason}{quoted(outcome.words)}\n"
        f"Nothing is lost: the commit is kept as {outcome.kept}\n"
        f"  push it by hand   git push {outcome.remote} {outcome.kept}:refs/heads/{outcome.branch}\n"
        f"  look at it        git show --stat {outcome.kept}\n"
        f"  forget it         git update-ref -d {outcome.kept}"
    )
