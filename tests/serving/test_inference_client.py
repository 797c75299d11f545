"""A stock client of the Open Inference Protocol talks to the service as it would to any other model server."""

from __future__ import annotations

import json
import urllib.request

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.serving.processes import service

FLIGHTS = [
    {"airline": "LAN", "flight_number": "282", "destination": "SPJC", "scheduled_departure": "2017-07-14T08:30:00"},
    {"airline": "SKU", "flight_number": "111", "destination": "SCFA", "scheduled_departure": "2017-12-24T19:05:00"},
]


def columns(**changed: list[str]) -> list[InferInput]:
    """Return the flights as the client's tensors, without its binary form."""
    inputs = []
    for name in FLIGHTS[0]:
        tensor = InferInput(name, [len(FLIGHTS)], "BYTES")
        texts = changed.get(name, [flight[name] for flight in FLIGHTS])
        tensor.set_data_from_numpy(np.array(texts, dtype=object), binary_data=False)
        inputs.append(tensor)
    return inputs


def test_tritonclient_asks_and_is_answered() -> None:
    """Live, ready, metadata and infer; the probabilities are those of `/v1/predictions`; a refusal is its exception."""
    with service("--workers", "1") as running:
        client = InferenceServerClient(f"127.0.0.1:{running.port}")
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("atraso")
        assert client.get_server_metadata()["name"] == "atraso"
        assert client.get_model_metadata("atraso")["inputs"][0] == {
            "name": "airline", "datatype": "BYTES", "shape": [-1], "parameters": {"optional": False},
        }  # fmt: skip

        wanted = [InferRequestedOutput(name, binary_data=False) for name in ("delay_probability", "exceeds")]
        answer = client.infer("atraso", columns(), outputs=wanted, request_id="mine")
        request = urllib.request.Request(
            f"http://127.0.0.1:{running.port}/v1/predictions",
            json.dumps({"flights": FLIGHTS}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as direct:
            predictions = json.load(direct)["predictions"]
        assert answer.as_numpy("delay_probability").tolist() == [p["delay_probability"] for p in predictions]
        assert answer.as_numpy("exceeds").shape == (2, 4)
        assert answer.get_response()["id"] == "mine"

        with pytest.raises(InferenceServerException, match="'destination', row 1"):
            client.infer("atraso", columns(destination=["SPJC", "?"]))
        client.close()
