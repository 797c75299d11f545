"""How much of each budget is gone now, as a Prometheus server with the rules of deploy/monitoring tells it."""

from __future__ import annotations

import base64
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from atraso.core.errors import AtrasoError
from atraso.slo.objectives import Objective
from atraso.slo.rules import error_ratio

MOST_BYTES = 1 << 20


class PrometheusError(AtrasoError):
    """A Prometheus server does not tell what it is asked; the sentence says why."""


class _Series(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    result_type: str
    result: list[Any]


class _Answer(msgspec.Struct, frozen=True):
    data: _Data


def error_ratios(url: str, objectives: Iterable[Objective], timeout_s: float) -> dict[str, float]:
    """Return the share that was bad of each objective over its window, by its name; what is not known is left out.

    *url* is the server's, with `name:password@` where it asks for them. Each step of the conversation takes at most
    *timeout_s*. Raises PrometheusError.
    """
    names = sorted({error_ratio(objective.window) for objective in objectives})
    matcher = "|".join(names)
    query = urllib.parse.urlencode({"query": f'{{__name__=~"{matcher}"}}'})
    request = _request(f"{url.rstrip('/')}/api/v1/query?{query}")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - http or https, see the settings
            content = answer.read(MOST_BYTES)
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection
        raise PrometheusError(f"Prometheus refuses: {error.code} {error.reason}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise PrometheusError(f"Prometheus does not answer: {getattr(error, 'reason', error)}") from None
    try:
        told = msgspec.json.decode(content, type=_Answer)
        series = msgspec.convert(told.data.result, list[_Series])
        return _worst(series, {one.name: error_ratio(one.window) for one in objectives})
    except (msgspec.DecodeError, ValueError) as error:
        raise PrometheusError(f"what answers there is no Prometheus: {error}") from None


def _worst(series: Iterable[_Series], names: Mapping[str, str]) -> dict[str, float]:
    """Return the ratio of each objective; the worst, where several tell of it, as replicas of Prometheus may."""
    found: dict[str, float] = {}
    for one in series:
        objective = one.metric.get("slo", "")
        ratio = float(one.value[1])
        if names.get(objective) == one.metric.get("__name__") and 0 <= ratio <= 1:  # no NaN
            found[objective] = max(ratio, found.get(objective, 0.0))
    return found


def _request(url: str) -> urllib.request.Request:
    parts = urllib.parse.urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urllib.parse.urlunsplit(parts._replace(netloc=host)))  # noqa: S310 - as above
    if user:
        credentials = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
        request.add_header("Authorization", f"Basic {credentials}")
    return request
