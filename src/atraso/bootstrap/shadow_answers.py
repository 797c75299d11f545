"""A challenger's answers to what the champion was asked: the same moment, lead, basis and knowledge of the airport."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from math import isclose
from typing import TYPE_CHECKING

import msgspec

from atraso.artefact.live import LIVE, LiveScorer, Moment
from atraso.artefact.scorer import Scorer
from atraso.artefact.snapshot import Snapshot
from atraso.core.flights import Flight
from atraso.ledger.commands import ShadowRow

if TYPE_CHECKING:
    from atraso.ledger.shadow import Asked

# One flight and many are added up in another order.
SAME_WITHIN = 1e-9


class ShadowAnswers:
    """Answers beside *champion* with *challenger*; *snapshot* gives the challenger's state of a minute (UTC)."""

    def __init__(self, challenger: Scorer, champion: Scorer, snapshot: Callable[[int], bytes]) -> None:
        self._challenger, self._champion, self._snapshot = challenger, champion, snapshot
        self._live = LiveScorer(challenger)
        self._met: tuple[int, Snapshot] | None = None

    def forget(self) -> None:
        """Forget the state that was used last: more may have been reported since."""
        self._met = None

    def answer(self, asked: Iterable[Asked]) -> list[ShadowRow]:
        """Return an answer beside each of *asked* that the challenger can answer on the same lead and basis."""
        return [row for one in asked if (row := self._answer(one)) is not None]

    def _answer(self, asked: Asked) -> ShadowRow | None:
        flight = self._flight(asked)
        if flight is None:
            return None
        moment = self._moment(asked, flight)
        prediction = self._live.predict(flight, moment)
        if (prediction.lead, prediction.basis) != (asked.lead, asked.basis):
            return None
        row = (
            *asked[2:8],
            asked.lead,
            asked.basis,
            self._challenger.manifest.version,
            asked.id,
            asked.as_of_s,
            prediction.delay_probability,
            asked.base_rate,
            *prediction.exceeds,
        )
        try:
            return msgspec.convert(row, ShadowRow)
        except msgspec.ValidationError:  # of a file that was imported: no answer of a service is so
            return None

    def _flight(self, asked: Asked) -> Flight | None:
        zone = self._challenger.zones.get(asked.origin)
        if zone is None or asked.origin not in self._champion.zones:
            return None
        try:
            scheduled = datetime.fromtimestamp(asked.scheduled_utc * 60, UTC).astimezone(zone)
        except (ValueError, OverflowError, OSError):
            return None
        return Flight(asked.airline, asked.flight_number, asked.origin, asked.destination, scheduled)

    def _moment(self, asked: Asked, flight: Flight) -> Moment:
        at_utc = asked.as_of_s // 60
        live = asked.basis == LIVE
        if not live:
            # The row does not say whether published flights around it counted: the champion's answer without does.
            without = self._champion.predict(flight).delay_probability
            if isclose(without, asked.delay_probability, abs_tol=SAME_WITHIN):
                return Moment(at_utc, None)
        if self._met is None or self._met[0] != at_utc:
            self._met = at_utc, Snapshot(self._snapshot(at_utc))
        return Moment(at_utc, self._met[1], fresh=live)
