"""`/v2`: the Open Inference Protocol gives the answers of `/v1`, and refuses in its own form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.serving.app import Worker, create_app
from atraso.serving.front import Front
from atraso.serving.predictions import Limits
from tests.serving.asgi import Answer, call, get, post
from tests.serving.raw import Client, serving

PATH = "/v2/models/atraso/infer"
FLIGHTS = [
    {"airline": "LAN", "flight_number": "282", "destination": "SPJC", "scheduled_departure": "2017-07-14T08:30:00"},
    {"airline": "H2", "flight_number": "111", "destination": "ANF", "scheduled_departure": "2017-12-24T19:05"},
    {"airline": "ZZZ", "flight_number": "9", "destination": "KMIA", "scheduled_departure": "2018-02-01T23:59:00"},
]


@pytest.fixture(scope="module")
def model() -> Scorer:
    """Return the bundled model."""
    return load_scorer()


@pytest.fixture(scope="module")
def app(model: Scorer) -> Front:
    """Return the service with it."""
    return create_app(model)


def tensors(flights: list[dict[str, str]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": [len(flights)], "datatype": "BYTES", "data": [flight[name] for flight in flights]}
        for name in flights[0]
    ]


def outputs(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    return {tensor["name"]: tensor for tensor in answer.json["outputs"]}


@pytest.mark.parametrize("n", [1, 3, 500])
def test_a_flight_has_the_probability_that_v1_gives_it(app: Front, n: int) -> None:
    """All outputs of one, some and many flights are the numbers of `/v1/predictions`, in their order."""
    flights = (FLIGHTS * (n // len(FLIGHTS) + 1))[:n]
    told = outputs(post(app, PATH, {"id": "mine", "inputs": tensors(flights)}))
    predictions = post(app, "/v1/predictions", {"flights": flights}).json["predictions"]

    assert told["delay_probability"]["data"] == [p["delay_probability"] for p in predictions]
    assert told["delayed"]["data"] == [int(p["delayed"]) for p in predictions]
    assert told["base_rate"]["data"] == [p["base_rate"] for p in predictions]
    assert told["exceeds"]["shape"] == [n, 4]
    assert told["exceeds"]["data"] == [p["exceeds"][m] for p in predictions for m in ("0", "15", "30", "60")]
    assert told["minutes"]["shape"] == [n, 3]
    assert told["minutes"]["data"] == [p["minutes"][q] for p in predictions for q in ("p50", "p80", "p95")]
    assert {name: tensor["datatype"] for name, tensor in told.items()} == {
        "delay_probability": "FP64", "delayed": "INT64", "base_rate": "FP64", "exceeds": "FP64", "minutes": "FP64",
        "warnings": "BYTES",
    }  # fmt: skip
    assert told["warnings"]["data"] == ["; ".join(p["warnings"]) for p in predictions]


def test_the_answer_names_the_model_and_echoes_the_id(app: Front, model: Scorer) -> None:
    """By its version too, and with the outputs that were asked for alone."""
    version = model.manifest.version
    asked = {"id": "q1", "inputs": tensors(FLIGHTS), "outputs": [{"name": "delayed"}]}
    answer = post(app, f"/v2/models/atraso/versions/{version}/infer", asked).json

    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("atraso", version, "q1")
    assert [tensor["name"] for tensor in answer["outputs"]] == ["delayed"]
    assert "id" not in post(app, PATH, {"inputs": tensors(FLIGHTS)}).json


def test_columns_may_stand_upright_and_flight_numbers_may_be_numbers(app: Front) -> None:
    """Shape [n, 1], nested or not, is the same as [n]; INT64 is the same as its digits."""
    plain = tensors(FLIGHTS)
    upright = [{**t, "shape": [3, 1], "data": [[v] for v in t["data"]]} for t in plain]
    flat = [{**t, "shape": [3, 1]} for t in plain]
    numbers = [
        {**t, "datatype": "INT64", "data": list(map(int, t["data"]))} if "number" in t["name"] else t for t in plain
    ]
    told = outputs(post(app, PATH, {"inputs": plain}))["delay_probability"]

    for inputs in (upright, flat, numbers):
        assert outputs(post(app, PATH, {"inputs": inputs}))["delay_probability"] == told


def test_server_and_model_tell_of_themselves(app: Front, model: Scorer) -> None:
    """Metadata, liveness and readiness, of the model in use and by its version."""
    version = model.manifest.version
    assert get(app, "/v2").json["name"] == "atraso"
    assert get(app, "/v2/health/live").json == {"live": True}
    assert get(app, "/v2/health/ready").json == {"ready": True}
    for base in ("/v2/models/atraso", f"/v2/models/atraso/versions/{version}"):
        metadata = get(app, base).json
        assert metadata["versions"] == [version]
        assert [tensor["name"] for tensor in metadata["inputs"]][:2] == ["airline", "flight_number"]
        assert {tensor["name"]: tensor["shape"] for tensor in metadata["outputs"]}["exceeds"] == [-1, 4]
        assert get(app, f"{base}/ready").json == {"name": "atraso", "ready": True}


def changed(name: str, **fields: Any) -> dict[str, Any]:
    return {"inputs": [{**t, **fields} if t["name"] == name else t for t in tensors(FLIGHTS)]}


def renamed(name: str, other: str) -> dict[str, Any]:
    return {"inputs": [{**t, "name": other} if t["name"] == name else t for t in tensors(FLIGHTS)]}


REFUSED = {
    "an input missing": ({"inputs": tensors(FLIGHTS)[1:]}, "'airline' is missing"),
    "an unknown input": (renamed("airline", "carrier"), "no input 'carrier'"),
    "an input twice": ({"inputs": tensors(FLIGHTS) * 2}, "given twice"),
    "different lengths": (changed("airline", shape=[2], data=["LAN", "LAN"]), "different numbers of rows"),
    "a shape that lies": (changed("airline", shape=[4]), "has shape [4] and 3 values"),
    "a type not taken": (changed("airline", datatype="FP64"), "takes BYTES"),
    "a number for text": (changed("airline", data=["LAN", 5, "LAN"]), "row 1: is not text"),
    "text for a number": (changed("flight_number", datatype="INT64"), "row 0: is not a whole number"),
    "true for a number": (changed("flight_number", datatype="INT64", data=[1, True, 2]), "row 1"),
    "nested deeper": (changed("airline", shape=[3, 1], data=[[["LAN"]], ["LAN"], ["LAN"]]), "row 0: is not text"),
    "a destination nobody has": (changed("destination", data=["SPJC", "X!", "KMIA"]), "'destination', row 1"),
    "a date that is none": (changed("scheduled_departure", data=["2017-02-30T10:00"] * 3), "row 0"),
    "no rows": ({"inputs": [{**t, "shape": [0], "data": []} for t in tensors(FLIGHTS)]}, "1 to 10"),
    "too many rows": ({"inputs": tensors(FLIGHTS * 4)}, "1 to 10"),
    "a number below 0": (changed("flight_number", datatype="INT64", data=[1, -2, 3]), "below 0"),
    "an output twice": ({"inputs": tensors(FLIGHTS), "outputs": [{"name": "minutes"}] * 2}, "asked for twice"),
    "an unknown output": ({"inputs": tensors(FLIGHTS), "outputs": [{"name": "delay"}]}, "no output 'delay'"),
    "no inputs": ({}, "inputs"),
    "a list": ([], "object"),
    "no data": (changed("airline", data=None), "array"),
    "broken": (b'{"inputs": [', "JSON"),
    "not a number": (b'{"inputs": NaN}', "JSON"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_answered_is_refused_in_the_protocol_s_form(model: Scorer, case: str) -> None:
    """400 with one sentence under `error`, and nothing else."""
    content, says = REFUSED[case]
    answer = post(create_app(model, Worker(limits=Limits(max_flights=10))), PATH, content)

    assert answer.status == 400
    assert list(answer.json) == ["error"]
    assert says in answer.json["error"]
    assert answer.headers["content-type"] == "application/json"


def test_what_is_not_there_is_told_in_the_protocol_s_form(app: Front) -> None:
    """Another model, another version, another method."""
    for method, path, status in (
        ("GET", "/v2/models/iris", 404),
        ("POST", "/v2/models/atraso/versions/7/infer", 404),
        ("GET", PATH, 405),
        ("POST", "/v2/health/live", 405),
    ):
        answer = call(app, method, path)
        assert answer.status == status
        assert list(answer.json) == ["error"]


def test_clients_that_announce_nothing_are_understood_and_binary_ones_are_told(app: Front) -> None:
    """A body without a content type is taken as JSON; binary tensors are refused with what to do."""
    body = json.dumps({"inputs": tensors(FLIGHTS)}).encode()
    assert call(app, "POST", PATH, {"content-length": str(len(body))}, [body]).status == 200
    binary = post(app, PATH, body, **{"inference-header-content-length": "10"})
    assert (binary.status, "binary_data=False" in binary.json["error"]) == (400, True)
    assert call(app, "POST", PATH, {"content-type": "text/plain"}, [body]).status == 415


def test_a_refusal_does_not_repeat_all_that_was_sent(app: Front) -> None:
    """Long names, values and shapes are cut in the sentence about them."""
    long = "X" * 100_000
    for content in (
        changed("airline", data=[long] * 3),
        changed("airline", datatype=long),
        changed("airline", shape=[1] * 50_000),
        renamed("airline", long),
        {"inputs": tensors(FLIGHTS), "outputs": [{"name": long}]},
    ):
        answer = post(app, PATH, content)
        assert (answer.status, len(answer.body) < 1000) == (400, True)


def test_what_is_refused_before_the_route_is_asked_has_the_protocol_s_form_too(app: Front) -> None:
    """A body that is announced too large, and one that ends early, are told as the protocol's clients read it."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n"
    with serving(app) as running:
        with Client(running.port) as client:
            large = client.send((head % 99_000_000).encode()).answer()
        with Client(running.port) as client:
            cut = client.send((head % 50).encode() + b'{"inputs"').end().answer()

    for answer, status in ((large, 413), (cut, 400)):
        assert answer.status == status
        assert answer.headers["content-type"] == "application/json"
        assert list(json.loads(answer.body)) == ["error"]
