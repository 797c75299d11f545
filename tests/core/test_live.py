"""What is kept of flights answers as `State` does, whatever the order of reports."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atraso.core.flights import Departure, Flight, FlightTable, moment_from_utc_minutes
from atraso.core.keys import MINUTES_A_DAY
from atraso.core.live import AHEAD_DAYS, NOT_YET, SPAN_DAYS, KnownFlight, LiveFlights
from atraso.core.state import State

ZONE = ZoneInfo("America/Santiago")
NOW = 25_000_000  # July 2017
AIRLINES, NUMBERS, PLACES = ("LAN", "SKU"), ("1", "2", "3"), ("SCFA", "SPJC", "KMIA")


def flight(airline: str, number: str, place: str, scheduled_utc: int) -> Flight:
    return Flight(airline, number, "SCEL", place, moment_from_utc_minutes(scheduled_utc, ZONE))


def known(of: Flight, actual_utc: int | None, *, cancelled: bool = False, published: bool = False) -> KnownFlight:
    return KnownFlight(*of.identity, of.scheduled_local_minutes, actual_utc, cancelled, published)


# Scheduled in the last hundred days, most of them lately; left early, late, not yet, or never.
minutes_ago = st.one_of(st.integers(-600, 3000), st.integers(0, 100 * MINUTES_A_DAY))
flights = st.builds(
    lambda a, n, p, ago: flight(a, n, p, NOW - ago),
    st.sampled_from(AIRLINES), st.sampled_from(NUMBERS), st.sampled_from(PLACES), minutes_ago,
)  # fmt: skip
delays = st.one_of(st.none(), st.integers(-10, 200))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(flights, delays), min_size=1, max_size=40, unique_by=lambda told: told[0].identity),
    st.randoms(use_true_random=False),
    st.integers(0, 600),
)
def test_the_history_answers_as_the_state_does(told, random, ago) -> None:  # type: ignore[no-untyped-def]
    """In any order of reports, with corrections and repetitions among them, at moments before the last report too."""
    at = NOW - ago
    live, state = LiveFlights(), State()
    reports = []
    for one, delay in told:
        due = one.scheduled_utc_minutes
        actual = None if delay is None or due + delay > NOW else due + delay
        state.publish(one)
        if actual is not None:
            state.observe(Departure(one, moment_from_utc_minutes(actual, ZONE)))
        reports.append(known(one, actual, published=True))
        live.take([known(one, random.choice([None, due + 7]), published=True)])  # corrected below
        if random.random() < 0.3:
            live.history(at)
    random.shuffle(reports)
    live.take(reports)
    live.take(reports[:3])
    history = live.history(at)
    if history is None:  # flights of long ago that never left
        assert all(report.actual_utc is None for report in reports)
        assert all(report.scheduled_utc <= at - SPAN_DAYS * MINUTES_A_DAY for report in reports)
        return
    asked = [one for one, _ in told[:6]]
    table = FlightTable.of(asked)
    found = history.replay.state(table, np.full(len(asked), at))
    for row, one in enumerate(asked):
        expected = state.features(one, moment_from_utc_minutes(at, ZONE))
        for name, value in expected.items():
            assert found[name][row] == pytest.approx(value, abs=1e-9, nan_ok=True), name


def test_what_is_cancelled_is_not_awaited() -> None:
    """It crowds the schedule where it was published, and is not overdue; a correction makes it awaited again."""
    live = LiveFlights()
    one, other = flight("LAN", "1", "SPJC", NOW - 40), flight("LAN", "2", "SPJC", NOW - 30)
    gone = flight("LAN", "3", "SPJC", NOW - 100)
    live.take([known(gone, NOW - 95, published=True), known(other, None, published=True)])

    def overdue(cancelled: bool) -> tuple[float, float]:
        live.take([known(one, None, cancelled=cancelled, published=True)])
        history = live.history(NOW)
        assert history is not None
        table = FlightTable.of([other])
        waiting = history.replay.state(table, np.array([NOW]))["overdue.airport.0m"][0]
        return float(waiting), float(history.replay.crowding(table)["crowd.airport.-30..0"][0])

    assert overdue(False) == (2.0, 2.0)
    assert overdue(True) == (1.0, 2.0)
    assert overdue(False) == (2.0, 2.0)


def test_only_what_questions_are_about_is_made_ready() -> None:
    """Of a year, the last two months and, of what left before, the last of each key; the answers are the same."""
    live = LiveFlights()
    every = [flight("LAN", str(n % 3), "SPJC", NOW - hours * 60) for n, hours in enumerate(range(1, 365 * 24, 7))]
    live.take(known(one, one.scheduled_utc_minutes + n % 50) for n, one in enumerate(every))
    live.take([known(flight("SKU", "9", "KMIA", NOW - 300 * MINUTES_A_DAY), NOW - 300 * MINUTES_A_DAY)])
    live.take([known(flight("SKU", "8", "KMIA", NOW + 90 * MINUTES_A_DAY), None, published=True)])
    history = live.history(NOW)
    assert history is not None
    oldest = np.sort(history.departures.actual_utc)
    assert len(history.departures) < (SPAN_DAYS + 1) * 24 / 7 + 50
    assert oldest[0] == NOW - 300 * MINUTES_A_DAY, "the only departure of its flight number is kept"
    assert oldest[-1] < NOT_YET, f"beyond {AHEAD_DAYS} days nothing is asked"
    assert len(live) == len(every) + 2
    assert live.newest_departure(NOW) == max(
        o.scheduled_utc_minutes + n % 50 for n, o in enumerate(every) if o.scheduled_utc_minutes + n % 50 <= NOW
    )


def test_flights_of_the_day_before_tell_whether_a_schedule_is_known() -> None:
    """A schedule of next week does not say who is overdue now, nor one that ended; a day without flights is known."""
    live, later = LiveFlights(), NOW + 3 * MINUTES_A_DAY
    live.take([known(flight("LAN", "1", "SPJC", NOW + 7 * MINUTES_A_DAY), None, published=True)])
    assert not live.schedule_known(NOW)
    live.take([known(flight("LAN", "1", "SPJC", NOW - 60), None, published=True)])
    assert live.schedule_known(NOW)
    assert live.schedule_known(later), "nothing was to leave that day, and nothing left"
    live.take(
        [known(flight("LAN", "3", "SPJC", later - MINUTES_A_DAY - 60), later - MINUTES_A_DAY + 9, published=True)]
    )
    assert live.schedule_known(later), "what left was due the day before, and published"
    live.take([known(flight("LAN", "2", "SPJC", later - 60), later - 50)])
    assert not live.schedule_known(later), "a flight left that nobody had published"
    assert len(live.published_between(NOW, NOW + 8 * MINUTES_A_DAY)) == 2


def test_nothing_told_is_nothing_known() -> None:
    """No history, no newest departure; one cancelled flight alone does not make one."""
    live = LiveFlights()
    assert live.history(NOW) is None
    assert live.newest_departure(NOW) is None
    live.take([known(flight("LAN", "1", "SPJC", NOW - 60), None, cancelled=True, published=True)])
    assert live.history(NOW) is None


def test_what_left_before_a_silence_of_a_week_is_not_known_since() -> None:
    """One old report makes no history of today's first; days without one do not end it; later ones do not count yet."""
    live, day = LiveFlights(), MINUTES_A_DAY
    assert live.known_since(NOW) is None

    def left(*days_ago: int) -> None:
        live.take(known(flight("LAN", str(n), "SPJC", NOW - n * day), NOW - n * day) for n in days_ago)

    left(3000, 0)
    assert live.known_since(NOW) == NOW
    left(6, 12, 19)
    assert live.known_since(NOW) == NOW - 19 * day
    assert live.known_since(NOW - 5 * day) == NOW - 19 * day
    assert live.known_since(NOW - 14 * day) == NOW - 19 * day
    assert live.known_since(NOW - 100 * day) == NOW - 3000 * day
    left(27)
    assert live.known_since(NOW) == NOW - 19 * day, "eight days are more than a week"
    left(20)
    assert live.known_since(NOW) == NOW - 27 * day


def test_a_day_has_its_own_flights_and_hours() -> None:
    """A day's flights are those scheduled on it, in order; by the hour count those that left in it, whenever due."""
    day = 20_000
    start = day * MINUTES_A_DAY

    def known(
        number: int, local: int, late: int | None, origin: str = "SCEL", *, cancelled: bool = False
    ) -> KnownFlight:
        utc = start + local + 180
        actual = None if late is None else utc + late
        return KnownFlight("LAN", str(number), origin, "SPJC", utc, start + local, actual, cancelled, True)

    flights = LiveFlights()
    flights.take(
        [
            known(5, 23 * 60 + 50, 30),  # leaves on the next day
            known(1, 60, 0),
            known(2, -10, 20),  # of the day before, leaves on this one
            known(3, 600, None),
            known(4, 605, 16),
            known(6, 610, 5, "SAME"),
            known(7, 615, None, cancelled=True),
        ]
    )
    assert [flight.flight_number for flight in flights.of_day("SCEL", day)] == ["1", "3", "4", "7", "5"]
    assert [(f.actual_utc is None, f.cancelled) for f in flights.of_day("SCEL", day)][1:4] == [
        (True, False), (False, False), (True, True),
    ]  # fmt: skip
    hours = flights.left_by_hour("SCEL", day - 1, day + 1)
    assert hours.shape == (3, 24, 2)
    assert {(d, h): tuple(hours[d, h]) for d in range(3) for h in range(24) if hours[d, h].any()} == {
        (1, 0): (1, 1), (1, 1): (1, 0), (1, 10): (1, 1), (2, 0): (1, 1),
    }  # fmt: skip
