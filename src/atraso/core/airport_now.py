"""The state of an airport in numbers and words that people use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core import features as spec
from atraso.core.flights import DELAYED_AFTER_MINUTES, DepartureTable
from atraso.core.keys import MINUTES_A_DAY

Ints = NDArray[np.int64]
MOST_OVERDUE_TOLD = 100


@dataclass(frozen=True, slots=True)
class Left:
    """What left in a span of time: how many flights, how many of them late, their mean delay in minutes (or None)."""

    departures: int
    delayed: int
    mean_delay_minutes: float | None

    def in_words(self) -> str:
        """Return it as a part of a sentence: "3 of 12 departures late"."""
        return f"{self.delayed} of {self.departures} departures late" if self.departures else "no departures"


@dataclass(frozen=True, slots=True)
class Overdue:
    """A published flight that is due and was not reported: for how many minutes."""

    airline: str
    flight_number: str
    destination: str
    scheduled_utc: int
    minutes: int


@dataclass(frozen=True, slots=True)
class AirportNow:
    """One airport of departure at a moment; `overdue` is None where no schedule is known, and longest first."""

    last_hour: Left
    last_six_hours: Left
    today: Left
    last_7_days: Left
    last_28_days: Left
    overdue: tuple[Overdue, ...] | None

    def words(self) -> dict[str, str]:
        """Return in words what the groups of reasons that stand on the state have seen."""
        live = f"last hour: {self.last_hour.in_words()}"
        if self.overdue is not None:
            late = sum(one.minutes > DELAYED_AFTER_MINUTES for one in self.overdue)
            live += f"; {late} more than {DELAYED_AFTER_MINUTES} min overdue"
        week = self.last_7_days
        history = f"{week.delayed / week.departures:.0%} late" if week.departures else "no departures"
        return {"live delays": live, "recent history": f"last 7 days: {history}"}


def airport_now(departures: DepartureTable, at: int, offset: int, *, schedule: bool) -> AirportNow:
    """Return the state at the minute *at* (UTC) of the one airport that *departures* leave.

    Its clock is *offset* minutes ahead of UTC. With *schedule* all departures were published; those that leave after
    *at* are awaited.
    """
    actual, scheduled = departures.actual_utc, departures.flights.scheduled_utc
    midnight = (at + offset) // MINUTES_A_DAY * MINUTES_A_DAY - offset
    start = (at + offset - spec.DAY_START_MINUTES) // MINUTES_A_DAY * MINUTES_A_DAY + spec.DAY_START_MINUTES - offset

    def left(after: int, until: int) -> Left:
        delays = (actual - scheduled)[(actual > after) & (actual <= until)]
        mean = round(float(delays.mean()), 1) if len(delays) else None
        return Left(len(delays), int((delays > DELAYED_AFTER_MINUTES).sum()), mean)

    waiting = np.flatnonzero((actual > at) & (scheduled <= at) & (scheduled >= at - spec.OVERDUE_UNTIL_MINUTES))
    longest_first = waiting[np.argsort(scheduled[waiting], kind="stable")][:MOST_OVERDUE_TOLD]
    flights = departures.flights
    overdue = tuple(
        Overdue(
            str(flights.airline[row]),
            str(flights.flight_number[row]),
            str(flights.destination[row]),
            int(scheduled[row]),
            at - int(scheduled[row]),
        )
        for row in longest_first
    )
    return AirportNow(
        left(at - 60, at),
        left(at - 360, at),
        left(start - 1, at),
        left(midnight - 1 - 7 * MINUTES_A_DAY, midnight - 1),
        left(midnight - 1 - 28 * MINUTES_A_DAY, midnight - 1),
        overdue if schedule else None,
    )
