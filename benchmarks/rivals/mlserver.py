"""The same answers from MLServer: a custom runtime in the Open Inference Protocol, two parallel workers.

The protocol knows tensors only: a flight is one row of text tensors, as clients of the protocol send it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MODEL = "atraso"
PATH = f"/v2/models/{MODEL}/infer"


def write_settings(folder: Path, port: int, workers: int) -> Path:
    """Write the settings of server and model and return the folder that `mlserver start` takes."""
    home = folder / "mlserver"
    home.mkdir(exist_ok=True)
    server = {
        "debug": False,
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": 0,
        "metrics_port": 0,
        "parallel_workers": workers,
    }
    model = {"name": MODEL, "implementation": "benchmarks.rivals.mlserver_service.Predictions"}
    (home / "settings.json").write_text(json.dumps(server))
    (home / "model-settings.json").write_text(json.dumps(model))
    return home


def body_of(flight: dict[str, str]) -> bytes:
    """Return the protocol's request about *flight*."""
    inputs = [{"name": n, "shape": [1], "datatype": "BYTES", "data": [text]} for n, text in flight.items()]
    return json.dumps({"inputs": inputs}, separators=(",", ":")).encode()


def outputs_of(answer: bytes) -> dict[str, Any]:
    """Return the outputs of an answer of the protocol: name -> data."""
    return {output["name"]: output["data"] for output in json.loads(answer)["outputs"]}
