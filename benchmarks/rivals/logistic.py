"""The flight-delay challenge's original model: a logistic regression on 37 columns of zeros and ones, pickled.

It is fitted to made-up flights of the same shape, so that no row of anybody's data is needed; what it answers does not
matter here, what it costs to ask does.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

TYPES = ("I", "N")
MONTHS = range(1, 13)
FLIGHTS = 20_000
DELAYED_SHARE = 0.18
SEED = 2017


class Encoder:
    """Turns airline, type and month into one row of zeros and ones."""

    def __init__(self, airlines: list[str]) -> None:
        columns = [("OPERA", name) for name in airlines]
        columns += [("TIPOVUELO", name) for name in TYPES] + [("MES", month) for month in MONTHS]
        self._place = {column: place for place, column in enumerate(columns)}

    def rows(self, flights: list[dict[str, Any]]) -> np.ndarray:
        """Return a row for each of *flights*; raises KeyError for a value that is no column."""
        rows = np.zeros((len(flights), len(self._place)))
        for row, flight in zip(rows, flights, strict=True):
            for name in ("OPERA", "TIPOVUELO", "MES"):
                row[self._place[name, flight[name]]] = 1.0
        return rows


def write_pickle(path: Path, airlines: list[str]) -> None:
    """Fit the model to made-up flights of *airlines* and write it with its encoder's airlines to *path*."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  (what encodes must not need it)

    dice = np.random.default_rng(SEED)
    drawn = zip(*(dice.integers(0, count, FLIGHTS) for count in (len(airlines), len(TYPES), 12)), strict=True)
    flights = [{"OPERA": airlines[a], "TIPOVUELO": TYPES[t], "MES": int(m) + 1} for a, t, m in drawn]
    delayed = dice.random(FLIGHTS) < DELAYED_SHARE
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(Encoder(airlines).rows(flights), delayed)
    path.write_bytes(pickle.dumps({"airlines": airlines, "model": model}))


if __name__ == "__main__":
    write_pickle(Path(sys.argv[1]), json.loads(sys.argv[2]))
