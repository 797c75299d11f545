"""Rolling origin: each month is predicted by a model trained, exactly as shipped, on the months before it alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from atraso.core.calendar import DaysOff, calendar_features
from atraso.core.errors import SourceError
from atraso.core.flights import DepartureTable, FlightTable, Minutes
from atraso.core.keys import MINUTES_A_DAY
from atraso.core.leads import LEAD_BY_NAME, Lead
from atraso.core.prediction import never_crossing_many
from atraso.core.replay import Replay
from atraso.core.scorecard import ANCHOR
from atraso.core.scores import auc, brier_score, ece, score_card
from atraso.training.pipeline import state_at, train

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DRAWS = 400
SEED = 20170101
MONTHS_A_YEAR = 12


@dataclass(frozen=True, slots=True)
class Rolled:
    """Predictions of P(delay > 15 min) for departures none of which their model had seen.

    `base_rate` is the late rate of the months before, as known then; `month` counts from January of the first year of
    the data as 1, `day` from 1970. All have one element per predicted departure.
    """

    late: NDArray[np.bool_]
    probability: Floats
    base_rate: Floats
    month: Ints
    day: Ints

    def take(self, rows: NDArray[np.bool_]) -> Rolled:
        """Return the chosen departures."""
        return Rolled(self.late[rows], self.probability[rows], self.base_rate[rows], self.month[rows], self.day[rows])


def months_of(scheduled_local: Minutes) -> Ints:
    """Return the month of each local time, counted from January of the first one's year as 1."""
    days, row = np.unique(scheduled_local // MINUTES_A_DAY, return_inverse=True)
    dates = [date(1970, 1, 1) + timedelta(days=int(day)) for day in days]
    first_year = dates[0].year if dates else 0
    months = [(when.year - first_year) * MONTHS_A_YEAR + when.month for when in dates]
    return np.array(months, dtype=np.int64)[row]


def roll(
    departures: DepartureTable,
    unflown: FlightTable,
    days_off: DaysOff,
    months: Sequence[int],
    *,
    cards: Sequence[tuple[str, bool]],
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[tuple[str, bool], Rolled]:
    """Predict each of *months* for each of *cards* (lead name, published schedule known).

    Raises SourceError for a month without departures, or with too little before it.
    """
    month = months_of(departures.flights.scheduled_local)
    unflown_month = months_of(unflown.scheduled_local)
    absent = sorted(set(months) - set(month.tolist()))
    if absent:
        raise SourceError(f"there are no departures in month {absent[0]}; months count from January of the first year")
    wanted: list[tuple[Lead, bool]] = [(LEAD_BY_NAME[name], schedule) for name, schedule in cards]
    replay = Replay(departures, published=unflown)
    parts: dict[tuple[str, bool], list[Rolled]] = {card: [] for card in cards}
    for done, now in enumerate(months):
        progress(f"month {now}", done, len(months))
        past, asked = month < now, month == now
        if not past.any():
            raise SourceError(f"there are no departures before month {now} to learn from")
        trained = train(departures.take(past), unflown.take(unflown_month < now), days_off, cards=wanted)
        flights = departures.flights.take(asked)
        known = calendar_features(flights.scheduled_local, days_off)
        known |= trained.rates.features(flights) | replay.crowding(flights)
        base_rate = float(departures.delayed[past].mean())
        for card in trained.scorecards:
            columns = known | state_at(replay, flights, LEAD_BY_NAME[card.lead])
            log_odds = never_crossing_many(card.log_odds(columns), ANCHOR)[:, ANCHOR]
            parts[card.lead, card.schedule].append(
                Rolled(
                    departures.delayed[asked],
                    1.0 / (1.0 + np.exp(-log_odds)),
                    np.full(len(flights), base_rate),
                    month[asked],
                    flights.scheduled_local // MINUTES_A_DAY,
                )
            )
    progress("done", len(months), len(months))
    return {card: _joined(rolled) for card, rolled in parts.items()}


def scores_of(rolled: Rolled) -> dict[str, float]:
    """Return the pooled scores, the mean of the months' calibration errors, and 95 % intervals.

    Skill is against the late rate of all months before, as it was known then. Intervals resample whole days
    (`*_low`, `*_high`): flights of a day share its luck, and resampling rows would halve the width.
    """
    reference = float(np.mean((rolled.base_rate - rolled.late) ** 2))
    scores = score_card(rolled.late, rolled.probability, float(rolled.base_rate.mean()))
    scores["brier_skill"] = 1.0 - scores["brier_score"] / reference
    monthly = [rolled.take(rolled.month == month) for month in np.unique(rolled.month)]
    scores["ece_mean_monthly"] = float(np.mean([ece(part.late, part.probability) for part in monthly]))
    drawn = _resampled(rolled)
    for name, column in zip(("auc", "brier_skill"), drawn.T, strict=True):
        scores[f"{name}_low"], scores[f"{name}_high"] = (float(v) for v in np.percentile(column, (2.5, 97.5)))
    return scores


def _resampled(rolled: Rolled) -> Floats:
    days, place = np.unique(rolled.day, return_inverse=True)
    rows_of_day = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    rng = np.random.default_rng(SEED)
    drawn = np.empty((DRAWS, 2))
    for i in range(DRAWS):
        rows = np.concatenate([rows_of_day[d] for d in rng.integers(0, len(days), len(days))])
        late, probability = rolled.late[rows], rolled.probability[rows]
        reference = float(np.mean((rolled.base_rate[rows] - late) ** 2))
        drawn[i] = auc(late, probability), 1.0 - brier_score(late, probability) / reference
    return drawn


def _joined(parts: Sequence[Rolled]) -> Rolled:
    columns = ("late", "probability", "base_rate", "month", "day")
    return Rolled(*(np.concatenate([getattr(part, column) for part in parts]) for column in columns))
