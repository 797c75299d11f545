"""Rejects are written for people and for programs."""

from __future__ import annotations

import csv

import pytest

from atraso.sources.reading import Reject, counted, flight_number_text, write_rejects


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
