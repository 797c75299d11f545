"""The scorer's answer as a plain dictionary: what every rival with the same artefact sends back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from atraso.artefact.scorer import load_scorer
from atraso.core.prediction import EXCEEDS_MINUTES, QUANTILES


class Answers:
    """Answers flights with the bundled model; each worker of a rival makes one when it starts."""

    def __init__(self) -> None:
        self._scorer = load_scorer()
        manifest = self._scorer.manifest
        self._model = {"airport": manifest.airport, "version": manifest.version}
        self._zone = ZoneInfo(manifest.airports[0].zone)

    def to(self, flights: Iterable[Mapping[str, str]]) -> dict[str, Any]:
        """Return the answer of `/v1/predictions` to *flights*; raises FieldError and TypeError for wrong ones."""
        return self.around([self.of(**flight) for flight in flights])

    def around(self, predictions: list[dict[str, Any]], as_of: str | None = None) -> dict[str, Any]:
        """Return *predictions* with the model and the moment."""
        return {
            "model": self._model,
            "as_of": as_of or datetime.now(self._zone).isoformat(timespec="seconds"),
            "predictions": predictions,
        }

    def of(
        self,
        airline: str,
        flight_number: str,
        destination: str,
        scheduled_departure: str,
        origin: str | None = None,
        *,
        explain: bool = False,
    ) -> dict[str, Any]:
        """Return the prediction of one flight; raises FieldError."""
        flight, warnings = self._scorer.resolve(airline, flight_number, destination, scheduled_departure, origin)
        told = self._scorer.predict(flight, explain=explain, warnings=warnings)
        return {
            "id": uuid4().hex,
            "delay_probability": told.delay_probability,
            "delayed": told.delayed,
            "base_rate": told.base_rate,
            "basis": told.basis,
            "lead": told.lead,
            "exceeds": {str(m): p for m, p in zip(EXCEEDS_MINUTES, told.exceeds, strict=True)},
            "minutes": {name: m for (name, _), m in zip(QUANTILES, told.minutes, strict=True)},
            "reasons": [{"group": r.group, "value": r.value, "effect": r.effect} for r in told.reasons],
            "warnings": list(told.warnings),
        }
