"""What the model in use was made of, read again when another is used; kept small: the model itself is let go."""

from __future__ import annotations

import logging
from collections.abc import Callable

from atraso.artefact.reference import reference_of
from atraso.artefact.scorer import Scorer
from atraso.core.drift import Reference
from atraso.core.errors import AtrasoError

log = logging.getLogger("atraso")


class ModelReference:
    """Tells the reference of the model that *load* returns; *stamp* is what changes when that does."""

    def __init__(self, stamp: Callable[[], object], load: Callable[[], Scorer]) -> None:
        self._stamp, self._load = stamp, load
        self._found: tuple[object, Reference] | None = None

    def __call__(self) -> Reference | None:
        """Return the reference; the last one where the model cannot be read now, None where there was none."""
        try:
            stamp = self._stamp()
            if self._found is None or self._found[0] != stamp:
                self._found = stamp, reference_of(self._load())
        except (AtrasoError, OSError) as error:
            log.warning("The model in use cannot be read for the comparison with its training (%s).", error)
        return self._found[1] if self._found else None
