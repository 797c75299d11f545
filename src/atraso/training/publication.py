"""The three things that are published, read once and checked: an executed notebook, a good artefact, its model card."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from atraso.artefact.scorer import load_scorer
from atraso.core.errors import ArtefactError
from atraso.training.repository import PublishError

# Where in the branch goes what lies outside the clone.
NOTEBOOKS, CARDS, ARTEFACT = "notebooks", "docs", "artefact"

VERSION = re.compile(r"(?<!\d)\d{4}\.\d+\+[0-9a-f]{6}(?![0-9a-f])")
PICTURE = re.compile(r"!\[[^\]]*\]\(([\w.-]+\.(?:svg|png))\)")  # in Markdown, of a file beside the card
NOTEBOOK_FORMAT = 4


@dataclass(frozen=True, slots=True)
class Publication:
    """What is published: the bytes of each file by its path in the branch, and the model they are of.

    `artefact` is the artefact's folder in the branch, which holds nothing else; `here` are the paths of the three (and
    the card's pictures) in the clone, for those that lie in it; `notes` is what is odd and no reason to refuse.
    """

    files: Mapping[str, bytes]
    artefact: str
    version: str
    checksum: str
    here: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def is_published_from(self, path: str) -> bool:
        """Whether *path* of the clone is one of the three, or in the artefact's folder."""
        return any(path == own or path.startswith(f"{own}/") for own in self.here)


def gather(notebook: Path, model: Path, card: Path, root: Path) -> Publication:
    """Read and check the three, for a clone whose top is *root*.

    Raises PublishError for a notebook that was not executed to its end, and for a notebook or card that shows another
    model than the artefact's; ArtefactError for an artefact that does not verify.
    """
    cells, notebook_bytes = _executed(notebook)
    version, checksum, artefact_files = _verified(model)
    card_bytes = _read(card, "model card", "write it with `atraso model card`, or say --card")
    pictures = {
        card.parent / name: _read(card.parent / name, "picture of the card", "write the card again")
        for name in PICTURE.findall(card_bytes.decode(errors="replace"))
    }
    notes = [
        *_in_order(notebook, cells),
        *_names_the_model(notebook, _shown(cells), version, f"run it again ({_how_to_run(notebook)})"),
        *_names_the_model(card, card_bytes.decode(errors="replace"), version, "render it from this model"),
    ]
    rooms = {notebook: NOTEBOOKS, card: CARDS, **dict.fromkeys(pictures, CARDS)}
    places = {path: place(path, root, room) for path, room in rooms.items()}
    folder = place(model, root, None)
    files = {f"{folder}/{name}": data for name, data in artefact_files.items()}
    files |= {places[notebook]: notebook_bytes, places[card]: card_bytes}
    files |= {places[path]: data for path, data in pictures.items()}
    own = (notebook, model, card, *pictures)
    here = tuple(inside.as_posix() for path in own if (inside := _inside(path, root)) is not None)
    return Publication(files, folder, version, checksum, here, tuple(notes))


def place(path: Path, root: Path, room: str | None) -> str:
    """Return the path in the branch: the one in the clone, or from outside it *room* and the name (None: artefact)."""
    inside = _inside(path, root)
    if inside is None:
        return ARTEFACT if room is None else f"{room}/{path.name}"
    if not inside.parts:
        raise PublishError(f"{path} is the top of the clone: an artefact must be in a folder of its own")
    return inside.as_posix()


def _inside(path: Path, root: Path) -> Path | None:
    # The last part is not followed: a link in the clone to a model elsewhere is published under the link's name.
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow the last part too
    whole = whole.parent.resolve() / whole.name
    root = root.resolve()
    return whole.relative_to(root) if whole.is_relative_to(root) else None


def _read(path: Path, what: str, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        if not path.exists():
            raise PublishError(f"there is no {what} at {path}: {remedy}") from error
        raise PublishError(f"the {what} {path} cannot be read: {error.strerror}") from error


def _how_to_run(notebook: Path) -> str:
    return f"`atraso notebook`, Run All Cells, save; or `jupyter execute --inplace {notebook}`"


def _executed(notebook: Path) -> tuple[list[dict[str, Any]], bytes]:
    """Return the code cells that hold code, and the notebook's bytes, where all of them ran without an error."""
    data = _read(notebook, "notebook", "say --notebook")
    try:
        content = json.loads(data)
        if content["nbformat"] != NOTEBOOK_FORMAT:
            raise PublishError(f"{notebook} is in format {content['nbformat']}, not 4: open and save it in JupyterLab")
        cells = [cell for cell in content["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
        broken = [
            f"code cell {number} ended with {output['ename']}: {str(output['evalue']).strip()[:120]}"
            for number, cell in enumerate(cells, 1)
            for output in cell["outputs"]
            if output["output_type"] == "error"
        ]
        unrun = [number for number, cell in enumerate(cells, 1) if cell["execution_count"] is None]
        without_outputs = not any(cell["outputs"] for cell in cells)
    except (ValueError, KeyError, TypeError) as error:
        raise PublishError(f"{notebook} is not a notebook (Jupyter's format 4): {error}") from error
    run_it = f"run it from start to end: {_how_to_run(notebook)}"
    if broken:
        raise PublishError(f"{notebook} holds an error, {broken[0]}; correct it and {run_it}")
    if without_outputs:
        raise PublishError(f"{notebook} holds no outputs; {run_it}")
    if unrun:
        raise PublishError(f"{notebook} was run only in part, code cell {unrun[0]} was not; {run_it}")
    return cells, data


def _in_order(notebook: Path, cells: list[dict[str, Any]]) -> list[str]:
    counts = [cell["execution_count"] for cell in cells]
    if all(earlier < later for earlier, later in pairwise(counts)):
        return []
    return [f"the cells of {notebook} were not run from start to end in order, so it may not run again as it is"]


def _shown(cells: list[dict[str, Any]]) -> str:
    return json.dumps([cell["outputs"] for cell in cells])


def _names_the_model(path: Path, text: str, version: str, remedy: str) -> list[str]:
    """Refuse a text that shows another model's version; return a note for one that shows none."""
    named = set(VERSION.findall(text))
    if version in named:
        return []
    if named:
        raise PublishError(f"{path} is of the model {min(named)}, the artefact is {version}: {remedy}")
    return [f"{path} does not say which model it is of; the artefact is {version}"]


def _verified(model: Path) -> tuple[str, str, dict[str, bytes]]:
    """Return version, checksum and files of a good artefact; the very bytes that passed every check."""
    if not model.is_dir():
        raise ArtefactError(f"there is no artefact at {model}: run the notebook, which saves one, or say --model")
    load_scorer(model)  # refuses what is no artefact, or too large for one, before its files are held in memory
    files = _files(model)
    manifest = load_scorer(model).manifest
    if _files(model) != files:
        raise ArtefactError(f"{model} was written while it was read: run this again when training is done")
    return manifest.version, manifest.checksum, files


def _files(model: Path) -> dict[str, bytes]:
    try:
        return {file.name: file.read_bytes() for file in sorted(model.iterdir()) if not file.name.startswith(".")}
    except OSError as error:
        raise ArtefactError(f"{model} cannot be read: {error.strerror}") from error
