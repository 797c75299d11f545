"""What the bundled artefact tells of the flights it was made of."""

from __future__ import annotations

import numpy as np
import pytest

from atraso.artefact.reference import reference_of
from atraso.artefact.scorer import load_scorer
from atraso.core.drift import AIRLINE, NUMBER, ROUTE, SCORE, TIME, WEEKDAY, stability_index
from atraso.core.keys import MINUTES_A_DAY
from atraso.sources.registry import read
from tests.flights_at_hand import scl_file


def test_each_group_is_whole_and_counts_what_the_tables_count() -> None:
    """Shares add up to 1; an airline's is its flights over all; the same artefact gives the same reference."""
    scorer = load_scorer()
    reference = reference_of(scorer)
    assert list(reference.groups) == [AIRLINE, ROUTE, NUMBER, TIME, WEEKDAY, SCORE]
    for shares in reference.groups.values():
        assert sum(shares.shares.values()) == pytest.approx(1.0, abs=1e-6)
    keys, sums = scorer.rates.tables["airline"]
    lan = float(sums[list(keys).index("SCEL|LAN"), 0] / sums[:, 0].sum())
    assert reference.groups[AIRLINE].shares["LAN"] == pytest.approx(lan)
    assert reference.groups[NUMBER].value_of("SCEL|LAN|600") == "known"
    assert reference.groups[NUMBER].value_of("SCEL|LAN|98765") == "new"
    assert 0 < reference.groups[NUMBER].shares["new"] < 0.02
    assert reference.model_version == scorer.manifest.version
    assert reference == reference_of(scorer)


def test_the_scores_are_those_of_the_year_itself() -> None:
    """What the model says of all flights it was made of is spread over the ten parts as the reference says."""
    path, real = scl_file()
    if not real:
        pytest.skip("the real flights are not at hand")
    scorer = load_scorer()
    reference = reference_of(scorer)
    flights = read("scl", str(path), lambda *_: None).departures.flights
    counts = reference.score_counts(scorer.predict_many(flights).delay_probability.tolist())
    assert stability_index(reference.groups[SCORE].shares, counts) < 0.01
    slots = np.bincount(flights.scheduled_local % MINUTES_A_DAY // 180, minlength=8) / len(flights)
    # The reference counts older flights less, so it is near and not the same.
    assert np.abs(slots - np.array(list(reference.groups[TIME].shares.values()))).max() < 0.02
