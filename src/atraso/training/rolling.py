"""Rolling origin: each month is predicted by a model trained, exactly as shipped, on the months before it alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from atraso.core.calendar import DaysOff, calendar_features
from atraso.core.day_blocks import DRAWS, SEED
from atraso.core.distribution import Climatology, DistributionScores, distribution_scores
from atraso.core.errors import SourceError
from atraso.core.flights import DepartureTable, FlightTable, Minutes, Text
from atraso.core.keys import MINUTES_A_DAY
from atraso.core.leads import LEAD_BY_NAME, Lead
from atraso.core.prediction import never_crossing_many
from atraso.core.replay import Replay
from atraso.core.scorecard import ANCHOR
from atraso.core.scores import auc, brier_score, ece, score_card
from atraso.training.cards import state_at
from atraso.training.crew import LostError, done_by
from atraso.training.pipeline import PROCESS_MEMORY_BYTES, train

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MONTHS_A_YEAR = 12


@dataclass(frozen=True, slots=True)
class Rolled:
    """Predictions of P(delay > 15 min) for departures none of which their model had seen, and their whole spread.

    `airline` has ICAO codes; `base_rate` is the late rate of the months before, as known then; `month` counts from
    January of the first year of the data as 1, `day` from 1970. `spread` scores the distributions, against the delays
    of the months before. All have one element per predicted departure.
    """

    airline: Text
    late: NDArray[np.bool_]
    probability: Floats
    base_rate: Floats
    month: Ints
    day: Ints
    spread: DistributionScores

    def take(self, rows: NDArray[np.bool_]) -> Rolled:
        """Return the chosen departures."""
        return Rolled(**{name: getattr(self, name)[rows] for name in _COLUMNS}, spread=self.spread.take(rows))


_COLUMNS = ("airline", "late", "probability", "base_rate", "month", "day")


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
    processes: int = 0,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[tuple[str, bool], Rolled]:
    """Predict each of *months* for each of *cards* (lead name, published schedule known).

    The work is done in *processes* worker processes (0: in this one), which changes no number. Raises
    SourceError for a month without departures, or with too little before it.
    """
    absent = sorted(set(months) - set(months_of(departures.flights.scheduled_local).tolist()))
    if absent:
        raise SourceError(f"there are no departures in month {absent[0]}; months count from January of the first year")
    prepare = partial(_MonthRoller, departures, unflown, days_off, tuple(cards))
    found: dict[int, dict[tuple[str, bool], Rolled]] = {}
    progress("reading the days in order", 0, len(months))
    # the last months have most to learn from and take longest
    for month, rolled in done_by(prepare, sorted(months, reverse=True), processes, PROCESS_MEMORY_BYTES):
        if isinstance(rolled, LostError):
            raise SourceError(f"month {month} could not be predicted: {rolled}")
        found[month] = rolled
        progress(f"month {month} is done", len(found), len(months))
    return {card: _joined([found[month][card] for month in months]) for card in cards}


class _MonthRoller:
    """All departures of a source; predicts any month of them by a model trained on those before it."""

    def __init__(
        self, departures: DepartureTable, unflown: FlightTable, days_off: DaysOff, cards: tuple[tuple[str, bool], ...]
    ) -> None:
        self._departures, self._unflown, self._days_off = departures, unflown, days_off
        self._cards: list[tuple[Lead, bool]] = [(LEAD_BY_NAME[name], schedule) for name, schedule in cards]
        self._month = months_of(departures.flights.scheduled_local)
        self._unflown_month = months_of(unflown.scheduled_local)
        self._replay = Replay(departures, published=unflown)

    def __call__(self, now: int) -> dict[tuple[str, bool], Rolled]:
        """Return the predictions of month *now*, card by card."""
        departures, days_off = self._departures, self._days_off
        past, asked = self._month < now, self._month == now
        if not past.any():
            raise SourceError(f"there are no departures before month {now} to learn from")
        trained = train(
            departures.take(past), self._unflown.take(self._unflown_month < now), days_off, cards=self._cards
        )
        flights, delay = departures.flights.take(asked), departures.delay_minutes[asked]
        known = calendar_features(flights.scheduled_local, days_off)
        known |= trained.rates.features(flights) | self._replay.crowding(flights)
        climatology = Climatology.of(departures.delay_minutes[past])
        rolled = {}
        for card in trained.scorecards:
            columns = known | state_at(self._replay, flights, LEAD_BY_NAME[card.lead])
            curves = never_crossing_many(card.log_odds(columns), ANCHOR)
            rolled[card.lead, card.schedule] = Rolled(
                flights.airline,
                departures.delayed[asked],
                1.0 / (1.0 + np.exp(-curves[:, ANCHOR])),
                np.full(len(flights), float(departures.delayed[past].mean())),
                self._month[asked],
                flights.scheduled_local // MINUTES_A_DAY,
                distribution_scores(delay, curves, climatology.delay_range, climatology),
            )
        return rolled


def scores_of(rolled: Rolled) -> dict[str, float]:
    """Return the pooled scores, the mean of the months' calibration errors, and 95 % intervals.

    Skill is against the late rate (and the delays) of all months before, as they were known then. Intervals resample
    whole days (`*_low`, `*_high`): flights of a day share its luck, and resampling rows would halve the width.
    """
    return _scores(rolled, _resampled(rolled))


def scores_and_differences(
    rolled: Mapping[str, Rolled],
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Return `scores_of` each of *rolled* (by lead, longest first), and how much better each is than the one before.

    A difference ("30m - 1h") has the 95 % interval of the paired comparison: both leads are asked about the same
    departures and the same days are drawn for both, so the luck of the days cancels. AUC and skills are better when
    greater, `brier_score` when smaller.
    """
    drawn = {name: _resampled(predictions) for name, predictions in rolled.items()}
    scores = {name: _scores(predictions, drawn[name]) for name, predictions in rolled.items()}
    differences = {}
    for longer, shorter in pairwise(rolled):
        if not np.array_equal(rolled[longer].day, rolled[shorter].day):
            raise ValueError(f"{shorter} and {longer} were not asked about the same departures")
        found = {name: scores[shorter][name] - scores[longer][name] for name in _RESAMPLED}
        differences[f"{shorter} - {longer}"] = found | _intervals(drawn[shorter] - drawn[longer])
    return scores, differences


def intervals_of(rolled: Rolled, *, by_flights: bool = False) -> dict[str, float]:
    """Return the 95 % intervals that `scores_of` has; with *by_flights* the too narrow ones of resampling flights."""
    return _intervals(_resampled(rolled, by_flights=by_flights))


def _scores(rolled: Rolled, drawn: Floats) -> dict[str, float]:
    reference = float(np.mean((rolled.base_rate - rolled.late) ** 2))
    scores = score_card(rolled.late, rolled.probability, float(rolled.base_rate.mean())) | rolled.spread.means()
    scores["brier_skill"] = 1.0 - scores["brier_score"] / reference
    monthly = [rolled.take(rolled.month == month) for month in np.unique(rolled.month)]
    scores["ece_mean_monthly"] = float(np.mean([ece(part.late, part.probability) for part in monthly]))
    return scores | _intervals(drawn)


_RESAMPLED = ("auc", "brier_score", "brier_skill", "crps_skill")


def _intervals(drawn: Floats) -> dict[str, float]:
    out: dict[str, float] = {}
    for name, column in zip(_RESAMPLED, drawn.T, strict=True):
        told = column[~np.isnan(column)]  # a draw of days on which nobody, or everybody, was late has no AUC
        low, high = np.percentile(told, (2.5, 97.5)) if len(told) else (np.nan, np.nan)
        out |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return out


def _resampled(rolled: Rolled, *, by_flights: bool = False) -> Floats:
    """Return the scores of `_RESAMPLED` (draws, 4) on days drawn with replacement: for the same days, the same ones."""
    days, place = np.unique(rolled.day, return_inverse=True)
    if by_flights:
        days = place = np.arange(len(rolled.day))
    rows_of_day = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    rng = np.random.default_rng(SEED)
    drawn = np.empty((DRAWS, len(_RESAMPLED)))
    for i in range(DRAWS):
        rows = np.concatenate([rows_of_day[d] for d in rng.integers(0, len(days), len(days))])
        late, probability = rolled.late[rows], rolled.probability[rows]
        brier = brier_score(late, probability)
        reference = float(np.mean((rolled.base_rate[rows] - late) ** 2))
        crps_skill = 1.0 - float(rolled.spread.crps[rows].mean() / rolled.spread.crps_climatology[rows].mean())
        drawn[i] = auc(late, probability), brier, 1.0 - brier / reference, crps_skill
    return drawn


def _joined(parts: Sequence[Rolled]) -> Rolled:
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    return Rolled(**columns, spread=DistributionScores.concat([part.spread for part in parts]))
