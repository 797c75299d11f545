"""Frozen late rates: how often flights sharing a key left late in the training period, shrunk to the airport's rate.

They are learnt numbers, kept in the artefact. A training row must not see its own outcome in them: its rates are
computed without the four-week block it lies in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.features import FROZEN_RATES, FROZEN_SHRINKAGE_FLIGHTS
from atraso.core.flights import DepartureTable, FlightTable, Text
from atraso.core.keys import MINUTES_A_DAY, Columns, codes_of

BLOCK_MINUTES = 28 * MINUTES_A_DAY

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FrozenRates:
    """Flights and late flights per key of the training period.

    `tables` maps a kind to (sorted keys, flights, late flights); `base` maps each origin to its overall late rate.
    """

    tables: dict[str, tuple[Text, Counts, Counts]]
    base: dict[str, float]

    def features(self, flights: FlightTable) -> dict[str, Floats]:
        """Return the frozen rates of each row; a key never seen has the airport's rate and 0 flights."""
        columns = Columns.of(flights)
        prior = self._prior(flights)
        out: dict[str, Floats] = {}
        for kind, (known, total, late) in self.tables.items():
            code = codes_of(columns.key(kind), known)
            seen = code >= 0
            n = np.where(seen, total[code] if len(total) else 0, 0)
            k = np.where(seen, late[code] if len(late) else 0, 0)
            out |= _named(kind, n, k, prior)
        return out

    def per_key(self, kind: str) -> tuple[Text, dict[str, Floats]]:
        """Return the known keys of *kind* and their frozen rates, as `features` gives them to a flight of that key."""
        known, total, late = self.tables[kind]
        prior = np.array([self.base[str(key).split("|", 1)[0]] for key in known])
        return known, _named(kind, total, late, prior)

    def of_unseen(self, kind: str, origin: str) -> dict[str, Floats]:
        """Return the frozen rates of a key of *kind* that was never seen at *origin*, one number each."""
        nothing = np.zeros(1, dtype=np.int64)
        return _named(kind, nothing, nothing, np.array([self.base[origin]]))

    def _prior(self, flights: FlightTable) -> Floats:
        origins, row = np.unique(flights.origin, return_inverse=True)
        overall = float(np.mean(list(self.base.values()))) if self.base else 0.5
        return np.array([self.base.get(str(o), overall) for o in origins])[row] if len(origins) else np.zeros(0)


def _named(kind: str, n: Counts, late: Counts, prior: Floats) -> dict[str, Floats]:
    features = {f"rate.{kind}": _shrunk(n, late, prior)}
    if kind == "flight":
        features["flights.flight"] = np.log1p(n)
    return features


def _shrunk(n: NDArray[np.int64], late: NDArray[np.int64], prior: Floats) -> Floats:
    return (late + FROZEN_SHRINKAGE_FLIGHTS * prior) / (n + FROZEN_SHRINKAGE_FLIGHTS)


def learn_rates(departures: DepartureTable) -> FrozenRates:
    """Count flights and late flights per key over all of *departures*."""
    columns = Columns.of(departures.flights)
    delayed = departures.delayed
    tables: dict[str, tuple[Text, Counts, Counts]] = {}
    for kind in FROZEN_RATES:
        known, code = np.unique(columns.key(kind), return_inverse=True)
        total = np.bincount(code, minlength=len(known)).astype(np.int64)
        late = np.bincount(code, weights=delayed, minlength=len(known)).astype(np.int64)
        tables[kind] = (known, total, late)
    base = {
        str(origin): float(delayed[departures.flights.origin == origin].mean())
        for origin in np.unique(departures.flights.origin)
    }
    return FrozenRates(tables, base)


def training_rates(departures: DepartureTable) -> dict[str, Floats]:
    """Return the frozen rates of each training row, computed without the row's own four-week block."""
    columns = Columns.of(departures.flights)
    delayed = departures.delayed.astype(np.int64)
    block = departures.flights.scheduled_local // BLOCK_MINUTES
    block -= block.min() if len(block) else 0
    n_blocks = int(block.max()) + 1 if len(block) else 1
    _, origin = np.unique(departures.flights.origin, return_inverse=True)
    n_origin, late_origin = _without_own_block(origin, block, n_blocks, delayed)
    prior = np.where(n_origin > 0, late_origin / np.maximum(n_origin, 1), 0.5)
    out: dict[str, Floats] = {}
    for kind in FROZEN_RATES:
        _, code = np.unique(columns.key(kind), return_inverse=True)
        n, late = _without_own_block(code, block, n_blocks, delayed)
        out |= _named(kind, n, late, prior)
    return out


def _without_own_block(
    code: NDArray[np.intp], block: NDArray[np.int64], n_blocks: int, delayed: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    cell = code * n_blocks + block
    size = (int(code.max()) + 1 if len(code) else 0) * n_blocks
    in_cell = np.bincount(cell, minlength=size).astype(np.int64)
    late_in_cell = np.bincount(cell, weights=delayed, minlength=size).astype(np.int64)
    in_key = in_cell.reshape(-1, n_blocks).sum(axis=1)
    late_in_key = late_in_cell.reshape(-1, n_blocks).sum(axis=1)
    return in_key[code] - in_cell[cell], late_in_key[code] - late_in_cell[cell]
