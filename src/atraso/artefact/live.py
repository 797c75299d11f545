"""The model with what the airport knows: each flight is answered by the scorecard of its lead.

`Scorer` answers from the timetable alone. With a snapshot of the state the same scorecards answer that `evaluate`
judges, from sums per key; a test proves both equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atraso.artefact.scorer import PredictionTable, Scorer
from atraso.artefact.snapshot import Snapshot
from atraso.artefact.state_sums import STATE_GROUPS
from atraso.artefact.timetable_sums import CROWDS, TimetableSums
from atraso.core.features import CALENDAR, FEATURE_BY_NAME, RATES
from atraso.core.flights import Flight, FlightTable
from atraso.core.leads import LEADS, SCHEDULE, lead_for
from atraso.core.prediction import Prediction, Reason
from atraso.core.scorecard import ANCHOR, THRESHOLDS_MINUTES, Scorecard

Floats = NDArray[np.float64]

LIVE, ON_SCHEDULE = "live", "schedule"
_THRESHOLDS = len(THRESHOLDS_MINUTES)
_WITHOUT_STATE = 2  # cards, before those of a snapshot
_CROWD_IN_WORDS = CROWDS.index("crowd.airport.-15..15")


def live_cards(scorer: Scorer) -> list[Scorecard]:
    """Return the scorecards that stand on the state, in the order of a snapshot's cards."""
    return [scorer.scorecard(lead.name, schedule=s) for lead in LEADS if lead is not SCHEDULE for s in (True, False)]


class Moment(NamedTuple):
    """When a question is asked, in UTC minutes, and what is known of the airport then.

    `fresh` says whether the state may be used; where it may not, `why` tells it, if somebody would expect it.
    """

    at_utc: int
    snapshot: Snapshot | None
    fresh: bool = False
    why: str | None = None


# The moment of a service that hears of no departure.
NOTHING_KNOWN = Moment(0, None)


class _Asked(NamedTuple):
    """A flight with what answers it: a card by its place, and what its parts add."""

    log_odds: Floats
    place: int
    basis: str
    lead: str
    crowd: tuple[int, ...] | None
    state: Floats | None
    warnings: tuple[str, ...]


class LiveScorer:
    """Answers flights at a moment with the model of *scorer*."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    # Made when first needed: a service that hears nothing of departures does without.
    @cached_property
    def _made(self) -> tuple[list[Scorecard], TimetableSums]:
        cards = [self._scorer.scorecard(SCHEDULE.name, schedule=s) for s in (True, False)] + live_cards(self._scorer)
        return list(map(_without_state, cards)), TimetableSums(cards, self._scorer.rates, self._scorer.days_off)

    @property
    def _cards(self) -> list[Scorecard]:
        return self._made[0]

    @property
    def _sums(self) -> TimetableSums:
        return self._made[1]

    @cached_property
    def _place(self) -> dict[tuple[str, bool], int]:
        return {(card.lead, card.schedule): place for place, card in enumerate(self._cards)}

    def predict(
        self, flight: Flight, moment: Moment, *, explain: bool = False, warnings: tuple[str, ...] = ()
    ) -> Prediction:
        """Answer one flight at a *moment*; with *explain* the reasons come along."""
        if moment.snapshot is None:
            return self._scorer.predict(flight, explain=explain, warnings=warnings)
        asked = self._asked(flight, moment, moment.snapshot, warnings)
        reasons = self._reasons(flight, asked, moment.snapshot) if explain else ()
        return self._scorer.answer(
            asked.log_odds.tolist(), flight, asked.basis, asked.lead, reasons=reasons, warnings=asked.warnings
        )

    def predict_each(
        self, flights: Sequence[Flight], moment: Moment, notes: Sequence[tuple[str, ...]], *, explain: bool = False
    ) -> PredictionTable:
        """Answer *flights*, with the *notes* about each among its warnings."""
        snapshot = moment.snapshot
        if snapshot is None:
            many = self._scorer.predict_many(FlightTable.of(flights), explain=True) if explain else None
            return replace(many or self._scorer.predict_each(flights), warnings=tuple(notes))
        asked = [self._asked(flight, moment, snapshot, note) for flight, note in zip(flights, notes, strict=True)]
        each = zip(flights, asked, strict=True)
        table = self._scorer.answers(
            np.array([one.log_odds for one in asked]),
            [flight.origin for flight in flights],
            [one.basis for one in asked],
            [one.lead for one in asked],
            tuple(self._reasons(flight, one, snapshot) for flight, one in each) if explain else (),
        )
        return replace(table, warnings=tuple(one.warnings for one in asked))

    def _asked(self, flight: Flight, moment: Moment, snapshot: Snapshot, warnings: tuple[str, ...]) -> _Asked:
        ahead = flight.scheduled_utc_minutes - moment.at_utc
        lead = lead_for(ahead)
        state = None
        if lead is not SCHEDULE:
            state = snapshot.state(flight) if moment.fresh else None
            if state is None and moment.why is not None:
                warnings = (*warnings, moment.why)
            elif state is not None and ahead < 0:
                warnings = (
                    *warnings,
                    f"the flight is already due: the answer is that of {lead.minutes} minutes before",
                )
        if state is None:
            lead = SCHEDULE
        crowd = snapshot.crowd(flight) if state is None or snapshot.head.schedule_known else None
        place = self._place[lead.name, crowd is not None]
        log_odds = self._sums.of(flight)[place]
        if crowd is not None:
            log_odds = log_odds + self._sums.crowded(crowd)[place]
        if state is not None:
            log_odds = log_odds + state[place - _WITHOUT_STATE, :_THRESHOLDS]
        basis = ON_SCHEDULE if state is None else LIVE
        return _Asked(log_odds, place, basis, lead.name, crowd, state, warnings)

    def _reasons(self, flight: Flight, asked: _Asked, snapshot: Snapshot) -> tuple[Reason, ...]:
        card = self._cards[asked.place]
        features = self._scorer.schedule_features(FlightTable.of([flight]))
        sums: dict[str, float] = {}
        for step in card.steps:
            group = FEATURE_BY_NAME[step.feature].group
            sums[group] = sums.get(group, 0.0) + float(step.at(features[step.feature])[0, ANCHOR])
        seen = dict(snapshot.head.words.get(flight.origin, {}))
        if asked.crowd is not None:
            sums["crowding"] = float(self._sums.crowded(asked.crowd)[asked.place, ANCHOR])
            n = asked.crowd[_CROWD_IN_WORDS] - 1
            seen["crowding"] = f"{n} other departure{'' if n == 1 else 's'} within 15 minutes"
        if asked.state is not None:
            told = asked.state[asked.place - _WITHOUT_STATE, _THRESHOLDS:].tolist()
            sums |= dict(zip(STATE_GROUPS, told, strict=True))
        return self._scorer.reasons(card, sums, flight, seen)


def _without_state(card: Scorecard) -> Scorecard:
    """Return *card* with only the steps that a flight's own facts decide; the others are read in the snapshot."""
    steps = tuple(step for step in card.steps if FEATURE_BY_NAME[step.feature].needs <= {CALENDAR, RATES})
    return replace(card, steps=steps)
