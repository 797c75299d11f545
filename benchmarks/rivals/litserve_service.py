"""The same answers from LitServe: as documented with two API servers, two workers, a fast queue, and no batching."""

from __future__ import annotations

import sys
from typing import Any

import litserve

from benchmarks.rivals.answers import Answers


class Predictions(litserve.LitAPI):
    """Answers flights; each worker sets itself up."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self._answers = Answers()

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # LitServe reads an annotation as a body's model
        """Return the flights of *request*."""
        return request["flights"]

    def predict(self, flights: Any) -> dict[str, Any]:
        """Return the answers to *flights*."""
        return self._answers.to(flights)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Return *output* as it is."""
        return output


if __name__ == "__main__":
    port, workers = int(sys.argv[1]), int(sys.argv[2])
    server = litserve.LitServer(
        Predictions(api_path="/v1/predictions"),
        accelerator="cpu",
        devices=1,
        workers_per_device=workers,
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=port,
        num_api_servers=workers,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
