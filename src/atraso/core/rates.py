"""Frozen rates: how much later than usual flights sharing a key left in the training period.

They are learnt numbers, kept in the artefact: per key the share of delayed flights and the mean delay (clipped, so that
one bad flight does not colour a key), each less what was usual at the airport, pulled to 0 where flights are few, and
the product of the two, by which an additive model can read them together. The past is cut into blocks of four weeks
that count the less the older they are.

A training row sees only the blocks before its own, just as a flight in service sees only the training period. Rates
that leave out a row's own block but hold later ones are worse than they look: they are low where the row's own block
was rough, and a learner reads that as a fingerprint of the block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.features import (
    DELAY_CLIP_MINUTES,
    FROZEN_BLOCK_DAYS,
    FROZEN_BLOCK_WEIGHT,
    FROZEN_RATES,
    FROZEN_SHRINKAGE_FLIGHTS,
)
from atraso.core.flights import DepartureTable, FlightTable, Text
from atraso.core.keys import MINUTES_A_DAY, Columns, codes_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# What is added up of a set of flights: how many, how many late, and their clipped delays in minutes.
N, LATE, DELAY = 0, 1, 2
# Sums are kept to this many digits: the artefact stays readable, and training and service use the same numbers.
DIGITS = 6


@dataclass(frozen=True, slots=True)
class FrozenRates:
    """Weighted sums per key of the training period: flights, late flights, clipped delays in minutes.

    `tables` maps a kind to (sorted keys, sums (keys, 3)); `totals` maps each origin to the same three sums.
    """

    tables: dict[str, tuple[Text, Floats]]
    totals: dict[str, tuple[float, float, float]]

    def features(self, flights: FlightTable) -> dict[str, Floats]:
        """Return the frozen rates of each row; a key never seen is as late as usual, and has flown 0 times.

        Raises KeyError for an origin that was not in the training period.
        """
        columns = Columns.of(flights)
        origins, row = np.unique(flights.origin, return_inverse=True)
        usual = self._usual([str(o) for o in origins])[row] if len(origins) else np.zeros((0, 2))
        out: dict[str, Floats] = {}
        for kind, (known, sums) in self.tables.items():
            code = codes_of(columns.key(kind), known)
            out |= _named(kind, np.where((code >= 0)[:, None], sums[code], 0.0), usual)
        return out

    def per_key(self, kind: str) -> tuple[Text, dict[str, Floats]]:
        """Return the known keys of *kind* and their frozen rates, as `features` gives them to a flight of that key."""
        known, sums = self.tables[kind]
        return known, _named(kind, sums, self._usual([str(key).split("|", 1)[0] for key in known]))

    def of_unseen(self, kind: str, origin: str) -> dict[str, Floats]:
        """Return the frozen rates of a key of *kind* that was never seen at *origin*, one number each."""
        return _named(kind, np.zeros((1, 3)), self._usual([origin]))

    def _usual(self, origins: list[str]) -> Floats:
        return _usual(np.array([self.totals[origin] for origin in origins]).reshape(-1, 3))


def learn_rates(departures: DepartureTable) -> FrozenRates:
    """Add up flights, late flights and delays per key over all of *departures*, the older the less."""
    columns = Columns.of(departures.flights)
    values = _values(departures) * (FROZEN_BLOCK_WEIGHT ** _blocks_back(departures))[:, None]
    tables = {}
    for kind in FROZEN_RATES:
        known, code = np.unique(columns.key(kind), return_inverse=True)
        tables[kind] = (known, np.round(_sums(code, values, len(known)), DIGITS))
    origins, code = np.unique(departures.flights.origin, return_inverse=True)
    totals = np.round(_sums(code, values, len(origins)), DIGITS).tolist()
    return FrozenRates(tables, {str(o): (t[N], t[LATE], t[DELAY]) for o, t in zip(origins, totals, strict=True)})


def training_rates(departures: DepartureTable) -> dict[str, Floats]:
    """Return the frozen rates of each training row as learnt from the blocks before its own; none are 0."""
    columns = Columns.of(departures.flights)
    values = _values(departures)
    back = _blocks_back(departures)
    _, origin = np.unique(departures.flights.origin, return_inverse=True)
    usual = _usual(_before_own_block(origin, back, values))
    out: dict[str, Floats] = {}
    for kind in FROZEN_RATES:
        _, code = np.unique(columns.key(kind), return_inverse=True)
        out |= _named(kind, _before_own_block(code, back, values), usual)
    return out


def _named(kind: str, sums: Floats, usual: Floats) -> dict[str, Floats]:
    n = sums[:, [N]]
    more = (sums[:, LATE:] - n * usual) / (n + FROZEN_SHRINKAGE_FLIGHTS)
    rate, delay = more.T
    features: dict[str, Floats] = {f"rate.{kind}": rate, f"usual.{kind}": delay, f"both.{kind}": rate * delay}
    if kind == "flight":
        features["flights.flight"] = np.log1p(sums[:, N])
    return features


def _usual(totals: Floats) -> Floats:
    # where nothing has flown nothing is compared with it
    n = totals[:, [N]]
    return np.asarray(np.where(n > 0, totals[:, LATE:] / np.where(n > 0, n, 1.0), 0.0), dtype=np.float64)


def _values(departures: DepartureTable) -> Floats:
    delay = departures.delay_minutes.astype(np.float64)
    late = departures.delayed.astype(np.float64)
    return np.column_stack([np.ones_like(late), late, np.clip(delay, *DELAY_CLIP_MINUTES)])


def _blocks_back(departures: DepartureTable) -> Ints:
    """Return how many blocks before the last one each row lies; blocks are counted back from the last day."""
    day = departures.flights.scheduled_local // MINUTES_A_DAY
    last = int(day.max()) if len(day) else 0
    return (last - day) // FROZEN_BLOCK_DAYS


def _sums(code: NDArray[np.intp], values: Floats, n: int) -> Floats:
    return np.column_stack([np.bincount(code, column, n) for column in values.T])


def _before_own_block(code: NDArray[np.intp], back: Ints, values: Floats) -> Floats:
    n_blocks = int(back.max()) + 1 if len(back) else 1
    n_keys = int(code.max()) + 1 if len(code) else 0
    of_block = _sums(code * n_blocks + back, values, n_keys * n_blocks).reshape(n_keys, n_blocks, values.shape[1])
    before = np.zeros_like(of_block)
    for b in range(n_blocks - 2, -1, -1):
        before[:, b] = of_block[:, b + 1] + FROZEN_BLOCK_WEIGHT * before[:, b + 1]
    return np.asarray(before[code, back], dtype=np.float64)
