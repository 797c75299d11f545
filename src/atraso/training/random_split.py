"""The split most public solutions report, as a control: rows drawn at random, which flatters any model of delays.

Flights of one day share its luck. Drawn at random, two thirds of a day teach what its last third is asked, and the
frozen rates of a flight number are learnt from the days around the one asked about. Nobody can predict that way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from atraso.core.calendar import DaysOff, calendar_features
from atraso.core.errors import MissingExtraError
from atraso.core.flights import DepartureTable, FlightTable
from atraso.core.leads import LEAD_BY_NAME
from atraso.core.prediction import never_crossing_many
from atraso.core.replay import Replay
from atraso.core.scorecard import ANCHOR
from atraso.core.scores import best_f1_threshold, class_scores, score_card
from atraso.training.cards import fit_card, rates_for_fit_and_later, state_at

Ints = NDArray[np.int64]

# The split of the challenge's own notebook; a fifth of its training part chooses the threshold.
TEST_SHARE, SEED = 0.33, 42
VALIDATION_SHARE = 0.2

WARNING = (
    "a random split flatters: flights of one day are on both sides of it, so its luck is read off its other flights; "
    "what a model is worth on days to come is what the rolling months say"
)


def random_split(
    departures: DepartureTable,
    unflown: FlightTable,
    days_off: DaysOff,
    leads: Sequence[str],
    *,
    schedule: bool = True,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[str, dict[str, float]]:
    """Return per lead the scores on a random third of the flights of a scorecard fitted on the others.

    Rows are split 67/33 in the order of the source by scikit-learn's `train_test_split` with seed 42. `threshold` has
    the best F1 of the delayed class on a fifth of the first part, held back from the fit; `f1`, `precision` and
    `recall` are those of calling flights delayed from it on. Skill is against the late rate of the fitted rows. The
    state of the airport is that of all flights, up to the moment of each prediction.
    """
    fit, validation, test = _parts(len(departures))
    flights, late = departures.flights, departures.delayed
    in_fit = np.zeros(len(departures), dtype=bool)
    in_fit[fit] = True
    replay = Replay(departures, published=unflown)
    known = calendar_features(flights.scheduled_local, days_off) | replay.crowding(flights)
    known |= rates_for_fit_and_later(departures, in_fit)
    out = {}
    for done, name in enumerate(leads):
        progress(f"random split, lead {name}", done, len(leads))
        lead = LEAD_BY_NAME[name]
        columns = known | state_at(replay, flights, lead)
        card = fit_card(columns, departures, in_fit, lead, schedule=schedule)
        held_out = np.concatenate([validation, test])
        curves = never_crossing_many(card.log_odds({n: c[held_out] for n, c in columns.items()}), ANCHOR)
        probability = 1.0 / (1.0 + np.exp(-curves[:, ANCHOR]))
        for_choice, asked = probability[: len(validation)], probability[len(validation) :]
        threshold = best_f1_threshold(late[validation], for_choice)
        scores = score_card(late[test], asked, float(late[fit].mean()))
        out[name] = scores | {"threshold": threshold} | class_scores(late[test], asked >= threshold)
    progress("done", len(leads), len(leads))
    return out


def _parts(n: int) -> tuple[Ints, Ints, Ints]:
    """Return the rows to fit, to choose the threshold on, and to judge."""
    try:
        from sklearn.model_selection import train_test_split  # noqa: PLC0415 - only where a split is asked for
    except ModuleNotFoundError as error:
        raise MissingExtraError("The random split", "train") from error
    train, test = train_test_split(np.arange(n), test_size=TEST_SHARE, random_state=SEED)
    fit, validation = train_test_split(train, test_size=VALIDATION_SHARE, random_state=SEED)
    return fit, validation, test
