"""The text that Prometheus reads, from the workers' cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from atraso.telemetry.cells import BILLION, START_OF
from atraso.telemetry.names import COUNTED, COUNTER, HISTOGRAM, LDAP_SECONDS, LDAP_SERVERS, TOLD, Metric

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
OTHER_SERVERS = "others"

# Of a gauge: the values of its labels, and its value.
Gauges = Mapping[Metric, Iterable[tuple[tuple[str, ...], float]]]


def exposition(totals: Sequence[int], gauges: Gauges, servers: Sequence[str] = ()) -> bytes:
    """Return all metrics as text: *totals* are the cells of all workers, *gauges* what is told at this moment.

    *servers* are those of the directory: steps of log-ins are told for them alone.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(totals, gauges, servers))
    return generate_latest(registry)


def told(metrics: Iterable[Metric], values: Gauges) -> Iterator[Family]:
    """Yield the families of *metrics* that are told, with the *values* that there are."""
    for metric in metrics:
        family = CounterMetricFamily if metric.kind == COUNTER else GaugeMetricFamily
        found = family(metric.name, metric.tells, labels=[name for name, _ in metric.labels])
        for labels, value in values.get(metric, ()):
            found.add_metric(labels, value)
        yield found


class _Collector(Collector):
    def __init__(self, totals: Sequence[int], gauges: Gauges, servers: Sequence[str]) -> None:
        self._totals, self._gauges = totals, gauges
        last = len(LDAP_SERVERS)
        names = [*servers] if len(servers) <= last else [*servers[: last - 1], OTHER_SERVERS]
        self._servers = dict(zip(LDAP_SERVERS, names, strict=False))

    def collect(self) -> Iterator[Family]:
        for metric in COUNTED:
            yield self._counted(metric)
        yield from told(TOLD, self._gauges)

    def _counted(self, metric: Metric) -> Family:
        labels = [name for name, _ in metric.labels]
        family: CounterMetricFamily | HistogramMetricFamily = (
            HistogramMetricFamily(metric.name, metric.tells, labels=labels)
            if metric.kind == HISTOGRAM
            else CounterMetricFamily(metric.name, metric.tells, labels=labels)
        )
        at = START_OF[metric]
        for values in metric.series:
            cells = self._totals[at : at + metric.width]
            at += metric.width
            if metric is LDAP_SECONDS:
                if values[0] not in self._servers:
                    continue
                values = (self._servers[values[0]], *values[1:])  # noqa: PLW2901 - the same series by its name
            if isinstance(family, CounterMetricFamily):
                family.add_metric(values, cells[0])
            else:
                family.add_metric(values, _buckets(metric.bounds, cells), cells[-1] / BILLION)
        return family


def _buckets(bounds: Sequence[float], cells: Sequence[int]) -> list[tuple[str, float]]:
    """Return the buckets of a histogram as Prometheus has them, each with all that is in those below."""
    found, below = [], 0
    for bound, count in zip((*bounds, inf), cells, strict=False):
        below += count
        found.append(("+Inf" if bound == inf else str(bound), float(below)))
    return found
