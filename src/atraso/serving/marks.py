"""The headers by which a client tells something of its request itself: its id, its trace, or that it is a probe."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Scope

from atraso.telemetry.traces import Trace, trace_of

TRACEPARENT, TRACESTATE, REQUEST_ID, PROBE = b"traceparent", b"tracestate", b"x-request-id", b"atraso-probe"
MARKS = frozenset({TRACEPARENT, TRACESTATE, REQUEST_ID, PROBE})

# Where the mark of a probe means something.
PROBED_PATHS = frozenset({"/v1/predictions", "/v1/model"})
# Probes of somebody are counted beside their requests, at the same rate; no name has this character in it.
PROBES_OF = "\0probe of "

Told = Mapping[bytes, bytes]


def trace_told(told: Told) -> Trace | None:
    """Return the place in a trace that these headers name, or None where they name none."""
    parent = told.get(TRACEPARENT)
    return None if parent is None else trace_of(parent, told.get(TRACESTATE, b""))


def is_probe(scope: Scope) -> bool:
    """Return whether a request says that it is a probe: one that asks what is known, to see that it is answered so."""
    return any(name == PROBE for name, _ in scope["headers"])
