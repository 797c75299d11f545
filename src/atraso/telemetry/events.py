"""The log of requests: one event a request as a line of JSON, written by a thread of its own; never a secret.

What a client says is not told but for its request id, and that only where it looks like one: routes and outcomes are
words of closed sets, the principal is a name that this service or the directory gave.
"""

from __future__ import annotations

import queue
import re
import sys
import threading
from collections.abc import Mapping
from typing import Any, TextIO

from atraso.telemetry.audit import without_secrets

# An event that finds so many before it is dropped and counted: a reader that has stopped must not hold the memory.
MAX_WAITING = 1000
END_WITHIN_S = 0.2
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=-]{0,63}")
LEVELS = {"ok": "info", "client_error": "info", "quota_429": "warning", "shed_503": "warning", "server_error": "error"}


def request_id_of(told: bytes, credentials: bytes = b"") -> str | None:
    """Return the id that a client gave to its request, or None where it is none, or may be a secret.

    *credentials* are what else it showed: what is a part of them is not told again.
    """
    text = told.decode("latin-1")
    if not _REQUEST_ID.fullmatch(text) or without_secrets(text) != text or (credentials and told in credentials):
        return None
    return text


class EventLog:
    """Writes events to *stream* (standard error where none is given); make it in the process that writes.

    Nobody waits for whoever reads the log: events that cannot be written in time are dropped, and the next one that can
    tells how many in `dropped`.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._waiting: queue.Queue[tuple[str, str, Mapping[str, Any]] | None] = queue.Queue(MAX_WAITING)
        self._dropped = 0
        self._logger = _logger(self._stream)
        self._thread: threading.Thread | None = None

    def tell(self, event: str, level: str, facts: Mapping[str, Any]) -> None:
        """Write *event*; facts that are None are left out."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="events", daemon=True)
            self._thread.start()
        if self._dropped:
            facts = {**facts, "dropped": self._dropped}
        try:
            self._waiting.put_nowait((level, event, facts))
        except queue.Full:
            self._dropped += 1
        else:
            self._dropped = 0

    def close(self) -> None:
        """Write what waits, for a moment; then end."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                self._waiting.put(None, timeout=END_WITHIN_S)
            except queue.Full:
                return
            thread.join(END_WITHIN_S)

    def _write(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            level, event, facts = waiting
            try:
                getattr(self._logger, level)(event, **{name: fact for name, fact in facts.items() if fact is not None})
            except (OSError, ValueError):
                self._dropped += 1  # the stream is full or closed, and there is nowhere else to say so


def prepare() -> None:
    """Load what writes events; before workers are forked, so that they share it."""
    _structlog()


def _logger(stream: TextIO) -> Any:
    structlog = _structlog()
    return structlog.wrap_logger(
        structlog.WriteLogger(stream),
        wrapper_class=structlog.make_filtering_bound_logger(0),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_secrets,
            _in_order,
            structlog.processors.JSONRenderer(),
        ],
    )


def _structlog() -> Any:
    # structlog loads rich for its console where it finds it: 3 MB that a worker has no use for.
    kept = {name: sys.modules[name] for name in ("rich",) if name in sys.modules}
    if "structlog" not in sys.modules and not kept:
        sys.modules["rich"] = None  # type: ignore[assignment]  # how an import is told that there is nothing
    try:
        import structlog  # noqa: PLC0415 - only where requests are logged
        import structlog.processors  # noqa: PLC0415
    finally:
        if not kept and sys.modules.get("rich", ...) is None:
            del sys.modules["rich"]
    return structlog


def _without_secrets(logger: object, method: str, event: dict[str, Any]) -> dict[str, Any]:
    return {name: without_secrets(fact) if isinstance(fact, str) else fact for name, fact in event.items()}


def _in_order(logger: object, method: str, event: dict[str, Any]) -> dict[str, Any]:
    first = ("timestamp", "level", "event")
    return {name: event[name] for name in first} | {n: fact for n, fact in event.items() if n not in first}
