"""W3C trace context: which trace a request is part of, as its headers tell it (https://www.w3.org/TR/trace-context/)."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

_TRACEPARENT = re.compile(
    rb"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
MAX_STATE_BYTES = 512
SAMPLED = 1


@dataclass(frozen=True, slots=True)
class Trace:
    """The place of one request in a trace: identifiers in lower-case hex.

    *parent_id* is empty where the trace begins here; *state* is what the vendors on the way want to be passed on.
    """

    trace_id: str
    parent_id: str
    span_id: str
    sampled: bool
    state: str = ""

    def response(self) -> bytes:
        """Return the value of the header `traceresponse`, which tells the caller where its request is found."""
        return f"00-{self.trace_id}-{self.span_id}-{SAMPLED if self.sampled else 0:02x}".encode()


def trace_of(traceparent: bytes, state: bytes = b"") -> Trace | None:
    """Return the place of a request with this header, or None where it is not valid: then there is no trace."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or found["version"] == b"ff" or (found["version"] == b"00" and found["more"]):
        return None
    trace_id, parent_id = found["trace"].decode(), found["parent"].decode()
    if not int(trace_id, 16) or not int(parent_id, 16):
        return None
    told = state.decode("latin-1") if len(state) <= MAX_STATE_BYTES else ""
    return Trace(trace_id, parent_id, secrets.token_hex(8), bool(int(found["flags"], 16) & SAMPLED), told)


def new_trace() -> Trace:
    """Return a trace that begins here and is sampled."""
    return Trace(secrets.token_hex(16), "", secrets.token_hex(8), sampled=True)
