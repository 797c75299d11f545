"""How good an artefact is on departures it is shown in the order in which they happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.artefact.scorer import Scorer
from atraso.core.distribution import Climatology, distribution_scores
from atraso.core.errors import SourceError
from atraso.core.flights import DepartureTable, FlightTable
from atraso.core.leads import LEAD_BY_NAME
from atraso.core.prediction import never_crossing_many
from atraso.core.replay import Replay
from atraso.core.scorecard import ANCHOR
from atraso.core.scores import score_card

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """Departures to be scored, and everything the airport knew besides: history feeds the state, is never scored."""

    data: DepartureTable
    replay: Replay
    schedule: bool


def judged(
    data: DepartureTable,
    history: DepartureTable | None,
    unflown: Sequence[FlightTable],
    *,
    schedule: bool,
) -> Judged:
    """Join *data* and *history* in time; a flight that is in both counts once, as it is in *data*.

    With *schedule* the flights of both, and *unflown* ones, are the published schedule; without, nothing is published.
    """
    if not len(data):
        raise SourceError("there is no departure to be scored in the data")
    everything = data
    if history is not None and len(history):
        both = DepartureTable.concat([data, history])
        everything = both.take(_first_of_each(both.flights))
    published = FlightTable.concat(list(unflown)) if unflown else None
    return Judged(data, Replay(everything, schedule=schedule, published=published), schedule)


def log_odds(scorer: Scorer, question: Judged, lead_name: str) -> Floats:
    """Return the log-odds (n, thresholds) of the scored departures, each asked at *lead_name* before its schedule."""
    lead = LEAD_BY_NAME[lead_name]
    flights = question.data.flights
    unknown = sorted(set(flights.origin.tolist()) - set(scorer.rates.totals))
    if unknown:
        raise SourceError(f"the model knows departures of {scorer.manifest.airport}, not of {', '.join(unknown)}")
    columns = scorer.schedule_features(flights)
    if question.schedule:
        columns |= question.replay.crowding(flights)
    if lead.minutes is not None:
        columns |= question.replay.state(flights, flights.scheduled_utc - lead.minutes)
    card = scorer.scorecard(lead.name, schedule=question.schedule)
    return never_crossing_many(card.log_odds(columns), ANCHOR)


def evaluate(scorer: Scorer, question: Judged, lead_name: str) -> dict[str, float]:
    """Return the scores of P(delay > 15 min) and of the distribution at a lead, against the training data's own.

    Skill is against the base rate and the delays of the training data.
    """
    curves = log_odds(scorer, question, lead_name)
    probability = 1.0 / (1.0 + np.exp(-curves[:, ANCHOR]))
    climatology = Climatology.of_counts(scorer.manifest.delay_counts)
    spread = distribution_scores(question.data.delay_minutes, curves, scorer.delay_range, climatology)
    return score_card(question.data.delayed, probability, scorer.manifest.base_rate) | spread.means()


def _first_of_each(flights: FlightTable) -> NDArray[np.intp]:
    seen: dict[tuple[object, ...], int] = {}
    for row, identity in enumerate(flights.identities()):
        seen.setdefault(identity, row)
    return np.array(sorted(seen.values()), dtype=np.intp)
