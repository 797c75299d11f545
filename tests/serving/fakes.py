"""A scorer made by hand: it knows two airlines and three places, and its answers are simple to foretell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from atraso.artefact.manifest import FORMAT_VERSION, AirlineCard, AirportCard, GoldenFlight, Manifest, PlaceCard
from atraso.artefact.scorer import ChallengeAnswer, PredictionTable
from atraso.artefact.times import moment_of
from atraso.core.codes import flight_number_of, place_of
from atraso.core.errors import FieldError
from atraso.core.flights import Flight, FlightTable
from atraso.core.prediction import Prediction, Reason

BASE_RATE = 0.2
AIRLINES = {"LAN": "LAN", "LA": "LAN", "LATAM": "LAN", "SKU": "SKU", "H2": "SKU"}
SCEL = AirportCard("SCEL", "SCL", "Santiago", "America/Santiago", "CL", BASE_RATE)
SAME = AirportCard("SAME", "MDZ", "Mendoza", "America/Argentina/Mendoza", "AR", BASE_RATE)
NEW = "was not seen in training"


def manifest(*airports: AirportCard) -> Manifest:
    airports = airports or (SCEL,)
    return Manifest(
        format_version=FORMAT_VERSION,
        version="2017.1+abcdef",
        created_at="2026-01-02T03:04:05+00:00",
        checksum="ab" * 32,
        feature_fingerprint="cd" * 32,
        airport=",".join(a.icao for a in airports),
        airports=airports,
        airlines=(AirlineCard("LAN", "LA", "LATAM Airlines", 900), AirlineCard("SKU", "H2", "Sky <Airline>", 100)),
        destinations=(PlaceCard("SPJC", "LIM", "Lima"), PlaceCard("SCTE", "PMC", "Puerto Montt")),
        challenge_airlines=("Grupo LATAM", "Sky Airline"),
        leads=("schedule",),
        thresholds_minutes=(0, 15, 30, 60),
        base_rate=BASE_RATE,
        decision_threshold=0.3,
        decision_reason="best F1",
        trained_from="2017-01-01",
        trained_to="2017-12-31",
        n_departures=1000,
        training_data="ef" * 32,
        calendar_from="2016-01-01",
        calendar_to="2027-12-31",
        scores={"schedule": {"auc": 0.7}},
        scores_note="by time",
        libraries={},
        files=(),
        golden=(GoldenFlight("LAN", "282", "SCEL", "SPJC", "2018-01-03T08:30:00", 0.3, (0.6, 0.3, 0.15, 0.075)),),
        delay_counts={"-5": 40, "0": 20, "10": 20, "30": 20},
    )


@dataclass
class FakeScorer:
    """Answers probability = number of the flight in percent; `fault` is raised instead of any answer."""

    manifest: Manifest
    fault: Exception | None = None

    def resolve(
        self, airline: str, flight_number: str, destination: str, scheduled_departure: str, origin: str | None = None
    ) -> tuple[Flight, tuple[str, ...]]:
        start = self.manifest.airports[0]
        if origin is not None or len(self.manifest.airports) > 1:
            found = [a for a in self.manifest.airports if origin in (a.icao, a.iata)]
            if not found:
                raise FieldError("origin", "is needed" if origin is None else f"{origin!r} is not covered")
            start = found[0]
        place = place_of(destination, {p.iata: p.icao for p in self.manifest.destinations}, "destination")
        if airline not in AIRLINES:
            raise FieldError("airline", f"{airline!r} is not an airline")
        number = flight_number_of(flight_number, (AIRLINES[airline], "LA"))
        moment, note = moment_of(scheduled_departure, ZoneInfo(start.zone), "scheduled_departure")
        warnings = () if place in {p.icao for p in self.manifest.destinations} else (f"destination {place} {NEW}",)
        return Flight(AIRLINES[airline], number, start.icao, place, moment), (*warnings, note) if note else warnings

    def predict(self, flight: Flight, *, explain: bool = False, warnings: tuple[str, ...] = ()) -> Prediction:
        if self.fault is not None:
            raise self.fault
        p = probability_of(flight.flight_number)
        reasons = (Reason("airline", flight.airline, p - BASE_RATE + 0.05), Reason("route", "SCEL-SPJC", -0.05))
        return Prediction(
            p,
            p >= 0.3,
            BASE_RATE,
            "schedule",
            "schedule",
            exceeds_of(p),
            (-3.0, 16.4, 61.5),
            reasons * explain,
            warnings,
        )

    def predict_each(self, flights: Sequence[Flight]) -> PredictionTable:
        return self.predict_many(FlightTable.of(flights))

    def predict_many(self, flights: FlightTable, *, explain: bool = False) -> PredictionTable:
        each = [self.predict(flights.flight(row, self._zones()), explain=explain) for row in range(len(flights))]
        return PredictionTable(
            np.array([p.delay_probability for p in each]),
            np.array([p.delayed for p in each]),
            np.array([p.base_rate for p in each]),
            np.array([p.exceeds for p in each]),
            np.array([p.minutes for p in each]),
            tuple(p.reasons for p in each),
            (),
            ["schedule"] * len(each),
            ["schedule"] * len(each),
        )

    def challenge(self, airline_name: str, flight_type: str, month: int) -> ChallengeAnswer:
        if self.fault is not None:
            raise self.fault
        if airline_name not in self.manifest.challenge_airlines:
            raise FieldError("OPERA", f"{airline_name!r} is not an airline of the challenge")
        if flight_type not in ("I", "N"):
            raise FieldError("TIPOVUELO", f"{flight_type!r} is neither I nor N")
        return ChallengeAnswer(int(month == 7), 0.5)

    def _zones(self) -> dict[str, ZoneInfo]:
        return {a.icao: ZoneInfo(a.zone) for a in self.manifest.airports}


def probability_of(number: str) -> float:
    return (int(number) % 90 + 5) / 100


def exceeds_of(p: float) -> tuple[float, float, float, float]:
    return (min(2 * p, 0.99), p, p / 2, p / 4)


def scorer(*airports: AirportCard, fault: Exception | None = None) -> Any:
    return FakeScorer(manifest(*airports), fault)


def flight(**changed: object) -> dict[str, object]:
    """Return a good flight of a request, with fields changed; None takes a field out."""
    whole = {
        "airline": "LAN",
        "flight_number": "282",
        "destination": "SPJC",
        "scheduled_departure": "2017-07-14T08:30:00",
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not None}
