"""The challenge's original model, as the Flask service loads it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from atraso.artefact.bundle import BUNDLED, read_manifest
from benchmarks.rivals.logistic import Encoder, write_pickle

AIRLINES = list(read_manifest(BUNDLED).challenge_airlines)


def test_a_flight_is_three_ones_among_37_columns() -> None:
    """One column for each airline, type and month, as in the original; an unknown value is refused."""
    encoder = Encoder(AIRLINES)
    row, other = encoder.rows(
        [{"OPERA": AIRLINES[0], "TIPOVUELO": "N", "MES": 3}, {"OPERA": AIRLINES[1], "TIPOVUELO": "N", "MES": 3}]
    )

    assert row.shape == (37,)
    assert np.flatnonzero(row).tolist() == [0, 24, 27]
    assert np.flatnonzero(row != other).tolist() == [0, 1]
    with pytest.raises(KeyError):
        encoder.rows([{"OPERA": "Nobody", "TIPOVUELO": "N", "MES": 3}])


def test_the_pickle_answers(tmp_path: Path) -> None:
    """What was pickled is a fitted logistic regression that answers 0 or 1 for each row."""
    path = tmp_path / "model.pickle"
    write_pickle(path, AIRLINES)
    kept = pickle.loads(path.read_bytes())
    rows = Encoder(kept["airlines"]).rows([{"OPERA": AIRLINES[2], "TIPOVUELO": "I", "MES": m} for m in (1, 12)])

    assert type(kept["model"]).__name__ == "LogisticRegression"
    assert set(map(int, kept["model"].predict(rows))) <= {0, 1}
