"""Spans of requests for OpenTelemetry, sent to a collector over OTLP/HTTP by a thread of its own (extra `otel`)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from atraso import __version__
from atraso.core.errors import MissingExtraError
from atraso.telemetry.traces import Trace

SERVICE = "atraso"
EXPORT_WITHIN_S = 5.0
END_WITHIN_S = 0.3


def prepare() -> None:
    """Load what sends spans, before workers are forked; raises MissingExtraError."""
    _library()


class Spans:
    """Sends spans to the collector at *endpoint*, in batches; those that it does not take in time are dropped.

    Make it in the process that sends: it begins a thread.
    """

    def __init__(self, endpoint: str) -> None:
        self._otel = otel = _library()
        exporter = otel.OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_WITHIN_S)
        self._processor = otel.BatchSpanProcessor(exporter)
        self._resource = otel.Resource.create({"service.name": SERVICE, "service.version": __version__})
        self._scope = otel.InstrumentationScope(SERVICE, __version__)

    def tell(
        self, trace: Trace, name: str, attributes: Mapping[str, Any], *, ended_ns: int, seconds: float, failed: bool
    ) -> None:
        """Send the span of a request that ended at *ended_ns* (since 1970) after *seconds*."""
        otel = self._otel
        parent = self._context(trace, trace.parent_id, remote=True) if trace.parent_id else None
        self._processor.on_end(
            otel.ReadableSpan(
                name,
                context=self._context(trace, trace.span_id, remote=False),
                parent=parent,
                resource=self._resource,
                attributes={key: value for key, value in attributes.items() if value is not None},
                kind=otel.SpanKind.SERVER,
                status=otel.Status(otel.StatusCode.ERROR if failed else otel.StatusCode.UNSET),
                start_time=ended_ns - int(seconds * 1e9),
                end_time=ended_ns,
                instrumentation_scope=self._scope,
            )
        )

    def close(self) -> None:
        """Send what waits, for a moment: a collector that is gone does not keep a worker from ending."""
        ending = threading.Thread(target=self._processor.shutdown, daemon=True)
        ending.start()
        ending.join(END_WITHIN_S)

    def _context(self, trace: Trace, span_id: str, *, remote: bool) -> Any:
        otel = self._otel
        state = otel.TraceState.from_header([trace.state]) if trace.state else None
        flags = otel.TraceFlags(otel.TraceFlags.SAMPLED)
        return otel.SpanContext(int(trace.trace_id, 16), int(span_id, 16), remote, flags, state)


class _Library:
    """The names of OpenTelemetry that are used here; made where it is on, because it is large."""

    def __init__(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState  # noqa: PLC0415

        self.OTLPSpanExporter, self.BatchSpanProcessor = OTLPSpanExporter, BatchSpanProcessor
        self.Resource, self.ReadableSpan, self.InstrumentationScope = Resource, ReadableSpan, InstrumentationScope
        self.SpanContext, self.TraceFlags, self.TraceState = SpanContext, TraceFlags, TraceState
        self.SpanKind, self.Status, self.StatusCode = SpanKind, Status, StatusCode


def _library() -> _Library:
    try:
        return _Library()
    except ImportError:
        raise MissingExtraError("Sending spans (otel_endpoint)", "otel") from None
