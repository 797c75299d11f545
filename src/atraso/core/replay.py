"""History replayed for many flights at once: the vectorised twin of `State`.

`State` in `core/state.py` is the definition, one departure after the other. This twin answers the same questions
for whole tables, by sorting departures once per key and counting with cumulative sums; a property test proves that
both give the same numbers. Every count is over times at or before the moment of prediction, so what happens after it
cannot matter, whatever else the tables hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atraso.core import features as spec
from atraso.core.flights import DELAYED_AFTER_MINUTES, DepartureTable, FlightTable, Minutes, Text
from atraso.core.keys import MINUTES_A_DAY, Codes, Columns, codes_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Codes and minutes are joined into one sortable number: code * SPAN + minute. 2**33 minutes are 16,000 years.
SPAN = 1 << 33


@dataclass(frozen=True, slots=True)
class Line:
    """Events of all keys of one kind on one time line, with running totals of some values."""

    order: Ints
    totals: Ints

    @staticmethod
    def of(codes: Codes, minutes: Minutes, *values: Ints, order: Ints | None = None) -> Line:
        """Sort events by key and minute, and add up their values along the line.

        *order* has the events in the order of their minutes, where several lines share it; those of the same minute
        stay in that order.
        """
        if order is None:
            order = np.argsort(minutes, kind="stable")
        by = order[np.argsort(_small(codes[order]), kind="stable")]
        totals = np.zeros((len(codes) + 1, len(values)), dtype=np.int64)
        for column, value in enumerate(values):
            np.cumsum(value[by], out=totals[1:, column])
        return Line(codes[by] * SPAN + minutes[by], totals)

    def upto(self, codes: Codes, minutes: Minutes) -> Ints:
        """Return the place on the line of each key just after *minutes* (events at that minute included)."""
        return np.searchsorted(self.order, codes * SPAN + minutes, side="right").astype(np.int64)

    def between(self, codes: Codes, after: Minutes, until: Minutes) -> Ints:
        """Return per query the count and the sums of the events of its key in (after, until]; zeros if unseen."""
        low, high = self.upto(codes, after), self.upto(codes, until)
        return np.column_stack([high - low, self.totals[high] - self.totals[low]])


@dataclass(frozen=True, slots=True)
class _Kind:
    """All lines of one kind of key."""

    known: Text
    left: Line  # by actual departure: late, clipped delay
    due: Line | None = None  # by scheduled departure, of everything published: late
    excess: Line | None = None  # by actual departure: compared or not, late and delay less what was expected
    decided: Line | None = None  # by scheduled departure: compared or not, late less what was expected
    overdue: dict[int, tuple[Line, Line]] = field(default_factory=dict)  # by age: lines of becoming and ceasing

    def mean_of_last(self, codes: Codes, until: Minutes, n: int) -> Floats:
        """Return the mean clipped delay of the last *n* departures of each key by *until*; NaN if there is none."""
        high = self.left.upto(codes, until)
        low = np.maximum(np.searchsorted(self.left.order, codes * SPAN, side="left"), high - n)
        return _ratio(self.left.totals[high, 1] - self.left.totals[low, 1], high - low)


class Replay:
    """Departures (and, where given, the published schedule) made ready for questions at any moment.

    *published* are further flights of the schedule that never left; with `schedule=False` nothing is published and
    only departures are known.
    """

    def __init__(
        self, departures: DepartureTable, *, schedule: bool = True, published: FlightTable | None = None
    ) -> None:
        flights = departures.flights
        delay = departures.actual_utc - flights.scheduled_utc
        late = (delay > DELAYED_AFTER_MINUTES).astype(np.int64)
        clipped = np.clip(delay, *spec.DELAY_CLIP_MINUTES)
        columns = Columns.of(flights)
        timetable = FlightTable.concat([flights, published]) if published is not None else flights
        timetable_columns = Columns.of(timetable) if published is not None else columns
        # A flight published but never flown is taken to have been cancelled beforehand: it crowds, it is not overdue.
        scheduled = flights.scheduled_utc
        # What left in the same minute is put in order too, because the last few of them are asked for.
        by_actual = np.lexsort((clipped, late, departures.actual_utc))
        by_schedule = np.argsort(scheduled, kind="stable")
        overdue_of = _overdue_events(scheduled, departures.actual_utc) if schedule else {}
        self._kinds: dict[str, _Kind] = {}
        self._published: dict[str, tuple[Text, Line]] = {}
        lines = {}
        for kind in dict.fromkeys((*spec.HISTORY_DAYS, *spec.EXCESS_MINUTES, *spec.LIVE_MINUTES)):
            known, codes = np.unique(columns.key(kind), return_inverse=True)
            codes = codes.astype(np.int64)
            left = Line.of(codes, departures.actual_utc, late, clipped, order=by_actual)
            lines[kind] = (known, codes, left)
        excess = _excess(departures, lines, late, clipped)
        for kind, (known, codes, left) in lines.items():
            due, overdue, over, decided = None, {}, None, None
            if kind in spec.EXCESS_MINUTES:
                over = Line.of(codes, departures.actual_utc, *excess, order=by_actual)
                decided = Line.of(codes, scheduled, *excess[:2], order=by_schedule) if schedule else None
            if schedule and kind in spec.DECIDED_MINUTES:
                due = Line.of(codes, scheduled, late, order=by_schedule)
            if schedule and kind in spec.OVERDUE_KINDS:
                for age, events in overdue_of.items():
                    of_waiting, waits_since = codes[events.waits], scheduled[events.waits]
                    overdue[age] = (
                        Line.of(of_waiting, events.begins, waits_since, order=events.by_begin),
                        Line.of(of_waiting, events.ends, waits_since, order=events.by_end),
                    )
            self._kinds[kind] = _Kind(known, left, due, over, decided, overdue)
        if schedule:
            for kind in spec.CROWDING_MINUTES:
                known, codes = np.unique(timetable_columns.key(kind), return_inverse=True)
                self._published[kind] = (known, Line.of(codes.astype(np.int64), timetable.scheduled_utc))

    def crowding(self, flights: FlightTable) -> dict[str, Floats]:
        """Return how many published flights surround each flight; each flight counts itself where it is published."""
        columns = Columns.of(flights)
        out: dict[str, Floats] = {}
        for kind, (known, line) in self._published.items():
            codes = codes_of(columns.key(kind), known)
            for after, until in spec.CROWDING_MINUTES[kind]:
                counts = line.between(codes, flights.scheduled_utc + after, flights.scheduled_utc + until)
                out[f"crowd.{kind}.{after}..{until}"] = counts[:, 0].astype(np.float64)
        return out

    def state(self, flights: FlightTable, at: Minutes) -> dict[str, Floats]:
        """Return the state features of each flight at its own moment *at* (UTC minutes).

        A number is NaN where no departure at all says anything about it.
        """
        columns = Columns.of(flights)
        when = _When.of(at, flights.scheduled_local - flights.scheduled_utc)
        usual = self._usual(codes_of(columns.key("airport"), self._kinds["airport"].known), when)
        out: dict[str, Floats] = {}
        for kind, lines in self._kinds.items():
            out |= self._of_kind(kind, codes_of(columns.key(kind), lines.known), when, usual)
        return out

    def state_of_keys(self, kind: str, at: int, offsets: Mapping[str, int]) -> tuple[Text, dict[str, Floats]]:
        """Return the keys of *kind* that ever had a departure, and the state features of each at *at* (UTC minutes).

        *offsets* has the minutes by which local time is ahead of UTC for each origin. The features have one further
        row per origin, in the order of *offsets*: those of a key that had no departure there. Features of a flight
        are those of its keys: the same numbers as `state` gives.
        """
        known = self._kinds[kind].known
        origins = [*(str(key).split("|", 1)[0] for key in known), *offsets]
        codes = np.concatenate([np.arange(len(known)), np.full(len(offsets), -1)])
        n = len(origins)
        when = _When.of(np.full(n, at), np.array([offsets[origin] for origin in origins], dtype=np.int64))
        usual = self._usual(codes_of(np.array(origins, dtype=np.str_), self._kinds["airport"].known), when)
        return known, self._of_kind(kind, codes, when, usual)

    def _usual(self, airports: Codes, when: _When) -> tuple[Floats, Floats]:
        """Return the usual late rate and delay at each of *airports*, towards which sparse numbers are pulled."""
        before = when.midnight - 1
        month = self._kinds["airport"].left.between(airports, before - spec.USUAL_DAYS * MINUTES_A_DAY, before)
        return _ratio(month[:, 1], month[:, 0]), _ratio(month[:, 2], month[:, 0])

    def _of_kind(self, kind: str, codes: Codes, when: _When, usual: tuple[Floats, Floats]) -> dict[str, Floats]:
        lines, at, before = self._kinds[kind], when.at, when.midnight - 1
        out: dict[str, Floats] = {}

        def tell(name: str, sums: Ints, strength: float, *, with_delay: bool = True) -> None:
            out[f"late.{kind}.{name}"] = _shrunk(sums, 1, usual[0], strength)
            if with_delay:
                out[f"delay.{kind}.{name}"] = _shrunk(sums, 2, usual[1], strength)

        for d in spec.HISTORY_DAYS.get(kind, ()):
            sums = lines.left.between(codes, before - d * MINUTES_A_DAY, before)
            tell(f"{d}d", sums, spec.HISTORY_SHRINKAGE_FLIGHTS, with_delay=d > 1)
        if kind == "flight":
            for n in spec.LAST_FLIGHTS:
                out[f"delay.flight.last{n}"] = lines.mean_of_last(codes, before, n)
        for n in spec.LATEST.get(kind, ()):
            out[f"delay.{kind}.latest{n}"] = lines.mean_of_last(codes, at, n)
        for m in spec.LIVE_MINUTES.get(kind, ()):
            tell(f"{m}m", lines.left.between(codes, at - m, at), spec.LIVE_SHRINKAGE_FLIGHTS)
        if kind in ("airport", "airline"):
            tell("today", lines.left.between(codes, when.day_start - 1, at), spec.LIVE_SHRINKAGE_FLIGHTS)
        for m in spec.EXCESS_MINUTES.get(kind, ()):
            if lines.excess is not None:
                sums = lines.excess.between(codes, at - m, at)
                out[f"excess.{kind}.{m}m"] = _more(sums, 2)
                out[f"excess_delay.{kind}.{m}m"] = _more(sums, 3)
            if lines.decided is not None:
                sums = lines.decided.between(codes, at - m, at - DELAYED_AFTER_MINUTES)
                out[f"decided_excess.{kind}.{m}m"] = _more(sums, 2)
        if lines.due is not None:
            # whether a flight due 15 minutes ago is late is known, left or not
            for m in spec.DECIDED_MINUTES[kind]:
                sums = lines.due.between(codes, at - m, at - DELAYED_AFTER_MINUTES)
                out[f"decided.{kind}.{m}m"] = _shrunk(sums, 1, usual[0], spec.LIVE_SHRINKAGE_FLIGHTS)
        return out | _overdue(kind, lines, codes, at)


class _OverdueEvents(NamedTuple):
    """The flights that were ever overdue for some age: which, when they became it and ceased, and both in order."""

    waits: NDArray[np.bool_]
    begins: Minutes
    ends: Minutes
    by_begin: Ints
    by_end: Ints


def _overdue_events(scheduled: Minutes, actual: Minutes) -> dict[int, _OverdueEvents]:
    found = {}
    for age in spec.OVERDUE_AFTER_MINUTES:
        waits = actual - scheduled > age
        begins = scheduled[waits] + age
        # at the minute it leaves it is no longer overdue, nor once it has waited too long
        ends = np.minimum(actual[waits], scheduled[waits] + spec.OVERDUE_UNTIL_MINUTES + 1)
        orders = (np.argsort(moments, kind="stable") for moments in (begins, ends))
        found[age] = _OverdueEvents(waits, begins, ends, *orders)
    return found


def _small(codes: Codes) -> NDArray[np.integer[Any]]:
    """Return *codes* in as few bytes as they need: sorting two bytes takes a tenth of the time."""
    return codes.astype(np.uint16) if len(codes) and codes.max() < 1 << 16 else codes


@dataclass(frozen=True, slots=True)
class _When:
    """Moments asked about (UTC minutes), with the beginnings of their local days: midnight, and 04:00 for today."""

    at: Minutes
    midnight: Minutes
    day_start: Minutes

    @staticmethod
    def of(at: Minutes, offset: Minutes) -> _When:
        local, start = at + offset, spec.DAY_START_MINUTES
        midnight = local // MINUTES_A_DAY * MINUTES_A_DAY - offset
        return _When(at, midnight, (local - start) // MINUTES_A_DAY * MINUTES_A_DAY + start - offset)


def _overdue(kind: str, lines: _Kind, codes: Codes, at: Minutes) -> dict[str, Floats]:
    out: dict[str, Floats] = {}
    for age, (begins, ends) in lines.overdue.items():
        begun, ended = begins.upto(codes, at), ends.upto(codes, at)
        first = np.searchsorted(begins.order, codes * SPAN, side="left")
        first_end = np.searchsorted(ends.order, codes * SPAN, side="left")
        n = (begun - first) - (ended - first_end)
        out[f"overdue.{kind}.{age}m"] = n.astype(np.float64)
        if age == 0:
            begun_at = begins.totals[begun, 0] - begins.totals[first, 0]
            ended_at = ends.totals[ended, 0] - ends.totals[first_end, 0]
            out[f"waiting.{kind}"] = (n * at - (begun_at - ended_at)).astype(np.float64)
    return out


def _excess(
    departures: DepartureTable, lines: dict[str, tuple[Text, Codes, Line]], late: Ints, clipped: Ints
) -> tuple[Ints, Ints, Ints]:
    """Return per departure: 1 if there was anything to compare it with, and its excess lateness and delay in units.

    It is compared with what was known as the day began on which it was scheduled, or left if that was earlier.
    """
    flights = departures.flights
    offset = flights.scheduled_local - flights.scheduled_utc
    moment = np.minimum(flights.scheduled_utc, departures.actual_utc)
    until = (moment + offset) // MINUTES_A_DAY * MINUTES_A_DAY - offset - 1
    after = until - spec.EXPECTED_DAYS * MINUTES_A_DAY
    (_, own_codes, own), (_, all_codes, everything) = lines[spec.EXPECTED_OF], lines["airport"]
    sums, month = own.between(own_codes, after, until), everything.between(all_codes, after, until)
    compared = month[:, 0] > 0
    excess = []
    for column, value in ((1, late), (2, clipped)):
        usual = np.where(compared, _ratio(month[:, column], month[:, 0]), 0.0)
        more = value - _shrunk(sums, column, usual, spec.EXPECTED_SHRINKAGE_FLIGHTS)
        excess.append(np.where(compared, np.rint(more * spec.EXCESS_UNITS), 0.0).astype(np.int64))
    return compared.astype(np.int64), excess[0], excess[1]


def _more(sums: Ints, column: int) -> Floats:
    return sums[:, column] / spec.EXCESS_UNITS / (sums[:, 1] + spec.LIVE_SHRINKAGE_FLIGHTS)


def _ratio(total: Ints, n: Ints) -> Floats:
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _shrunk(sums: Ints, column: int, usual: Floats, strength: float) -> Floats:
    n = sums[:, 0]
    plain = _ratio(sums[:, column], n)
    return np.where(np.isnan(usual), plain, (sums[:, column] + strength * np.nan_to_num(usual)) / (n + strength))
