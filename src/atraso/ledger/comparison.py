"""Whether to change models: champion and challenger on the same questions, judged by what happened.

A pair is two answers to one question: the same flight, lead and basis, and the same identifier, so both were given at
the same moment. Judged is as in `quality.py`: a flight counts once per lead, with its latest pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from math import isnan

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from atraso.core.day_blocks import DayBlocks, Estimate
from atraso.core.leads import LEADS
from atraso.core.scores import log_losses
from atraso.ledger.quality_rows import JUDGED, MOST_ROWS, LatestRow, Window, read_flights
from atraso.ledger.schema import LATEST

SWITCH, STAY, NOT_DECIDED, TOO_FEW = "switch", "stay", "not decided", "too few"
# With fewer, an interval over days says little.
LEAST_FLIGHTS, LEAST_DAYS = 500, 7
_ORDER = {lead.name: place for place, lead in enumerate(LEADS)}


class Difference(Struct, frozen=True):
    """Two means of a loss, and challenger minus champion with its 95 % interval over whole days: below 0 is better.

    `low` and `high` are null where there is one day only.
    """

    champion: float
    challenger: float
    difference: float
    low: float | None
    high: float | None

    @property
    def better(self) -> bool:
        """Whether the challenger is, by the whole interval."""
        return self.high is not None and self.high < 0

    @property
    def worse(self) -> bool:
        """Whether the challenger is, by the whole interval."""
        return self.low is not None and self.low > 0


class PairScores(Struct, frozen=True):
    """Both models on the same *n* questions; the log loss is in nats."""

    n: int
    log_loss: Difference
    brier_score: Difference


class Comparison(Struct, frozen=True):
    """What `compare` finds of flights due in the last `days` days; `overall` is null where nothing could be judged.

    `flights` counts each flight once, `judged_days` the scheduled local days on which there is one. `unpaired` are
    answers of one model to judged flights beside which the other has none of the same moment.
    """

    champion: str
    challenger: str
    days: int
    verdict: str
    flights: int
    judged_days: int
    unpaired: int
    complete: bool
    overall: PairScores | None
    leads: dict[str, PairScores]


@dataclass(slots=True)
class _Pairs:
    """Pairs as columns."""

    late: list[bool] = field(default_factory=list)
    champion: list[float] = field(default_factory=list)
    challenger: list[float] = field(default_factory=list)
    day: list[int] = field(default_factory=list)
    lead: list[str] = field(default_factory=list)

    def add(self, champion: LatestRow, challenger: LatestRow) -> None:
        self.late.append(champion.late)
        self.champion.append(champion.delay_probability)
        self.challenger.append(challenger.delay_probability)
        self.day.append(champion.local_day)
        self.lead.append(champion.lead)


def has_answers(connection: Connection, model_version: str) -> bool:
    """Return whether the ledger holds any answer of a model."""
    statement = select(LATEST.c.id).where(LATEST.c.model_version == model_version).limit(1)
    return connection.execute(statement).first() is not None


def compare(connection: Connection, window: Window) -> Comparison:
    """Return how the model of `window.other_version`, the challenger, did beside that of `window.model_version`.

    Reads only.
    """
    assert window.model_version is not None and window.other_version is not None
    pairs, flights, unpaired, rows = _Pairs(), 0, 0, 0
    with closing(read_flights(connection, window, lambda: None)) as found:
        for of_flight in found:
            rows += len(of_flight)
            if of_flight[0].fate(window.until_utc) != JUDGED:
                continue
            in_time = [row for row in of_flight if not row.too_late]
            paired = list(_paired(in_time, window.model_version))
            unpaired += len(in_time) - 2 * len(paired)
            latest = {champion.lead: (champion, challenger) for champion, challenger in paired}
            flights += bool(latest)
            for champion, challenger in latest.values():
                pairs.add(champion, challenger)
    overall, leads = _scores(pairs)
    days = len(set(pairs.day))
    return Comparison(
        champion=window.model_version,
        challenger=window.other_version,
        days=window.days,
        verdict=verdict(overall, leads.values(), flights, days),
        flights=flights,
        judged_days=days,
        unpaired=unpaired,
        complete=rows < MOST_ROWS,
        overall=overall,
        leads=leads,
    )


def _paired(rows: Iterable[LatestRow], champion: str) -> Iterable[tuple[LatestRow, LatestRow]]:
    """Yield champion's and challenger's answers to one question, the latest last."""
    ordered = sorted(rows, key=lambda row: (row.id, row.lead, row.basis, row.model_version != champion))
    for one, other in pairwise(ordered):
        if one.model_version != other.model_version and (one.id, one.lead, one.basis) == (
            other.id,
            other.lead,
            other.basis,
        ):
            yield one, other


def verdict(overall: PairScores | None, leads: Iterable[PairScores], flights: int, days: int) -> str:
    """Return whether to change, by the log loss over all leads, unless one lead is against it."""
    if overall is None or flights < LEAST_FLIGHTS or days < LEAST_DAYS:
        return TOO_FEW
    if overall.log_loss.worse:
        return STAY
    if overall.log_loss.better and not any(lead.log_loss.worse for lead in leads):
        return SWITCH
    return NOT_DECIDED


def _scores(pairs: _Pairs) -> tuple[PairScores | None, dict[str, PairScores]]:
    if not pairs.late:
        return None, {}
    columns = _Columns(pairs)
    leads: Sequence[str] = sorted(set(pairs.lead), key=lambda name: (_ORDER.get(name, len(_ORDER)), name))
    lead = np.array(pairs.lead, dtype=np.str_)
    everything = np.ones(len(lead), dtype=np.bool_)
    return columns.scores(everything), {name: columns.scores(lead == name) for name in leads}


class _Columns:
    """Losses of pairs, of which parts can be compared."""

    def __init__(self, pairs: _Pairs) -> None:
        late = np.array(pairs.late, dtype=np.bool_)
        said = [np.array(column, dtype=np.float64) for column in (pairs.champion, pairs.challenger)]
        self._day = np.array(pairs.day, dtype=np.int64)
        self._log = [log_losses(late, probability) for probability in said]
        self._brier = [(probability - late) ** 2 for probability in said]

    def scores(self, rows: NDArray[np.bool_]) -> PairScores:
        day = self._day[rows]
        blocks = DayBlocks(day) if len(np.unique(day)) > 1 else None
        log_loss, brier = (
            _difference(champion[rows], challenger[rows], blocks) for champion, challenger in (self._log, self._brier)
        )
        return PairScores(len(day), log_loss, brier)


def _difference(champion: NDArray[np.float64], challenger: NDArray[np.float64], blocks: DayBlocks | None) -> Difference:
    apart = challenger - champion
    found = blocks.mean(apart) if blocks else Estimate.of(float(apart.mean()), np.zeros(0))
    low, high = (None if isnan(end) else end for end in (found.low, found.high))
    return Difference(float(champion.mean()), float(challenger.mean()), found.value, low, high)
