"""Negative controls: what cannot be known teaches nothing, the future changes nothing, and a planted leak is caught."""

from collections.abc import Callable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from atraso.core.calendar import calendar_features
from atraso.core.features import features_known
from atraso.core.flights import DepartureTable, utc_minutes
from atraso.core.leads import LEAD_BY_NAME, LEADS
from atraso.core.rates import learn_rates
from atraso.core.replay import Replay
from atraso.core.scores import leak_alarms
from atraso.sources.registry import read
from atraso.training import cards as card_making
from atraso.training import pipeline
from atraso.training.holidays import days_off
from atraso.training.package import pack
from tests.flights_at_hand import scl_file
from tests.training.quick import train_quickly

ZONE = ZoneInfo("America/Santiago")
OFF = days_off("CL", 2017, 2017)
DAY = 1440
# Local moments of 2017: by day, around midnight, at the start of the operational day, before clock changes.
MOMENTS = ("06-20T11:20", "06-20T23:59", "06-21T00:00", "06-21T00:20", "06-21T03:59", "05-13T23:50", "08-12T23:58")
COLUMNS = dict[str, np.ndarray]
Features = Callable[[DepartureTable, DepartureTable, str, bool], COLUMNS]


@pytest.fixture(scope="module")
def departures() -> DepartureTable:
    """Return the flights at hand."""
    return read("scl", str(scl_file()[0])).departures


@pytest.fixture(scope="module")
def few_rounds() -> Iterator[None]:
    """Learn with few rounds: the way is the same."""
    with pytest.MonkeyPatch.context() as patch:
        train_quickly(patch, 50, 3)
        yield


def features(departures: DepartureTable, learnt: DepartureTable, lead: str, schedule: bool) -> COLUMNS:
    """Return the features of every departure at a lead, as training makes them; rates are those of *learnt*."""
    flights = departures.flights
    replay = Replay(departures, schedule=schedule)
    columns = calendar_features(flights.scheduled_local, OFF) | replay.crowding(flights)
    columns |= learn_rates(learnt).features(flights) | card_making.state_at(replay, flights, LEAD_BY_NAME[lead])
    known = features_known(state=LEAD_BY_NAME[lead].minutes is not None, schedule=schedule)
    return {feature.name: columns[feature.name] for feature in known}


def shuffled_after(departures: DepartureTable, moment: int, seed: int) -> DepartureTable:
    """Return the departures with the times of all that left after *moment* dealt out anew among them."""
    after = departures.actual_utc > moment
    actual = departures.actual_utc.copy()
    actual[after] = np.random.default_rng(seed).permutation(actual[after])
    return DepartureTable(departures.flights, actual)


def seen_in_the_future(
    departures: DepartureTable, moment: int, lead: str, *, schedule: bool, made: Features = features
) -> tuple[set[str], set[str]]:
    """Return the features that a shuffle of all after *moment* changes, for predictions until then and after it."""
    minutes = LEAD_BY_NAME[lead].minutes
    # the schedule's answer is asked for at any time; at the moment itself, say
    at = departures.flights.scheduled_utc - minutes if minutes is not None else np.full(len(departures), moment)
    known = departures.take(departures.actual_utc <= moment)
    before = made(departures, known, lead, schedule)
    after = made(shuffled_after(departures, moment, 5), known, lead, schedule)
    changed = {name: ~np.isclose(before[name], after[name], rtol=0, atol=0, equal_nan=True) for name in before}
    return ({n for n, c in changed.items() if c[at <= moment].any()}, {n for n, c in changed.items() if c.any()})


def around(departures: DepartureTable, text: str) -> tuple[DepartureTable, int]:
    """Return a moment of 2017 in UTC minutes, and the departures of five weeks before it to five days after."""
    moment = utc_minutes(datetime.fromisoformat(f"2017-{text}").replace(tzinfo=ZONE))
    scheduled = departures.flights.scheduled_utc
    return departures.take((scheduled > moment - 35 * DAY) & (scheduled < moment + 5 * DAY)), moment


@pytest.mark.parametrize("schedule", [True, False])
@pytest.mark.parametrize("text", MOMENTS)
def test_what_happens_after_a_moment_changes_no_feature_until_then(
    departures: DepartureTable, text: str, schedule: bool
) -> None:
    """At every lead, with and without the published schedule, no prediction at or before T sees what follows T."""
    near, moment = around(departures, text)
    for lead in LEADS:
        until, ever = seen_in_the_future(near, moment, lead.name, schedule=schedule)

        assert until == set(), lead.name
        assert bool(ever) == (lead.minutes is not None), "predictions after T do see what changed: the control can see"


def hour_it_left(departures: DepartureTable) -> np.ndarray:
    """The hour of Fecha-O, the same flight's actual departure."""
    offset = departures.flights.scheduled_local - departures.flights.scheduled_utc
    return (departures.actual_utc + offset) // 60 % 24


def day_it_left(departures: DepartureTable) -> np.ndarray:
    """The column DIA: it is the day of the actual departure, not of the scheduled one."""
    offset = departures.flights.scheduled_local - departures.flights.scheduled_utc
    return (departures.actual_utc + offset) // DAY


def luck_of_the_day(departures: DepartureTable) -> np.ndarray:
    """The late rate of all flights of the same day, those to come included."""
    _, day = np.unique(departures.flights.scheduled_local // DAY, return_inverse=True)
    return (np.bincount(day, weights=departures.delayed) / np.bincount(day))[day]


@pytest.mark.parametrize("leak", [hour_it_left, day_it_left, luck_of_the_day])
def test_a_planted_leak_of_the_operation_is_caught(
    departures: DepartureTable, leak: Callable[[DepartureTable], np.ndarray]
) -> None:
    """A feature made from a column of the operation is named by the same control, and no other feature is."""

    def leaking(table: DepartureTable, learnt: DepartureTable, lead: str, schedule: bool) -> COLUMNS:
        return features(table, learnt, lead, schedule) | {"planted": leak(table).astype(np.float64)}

    near, moment = around(departures, "06-20T11:20")
    for lead in ("schedule", "12h", "30m"):
        assert seen_in_the_future(near, moment, lead, schedule=True, made=leaking)[0] == {"planted"}


def test_training_with_a_leak_raises_the_alarm(
    departures: DepartureTable, few_rounds: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """History that counts the flight itself gives an AUC nobody can have: the scores say so, the manifest too."""
    reading = read("scl", str(scl_file()[0]))
    honest = card_making.state_at

    def leaking(replay: Replay, flights: object, lead: object) -> COLUMNS:
        columns = honest(replay, flights, lead)
        own = reading.departures.delay_minutes
        return columns | {"delay.flight.last1": own} if len(own) == len(flights) else columns  # type: ignore[arg-type]

    cards = ((LEAD_BY_NAME["schedule"], False), (LEAD_BY_NAME["1h"], False))
    monkeypatch.setattr(card_making, "state_at", leaking)
    trained = pipeline.train(reading.departures, reading.unflown, OFF, cards=cards)
    alarms = leak_alarms(trained.scores)

    assert len(alarms) == 1
    assert alarms[0].startswith("1h, no schedule: AUC ")
    assert f"ALARM: {alarms[0]}" in pack(reading, trained, OFF)[0].scores_note


def test_outcomes_dealt_out_at_random_teach_nothing(departures: DepartureTable, few_rounds: None) -> None:
    """With delays shuffled among flights the frozen rates and the state are noise: AUC 0.50 within 0.02."""
    delay = np.random.default_rng(12).permutation(departures.delay_minutes.astype(np.int64))
    dealt = DepartureTable(departures.flights, departures.flights.scheduled_utc + delay)
    cards = ((LEAD_BY_NAME["schedule"], True), (LEAD_BY_NAME["30m"], True))
    trained = pipeline.train(dealt, departures.flights.take(slice(0, 0)), OFF, cards=cards)

    assert trained.scores.keys() == {"schedule", "30m"}
    for lead, scores in trained.scores.items():
        assert scores["auc"] == pytest.approx(0.5, abs=0.02), lead
        assert leak_alarms({lead: scores}) == ()
