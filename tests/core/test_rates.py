"""Frozen rates are learnt from the training period and never show a row its own outcome."""

import numpy as np

from atraso.core.features import FROZEN_BLOCK_DAYS, FROZEN_BLOCK_WEIGHT, FROZEN_SHRINKAGE_FLIGHTS
from atraso.core.flights import DepartureTable, FlightTable
from atraso.core.keys import MINUTES_A_DAY
from atraso.core.rates import learn_rates, training_rates

BLOCK_MINUTES = FROZEN_BLOCK_DAYS * MINUTES_A_DAY


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


def test_a_rate_is_how_much_later_than_usual_the_key_was_and_old_blocks_count_less() -> None:
    """For an airline it is (late - flights * airport's rate) / (flights + 25), each block weighed by its age."""
    table = departures()
    day = table.flights.scheduled_local // MINUTES_A_DAY
    weight = FROZEN_BLOCK_WEIGHT ** ((day.max() - day) // FROZEN_BLOCK_DAYS)
    of_lan = table.flights.airline == "LAN"
    usual = (weight * table.delayed).sum() / weight.sum()
    n, late = weight[of_lan].sum(), (weight * table.delayed)[of_lan].sum()
    expected = (late - n * usual) / (n + FROZEN_SHRINKAGE_FLIGHTS)

    found = learn_rates(table).features(table.flights)["rate.airline"][of_lan]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_often_late_and_by_much_are_read_together_as_their_product() -> None:
    """In training and in service alike, `both` of a kind is its late rate times its mean delay; 0 for a stranger."""
    table = departures()
    rates = learn_rates(table)

    for features in (training_rates(table), rates.features(table.flights), rates.per_key("flight")[1]):
        np.testing.assert_array_equal(features["both.flight"], features["rate.flight"] * features["usual.flight"])
    assert np.unique(rates.features(table.flights)["both.flight"]).size > 3
    assert rates.of_unseen("flight", "SCEL")["both.flight"][0] == 0


def test_a_key_never_seen_is_as_late_as_usual() -> None:
    """An unknown airline is neither later nor earlier than the airport, and its flight number has flown 0 times."""
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

    assert found["rate.airline"][0] == 0
    assert found["flights.flight"][0] == 0
    assert rates.of_unseen("airline", "SCEL")["rate.airline"][0] == 0


def test_the_rates_per_key_are_those_of_a_flight_with_that_key() -> None:
    """What the service adds up per key beforehand is what a table of flights is given."""
    table = departures()
    rates = learn_rates(table)
    known, values = rates.per_key("airline")
    features = rates.features(table.flights)

    for row in range(20):
        place = list(known).index(f"SCEL|{table.flights.airline[row]}")
        assert values["rate.airline"][place] == features["rate.airline"][row]


def test_a_training_row_sees_no_outcome_of_its_own_block_or_later() -> None:
    """Whatever happens from a row's four-week block on, its rates stay; rows of later blocks see it."""
    table = departures()
    day = table.flights.scheduled_local // MINUTES_A_DAY
    back = (day.max() - day) // FROZEN_BLOCK_DAYS
    turned = DepartureTable(table.flights, np.where(back <= 2, table.flights.scheduled_utc + 90, table.actual_utc))
    before, after = training_rates(table), training_rates(turned)

    for name, column in before.items():
        np.testing.assert_array_equal(column[back >= 2], after[name][back >= 2])
    assert (before["rate.flight"][back < 2] != after["rate.flight"][back < 2]).any()


def test_a_training_row_is_given_what_a_model_of_the_blocks_before_would_give() -> None:
    """The rates of the rows of the last block are those learnt from everything before that block."""
    table = departures()
    day = table.flights.scheduled_local // MINUTES_A_DAY
    last = (day.max() - day) // FROZEN_BLOCK_DAYS == 0
    # one flight on the last day before the block, so that both count their blocks back from the same day
    eve = np.flatnonzero(~last)[-1]
    local = table.flights.scheduled_local.copy()
    shift = (day.max() - FROZEN_BLOCK_DAYS - day[eve]) * MINUTES_A_DAY
    local[eve] += shift
    moved = FlightTable(
        table.flights.airline,
        table.flights.flight_number,
        table.flights.origin,
        table.flights.destination,
        local + 240,
        local,
    )
    table = DepartureTable(moved, moved.scheduled_utc + (table.actual_utc - table.flights.scheduled_utc))
    learnt = learn_rates(table.take(~last)).features(table.flights.take(last))

    for name, column in training_rates(table).items():
        np.testing.assert_allclose(column[last], learnt[name], atol=1e-5, err_msg=name)
