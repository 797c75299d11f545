"""What is heard of departures ends in the same truth, whatever comes twice, late, or in another order."""

from __future__ import annotations

import multiprocessing
import time
from itertools import groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from atraso.core.errors import LedgerError
from atraso.core.live import KnownFlight
from atraso.ledger.commands import FlightReport, Reported
from atraso.ledger.database import ledger_url, open_engine
from atraso.ledger.desk import Desk
from atraso.ledger.schema import DEPARTURES, SCHEDULE
from tests.ledger.places import BEGAN_MS, SCHEDULED_UTC, Place, heard, read_changes, report, running

reports = st.builds(
    lambda number, at_ms, actual: report(number, at_ms=at_ms, actual=actual, cancelled=actual is None),
    st.sampled_from("12"),
    st.integers(1, 4),
    st.sampled_from([None, -5, 10, 20]),
)
anything = st.one_of(reports, reports, reports, st.sampled_from("123").map(report))


def truth(told: list[FlightReport]) -> dict[str, tuple[int | None, bool, bool]]:
    """Return what is true of each flight after *told*: minutes of delay, cancelled, published."""
    flights: dict[str, tuple[int | None, bool, bool]] = {}
    for number in {flight.flight_number for flight in told}:
        mine = [flight for flight in told if flight.flight_number == number]
        left = [flight for flight in mine if flight.cancelled or flight.actual_utc is not None]
        # The latest report; a time goes before a cancellation, a later time before an earlier one.
        last = max(left, key=lambda f: (f.reported_ms or 0, f.actual_utc or -1), default=None)
        delay = None if last is None or last.actual_utc is None else last.actual_utc - SCHEDULED_UTC
        flights[number] = (delay, last is not None and last.cancelled, len(left) < len(mine))
    return flights


def of(known: list[KnownFlight]) -> dict[str, tuple[int | None, bool, bool]]:
    """Return the same of what is known, which has each flight once."""
    assert len({flight[:5] for flight in known}) == len(known)
    assert {flight.scheduled_local - flight.scheduled_utc for flight in known} <= {-240}
    return {
        flight.flight_number: (
            None if flight.actual_utc is None else flight.actual_utc - flight.scheduled_utc,
            flight.cancelled,
            flight.published,
        )
        for flight in known
    }


def forget(place: Place) -> None:
    with place.engine.begin() as connection:
        connection.execute(delete(DEPARTURES))
        connection.execute(delete(SCHEDULE))


def tables(place: Place) -> tuple[list[tuple[object, ...]], ...]:
    """Return both tables but for their versions."""
    with place.engine.connect() as connection:
        return tuple(
            sorted((tuple(row)[:-1] for row in connection.execute(select(table))), key=repr)
            for table in (DEPARTURES, SCHEDULE)
        )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(anything, max_size=12), data=st.data())
def test_any_order_of_reports_gives_the_same_truth(place: Place, told: list[FlightReport], data: st.DataObject) -> None:
    """Permuted, repeated, one by one or in batches: equal tables, and all that follow end with what is true."""
    ends = []
    for _ in range(2):
        forget(place)
        order = data.draw(st.permutations(told + told[: data.draw(st.integers(0, len(told)))]))
        version, followed = read_changes(place.engine, 0)
        assert (version, followed) == (0, [])
        known: dict[str, tuple[int | None, bool, bool]] = {}
        cuts = {index: data.draw(st.integers(0, 2)) for index in range(len(order))}
        for _, batch in groupby(range(len(order)), key=lambda index: sum(cuts[i] == 0 for i in range(index + 1))):
            reported = heard(place, *[order[index] for index in batch])
            after, changed = read_changes(place.engine, version)
            new = reported.departures + reported.scheduled
            assert (after == reported.version, after > version, bool(changed)) == (True, new > 0, new > 0)
            version = after
            known |= of(changed)
        assert known == of(read_changes(place.engine, 0)[1]) == truth(told)
        ends.append(tables(place))
    assert ends[0] == ends[1]


def test_a_departure_is_counted_once(place: Place) -> None:
    """Told again, with its moment or without, it changes nothing; the version stays."""
    first = heard(place, report("1", actual=10), report("2", actual=5, at_ms=7), report("3"))
    assert (first.departures, first.scheduled) == (2, 1)
    for at_ms in (BEGAN_MS, BEGAN_MS + 60_000):
        again = heard(place, report("1", actual=10), report("2", actual=5, at_ms=7), report("3"), at_ms=at_ms, by="x")
        assert again == Reported(0, 0, first.version)
    assert read_changes(place.engine, first.version) == (first.version, [])


def test_a_later_report_corrects_an_earlier_one(place: Place) -> None:
    """By the moment of the report, not of its coming; also a cancellation, and its being taken back."""

    def now() -> tuple[int | None, bool]:
        (flight,) = read_changes(place.engine, 0)[1]
        return (None if flight.actual_utc is None else flight.actual_utc - SCHEDULED_UTC), flight.cancelled

    heard(place, report(actual=10, at_ms=100))
    heard(place, report(actual=90, at_ms=50))
    assert now() == (10, False)
    heard(place, report(cancelled=True, at_ms=150))
    assert now() == (None, True)
    heard(place, report(cancelled=True, at_ms=200), report(actual=30, at_ms=200))
    assert now() == (30, False)
    heard(place, report(actual=35), at_ms=BEGAN_MS)
    assert now() == (35, False)
    heard(place, report(actual=30), at_ms=BEGAN_MS + 1)  # says what was true once, but not last
    assert now() == (30, False)


def test_that_a_flight_is_scheduled_takes_nothing_back(place: Place) -> None:
    """It is published then; that it left stays true."""
    heard(place, report(actual=10))
    before, _ = read_changes(place.engine, 0)
    heard(place, report())
    _, (flight,) = read_changes(place.engine, before)
    assert (flight.actual_utc, flight.cancelled, flight.published) == (SCHEDULED_UTC + 10, False, True)


def test_versions_rise_although_the_clock_does_not(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is set back, and two transactions in one millisecond."""
    monkeypatch.setattr(time, "time_ns", lambda: 5_000_000_000)
    versions = [heard(place, report(str(number))).version for number in range(1, 4)]
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    versions.append(heard(place, report("9")).version)
    assert versions == [5000, 5001, 5002, 5003]


def _tell(place: Place, mine: int) -> None:
    engine = open_engine(ledger_url(place.data, place.url))
    other = Place(place.data, place.url, _engine=[engine])
    for number in range(1, 41):
        heard(other, report(str(1000 * mine + number)), report(str(number), actual=mine, at_ms=number))
    engine.dispose()


def test_who_follows_several_writers_misses_nothing(postgres_place: Place) -> None:
    """Two services share a database: whatever is committed after a version was read has a greater one."""
    place = postgres_place
    assert read_changes(place.engine, 0) == (0, [])
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_tell, args=(Place(place.data, place.url), mine)) for mine in (1, 2, 3)]
    for writer in writers:
        writer.start()
    version, seen = 0, {}
    while any(writer.is_alive() for writer in writers):
        version, changed = read_changes(place.engine, version)
        seen |= {flight[:5]: flight for flight in changed}
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    version, changed = read_changes(place.engine, version)
    seen |= {flight[:5]: flight for flight in changed}
    assert len(seen) == 160
    assert set(seen.values()) == set(read_changes(place.engine, 0)[1])
    assert {flight.actual_utc for flight in seen.values()} == {None, SCHEDULED_UTC + 3}
    with place.engine.connect() as connection:
        found = connection.execute(select(SCHEDULE.c.received_ms).distinct()).all()
    assert len(found) == 120


def test_the_desk_tells_it_to_whoever_writes(place: Place) -> None:
    """The running writer, or the database itself; what no report can say is refused in a sentence."""
    desk = Desk(place.data, place.url)
    first = desk.report("tower", BEGAN_MS, [report("1", actual=3), report("2")])
    with running(place):
        assert desk.report("tower", BEGAN_MS + 5, [report("1", actual=3), report("2")]) == Reported(0, 0, first.version)
        second = desk.report("tower", BEGAN_MS + 5, [report("1", actual=4)])
        assert (second.departures, second.version > first.version) == (1, True)
        with pytest.raises(LedgerError, match="does not take this"):
            desk.report("tower", BEGAN_MS, [report("1", actual=-26_000_000)])
        with pytest.raises(LedgerError, match="does not take this"):
            desk.report("tower", BEGAN_MS, [report("1")] * 10_001)


def test_ten_thousand_departures_are_one_request(place: Place) -> None:
    """As many as one request over HTTP may have."""
    told = tuple(report(str(number), actual=number % 200) for number in range(1, 10_001))
    with running(place):
        done = Desk(place.data, place.url).report("tower", BEGAN_MS, told)
    assert done.departures == 10_000
    assert of(read_changes(place.reader(), 0)[1]) == {str(n): (n % 200, False, False) for n in range(1, 10_001)}
