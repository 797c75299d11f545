"""What the rules have to be, written down by hand from the promise and not read from it."""

from __future__ import annotations

from dataclasses import dataclass, field

# Label `burn` -> severity, the two windows, and for pages the least number of bad events in an hour.
BURNS = {
    "fast": ("page", "5m", "1h", True),
    "slow": ("page", "30m", "6h", True),
    "day": ("ticket", "2h", "1d", False),
    "days": ("ticket", "6h", "3d", False),
}


@dataclass(frozen=True)
class Events:
    """An objective that counts events: its counters, as how many good and bad ones and how much else goes into each."""

    alert: str
    objective: str
    budget: str
    thresholds: dict[str, str]
    # Series -> shares of good, of bad, of what does not count.
    counters: dict[str, tuple[float, float, float]]
    no_data: str | None = None
    # Whether good ones are counted, and the others are bad.
    counts_good: bool = False


@dataclass(frozen=True)
class Slices:
    """An objective that counts time."""

    alert: str
    objective: str
    budget: str
    thresholds: dict[str, str] = field(default_factory=dict)


def _limits(*values: str) -> dict[str, str]:
    return dict(zip(BURNS, values, strict=True))


def _requests(route: str, outcome: str) -> str:
    return f'atraso_http_requests_total{{route="{route}",outcome="{outcome}"}}'


def _latency(bound: str, others: tuple[str, ...]) -> dict[str, tuple[float, float, float]]:
    found: dict[str, tuple[float, float, float]] = {}
    for route, share in (("/v1/predictions", 0.5), ("/predict", 0.3), ("/v2/infer", 0.2)):
        found[f'atraso_request_seconds_count{{route="{route}"}}'] = (share, share, 0)
        found[f'atraso_request_seconds_bucket{{route="{route}",le="{bound}"}}'] = (share, 0, 0)
        for other in others:
            found[f'atraso_request_seconds_bucket{{route="{route}",le="{other}"}}'] = (0, 0, 1)
    for route in ("/health", "page", "/v1/quality"):
        found[f'atraso_request_seconds_count{{route="{route}"}}'] = (0, 0, 1)
        found[f'atraso_request_seconds_bucket{{route="{route}",le="{bound}"}}'] = (0, 0, 0.5)
    return found


EVENTS: dict[str, Events] = {
    "availability": Events(
        "AtrasoAvailabilityBurn", "0.9995", "0.0005", _limits("0.0072", "0.003", "0.0015", "0.0005"),
        {
            _requests("/v1/predictions", "ok"): (0.9, 0, 0),
            _requests("other", "ok"): (0.1, 0, 0),
            _requests("/predict", "shed_503"): (0, 0.75, 0),
            _requests("page", "server_error"): (0, 0.25, 0),
            _requests("/predict", "client_error"): (0, 0, 1),
            _requests("/predict", "quota_429"): (0, 0, 2),
            _requests("/health", "ok"): (0, 0, 3),
            _requests("/health", "shed_503"): (0, 0, 1),
            _requests("/metrics", "ok"): (0, 0, 1),
            _requests("/metrics", "server_error"): (0, 0, 2),
        },
        "AtrasoAvailabilityNoData",
    ),
    "latency-50ms": Events(
        "AtrasoLatency50msBurn", "0.99", "0.01", _limits("0.144", "0.06", "0.03", "0.01"),
        _latency("0.05", ("0.025", "0.1", "+Inf")), counts_good=True,
    ),
    "latency-250ms": Events(
        "AtrasoLatency250msBurn", "0.999", "0.001", _limits("0.0144", "0.006", "0.003", "0.001"),
        _latency("0.25", ("0.1", "0.5", "+Inf")), counts_good=True,
    ),
    "tokens": Events(
        "AtrasoTokensBurn", "0.995", "0.005", _limits("0.072", "0.03", "0.015", "0.005"),
        {
            'atraso_token_seconds_count{result="ok"}': (1, 0.25, 0),
            'atraso_token_seconds_bucket{result="ok",le="0.25"}': (1, 0, 0),
            'atraso_token_seconds_bucket{result="ok",le="0.5"}': (0, 0, 1),
            'atraso_token_seconds_count{result="server_error"}': (0, 0.75, 0),
            'atraso_token_seconds_bucket{result="server_error",le="0.25"}': (0, 0, 1),
            'atraso_token_seconds_count{result="client_error"}': (0, 0, 2),
            'atraso_token_seconds_bucket{result="client_error",le="0.25"}': (0, 0, 2),
            'atraso_token_seconds_count{result="quota_429"}': (0, 0, 1),
        },
        counts_good=True,
    ),
    "correctness": Events(
        "AtrasoCorrectnessBurn", "0.999", "0.001", _limits("0.0144", "0.006", "0.003", "0.001"),
        {
            'atraso_probe_total{result="equal"}': (1, 0, 0),
            'atraso_probe_total{result="different"}': (0, 0.75, 0),
            'atraso_probe_total{result="failed"}': (0, 0.25, 0),
            'atraso_probe_total{result="unknown_model"}': (0, 0, 1),
        },
        "AtrasoCorrectnessNoData",
    ),
    "durability": Events(
        "AtrasoDurabilityBurn", "0.9999", "0.0001", _limits("0.00144", "0.0006", "0.0003", "0.0001"),
        {
            'atraso_ledger_rows_total{state="accepted"}': (1, 1, 0),
            'atraso_ledger_rows_total{state="kept"}': (1, 0, 0),
            'atraso_ledger_rows_total{state="shed"}': (0, 1, 0),
            'atraso_ledger_rows_total{state="refused"}': (0, 0, 1),
            'atraso_ledger_rows_total{state="stored"}': (0.9, 0, 0),
            'atraso_ledger_rows_total{state="recovered"}': (0, 0, 1),
        },
        counts_good=True,
    ),
}  # fmt: skip
SLICES: dict[str, Slices] = {
    "model-freshness": Slices("AtrasoModelFreshnessBurn", "0.99", "0.01", {"day": "0.03", "days": "0.01"}),
    "departures-freshness": Slices("AtrasoDeparturesFreshnessBurn", "0.99", "0.01", {"day": "0.03", "days": "0.01"}),
    "calibration": Slices("AtrasoCalibrationBurn", "0.95", "0.05", {"day": "0.15", "days": "0.05"}),
}
OBJECTIVES: dict[str, Events | Slices] = {**EVENTS, **SLICES}
