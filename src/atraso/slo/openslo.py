"""OpenSLO v1, the part of it that this project uses: documents read, and refused where they hold anything else.

Source: the specification's README, https://github.com/OpenSLO/OpenSLO.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from atraso.core.errors import AtrasoError

API_VERSION = "openslo/v1"
BUNDLED = Path(str(files("atraso.slo"))) / "slo.yaml"


class SloFileError(AtrasoError):
    """A file of objectives says something that cannot be used; the sentence tells where, and what would be right."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A part of a document: what OpenSLO does not know is refused, because it would be ignored."""


class Metadata(_Part, frozen=True):
    """What a document is called."""

    name: str
    display_name: str = ""
    annotations: dict[str, str] = {}


class Query(_Part, frozen=True):
    """A query in PromQL, with `{{.window}}` where its window goes."""

    query: str


class MetricSource(_Part, frozen=True):
    """Where a metric comes from."""

    type: Literal["Prometheus"]
    spec: Query
    metric_source_ref: str = ""


class Metric(_Part, frozen=True):
    """One number over time."""

    metric_source: MetricSource


class Ratio(_Part, frozen=True):
    """Good or bad events, of all."""

    counter: Literal[True]
    total: Metric
    good: Metric | None = None
    bad: Metric | None = None


class Indicator(_Part, frozen=True):
    """What is measured: a ratio of events, or a number that is compared with a threshold."""

    description: str = ""
    ratio_metric: Ratio | None = None
    threshold_metric: Metric | None = None


class InlineIndicator(_Part, frozen=True):
    """An indicator within its objective."""

    metadata: Metadata
    spec: Indicator


class TimeWindow(_Part, frozen=True):
    """Over which time a budget runs."""

    duration: str
    is_rolling: Literal[True]


class Target(_Part, frozen=True):
    """How good it has to be: shares as exact decimals."""

    target: Decimal
    display_name: str = ""
    op: Literal["lte", "gte", "lt", "gt"] | None = None
    value: Decimal | None = None
    time_slice_target: Decimal | None = None
    time_slice_window: str | None = None


class SloSpec(_Part, frozen=True):
    """One objective."""

    description: str
    service: str
    indicator: InlineIndicator
    time_window: tuple[TimeWindow, ...]
    budgeting_method: Literal["Occurrences", "Timeslices"]
    objectives: tuple[Target, ...]
    alert_policies: tuple[str, ...] = ()


class Ref(_Part, frozen=True):
    """The name of a condition or of a target of notifications."""

    condition_ref: str = ""
    target_ref: str = ""


class PolicySpec(_Part, frozen=True):
    """When which target is told."""

    description: str
    alert_when_breaching: bool
    alert_when_resolved: bool
    alert_when_no_data: bool
    conditions: tuple[Ref, ...]
    notification_targets: tuple[Ref, ...]


class BurnRate(_Part, frozen=True):
    """How fast a budget is spent: 1 spends it exactly in its window."""

    kind: Literal["burnrate"]
    op: Literal["gt", "gte"]
    threshold: Decimal
    lookback_window: str
    alert_after: str


class ConditionSpec(_Part, frozen=True):
    """A condition and how bad it is."""

    severity: Literal["page", "ticket"]
    condition: BurnRate


class TargetSpec(_Part, frozen=True):
    """Where notifications go."""

    target: str
    description: str = ""


class ServiceSpec(_Part, frozen=True):
    """What the service is."""

    description: str


class DataSourceSpec(_Part, frozen=True):
    """Where metrics are asked for."""

    type: Literal["Prometheus"]
    connection_details: dict[str, str]
    description: str = ""


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One document of a file, before its spec is read as its kind says."""

    api_version: Literal["openslo/v1"]
    kind: Literal["Service", "DataSource", "SLO", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"]
    metadata: Metadata
    spec: dict[str, Any]


SPECS: dict[str, type[_Part]] = {
    "Service": ServiceSpec,
    "DataSource": DataSourceSpec,
    "SLO": SloSpec,
    "AlertPolicy": PolicySpec,
    "AlertCondition": ConditionSpec,
    "AlertNotificationTarget": TargetSpec,
}


# libyaml where there is one: ten times as fast, and a worker that is asked for the objectives answers others meanwhile.
class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # it comes without types
    """Reads 0.9995 as what it is."""

    def exact(self, node: yaml.ScalarNode) -> Decimal:
        """Return a number as it was written."""
        return Decimal(self.construct_scalar(node).replace("_", ""))


Loader.add_constructor("tag:yaml.org,2002:float", Loader.exact)


def documents(text: str, name: str) -> Iterator[tuple[Document, Any]]:
    """Yield each document of a file's *text* with its spec; numbers are exact decimals, never binary fractions.

    Raises SloFileError, with the file's *name* and the place, for what is not OpenSLO v1 or not understood here.
    """
    place = "the file"
    try:
        for number, raw in enumerate(yaml.load_all(text, Loader=Loader), start=1):
            place = f"document {number}"
            document = msgspec.convert(raw, Document)
            place = f"{document.kind} {document.metadata.name!r}"
            yield document, msgspec.convert(document.spec, SPECS[document.kind])
    except (yaml.YAMLError, msgspec.ValidationError, ArithmeticError) as error:
        raise SloFileError(f"{name}: {place} is not OpenSLO v1 as it is understood here: {error}") from None


def read_documents(path: Path) -> list[tuple[Document, Any]]:
    """Return the documents of a file; raise SloFileError where there is none that can be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SloFileError(f"{path} cannot be read: {error}") from None
    return list(documents(text, path.name))
