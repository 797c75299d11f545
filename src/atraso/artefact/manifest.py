"""The manifest: what an artefact says of itself. Typed, so that a wrong kind of value is refused on reading."""

from __future__ import annotations

import hashlib

import msgspec

FORMAT_VERSION = 2


class AirportCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An airport that the model predicts departures of."""

    icao: str
    iata: str
    name: str
    zone: str
    country: str
    base_rate: float


class AirlineCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An airline seen in training; `names` are further spellings."""

    icao: str
    iata: str
    name: str
    departures: int
    names: tuple[str, ...] = ()


class PlaceCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A destination seen in training."""

    icao: str
    iata: str
    name: str


class GoldenFlight(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A made-up question with the model's exact answer, asked again whenever the artefact is loaded."""

    airline: str
    flight_number: str
    origin: str
    destination: str
    scheduled_departure: str
    delay_probability: float
    exceeds: tuple[float, float, float, float]


class FileDigest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the artefact."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is known of a trained model; rates and probabilities are fractions.

    `checksum` is the SHA-256 over everything but itself, `version` and `created_at`: the same data, code and library
    versions give the same checksum. `training_data` is the SHA-256 of the departures as read, `delay_counts` how many
    of them had each delay, by whole minutes: the climatology that distributions are scored against.
    """

    format_version: int
    version: str
    created_at: str
    checksum: str
    feature_fingerprint: str
    airport: str
    airports: tuple[AirportCard, ...]
    airlines: tuple[AirlineCard, ...]
    destinations: tuple[PlaceCard, ...]
    challenge_airlines: tuple[str, ...]
    leads: tuple[str, ...]
    thresholds_minutes: tuple[int, ...]
    base_rate: float
    decision_threshold: float
    decision_reason: str
    trained_from: str
    trained_to: str
    n_departures: int
    training_data: str
    calendar_from: str
    calendar_to: str
    scores: dict[str, dict[str, float]]
    scores_note: str
    libraries: dict[str, str]
    files: tuple[FileDigest, ...]
    golden: tuple[GoldenFlight, ...]
    delay_counts: dict[str, int]

    def content_checksum(self) -> str:
        """Return the checksum that this manifest's content has."""
        plain = msgspec.structs.replace(self, version="", created_at="", checksum="")
        return hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()
