"""The numbers of an artefact in their file form (`scorecard.json`) and back."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from atraso.core.calendar import DaysOff
from atraso.core.rates import FrozenRates
from atraso.core.scorecard import ANCHOR, Scorecard, Steps

Floats = NDArray[np.float64]


# Log-odds are kept to this many digits after the point: hundreds of them add up to less than one in a thousand million.
DIGITS = 12
LEAST_RISE, AGREEMENT = 1e-5, 1e-7


class StepsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One feature's steps, written as the other thresholds are learnt: from the one at 15 minutes.

    `anchor` has one number more than `edges`: the log-odds at 15 minutes. Those of threshold k are `slopes[k]` of the
    scorecard times these, and from each interval i of `further[k]` on (pairs of i and a number) that number more.
    `missing` has one number per threshold.
    """

    feature: str
    edges: Floats
    anchor: Floats
    further: tuple[tuple[tuple[int, float], ...], ...]
    missing: tuple[float, ...]


class ScorecardFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One lead's scorecard, with or without the published schedule; `bias` and `slopes` are per threshold."""

    lead: str
    schedule: bool
    bias: tuple[float, ...]
    slopes: tuple[float, ...]
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


def encoded(tables: TablesFile) -> bytes:
    """Return the file form of *tables*."""
    return msgspec.json.encode(tables, enc_hook=_from_array)


def decoded(data: bytes) -> TablesFile:
    """Return the tables of a file; raises `msgspec.DecodeError` where it is not one."""
    return msgspec.json.decode(data, type=TablesFile, dec_hook=_to_array)


def _from_array(value: Any) -> list[float]:
    return list(value.tolist())


def _to_array(_: type, value: Any) -> Floats:
    # An array a list, at once: all numbers together as Python's own would leave their mark on each worker's memory.
    return np.array(msgspec.convert(value, tuple[float, ...]), dtype=np.float64)


def scorecard_file(card: Scorecard) -> ScorecardFile:
    """Return the file form of a scorecard; read back, it gives the same log-odds within 1e-9."""
    slopes = _slopes(card)
    steps = []
    for step in card.steps:
        anchor = np.round(step.values[:, ANCHOR], DIGITS)
        rest = step.values - anchor[:, None] * slopes
        added = np.round(np.diff(rest, axis=0, prepend=np.zeros((1, len(slopes)))), DIGITS - 1)
        added[:, ANCHOR] = 0.0
        further = tuple(tuple((int(i), float(column[i])) for i in np.flatnonzero(column)) for column in added.T)
        missing = tuple(np.round(step.missing, DIGITS).tolist())
        steps.append(StepsFile(step.feature, step.edges, anchor, further, missing))
    bias = tuple(card.bias.tolist())
    return ScorecardFile(
        card.lead, card.schedule, bias, tuple(slopes.tolist()), tuple(steps), dict(card.reference), dict(card.weight)
    )


def scorecard_of(file: ScorecardFile) -> Scorecard:
    """Return the scorecard of a file form."""
    slopes = np.array(file.slopes, dtype=np.float64)
    steps = []
    for step in file.steps:
        added = np.zeros((len(step.anchor), len(slopes)))
        for k, jumps in enumerate(step.further):
            for interval, number in jumps:
                added[interval, k] = number
        values = step.anchor[:, None] * slopes + np.cumsum(added, axis=0)
        steps.append(Steps(step.feature, step.edges, values, np.array(step.missing)))
    return Scorecard(file.lead, file.schedule, np.array(file.bias), tuple(steps), file.reference, file.weight)


def _slopes(card: Scorecard) -> Floats:
    """Return by how much each threshold's steps are a scaled copy of the anchor's: what most of them agree on."""
    risen = np.concatenate([np.diff(step.values, axis=0) for step in card.steps] or [np.zeros((0, len(card.bias)))])
    risen = risen[np.abs(risen[:, ANCHOR]) > LEAST_RISE]
    if not len(risen):
        return np.ones(len(card.bias))
    ratios = risen / risen[:, [ANCHOR]]
    usual = np.median(ratios, axis=0)
    # of those that agree, the greatest rise tells it with most digits
    agree = np.abs(ratios - usual) <= AGREEMENT * np.maximum(np.abs(usual), 1.0)
    told = np.argmax(np.where(agree, np.abs(risen[:, [ANCHOR]]), 0.0), axis=0)
    return np.asarray(ratios[told, np.arange(ratios.shape[1])], dtype=np.float64)


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
