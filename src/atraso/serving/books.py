"""What is noted of an answer of /v1/predictions before it is given: its probabilities, and all of it for the ledger."""

from __future__ import annotations

import msgspec

from atraso.identity.principal import Principal
from atraso.ledger.spool import Spool
from atraso.serving.answers import Given
from atraso.telemetry.cells import Recorder

NOT_KEPT = "The answer cannot be kept now, and this service gives none that it cannot keep; try again shortly."

_encode = msgspec.json.Encoder().encode


class Books:
    """Notes the answers of one process in its metrics and, where there is one, in its *spool*.

    What cannot be kept is given all the same and counted as shed, or with *refuse* not given and counted as refused.
    """

    def __init__(self, recorder: Recorder, spool: Spool | None = None, *, refuse: bool = False) -> None:
        self._recorder = recorder
        self._spool = spool
        self._refuse = refuse
        self._unsettled = 0
        self._failed = False

    def note(self, principal: Principal, given: Given, answer: bytes) -> None:
        """Note what was *given* to *principal*, one by one and as the whole *answer*; `settle` before it is sent.

        A record of the spool is JSON: `principal`, `flights` as they were understood (each a list in the order of the
        fields of `Flight`), and the `answer` as it is sent.
        """
        if len(given.probabilities) == 1:
            self._recorder.predicted(given.probabilities[0])
        else:
            self._recorder.predicted_many(given.probabilities)
        if self._spool is not None:
            name, flights = _encode(principal.name), _encode(given.flights)
            self._spool.add(b'{"principal":%b,"flights":%b,"answer":%b}' % (name, flights, answer))
            self._unsettled += len(given.probabilities)

    def reported(self, **results: int) -> None:
        """Count what was reported of flights, by the results of `Recorder.reported`."""
        self._recorder.reported(**results)

    def settle(self) -> bool:
        """Keep what was noted since the last time, and count it; False where it may not be given."""
        rows, self._unsettled = self._unsettled, 0
        if self._spool is None or not rows:
            return True
        if self._spool.flush():
            self._recorder.kept(rows)
            self._spool.release()
        elif self._refuse:
            self._recorder.refused(rows)
            self._failed = True
            return False
        else:
            self._recorder.shed(rows)
        return True

    def settle_turn(self) -> bool:
        """Do as `settle` at the end of a turn; False also where something of that turn was not kept before."""
        kept = self.settle() and not self._failed
        self._failed = False
        return kept

    def look(self) -> None:
        """See to it, now and then, that what was kept is still there."""
        if self._spool is not None:
            self._spool.look()
