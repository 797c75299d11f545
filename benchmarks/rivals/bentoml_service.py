"""The same answers from BentoML: a service class as its documentation teaches, two workers, no access log."""

from __future__ import annotations

import os
from typing import Any

import bentoml

from benchmarks.rivals.answers import Answers

WORKERS = int(os.environ.get("BENCH_WORKERS", "2"))


@bentoml.service(workers=WORKERS, logging={"access": {"enabled": False}})
class Predictions:
    """Answers flights."""

    def __init__(self) -> None:
        self._answers = Answers()

    @bentoml.api(route="/v1/predictions")
    async def predictions(self, flights: list[dict[str, str]]) -> dict[str, Any]:
        """Return the answers to *flights*."""
        return self._answers.to(flights)
