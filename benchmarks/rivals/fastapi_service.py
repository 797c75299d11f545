"""The same answers from a plain FastAPI service, written as its documentation teaches.

It runs in an environment of its own, on uvicorn with its documented production settings, and asks the same scorer.
Of the forms taught, an `async def` that returns a typed dictionary was the fastest when this was written; a response
model, no return type and a plain `def` were slower, in this order.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from atraso.artefact.scorer import load_scorer
from atraso.core.errors import FieldError
from atraso.core.prediction import EXCEEDS_MINUTES, QUANTILES


class FlightQuestion(BaseModel):
    """A flight, as known before it leaves."""

    model_config = ConfigDict(extra="forbid")

    airline: Annotated[str, Field(min_length=1, max_length=80)]
    flight_number: Annotated[str, Field(min_length=1, max_length=16)]
    destination: Annotated[str, Field(min_length=1, max_length=80)]
    scheduled_departure: Annotated[str, Field(min_length=1, max_length=40)]
    origin: Annotated[str, Field(min_length=1, max_length=80)] | None = None


class PredictionRequest(BaseModel):
    """Flights to predict, and how."""

    model_config = ConfigDict(extra="forbid")

    flights: Annotated[list[FlightQuestion], Field(min_length=1, max_length=10_000)]
    explain: bool = False
    basis: Literal["auto", "schedule"] = "auto"
    as_of: str | None = None


def create_app() -> FastAPI:
    """Return the service, with the bundled model loaded."""
    app = FastAPI()
    scorer = load_scorer()
    model = {"airport": scorer.manifest.airport, "version": scorer.manifest.version}
    zone = ZoneInfo(scorer.manifest.airports[0].zone)

    @app.post("/v1/predictions")
    async def predictions(request: PredictionRequest) -> dict[str, Any]:
        return {
            "model": model,
            "as_of": request.as_of or datetime.now(zone).isoformat(timespec="seconds"),
            "predictions": [answer(flight, request.explain) for flight in request.flights],
        }

    def answer(question: FlightQuestion, explain: bool) -> dict[str, Any]:
        try:
            flight, warnings = scorer.resolve(
                question.airline,
                question.flight_number,
                question.destination,
                question.scheduled_departure,
                question.origin,
            )
        except FieldError as error:
            raise HTTPException(422, str(error)) from error
        told = scorer.predict(flight, explain=explain, warnings=warnings)
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

    return app
