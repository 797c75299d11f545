"""The service with the bundled model: what a stranger asks first."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from atraso.artefact.scorer import load_scorer
from atraso.serving.app import create_app
from atraso.serving.front import Front
from tests.serving.asgi import get, post

FLIGHT = {
    "airline": "LAN",
    "flight_number": "282",
    "destination": "SPJC",
    "scheduled_departure": "2017-07-14T08:30:00",
}
LAN, SKY = "LAN", "SKU"


@cache
def service() -> Front:
    return create_app(load_scorer())


def predicted(*flights: dict[str, str], **more: Any) -> list[dict[str, Any]]:
    answer = post(service(), "/v1/predictions", {"flights": flights, **more})
    assert answer.status == 200, answer.body
    return [{name: value for name, value in p.items() if name != "id"} for p in answer.json["predictions"]]


def test_one_real_flight() -> None:
    """A flight gets a probability strictly between 0 and 1, falling with the minutes, and reasons that add up."""
    (p,) = predicted(FLIGHT, explain=True)
    assert 0 < p["delay_probability"] < 1
    exceeds = [p["exceeds"][m] for m in ("0", "15", "30", "60")]
    assert exceeds == sorted(exceeds, reverse=True)
    assert exceeds[1] == p["delay_probability"]
    assert list(p["minutes"].values()) == sorted(p["minutes"].values())
    effects = sum(r["effect"] for r in p["reasons"])
    assert abs(p["delay_probability"] - p["base_rate"] - effects) < 1e-6
    assert p["delayed"] is (p["delay_probability"] >= get(service(), "/v1/model").json["decision_threshold"])
    assert [w[:25] for w in p["warnings"]] == ["flight number LAN 282 was"]


def test_iata_codes() -> None:
    """IATA codes give the same answer as ICAO codes."""
    iata = {**FLIGHT, "airline": "LA", "flight_number": "LA282", "destination": "LIM", "origin": "SCL"}
    assert predicted(iata) == predicted(FLIGHT)


def test_an_offset_is_converted() -> None:
    """The same moment in another offset is the same flight."""
    assert predicted({**FLIGHT, "scheduled_departure": "2017-07-14T12:30:00Z"}) == predicted(FLIGHT)


def test_batch_equals_single() -> None:
    """A batch answers each flight as it is answered alone, to the sixth decimal and beyond."""
    flights = [
        {**FLIGHT, "flight_number": str(100 + i), "airline": (LAN, SKY)[i % 2], "scheduled_departure": moment}
        for i, moment in enumerate(
            f"2017-{m:02d}-{d:02d}T{h:02d}:{h:02d}" for m in (1, 7) for d in (1, 16) for h in range(20)
        )
    ]
    batch = predicted(*flights, explain=True)
    for flight, many in zip(flights, batch, strict=True):
        (one,) = predicted(flight, explain=True)
        assert many["delay_probability"] == pytest.approx(one["delay_probability"], abs=1e-9)
        assert many["exceeds"] == pytest.approx(one["exceeds"], abs=1e-9)
        assert many["minutes"] == pytest.approx(one["minutes"], abs=1e-6)
        assert {r["group"] for r in many["reasons"]} == {r["group"] for r in one["reasons"]}
        assert (many["delayed"], many["warnings"], many["lead"]) == (one["delayed"], one["warnings"], one["lead"])


def test_a_code_never_seen_is_answered() -> None:
    """Well-formed codes that the model never saw are answered, with a warning for each."""
    (p,) = predicted({**FLIGHT, "airline": "XYZ", "destination": "ZZZZ"})
    assert 0 < p["delay_probability"] < 1
    assert len(p["warnings"]) == 3


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"OPERA": "Aerolineas Argentinas", "TIPOVUELO": "N", "MES": 3}, 200),
        ({"OPERA": "Aerolineas Argentinas", "TIPOVUELO": "N", "MES": 1}, 200),
        ({"OPERA": "Aerolineas Argentinas", "TIPOVUELO": "N", "MES": 13}, 400),
        ({"OPERA": "Aerolineas Argentinas", "TIPOVUELO": "O", "MES": 3}, 400),
        ({"OPERA": "Argentinas", "TIPOVUELO": "N", "MES": 3}, 400),
        ({"OPERA": "Aerolineas Argentinas", "TIPOVUELO": "N", "MES": "3x"}, 400),
        ({"OPERA": "Aerolineas Argentinas", "TIPOVUELO": "N", "MES": 0}, 400),
    ],
)
def test_the_challenge(facts: dict[str, Any], status: int) -> None:
    """The challenge's own cases have the answers it demands."""
    answer = post(service(), "/predict", {"flights": [facts]})
    assert answer.status == status
    if facts["MES"] == 3 and status == 200:
        assert answer.json == {"predict": [0]}


def test_every_airline_of_the_challenge() -> None:
    """All 23 airlines of the challenge are answered, in every month and both kinds of flight."""
    names = load_scorer().manifest.challenge_airlines
    assert len(names) == 23
    flights = [{"OPERA": n, "TIPOVUELO": t, "MES": m} for n in names for t in "IN" for m in range(1, 13)]
    classes = post(service(), "/predict", {"flights": flights}).json["predict"]
    assert len(classes) == len(flights)
    assert set(classes) == {0, 1}


def test_pages_with_the_real_model() -> None:
    """Page, reference, card and document are there."""
    for path in ("/", "/docs", "/v1/model", "/openapi.json"):
        assert get(service(), path).status == 200
    asked = "airline=LATAM&flight_number=LA282&destination=Lima&date=2017-07-14&time=08:30"
    assert get(service(), "/", asked).status == 200
