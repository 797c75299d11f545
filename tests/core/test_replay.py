"""The vectorised replay and the plain state are the same thing, and neither can see the future."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atraso.core.features import SCHEDULE, STATE, features_known
from atraso.core.flights import Departure, DepartureTable, Flight, FlightTable, utc_minutes
from atraso.core.replay import Replay
from atraso.core.state import State

ZONE = ZoneInfo("America/Santiago")
ZONES = {"SCEL": ZONE, "SCFA": ZONE}
# Over the end of summer time (13 May 2017): local days of 25 hours must not upset anything.
START = datetime(2017, 5, 10, tzinfo=ZONE)


@st.composite
def departures_of_some_days(draw: st.DrawFn) -> list[Departure]:
    """Up to sixty departures of few airlines and places within five days, some with the same key, early and late."""
    out = {}
    for _ in range(draw(st.integers(1, 60))):
        scheduled = START + timedelta(minutes=draw(st.integers(0, 5 * 24 * 60)))
        flight = Flight(
            draw(st.sampled_from(["LAN", "SKU"])),
            draw(st.sampled_from(["1", "22", "333"])),
            draw(st.sampled_from(["SCEL", "SCEL", "SCFA"])),
            draw(st.sampled_from(["SPJC", "SCIE", "SCTE"])),
            scheduled.astimezone(ZONE),
        )
        # beyond six hours too: such a flight stops counting as overdue before it leaves
        delay = draw(st.one_of(st.integers(-14, 160), st.integers(300, 500)))
        out[flight.identity] = Departure(flight, flight.scheduled_departure + timedelta(minutes=delay))
    return list(out.values())


def table_of(departures: list[Departure]) -> DepartureTable:
    return DepartureTable(
        FlightTable.of([d.flight for d in departures]),
        np.array([utc_minutes(d.actual_departure) for d in departures], dtype=np.int64),
    )


@settings(max_examples=60, deadline=None)
@given(departures_of_some_days(), st.integers(0, 26 * 60), st.booleans())
def test_replay_equals_state(departures: list[Departure], lead_minutes: int, schedule: bool) -> None:
    """Every feature of every flight is the same number, whether replayed as a table or observed one by one in time."""
    table = table_of(departures)
    at = table.flights.scheduled_utc - lead_minutes
    replay = Replay(table, schedule=schedule)
    many = replay.state(table.flights, at) | replay.crowding(table.flights)
    state = State()
    if schedule:
        for departure in departures:
            state.publish(departure.flight)
    waiting = sorted(departures, key=lambda d: d.actual_departure)
    for row in np.argsort(at, kind="stable"):
        moment = datetime.fromtimestamp(int(at[row]) * 60, tz=ZONE)
        while waiting and waiting[0].actual_departure <= moment:
            state.observe(waiting.pop(0))
        flight = departures[row].flight
        one = state.features(flight, moment) | (state.crowding(flight) if schedule else {})

        assert one.keys() == many.keys()
        for name, value in one.items():
            assert many[name][row] == pytest.approx(value, nan_ok=True, abs=1e-12), name


def test_the_declared_features_are_the_computed_ones() -> None:
    """The state and the crowding compute exactly what the specification declares as needing them."""
    flight = Flight("LAN", "1", "SCEL", "SPJC", START)
    state = State()
    state.publish(flight)
    computed = set(state.features(flight, START)) | set(state.crowding(flight))

    declared = {f.name for f in features_known(state=True, schedule=True) if f.needs & {STATE, SCHEDULE}}
    assert computed == declared


@settings(max_examples=60, deadline=None)
@given(departures_of_some_days(), st.integers(0, 5 * 24 * 60), st.randoms(use_true_random=False))
def test_what_happens_after_a_moment_changes_no_feature_at_or_before_it(departures, cut, random) -> None:  # type: ignore[no-untyped-def]
    """Changing when flights leave after T changes nothing that was known by T, even just before midnight."""
    moment = utc_minutes(START) + cut
    known = table_of(departures)
    changed = DepartureTable(
        known.flights,
        np.array([a if a <= moment else random.randint(moment + 1, moment + 900) for a in known.actual_utc]),
    )
    at = np.minimum(known.flights.scheduled_utc, moment)
    before = Replay(known).state(known.flights, at)
    after = Replay(changed).state(known.flights, at)

    for name, column in before.items():
        np.testing.assert_array_equal(column, after[name], err_msg=name)


def test_a_departure_reported_again_is_corrected() -> None:
    """The later report of a flight replaces the earlier one in every feature."""
    flight = Flight("LAN", "1", "SCEL", "SPJC", START)
    at = START + timedelta(hours=5)
    once, twice = State(), State()
    twice.observe(Departure(flight, START + timedelta(minutes=90)))
    for state in (once, twice):
        state.observe(Departure(flight, START + timedelta(minutes=3)))

    assert once.features(flight, at) == pytest.approx(twice.features(flight, at), nan_ok=True)
