"""What quality and drift read: the latest predictions of a window of days, each with what became of its flight."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Result, Select, and_, func, select

from atraso.core.features import OVERDUE_UNTIL_MINUTES
from atraso.core.flights import DELAYED_AFTER_MINUTES
from atraso.ledger.quality_report import Counts
from atraso.ledger.schema import DEPARTURES, LATEST, PREDICTIONS

MINUTES_A_DAY = 1440
ROWS_AT_A_TIME = 2000
# More are not looked at: the writer has other work. At some 200 departures a day these are years, for six leads.
MOST_ROWS = 200_000
JUDGED, WAITING, WITHOUT, LEFT, CANCELLED = Counts.__struct_fields__
_FLIGHT = ("scheduled_utc", "airline", "flight_number", "origin", "destination")
_flight_of = itemgetter(slice(0, len(_FLIGHT)))


class LatestRow(NamedTuple):
    """A latest prediction and the truth of its flight; both of the truth are None where nothing was reported."""

    scheduled_utc: int
    airline: str
    flight_number: str
    origin: str
    destination: str
    lead: str
    basis: str
    id: str
    as_of_s: int
    delay_probability: float
    base_rate: float
    scheduled_local: str
    actual_utc: int | None
    cancelled: bool | None
    model_version: str

    @property
    def late(self) -> bool:
        """Whether the flight left more than 15 minutes late; one that has not left did not."""
        return self.actual_utc is not None and self.actual_utc - self.scheduled_utc > DELAYED_AFTER_MINUTES

    @property
    def too_late(self) -> bool:
        """Whether this was said when the flight had left."""
        return self.actual_utc is not None and self.as_of_s >= self.actual_utc * 60

    @property
    def local_day(self) -> int:
        """The scheduled local day (1 is 0001-01-01)."""
        return local_time(self.scheduled_local, self.scheduled_utc).toordinal()

    def fate(self, now_utc: int) -> str:
        """Return what is known of the flight at *now_utc*: a word of `Counts`."""
        if self.cancelled:
            return CANCELLED
        if self.actual_utc is not None:
            return JUDGED
        return WAITING if self.scheduled_utc > now_utc - OVERDUE_UNTIL_MINUTES else WITHOUT


@lru_cache(8192)
def local_time(scheduled_local: str, scheduled_utc: int) -> datetime:
    """Return the scheduled departure as people read it, or in UTC where it came from a file that garbled it."""
    try:
        return datetime.fromisoformat(scheduled_local)
    except ValueError:
        return datetime.fromtimestamp(scheduled_utc * 60, UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """The flights due in the *days* before *now_s*, and whose predictions: of one model and lead, or of all (None).

    With *other_version* they are those of that model too.
    """

    now_s: int
    days: int
    model_version: str | None = None
    lead: str | None = None
    other_version: str | None = None

    @property
    def until_utc(self) -> int:
        """The end, in minutes since 1970."""
        return self.now_s // 60

    @property
    def since_utc(self) -> int:
        """The beginning, in minutes since 1970."""
        return self.until_utc - self.days * MINUTES_A_DAY

    def of_whom(self, statement: Select[Any]) -> Select[Any]:
        """Return *statement* for this model and lead; numbers from a file that are no probability are passed over."""
        statement = statement.where(LATEST.c.delay_probability.between(0.0, 1.0), LATEST.c.base_rate.between(0.0, 1.0))
        if self.model_version is not None:
            versions = [version for version in (self.model_version, self.other_version) if version is not None]
            statement = statement.where(LATEST.c.model_version.in_(versions))
        else:
            # Of all models what was answered counts, and not what a challenger said beside it.
            given = and_(PREDICTIONS.c.id == LATEST.c.id, PREDICTIONS.c.model_version == LATEST.c.model_version)
            statement = statement.where(select(PREDICTIONS.c.id).where(given).correlate(LATEST).exists())
        return statement if self.lead is None else statement.where(LATEST.c.lead == self.lead)


def has_predictions(connection: Connection) -> bool:
    """Return whether there is any prediction of a flight."""
    return connection.execute(select(LATEST.c.id).limit(1)).first() is not None


def read_flights(
    connection: Connection, window: Window, between: Callable[[], None]
) -> Generator[list[LatestRow], None, None]:
    """Yield the predictions of each flight of *window* together, the flights due last first; some 200,000 at most.

    Calls *between* after some 2,000 rows.
    """
    last_report = (
        select(func.max(DEPARTURES.c.reported_ms))
        .where(*(DEPARTURES.c[name] == LATEST.c[name] for name in _FLIGHT))
        .correlate(LATEST)
        .scalar_subquery()
    )
    truth = DEPARTURES.alias("truth")
    same = and_(*(truth.c[name] == LATEST.c[name] for name in _FLIGHT), truth.c.reported_ms == last_report)
    columns = [(truth if name in ("actual_utc", "cancelled") else LATEST).c[name] for name in LatestRow._fields]
    statement = (
        window.of_whom(select(*columns))
        .select_from(LATEST.outerjoin(truth, same))
        .where(LATEST.c.scheduled_utc >= window.since_utc, LATEST.c.scheduled_utc < window.until_utc)
        .order_by(*(column.desc() for column in LATEST.primary_key.columns))
        .limit(MOST_ROWS)
    )

    with connection.execution_options(yield_per=ROWS_AT_A_TIME).execute(statement) as found:
        for _, of_flight in groupby(_rows(found, between), key=_flight_of):
            yield list(of_flight)


def _rows(found: Result[Any], between: Callable[[], None]) -> Iterator[LatestRow]:
    for part in found.partitions():
        yield from map(LatestRow._make, part)
        between()


def count_later(connection: Connection, window: Window) -> int:
    """Return how many flights due after the window are predicted, each once per lead."""
    return int(connection.execute(select(func.count()).select_from(_each(window, window.until_utc, None))).scalar_one())


def count_by_lead(connection: Connection, window: Window) -> dict[str, int]:
    """Return how many of the window's flights were predicted with each lead."""
    each = _each(window, window.since_utc, window.until_utc)
    counted = select(each.c.lead, func.count()).group_by(each.c.lead)
    return {lead: int(n) for lead, n in connection.execute(counted)}


def _each(window: Window, since_utc: int, until_utc: int | None) -> Any:
    """Return the flights and leads of a time as a subquery, each once."""
    columns = [LATEST.c[name] for name in (*_FLIGHT, "lead")]
    statement = window.of_whom(select(*columns)).distinct().where(LATEST.c.scheduled_utc >= since_utc)
    if until_utc is not None:
        statement = statement.where(LATEST.c.scheduled_utc < until_utc)
    return statement.subquery()
