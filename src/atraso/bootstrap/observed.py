"""From settings to what is told of single requests; nothing of it is loaded where it is off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atraso.settings import Settings

if TYPE_CHECKING:
    from atraso.serving.observing import Observing


def prepare_observing(settings: Settings) -> None:
    """Load what workers will use, so that they share it; raises SettingsError and MissingExtraError."""
    if settings.log_requests != "off":
        from atraso.telemetry import events  # noqa: PLC0415

        events.prepare()
    if settings.otel_endpoint:
        from atraso.telemetry import spans  # noqa: PLC0415

        spans.prepare()


def observing_of(settings: Settings) -> Observing | None:
    """Return what tells of requests in this process, or None where nothing is to be told."""
    if settings.log_requests == "off" and not settings.otel_endpoint:
        return None
    from atraso.serving.observing import Observing  # noqa: PLC0415

    log = spans = None
    if settings.log_requests != "off":
        from atraso.telemetry.events import EventLog  # noqa: PLC0415

        log = EventLog()
    if settings.otel_endpoint:
        from atraso.telemetry.spans import Spans  # noqa: PLC0415

        spans = Spans(settings.otel_endpoint)

    def close() -> None:
        for told in (log, spans):
            if told is not None:
                told.close()

    return Observing(
        event=log.tell if log else None,
        span=spans.tell if spans else None,
        share=settings.request_sample,
        successes=settings.log_requests == "all",
        close=close,
    )
