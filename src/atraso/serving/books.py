"""What is noted of an answer of /v1/predictions before it is given: its probabilities, and all of it for the ledger."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from atraso.core.flights import Flight
from atraso.identity.principal import Principal
from atraso.ledger.spool import Spool
from atraso.serving.wire import ModelName, PredictionAnswer
from atraso.telemetry.cells import Recorder

_encode = msgspec.json.Encoder().encode


class SpooledAnswer(msgspec.Struct, frozen=True, gc=False):
    """One record of the spool: who asked, which model answered, the flights as they were understood, the answers."""

    principal: str
    model: ModelName
    as_of: str
    flights: list[Flight]
    predictions: msgspec.Raw


class Books:
    """Notes answers in the metrics and, where there is one, in the *spool*."""

    def __init__(self, recorder: Recorder, spool: Spool | None = None) -> None:
        self._recorder = recorder
        self._spool = spool

    def note(  # noqa: PLR0917 - every answer comes through here, and names cost time
        self,
        principal: Principal,
        model: ModelName,
        as_of: str,
        flights: Sequence[tuple[Flight, tuple[str, ...]]],
        predictions: Sequence[PredictionAnswer],
        encoded: bytes,
    ) -> None:
        """Note the *predictions* for *flights*; *encoded* is their JSON."""
        for prediction in predictions:
            self._recorder.predicted(prediction.delay_probability)
        if self._spool is None:
            return
        asked = [flight for flight, _ in flights]
        record = SpooledAnswer(principal.name, model, as_of, asked, msgspec.Raw(encoded))
        if self._spool.append(_encode(record)):
            self._recorder.kept(len(predictions))
        else:
            self._recorder.shed(len(predictions))
