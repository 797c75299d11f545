"""Keeps the state of the airport: follows what is reported, and makes the snapshots that workers read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict

import msgspec
import numpy as np

from atraso.artefact.day import AskedDay, DayFlight, KnownDay
from atraso.artefact.live import live_cards
from atraso.artefact.scorer import Scorer
from atraso.artefact.snapshot import SnapshotHead, pack
from atraso.artefact.state_sums import StateSums
from atraso.artefact.timetable_sums import CROWDS
from atraso.core.airport_now import airport_now
from atraso.core.flights import local_minutes, moment_from_utc_minutes
from atraso.core.keys import MINUTES_A_DAY
from atraso.core.live import KnownFlight, LiveFlights

# Published flights count for crowding up to so many days ahead.
TIMETABLE_DAYS = 14
# A usual day is the mean of so many before.
USUAL_DAYS = 28
# Reads what is new after a version: the version reached, and the flights that it is about.
Follow = Callable[[int], tuple[int, Iterable[KnownFlight]]]


class StateKeeper:
    """The state as one model reads it. *follow* tells what was reported; *publish* takes each snapshot for now."""

    def __init__(self, scorer: Scorer, follow: Follow, publish: Callable[[bytes, int], None]) -> None:
        self._follow, self._publish = follow, publish
        self._checksum, self._zones = scorer.manifest.checksum, scorer.zones
        self._sums = StateSums(live_cards(scorer))
        self._flights = LiveFlights()
        self._published = 0, 0
        self.version = 0

    def follow(self) -> None:
        """Take in what is new."""
        version, flights = self._follow(self.version)
        if version < self.version:  # another ledger has taken its place
            self._flights, (version, flights) = LiveFlights(), self._follow(0)
        self._flights.take(flight for flight in flights if flight.origin in self._zones)
        self.version = version

    def look(self, now_s: float) -> None:
        """Take in what is new, and publish where that or the minute is another."""
        self.follow()
        minute = int(now_s) // 60
        if self._published != (self.version, minute):
            self._publish(self.snapshot(minute), int(now_s))
            self._published = self.version, minute

    def snapshot(self, at: int) -> bytes:
        """Return the snapshot of the minute *at* (UTC)."""
        flights = self._flights
        history = flights.history(at)
        schedule = flights.schedule_known(at)
        offsets = self._offsets(at)
        sums = [self._sums.at(history.replay, at, variant) for variant in offsets] if history else []
        timetable = flights.published_between(
            at - MINUTES_A_DAY, at + (TIMETABLE_DAYS if history else -1) * MINUTES_A_DAY
        )
        crowds = history.replay.crowding(timetable) if history and len(timetable) else {}
        airports = {}
        if history:
            for origin in history.airports:
                airports[origin] = airport_now(history.departures_of(origin), at, offsets[0][origin], schedule=schedule)
        head = SnapshotHead(
            model=self._checksum,
            version=self.version,
            at_utc=at,
            known_since_utc=flights.known_since(at),
            newest_departure_utc=flights.newest_departure(at),
            schedule_known=schedule,
            variants=offsets if sums else [],
            keys={kind: of_kind.keys.tolist() for kind, of_kind in sums[0].items()} if sums else {},
            shape=self._sums.shape,
            timetable=list(timetable.identities()),
            words={origin: told.words() for origin, told in airports.items()},
            airports={origin: asdict(told) for origin, told in airports.items()},
        )
        counts = np.column_stack([crowds[name] for name in CROWDS]) if crowds else np.zeros((0, len(CROWDS)))
        return pack(head, sums, counts.astype(np.int16))

    def day(self, asked: AskedDay) -> bytes:
        """Return, as the JSON of `KnownDay`, what is known of the day that is *asked* for."""
        by_hour = self._flights.left_by_hour(asked.origin, asked.day - USUAL_DAYS, asked.day)
        before = by_hour[:-1][by_hour[:-1].any(axis=(1, 2))]
        usual = before.mean(axis=0).round(3).tolist() if len(before) else []
        flights = tuple(
            DayFlight(
                flight.airline,
                flight.flight_number,
                flight.destination,
                flight.scheduled_utc,
                flight.actual_utc,
                flight.cancelled,
                flight.published,
            )
            for flight in self._flights.of_day(asked.origin, asked.day)
        )
        left = by_hour[-1].tolist()
        told = KnownDay(self.version, flights, tuple(map(tuple, left)), tuple(map(tuple, usual)), len(before))
        return msgspec.json.encode(told)

    def _offsets(self, at: int) -> list[dict[str, int]]:
        """Return by how much local time is ahead of UTC at each origin; near a clock change also on its other side."""
        found: list[dict[str, int]] = []
        for moment in (at, at - MINUTES_A_DAY, at + MINUTES_A_DAY):
            offsets = {
                origin: local_minutes(moment_from_utc_minutes(moment, zone)) - moment
                for origin, zone in self._zones.items()
            }
            if offsets not in found:
                found.append(offsets)
        return found
