"""The audit log: one line of JSON for each log-in, refusal and administrative act; never a secret.

Who did what, and was it allowed, or why not. An allowed prediction is not here but in the ledger, with its principal.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from typing import Protocol, TextIO

# Names are told as they were given, but nobody needs more of them than this.
LONGEST_TOLD = 80
# Keys and tokens that somebody put where a name belongs: of a key its visible beginning is told.
_KEY, _TOKEN = re.compile(r"(atraso_[0-9a-f]{8})_[\w-]*"), re.compile(r"eyJ[\w-]*\.[\w-]*\.?[\w-]*")


class Audit(Protocol):
    """Takes note of events."""

    def __call__(self, event: str, **facts: object) -> None:
        """Note *event* with its *facts*."""


def audit_to(stream: TextIO | None = None) -> Audit:
    """Return what writes events to *stream*, standard error where none is given, each as one line."""

    def note(event: str, **facts: object) -> None:
        told = {name: _told(fact) for name, fact in facts.items() if fact is not None}
        moment = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        line = json.dumps({"timestamp": moment, "event": event, **told})
        print(line, file=stream or sys.stderr, flush=True)

    return note


def no_audit(event: str, **facts: object) -> None:
    """Note nothing: for a service that asks nobody."""


def _told(fact: object) -> object:
    return without_secrets(fact) if isinstance(fact, str) else fact


def without_secrets(text: str) -> str:
    """Return *text*, or its beginning where it is long, with keys and tokens in it cut short."""
    text = _TOKEN.sub("eyJ…", _KEY.sub(r"\1_…", text))
    return text if len(text) <= LONGEST_TOLD else f"{text[:LONGEST_TOLD]}…"
