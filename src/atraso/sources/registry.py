"""The sources by name."""

from __future__ import annotations

from atraso.core.errors import SourceError
from atraso.sources import SOURCES
from atraso.sources.bts import read_bts
from atraso.sources.nyc import read_nyc
from atraso.sources.reading import Progress, Reading
from atraso.sources.scl import read_scl

OF_A_FILE = {"scl": read_scl, "bts": read_bts}


def read(source: str, data: str | None, progress: Progress | None = None) -> Reading:
    """Return what a source holds: "scl" or "bts" from the file *data* ("-" is standard input), or "nyc".

    *progress* is called with bytes read and bytes in all. Raises SourceError for a source nobody knows, for
    one of a file without it and for nyc with one; MissingExtraError where nyc's package is not installed.
    """
    if source in OF_A_FILE:
        if data is None:
            raise SourceError(f"the source {source} needs a file: --data FILE (or --data - for standard input)")
        return OF_A_FILE[source](data, progress)
    if source == "nyc":
        if data is not None:
            raise SourceError("the source nyc brings its own flights; leave --data out")
        return read_nyc(progress)
    raise SourceError(f"no source is called {source!r}; there are {', '.join(SOURCES)}")
