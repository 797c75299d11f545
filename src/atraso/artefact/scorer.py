"""The model in use: names in, an answer out.

`predict` answers one flight by look-ups in numbers added up beforehand per key; `predict_many` answers a table by
reading the scorecard's steps. Both are the same model; the tests prove them equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from atraso.artefact.bundle import BUNDLED, read_artefact
from atraso.artefact.key_sums import KeySums
from atraso.artefact.manifest import Manifest
from atraso.artefact.tables import TablesFile, days_off_of, rates_of, scorecard_of
from atraso.artefact.times import Clock
from atraso.core.calendar import DaysOff, calendar_features
from atraso.core.codes import AirlineNames, flight_number_of, folded, place_of
from atraso.core.errors import ArtefactError, FieldError
from atraso.core.flights import EPOCH_ORDINAL, Flight, FlightTable
from atraso.core.keys import MINUTES_A_DAY, key_of
from atraso.core.leads import SCHEDULE
from atraso.core.prediction import (
    EXCEEDS_MINUTES,
    QUANTILES,
    Prediction,
    Reason,
    never_crossing,
    never_crossing_many,
    probability_shares,
    quantile_minutes_many,
    quantiles_minutes,
    sigmoid,
)
from atraso.core.rates import FrozenRates
from atraso.core.scorecard import ANCHOR, THRESHOLDS_MINUTES, Scorecard

Floats = NDArray[np.float64]

_EXCEEDS_AT = tuple(THRESHOLDS_MINUTES.index(m) for m in EXCEEDS_MINUTES)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
GOLDEN_TOLERANCE = 1e-9
MAX_READINGS_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class ChallengeAnswer:
    """The flight-delay challenge's answer: the class it asks for and the probability behind it."""

    predict: int
    probability: float


@dataclass(frozen=True, slots=True)
class PredictionTable:
    """Answers as columns of n rows; `exceeds` (n, 4) and `minutes` (n, 3) as in `Prediction`.

    `reasons` and `warnings` may be empty, for none at all.
    """

    delay_probability: Floats
    delayed: NDArray[np.bool_]
    base_rate: Floats
    exceeds: Floats
    minutes: Floats
    reasons: tuple[tuple[Reason, ...], ...]
    warnings: tuple[tuple[str, ...], ...]
    basis: Sequence[str]
    lead: Sequence[str]

    def __len__(self) -> int:
        return len(self.delay_probability)

    def prediction(self, row: int) -> Prediction:
        """Return one row as a `Prediction`."""
        e, m = self.exceeds[row].tolist(), self.minutes[row].tolist()
        return Prediction(
            float(self.delay_probability[row]),
            bool(self.delayed[row]),
            float(self.base_rate[row]),
            self.basis[row],
            self.lead[row],
            (e[0], e[1], e[2], e[3]),
            (m[0], m[1], m[2]),
            self.reasons[row] if self.reasons else (),
            self.warnings[row] if self.warnings else (),
        )


class _Names(NamedTuple):
    """A flight but for its time, as ICAO codes, and warnings about how it was read."""

    airline: str
    flight_number: str
    origin: str
    destination: str
    notes: tuple[str, ...]


class Scorer:
    """A loaded artefact, ready to answer. It holds no state of the airport: answers are on the basis `schedule`."""

    def __init__(self, manifest: Manifest, tables: TablesFile) -> None:
        self.manifest = manifest
        self.rates: FrozenRates = rates_of(tables)
        self.days_off: DaysOff = days_off_of(tables)
        self._card_files = {(file.lead, file.schedule): file for file in tables.scorecards}
        self.delay_range = tables.delay_range
        self.zones = {a.icao: ZoneInfo(a.zone) for a in manifest.airports}
        self._clocks = {icao: Clock(zone) for icao, zone in self.zones.items()}
        self._challenge, self._challenge_threshold = tables.challenge, tables.challenge_threshold
        self._base_rates = {a.icao: a.base_rate for a in manifest.airports}
        self._iata = {**tables.places, **{p.iata: p.icao for p in manifest.destinations if p.iata}}
        self._flights = frozenset(tables.rates.get("flight", {}))
        self._destinations = frozenset(p.icao for p in manifest.destinations)
        self._airlines = _airline_names(manifest, tables.rates.get("airline_route", {}))
        self._codes = {a.icao: (a.icao, a.iata) for a in manifest.airlines}
        # Timetables repeat themselves: names that could be read are remembered, and forgotten together.
        self._read: dict[tuple[str, str, str, str | None], _Names] = {}
        self._route = lru_cache(MAX_READINGS_REMEMBERED)(self._read_route)
        self._day_warning = lru_cache(MAX_READINGS_REMEMBERED)(
            lambda ordinal: self.calendar_warning((ordinal - EPOCH_ORDINAL) * MINUTES_A_DAY)
        )
        # Each is made once, so that one that cannot be used is refused now. But for this one they are made again where
        # they are needed: all together would be 5 MB in every worker.
        for file in tables.scorecards:
            scorecard_of(file)
        self._card = self.scorecard(SCHEDULE.name, schedule=False)
        self.key_sums = KeySums(self._card, self.rates, self.days_off)
        self._check_golden()

    @property
    def scorecards(self) -> dict[tuple[str, bool], Scorecard]:
        """The scorecards by their lead and whether they stand on the published schedule, made anew."""
        return {(file.lead, file.schedule): scorecard_of(file) for file in self._card_files.values()}

    def scorecard(self, lead: str, *, schedule: bool) -> Scorecard:
        """Return the scorecard of a lead, with or without the published schedule, made anew."""
        return scorecard_of(self._card_files[lead, schedule])

    def resolve(
        self,
        airline: str,
        flight_number: str,
        destination: str,
        scheduled_departure: str,
        origin: str | None = None,
    ) -> tuple[Flight, tuple[str, ...]]:
        """Return the flight that is meant and warnings about how it was read.

        Raises FieldError naming the first field that cannot be used.
        """
        facts = (airline, flight_number, destination, origin)
        code, number, start, place, notes = self._read.get(facts) or self._read_names(facts)
        moment, note = self._clocks[start].read(scheduled_departure, "scheduled_departure")
        day_note = self._day_warning(moment.toordinal())
        if note or day_note:
            notes = (*notes, *filter(None, (note, day_note)))
        return Flight(code, number, start, place, moment), notes

    def _read_names(self, facts: tuple[str, str, str, str | None]) -> _Names:
        """Return what the names of a flight mean, and remember it; raises FieldError."""
        airline, flight_number, destination, origin = facts
        start, place, code, notes = self._route(origin, destination, airline)
        number, note = self._read_number(start, code, flight_number)
        if len(self._read) >= 4 * MAX_READINGS_REMEMBERED:
            self._read.clear()
        names = self._read[facts] = _Names(code, number, start, place, (*notes, note) if note else notes)
        return names

    def _read_number(self, origin: str, airline: str, text: str) -> tuple[str, str | None]:
        """Return the flight number that is meant, and a warning where the model never saw it; raises FieldError."""
        number = flight_number_of(text, self._codes.get(airline, (airline,)))
        if f"{origin}|{airline}|{number}" in self._flights:
            return number, None
        return number, f"flight number {airline} {number} was not seen in training: it is judged as new ones were"

    def _read_route(self, origin: str | None, destination: str, airline: str) -> tuple[str, str, str, tuple[str, ...]]:
        """Return origin, destination and airline as ICAO codes, and warnings; raises FieldError."""
        warnings: list[str] = []
        start = self.origin_of(origin)
        place = place_of(destination, self._iata, "destination")
        if place not in self._destinations:
            if place == start:
                raise FieldError("destination", f"{destination!r} is the airport of departure itself")
            warnings.append(f"destination {place} was not seen in training: the answer uses what is usual here")
        code, note = self._airlines.icao(airline, start, place)
        if note:
            warnings.append(note)
        return start, place, code, tuple(warnings)

    def origin_of(self, text: str | None) -> str:
        """Return the ICAO code of the airport of departure; it may be left out where the model covers just one."""
        airports = self.manifest.airports
        if text is None:
            if len(airports) == 1:
                return airports[0].icao
            raise FieldError("origin", f"is needed: this model covers {', '.join(a.icao for a in airports)}")
        code = folded(text)
        for airport in airports:
            if code in (airport.icao, airport.iata):
                return airport.icao
        raise FieldError("origin", f"{text!r} is not covered by this model, which knows {self.manifest.airport}")

    def calendar_warning(self, scheduled_local: int) -> str | None:
        """Return a warning where the artefact's table of holidays does not reach."""
        if self.days_off.covers(scheduled_local // MINUTES_A_DAY):
            return None
        return (
            f"holidays are known from {self.manifest.calendar_from} to {self.manifest.calendar_to} only: "
            "this day counts as an ordinary one"
        )

    def predict(self, flight: Flight, *, explain: bool = False, warnings: tuple[str, ...] = ()) -> Prediction:
        """Answer one flight; with *explain* the reasons come along."""
        reasons: tuple[Reason, ...] = ()
        if explain:
            sums = self.key_sums.group_sums(self.key_sums.vectors(flight))
            reasons = self.reasons(self._card, sums, flight)
        log_odds = self.key_sums.log_odds(flight)
        return self.answer(log_odds, flight, SCHEDULE.name, SCHEDULE.name, reasons=reasons, warnings=warnings)

    def answer(
        self,
        log_odds: Sequence[float],
        flight: Flight,
        basis: str,
        lead: str,
        *,
        reasons: tuple[Reason, ...],
        warnings: tuple[str, ...],
    ) -> Prediction:
        """Return the prediction that *log_odds*, one per threshold, mean for *flight*."""
        fixed = never_crossing(log_odds, ANCHOR)
        probability = sigmoid(fixed[ANCHOR])
        e = [sigmoid(fixed[k]) for k in _EXCEEDS_AT]
        m = quantiles_minutes(fixed, THRESHOLDS_MINUTES, *self.delay_range)
        return Prediction(
            probability,
            probability >= self.manifest.decision_threshold,
            self._base_rates[flight.origin],
            basis,
            lead,
            (e[0], e[1], e[2], e[3]),
            (m[0], m[1], m[2]),
            reasons,
            warnings,
        )

    def predict_many(self, flights: FlightTable, *, explain: bool = False) -> PredictionTable:
        """Answer every row of *flights* in one sweep; the same numbers as `predict` gives one by one."""
        features = self.schedule_features(flights)
        reasons = self._reasons_of_each(features, flights) if explain else ()
        return self.answers(self._card.log_odds(features), flights.origin.tolist(), reasons=reasons)

    def predict_each(self, flights: Sequence[Flight]) -> PredictionTable:
        """Answer *flights* by the look-ups of `predict`, which know those of a timetable, and all else in one sweep."""
        return self.answers(self.key_sums.log_odds_of_each(flights), [flight.origin for flight in flights])

    def answers(
        self,
        log_odds: Floats,
        origins: Sequence[str],
        basis: Sequence[str] | None = None,
        lead: Sequence[str] | None = None,
        reasons: tuple[tuple[Reason, ...], ...] = (),
    ) -> PredictionTable:
        """Return what *log_odds* (n, thresholds) mean, row by row as `answer` says; by default for the schedule."""
        on_schedule = [SCHEDULE.name] * len(origins)
        fixed = never_crossing_many(log_odds, ANCHOR)
        with np.errstate(over="ignore"):
            exceeds = 1.0 / (1.0 + np.exp(-fixed[:, list(_EXCEEDS_AT)]))
        minutes = np.column_stack(
            [quantile_minutes_many(fixed, THRESHOLDS_MINUTES, level, *self.delay_range) for _, level in QUANTILES]
        )
        probability = exceeds[:, EXCEEDS_MINUTES.index(15)]
        return PredictionTable(
            probability,
            probability >= self.manifest.decision_threshold,
            np.array([self._base_rates[origin] for origin in origins]),
            exceeds,
            minutes,
            reasons,
            (),
            on_schedule if basis is None else basis,
            on_schedule if lead is None else lead,
        )

    def schedule_features(self, flights: FlightTable) -> dict[str, Floats]:
        """Return the features that need neither state nor published schedule, one column each."""
        return calendar_features(flights.scheduled_local, self.days_off) | self.rates.features(flights)

    def challenge(self, airline_name: str, flight_type: str, month: int) -> ChallengeAnswer:
        """Answer the flight-delay challenge's three facts from the artefact's own table of them.

        Raises FieldError naming OPERA, TIPOVUELO or MES.
        """
        types = self._challenge.get(airline_name)
        if types is None:
            known = ", ".join(self.manifest.challenge_airlines)
            raise FieldError("OPERA", f"{airline_name!r} is not one of the airlines of the challenge: {known}")
        months = types.get(flight_type)
        if months is None:
            raise FieldError("TIPOVUELO", f"{flight_type!r} is neither 'I' (international) nor 'N' (national)")
        if not 1 <= month <= len(months):
            raise FieldError("MES", f"{month!r} is not a month from 1 to 12")
        probability = months[month - 1]
        return ChallengeAnswer(int(probability > self._challenge_threshold), probability)

    def _reasons_of_each(self, features: Mapping[str, Floats], flights: FlightTable) -> tuple[tuple[Reason, ...], ...]:
        sums = {group: column.tolist() for group, column in self._card.group_sums(features).items()}
        return tuple(
            self.reasons(self._card, {g: column[row] for g, column in sums.items()}, flights.flight(row, self.zones))
            for row in range(len(flights))
        )

    def reasons(
        self, card: Scorecard, sums: Mapping[str, float], flight: Flight, live: Mapping[str, str] | None = None
    ) -> tuple[Reason, ...]:
        """Return the reasons that *sums*, what each group of *card* adds, mean, largest first.

        *live* has in words what the groups saw that stand on the state or the schedule.
        """
        base_rate = self._base_rates[flight.origin]
        shares = card.shares({group: sums[group] for group in card.reference}, base_rate)
        effects = probability_shares(tuple(shares.values()), base_rate)
        seen = self._seen(flight) | dict(live or {})
        reasons = [Reason(g, seen[g], e) for g, e in zip(shares, effects, strict=True)]
        return tuple(sorted(reasons, key=lambda reason: -abs(reason.effect)))

    def _seen(self, flight: Flight) -> dict[str, str]:
        moment = flight.scheduled_departure
        weekday = _WEEKDAYS[moment.weekday()]
        number = f"{flight.airline} {flight.flight_number}"
        holiday = flight.scheduled_local_minutes // MINUTES_A_DAY in self.days_off.holidays
        return {
            "airline": flight.airline,
            "route": f"{flight.origin}-{flight.destination}",
            "flight number": number if key_of("flight", flight) in self._flights else f"{number}, new to the model",
            "time of day": f"{moment.hour:02d}:{moment.minute:02d}",
            "calendar": f"{weekday}, public holiday" if holiday else weekday,
        }

    def _check_golden(self) -> None:
        for golden in self.manifest.golden:
            flight, _ = self.resolve(
                golden.airline,
                golden.flight_number,
                golden.destination,
                golden.scheduled_departure,
                golden.origin,
            )
            answer = self.predict(flight)
            asked = (golden.delay_probability, *golden.exceeds)
            given = (answer.delay_probability, *answer.exceeds)
            if max(abs(a - b) for a, b in zip(asked, given, strict=True)) > GOLDEN_TOLERANCE:
                raise ArtefactError(
                    f"this artefact does not give its own golden answer for {golden.airline} {golden.flight_number} "
                    f"at {golden.scheduled_departure} ({given[0]:.9f}, not {asked[0]:.9f}): train it again here"
                )


def _airline_names(manifest: Manifest, on_route: Mapping[str, tuple[float, float, float]]) -> AirlineNames:
    spellings: dict[str, list[str]] = {}
    for card in sorted(manifest.airlines, key=lambda a: -a.departures):
        for text in (card.icao, card.iata, card.name, *card.names):
            codes = spellings.setdefault(folded(text), []) if text else []
            if text and card.icao not in codes:
                codes.append(card.icao)
    for card in manifest.airlines:  # an airline's own ICAO code means that airline and no other
        spellings[card.icao] = [card.icao]
    return AirlineNames({k: tuple(v) for k, v in spellings.items()}, {k: n for k, (n, *_) in on_route.items()})


def load_scorer(folder: Path | None = None, *, verify_key: Path | None = None) -> Scorer:
    """Return the scorer of the artefact at *folder*, or of the bundled one; raises ArtefactError where refused."""
    manifest, tables = read_artefact(folder or BUNDLED, verify_key=verify_key)
    if not manifest.golden:
        raise ArtefactError(f"{folder} has no golden answers to be checked by: train it again")
    return Scorer(manifest, tables)
