"""The OpenAPI 3.1 document: the routes, with the schemas that msgspec derives from `wire.py`.

`tests/serving/test_openapi.py` keeps it and the app's routes equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from atraso import __version__
from atraso.artefact.manifest import GoldenFlight, Manifest
from atraso.artefact.scorer import Scorer
from atraso.ledger.quality_report import Quality
from atraso.serving import wire
from atraso.serving.accounts import ActivationAnswer, RevocationAnswer, RevocationRequest, TokenAnswer
from atraso.serving.front import FORM_TYPE
from atraso.serving.inference import InferAnswer, InferRequest
from atraso.serving.old_form import AIRLINES, NAMES
from atraso.serving.openapi_accounts import account_paths
from atraso.serving.openapi_inference import OPTIONAL_KEY, inference_paths
from atraso.serving.predictions import Limits, Predictions
from atraso.serving.problems import PROBLEM_JSON, STATUSES, problem_body, response_name
from atraso.serving.promise import ObjectivesAnswer
from atraso.serving.schedule import DayAnswer
from atraso.serving.state_route import StateAnswer
from atraso.serving.wire import Place

Json = dict[str, Any]

_SHAPES = (
    wire.PredictionRequest,
    wire.FlightQuery,
    wire.Answer,
    wire.DeparturesRequest,
    wire.DeparturesAnswer,
    wire.ChallengeRequest,
    wire.ChallengeClasses,
    InferRequest,
    InferAnswer,
    wire.HealthAnswer,
    wire.ReadyAnswer,
    wire.ModelCard,
    wire.ModelList,
    StateAnswer,
    wire.Problem,
    Quality,
    DayAnswer,
    ObjectivesAnswer,
    TokenAnswer,
    RevocationRequest,
    RevocationAnswer,
    ActivationAnswer,
)
KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key (`atraso keys create`) or a token (`POST /v1/token`), where the service asks who calls "
    "(`ATRASO_AUTH`).",
}
LOGIN_SCHEME = {"type": "http", "scheme": "basic", "description": "Name and password, as the directory knows them."}
_KEY_STATUSES = (401, 403, 429, 503)
_REPORTED = {"received": 1, "new": 1, "state": {"version": 1_793_491_200_000}, "warnings": []}
_EXAMPLE_ID = "01KAQ5V8Z0M4T7C2P9R3X6W1JD"
_NAUGHT_OR_ONE = {"type": "integer", "enum": [0, 1]}
_BODY_STATUSES = (400, 401, 403, 408, 413, 415, 422, 429, 431, 500, 503)
_QUERY_STATUSES = (400, 401, 403, 408, 422, 429, 431, 500, 503)
_VIEWS = (
    ("/", "page", "one flight"),
    ("/board", "boardPage", "a day's departures"),
    ("/airport", "airportPage", "the airport now"),
    ("/model", "modelPage", "the model and its promise"),
    ("/form", "formPage", "the challenge's 36 fields"),
)


def openapi_document(scorer: Scorer, predictions: Predictions, limits: Limits) -> Json:
    """Return the document for a service with this model and these limits; its examples are the model's own answers."""
    _, schemas = msgspec.json.schema_components(_SHAPES, ref_template="#/components/schemas/{name}")
    query = schemas.pop("FlightQuery")
    for request, name in (
        ("PredictionRequest", "flights"),
        ("ChallengeRequest", "flights"),
        ("DeparturesRequest", "departures"),
    ):
        schemas[request]["properties"][name] |= {
            "minItems": 1,
            "maxItems": limits.max_flights,
            "description": f"1 to {limits.max_flights:,} {name}.",
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Atraso",
            "version": __version__,
            "summary": "How likely is this departure to leave late, how late, and why?",
            "description": _description(limits),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": _paths(example_flight(scorer.manifest), scorer, query, predictions),
        "components": {
            "schemas": schemas,
            "responses": _refusals(),
            "securitySchemes": {"key": KEY_SCHEME, "login": LOGIN_SCHEME},
        },
    }


def example_flight(manifest: Manifest) -> dict[str, str]:
    """Return a flight that the model knows, as the fields of a request."""
    golden = golden_by_day(manifest)
    names = ["airline", "flight_number", "destination", "scheduled_departure"]
    if len(manifest.airports) > 1:
        names.append("origin")
    return {name: getattr(golden, name) for name in names}


def golden_by_day(manifest: Manifest) -> GoldenFlight:
    """Return the first golden flight that leaves in daytime, or the first of all."""
    return next((g for g in manifest.golden if "07" <= g.scheduled_departure[11:13] <= "20"), manifest.golden[0])


def _description(limits: Limits) -> str:
    return (
        "JSON in UTF-8 in and out. Errors are problem documents (RFC 9457) that name every wrong place, up to 100. "
        f"A body holds at most {limits.max_body_bytes} bytes and {limits.max_flights} flights. Unknown fields are "
        "refused; of a name given twice in one object the last counts. HEAD works where GET does."
    )


def _paths(flight: Json, scorer: Scorer, query: Json, predictions: Predictions) -> Json:
    asked: Json = {**flight, "explain": True, "as_of": f"{flight['scheduled_departure'][:10]}T00:00:00"}
    answer = predictions.ask(asked)
    named = [msgspec.structs.replace(p, id=_EXAMPLE_ID) for p in answer.predictions]
    answered = msgspec.to_builtins(msgspec.structs.replace(answer, predictions=named))
    body = {"flights": [flight], "explain": True, "as_of": asked["as_of"]}
    facts, classes = _challenge_example(scorer)
    return {
        "/v1/predictions": {
            "post": _operation(
                "predictFlights",
                "Predict flights",
                "From 1 flight to thousands: how likely each is to leave more than 15 minutes late, how late, and "
                "with `explain` why. Whatever is wrong is answered as a whole: no flight is predicted then.",
                _json("Answer", answered),
                _BODY_STATUSES,
                body=_json("PredictionRequest", body),
            ),
            "get": _operation(
                "predictFlight",
                "Predict one flight",
                "The same for one flight, from the query. The plus sign of an offset is written `%2B`.",
                _json("Answer", answered),
                _QUERY_STATUSES,
                parameters=_parameters(query, {**flight, "explain": "true", "as_of": asked["as_of"]}),
            ),
        },
        "/v1/departures": {
            "post": _operation(
                "reportDepartures",
                "Report departures",
                "That flights left, that they are cancelled, or that they are scheduled. A report may be sent again: "
                "what is known changes nothing. Of several reports of a flight the one found out last is true.",
                _json("DeparturesAnswer", _REPORTED),
                _BODY_STATUSES,
                body=_json("DeparturesRequest", {"departures": [_left(flight)]}),
            )
        },
        "/predict": {
            "post": _operation(
                "predictChallenge",
                "The flight-delay challenge",
                "The challenge's own contract, unchanged: airline, kind of flight and month in, 0 or 1 out. Every "
                "refusal of the content is a 400. An HTML form may send `var1` to `var36` instead, and is answered "
                "with a page.",
                _json("ChallengeClasses", classes) | _html(),
                tuple(s for s in _BODY_STATUSES if s != 422),
                body=_json("ChallengeRequest", facts) | _old_form(),
            ),
            "get": _operation(
                "predictOldForm",
                "The challenge's old form",
                f"36 numbers, 0 or 1 each: `{NAMES[0]}` to `{NAMES[AIRLINES - 1]}` the airlines in alphabetical order, "
                f"`{NAMES[AIRLINES]}` 1 for an international flight, `{NAMES[AIRLINES + 1]}` to `{NAMES[-1]}` the "
                "months. One airline and one month must be 1; what is not sent is 0. Answered with a page.",
                _html(),
                tuple(s for s in _QUERY_STATUSES if s != 422),
                parameters=[
                    {"name": name, "in": "query", "required": False, "schema": _NAUGHT_OR_ONE}
                    | ({"example": 1} if name in (NAMES[0], NAMES[-1]) else {})
                    for name in NAMES
                ],
            ),
        },
        **inference_paths(scorer.manifest.version, flight),
        "/health": _get("health", "The challenge's health check", "HealthAnswer", {"status": "OK"}),
        "/health/live": _get("live", "Is the process alive?", "HealthAnswer", {"status": "alive"}),
        "/health/ready": _get("ready", "Does it answer predictions?", "ReadyAnswer", refusals=(503,)),
        "/v1/model": _get("model", "The card of the model in use", "ModelCard", guarded=True),
        "/v1/state": _get("state", "What is known of the airport now", "StateAnswer", guarded=True),
        "/v1/models": _get("models", "The models at hand", "ModelList", guarded=True),
        "/v1/quality": {
            "get": _operation(
                "quality",
                "How right the predictions were",
                "The predictions for the last days' flights beside their departures: scores by lead, and within a lead "
                "by basis, airline and week; and how far the flights have drifted from those of the training. It is "
                "made again every five minutes.",
                _json("Quality"),
                (401, 403, 404, 429, 500, 503),
            )
        },
        "/v1/schedule": {
            "get": _operation(
                "schedule",
                "A day's departures",
                "The flights that were published for a local day or left on it, what became of each, and by the hour "
                "how many left and how a usual day goes. Four weeks back and the published ones ahead are known best.",
                _json("DayAnswer"),
                (401, 403, 404, 422, 429, 500, 503),
                parameters=_day_parameters(scorer.manifest),
            )
        },
        "/v1/objectives": {
            "get": _operation(
                "objectives",
                "What is promised, and what is left of the budget",
                "As the server of ATRASO_PROMETHEUS_URL recorded it over the window of each objective; otherwise "
                "as this service counted it since its start, over all workers.",
                _json("ObjectivesAnswer"),
                _KEY_STATUSES,
            )
        },
        **account_paths(scorer.manifest.version),
        "/metrics": {"get": _operation("metrics", "Counters for Prometheus", "", _plain(), (404,))},
        "/openapi.json": {
            "get": _operation("openapi", "This document", "", {"application/json": {"schema": {"type": "object"}}}, ())
        },
        **{
            path: {"get": _operation(name, f"The page: {words}", "For people, in English and Spanish.", _html(), ())}
            for path, name, words in _VIEWS
        },
        "/docs": {"get": _operation("docs", "The reference", "This document, for people.", _html(), ())},
    }


def _left(flight: Json) -> Json:
    """Return the report that *flight* left a quarter of an hour late."""
    scheduled = datetime.fromisoformat(flight["scheduled_departure"])
    return {**flight, "actual_departure": (scheduled + timedelta(minutes=15)).isoformat()}


def _challenge_example(scorer: Scorer) -> tuple[Json | None, Json | None]:
    """Return a question of the challenge and its answer; a model without the challenge's table has none."""
    for airline in scorer.manifest.challenge_airlines:
        classes = [scorer.challenge(airline, "I", 3).predict]
        return {"flights": [{"OPERA": airline, "TIPOVUELO": "I", "MES": 3}]}, {"predict": classes}
    return None, None


def _operation(
    name: str,
    summary: str,
    description: str,
    answer: Json,
    refusals: Sequence[int],
    *,
    body: Json | None = None,
    parameters: Sequence[Json] = (),
) -> Json:
    operation: Json = {"operationId": name, "summary": summary}
    if description:
        operation["description"] = description
    if parameters:
        operation["parameters"] = list(parameters)
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
    responses: Json = {"200": {"description": "The answer.", "content": answer}}
    if 401 in refusals:
        operation["security"] = OPTIONAL_KEY
    for status in refusals:
        responses[str(status)] = {"$ref": f"#/components/responses/{response_name(status)}"}
    return operation | {"responses": responses}


def _get(
    name: str,
    summary: str,
    schema: str,
    example: Json | None = None,
    *,
    guarded: bool = False,
    refusals: Sequence[int] = (),
) -> Json:
    return {"get": _operation(name, summary, "", _json(schema, example), _KEY_STATUSES if guarded else refusals)}


def _json(schema: str, example: Json | None = None) -> Json:
    content: Json = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {"application/json": content if example is None else content | {"example": example}}


def _old_form() -> Json:
    properties = dict.fromkeys(NAMES, _NAUGHT_OR_ONE)
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {FORM_TYPE.decode(): {"schema": schema, "example": {NAMES[0]: 1, NAMES[-1]: 1}}}


def _plain() -> Json:
    return {"text/plain": {"schema": {"type": "string"}}}


def _html() -> Json:
    return {"text/html": {"schema": {"type": "string"}}}


def _parameters(query: Json, examples: Mapping[str, str]) -> list[Json]:
    """Return the fields of a flight's query as parameters."""
    out = []
    for name, schema in query["properties"].items():
        parameter = {"name": name, "in": "query", "required": name in query["required"], "schema": schema}
        out.append(parameter | {"example": examples[name]} if name in examples else parameter)
    return out


def _day_parameters(manifest: Manifest) -> list[Json]:
    """Return the fields of a day's query as parameters."""
    several = len(manifest.airports) > 1
    origin: Json = {"name": "origin", "in": "query", "required": several, "schema": {"type": "string"}}
    return [
        {
            "name": "date",
            "in": "query",
            "required": False,
            "schema": {"type": "string", "description": "Local date at the airport; without one, today."},
            "example": "2026-07-14",
        },
        origin | {"example": manifest.airports[0].icao},
    ]


def _refusals() -> Json:
    places = [Place("/flights/0/airline", "is missing")]
    out = {}
    for status, (title, when) in STATUSES.items():
        example = msgspec.json.decode(problem_body(status, when, places if status == 422 else ()))
        content: Json = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
        out[response_name(status)] = {"description": f"{title}: {when}.", "content": {PROBLEM_JSON: content}}
    return out
