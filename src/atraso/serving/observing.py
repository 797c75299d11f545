"""What is told of single requests, besides what is counted of all: events in the log, and spans.

A request of which something is to be told takes the ordinary way, on which all is known of it; the others cost one
branch.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from atraso.serving.marks import REQUEST_ID, Told
from atraso.telemetry.events import LEVELS, request_id_of
from atraso.telemetry.names import OUTCOMES, ROUTES, Outcome
from atraso.telemetry.traces import Trace, new_trace

_monotonic = time.monotonic
# Failures of one worker that are told in a second: whoever sends nonsense cannot fill the disk. Others are counted.
FAILURES_PER_S = 50

TellEvent = Callable[[str, str, Mapping[str, Any]], None]


class TellSpan(Protocol):
    """Sends a span."""

    def __call__(
        self, trace: Trace, name: str, attributes: Mapping[str, Any], *, ended_ns: int, seconds: float, failed: bool
    ) -> None:
        """Send the span of a request that ended at *ended_ns* after *seconds*."""


class Asked(Protocol):
    """A request that came to be complete: as it is known to the application, and what it tells of itself."""

    scope: Any
    picked: bool
    told: Told
    trace: Trace | None


class Observing:
    """Tells *share* of the requests of one worker and, as events, the failures among all others.

    With *successes* False no success becomes an event; spans are sent of the share, and of what is sampled by its
    caller.
    """

    def __init__(
        self,
        *,
        event: TellEvent | None = None,
        span: TellSpan | None = None,
        share: float = 0.0,
        successes: bool = True,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._event, self._span, self._successes = event, span, successes and event is not None
        self._share = share if self._successes or span is not None else 0.0
        self._owed = 0.0
        self._second, self._failures, self._held_back = -1, 0, 0
        self.close = close

    def picks(self) -> bool:
        """Return whether the next request is one of the share."""
        self._owed += self._share
        if self._owed < 1.0:
            return False
        self._owed -= 1.0
        return True

    def follows(self, trace: Trace | None) -> bool:
        """Return whether a span is to be sent because whoever called has said so."""
        return self._span is not None and trace is not None and trace.sampled

    def answered(self, asked: Asked | None, route: int, outcome: Outcome, *, status: int, seconds: float) -> None:
        """Take note of an answer after *seconds*; None was *asked* where a request never came to be complete."""
        picked, trace = (False, None) if asked is None else (asked.picked, asked.trace)
        spans = self.follows(trace) or (picked and self._span is not None and trace is None)
        is_event = self._event is not None and (
            (picked and self._successes) if outcome is Outcome.OK else self._may_tell_failure()
        )
        if not (spans or is_event):
            return
        if trace is None and spans:
            trace = new_trace()
        facts = {
            **_of_request(asked),
            "route": ROUTES[route],
            "outcome": OUTCOMES[outcome],
            "status": status,
            "duration_seconds": round(seconds, 6),
        }
        if is_event:
            self._tell_event(facts, trace, outcome)
        if spans and trace is not None:
            self._tell_span(facts, trace, asked)

    def _tell_span(self, facts: Mapping[str, Any], trace: Trace, asked: Asked | None) -> None:
        assert self._span is not None
        method = asked.scope["method"] if asked is not None else ""
        attributes = {
            "http.request.method": method,
            "http.route": facts["route"],
            "http.response.status_code": facts["status"],
            "enduser.id": facts["principal"],
            "atraso.outcome": facts["outcome"],
            "atraso.model": facts["model"],
            "atraso.request_id": facts["request_id"],
        }
        self._span(
            trace,
            f"{method} {facts['route']}",
            attributes,
            ended_ns=time.time_ns(),
            seconds=facts["duration_seconds"],
            failed=facts["status"] >= 500,
        )

    def _tell_event(self, facts: Mapping[str, Any], trace: Trace | None, outcome: Outcome) -> None:
        assert self._event is not None
        more: dict[str, Any] = {}
        if trace is not None:
            more |= {"trace_id": trace.trace_id, "span_id": trace.span_id, "parent_id": trace.parent_id or None}
        if self._held_back and outcome is not Outcome.OK:
            more["not_told"], self._held_back = self._held_back, 0
        self._event("request", LEVELS[OUTCOMES[outcome]], {**facts, **more})

    def _may_tell_failure(self) -> bool:
        second = int(_monotonic())
        if second != self._second:
            self._second, self._failures = second, 0
        self._failures += 1
        if self._failures > FAILURES_PER_S:
            self._held_back += 1
            return False
        return True


def _of_request(asked: Asked | None) -> dict[str, Any]:
    """Return what a request tells: its id, or one made for it, who it is of, and the model that it met."""
    if asked is None:
        return {"request_id": secrets.token_hex(8), "principal": None, "model": None}
    scope = asked.scope
    principal = scope.get("principal")
    credentials = b" ".join(value for name, value in scope["headers"] if name in (b"authorization", b"cookie"))
    return {
        "request_id": request_id_of(asked.told.get(REQUEST_ID, b""), credentials) or secrets.token_hex(8),
        "principal": principal.name if principal is not None else None,
        "model": scope.get("model"),
    }
