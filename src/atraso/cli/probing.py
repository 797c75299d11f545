"""One golden probe: ask a service the golden flights of the model that it has, and compare."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

import msgspec

from atraso.artefact.golden import differences, question_of
from atraso.artefact.manifest import GoldenFlight, Manifest
from atraso.core.addresses import bearer, service_address
from atraso.core.errors import SettingsError
from atraso.serving.marks import PROBE

MODEL, PREDICTIONS = "/v1/model", "/v1/predictions"
MARK = {PROBE.decode(): "golden"}
# A model may be exchanged between the questions of a probe, and workers take it one after the other within a second;
# who is asked again after that time has one model.
TRIES, PAUSE_S = 2, 1.5
UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of a probe; *result* is one of `telemetry.names.PROBE_RESULTS`, *at* seconds since 1970.

    *golden* says where the golden answers are from: `artefact` where the model is at hand here, else `service`.
    """

    result: str
    detail: str
    model: str
    golden: str
    flights: int
    seconds: float
    at: float


class NoAnswerError(Exception):
    """The service gave no usable answer; the message says what came instead, *status* with which status it came."""

    def __init__(self, told: str, status: int = 0) -> None:
        super().__init__(told)
        self.status = status


class Door:
    """A service at *url*, asked with a key where there is one; each question has a connection of its own.

    So the workers of a service are asked in turn, and none is left out because another holds the connection.
    """

    def __init__(self, url: str, key: str | None, ca: Path | None, timeout_s: float) -> None:
        try:
            parts = service_address(url)
            shown = {"authorization": bearer(key)} if key else {}
        except ValueError as error:
            raise SettingsError(str(error)) from None
        self._host, self._port, self._timeout_s = parts.hostname or "", parts.port, timeout_s
        self._path = parts.path.rstrip("/")
        self._headers = {"content-type": "application/json", **MARK, **shown}
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            try:
                self._tls = ssl.create_default_context(cafile=ca)
            except OSError as error:
                raise SettingsError(f"The authorities in {ca} cannot be used: {error.strerror or error}.") from None

    def ask(self, method: str, path: str, content: object = None) -> Any:
        """Return the JSON that is answered; raises NoAnswerError."""
        if self._tls is not None:
            connection: HTTPConnection = HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=self._tls
            )
        else:
            connection = HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(
                method, self._path + path, None if content is None else json.dumps(content), self._headers
            )
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            raise NoAnswerError(f"{method} {path}: {error or type(error).__name__}") from None
        finally:
            connection.close()
        try:
            told = json.loads(body)
        except ValueError:
            raise NoAnswerError(f"{method} {path}: {answer.status}, and no JSON") from None
        if answer.status == 401:
            raise NoAnswerError(f"{method} {path}: the service asks who calls: give a key in ATRASO_KEY")
        if answer.status != 200 or not isinstance(told, dict):
            detail = told.get("detail", "") if isinstance(told, dict) else ""
            raise NoAnswerError(f"{method} {path}: {answer.status} {detail}".rstrip(), answer.status)
        return told


def probe(door: Door, at_hand: Mapping[str, Manifest], turn: int) -> Probe:
    """Ask the golden flights, all together and one alone (the *turn* says which), and tell what came of it.

    Golden answers are those of the manifests *at_hand*, by checksum; for another model those that the service itself
    tells, which finds what has changed since its start and not what was wrong then.
    """
    began = time.monotonic()
    result, detail, model, source, count = "failed", "", "", "", 0
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_S)
        try:
            card = door.ask("GET", MODEL)
            model = str(card.get("version", ""))
            golden, source = _golden_of(card, at_hand)
            count = len(golden)
            if not golden:
                result = "unknown_model"
                detail = f"model {model} is not at hand here, and the service tells no golden flights of it"
                break
            one = golden[turn % count]
            wrong = [found for flights in (golden, (one,)) for found in _asked(door, flights, model)]
            result = "different" if wrong else "equal"
            detail = wrong[0] + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else "") if wrong else ""
            break
        except _AnotherModelError as error:
            result = "unknown_model"
            detail = f"model {error} has answered, and {model} was said to: its golden answers are not at hand"
        except NoAnswerError as error:
            result, detail = "failed", str(error)
            if error.status != UNPROCESSABLE:  # another model has other golden flights, and refuses these
                break
    return Probe(result, detail, model, source, count, time.monotonic() - began, time.time())


class _AnotherModelError(Exception):
    """Another model has answered than the card was of."""


def _golden_of(card: Mapping[str, Any], at_hand: Mapping[str, Manifest]) -> tuple[Sequence[GoldenFlight], str]:
    manifest = at_hand.get(str(card.get("checksum")))
    if manifest is not None:
        return manifest.golden, "artefact"
    try:
        return msgspec.convert(card.get("golden", ()), tuple[GoldenFlight, ...]), "service"
    except msgspec.ValidationError:
        return (), ""


def _asked(door: Door, flights: Sequence[GoldenFlight], model: str) -> list[str]:
    answer = door.ask(
        "POST", PREDICTIONS, {"flights": [question_of(flight) for flight in flights], "basis": "schedule"}
    )
    said = answer.get("model")
    version = said.get("version") if isinstance(said, dict) else None
    if version != model:
        raise _AnotherModelError(version)
    return differences(flights, answer.get("predictions"))
