"""State: what the airport knows at a moment. The definition of every live and historic feature, one flight at a time.

`observe` takes departures as they happen, `publish` takes the schedule, `features` answers for one flight at one
moment and looks at nothing later than that moment. `core/replay.py` gives the same numbers for whole tables.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from atraso.core import features as spec
from atraso.core.flights import DELAYED_AFTER_MINUTES, Departure, Flight, utc_minutes
from atraso.core.keys import MINUTES_A_DAY, key_of

Identity = tuple[str, str, str, str, int]


@dataclass(frozen=True, slots=True, order=True)
class _Left:
    """One departure as the state remembers it, ordered by when it left.

    `like` is the key of flights it is compared with, at what was known at the minute `known_until`.
    """

    actual: int
    late: bool
    clipped: int
    origin: str
    like: str
    known_until: int


class State:
    """The departures and the published schedule known so far.

    `features(flight, at)` uses what happened up to *at* and nothing else, so a state that knows more than that gives
    the same answer. A departure observed again replaces what was known of it.
    """

    def __init__(self) -> None:
        self._left: dict[tuple[str, str], list[_Left]] = defaultdict(list)
        self._scheduled: dict[tuple[str, str], list[tuple[int, Identity]]] = defaultdict(list)
        self._published: dict[Identity, Flight] = {}
        self._known: dict[Identity, tuple[Flight, _Left]] = {}

    def publish(self, flight: Flight) -> None:
        """Take note that *flight* is in the published schedule; twice is once."""
        if flight.identity in self._published:
            return
        self._published[flight.identity] = flight
        kinds = {*spec.CROWDING_MINUTES, *spec.DECIDED_MINUTES, *spec.EXCESS_MINUTES, *spec.OVERDUE_KINDS}
        for kind in kinds:
            insort(self._scheduled[kind, key_of(kind, flight)], (flight.scheduled_utc_minutes, flight.identity))

    def observe(self, departure: Departure) -> None:
        """Take note that a flight left; a later report of the same flight corrects the earlier one."""
        flight = departure.flight
        actual = utc_minutes(departure.actual_departure)
        left = _left(flight, actual)
        before = self._known.get(flight.identity)
        self._known[flight.identity] = (flight, left)
        for kind in _KINDS:
            events = self._left[kind, key_of(kind, flight)]
            if before is not None:
                del events[bisect_left(events, before[1])]
            insort(events, left)

    def features(self, flight: Flight, at: datetime) -> dict[str, float]:
        """Return the state features of *flight* at the moment *at* (aware; whole minutes count), NaN where unknown."""
        now = utc_minutes(at)
        offset = flight.scheduled_local_minutes - flight.scheduled_utc_minutes
        midnight = (now + offset) // MINUTES_A_DAY * MINUTES_A_DAY - offset
        keys = {kind: key_of(kind, flight) for kind in _KINDS}
        month = self._between("airport", keys["airport"], midnight - 1 - spec.USUAL_DAYS * MINUTES_A_DAY, midnight - 1)
        usual_late = _mean([e.late for e in month])
        usual_delay = _mean([e.clipped for e in month])
        out: dict[str, float] = {}

        def tell(name: str, events: list[_Left], strength: float, *, with_delay: bool = True) -> None:
            out[f"late.{name}"] = _shrunk([e.late for e in events], usual_late, strength)
            if with_delay:
                out[f"delay.{name}"] = _shrunk([e.clipped for e in events], usual_delay, strength)

        for kind, days in spec.HISTORY_DAYS.items():
            for d in days:
                events = self._between(kind, keys[kind], midnight - 1 - d * MINUTES_A_DAY, midnight - 1)
                tell(f"{kind}.{d}d", events, spec.HISTORY_SHRINKAGE_FLIGHTS, with_delay=d > 1)
        own = self._between("flight", keys["flight"], -1, midnight - 1)
        for n in spec.LAST_FLIGHTS:
            out[f"delay.flight.last{n}"] = _mean([e.clipped for e in own[-n:]])
        for kind, counts in spec.LATEST.items():
            until_now = self._between(kind, keys[kind], -1, now)
            for n in counts:
                out[f"delay.{kind}.latest{n}"] = _mean([e.clipped for e in until_now[-n:]])
        for kind, minutes in spec.LIVE_MINUTES.items():
            for m in minutes:
                tell(f"{kind}.{m}m", self._between(kind, keys[kind], now - m, now), spec.LIVE_SHRINKAGE_FLIGHTS)
        day_start = (now + offset - spec.DAY_START_MINUTES) // MINUTES_A_DAY * MINUTES_A_DAY
        day_start += spec.DAY_START_MINUTES - offset
        for kind in ("airport", "airline"):
            tell(
                f"{kind}.today",
                self._between(kind, keys[kind], day_start - 1, now),
                spec.LIVE_SHRINKAGE_FLIGHTS,
            )
        for kind, minutes in spec.EXCESS_MINUTES.items():
            for m in minutes:
                excess = [self._excess(e) for e in self._between(kind, keys[kind], now - m, now)]
                out[f"excess.{kind}.{m}m"] = _more([e[0] for e in excess if e is not None])
                out[f"excess_delay.{kind}.{m}m"] = _more([e[1] for e in excess if e is not None])
        if self._published:
            out |= self._waiting(flight, now, usual_late)
        return out

    def crowding(self, flight: Flight) -> dict[str, float]:
        """Return how many published flights are scheduled around *flight* (itself included where published)."""
        scheduled = flight.scheduled_utc_minutes
        return {
            f"crowd.{kind}.{after}..{until}": float(
                sum(1 for _ in self._due(kind, flight, scheduled + after, scheduled + until))
            )
            for kind, ranges in spec.CROWDING_MINUTES.items()
            for after, until in ranges
        }

    def _waiting(self, flight: Flight, now: int, usual_late: float) -> dict[str, float]:
        out: dict[str, float] = {}
        for kind, minutes in spec.DECIDED_MINUTES.items():
            for m in minutes:
                due = self._due(kind, flight, now - m, now - DELAYED_AFTER_MINUTES)
                # due more than 15 minutes ago: late if it left late, and late if it has not left at all
                late = [(left := self._left_by(identity, now)) is None or left.late for _, identity in due]
                out[f"decided.{kind}.{m}m"] = _shrunk(late, usual_late, spec.LIVE_SHRINKAGE_FLIGHTS)
        for kind, minutes in spec.EXCESS_MINUTES.items():
            for m in minutes:
                due = self._due(kind, flight, now - m, now - DELAYED_AFTER_MINUTES)
                excess = [self._excess(self._decided(identity, now)) for _, identity in due]
                out[f"decided_excess.{kind}.{m}m"] = _more([e[0] for e in excess if e is not None])
        for kind in spec.OVERDUE_KINDS:
            due = self._due(kind, flight, now - spec.OVERDUE_UNTIL_MINUTES - 1, now)
            waits = [now - scheduled for scheduled, identity in due if self._left_by(identity, now) is None]
            for age in spec.OVERDUE_AFTER_MINUTES:
                out[f"overdue.{kind}.{age}m"] = float(sum(wait >= age for wait in waits))
            out[f"waiting.{kind}"] = float(sum(waits))
        return out

    def _between(self, kind: str, key: str, after: int, until: int) -> list[_Left]:
        events = self._left.get((kind, key), [])
        low = bisect_right(events, after, key=lambda e: e.actual)
        return events[low : bisect_right(events, until, key=lambda e: e.actual)]

    def _due(self, kind: str, flight: Flight, after: int, until: int) -> Iterable[tuple[int, Identity]]:
        scheduled = self._scheduled.get((kind, key_of(kind, flight)), [])
        low = bisect_right(scheduled, after, key=lambda e: e[0])
        return scheduled[low : bisect_right(scheduled, until, key=lambda e: e[0])]

    def _decided(self, identity: Identity, now: int) -> _Left:
        """Return how a flight due 15 minutes ago or more left; one that has not left is late, whenever it will."""
        return self._left_by(identity, now) or replace(_left(self._published[identity], now), late=True)

    def _excess(self, left: _Left) -> tuple[int, int] | None:
        """Return in units how much later a departure was than those it is like; None with nothing to compare it with.

        It is compared with what was known as the day began on which it was scheduled, or left if that was earlier.
        """
        after = left.known_until - spec.EXPECTED_DAYS * MINUTES_A_DAY
        month = self._between("airport", left.origin, after, left.known_until)
        if not month:
            return None
        like = self._between(spec.EXPECTED_OF, left.like, after, left.known_until)
        strength = spec.EXPECTED_SHRINKAGE_FLIGHTS
        late = _shrunk([e.late for e in like], _mean([e.late for e in month]), strength)
        delay = _shrunk([e.clipped for e in like], _mean([e.clipped for e in month]), strength)
        return round((left.late - late) * spec.EXCESS_UNITS), round((left.clipped - delay) * spec.EXCESS_UNITS)

    def _left_by(self, identity: Identity, now: int) -> _Left | None:
        known = self._known.get(identity)
        return known[1] if known is not None and known[1].actual <= now else None


_KINDS = (*dict.fromkeys((*spec.HISTORY_DAYS, *spec.LIVE_MINUTES, *spec.EXCESS_MINUTES)),)


def _left(flight: Flight, actual: int) -> _Left:
    delay = actual - flight.scheduled_utc_minutes
    low, high = spec.DELAY_CLIP_MINUTES
    offset = flight.scheduled_local_minutes - flight.scheduled_utc_minutes
    moment = min(flight.scheduled_utc_minutes, actual)
    midnight = (moment + offset) // MINUTES_A_DAY * MINUTES_A_DAY - offset
    return _Left(
        actual,
        delay > DELAYED_AFTER_MINUTES,
        min(max(delay, low), high),
        key_of("airport", flight),
        key_of(spec.EXPECTED_OF, flight),
        midnight - 1,
    )


def _more(excess: list[int]) -> float:
    return sum(excess) / spec.EXCESS_UNITS / (len(excess) + spec.LIVE_SHRINKAGE_FLIGHTS)


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else math.nan


def _shrunk(values: list[bool] | list[int], usual: float, strength: float) -> float:
    if math.isnan(usual):
        return _mean(values)
    return (sum(values) + strength * usual) / (len(values) + strength)
