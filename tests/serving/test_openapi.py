"""The OpenAPI document: valid, complete, and true."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Mount, Route

from atraso.serving.app import Worker, create_app
from atraso.serving.front import Front
from atraso.serving.predictions import Limits
from atraso.serving.problems import STATUSES
from tests.serving.asgi import Answer, call, get, post
from tests.serving.fakes import SAME, SCEL, flight, scorer

FACTS = {"OPERA": "Sky Airline", "TIPOVUELO": "I", "MES": 7}


def document(**more: Any) -> dict[str, Any]:
    return get(create_app(scorer(), Worker(**more)), "/openapi.json").json


def schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}


def test_valid() -> None:
    """The document is valid OpenAPI 3.1, for one airport and for several."""
    for airports in ((SCEL,), (SCEL, SAME)):
        content = get(create_app(scorer(*airports)), "/openapi.json").json
        assert content["openapi"] == "3.1.0"
        OpenAPIV31SpecValidator(content).validate()


def test_valid_without_the_challenge() -> None:
    """A model that has no table of the challenge has a valid document too."""
    import msgspec

    model = scorer()
    model.manifest = msgspec.structs.replace(model.manifest, challenge_airlines=())
    app = create_app(model)
    OpenAPIV31SpecValidator(get(app, "/openapi.json").json).validate()
    assert post(app, "/predict", {"flights": [{"OPERA": "x", "TIPOVUELO": "N", "MES": 1}]}).status == 400


def routes_of(app: Front) -> set[tuple[str, str]]:
    """The routes the app has, but for HEAD (which comes with GET) and the files of the pages."""
    routes = {(path, method) for path, methods in app.routes.table.items() for method in methods}
    for route in app.routes.rest.routes:  # type: ignore[attr-defined]
        if isinstance(route, Route):
            routes |= {(route.path, method) for method in route.methods or ()}
        else:
            assert isinstance(route, Mount)
            assert route.path == "/static"
    return {(path, method) for path, method in routes if method != "HEAD"}


def test_routes_and_document_agree() -> None:
    """Every route of the app is in the document, and every operation of the document is a route."""
    paths = document()["paths"]
    described = {(path, method.upper()) for path, operations in paths.items() for method in operations}
    assert described == routes_of(create_app(scorer()))


def test_examples_are_true() -> None:
    """The examples of requests are answered with the examples of answers, but for the identifier."""
    app = create_app(scorer())
    content = get(app, "/openapi.json").json
    for path in ("/v1/predictions", "/predict"):
        operation = content["paths"][path]["post"]
        asked = operation["requestBody"]["content"]["application/json"]["example"]
        promised = operation["responses"]["200"]["content"]["application/json"]["example"]
        given = post(app, path, asked).json
        for answer in (given, promised):
            for prediction in answer.get("predictions", ()):
                assert len(prediction.pop("id")) == 26
        assert given == promised


def test_the_document_does_not_change() -> None:
    """Two processes with the same model give the same document."""
    assert document() == document()


def test_limits_are_told() -> None:
    """The limits in force are those in the document."""
    flights = document(limits=Limits(max_flights=77))["components"]["schemas"]["PredictionRequest"]["properties"][
        "flights"
    ]
    assert (flights["minItems"], flights["maxItems"]) == (1, 77)


def valid(content: Any, name: str) -> bool:
    return jsonschema.Draft202012Validator(schema(name)).is_valid(content)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("Answer", lambda app: post(app, "/v1/predictions", {"flights": [flight()], "explain": True})),
        ("Answer", lambda app: post(app, "/v1/predictions", {"flights": [flight(destination="KMIA")] * 20})),
        ("ChallengeClasses", lambda app: post(app, "/predict", {"flights": [FACTS]})),
        ("ModelCard", lambda app: get(app, "/v1/model")),
        ("ModelList", lambda app: get(app, "/v1/models")),
        ("ReadyAnswer", lambda app: get(app, "/health/ready")),
        ("HealthAnswer", lambda app: get(app, "/health")),
        ("Problem", lambda app: post(app, "/v1/predictions", {"flights": []})),
        ("Problem", lambda app: call(app, "DELETE", "/v1/predictions")),
        ("Problem", lambda app: get(app, "/nope")),
    ],
)  # fmt: skip
def test_answers_fit_their_schemas(name: str, answer: Any) -> None:
    """What is answered fits the schema that is promised, and has no more than it."""
    given: Answer = answer(create_app(scorer()))
    assert valid(given.json, name)
    properties = document()["components"]["schemas"][name]["properties"]
    assert set(given.json) <= set(properties)
    assert not valid({**given.json, next(iter(properties)): {}}, name)


@pytest.mark.parametrize(
    ("content", "fits"),
    [
        ({"flights": [flight()]}, True),
        ({"flights": [flight(origin=None)], "explain": False, "basis": "auto", "as_of": None}, True),
        ({"flights": []}, False),
        ({"flights": [flight(gate="2")]}, False),
        ({"flights": [flight(airline=None)]}, False),
        ({"flights": [flight(airline="")]}, False),
        ({"flights": [flight()], "colour": 1}, False),
        ({"flights": [flight()], "basis": "live"}, False),
    ],
)
def test_requests_fit_where_they_are_taken(content: Any, fits: bool) -> None:
    """The schema of a request takes what the service takes, and refuses what it refuses for its form."""
    assert valid(content, "PredictionRequest") is fits
    assert (post(create_app(scorer()), "/v1/predictions", content).status == 200) is fits


def test_statuses_have_their_bodies() -> None:
    """Every status an operation names is described once, with a problem document as its example."""
    content = document()
    responses = content["components"]["responses"]
    assert len(responses) == len(STATUSES)
    for response in responses.values():
        assert valid(response["content"]["application/problem+json"]["example"], "Problem")
