"""Packing: what was trained becomes the manifest and the tables of an artefact."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version

import msgspec
import numpy as np

from atraso.artefact.manifest import AirlineCard, AirportCard, GoldenFlight, Manifest, PlaceCard
from atraso.artefact.scorer import Scorer
from atraso.artefact.tables import TablesFile, rates_file, scorecard_file
from atraso.core.calendar import DaysOff
from atraso.core.distribution import Climatology, counts_by_minute
from atraso.core.flights import DepartureTable, FlightTable
from atraso.core.keys import MINUTES_A_DAY
from atraso.core.leads import LEADS
from atraso.core.scorecard import THRESHOLDS_MINUTES
from atraso.core.scores import leak_alarms
from atraso.sources.airlines import airlines
from atraso.sources.airports import airport, airport_icao_by_iata
from atraso.sources.reading import Reading
from atraso.training.challenge import learn_challenge
from atraso.training.holidays import iso
from atraso.training.pipeline import Trained

# Those whose version can change a number of the artefact.
_LIBRARIES = ("atraso", "lightgbm", "scikit-learn", "interpret-core", "numpy", "holidays", "airportsdata")
GOLDEN_FLIGHTS = 24
GOLDEN_DAYS_AFTER = (3, 11)  # days after the training data: a golden flight is nobody's real flight


def pack(reading: Reading, trained: Trained, days_off: DaysOff) -> tuple[Manifest, TablesFile]:
    """Return manifest and tables, complete but for what `write_artefact` fills in."""
    departures = reading.departures
    table, threshold = learn_challenge(reading.challenge) if reading.challenge is not None else ({}, 0.5)
    tables = TablesFile(
        scorecards=tuple(scorecard_file(card) for card in trained.scorecards),
        rates=rates_file(trained.rates),
        totals=trained.rates.totals,
        holidays=tuple(sorted(days_off.holidays)),
        calendar=(days_off.first, days_off.last),
        delay_range=Climatology.of(departures.delay_minutes).delay_range,
        challenge=table,
        challenge_threshold=threshold,
        places=dict(sorted(airport_icao_by_iata().items())),
    )
    local = departures.flights.scheduled_local
    origins = tuple(sorted(trained.rates.totals))
    late_rates = {icao: float(departures.delayed[departures.flights.origin == icao].mean()) for icao in origins}
    test_days = departures.flights.scheduled_local[trained.split.test] // MINUTES_A_DAY
    manifest = Manifest(
        format_version=0,
        version="",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        checksum="",
        feature_fingerprint="",
        airport=",".join(origins),
        airports=tuple(_airport_card(icao, late_rates[icao]) for icao in origins),
        airlines=_airline_cards(departures.flights),
        destinations=_place_cards(departures.flights),
        challenge_airlines=tuple(table),
        leads=tuple(lead.name for lead in LEADS),
        thresholds_minutes=THRESHOLDS_MINUTES,
        base_rate=float(departures.delayed.mean()),
        decision_threshold=trained.decision_threshold,
        decision_reason=(
            "best F1 of the delayed class over all leads on the days of the time split that calibrate; "
            "a costlier false alarm asks for a higher one"
        ),
        trained_from=iso(int(local.min()) // MINUTES_A_DAY),
        trained_to=iso(int(local.max()) // MINUTES_A_DAY),
        n_departures=len(departures),
        training_data=data_fingerprint(departures),
        calendar_from=iso(days_off.first),
        calendar_to=iso(days_off.last),
        scores=trained.scores,
        scores_note=(
            f"time split: judged on {iso(int(test_days.min()))} to {iso(int(test_days.max()))} by a model that was "
            "fitted and calibrated on the days before; the numbers shipped are then learnt from all days"
            + "".join(f"; ALARM: {alarm}" for alarm in leak_alarms(trained.scores))
        ),
        libraries={
            "python": ".".join(platform.python_version_tuple()[:2]),
            **{name: version(name) for name in _LIBRARIES},
        },
        files=(),
        golden=(),
        delay_counts=counts_by_minute(departures.delay_minutes),
    )
    return msgspec.structs.replace(manifest, golden=_golden(manifest, tables, departures)), tables


def data_fingerprint(departures: DepartureTable) -> str:
    """Return the SHA-256 of the departures in time order: the same flights have the same, whatever the file's order."""
    flights = departures.flights
    order = np.lexsort((flights.flight_number, flights.airline, flights.scheduled_utc))
    digest = hashlib.sha256()
    for column in (flights.airline, flights.flight_number, flights.origin, flights.destination):
        digest.update("\n".join(column[order].tolist()).encode())
    for minutes in (flights.scheduled_utc, flights.scheduled_local, departures.actual_utc):
        digest.update(minutes[order].astype("<i8").tobytes())
    return digest.hexdigest()


def _airport_card(icao: str, base_rate: float) -> AirportCard:
    known = airport(icao)
    if known is None:
        raise ValueError(f"a source let an unknown airport through: {icao}")
    return AirportCard(icao, known.iata, known.city or known.name, known.zone, known.country, base_rate)


def _airline_cards(flights: FlightTable) -> tuple[AirlineCard, ...]:
    known = airlines()
    cards = []
    for icao, n in sorted(Counter(flights.airline.tolist()).items()):
        entry = known.get(icao)
        if entry is None:
            cards.append(AirlineCard(icao, "", icao, n))
        else:
            cards.append(AirlineCard(icao, entry.iata, entry.name, n, entry.also))
    return tuple(cards)


def _place_cards(flights: FlightTable) -> tuple[PlaceCard, ...]:
    cards = []
    for icao in sorted(set(flights.destination.tolist())):
        known = airport(icao)
        cards.append(PlaceCard(icao, known.iata, known.city or known.name) if known else PlaceCard(icao, "", icao))
    return tuple(cards)


def _golden(manifest: Manifest, tables: TablesFile, departures: DepartureTable) -> tuple[GoldenFlight, ...]:
    """Ask the finished model made-up flights of the busiest flight numbers, and one it cannot know."""
    scorer = Scorer(manifest, tables)
    flights = departures.flights
    rows = zip(
        flights.airline.tolist(),
        flights.flight_number.tolist(),
        flights.origin.tolist(),
        flights.destination.tolist(),
        (flights.scheduled_local % MINUTES_A_DAY // 60).tolist(),
        strict=True,
    )
    busiest = [key for key, _ in sorted(Counter(rows).items(), key=lambda item: (-item[1], item[0]))]
    chosen = [*busiest[:: max(1, len(busiest) // GOLDEN_FLIGHTS)][:GOLDEN_FLIGHTS]]
    origin = manifest.airports[0].icao
    chosen.append(("ZZZ", "9999", origin, busiest[0][3], 6))
    last_day = int(flights.scheduled_local.max()) // MINUTES_A_DAY
    golden = []
    for i, (airline, number, start, destination, hour) in enumerate(chosen):
        moment = (
            f"{iso(last_day + GOLDEN_DAYS_AFTER[i % len(GOLDEN_DAYS_AFTER)] + i % 7)}T{hour:02d}:{i % 12 * 5:02d}:00"
        )
        flight, _ = scorer.resolve(airline, number, destination, moment, start)
        answer = scorer.predict(flight)
        golden.append(
            GoldenFlight(airline, number, start, destination, moment, answer.delay_probability, answer.exceeds)
        )
    return tuple(golden)
