"""OpenSLO v1, the part of it that this project uses: documents read, and refused where they hold anything else.

What it limits is limited here too, so that other readers of OpenSLO take a file that is taken here. Source: the
specification's README, https://github.com/OpenSLO/OpenSLO, and its reference reader, OpenSLO/go-sdk. Where these and
the JSON Schema beside them differ, these count: a reference to a policy is an object, and `0m` is no wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta

from atraso.core.errors import AtrasoError

API_VERSION = "openslo/v1"
BUNDLED = Path(str(files("atraso.slo"))) / "slo.yaml"

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Title = Annotated[str, Meta(max_length=63)]
Description = Annotated[str, Meta(max_length=1050)]
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
AnnotationKey = Annotated[
    str, Meta(pattern=rf"^({_LABEL}(\.{_LABEL})+/)?[a-zA-Z0-9]([-._a-zA-Z0-9]{{0,61}}[a-zA-Z0-9])?$", max_length=317)
]


class SloFileError(AtrasoError):
    """A file of objectives says something that cannot be used; the sentence tells where, and what would be right."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A part of a document: what OpenSLO does not know is refused, because it would be ignored."""


class Metadata(_Part, frozen=True):
    """What a document is called."""

    name: Name
    display_name: Title = ""
    labels: dict[str, str | tuple[str, ...]] = {}
    annotations: dict[AnnotationKey, str] = {}


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

    description: Description = ""
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


class PolicyRef(_Part, frozen=True):
    """The name of a policy."""

    alert_policy_ref: Name


class SloSpec(_Part, frozen=True):
    """One objective."""

    description: Description
    service: str
    indicator: InlineIndicator
    time_window: tuple[TimeWindow, ...]
    budgeting_method: Literal["Occurrences", "Timeslices"]
    objectives: tuple[Target, ...]
    alert_policies: tuple[PolicyRef, ...] = ()


class Ref(_Part, frozen=True):
    """The name of a condition or of a target of notifications."""

    condition_ref: str = ""
    target_ref: str = ""


class PolicySpec(_Part, frozen=True):
    """When which target is told."""

    description: Description
    alert_when_breaching: bool
    alert_when_resolved: Literal[True]
    alert_when_no_data: bool
    conditions: tuple[Ref, ...]
    notification_targets: tuple[Ref, ...]


class BurnRate(_Part, frozen=True):
    """How fast a budget is spent: 1 spends it exactly in its window."""

    kind: Literal["burnrate"]
    op: Literal["gt", "gte"]
    threshold: Decimal
    lookback_window: str
    alert_after: str = "0m"


class ConditionSpec(_Part, frozen=True):
    """A condition and how bad it is."""

    severity: Literal["page", "ticket"]
    condition: BurnRate


class TargetSpec(_Part, frozen=True):
    """Where notifications go."""

    target: str
    description: Description = ""


class ServiceSpec(_Part, frozen=True):
    """What the service is."""

    description: Description


class DataSourceSpec(_Part, frozen=True):
    """Where metrics are asked for."""

    type: Literal["Prometheus"]
    connection_details: dict[str, Any]
    description: Description = ""


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
        text = self.construct_scalar(node)
        try:
            return Decimal(text.replace("_", ""))
        except ArithmeticError:
            raise yaml.constructor.ConstructorError(
                problem=f"{text} is no number", problem_mark=node.start_mark
            ) from None


Loader.add_constructor("tag:yaml.org,2002:float", Loader.exact)


def _finite(part: Any) -> None:
    """Raise ValidationError for a number in *part* that is none, such as NaN, which text can stand for."""
    if isinstance(part, Decimal) and not part.is_finite():
        raise msgspec.ValidationError(f"{part} is no number")
    for inner in part if isinstance(part, tuple) else msgspec.structs.astuple(part) if isinstance(part, _Part) else ():
        _finite(inner)


def documents(text: str, name: str) -> Iterator[tuple[Document, Any]]:
    """Yield each document of a file's *text* with its spec; numbers are exact decimals, never binary fractions.

    Raises SloFileError, with the file's *name* and the place, for what is not OpenSLO v1 or not understood here.
    """
    place = "the file"
    try:
        for number, raw in enumerate(yaml.load_all(text, Loader=Loader), start=1):
            if raw is None:
                continue  # nothing between two lines of dashes
            place = f"document {number}"
            document = msgspec.convert(raw, Document)
            place = f"{document.kind} {document.metadata.name!r}"
            spec = msgspec.convert(document.spec, SPECS[document.kind])
            _finite(spec)
            yield document, spec
            place = f"what stands after {place}"
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise SloFileError(f"{name}: {place} is not OpenSLO v1 as it is understood here: {error}") from None


def read_documents(path: Path) -> list[tuple[Document, Any]]:
    """Return the documents of a file; raise SloFileError where there is none that can be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SloFileError(f"{path} cannot be read: {error}") from None
    return list(documents(text, path.name))
