"""The sources by name."""

from __future__ import annotations

import pytest

from atraso.core.errors import SourceError
from atraso.sources import SOURCES
from atraso.sources.registry import read
from tests.sources.bts_files import bts_path
from tests.sources.bts_files import row as bts_row
from tests.sources.scl_files import row, scl_path


def test_a_source_is_read_by_its_name(tmp_path):
    """The names scl and bts with a file read that file."""
    assert len(read("scl", str(scl_path(tmp_path, row()))).departures) == 1
    assert len(read("bts", str(bts_path(tmp_path, bts_row()))).departures) == 1


def test_every_source_named_in_the_help_is_known():
    """Used wrongly, each name says what it needs, and none that nobody knows it."""
    for source in SOURCES:
        with pytest.raises(SourceError) as refused:
            read(source, "flights.csv" if source == "nyc" else None)
        assert "no source is called" not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "data", "sentence"),
    [
        ("scl", None, "needs a file"),
        ("nyc", "flights.csv", "brings its own flights"),
        ("bts", None, "the source bts needs a file"),
        ("xyz", None, "there are scl, nyc, bts"),
    ],
)
def test_a_source_used_wrongly_says_how_to_use_it(source, data, sentence):
    """An unknown name, a missing file or one too many is refused with what to do."""
    with pytest.raises(SourceError, match=sentence):
        read(source, data)
