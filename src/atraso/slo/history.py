"""What was recorded of the objectives, hour by hour: asked of a Prometheus server, or read from its saved answer."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from typing import Any

import msgspec

from atraso.core.errors import AtrasoError
from atraso.slo.rules import REPORT_STEP

QUERY = f'{{__name__=~"slo:sli_(bad|total):increase{REPORT_STEP}"}}'
STEP_S = 3600
YEAR_9999_S = 253_370_764_800
TIMEOUT_S = 60.0
# Prometheus refuses more points of a series in one answer.
MOST_POINTS = 11_000
LOAD_RULES = "load deploy/monitoring/rules into the Prometheus that scrapes the service (`make observe` does)"


class HistoryError(AtrasoError):
    """The history of the objectives cannot be had; the sentence says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Hour:
    """The events of the hour that ends at `end_s` (since 1970); minutes where an objective counts time."""

    end_s: int
    bad: Decimal
    total: Decimal


# Name of the objective -> its hours, oldest first; an hour of which nothing is known is left out.
History = Mapping[str, tuple[Hour, ...]]
_Labels = frozenset[tuple[str, str]]


class _Series(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    result_type: str
    result: list[Any]


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    status: str
    data: _Data | None = None
    error: str = ""


def ask(url: str, start_s: int, end_s: int) -> bytes:
    """Return what the Prometheus server at *url* answers for the hours from *start_s* to *end_s*, as it came.

    The last one ends at *end_s*, so that what happened just now is in it.

    Raises HistoryError where it cannot be reached or refuses.
    """
    if not 0 < (end_s - start_s) // STEP_S <= MOST_POINTS:
        raise HistoryError(f"the window has to hold 1 to {MOST_POINTS:,} hours")
    address, credentials = _without_credentials(url)
    # The hour that ends at the start is before it.
    asked = urllib.parse.urlencode({"query": QUERY, "start": start_s + STEP_S, "end": end_s, "step": STEP_S})
    whole = f"{address.rstrip('/')}/api/v1/query_range?{asked}"
    try:
        request = urllib.request.Request(whole, headers=credentials)  # noqa: S310 - http or https, see above
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            found: bytes = answer.read()
            return found
    except urllib.error.HTTPError as error:
        raise HistoryError(f"the Prometheus at {address} refused: {error.code} {_why(error.read())}") from None
    except (OSError, ValueError, HTTPException) as error:
        why = str(getattr(error, "reason", error)).strip()
        raise HistoryError(
            f"no Prometheus answers at {address} ({why}): say where it is with --prometheus URL, or give --range FILE"
        ) from None


def shown(url: str) -> str:
    """Return *url* as it may be shown: without name and password. Raises HistoryError for what is no address."""
    return _without_credentials(url)[0]


def _without_credentials(url: str) -> tuple[str, dict[str, str]]:
    """Return *url* without name and password, as it may be shown, and the header that takes their place."""
    try:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it has no host")
        host = parts.netloc.rpartition("@")[2]
    except ValueError as error:
        raise HistoryError(f"that is no address of a Prometheus server ({error}): write http://HOST:PORT") from None
    if parts.username is None:
        return url, {}
    said = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    return parts._replace(netloc=host).geturl(), {"Authorization": f"Basic {b64encode(said.encode()).decode()}"}


def read_history(answer: bytes, where: str) -> History:
    """Return the hours in a Prometheus server's answer; *where* it came from is told in a HistoryError."""
    try:
        told = msgspec.json.decode(answer, type=_Answer)
        if told.data is None or told.data.result_type != "matrix":
            kind = told.data.result_type if told.data else told.error or told.status
            raise HistoryError(
                f"{where} holds no range of Prometheus (a matrix) but {kind!r}: save one with --save FILE"
            )
        series = msgspec.convert(told.data.result, list[_Series])
        # Label sets -> what is known of them: several services, or a pair of Prometheus servers, are added up.
        found: dict[str, dict[_Labels, dict[str, dict[int, Decimal]]]] = {}
        for one in series:
            part = one.metric.get("__name__", "").removeprefix("slo:sli_").removesuffix(f":increase{REPORT_STEP}")
            if part in ("bad", "total") and "slo" in one.metric:
                labels = frozenset((name, value) for name, value in one.metric.items() if name != "__name__")
                points = found.setdefault(one.metric["slo"], {}).setdefault(labels, {}).setdefault(part, {})
                points |= {_moment(at_s): count for at_s, text in one.values if (count := _count(text)) is not None}
    except (msgspec.DecodeError, ValueError) as error:
        raise HistoryError(f"{where} is no answer of Prometheus: {error}") from None
    if not found:
        raise HistoryError(f"{where} knows no series {QUERY}: {LOAD_RULES}, and wait some minutes")
    return {name: _hours(of_labels.values()) for name, of_labels in found.items()}


def read_saved(path: Path) -> bytes:
    """Return a saved answer; raise HistoryError where the file cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {error.strerror}") from None


def _moment(at_s: float) -> int:
    if not 0 <= at_s < YEAR_9999_S:
        raise ValueError(f"{at_s:g} is no time in seconds since 1970")
    return round(at_s)


def _count(text: str) -> Decimal | None:
    """Return how many there were, or None where that is not known."""
    try:
        count = Decimal(text)
    except ArithmeticError:
        raise ValueError(f"{text!r} is no number") from None
    if not count.is_finite():
        return None
    if count < 0:
        raise ValueError(f"{text} is no number of events")
    return count


def _hours(parts: Iterable[Mapping[str, Mapping[int, Decimal]]]) -> tuple[Hour, ...]:
    """Return the hours of which both parts are known, added up."""
    sums: dict[int, tuple[Decimal, Decimal]] = {}
    for one in parts:
        bad, total = one.get("bad", {}), one.get("total", {})
        for at_s in bad.keys() & total.keys():
            before = sums.get(at_s, (Decimal(), Decimal()))
            sums[at_s] = (before[0] + bad[at_s], before[1] + total[at_s])
    return tuple(Hour(at_s, *sums[at_s]) for at_s in sorted(sums))


def _why(answer: bytes) -> str:
    try:
        return msgspec.json.decode(answer, type=_Answer).error
    except msgspec.DecodeError:
        return answer[:200].decode(errors="replace")
