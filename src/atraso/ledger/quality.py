"""How right the predictions were: each is joined with the departure of its flight, and scored.

A flight counts once per lead, with its latest prediction. What was said at or after the actual departure is not judged,
nor are cancelled flights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from math import isnan

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import URL, Connection

from atraso.core.day_blocks import DayBlocks, Estimate
from atraso.core.drift import Reference
from atraso.core.errors import LedgerError
from atraso.core.leads import LEADS
from atraso.core.scores import auc, brier_score, brier_skill, ece, reliability
from atraso.ledger.database import DATABASE_ERRORS, open_engine, shown, sqlite_file, told
from atraso.ledger.drift import Population, lead_drift
from atraso.ledger.quality_report import ALL_MODELS, Bin, Counts, Interval, LeadQuality, Quality, Scores
from atraso.ledger.quality_rows import (
    JUDGED,
    LEFT,
    MOST_ROWS,
    WAITING,
    LatestRow,
    Window,
    count_by_lead,
    count_later,
    read_flights,
)
from atraso.ledger.schema import LATEST

# Enough for an interval; the writer waits meanwhile.
DRAWS = 200
_ORDER = {lead.name: place for place, lead in enumerate(LEADS)}


def judge(connection: Connection, window: Window, reference: Reference | None, between: Callable[[], None]) -> Quality:
    """Return how right the predictions of *window* were, and their drift from *reference* where there is one.

    Reads only. Calls *between* often, some dozens of times a second, for whoever has other work.
    """
    population = Population(reference) if reference is not None and window.lead is None else None
    seen = _Seen()
    with closing(read_flights(connection, window, between)) as flights:
        for predictions in flights:
            seen.add(predictions, window.until_utc)
            if population is not None:
                population.add(predictions)
    seen.counts[WAITING] += count_later(connection, window)
    drift = {}
    if population is not None:
        past = Window(window.now_s - window.days * 86_400, window.days, window.model_version)
        drift = population.drift() | lead_drift(count_by_lead(connection, past), count_by_lead(connection, window))
    leads = {}
    for lead in sorted(seen.leads, key=lambda name: (_ORDER.get(name, len(_ORDER)), name)):
        leads[lead] = _lead_quality(seen.leads[lead], between)
    return Quality(
        made_at=datetime.fromtimestamp(window.now_s, UTC).isoformat(),
        days=window.days,
        model_version=window.model_version or ALL_MODELS,
        complete=seen.rows < MOST_ROWS,
        counts=Counts(**{name: seen.counts[name] for name in Counts.__struct_fields__}),
        leads=leads,
        drift=drift,
    )


@dataclass(slots=True)
class _Judged:
    """Judged predictions of one lead as columns; `first` marks the one that stands for its flight."""

    late: list[bool] = field(default_factory=list)
    probability: list[float] = field(default_factory=list)
    base_rate: list[float] = field(default_factory=list)
    airline: list[str] = field(default_factory=list)
    basis: list[str] = field(default_factory=list)
    day: list[int] = field(default_factory=list)
    first: list[bool] = field(default_factory=list)


@dataclass(slots=True)
class _Seen:
    """What became of the predictions of a window."""

    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    leads: dict[str, _Judged] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, predictions: Sequence[LatestRow], now_utc: int) -> None:
        """Take in the predictions of one flight."""
        self.rows += len(predictions)
        fate = predictions[0].fate(now_utc)
        by_lead: dict[str, dict[str, LatestRow]] = {}
        for row in sorted(predictions, key=_newest, reverse=True):
            by_lead.setdefault(row.lead, {}).setdefault(row.basis, row)
        for lead, by_basis in by_lead.items():
            in_time = [row for row in by_basis.values() if not row.too_late]
            self.counts[LEFT if fate == JUDGED and not in_time else fate] += 1
            if fate == JUDGED and in_time:
                self._keep(lead, in_time)

    def _keep(self, lead: str, rows: Iterable[LatestRow]) -> None:
        into = self.leads.setdefault(lead, _Judged())
        for place, row in enumerate(rows):
            into.late.append(row.late)
            into.probability.append(row.delay_probability)
            into.base_rate.append(row.base_rate)
            into.airline.append(self.names.setdefault(row.airline, row.airline))
            into.basis.append(self.names.setdefault(row.basis, row.basis))
            into.day.append(row.local_day)
            into.first.append(place == 0)


def _newest(row: LatestRow) -> str:
    return row.id


class _Part:
    """Columns of judged predictions as arrays, of which parts can be scored."""

    def __init__(self, judged: _Judged) -> None:
        self.late = np.array(judged.late, dtype=np.bool_)
        self.probability = np.array(judged.probability, dtype=np.float64)
        self.base_rate = np.array(judged.base_rate, dtype=np.float64)
        self.airline, self.basis = np.array(judged.airline, np.str_), np.array(judged.basis, np.str_)
        self.day = np.array(judged.day, dtype=np.int64)
        self.first = np.array(judged.first, dtype=np.bool_)

    def scores(self, rows: NDArray[np.bool_]) -> Scores:
        """Return the scores of some rows, at least one."""
        late, probability, base_rate = self.late[rows], self.probability[rows], self.base_rate[rows]
        usual = float(np.mean((base_rate - late) ** 2))
        return Scores(
            n=len(late),
            delayed=int(late.sum()),
            said=float(probability.mean()),
            brier_score=brier_score(late, probability),
            brier_skill=brier_skill(late, probability, base_rate) if usual else None,
            auc=_told(auc(late, probability)),
            ece=ece(late, probability),
        )

    def by(self, values: NDArray[np.str_], rows: NDArray[np.bool_]) -> dict[str, Scores]:
        """Return the scores of each of *values*, in their order."""
        return {str(value): self.scores(rows & (values == value)) for value in np.unique(values[rows])}


def _lead_quality(judged: _Judged, between: Callable[[], None]) -> LeadQuality:
    between()
    part = _Part(judged)
    first = part.first
    late, probability, base_rate = part.late[first], part.probability[first], part.base_rate[first]
    days, at_day = np.unique(part.day, return_inverse=True)
    blocks = DayBlocks(part.day[first], DRAWS) if len(days) > 1 else None
    errors, usual = (probability - late) ** 2, (base_rate - late) ** 2
    whole = part.scores(first)
    between()
    airlines = part.by(part.airline, first)
    between()
    weeks = np.array([_week(day) for day in days.tolist()], dtype=np.str_)[at_day]
    return LeadQuality(
        **{name: getattr(whole, name) for name in Scores.__struct_fields__},
        brier_score_95=_interval(blocks.mean(errors)) if blocks else None,
        brier_skill_95=_flipped(_interval(blocks.ratio(errors, usual))) if blocks else None,
        auc_95=_interval(Estimate.of(whole.auc or 0.0, blocks.auc(late, probability, between))) if blocks else None,
        by_basis=part.by(part.basis, np.ones(len(first), dtype=np.bool_)),
        by_airline=dict(sorted(airlines.items(), key=lambda item: (-item[1].n, item[0]))),
        by_week=part.by(weeks, first),
        reliability=tuple(Bin(int(b["n"]), b["said"], b["late"]) for b in reliability(late, probability)),
    )


def _week(day: int) -> str:
    """Return the ISO week of a day (1 is 0001-01-01), such as 2017-W28."""
    year, week, _ = date.fromordinal(day).isocalendar()
    return f"{year}-W{week:02d}"


def _told(score: float) -> float | None:
    return None if isnan(score) else score


def _interval(estimate: Estimate) -> Interval | None:
    return None if isnan(estimate.low) else (estimate.low, estimate.high)


def _flipped(ratio: Interval | None) -> Interval | None:
    return None if ratio is None else (1.0 - ratio[1], 1.0 - ratio[0])


def judge_ledger(url: URL, window: Window, reference: Reference | None) -> Quality:
    """Return what `judge` finds in the ledger at *url*, beside its writer; raises LedgerError where it cannot."""
    with reading_ledger(url) as connection:
        return judge(connection, window, reference, lambda: None)


@contextmanager
def reading_ledger(url: URL) -> Iterator[Connection]:
    """Give a connection that reads the ledger at *url*, beside its writer; raises LedgerError where there is none."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise LedgerError(f"There is no ledger in {file}: nothing has been kept yet.")
    engine = open_engine(url, reading=True)
    try:
        with engine.connect() as connection:
            if not engine.dialect.has_table(connection, LATEST.name):
                raise LedgerError(
                    f"The ledger {shown(url)} was written by an older version: start the service once, it is brought "
                    "to this version then."
                )
            yield connection
    except DATABASE_ERRORS as error:
        raise LedgerError(f"The ledger {shown(url)} cannot be read now: {told(error)}.") from None
    finally:
        engine.dispose()
