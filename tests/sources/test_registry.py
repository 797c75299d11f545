"""The sources by name."""

from __future__ import annotations

import pytest

from atraso.core.errors import SourceError
from atraso.sources.registry import read
from tests.sources.scl_files import row, scl_path


def test_a_source_is_read_by_its_name(tmp_path):
    """The name scl with a file reads that file."""
    assert len(read("scl", str(scl_path(tmp_path, row()))).departures) == 1


@pytest.mark.parametrize(
    ("source", "data", "sentence"),
    [
        ("scl", None, "needs a file"),
        ("nyc", "flights.csv", "brings its own flights"),
        ("bts", None, "there are scl, nyc"),
    ],
)
def test_a_source_used_wrongly_says_how_to_use_it(source, data, sentence):
    """An unknown name, a missing file or one too many is refused with what to do."""
    with pytest.raises(SourceError, match=sentence):
        read(source, data)
