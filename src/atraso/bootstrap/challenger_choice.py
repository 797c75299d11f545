"""Which model is the challenger, and whether it can stand beside the model in use."""

from __future__ import annotations

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
    try:
        manifest = load_scorer(folder, verify_key=settings.model_verify_key).manifest
    except ArtefactError as error:
        raise ArtefactError(f"The challenger {settings.challenger} is refused: {error}") from None
    ours, theirs = ({airport.icao for airport in each.airports} for each in (champion, manifest))
    if ours != theirs:
        raise SettingsError(
            f"The challenger {manifest.version} is of {', '.join(sorted(theirs))}, the model in use of "
            f"{', '.join(sorted(ours))}: name one of the same airports."
        )
    return Challenger(folder, settings.model_verify_key)
