"""The configuration of Prometheus and Alertmanager: what is scraped, and who is told of what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from atraso.slo.objectives import Promise
from atraso.slo.rules import DOWN, EVERY, SERVICE, WATCHDOG
from atraso.slo.windows import seconds, shorter

SCRAPE_TIMEOUT = "5s"
RECEIVERS = {"page": "pager", "ticket": "tickets"}
# The service, its prober, and where alerts go, as `make observe` and `atraso serve` have them.
SCRAPED = {SERVICE: ("127.0.0.1:5000",), "atraso-probe": ("127.0.0.1:9105",)}
ALERTMANAGERS = ("127.0.0.1:9093",)


def prometheus_config(
    faster: int = 1,
    scraped: Mapping[str, Sequence[str]] = SCRAPED,
    alertmanagers: Sequence[str] = ALERTMANAGERS,
    rules: str = "../rules/*.yml",
) -> dict[str, Any]:
    """Return Prometheus's configuration: jobs with their targets (host:port), Alertmanagers, and the rules' files."""
    every = shorter(EVERY, faster)
    # The longer a scrape of a hung service may take, the later its page comes.
    timeout = min(every, SCRAPE_TIMEOUT, key=seconds)
    return {
        "global": {"scrape_interval": every, "scrape_timeout": timeout, "evaluation_interval": every},
        "rule_files": [rules],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(targets)}]} for job, targets in scraped.items()
        ],
    }


def alertmanager_config(promise: Promise, faster: int = 1, webhooks: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return Alertmanager's configuration: pages go out at once and again each hour, tickets once a day.

    *webhooks* (by severity) take the place of the promise's. What follows from a worse alert is held back: everything
    while the service is down, and of one objective what is slower than the burn that is told.
    """
    urls = promise.webhooks if webhooks is None else webhooks

    def times(text: str) -> str:
        return shorter(text, faster)

    return {
        "global": {"resolve_timeout": times("5m")},
        "route": {
            "receiver": RECEIVERS["ticket"],
            "group_by": ["alertname", "slo"],
            "group_wait": times("1m"),
            "group_interval": times("5m"),
            "repeat_interval": times("24h"),
            "routes": [
                {"matchers": [f'alertname="{WATCHDOG}"'], "receiver": "watchdog", "repeat_interval": times("5m")},
                {
                    "matchers": ['severity="page"'],
                    "receiver": RECEIVERS["page"],
                    "group_wait": times("5s"),
                    "group_interval": times("1m"),
                    "repeat_interval": times("1h"),
                },
                {"matchers": ['severity="ticket"'], "receiver": RECEIVERS["ticket"]},
            ],
        },
        "inhibit_rules": [
            {"source_matchers": [f'alertname="{DOWN}"'], "target_matchers": ['slo=~".+"']},
            {"source_matchers": ['burn="fast"'], "target_matchers": ['burn=~"slow|day|days"'], "equal": ["slo"]},
            {"source_matchers": ['burn="slow"'], "target_matchers": ['burn=~"day|days"'], "equal": ["slo"]},
            {"source_matchers": ['burn="day"'], "target_matchers": ['burn="days"'], "equal": ["slo"]},
        ],
        "receivers": [
            *(_receiver(RECEIVERS[severity], url) for severity, url in urls.items()),
            # Point this at what alarms when nothing arrives; without a place it is told nobody.
            _receiver("watchdog", urls["watchdog"]) if "watchdog" in urls else {"name": "watchdog"},
        ],
    }


def _receiver(name: str, url: str) -> dict[str, Any]:
    return {"name": name, "webhook_configs": [{"url": url, "send_resolved": True}]}
