"""The sources by name."""

from __future__ import annotations

from atraso.core.errors import SourceError
from atraso.sources.nyc import read_nyc
from atraso.sources.reading import Progress, Reading
from atraso.sources.scl import read_scl

SOURCES = ("scl", "nyc")


def read(source: str, data: str | None, progress: Progress | None = None) -> Reading:
    """Return what the *source* named "scl" (from the file *data*, "-" is standard input) or "nyc" holds.

    *progress* is called with bytes read and bytes in all. Raises SourceError for a source nobody knows, for
    scl without a file and for nyc with one; MissingExtraError where nyc's package is not installed.
    """
    if source == "scl":
        if data is None:
            raise SourceError("the source scl needs a file: --data FILE (or --data - for standard input)")
        return read_scl(data, progress)
    if source == "nyc":
        if data is not None:
            raise SourceError("the source nyc brings its own flights; leave --data out")
        return read_nyc(progress)
    raise SourceError(f"no source is called {source!r}; there are {', '.join(SOURCES)}")
