"""Made-up flights to ask about: plausible for the model in use, and no row of anybody's data."""

from __future__ import annotations

import itertools
import json
import random
from datetime import date, datetime, timedelta
from pathlib import Path

from atraso.artefact.manifest import Manifest

DISTINCT = 2000
# So many that a worker has forgotten an answer by the time its flight is asked for again.
NEW_DISTINCT = 40_000
SEED = 2017
FIRST_MINUTE, LAST_MINUTE = 5 * 60, 23 * 60 + 55
PREDICTIONS = "/v1/predictions"
CHALLENGE_PATH = "/predict"


def questions(manifest: Manifest, count: int = DISTINCT, seed: int = SEED) -> list[dict[str, str]]:
    """Return *count* different flights in the wire's form, the same ones for the same seed.

    Airlines come as often as in training, destinations evenly (one in four by its IATA code), times on five-minute
    marks of the year after training.
    """
    dice = random.Random(seed)  # noqa: S311 - made-up flights guard no secret
    home = {airport.icao for airport in manifest.airports}
    places = [place for place in manifest.destinations if place.icao not in home]
    weights = [airline.departures for airline in manifest.airlines]
    first_day = datetime.combine(date.fromisoformat(manifest.trained_to), datetime.min.time()) + timedelta(days=1)
    found: dict[str, dict[str, str]] = {}
    while len(found) < count:
        airline = dice.choices(manifest.airlines, weights)[0]
        place = dice.choice(places)
        minute = dice.randrange(FIRST_MINUTE, LAST_MINUTE + 1, 5)
        when = first_day + timedelta(days=dice.randrange(365), minutes=minute)
        question = {
            "airline": airline.icao,
            "flight_number": str(dice.randrange(1, 1000)),
            "destination": place.iata if place.iata and dice.random() < 0.25 else place.icao,
            "scheduled_departure": when.isoformat(),
        }
        if len(home) > 1:
            question["origin"] = dice.choice(sorted(home))
        found[json.dumps(question)] = question
    return list(itertools.islice(found.values(), count))


def body_of(*flights: dict[str, str], explain: bool = False) -> bytes:
    """Return the body of a request about *flights*; as short as people's clients make it."""
    request: dict[str, object] = {"flights": list(flights)}
    if explain:
        request["explain"] = True
    return json.dumps(request, separators=(",", ":")).encode()


def challenge_bodies(manifest: Manifest) -> list[bytes]:
    """Return a body for each flight that the challenge can describe: airlines x types x months."""
    facts = itertools.product(manifest.challenge_airlines, "IN", range(1, 13))
    flights = [{"OPERA": airline, "TIPOVUELO": kind, "MES": month} for airline, kind, month in facts]
    return [json.dumps({"flights": [flight]}, separators=(",", ":")).encode() for flight in flights]


def write_bodies(path: Path, bodies: list[bytes]) -> None:
    """Write *bodies* to *path*, one a line."""
    path.write_bytes(b"".join(body + b"\n" for body in bodies))
