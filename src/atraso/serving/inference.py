"""`/v2`: the Open Inference Protocol (REST), so that clients of other model servers can ask this one.

A flight is one row of the input tensors, an answer one row of the output tensors. The engine is that of `/v1`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from atraso import __version__
from atraso.artefact.live import LiveScorer
from atraso.artefact.scorer import Scorer
from atraso.core.errors import FieldError
from atraso.core.flights import Flight
from atraso.core.prediction import EXCEEDS_MINUTES, QUANTILES
from atraso.serving.airport_state import AirportState
from atraso.serving.front import Handler
from atraso.serving.places import CrowdedError, decoded
from atraso.serving.predictions import AT_A_TIME, ONE_BY_ONE, Limits
from atraso.serving.problems import InferenceRefusedError
from atraso.serving.turns import Turns

NAME = "atraso"
PLATFORM = "atraso_scorecard"
TEXT, INTEGER, REAL = "BYTES", "INT64", "FP64"
LONGEST_TOLD = 200
BINARY_HEADER = b"inference-header-content-length"

# Input -> the types it is taken in, and whether it must be there.
INPUTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "airline": ((TEXT,), True),
    "flight_number": ((TEXT, INTEGER), True),
    "destination": ((TEXT,), True),
    "scheduled_departure": ((TEXT,), True),
    "origin": ((TEXT,), False),
}
# Output -> its type and its columns (0: a plain list).
OUTPUTS: dict[str, tuple[str, int]] = {
    "delay_probability": (REAL, 0),
    "delayed": (INTEGER, 0),
    "base_rate": (REAL, 0),
    "exceeds": (REAL, len(EXCEEDS_MINUTES)),
    "minutes": (REAL, len(QUANTILES)),
    "warnings": (TEXT, 0),
}


class Tensor(msgspec.Struct, frozen=True):
    """A named column of values with its shape and type."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    data: list[Any]


class AskedOutput(msgspec.Struct, frozen=True):
    """An output that is wanted."""

    name: str


class InferRequest(msgspec.Struct, frozen=True):
    """Input tensors, and which outputs are wanted (all, where none is named)."""

    inputs: tuple[Tensor, ...]
    id: str | None = None
    outputs: tuple[AskedOutput, ...] = ()


class InferAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Output tensors of the model that answered."""

    model_name: str
    model_version: str
    outputs: list[Tensor]
    id: str | None = None


_request = msgspec.json.Decoder(InferRequest)
_encode = msgspec.json.Encoder().encode


class Inference:
    """Answers the protocol's questions with one scorer, which is its only model."""

    def __init__(self, scorer: Scorer, limits: Limits, now: Callable[[], float], state: AirportState) -> None:
        self._scorer, self._live = scorer, LiveScorer(scorer)
        self._now, self._state = now, state
        self._limits = limits
        self._turns = Turns()
        self._version = scorer.manifest.version

    def handlers(self) -> dict[str, dict[str, Handler]]:
        """Return what answers the questions about flights, by path and method."""
        return {f"{base}/infer": {"POST": self.infer} for base in bases(self._version)}

    def routes(self) -> list[Route]:
        """Return the routes about server and model; their answers never change while the service lives."""
        ready = {"name": NAME, "ready": True}
        constants: dict[str, Any] = {
            "/v2": {"name": "atraso", "version": __version__, "extensions": []},
            "/v2/health/live": {"live": True},
            "/v2/health/ready": {"ready": True},
        }
        for base in bases(self._version):
            constants |= {base: self._metadata(), f"{base}/ready": ready}
        return [Route(path, _constant(_encode(answer)), methods=["GET"]) for path, answer in constants.items()]

    async def infer(self, scope: Scope, body: bytes) -> bytes:
        """Answer input tensors with output tensors; raises NotJsonError and InferenceRefusedError."""
        if any(name == BINARY_HEADER for name, _ in scope["headers"]):
            raise InferenceRefusedError("tensors are taken as JSON only: set binary_data=False in your client")
        try:
            request = decoded(body, _request)
            if request is None:
                request = _request.decode(body)  # to say what does not fit
        except (CrowdedError, msgspec.ValidationError) as error:
            raise InferenceRefusedError(str(error)) from None
        columns = self._columns(request.inputs)
        wanted = [output.name for output in request.outputs] or list(OUTPUTS)
        unknown = [name for name in wanted if name not in OUTPUTS]
        if unknown:
            raise InferenceRefusedError(f"there is no output {_cut(unknown[0])}; there are: {', '.join(OUTPUTS)}")
        if len(set(wanted)) < len(wanted):
            raise InferenceRefusedError("an output is asked for twice")
        values = await self._values(columns)
        outputs = [
            Tensor(name, shape, OUTPUTS[name][0], data)
            for name in wanted
            for shape, data in [_flattened(values[name], OUTPUTS[name][1])]
        ]
        return _encode(InferAnswer(NAME, self._version, outputs, request.id))

    def _metadata(self) -> dict[str, Any]:
        inputs = [
            {"name": name, "datatype": kinds[0], "shape": [-1], "parameters": {"optional": not needed}}
            for name, (kinds, needed) in INPUTS.items()
        ]
        outputs = [
            {"name": name, "datatype": kind, "shape": [-1, columns] if columns else [-1]}
            for name, (kind, columns) in OUTPUTS.items()
        ]
        versions = [self._version]
        return {"name": NAME, "versions": versions, "platform": PLATFORM, "inputs": inputs, "outputs": outputs}

    def _columns(self, inputs: Iterable[Tensor]) -> dict[str, list[str]]:
        """Return the text of each input, row by row; all have the same number of rows."""
        columns: dict[str, list[str]] = {}
        for tensor in inputs:
            if tensor.name not in INPUTS:
                raise InferenceRefusedError(f"there is no input {_cut(tensor.name)}; there are: {', '.join(INPUTS)}")
            if tensor.name in columns:
                raise InferenceRefusedError(f"input {tensor.name!r} is given twice")
            columns[tensor.name] = _texts(tensor)
        missing = [name for name, (_, needed) in INPUTS.items() if needed and name not in columns]
        if missing:
            raise InferenceRefusedError(f"input {missing[0]!r} is missing")
        rows = {name: len(column) for name, column in columns.items()}
        if len(set(rows.values())) > 1:
            raise InferenceRefusedError(f"the inputs have different numbers of rows: {rows}")
        n, most = rows["airline"], self._limits.max_flights
        if not 1 <= n <= most:
            raise InferenceRefusedError(f"there are {n} rows; one request takes 1 to {most}")
        return columns

    async def _values(self, columns: Mapping[str, list[str]]) -> dict[str, Any]:
        """Return the outputs of all rows; one column each, or one row of columns each."""
        resolved = await self._flights(columns)
        moment = self._state.now(self._now())
        flights = [flight for flight, _ in resolved]
        told = {"warnings": np.array(["; ".join(warnings) for _, warnings in resolved], dtype=object)}
        if len(flights) <= ONE_BY_ONE:
            answers = [self._live.predict(flight, moment) for flight in flights]
            return told | {name: np.array([getattr(a, name) for a in answers]) for name in OUTPUTS if name not in told}
        parts = []
        for start in range(0, len(flights), AT_A_TIME):
            await self._turns.next()
            some = flights[start : start + AT_A_TIME]
            parts.append(self._live.predict_each(some, moment, [()] * len(some)))
        return told | {n: np.concatenate([getattr(part, n) for part in parts]) for n in OUTPUTS if n not in told}

    async def _flights(self, columns: Mapping[str, list[str]]) -> list[tuple[Flight, tuple[str, ...]]]:
        names, flights = tuple(columns), []
        for row, values in enumerate(zip(*columns.values(), strict=True)):
            if row % AT_A_TIME == 0:
                await self._turns.next()
            try:
                flights.append(self._scorer.resolve(**dict(zip(names, values, strict=True))))
            except FieldError as error:
                detail = error.detail if len(error.detail) <= LONGEST_TOLD else f"{error.detail[:LONGEST_TOLD]} …"
                raise InferenceRefusedError(f"input {error.field!r}, row {row}: {detail}") from None
        return flights


def bases(version: str) -> tuple[str, str]:
    """Return the paths of the model: the one in use, and the same by its *version*."""
    return f"/v2/models/{NAME}", f"/v2/models/{NAME}/versions/{version}"


def _texts(tensor: Tensor) -> list[str]:
    kinds, _ = INPUTS[tensor.name]
    where = f"input {tensor.name!r}"
    if tensor.datatype not in kinds:
        raise InferenceRefusedError(f"{where} has datatype {_cut(tensor.datatype)}; it takes {' or '.join(kinds)}")
    data: list[Any] = []
    for value in tensor.data:
        data.extend(value if isinstance(value, list) else [value])
    if tensor.shape not in ((len(data),), (len(data), 1)):
        raise InferenceRefusedError(
            f"{where} has shape {_cut(list(tensor.shape))} and {len(data)} values; it takes [n]"
        )
    kind = int if tensor.datatype == INTEGER else str
    wrong = next((row for row, value in enumerate(data) if type(value) is not kind), None)
    if wrong is not None:
        raise InferenceRefusedError(f"{where}, row {wrong}: is not {'a whole number' if kind is int else 'text'}")
    if kind is int and min(data, default=0) < 0:
        raise InferenceRefusedError(f"{where} has a number below 0")
    return [str(value) for value in data]


def _cut(value: object) -> str:
    """Return what a client sent for a sentence: not all of it, if it is long."""
    text = repr(value[:LONGEST_TOLD] if isinstance(value, (str, list)) else value)
    return text if len(text) <= LONGEST_TOLD else f"{text[:LONGEST_TOLD]} …"


def _flattened(values: Any, columns: int) -> tuple[tuple[int, ...], list[Any]]:
    """Return the shape of an output and its values, row after row."""
    n = len(values)
    flat = values.astype(np.int64) if values.dtype == bool else values
    return ((n, columns) if columns else (n,)), flat.reshape(-1).tolist()


def _constant(content: bytes) -> Callable[[Request], Any]:
    async def tell(request: Request) -> Response:
        return Response(content, media_type="application/json", headers={"cache-control": "no-cache"})

    return tell
