"""What the prober counts, and the port where Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EADDRINUSE

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import start_http_server
from prometheus_client.registry import Collector

from atraso.core.errors import SettingsError
from atraso.telemetry.exposition import told
from atraso.telemetry.names import PROBE_LAST, PROBE_RESULTS, PROBER, PROBES


class ProbeCounts(Collector):
    """Probes by result, and when the last one ended."""

    def __init__(self) -> None:
        self.results = dict.fromkeys(PROBE_RESULTS, 0)
        self._last: float | None = None

    def count(self, result: str, at: float) -> None:
        """Count a probe that ended *at* that time, in seconds since 1970."""
        self.results[result] += 1
        self._last = at

    def collect(self) -> Iterator[Family]:
        """Yield what Prometheus reads; every result is there from the start, so that the first of a kind is seen."""
        last = [] if self._last is None else [((), self._last)]
        return told(PROBER, {PROBES: [((name,), count) for name, count in self.results.items()], PROBE_LAST: last})

    def serve(self, host: str, port: int) -> str:
        """Serve them at /metrics from a thread and return the address; port 0 takes a free one.

        Raises SettingsError for a port that cannot be had.
        """
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        try:
            server, _ = start_http_server(port, host, registry)
        except OSError as error:
            why = "is in use" if error.errno == EADDRINUSE else f"cannot be used ({error.strerror})"
            raise SettingsError(f"Port {port} on {host} {why}: choose another with --metrics-port.") from None
        return f"http://{host}:{server.server_port}/metrics"
