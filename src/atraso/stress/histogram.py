"""Latencies as an HDR histogram: three significant digits from a microsecond to an hour.

The text is HdrHistogram's own V2 format, base64: any of its plotters and viewers takes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from atraso.core.errors import MissingExtraError

LOWEST_US, HIGHEST_US, DIGITS = 1, 3_600_000_000, 3
LEVELS = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99)


class Latency(msgspec.Struct, frozen=True):
    """The times of good answers in milliseconds, *at* by percentile; *hdr* holds them all, in microseconds."""

    count: int
    mean_ms: float
    max_ms: float
    at: dict[str, float]
    hdr: str

    @property
    def p50_ms(self) -> float:
        """The median."""
        return self.at["50"]

    @property
    def p99_ms(self) -> float:
        """What one in a hundred exceeds."""
        return self.at["99"]

    @property
    def p999_ms(self) -> float:
        """What one in a thousand exceeds."""
        return self.at["99.9"]


def _hdr() -> Any:
    try:
        from hdrh.histogram import HdrHistogram  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("A load", "stress") from None
    return HdrHistogram


def check() -> None:
    """Raise MissingExtraError where latencies could not be kept."""
    _hdr()


def latency_of(counts: Iterable[Mapping[int, int]]) -> Latency | None:
    """Return the latency of requests that were counted by microseconds; None where there were none."""
    histogram = _hdr()(LOWEST_US, HIGHEST_US, DIGITS)
    for table in counts:
        for microseconds, count in table.items():
            histogram.record_value(min(max(microseconds, LOWEST_US), HIGHEST_US), count)
    if not histogram.get_total_count():
        return None
    return Latency(
        histogram.get_total_count(),
        round(histogram.get_mean_value() / 1000, 4),
        histogram.get_max_value() / 1000,
        {f"{level:g}": histogram.get_value_at_percentile(level) / 1000 for level in LEVELS},
        histogram.encode().decode("ascii"),
    )


def percentiles_ms(hdr: str, levels: Sequence[float]) -> list[float]:
    """Return the milliseconds at *levels* (0 to 100) of an encoded histogram."""
    histogram = _hdr().decode(hdr)
    return [histogram.get_value_at_percentile(level) / 1000 for level in levels]
