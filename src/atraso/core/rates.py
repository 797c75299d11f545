"""Frozen rates: how late flights sharing a key left in the training period, shrunk to what is usual at the airport.

They are learnt numbers, kept in the artefact: per key the share of delayed flights and the mean delay (clipped, so that
one bad flight does not colour a key). A training row must not see its own outcome in them: its rates are computed
without the four-week block it lies in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.features import DELAY_CLIP_MINUTES, FROZEN_RATES, FROZEN_SHRINKAGE_FLIGHTS
from atraso.core.flights import DepartureTable, FlightTable, Text
from atraso.core.keys import MINUTES_A_DAY, Columns, codes_of

BLOCK_MINUTES = 28 * MINUTES_A_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# What is counted of a set of flights: how many, how many late, and the sum of their clipped delays in minutes.
N, LATE, DELAY = 0, 1, 2


@dataclass(frozen=True, slots=True)
class FrozenRates:
    """Counts per key of the training period.

    `tables` maps a kind to (sorted keys, counts (keys, 3)); `totals` maps each origin to the same three counts.
    """

    tables: dict[str, tuple[Text, Ints]]
    totals: dict[str, tuple[int, int, int]]

    def base_rate(self, origin: str) -> float:
        """Return the share of delayed flights of an airport of the training period."""
        return self.totals[origin][LATE] / self.totals[origin][N]

    def features(self, flights: FlightTable) -> dict[str, Floats]:
        """Return the frozen rates of each row; a key never seen has what is usual at the airport, and 0 flights.

        Raises KeyError for an origin that was not in the training period.
        """
        columns = Columns.of(flights)
        origins, row = np.unique(flights.origin, return_inverse=True)
        usual = self._usual([str(o) for o in origins])[row] if len(origins) else np.zeros((0, 2))
        out: dict[str, Floats] = {}
        for kind, (known, counts) in self.tables.items():
            code = codes_of(columns.key(kind), known)
            out |= _named(kind, np.where((code >= 0)[:, None], counts[code], 0), usual)
        return out

    def per_key(self, kind: str) -> tuple[Text, dict[str, Floats]]:
        """Return the known keys of *kind* and their frozen rates, as `features` gives them to a flight of that key."""
        known, counts = self.tables[kind]
        return known, _named(kind, counts, self._usual([str(key).split("|", 1)[0] for key in known]))

    def of_unseen(self, kind: str, origin: str) -> dict[str, Floats]:
        """Return the frozen rates of a key of *kind* that was never seen at *origin*, one number each."""
        return _named(kind, np.zeros((1, 3), dtype=np.int64), self._usual([origin]))

    def _usual(self, origins: list[str]) -> Floats:
        totals = np.array([self.totals[origin] for origin in origins], dtype=np.float64).reshape(-1, 3)
        return totals[:, LATE:] / totals[:, [N]]


def learn_rates(departures: DepartureTable) -> FrozenRates:
    """Count flights, late flights and delays per key over all of *departures*."""
    columns = Columns.of(departures.flights)
    values = _values(departures)
    tables = {}
    for kind in FROZEN_RATES:
        known, code = np.unique(columns.key(kind), return_inverse=True)
        tables[kind] = (known, _sums(code, values, len(known)))
    origins, code = np.unique(departures.flights.origin, return_inverse=True)
    totals = _sums(code, values, len(origins)).tolist()
    return FrozenRates(tables, {str(o): (t[N], t[LATE], t[DELAY]) for o, t in zip(origins, totals, strict=True)})


def training_rates(departures: DepartureTable) -> dict[str, Floats]:
    """Return the frozen rates of each training row, computed without the row's own four-week block."""
    columns = Columns.of(departures.flights)
    values = _values(departures)
    block = departures.flights.scheduled_local // BLOCK_MINUTES
    block -= block.min() if len(block) else 0
    _, origin = np.unique(departures.flights.origin, return_inverse=True)
    rest = _without_own_block(origin, block, values)
    # with one block in all nothing is left to compare with: any constant says so
    usual = np.where(rest[:, [N]] > 0, rest[:, LATE:] / np.maximum(rest[:, [N]], 1), 0.5)
    out: dict[str, Floats] = {}
    for kind in FROZEN_RATES:
        _, code = np.unique(columns.key(kind), return_inverse=True)
        out |= _named(kind, _without_own_block(code, block, values), usual)
    return out


def _named(kind: str, counts: Ints, usual: Floats) -> dict[str, Floats]:
    n = counts[:, N]
    shrunk = (counts[:, LATE:] + FROZEN_SHRINKAGE_FLIGHTS * usual) / (n[:, None] + FROZEN_SHRINKAGE_FLIGHTS)
    features: dict[str, Floats] = {f"rate.{kind}": shrunk[:, 0], f"usual.{kind}": shrunk[:, 1]}
    if kind == "flight":
        features["flights.flight"] = np.log1p(n)
    return features


def _values(departures: DepartureTable) -> Ints:
    delay = departures.delay_minutes.astype(np.int64)
    late = departures.delayed.astype(np.int64)
    return np.column_stack([np.ones_like(late), late, np.clip(delay, *DELAY_CLIP_MINUTES)])


def _sums(code: NDArray[np.intp], values: Ints, n: int) -> Ints:
    sums = np.zeros((n, values.shape[1]), dtype=np.int64)
    np.add.at(sums, code, values)
    return sums


def _without_own_block(code: NDArray[np.intp], block: Ints, values: Ints) -> Ints:
    n_blocks = int(block.max()) + 1 if len(block) else 1
    n_keys = int(code.max()) + 1 if len(code) else 0
    cell = code * n_blocks + block
    in_cell = _sums(cell, values, n_keys * n_blocks)
    in_key = in_cell.reshape(n_keys, n_blocks, values.shape[1]).sum(axis=1)
    others: Ints = in_key[code] - in_cell[cell]
    return others
