"""`/predict` in the contract of the flight-delay challenge."""

from __future__ import annotations

from typing import Any

import pytest

from atraso.serving.app import Worker, create_app
from atraso.serving.predictions import Limits
from tests.serving.asgi import get, post
from tests.serving.fakes import scorer


def facts(**changed: Any) -> dict[str, Any]:
    return {"OPERA": "Grupo LATAM", "TIPOVUELO": "N", "MES": 3, **changed}


def test_classes_in_order() -> None:
    """Each flight gets its class, in order, and nothing else is in the answer."""
    content = {"flights": [facts(MES=3), facts(MES=7), facts(MES=1), facts(MES=12)]}
    answer = post(create_app(scorer()), "/predict", content)
    assert (answer.status, answer.body) == (200, b'{"predict":[0,1,0,0]}')


REFUSED = {
    "MES 13": ({"flights": [facts(MES=13)]}, "/flights/0/MES"),
    "MES 0": ({"flights": [facts(MES=0)]}, "/flights/0/MES"),
    "MES -1": ({"flights": [facts(MES=-1)]}, "/flights/0/MES"),
    "MES of text": ({"flights": [facts(MES="3x")]}, "/flights/0/MES"),
    "MES of digits": ({"flights": [facts(MES="3")]}, "/flights/0/MES"),
    "MES true": ({"flights": [facts(MES=True)]}, "/flights/0/MES"),
    "MES 3.0": ({"flights": [facts(MES=3.0)]}, "/flights/0/MES"),
    "MES null": ({"flights": [facts(MES=None)]}, "/flights/0/MES"),
    "MES enormous": ({"flights": [facts(MES=10**40)]}, "/flights/0/MES"),
    "TIPOVUELO O": ({"flights": [facts(TIPOVUELO="O")]}, "/flights/0/TIPOVUELO"),
    "TIPOVUELO of lower case": ({"flights": [facts(TIPOVUELO="n")]}, "/flights/0/TIPOVUELO"),
    "OPERA Argentinas": ({"flights": [facts(), facts(OPERA="Argentinas")]}, "/flights/1/OPERA"),
    "OPERA empty": ({"flights": [facts(OPERA="")]}, "/flights/0/OPERA"),
    "a field too many": ({"flights": [facts(DIA=1)]}, "/flights/0/DIA"),
    "a field too few": ({"flights": [{"OPERA": "Grupo LATAM", "MES": 3}]}, "/flights/0/TIPOVUELO"),
    "unknown at the top": ({"flights": [facts()], "explain": True}, "/explain"),
    "no flights": ({"flights": []}, "/flights"),
    "flights missing": ({}, "/flights"),
    "a list": ([facts()], ""),
    "a flight of text": ({"flights": ["x"]}, "/flights/0"),
    "broken": (b'{"flights": [', ""),
    "empty": (b"", ""),
    "NaN": (b'{"flights": [{"OPERA": "Grupo LATAM", "TIPOVUELO": "N", "MES": NaN}]}', ""),
}


@pytest.mark.parametrize(("content", "pointer"), REFUSED.values(), ids=REFUSED)
def test_400(content: Any, pointer: str) -> None:
    """Every refusal of a content is a 400 with a problem document that names the place."""
    answer = post(create_app(scorer()), "/predict", content)
    assert answer.status == answer.json["status"] == 400
    assert list(answer.places) == [pointer]


def test_every_wrong_place() -> None:
    """All wrong places are named, also where a field of the right kind follows one of a wrong kind."""
    content = {"flights": [facts(MES=13, OPERA="Argentinas", TIPOVUELO="O"), facts(), facts(TIPOVUELO=1)]}
    assert post(create_app(scorer()), "/predict", content).places.keys() == {
        "/flights/0/MES",
        "/flights/0/OPERA",
        "/flights/0/TIPOVUELO",
        "/flights/2/TIPOVUELO",
    }


def test_number_of_flights() -> None:
    """More flights than one request may hold are refused with 400."""
    app = create_app(scorer(), Worker(limits=Limits(max_flights=2)))
    assert post(app, "/predict", {"flights": [facts()] * 2}).status == 200
    assert post(app, "/predict", {"flights": [facts()] * 3}).status == 400


def test_health() -> None:
    """The challenge's health check answers as its contract says."""
    answer = get(create_app(scorer()), "/health")
    assert (answer.status, answer.json) == (200, {"status": "OK"})
