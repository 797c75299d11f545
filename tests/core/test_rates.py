"""Frozen rates are learnt from the training period and never show a row its own outcome."""

import numpy as np

from atraso.core.features import FROZEN_SHRINKAGE_FLIGHTS
from atraso.core.flights import DepartureTable, FlightTable
from atraso.core.rates import BLOCK_MINUTES, learn_rates, training_rates


def departures(n: int = 400, seed: int = 1) -> DepartureTable:
    """Return departures spread over five blocks of four weeks."""
    rng = np.random.default_rng(seed)
    scheduled = np.sort(rng.integers(0, 5 * BLOCK_MINUTES, n)) + BLOCK_MINUTES * 600
    flights = FlightTable(
        rng.choice(np.array(["LAN", "SKU"]), n),
        rng.choice(np.array(["1", "2", "3"]), n),
        np.full(n, "SCEL"),
        rng.choice(np.array(["SPJC", "SCIE"]), n),
        scheduled,
        scheduled - 240,
    )
    return DepartureTable(flights, scheduled + rng.integers(-10, 60, n))


def test_a_rate_is_the_share_of_late_flights_shrunk_to_the_airport() -> None:
    """For an airline it is (late + 25 * airport's rate) / (flights + 25)."""
    table = departures()
    rates = learn_rates(table)
    of_lan = table.flights.airline == "LAN"
    overall = table.delayed.mean()
    expected = (table.delayed[of_lan].sum() + FROZEN_SHRINKAGE_FLIGHTS * overall) / (
        of_lan.sum() + FROZEN_SHRINKAGE_FLIGHTS
    )

    np.testing.assert_allclose(rates.features(table.flights)["rate.airline"][of_lan], expected)


def test_a_key_never_seen_has_the_airports_rate() -> None:
    """An unknown airline is as late as the airport, and its flight number has flown 0 times."""
    table = departures()
    rates = learn_rates(table)
    one = table.flights.take(slice(0, 1))
    stranger = FlightTable(
        np.array(["ZZZ"]),
        one.flight_number,
        one.origin,
        one.destination,
        one.scheduled_utc,
        one.scheduled_local,
    )
    found = rates.features(stranger)

    assert found["rate.airline"][0] == rates.base_rate("SCEL")
    assert found["flights.flight"][0] == 0
    assert rates.of_unseen("airline", "SCEL")["rate.airline"][0] == rates.base_rate("SCEL")


def test_the_rates_per_key_are_those_of_a_flight_with_that_key() -> None:
    """What the service adds up per key beforehand is what a table of flights is given."""
    table = departures()
    rates = learn_rates(table)
    known, values = rates.per_key("airline")
    features = rates.features(table.flights)

    for row in range(20):
        place = list(known).index(f"SCEL|{table.flights.airline[row]}")
        assert values["rate.airline"][place] == features["rate.airline"][row]


def test_turning_the_outcomes_of_a_block_changes_no_rate_of_its_own_rows() -> None:
    """Rows of a four-week block have the same rates whatever happened in that block; others do not."""
    table = departures()
    block = table.flights.scheduled_local // BLOCK_MINUTES
    own = block == block[len(block) // 2]
    turned = DepartureTable(table.flights, np.where(own, table.flights.scheduled_utc + 90, table.actual_utc))
    before, after = training_rates(table), training_rates(turned)

    for name, column in before.items():
        np.testing.assert_array_equal(column[own], after[name][own])
    assert (before["rate.airline"][~own] != after["rate.airline"][~own]).any()
