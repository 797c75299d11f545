"""Whether the flights that are asked about are still those that the model was made of.

Each flight of the window counts once. The score is compared where it was said from the schedule alone: what that gives
for the flights it was made of, the artefact can tell. The mix of leads is compared with that of the window before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import log

from atraso.core.drift import (
    AIRLINE,
    FLOOR,
    LEAD,
    NUMBER,
    ROUTE,
    SCORE,
    TIME,
    WEEKDAY,
    WEEKDAYS,
    Reference,
    slot_of,
    stability_index,
)
from atraso.core.leads import SCHEDULE
from atraso.ledger.quality_report import GroupDrift, Moved
from atraso.ledger.quality_rows import LatestRow, local_time

# Fewer say more of chance than of drift.
LEAST_FLIGHTS = 1000
# From where an alarm is given: docs/records/drift.json says how often each is exceeded in months without drift.
THRESHOLDS = {AIRLINE: 0.15, ROUTE: 0.1, NUMBER: 0.1, TIME: 0.1, WEEKDAY: 0.1, SCORE: 0.1}


class Population:
    """Counts the flights of a window by the groups of *reference*."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in reference.groups}
        self._scores: list[float] = []

    def add(self, predictions: Iterable[LatestRow]) -> None:
        """Count a flight with its *predictions*, at least one."""
        latest = max(predictions, key=lambda row: (row.lead == SCHEDULE.name, row.id))
        if latest.lead == SCHEDULE.name:
            self._scores.append(latest.delay_probability)
        features = features_of(latest)
        for group, shares in self._reference.groups.items():
            if group in features:
                self._counts[group][shares.value_of(features[group])] += 1

    def drift(self, least: int = LEAST_FLIGHTS) -> dict[str, GroupDrift]:
        """Return how far each group has moved; those with fewer than *least* flights are left out."""
        found: dict[str, GroupDrift] = {}
        for group, shares in self._reference.groups.items():
            counts: Mapping[str, float] = self._counts[group]
            if group == SCORE:
                counts = self._reference.score_counts(self._scores)
            if sum(counts.values()) >= least:
                found[group] = _moved(shares.shares, counts, THRESHOLDS[group])
        return found


def features_of(row: LatestRow) -> dict[str, str]:
    """Return what a predicted flight shows of each group of features, but for the score."""
    local = local_time(row.scheduled_local, row.scheduled_utc)
    return features_of_flight(
        row.airline, row.flight_number, row.origin, row.destination, hour=local.hour, weekday=local.weekday()
    )


def features_of_flight(
    airline: str, flight_number: str, origin: str, destination: str, *, hour: int, weekday: int
) -> dict[str, str]:
    """Return what a flight shows of each group, by its scheduled local *hour* and *weekday* (0 is Monday)."""
    return {
        AIRLINE: airline,
        ROUTE: f"{origin}-{destination}",
        NUMBER: f"{origin}|{airline}|{flight_number}",
        TIME: slot_of(hour),
        WEEKDAY: WEEKDAYS[weekday],
    }


def lead_drift(before: Mapping[str, int], now: Mapping[str, int], least: int = LEAST_FLIGHTS) -> dict[str, GroupDrift]:
    """Return how the mix of leads has moved since the window before; nothing where either has too few flights."""
    if min(sum(before.values()), sum(now.values())) < least:
        return {}
    total = sum(before.values())
    expected = {lead: before.get(lead, 0) / total for lead in sorted(before.keys() | now.keys())}
    return {LEAD: _moved(expected, {lead: float(n) for lead, n in now.items()}, None)}


def _moved(expected: Mapping[str, float], counts: Mapping[str, float], threshold: float | None) -> GroupDrift:
    total = sum(counts.values())
    shares = {value: counts.get(value, 0.0) / total for value in expected}

    def part(value: str) -> float:
        was, now = max(expected[value], FLOOR), max(shares[value], FLOOR)
        return (now - was) * log(now / was)

    most = max(expected, key=part)
    index = stability_index(expected, counts)
    alarm = threshold is not None and index > threshold
    return GroupDrift(round(total), index, threshold, alarm, Moved(most, expected[most], shares[most]))
