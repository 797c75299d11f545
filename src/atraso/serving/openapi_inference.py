"""The part of the OpenAPI document about `/v2`, the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atraso.serving.inference import INPUTS, OUTPUTS, bases
from atraso.serving.problems import STATUSES

Json = dict[str, Any]
_ERROR: Json = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
# Whether a key is asked for is a setting of the service.
OPTIONAL_KEY: list[Json] = [{}, {"key": []}]
_INFER_STATUSES = (400, 401, 403, 408, 413, 415, 429, 431, 500, 503)


def inference_paths(version: str, flight: Mapping[str, str]) -> Json:
    """Return the paths of `/v2` for the model of *version*, with *flight* as the example."""
    paths: Json = {
        "/v2": {"get": _told("inferenceServer", "The server, in the Open Inference Protocol", "name")},
        "/v2/health/live": {"get": _told("inferenceLive", "Is the process alive?", "live")},
        "/v2/health/ready": {"get": _told("inferenceReady", "Does it answer predictions?", "ready")},
    }
    for base, suffix in zip(bases(version), ("", "Version"), strict=True):
        paths |= {
            base: {"get": _told(f"inferenceModel{suffix}", "The model's inputs and outputs", "inputs")},
            f"{base}/ready": {"get": _told(f"inferenceModelReady{suffix}", "Is the model ready?", "ready")},
            f"{base}/infer": {"post": _infer(f"infer{suffix}", flight)},
        }
    return paths


def _told(name: str, summary: str, needed: str) -> Json:
    schema = {"type": "object", "required": [needed]}
    answer = {"description": "The answer.", "content": {"application/json": {"schema": schema}}}
    return {"operationId": name, "summary": summary, "responses": {"200": answer}}


def _infer(name: str, flight: Mapping[str, str]) -> Json:
    tensors = [{"name": key, "shape": [1], "datatype": INPUTS[key][0][0], "data": [flight[key]]} for key in flight]
    example = {"inputs": tensors, "outputs": [{"name": "delay_probability"}]}
    request = {"schema": {"$ref": "#/components/schemas/InferRequest"}, "example": example}
    answer = {"schema": {"$ref": "#/components/schemas/InferAnswer"}}
    refused = {
        str(status): {
            "description": f"{STATUSES[status][0]}: {STATUSES[status][1]}.",
            "content": {"application/json": {"schema": _ERROR}},
        }
        for status in _INFER_STATUSES
    }
    return {
        "operationId": name,
        "summary": "Predict flights from tensors",
        "description": (
            f"A flight is a row of the inputs {', '.join(INPUTS)} (text as BYTES; the flight number may be INT64), an "
            f"answer a row of the outputs {', '.join(OUTPUTS)}: `exceeds` for 0, 15, 30 and 60 minutes, `minutes` for "
            "p50, p80 and p95, `warnings` joined by semicolons. Tensors are JSON; clients of Triton set "
            "`binary_data=False`."
        ),
        "security": OPTIONAL_KEY,
        "requestBody": {"required": True, "content": {"application/json": request}},
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": answer}},
            **refused,
        },
    }
