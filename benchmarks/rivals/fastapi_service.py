"""The same answers from a plain FastAPI service, written as its documentation teaches.

It runs in an environment of its own, on uvicorn with its documented production settings, and asks the same scorer.
Of the forms taught, an `async def` that returns a typed dictionary was the fastest when this was written; a response
model, no return type and a plain `def` were slower, in this order.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from atraso.core.errors import FieldError
from benchmarks.rivals.answers import Answers


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
    answers = Answers()

    @app.post("/v1/predictions")
    async def predictions(request: PredictionRequest) -> dict[str, Any]:
        return answers.around([answer(flight, request.explain) for flight in request.flights], request.as_of)

    def answer(question: FlightQuestion, explain: bool) -> dict[str, Any]:
        try:
            return answers.of(
                question.airline,
                question.flight_number,
                question.destination,
                question.scheduled_departure,
                question.origin,
                explain=explain,
            )
        except FieldError as error:
            raise HTTPException(422, str(error)) from error

    return app
