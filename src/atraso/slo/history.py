"""What was recorded of the objectives, hour by hour: asked of a Prometheus server, or read from its saved answer."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from atraso.core.errors import AtrasoError
from atraso.slo.rules import REPORT_STEP

QUERY = f'{{__name__=~"slo:sli_(bad|total):increase{REPORT_STEP}"}}'
STEP_S = 3600
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
    # The hour that ends at the start is before it.
    asked = urllib.parse.urlencode({"query": QUERY, "start": start_s + STEP_S, "end": end_s, "step": STEP_S})
    whole = f"{url.rstrip('/')}/api/v1/query_range?{asked}"
    if not whole.startswith(("http://", "https://")):
        raise HistoryError(f"{url} is no address of a Prometheus server: write http://HOST:PORT")
    try:
        with urllib.request.urlopen(whole, timeout=TIMEOUT_S) as answer:  # noqa: S310 - http or https, see above
            found: bytes = answer.read()
            return found
    except urllib.error.HTTPError as error:
        raise HistoryError(f"the Prometheus at {url} refused: {error.code} {_why(error.read())}") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        raise HistoryError(
            f"no Prometheus answers at {url} ({why}): say where it is with --prometheus URL, or use --range FILE.json"
        ) from None


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
        found: dict[str, dict[str, dict[int, Decimal]]] = {}
        for one in series:
            part = one.metric.get("__name__", "").removeprefix("slo:sli_").removesuffix(f":increase{REPORT_STEP}")
            if part in ("bad", "total") and "slo" in one.metric:
                points = found.setdefault(one.metric["slo"], {}).setdefault(part, {})
                points |= {round(at_s): value for at_s, text in one.values if (value := Decimal(text)).is_finite()}
    except (msgspec.DecodeError, ArithmeticError) as error:
        raise HistoryError(f"{where} is no answer of Prometheus: {error}") from None
    if not found:
        raise HistoryError(f"{where} knows no series {QUERY}: {LOAD_RULES}, and wait some minutes")
    return {name: _hours(parts.get("bad", {}), parts.get("total", {})) for name, parts in found.items()}


def read_saved(path: Path) -> bytes:
    """Return a saved answer; raise HistoryError where the file cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {error.strerror}") from None


def _hours(bad: Mapping[int, Decimal], total: Mapping[int, Decimal]) -> tuple[Hour, ...]:
    return tuple(Hour(at_s, bad[at_s], total[at_s]) for at_s in sorted(bad.keys() & total.keys()))


def _why(answer: bytes) -> str:
    try:
        return msgspec.json.decode(answer, type=_Answer).error
    except msgspec.DecodeError:
        return answer[:200].decode(errors="replace")
