"""What a model was made of, for comparison: read from the tables that its artefact carries anyway.

The frozen rates hold how many flights each key had, the older the less. Their counts are the shares of airlines,
routes, times and weekdays. What the model says of such flights is asked of it: flights are made of the counted keys
(airline, route and hour; flight number; weekday), since the artefact holds no flights.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

from atraso.artefact.scorer import Scorer
from atraso.core.drift import (
    AIRLINE,
    KNOWN,
    NEW,
    NUMBER,
    ROUTE,
    SCORE,
    TIME,
    WEEKDAY,
    WEEKDAYS,
    Reference,
    Shares,
    score_parts,
    slot_of,
)
from atraso.core.flights import EPOCH_ORDINAL, FlightTable
from atraso.core.keys import EPOCH_WEEKDAY, MINUTES_A_DAY
from atraso.core.rates import LATE, FrozenRates, N

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCORE_PARTS = 10
SAMPLE_FLIGHTS = 20_000
SEED = 20170101
# A key of few flights is ranked near what is usual.
RANK_FLIGHTS = 10.0
FIVE_MINUTES_AN_HOUR = 12


def reference_of(scorer: Scorer) -> Reference:
    """Return the shares and scores of the flights that the model of *scorer* was made of."""
    edges = tuple(np.quantile(_scores(scorer), np.arange(1, SCORE_PARTS) / SCORE_PARTS).tolist())
    scores = Shares(dict.fromkeys(score_parts(edges), 1 / SCORE_PARTS))
    return Reference(scorer.manifest.version, shares_of(scorer.rates) | {SCORE: scores}, edges)


def shares_of(rates: FrozenRates) -> dict[str, Shares]:
    """Return how the flights that *rates* were learnt from were spread, by group."""
    airlines = _summed((parts[1], n) for parts, n in _counted(rates, "airline"))
    routes = _summed((f"{origin}-{destination}", n) for (origin, destination), n in _counted(rates, "route"))
    week = _counted(rates, "hour_of_week")
    slots = _summed((slot_of(int(hour)), n) for (_, _, hour), n in week)
    days = _summed((WEEKDAYS[int(weekday)], n) for (_, weekday, _), n in week)
    return {
        AIRLINE: Shares.of(airlines),
        ROUTE: Shares.of(routes),
        NUMBER: _numbers(rates),
        TIME: Shares(_shares(slots, (slot_of(hour) for hour in range(24)))),
        WEEKDAY: Shares(_shares(days, WEEKDAYS)),
    }


def _counted(rates: FrozenRates, kind: str) -> list[tuple[tuple[str, ...], float]]:
    """Return the parts of each key of *kind*, and its flights."""
    keys, sums = rates.tables[kind]
    return [(tuple(str(key).split("|")), float(n)) for key, n in zip(keys, sums[:, N], strict=True)]


def _summed(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    sums: defaultdict[str, float] = defaultdict(float)
    for value, n in pairs:
        sums[value] += n
    return dict(sums)


def _shares(counts: Mapping[str, float], values: Iterable[str]) -> dict[str, float]:
    total = sum(counts.values())
    return {value: counts.get(value, 0.0) / total for value in values}


def _numbers(rates: FrozenRates) -> Shares:
    """Return what share of flights had a number that had flown, and which these are.

    As many flights have a new number as had one that was seen once (Good 1953, after Turing).
    """
    counted = _counted(rates, "flight")
    new = sum(n for _, n in counted if n <= 1.0) / sum(n for _, n in counted)
    known = frozenset("|".join(parts) for parts, _ in counted)
    return Shares({KNOWN: 1.0 - new, NEW: new}, known, KNOWN)


def _scores(scorer: Scorer) -> Floats:
    """Return what the schedule's answer is for flights made of the keys, each as often as its key flew.

    Within an airline, numbers and routes at their hours are joined in the order of their lateness: a number that is
    often late flies at an hour, and to a place, that is. (Joined by chance, the scores would lie too close together.)
    """
    places, place_sums = scorer.rates.tables["airline_route_hour"]
    numbers, number_sums = scorer.rates.tables["flight"]
    by_airline: defaultdict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for which, keys in enumerate((places, numbers)):
        for row, key in enumerate(keys.tolist()):
            by_airline["|".join(key.split("|")[:2])][which].append(row)
    each = SAMPLE_FLIGHTS / float(place_sums[:, N].sum())
    chosen_places, chosen_numbers = [], []
    for of_places, of_numbers in by_airline.values():
        count = max(1, round(each * float(place_sums[of_places, N].sum())))
        chosen_places.append(_spread(np.array(of_places), place_sums, count))
        chosen_numbers.append(_spread(np.array(of_numbers), number_sums, count))
    parts = np.array([key.split("|") for key in places[np.concatenate(chosen_places)].tolist()])
    number = np.array([key.split("|")[2] for key in numbers[np.concatenate(chosen_numbers)].tolist()])
    local = _times(scorer, parts[:, 0], parts[:, 3].astype(np.int64))
    # The schedule's answer does not look at the time in UTC.
    flights = FlightTable(parts[:, 1], number, parts[:, 0], parts[:, 2], local, local)
    return scorer.predict_many(flights).delay_probability


def _spread(rows: Ints, sums: Floats, count: int) -> Ints:
    """Return *count* of *rows*, each as often as it flew, from the most punctual to the latest."""
    n, late = sums[rows, N], sums[rows, LATE]
    usual = float(late.sum() / n.sum())
    order = np.argsort((late + RANK_FLIGHTS * usual) / (n + RANK_FLIGHTS), kind="stable")
    up_to = np.cumsum(n[order]) / n.sum()
    at = np.searchsorted(up_to, (np.arange(count) + 0.5) / count)
    return np.asarray(rows[order][np.minimum(at, len(rows) - 1)], dtype=np.int64)


def _times(scorer: Scorer, origins: NDArray[np.str_], hours: Ints) -> Ints:
    """Return local times for flights at *hours*: on weekdays and days of the training period, at any five minutes."""
    rng = np.random.default_rng(SEED)
    by_hour: defaultdict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    for (origin, weekday, hour), n in _counted(scorer.rates, "hour_of_week"):
        by_hour[origin, int(hour)].append((int(weekday), n))
    first, last = (date.fromisoformat(text).toordinal() - EPOCH_ORDINAL for text in _period(scorer))
    weeks = max(1, (last - first + 1) // 7)
    day = np.empty(len(hours), dtype=np.int64)
    for (place, slot), weekdays in by_hour.items():
        at = np.flatnonzero((origins == place) & (hours == slot))
        flown = np.array([n for _, n in weekdays])
        drawn = rng.choice([weekday for weekday, _ in weekdays], len(at), p=flown / flown.sum())
        day[at] = first + (drawn - first - EPOCH_WEEKDAY) % 7 + 7 * rng.integers(0, weeks, len(at))
    minute = hours * 60 + 5 * rng.integers(0, FIVE_MINUTES_AN_HOUR, len(hours))
    return np.asarray(day * MINUTES_A_DAY + minute, dtype=np.int64)


def _period(scorer: Scorer) -> tuple[str, str]:
    return scorer.manifest.trained_from, scorer.manifest.trained_to
