"""What is known of an airport's flights, kept up to date one report after the other and made ready for questions.

`State` says what every feature means and `Replay` computes them; this keeps what both stand on: which flights left and
when, which are still awaited, which are only in the timetable.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atraso.core import features as spec
from atraso.core.flights import DELAYED_AFTER_MINUTES, DepartureTable, FlightTable
from atraso.core.keys import MINUTES_A_DAY, Columns
from atraso.core.replay import Replay

Rows = NDArray[np.int64]

# A flight that is awaited leaves so late that no question is ever about it: in the year 6053.
NOT_YET = 1 << 31
# Nothing further back is asked for by a span of time. What is asked for by number (the last departures of a key) is
# kept from before, too.
SPAN_DAYS = max(spec.USUAL_DAYS, spec.EXPECTED_DAYS, *(max(days) for days in spec.HISTORY_DAYS.values())) + 4
# Published flights count up to so far ahead: crowding is told for them.
AHEAD_DAYS = 16
# A silence of a week separates what is known of now from what is known of another time.
GAP_DAYS = 7
MANY_NEW = 1000
# Minutes since 1970 are less than 2 to this power for a million years.
_MINUTES_BITS = 39
_LAST = {
    kind: max(counts)
    for kind, counts in (spec.LATEST | {"flight": (*spec.LATEST["flight"], *spec.LAST_FLIGHTS)}).items()
}


class KnownFlight(NamedTuple):
    """One flight as it is known now: it left at `actual_utc`, or was cancelled, or is awaited; and whether published.

    Times are whole minutes since 1970, `scheduled_local` on the clock of the airport of departure.
    """

    airline: str
    flight_number: str
    origin: str
    destination: str
    scheduled_utc: int
    scheduled_local: int
    actual_utc: int | None
    cancelled: bool
    published: bool


class History(NamedTuple):
    """Departures, those that are awaited among them (`NOT_YET`), and the same made ready for questions."""

    departures: DepartureTable
    replay: Replay

    @property
    def airports(self) -> list[str]:
        """The airports of departure."""
        return [str(origin) for origin in np.unique(self.departures.flights.origin)]

    def departures_of(self, origin: str) -> DepartureTable:
        """Return the departures from one airport."""
        return self.departures.take(self.departures.flights.origin == origin)


class LiveFlights:
    """All flights that were told; `history` gives them in the form that answers questions."""

    def __init__(self) -> None:
        # Row by a whole number for names and time: a year of tuples and their strings would be 30 MB.
        self._row: dict[int, int] = {}
        self._place: dict[tuple[str, str, str, str], int] = {}
        self._told: list[tuple[str, str, str, str]] = []
        self._names, self._scheduled, self._local, self._actual = array("q"), array("q"), array("q"), array("q")
        self._published, self._cancelled = bytearray(), bytearray()
        self._chosen: tuple[int, Rows, int] | None = None
        self._made: History | None = None

    def __len__(self) -> int:
        return len(self._names)

    def take(self, flights: Iterable[KnownFlight]) -> None:
        """Take note of what is known of *flights* now, in the place of what was known of them."""
        for flight in flights:
            place = self._place.setdefault(flight[:4], len(self._place))
            row = self._row.setdefault((place << _MINUTES_BITS) + flight.scheduled_utc, len(self._names))
            if place == len(self._told):
                self._told.append(flight[:4])
            if row == len(self._names):
                self._names.append(place)
                self._scheduled.append(flight.scheduled_utc)
                self._local.append(flight.scheduled_local)
                self._actual.append(0)
                self._published.append(False)
                self._cancelled.append(False)
            elif self._chosen is not None and row < self._chosen[2] and row not in self._chosen[1]:
                self._chosen = None  # something old is corrected
            self._actual[row] = NOT_YET if flight.actual_utc is None else flight.actual_utc
            self._published[row], self._cancelled[row] = flight.published, flight.cancelled
            self._made = None

    def known_since(self, at: int) -> int | None:
        """Return since when departures are known without a gap of more than `GAP_DAYS` before the minute *at*, or None.

        What left before such a gap tells nothing of what is usual now.
        """
        actual = np.frombuffer(self._actual, dtype=np.int64)
        left = np.sort(actual[(actual <= at) & ~np.frombuffer(self._cancelled, dtype=np.bool_)])
        if not len(left):
            return None
        gaps = np.flatnonzero(np.diff(left, append=at) > GAP_DAYS * MINUTES_A_DAY)
        return int(left[min(gaps[-1] + 1, len(left) - 1)]) if len(gaps) else int(left[0])

    def newest_departure(self, at: int) -> int | None:
        """Return when the last departure by the minute *at* left, or None."""
        actual = np.frombuffer(self._actual, dtype=np.int64)
        left = actual[(actual <= at) & ~np.frombuffer(self._cancelled, dtype=np.bool_)]
        return int(left.max()) if len(left) else None

    def schedule_known(self, at: int) -> bool:
        """Return whether the schedule of the day before *at* is known, so that those not gone yet are known.

        It is where flights of that day were published; and where earlier ones were, and whatever left on that day was
        one of them: then nothing was to leave.
        """
        published = np.frombuffer(self._published, dtype=np.bool_)
        scheduled = np.frombuffer(self._scheduled, dtype=np.int64)
        if np.any(published & (scheduled > at - MINUTES_A_DAY) & (scheduled <= at)):
            return True
        actual = np.frombuffer(self._actual, dtype=np.int64)
        left = (actual > at - MINUTES_A_DAY) & (actual <= at)
        return bool(np.any(published & (scheduled <= at)) and np.all(published[left]))

    def published_between(self, after: int, until: int) -> FlightTable:
        """Return the published flights that are scheduled in (after, until] UTC minutes."""
        scheduled = np.frombuffer(self._scheduled, dtype=np.int64)
        chosen = (scheduled > after) & (scheduled <= until) & np.frombuffer(self._published, dtype=np.bool_)
        return self._table(np.flatnonzero(chosen))

    def of_day(self, origin: str, day: int) -> list[KnownFlight]:
        """Return what is known of the flights from *origin* on the local *day* (since 1970), in their order of time."""
        local = np.frombuffer(self._local, dtype=np.int64)
        rows = np.flatnonzero(local // MINUTES_A_DAY == day)
        rows = rows[np.argsort(local[rows], kind="stable")]
        return list(map(self._known, rows[self._from(origin, rows)].tolist()))

    def left_by_hour(self, origin: str, first: int, last: int) -> Rows:
        """Return per local day from *first* to *last* and hour (days, 24, 2): how many left, and how many of them late.

        Flights count in the hour in which they left.
        """
        scheduled, actual = (np.frombuffer(column, dtype=np.int64) for column in (self._scheduled, self._actual))
        delay = actual - scheduled
        left = np.frombuffer(self._local, dtype=np.int64) + delay
        flown = (actual < NOT_YET) & ~np.frombuffer(self._cancelled, dtype=np.bool_)
        rows = np.flatnonzero(flown & (left // MINUTES_A_DAY >= first) & (left // MINUTES_A_DAY <= last))
        rows = rows[self._from(origin, rows)]
        hours = left[rows] // 60 - first * 24
        counts = np.zeros(((last - first + 1) * 24, 2), dtype=np.int64)
        np.add.at(counts[:, 0], hours, 1)
        np.add.at(counts[:, 1], hours, delay[rows] > DELAYED_AFTER_MINUTES)
        return counts.reshape(-1, 24, 2)

    def _from(self, origin: str, rows: Rows) -> NDArray[np.bool_]:
        """Return which of *rows* are flights from *origin*."""
        names_from = np.array([names[2] == origin for names in self._told], dtype=np.bool_)
        return np.asarray(names_from[np.frombuffer(self._names, dtype=np.int64)[rows]])

    def _known(self, row: int) -> KnownFlight:
        actual = self._actual[row]
        return KnownFlight(
            *self._told[self._names[row]],
            self._scheduled[row],
            self._local[row],
            actual if actual < NOT_YET else None,
            bool(self._cancelled[row]),
            bool(self._published[row]),
        )

    def history(self, at: int) -> History | None:
        """Return what questions about the minute *at*, or some hours before, need; None where nothing is known.

        A flight that was published and has not left is awaited; one that was cancelled only crowds the schedule.
        """
        rows = self._rows(at)
        if self._made is not None:
            return self._made
        actual = np.frombuffer(self._actual, dtype=np.int64)[rows]
        cancelled = np.frombuffer(self._cancelled, dtype=np.bool_)[rows]
        published = np.frombuffer(self._published, dtype=np.bool_)[rows]
        counts = ~cancelled & ((actual < NOT_YET) | published)
        if not counts.any():
            return None
        departures = DepartureTable(self._table(rows[counts]), actual[counts])
        crowding = rows[cancelled & published]
        only_published = self._table(crowding) if len(crowding) else None
        self._made = History(departures, Replay(departures, schedule=bool(published.any()), published=only_published))
        return self._made

    def _rows(self, at: int) -> Rows:
        """Return the rows that a question at *at* may be about; chosen anew once a day."""
        count = len(self._names)
        if self._chosen is not None and self._chosen[0] - MINUTES_A_DAY <= at <= self._chosen[0] + MINUTES_A_DAY:
            chosen_at, rows, known = self._chosen
            if count > known + MANY_NEW:
                self._chosen = None
                return self._rows(at)
            if known < count:
                rows = np.append(rows, np.arange(known, count))
                self._chosen = chosen_at, rows, count
            return rows
        scheduled = np.frombuffer(self._scheduled, dtype=np.int64)
        actual = np.frombuffer(self._actual, dtype=np.int64)
        moment = np.minimum(scheduled, actual)
        within = (moment > at - SPAN_DAYS * MINUTES_A_DAY) & (scheduled < at + AHEAD_DAYS * MINUTES_A_DAY)
        before = np.flatnonzero(
            (moment <= at - SPAN_DAYS * MINUTES_A_DAY)
            & (actual < NOT_YET)
            & ~np.frombuffer(self._cancelled, dtype=np.bool_)
        )
        rows = np.sort(np.concatenate([np.flatnonzero(within), self._last_of_each(before)]))
        self._chosen = at, rows, count
        self._made = None
        return rows

    def _last_of_each(self, rows: Rows) -> Rows:
        """Return which of *rows* are among the last departures of one of their keys."""
        if not len(rows):
            return rows
        actual = np.frombuffer(self._actual, dtype=np.int64)[rows]
        columns = Columns.of(self._table(rows))
        wanted = np.zeros(len(rows), dtype=np.bool_)
        for kind, last in _LAST.items():
            _, codes = np.unique(columns.key(kind), return_inverse=True)
            order = np.lexsort((actual, codes))
            sorted_codes = codes[order]
            ends = np.searchsorted(sorted_codes, sorted_codes, side="right")
            latest = order[ends - np.arange(len(order)) <= last]
            # those that left in the same minute as one of the last may stand in its place
            oldest = np.full(int(codes.max()) + 1, NOT_YET)
            np.minimum.at(oldest, codes[latest], actual[latest])
            wanted |= actual >= oldest[codes]
        return rows[wanted]

    def _table(self, rows: Rows) -> FlightTable:
        places, used = np.unique(np.frombuffer(self._names, dtype=np.int64)[rows], return_inverse=True)
        names = [self._told[place] for place in places.tolist()]
        airline, number, origin, destination = (np.array([n[i] for n in names], dtype=np.str_)[used] for i in range(4))
        scheduled = np.frombuffer(self._scheduled, dtype=np.int64)[rows]
        local = np.frombuffer(self._local, dtype=np.int64)[rows]
        return FlightTable(airline, number, origin, destination, scheduled, local)
