"""What is promised: the objectives, their alerts, and who is told, exactly as they were written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

# Stands in a query where its window goes.
WINDOW = "{{.window}}"


@dataclass(frozen=True, slots=True)
class Alert:
    """A burn rate that is told: *factor* times what the budget bears, in a long window and in a short one."""

    name: str
    severity: str
    factor: Decimal
    operator: str
    long: str
    short: str
    after: str
    least_bad: int
    tells: str


@dataclass(frozen=True, slots=True)
class Silence:
    """No data over a window, told after a while."""

    name: str
    severity: str
    window: str
    after: str


@dataclass(frozen=True, slots=True)
class Events:
    """A ratio of events: the rate of all, and that of the good or of the bad ones, each with a window to fill in."""

    total: str
    good: str | None
    bad: str | None


@dataclass(frozen=True, slots=True)
class Slices:
    """A number that is looked at all the time: bad where it compares with *value* by *bad_operator* (">" ...)."""

    query: str
    bad_operator: str
    value: Decimal
    window: str


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise: `target` is the share that has to be good over `window`."""

    name: str
    title: str
    promise: str
    reason: str
    measured: str
    target: Decimal
    window: str
    indicator: Events | Slices
    alerts: tuple[Alert, ...]
    silence: Silence | None

    @property
    def budget(self) -> Decimal:
        """Return the share that may be bad, exactly."""
        return 1 - self.target

    @property
    def camel(self) -> str:
        """Return the name as it stands in the names of alerts."""
        return "".join(part.capitalize() for part in self.name.split("-"))

    def burn_alert(self) -> str:
        """Return the name that the alerts of burn rates share."""
        return f"Atraso{self.camel}Burn"

    def silence_alert(self) -> str:
        """Return the name of the alert for missing data."""
        return f"Atraso{self.camel}NoData"

    def threshold(self, alert: Alert) -> Decimal:
        """Return the share of bad events from which *alert* counts, exactly."""
        return (alert.factor * self.budget).normalize()


@dataclass(frozen=True, slots=True)
class Promise:
    """All of it: objectives, who is told of which severity (a webhook), where the runbook is."""

    objectives: tuple[Objective, ...]
    webhooks: Mapping[str, str]
    runbook: str
