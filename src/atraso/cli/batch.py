"""Answering a file of flights chunk by chunk: names are looked up once each, times are read in bulk.

What is made here is what `Scorer.resolve` and `Scorer.predict` give row by row; the tests prove it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from atraso.core.errors import FieldError
from atraso.core.flights import Flight, FlightTable
from atraso.core.prediction import EXCEEDS_MINUTES, QUANTILES
from atraso.sources.clock import A_DAY_MINUTES, steady_offset, wall_minutes
from atraso.sources.questions import QuestionChunk
from atraso.sources.reading import Reject

if TYPE_CHECKING:
    from atraso.artefact.scorer import Scorer

IDENTIFYING_COLUMNS = ("airline", "flight_number", "origin", "destination", "scheduled_departure")
ANSWER_COLUMNS = (
    "delay_probability",
    "delayed",
    *(f"exceeds_{minutes}" for minutes in EXCEEDS_MINUTES),
    *(f"{name}_minutes" for name, _ in QUANTILES),
    "basis",
    "lead",
    "model",
    "warnings",
)
DECIMALS = 6
MOST_NAMES = 200_000

Columns = dict[str, list[Any]]
Names = tuple[str, str, str, str]
# A row of a FlightTable: airline, number, origin, destination, scheduled minutes in UTC and on the wall.
Facts = tuple[str, str, str, str, int, int]


@dataclass(frozen=True, slots=True)
class Known:
    """What some names mean: the flight's codes, the clock they go by, and warnings about the names."""

    airline: str
    flight_number: str
    origin: str
    destination: str
    zone: ZoneInfo
    warnings: tuple[str, ...]


class BatchPredictor:
    """Answers chunks of questions with one scorer, and remembers what names mean from chunk to chunk."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._model = scorer.manifest.version
        self._names: dict[Names, Known | str] = {}
        self._calendar: dict[int, tuple[str, ...]] = {}

    def answer(self, chunk: QuestionChunk) -> tuple[Columns, list[Reject]]:
        """Return the chunk's answers as columns, in its order, and the rows that could not be answered.

        The identifying columns are as in the file, but for an origin that was left out. Probabilities and
        minutes have six decimals.
        """
        rejects = list(chunk.rejects)
        kept: list[int] = []
        warnings: list[tuple[str, ...]] = []
        facts: list[Facts] = []
        for index in range(len(chunk)):
            resolved = self._resolve(chunk, index)
            if isinstance(resolved, str):
                rejects.append(Reject(chunk.rows[index], resolved, chunk.lines[index]))
                continue
            kept.append(index)
            facts.append(resolved[0])
            warnings.append(resolved[1])
        rejects.sort(key=lambda reject: reject.row)
        return self._columns(chunk, kept, facts, warnings), rejects

    def _resolve(self, chunk: QuestionChunk, index: int) -> tuple[Facts, tuple[str, ...]] | str:
        """Return one row's cells for a FlightTable and its warnings, or the reason it cannot be answered."""
        names = (
            chunk.airline[index],
            chunk.flight_number[index],
            chunk.destination[index],
            chunk.origin[index],
        )
        text = chunk.scheduled_departure[index]
        wall = wall_minutes(text)
        known = self._names.get(names)
        if isinstance(known, str):
            return known
        if known is None or wall is None:
            return self._ask(names, text)
        offset = steady_offset(known.zone, wall // A_DAY_MINUTES)
        if offset is None:
            return self._ask(names, text)
        facts = (known.airline, known.flight_number, known.origin, known.destination, wall - offset, wall)
        return facts, known.warnings + self._of_the_day(wall)

    def _ask(self, names: Names, text: str) -> tuple[Facts, tuple[str, ...]] | str:
        """Let the scorer read one row, and remember what its names mean."""
        airline, flight_number, destination, origin = names
        if len(self._names) >= MOST_NAMES:
            self._names.clear()
        try:
            flight, warnings = self._scorer.resolve(airline, flight_number, destination, text, origin or None)
        except FieldError as error:
            # Names are read before the time, so a complaint about a name holds for every time.
            if error.field != "scheduled_departure":
                self._names[names] = str(error)
            return str(error)
        local = flight.scheduled_local_minutes
        self._remember(names, flight, warnings, local)
        facts = (flight.airline, flight.flight_number, flight.origin, flight.destination)
        return (*facts, flight.scheduled_utc_minutes, local), warnings

    def _remember(self, names: Names, flight: Flight, warnings: tuple[str, ...], local: int) -> None:
        zone = flight.scheduled_departure.tzinfo
        if not isinstance(zone, ZoneInfo) or steady_offset(zone, local // A_DAY_MINUTES) is None:
            return  # there may be a warning about the clock among the others
        of_the_day = self._of_the_day(local)
        of_names = warnings[: len(warnings) - len(of_the_day)]
        self._names[names] = Known(
            flight.airline, flight.flight_number, flight.origin, flight.destination, zone, of_names
        )

    def _of_the_day(self, local: int) -> tuple[str, ...]:
        day = local // A_DAY_MINUTES
        found = self._calendar.get(day)
        if found is None:
            warning = self._scorer.calendar_warning(local)
            found = self._calendar[day] = (warning,) if warning else ()
        return found

    def _columns(
        self,
        chunk: QuestionChunk,
        kept: list[int],
        facts: list[Facts],
        warnings: list[tuple[str, ...]],
    ) -> Columns:
        if not kept:
            return {name: [] for name in (*IDENTIFYING_COLUMNS, *ANSWER_COLUMNS)}
        airline, flight_number, origin, destination, utc, local = zip(*facts, strict=True)
        table = self._scorer.predict_many(
            FlightTable(
                np.array(airline, dtype=np.str_),
                np.array(flight_number, dtype=np.str_),
                np.array(origin, dtype=np.str_),
                np.array(destination, dtype=np.str_),
                np.array(utc, dtype=np.int64),
                np.array(local, dtype=np.int64),
            )
        )
        columns: Columns = {
            "airline": [chunk.airline[index] for index in kept],
            "flight_number": [chunk.flight_number[index] for index in kept],
            "origin": [chunk.origin[index] or code for index, code in zip(kept, origin, strict=True)],
            "destination": [chunk.destination[index] for index in kept],
            "scheduled_departure": [chunk.scheduled_departure[index] for index in kept],
            "delay_probability": np.round(table.delay_probability, DECIMALS).tolist(),
            "delayed": table.delayed.tolist(),
        }
        for place, minutes in enumerate(EXCEEDS_MINUTES):
            columns[f"exceeds_{minutes}"] = np.round(table.exceeds[:, place], DECIMALS).tolist()
        for place, (name, _) in enumerate(QUANTILES):
            columns[f"{name}_minutes"] = np.round(table.minutes[:, place], DECIMALS).tolist()
        columns["basis"] = list(table.basis)
        columns["lead"] = list(table.lead)
        columns["model"] = [self._model] * len(kept)
        columns["warnings"] = warnings
        return columns
