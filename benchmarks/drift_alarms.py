"""How often drift is told of where there is none, and of where there is some: `python -m benchmarks.drift_alarms`.

Months are made of the days of a month of the model's own year, drawn again and again (28 days, four of each weekday,
with replacement): no drift beyond what the seasons do. Beside them stand the same months with as few flights as are
compared at all, the real months, each against the flights before it, and months to which something was done.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atraso.artefact.reference import reference_of, shares_of
from atraso.artefact.scorer import Scorer, load_scorer
from atraso.core.drift import NUMBER, SCORE, TIME, Reference, score_parts, stability_index
from atraso.core.flights import DepartureTable, FlightTable
from atraso.core.keys import EPOCH_WEEKDAY, MINUTES_A_DAY
from atraso.core.rates import learn_rates
from atraso.ledger.drift import LEAST_FLIGHTS, THRESHOLDS, features_of_flight
from atraso.sources.registry import read
from benchmarks.machine import describe

SEED = 20170101
DRAWS = 300  # for each month
OF_EACH_WEEKDAY = 4
MONTHS = tuple(range(1, 13))
FIRST_JUDGED = 5
A_MONTH_DAYS = 28
Codes = dict[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Year:
    """A year's flights by day and month (1 to 12), what was said of each, and its value of each group as text."""

    flights: FlightTable
    day: NDArray[np.int64]
    month: NDArray[np.int64]
    probability: NDArray[np.float64]
    features: dict[str, list[str]]


def year_of(departures: DepartureTable, scorer: Scorer) -> Year:
    """Return the flights of *departures* as the schedule's answers see them."""
    flights = departures.flights
    day = flights.scheduled_local // MINUTES_A_DAY
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    features: dict[str, list[str]] = {}
    rows = zip(*(getattr(flights, name).tolist() for name in _COLUMNS), strict=True)
    for airline, number, origin, destination, local in rows:
        found = features_of_flight(
            airline, number, origin, destination, hour=local % MINUTES_A_DAY // 60, weekday=_weekday(local)
        )
        for group, value in found.items():
            features.setdefault(group, []).append(value)
    return Year(flights, day, month, scorer.predict_many(flights).delay_probability, features)


_COLUMNS = ("airline", "flight_number", "origin", "destination", "scheduled_local")


def _weekday(local: int) -> int:
    return (local // MINUTES_A_DAY + EPOCH_WEEKDAY) % 7


def false_alarms(year: Year, reference: Reference, flights: int | None = None) -> dict[str, dict[str, Any]]:
    """Return by group how the index is spread over the drawn months, and how often it is over its threshold.

    With *flights*, so many of each drawn month.
    """
    coded = _coded(year, reference)
    rng = np.random.default_rng(SEED)
    found: dict[str, list[list[float]]] = {group: [] for group in coded}
    for month in MONTHS:
        of_day = [np.flatnonzero(year.day == day) for day in np.unique(year.day[year.month == month])]
        weekdays = np.array([(int(year.day[rows[0]]) + EPOCH_WEEKDAY) % 7 for rows in of_day])
        drawn: dict[str, list[float]] = {group: [] for group in coded}
        for _ in range(DRAWS):
            days = [d for w in range(7) for d in rng.choice(np.flatnonzero(weekdays == w), OF_EACH_WEEKDAY)]
            rows = np.concatenate([of_day[d] for d in days])
            if flights is not None:
                rows = rng.choice(rows, flights, replace=False)
            for group, index in _indices(coded, reference, rows).items():
                drawn[group].append(index)
        for group in coded:
            found[group].append(drawn[group])
    return {group: _spread(np.array(values), THRESHOLDS[group]) for group, values in found.items()}


def _spread(values: NDArray[np.float64], threshold: float) -> dict[str, Any]:
    over = (values > threshold).mean(axis=1)
    worst = int(np.argmax(over)) if over.any() else int(np.argmax(np.median(values, axis=1)))
    return {
        "threshold": threshold,
        "false_alarm_rate": float((values > threshold).mean()),
        "median": round(float(np.median(values)), 4),
        "percentile_99": round(float(np.quantile(values, 0.99)), 4),
        "greatest": round(float(values.max()), 4),
        "worst_month": MONTHS[worst],
        "worst_month_rate": float(over[worst]),
    }


def months_after(departures: DepartureTable, year: Year, scorer: Scorer, own: Reference) -> dict[str, dict[str, float]]:
    """Return the index of each month from May against the flights of the months before it; not of the score."""
    found = {}
    for month in range(FIRST_JUDGED, 13):
        rates = learn_rates(departures.take(year.month < month))
        groups = {group: shares for group, shares in shares_of(rates).items() if group != SCORE}
        reference = replace(own, groups=groups)
        rows = np.flatnonzero(year.month == month)
        rows = rows[year.day[rows] < year.day[rows].min() + A_MONTH_DAYS]
        told = _indices(_coded(year, reference), reference, rows)
        found[str(month)] = {group: round(index, 4) for group, index in told.items()}
    return found


def shifts(year: Year, reference: Reference) -> dict[str, dict[str, float]]:
    """Return the index of June after something was done to it."""
    june = np.flatnonzero(year.month == 6)
    june = june[year.day[june] < year.day[june].min() + A_MONTH_DAYS]
    coded = _coded(year, reference)
    airline = year.flights.airline[june]
    biggest = [name for name, _ in Counter(airline.tolist()).most_common(2)]
    values = list(reference.groups[TIME].shares)
    later = coded | {TIME: (coded[TIME] + 1) % len(values)}
    rng = np.random.default_rng(SEED)
    renumbered = coded[NUMBER].copy()
    renumbered[june[rng.random(len(june)) < 0.1]] = list(reference.groups[NUMBER].shares).index("new")
    odds = year.probability / (1 - year.probability) * np.exp(0.5)
    later_scores = coded | {SCORE: np.searchsorted(reference.score_edges, odds / (1 + odds), side="right")}
    return {
        "nothing": _rounded(_indices(coded, reference, june)),
        "the second airline stops": _rounded(_indices(coded, reference, june[airline != biggest[1]])),
        "all three hours later": _rounded(_indices(later, reference, june)),
        "a tenth of the numbers are new": _rounded(_indices(coded | {NUMBER: renumbered}, reference, june)),
        "no flights at weekends": _rounded(_indices(coded, reference, june[(year.day[june] + EPOCH_WEEKDAY) % 7 < 5])),
        "scores half a unit of log-odds higher": _rounded(_indices(later_scores, reference, june)),
    }


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {group: round(index, 4) for group, index in values.items()}


def _coded(year: Year, reference: Reference) -> Codes:
    """Return each flight's value of each group, as its place among the reference's values."""
    codes: Codes = {}
    for group, shares in reference.groups.items():
        if group == SCORE:
            codes[group] = np.searchsorted(reference.score_edges, year.probability, side="right")
        else:
            place = {value: at for at, value in enumerate(shares.shares)}
            codes[group] = np.array([place[shares.value_of(seen)] for seen in year.features[group]])
    return codes


def _indices(coded: Codes, reference: Reference, rows: NDArray[np.intp]) -> dict[str, float]:
    found = {}
    for group, codes in coded.items():
        expected = reference.groups[group].shares
        names = list(score_parts(reference.score_edges)) if group == SCORE else list(expected)
        counts = np.bincount(codes[rows], minlength=len(names)).tolist()
        found[group] = stability_index(expected, dict(zip(names, map(float, counts), strict=True)))
    return found


def main() -> None:
    """Measure and print a record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift_alarms", description=__doc__)
    parser.add_argument("--data", required=True, help="the SCL file that the bundled model was trained on")
    data = parser.parse_args().data
    scorer = load_scorer()
    departures = read("scl", data, lambda *_: None).departures
    year, reference = year_of(departures, scorer), reference_of(scorer)
    record = {
        "machine": describe(["python", "-m", "benchmarks.drift_alarms", "--data", data.rpartition("/")[2]]),
        "model": scorer.manifest.version,
        "departures": len(departures),
        "drawn_months": {"of_each_month": DRAWS, "days": 7 * OF_EACH_WEEKDAY},
        "false_alarms": false_alarms(year, reference),
        f"false_alarms_of_{LEAST_FLIGHTS}_flights": false_alarms(year, reference, LEAST_FLIGHTS),
        "months_after": months_after(departures, year, scorer, reference),
        "shifts": shifts(year, reference),
    }
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
