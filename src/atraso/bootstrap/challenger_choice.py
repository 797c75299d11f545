"""Which model is the challenger, and whether it can stand beside the model in use."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from atraso.artefact.manifest import Manifest
from atraso.artefact.scorer import load_scorer
from atraso.artefact.store import Store
from atraso.bootstrap.challenger_process import Challenger
from atraso.core.errors import ArtefactError, SettingsError
from atraso.settings import Settings


def challenger_folder(named: str, models: Store) -> Path:
    """Return the folder of a challenger, *named* by folder or version; raises ArtefactError where there is none."""
    folder = Path(named)
    if folder.is_dir():
        return folder.absolute()
    try:
        return models.folder_of(named)
    except ArtefactError as error:
        raise ArtefactError(f"The challenger cannot be used: {error}; nor is there such a folder.") from None


def chosen_challenger(settings: Settings, models: Store, champion: Manifest) -> Challenger | None:
    """Return the challenger that *settings* name, proved to load and to be of the airports of *champion*.

    None where none is named. Raises SettingsError where no ledger is kept for it, or the airports differ, and
    ArtefactError where it is refused.
    """
    if not settings.challenger:
        return None
    if settings.ledger == "off":
        raise SettingsError(
            f"challenger is {settings.challenger!r}, but no answers are kept for it to stand beside: set ledger to "
            "spool (ATRASO_LEDGER=spool) as well."
        )
    folder = challenger_folder(settings.challenger, models)
    challenger = Challenger(folder, settings.model_verify_key)
    tried = _tried(challenger)
    if isinstance(tried, ArtefactError):
        raise ArtefactError(f"The challenger {settings.challenger} is refused: {tried}")
    ours, theirs = ({airport.icao for airport in each.airports} for each in (champion, tried))
    if ours != theirs:
        raise SettingsError(
            f"The challenger {tried.version} is of {', '.join(sorted(theirs))}, the model in use of "
            f"{', '.join(sorted(ours))}: name one of the same airports."
        )
    return challenger


def _tried(challenger: Challenger) -> Manifest | ArtefactError:
    """Return the manifest of a challenger that can be loaded, or why it cannot.

    A process of its own finds out: whatever is loaded here stays in the memory of all workers.
    """
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)

    def work() -> None:
        try:
            found: Manifest | ArtefactError = load_scorer(challenger.folder, verify_key=challenger.verify_key).manifest
        except ArtefactError as error:
            found = error
        writer.send(found)

    process = context.Process(target=work, daemon=True)
    process.start()
    writer.close()
    try:
        tried: Manifest | ArtefactError = reader.recv()
    except EOFError:
        tried = ArtefactError("whoever loaded it ended before it could tell; is there memory for it?")
    finally:
        reader.close()
        process.join()
    return tried
