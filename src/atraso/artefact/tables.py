"""The numbers of an artefact in their file form (`scorecard.json`) and back."""

from __future__ import annotations

import msgspec
import numpy as np

from atraso.core.calendar import DaysOff
from atraso.core.rates import FrozenRates
from atraso.core.scorecard import Scorecard, Steps


class StepsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One feature's steps; `values` has one row more than `edges`, each row one number per threshold."""

    feature: str
    edges: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]
    missing: tuple[float, ...]


class ScorecardFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One lead's scorecard, with or without the published schedule."""

    lead: str
    schedule: bool
    bias: tuple[float, ...]
    steps: tuple[StepsFile, ...]
    reference: dict[str, float]
    weight: dict[str, float]


class TablesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything the model computes with.

    `rates`: kind -> key -> [flights, late flights, clipped delays in minutes], sums that weigh older flights less;
    `totals`: the same per airport. `holidays`: days since 1970, complete between `calendar`'s two days. `delay_range`:
    least and greatest delay in training, minutes. `challenge`: airline -> type -> 12 probabilities, January to
    December. `places`: IATA -> ICAO of the world's airports.
    """

    scorecards: tuple[ScorecardFile, ...]
    rates: dict[str, dict[str, tuple[float, float, float]]]
    totals: dict[str, tuple[float, float, float]]
    holidays: tuple[int, ...]
    calendar: tuple[int, int]
    delay_range: tuple[float, float]
    challenge: dict[str, dict[str, tuple[float, ...]]]
    challenge_threshold: float
    places: dict[str, str]


def scorecard_file(card: Scorecard) -> ScorecardFile:
    """Return the file form of a scorecard."""
    steps = tuple(
        StepsFile(
            s.feature,
            tuple(s.edges.tolist()),
            tuple(tuple(row) for row in s.values.tolist()),
            tuple(s.missing.tolist()),
        )
        for s in card.steps
    )
    bias = tuple(card.bias.tolist())
    return ScorecardFile(card.lead, card.schedule, bias, steps, dict(card.reference), dict(card.weight))


def scorecard_of(file: ScorecardFile) -> Scorecard:
    """Return the scorecard of a file form."""
    width = len(file.bias)
    steps = tuple(
        Steps(
            s.feature,
            np.array(s.edges, dtype=np.float64),
            np.array(s.values, dtype=np.float64).reshape(len(s.edges) + 1, width),
            np.array(s.missing, dtype=np.float64).reshape(width),
        )
        for s in file.steps
    )
    return Scorecard(file.lead, file.schedule, np.array(file.bias), steps, file.reference, file.weight)


def rates_file(rates: FrozenRates) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Return the file form of frozen rates."""
    return {
        kind: {str(key): (n, late, delay) for key, (n, late, delay) in zip(known, sums.tolist(), strict=True)}
        for kind, (known, sums) in rates.tables.items()
    }


def rates_of(file: TablesFile) -> FrozenRates:
    """Return the frozen rates of their file form."""
    out = {}
    for kind, table in file.rates.items():
        keys = sorted(table)
        sums = np.array([table[key] for key in keys], dtype=np.float64).reshape(len(keys), 3)
        out[kind] = (np.array(keys, dtype=np.str_), sums)
    return FrozenRates(out, file.totals)


def days_off_of(file: TablesFile) -> DaysOff:
    """Return the calendar of days off kept in the artefact."""
    return DaysOff.of(file.holidays, *file.calendar)
