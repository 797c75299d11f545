"""The chart's copy of the generated rules: a chart cannot reach outside itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

RULES, COPY = Path("deploy/monitoring/rules"), Path("deploy/helm/atraso/rules")


def pages() -> dict[Path, Callable[[], str]]:
    """Return what the chart's rules have to be, by file: those of deploy/monitoring, as they are."""
    return {COPY / file.name: lambda file=file: file.read_text("utf-8") for file in sorted(RULES.glob("*.yml"))}  # type: ignore[misc]
