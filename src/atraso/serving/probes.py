"""Requests that are probes: they ask what is known, to see that it is answered so, and leave no trace in the books.

What is marked so is not recorded and counts in nobody's quota. So that this is no way around either, a probe may ask
the golden flights alone, by the schedule: its answers are on the model's card anyway.
"""

from __future__ import annotations

from atraso.artefact.manifest import Manifest
from atraso.serving.problems import WrongPlacesError
from atraso.serving.wire import FlightQuestion, Place, PredictionRequest


class Probes:
    """Knows what a probe may ask of the model of *manifest*."""

    def __init__(self, manifest: Manifest) -> None:
        self._golden = frozenset(
            FlightQuestion(g.airline, g.flight_number, g.destination, g.scheduled_departure, g.origin)
            for g in manifest.golden
        )

    def check(self, request: PredictionRequest) -> None:
        """Raise WrongPlacesError where *request* is no probe."""
        wrong = []
        if request.basis != "schedule":
            wrong.append(Place("/basis", 'a probe asks for the schedule\'s answer: write "schedule"'))
        if request.as_of is not None:
            wrong.append(Place("/as_of", "a probe asks about now: leave it out"))
        for row, flight in enumerate(request.flights):
            plain = FlightQuestion(
                flight.airline, flight.flight_number, flight.destination, flight.scheduled_departure, flight.origin
            )
            if plain not in self._golden:
                told = "a probe asks golden flights alone, as /v1/model tells them: this is none of this model"
                wrong.append(Place(f"/flights/{row}", told))
                break
        if wrong:
            raise WrongPlacesError(wrong)
