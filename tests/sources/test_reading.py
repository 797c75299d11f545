"""Rejects are written for people and for programs."""

from __future__ import annotations

import csv

import pytest

from atraso.core.errors import SourceError
from atraso.sources.bts import read_bts
from atraso.sources.reading import Reject, counted, flight_number_text, write_rejects
from atraso.sources.scl import read_scl
from tests.sources.bts_files import GONE, bts_path
from tests.sources.bts_files import row as bts_row
from tests.sources.scl_files import row, scl_path


def test_rejects_are_a_csv_of_row_reason_and_text(tmp_path):
    """The reject file can be read back: row number, reason and the row's text, long texts cut."""
    rejects = [
        Reject(0, "unknown column 'x' is ignored"),
        Reject(7, "Vlo-I is empty", 'a,"b",ñ'),
        Reject(9, "?", "x" * 900),
    ]
    write_rejects(rejects, tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert rows[0] == {"row": "0", "reason": "unknown column 'x' is ignored", "raw": ""}
    assert rows[1] == {"row": "7", "reason": "Vlo-I is empty", "raw": 'a,"b",ñ'}
    assert len(rows[2]["raw"]) == 500


@pytest.mark.parametrize(
    ("raw", "airline", "number"),
    [
        ("282", "LAN", "282"),
        ("0282", "LAN", "282"),
        ("282.0", "LAN", "282"),
        ("LA282", "LAN", "282"),
        ("LAN282", "LAN", "282"),
        ("h2 101", "SKU", "101"),
        ("989p", "LAN", "989P"),
        ("000", "LAN", "0"),
        ("LA282", "XXX", None),
        ("", "LAN", None),
        ("28/2", "LAN", None),
        ("123456789", "LAN", None),
    ],
)
def test_a_flight_number_is_compared_without_what_may_stand_around_it(raw, airline, number):
    """Zeros before, ".0" after, spaces and the airline's codes do not count; other characters are refused."""
    assert flight_number_text(raw, airline) == number


def test_counts_are_said_as_people_say_them():
    """One row, two rows, and thousands with a comma."""
    assert [counted(number, "row") for number in (0, 1, 61493)] == ["0 rows", "1 row", "61,493 rows"]


def test_a_reading_can_be_cut_to_some_origins(tmp_path):
    """Departures and flights that never left stay where their origin was named; rejects stay, zones go."""
    rows = [bts_row(Origin=origin, Dest="SEA") for origin in ("EWR", "LAX", "JFK", "EWR")]
    rows[3] |= {"Flight_Number_Reporting_Airline": "9", **GONE}
    reading = read_bts(bts_path(tmp_path, *rows, bts_row(Origin="LAX", Cancelled="?"), rows[1] | GONE))
    some = reading.of_origins(("KEWR", "KJFK"))
    assert some.departures.flights.origin.tolist() == ["KEWR", "KJFK"]
    assert some.unflown.flight_number.tolist() == ["9"]
    assert some.rows.tolist() == [1, 3]
    assert (set(some.zones), some.rejects) == ({"KEWR", "KJFK"}, reading.rejects)
    assert reading.of_origins(()) is reading
    with pytest.raises(SourceError, match="no departures from KSFO"):
        reading.of_origins(("KSFO",))


def test_the_challenge_columns_are_cut_with_the_departures(tmp_path):
    """Where the source has the challenge's columns they stay in line with the departures."""
    reading = read_scl(scl_path(tmp_path, row(Ori_I="SCFA", OPERA="Sky"), row(), row(Vlo_I="5", TIPOVUELO="N")))
    some = reading.of_origins(("SCEL",))
    assert some.challenge is not None
    assert some.challenge.airline_name.tolist() == ["Grupo LATAM"] * 2
    assert some.challenge.flight_type.tolist() == ["I", "N"]
    assert len(some.departures) == len(some.challenge.month) == len(some.challenge.delayed) == 2
