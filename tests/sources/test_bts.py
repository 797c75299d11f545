"""US departures as BTS publishes them: every row a departure, a flight that never left, or a reject."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atraso.core.errors import SourceError
from atraso.sources.bts import midnight_minutes, read_bts, whole_number
from atraso.sources.clock import hhmm_minutes
from atraso.sources.reading import Reading
from tests.sources.bts_files import (
    FORM_HEADER,
    GONE,
    HEADER,
    a_year_of_rows,
    bts_path,
    bts_text,
    form_text,
    row,
    zipped,
)


def reasons(reading: Reading) -> list[tuple[int, str]]:
    """Return row and reason of every reject."""
    return [(reject.row, reject.reason) for reject in reading.rejects]


def written(folder: Path, content: str | bytes, name: str = "flights.csv") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_row_is_the_flight_it_is(tmp_path):
    """Codes become ICAO codes, times the origin's clock, the delay the file's own."""
    reading = read_bts(bts_path(tmp_path, row()))
    (departure,) = reading.departures.departures(reading.zones)
    flight = departure.flight
    assert (flight.airline, flight.flight_number, flight.origin, flight.destination) == ("UAL", "282", "KEWR", "KORD")
    assert flight.scheduled_departure.isoformat() == "2017-07-14T08:30:00-04:00"
    assert departure.actual_departure.isoformat() == "2017-07-14T08:50:00-04:00"
    assert reading.summary() == "1 departure, 0 rows rejected"


@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode()), zipped])
@pytest.mark.parametrize("told", [bts_text, form_text])
def test_both_headers_are_read_plain_and_packed(tmp_path, told, pack):
    """The prepared file and the download form give the same reading, as .csv, .csv.gz and .zip."""
    rows = (row(), row(Flight_Number_Reporting_Airline="7", Origin="LAX", **GONE))
    reading = read_bts(written(tmp_path, pack(told(*rows)), "named.otherwise"))
    assert reading.departures.delay_minutes.tolist() == [20]
    assert reading.unflown.origin.tolist() == ["KLAX"]
    assert reading.rejects == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("OP_UNIQUE_CARRIER", "UNIQUE_CARRIER"),
        ("OP_UNIQUE_CARRIER", "OP_CARRIER"),
        ("OP_CARRIER_FL_NUM", "FL_NUM"),
    ],
)
def test_other_names_of_a_column_are_known(tmp_path, old, new):
    """The form's names until 2018, and the IATA code where the unique code was not asked for."""
    path = written(tmp_path, form_text(row()).replace(old, new))
    assert read_bts(path).departures.flights.airline.tolist() == ["UAL"]


def test_the_unique_code_of_a_carrier_comes_first(tmp_path):
    """An IATA code that had several users is told apart: OH (1) was Comair, OH is PSA."""
    told = {"IATA_CODE_Reporting_Airline": "OH"}
    rows = [row(Reporting_Airline=code, **told) for code in ("OH", "OH (1)", "OH(1)")]
    rows[2]["Flight_Number_Reporting_Airline"] = "3"
    assert read_bts(bts_path(tmp_path, *rows)).departures.flights.airline.tolist() == ["JIA", "COM", "COM"]


@pytest.mark.parametrize(
    ("changes", "delay", "left"),
    [
        ({"CRSDepTime": "2355", "DepTime": "0010", "DepDelay": "15.00"}, 15, "2017-07-15T00:10:00-04:00"),
        ({"CRSDepTime": "2355", "DepTime": "2400", "DepDelay": "5.00"}, 5, "2017-07-15T00:00:00-04:00"),
        ({"CRSDepTime": "0005", "DepTime": "2358", "DepDelay": "-7.00"}, -7, "2017-07-13T23:58:00-04:00"),
        ({"CRSDepTime": "0005", "DepTime": "2400", "DepDelay": "-5.00"}, -5, "2017-07-14T00:00:00-04:00"),
        ({"CRSDepTime": "2400", "DepTime": "0003", "DepDelay": "3.00"}, 3, "2017-07-15T00:03:00-04:00"),
        ({"CRSDepTime": "0830", "DepTime": "0831", "DepDelay": "1441.00"}, 1441, "2017-07-15T08:31:00-04:00"),
        ({"CRSDepTime": "830", "DepTime": "845.0", "DepDelay": "15"}, 15, "2017-07-14T08:45:00-04:00"),
        ({"DepTime": "0830", "DepDelay": "-0.00"}, 0, "2017-07-14T08:30:00-04:00"),
    ],
)
def test_the_day_of_departure_follows_from_the_delay(tmp_path, changes, delay, left):
    """Before or after midnight, at 2400, or a day late: the departure is where schedule and delay put it."""
    reading = read_bts(bts_path(tmp_path, row(**changes)))
    (departure,) = reading.departures.departures(reading.zones)
    assert departure.delay_minutes == delay
    assert departure.actual_departure.isoformat() == left


@pytest.mark.parametrize(
    ("day", "scheduled", "left", "told", "delay"),
    [
        # On 12 March 2017 02:00 became 03:00: the hour between does not exist.
        ("2017-03-12", "0150", "0310", "80.00", 20),  # counted on the clock
        ("2017-03-12", "0150", "0310", "20.00", 20),  # counted by what passed
        ("2017-03-11", "2350", "0305", "195.00", 135),
        ("2017-03-12", "0230", "0340", "70.00", 10),  # a schedule in the gap is read as before it
        # On 5 November 2017 02:00 became 01:00: the hour from 01:00 happens twice.
        ("2017-11-05", "0050", "0130", "40.00", 40),
        ("2017-11-05", "0050", "0130", "100.00", 100),  # the second 01:30
        ("2017-11-05", "0150", "0210", "20.00", 80),
        ("2017-11-05", "0150", "0210", "80.00", 80),
    ],
)
def test_a_clock_change_makes_no_delay(tmp_path, day, scheduled, left, told, delay):
    """Over New York's clock changes a delay is what passed, whichever way DepDelay was counted."""
    changed = row(FlightDate=day, CRSDepTime=scheduled, DepTime=left, DepDelay=told)
    assert read_bts(bts_path(tmp_path, changed)).departures.delay_minutes.tolist() == [delay]


def test_airports_have_clocks_of_their_own(tmp_path):
    """Newark, Chicago, Phoenix (no summer time), Los Angeles and Honolulu at 08:30 are five moments."""
    origins = ("EWR", "ORD", "PHX", "LAX", "HNL")
    reading = read_bts(bts_path(tmp_path, *(row(Origin=origin, Dest="SEA") for origin in origins)))
    flights = reading.departures.flights
    assert ((flights.scheduled_utc - flights.scheduled_local) // 60).tolist() == [4, 5, 7, 7, 10]
    assert reading.departures.delay_minutes.tolist() == [20] * 5
    assert set(reading.zones) == {"KEWR", "KORD", "KPHX", "KLAX", "PHNL"}


@pytest.mark.parametrize(
    "changes",
    [
        GONE,
        {"Cancelled": "1.00"},  # left the gate, came back, was cancelled
        {"Cancelled": "1"},
        {"DepTime": "", "DepDelay": ""},
    ],
)
def test_cancelled_flights_and_those_that_never_left_are_unflown(tmp_path, changes):
    """They are in the schedule and no departure, also where a gate return left its times in the row."""
    reading = read_bts(bts_path(tmp_path, row(**changes), row(Flight_Number_Reporting_Airline="5")))
    assert reading.unflown.flight_number.tolist() == ["282"]
    assert reading.departures.flights.flight_number.tolist() == ["5"]
    assert reading.rows.tolist() == [2]
    assert reading.rejects == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"FlightDate": "2017-02-29"}, "FlightDate is not a date: '2017-02-29'"),
        ({"FlightDate": "14.07.2017"}, "FlightDate is not a date: '14.07.2017'"),
        ({"FlightDate": ""}, "FlightDate is not a date: ''"),
        ({"CRSDepTime": "2460"}, "CRSDepTime is not a time of day (hhmm): '2460'"),
        ({"CRSDepTime": "0861"}, "CRSDepTime is not a time of day (hhmm): '0861'"),
        ({"CRSDepTime": ""}, "CRSDepTime is not a time of day (hhmm): ''"),
        ({"DepTime": "08:50"}, "DepTime is not a time of day (hhmm): '08:50'"),
        ({"DepTime": ""}, "DepTime is not a time of day (hhmm): ''"),
        ({"DepDelay": ""}, "DepDelay is not a number of minutes: ''"),
        ({"DepDelay": "20.5"}, "DepDelay is not a number of minutes: '20.5'"),
        ({"DepTime": "0851"}, "DepTime is 0851, which is not 20 minutes from the schedule"),
        ({"DepTime": "0950"}, "DepTime is 0950, which is not 20 minutes from the schedule"),
        ({"Cancelled": ""}, "Cancelled is not 0 or 1: ''"),
        ({"Cancelled": "2.00"}, "Cancelled is not 0 or 1: '2.00'"),
        ({"Reporting_Airline": "??"}, "no ICAO code is known for '??'"),
        ({"Origin": "???"}, "no ICAO code is known for '???'"),
        ({"Dest": ""}, "no ICAO code is known for ''"),
        ({"Flight_Number_Reporting_Airline": "2/8"}, "not a flight number: '2/8'"),
        ({"Flight_Number_Reporting_Airline": ""}, "not a flight number: ''"),
        (
            {"DepDelay": "2881.00", "DepTime": "0831"},
            "a delay of 2,881 minutes; beyond 48 hours is taken for an error",
        ),
    ],
)
def test_a_bad_row_is_rejected_with_its_number_and_reason(tmp_path, changes, reason):
    """A row that cannot be used is a reject with number, reason and text; the others are read."""
    good = [row(Flight_Number_Reporting_Airline=number) for number in ("1", "3")]
    reading = read_bts(bts_path(tmp_path, good[0], row(**changes), good[1]))
    assert reasons(reading) == [(2, reason)]
    assert reading.rejects[0].raw == bts_text(row(**changes)).splitlines()[1][:500]
    assert reading.departures.flights.flight_number.tolist() == ["1", "3"]
    assert reading.rows.tolist() == [1, 3]


def test_of_rows_for_the_same_flight_the_first_is_kept(tmp_path):
    """A repeat is rejected naming the first, also where one left and the other was cancelled."""
    rows = (row(), row(Dest="LAX"), row(Flight_Number_Reporting_Airline="0282", **GONE), row())
    reading = read_bts(bts_path(tmp_path, *rows))
    assert reasons(reading) == [(3, "the same flight as row 1"), (4, "the same flight as row 1")]
    assert (reading.rows.tolist(), len(reading.unflown)) == ([1, 2], 0)


def test_months_may_follow_one_another_each_with_its_header(tmp_path):
    """Two files put one after the other are one: the second header is no row."""
    text = bts_text(row()) + bts_text(row(FlightDate="2017-08-01"))
    reading = read_bts(written(tmp_path, text))
    assert reading.rows.tolist() == [1, 3]
    assert reading.rejects == ()


def test_standard_input_is_read_plain_and_gzip():
    """The path "-" reads standard input."""
    script = "from atraso.sources.bts import read_bts; print(read_bts('-').summary())"
    for data in (bts_text(row()).encode(), gzip.compress(form_text(row()).encode())):
        done = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, check=True)
        assert done.stdout.decode().strip() == "1 departure, 0 rows rejected"


@pytest.mark.parametrize("name", ["FlightDate", "Origin", "CRSDepTime", "DepTime", "DepDelay", "Cancelled"])
def test_a_missing_column_stops_with_its_name(tmp_path, name):
    """A prepared file without a needed column is refused with a sentence that names it as that file does."""
    header = [column for column in HEADER if column != name]
    with pytest.raises(SourceError, match=f"missing column {name};"):
        read_bts(written(tmp_path, bts_text(row(), header=header)))


@pytest.mark.parametrize("name", FORM_HEADER)
def test_a_column_not_ticked_in_the_form_stops_with_its_name(tmp_path, name):
    """A download without a needed column is refused with the form's name for it."""
    with pytest.raises(SourceError, match=f"missing column {name};"):
        read_bts(written(tmp_path, re.sub(rf"\b{name}\b", "OTHER", form_text(row()))))


def test_progress_ends_at_the_whole_file(tmp_path):
    """The caller hears of packed bytes read that never fall and end where the packed data ends."""
    path = written(tmp_path, zipped(bts_text(*a_year_of_rows() * 2)), "flights.zip")
    heard: list[tuple[int, int | None]] = []
    read_bts(path, lambda done, total: heard.append((done, total)))
    assert len(heard) > 2
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert len({total for _, total in heard}) == 1
    assert heard[-1][0] == heard[-1][1] <= path.stat().st_size


@given(st.integers(0, 1440))
def test_every_minute_of_the_day_is_read_as_written(minute):
    """hhmm with or without leading zeros or a decimal point is that minute; 2400 is the end of the day."""
    hhmm = minute // 60 * 100 + minute % 60
    assert {hhmm_minutes(text) for text in (f"{hhmm:04}", f"{hhmm}", f"{hhmm}.0", f" {hhmm:04} ")} == {minute}


@given(st.one_of(st.text(max_size=8), st.integers(-9999, 99999).map(str)))
def test_any_text_is_a_minute_of_the_day_or_none(text):
    """Nothing else is taken for a time, and nothing crashes."""
    minutes = hhmm_minutes(text)
    if minutes is not None:
        assert 0 <= minutes <= 1440
        assert int(float(text)) == minutes // 60 * 100 + minutes % 60


@given(st.dates(min_value=np.datetime64("1970-01-01").item(), max_value=np.datetime64("2099-12-31").item()))
def test_every_day_is_read_in_each_of_its_forms(day):
    """2017-01-31, 20170131, 1/31/2017 and 01/31/2017 12:00:00 AM are one day."""
    forms = (
        day.isoformat(),
        f"{day:%Y%m%d}",
        f"{day.month}/{day.day}/{day.year}",
        f"{day:%m/%d/%Y} 12:00:00 AM",
    )
    midnight = (np.datetime64(day, "m") - np.datetime64("1970-01-01", "m")).astype(int)
    assert {midnight_minutes(form) for form in forms} == {int(midnight)}


@pytest.mark.parametrize(
    "text", ["", "2017-0714", "201707-14", "7/14/17", "13/14/2017", "7/14/2017 1:00:00 PM", "1969-12-31", "2100-01-01"]
)
def test_other_texts_are_no_day(text):
    """A date of another form, or of a far year, is None."""
    assert midnight_minutes(text) is None


@given(st.integers(-99_999, 99_999))
def test_delays_are_whole_numbers_with_or_without_decimals(number):
    """-5, -5. and -5.00 are the same number."""
    assert {whole_number(f"{number}{ending}") for ending in ("", ".", ".0", ".00")} == {number}


CELLS = st.one_of(
    st.sampled_from(["", "0", "1.00", "2400", "0830", "2017-07-14", "2017-03-12", "3/12/2017", "EWR", "UA", "-1440"]),
    st.sampled_from(["1970-01-01", "-1", "2359", "0000", "PPG", "GUM", '"', "\r", "\0", "9" * 30, "\uff11\uff12"]),
    st.text(max_size=8),
)
ROWS = st.dictionaries(st.sampled_from(sorted(row())), CELLS, max_size=4).map(lambda changes: row(**changes))


def accounted(data: bytes) -> None:
    """Check that every row is a departure, a flight that never left or a reject, unless the file is refused whole."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), data)
        try:
            reading = read_bts(path)
        except SourceError as error:
            assert str(path) in str(error)
            return
    if data.startswith((b"\x1f\x8b", b"PK")):
        return
    header, *lines = data.split(b"\n")
    rows = [n for n, line in enumerate(lines, 1) if line.rstrip(b"\r") not in (b"", header.rstrip(b"\r"))]
    rejected = [reject.row for reject in reading.rejects]
    unaccounted = sorted(set(rows) - set(rejected) - set(reading.rows.tolist()))
    assert len(unaccounted) == len(reading.unflown)
    assert len(rows) == len(rejected) + len(reading.departures) + len(reading.unflown)
    assert all(reject.reason for reject in reading.rejects)
    assert np.all(np.abs(reading.departures.delay_minutes) <= 48 * 60 + 60)


@settings(max_examples=300, deadline=None)
@given(st.lists(ROWS, max_size=6), st.sampled_from([bts_text, form_text]))
def test_any_cells_are_accounted_for(rows, told):
    """Rows of any cells are all accounted for, in both forms."""
    if told is form_text:
        rows = [cells for cells in rows if cells["FlightDate"].count("-") == 2 and cells["FlightDate"][-2:].isdigit()]
    accounted(told(*rows).encode("utf-8", "surrogatepass").replace(b"\r\n", b"\n"))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["bare", "rows", "gzip", "zip"]))
def test_any_bytes_are_refused_or_accounted_for(data, place):
    """Any bytes, bare, after a header, or as if packed, give a SourceError or a reading of every row."""
    before = {"bare": b"", "rows": bts_text(row()).encode(), "gzip": b"\x1f\x8b", "zip": b"PK\x03\x04"}
    accounted(before[place] + data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_spoilt_zip_is_refused_with_a_sentence(data):
    """A zip with any byte changed, or its end cut off, is read as it was or refused; it never crashes."""
    whole = zipped(bts_text(*(row(Flight_Number_Reporting_Airline=str(n)) for n in range(40))))
    place, value = data.draw(st.integers(4, len(whole) - 1)), data.draw(st.integers(0, 255))
    accounted(whole[:place] + bytes([value]) + whole[place + 1 :])
    accounted(whole[:place])


def test_memory_is_bounded_by_the_flights_not_by_the_file(tmp_path):
    """Reading needs a small part of the file's size: no line is kept, and no text twice."""
    import tracemalloc

    rows = [cells | {"OriginStateName": "x" * 1000} for cells in a_year_of_rows()[:6000]]
    path = bts_path(tmp_path, *rows)
    read_bts(path)  # codes, zones and days are remembered from the first time
    tracemalloc.start()
    reading = read_bts(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(reading.departures) + len(reading.unflown) == len(rows)
    assert path.stat().st_size > 1000 * len(rows) > 2 * peak
