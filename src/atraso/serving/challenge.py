"""`/predict` in the contract of the flight-delay challenge: three facts of a flight in, 0 or 1 out.

The contract knows one status for every refusal of a content: 400.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.types import Scope

from atraso.artefact.scorer import Scorer
from atraso.core.errors import FieldError
from atraso.identity.principal import Principal
from atraso.serving.places import CrowdedError, Places, check_values, decoded, read_fields
from atraso.serving.predictions import AT_A_TIME, Limits
from atraso.serving.problems import ChallengeRefusedError
from atraso.serving.turns import Turns
from atraso.serving.wire import ChallengeClasses, ChallengeFlight, ChallengeRequest

AT_ONCE = 32  # flights that are answered in the time of one prediction

_request = msgspec.json.Decoder(ChallengeRequest)
_encode = msgspec.json.Encoder().encode


class Challenge:
    """Answers the challenge's questions with one scorer."""

    def __init__(self, scorer: Scorer, limits: Limits) -> None:
        self._scorer = scorer
        self._limits = limits
        self._turns = Turns()

    async def post(self, scope: Scope, body: bytes) -> bytes:
        """Answer `POST /predict`; raises NotJsonError and ChallengeRefusedError."""
        try:
            request = decoded(body, _request)
        except CrowdedError as error:
            raise ChallengeRefusedError([error.first]) from None
        if request is None or not 1 <= len(request.flights) <= self._limits.max_flights:
            raise await self._refusal(body)
        try:
            return _encode(ChallengeClasses([self._class_of(f) for f in request.flights]))
        except FieldError:
            raise await self._refusal(body) from None

    def at_once(self, body: bytes, principal: Principal) -> bytes | None:
        """Answer the body of a POST about a few flights; None for more of them, and for what is to be refused."""
        try:
            request = _request.decode(body)
            if not 1 <= len(request.flights) <= min(AT_ONCE, self._limits.max_flights):
                return None
            return _encode(ChallengeClasses([self._class_of(f) for f in request.flights]))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, FieldError):
            return None

    def _class_of(self, flight: ChallengeFlight) -> int:
        return self._scorer.challenge(flight.opera, flight.tipovuelo, flight.mes).predict

    async def _refusal(self, body: bytes) -> ChallengeRefusedError:
        places = Places()
        flights = read_fields(body, ChallengeRequest, "", places).get("flights")
        if flights is not None and not 1 <= len(flights) <= self._limits.max_flights:
            places.add("/flights", f"holds {len(flights)} flights; one request takes 1 to {self._limits.max_flights}")
            flights = None
        good = {"OPERA": next(iter(self._scorer.manifest.challenge_airlines), ""), "TIPOVUELO": "N", "MES": 1}
        for row, raw in enumerate(flights or ()):
            if row % AT_A_TIME == 0:
                await self._turns.next()
            if places.full:
                break
            pointer = f"/flights/{row}"
            usable = read_fields(raw, ChallengeFlight, pointer, places)
            check_values(self._ask, usable, good, pointer, places)
        return ChallengeRefusedError(places.told())

    def _ask(self, **facts: Any) -> int:
        return self._scorer.challenge(facts["OPERA"], facts["TIPOVUELO"], facts["MES"]).predict
