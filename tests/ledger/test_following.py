"""Following reads what is true now, and nothing is missed beside a writer."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from atraso.core.live import KnownFlight
from atraso.ledger.database import ledger_url, open_engine
from atraso.ledger.desk import Desk
from atraso.ledger.following import MONTH_MINUTES
from tests.ledger.places import BEGAN_MS, SCHEDULED_UTC, Place, heard, read_changes, report, running


def test_a_flight_is_told_with_all_that_is_known(place: Place) -> None:
    """Whichever of departure and schedule came after the version; local times are the airport's clock."""
    first = heard(place, report("1")).version
    heard(place, report("1", actual=10))
    flight = ("LAN", "1", "SCEL", "SPJC", SCHEDULED_UTC, SCHEDULED_UTC - 240)
    _, known = read_changes(place.engine, first)
    assert known == [KnownFlight(*flight, SCHEDULED_UTC + 10, False, True)]
    second = heard(place, report("2", cancelled=True)).version
    heard(place, report("2"))
    _, (cancelled,) = read_changes(place.engine, second)
    assert (cancelled.actual_utc, cancelled.cancelled, cancelled.published) == (None, True, True)


def test_an_old_report_that_comes_late_changes_no_truth(place: Place) -> None:
    """The flight is told again as it is."""
    version = heard(place, report(actual=10, at_ms=100)).version
    heard(place, report(actual=90, at_ms=50))
    assert [flight.actual_utc for flight in read_changes(place.engine, version)[1]] == [SCHEDULED_UTC + 10]


def test_a_ledger_that_is_not_there_is_empty_and_is_not_made(tmp_path: Path, place: Place) -> None:
    """No file, no tables, tables of an older version."""
    missing = open_engine(ledger_url(tmp_path / "none"), reading=True)
    assert read_changes(missing, 0) == (0, [])
    assert not (tmp_path / "none").exists()
    assert read_changes(place.reader(), 0) == (0, [])
    with closing(sqlite3.connect(tmp_path / "empty.sqlite3")) as connection:
        connection.execute("CREATE TABLE departures (airline)")
    older = open_engine(ledger_url(tmp_path, f"sqlite:///{tmp_path / 'empty.sqlite3'}"), reading=True)
    assert read_changes(older, 0) == (0, [])


def test_flights_of_many_months_are_told_once_each(place: Place) -> None:
    """Those that left, were published, or both: a first reading goes through the ledger in parts."""
    for number in range(36):
        moved = {"scheduled_utc": SCHEDULED_UTC + (number - 30) * MONTH_MINUTES // 2}
        left, published = report(str(number), actual=5), report(str(number))
        which = ((left,), (published,), (left, published))[number % 3]
        heard(place, *(msgspec.structs.replace(one, **moved) for one in which))
    known = read_changes(place.engine, 0)[1]
    assert sorted(int(flight.flight_number) for flight in known) == list(range(36))
    told = {(flight.actual_utc is not None, flight.published) for flight in known}
    assert told == {(True, False), (False, True), (True, True)}


def test_a_ledger_put_back_is_told_by_a_lower_version(sqlite_place: Place) -> None:
    """Whoever followed the one before asks for all again."""
    version = heard(sqlite_place, report("1")).version
    assert read_changes(sqlite_place.engine, version + 1000) == (version, [])


@pytest.mark.parametrize("rounds", [60])
def test_nothing_is_missed_while_the_writer_writes(place: Place, rounds: int) -> None:
    """Each flight reaches whoever follows once it is answered, and all are seen at the end."""
    with running(place):
        desk = Desk(place.data, place.url)

        def tell() -> None:
            for number in range(1, rounds + 1):
                desk.report("tower", BEGAN_MS, [report(str(number), actual=number), report(str(number))])

        teller = threading.Thread(target=tell)
        teller.start()
        engine, version, seen = place.reader(), 0, {}
        while teller.is_alive():
            version, known = read_changes(engine, version)
            seen |= {flight.flight_number: flight.actual_utc for flight in known if flight.published}
        teller.join()
        version, known = read_changes(engine, version)
        seen |= {flight.flight_number: flight.actual_utc for flight in known if flight.published}
    assert seen == {str(number): SCHEDULED_UTC + number for number in range(1, rounds + 1)}
