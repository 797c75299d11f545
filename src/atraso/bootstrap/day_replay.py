"""Real days sent through a service as they happened: schedule, questions at every lead, departures as they leave."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from atraso.artefact.scorer import Scorer
from atraso.core.addresses import bearer, service_address
from atraso.core.errors import AtrasoError
from atraso.core.flights import DepartureTable, FlightTable, moment_from_utc_minutes
from atraso.core.leads import LEADS, SCHEDULE
from atraso.core.prediction import sigmoid
from atraso.core.scorecard import ANCHOR
from atraso.core.scores import score_card
from atraso.serving.airport_state import FELL_BACK
from atraso.training.evaluate import judged, log_odds

Progress = Callable[[int, int], None]

# The answer that needs no state is asked for when the flight is further away than any lead.
SCHEDULE_AHEAD_MINUTES = 25 * 60
MOST_IN_ONE_REQUEST = 5000
ANSWER_WITHIN_S = 60.0
PATIENCE_S = 30.0
EQUAL_WITHIN = 1e-6


class ReplayError(AtrasoError):
    """The days cannot be replayed."""


@dataclass(frozen=True, slots=True)
class Days:
    """What is replayed: the departures of the days in question, those before, and flights that never left."""

    data: DepartureTable
    history: DepartureTable
    unflown: FlightTable

    @staticmethod
    def between(first: int, end: int, departures: DepartureTable, unflown: FlightTable) -> Days:
        """Return the days from *first* to before *end*, in minutes of the airport's own clock since 1970."""
        local = departures.flights.scheduled_local
        return Days(
            departures.take((local >= first) & (local < end)),
            departures.take(local < first),
            unflown.take(unflown.scheduled_local < end),
        )


@dataclass(slots=True)
class Replayed:
    """What came of it: how many flights and answers, and the largest difference to `evaluate` in probability.

    `by_lead` has that difference (None where nothing could be compared) and `scores` the scores of each lead, `bases`
    how many answers stood on which basis. `fell_back` counts the answers at a live lead that stood on the schedule and
    said why in a warning: `evaluate` has nothing to compare them with. One that says nothing is compared.
    """

    flights: int
    answers: int = 0
    max_abs_difference: float = 0.0
    by_lead: dict[str, float | None] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    bases: dict[str, int] = field(default_factory=dict)
    fell_back: int = 0
    seconds: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether the service said what `evaluate` says, at every lead."""
        return self.max_abs_difference <= EQUAL_WITHIN and not self.unproved

    @property
    def unproved(self) -> list[str]:
        """The leads at which every answer fell back."""
        return [lead for lead, difference in self.by_lead.items() if difference is None]


class Client:
    """Asks one service, one request after the other, with a *key* where it wants one."""

    def __init__(self, url: str, key: str | None) -> None:
        try:
            parts = service_address(url)
            shown = {"authorization": bearer(key)} if key else {}
        except ValueError as error:
            raise ReplayError(str(error)) from None
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._url = url
        self._connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN_S)
        self._headers = {"content-type": "application/json", **shown}

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def get(self, path: str) -> Any:
        """Return the JSON at *path*."""
        return self._asked("GET", path, None)

    def post(self, path: str, content: object) -> Any:
        """Return the JSON that is answered to *content*."""
        return self._asked("POST", path, json.dumps(content))

    def _asked(self, method: str, path: str, body: str | None) -> Any:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._connection.request(method, path, body, self._headers)
                answer = self._connection.getresponse()
                content = answer.read()
            except (OSError, HTTPException) as error:
                self._connection.close()
                raise ReplayError(f"{self._url} does not answer: {error}.") from None
            if answer.status == 200:
                return json.loads(content)
            if answer.status not in (429, 503) or time.monotonic() >= until:
                raise ReplayError(f"{self._url}{path} answers {answer.status}: {_detail(content)}")
            time.sleep(float(answer.headers.get("Retry-After", "1")))


def replay_days(client: Client, scorer: Scorer, days: Days, speed: float | None, progress: Progress) -> Replayed:
    """Send *days* through the service of *client*, *speed* times as fast as they were (None: as fast as it answers).

    The answers are compared with what `evaluate` says of the same flights with the model of *scorer*.
    """
    began = time.monotonic()
    flights = days.data.flights
    asked = sorted(
        (int(utc) - (lead.minutes or SCHEDULE_AHEAD_MINUTES), place, row)
        for place, lead in enumerate(LEADS)
        for row, utc in enumerate(flights.scheduled_utc.tolist())
    )
    every = DepartureTable.concat([days.history, days.data])
    _tell(client, scorer, FlightTable.concat([every.flights, days.unflown]))
    _tell(client, scorer, days.unflown, cancelled=True)
    told = _Departures(client, scorer, every)
    result = Replayed(len(days.data))
    said = np.full((len(LEADS), len(days.data)), np.nan)
    first = asked[0][0]
    compared = np.ones(said.shape, dtype=np.bool_)
    told.until(first)
    at = 0
    while at < len(asked):
        minute = asked[at][0]
        end = at
        while end < len(asked) and asked[end][0] == minute and end - at < MOST_IN_ONE_REQUEST:
            end += 1
        if speed is not None:
            time.sleep(max((minute - first) * 60 / speed - (time.monotonic() - began), 0.0))
        told.until(minute)
        rows = [row for _, _, row in asked[at:end]]
        questions = [_names(flights, row, scorer.zones) for row in rows]
        as_of = moment_from_utc_minutes(minute, scorer.zones[str(flights.origin[rows[0]])]).isoformat()
        answers = client.post("/v1/predictions", {"flights": questions, "as_of": as_of})["predictions"]
        for (_, place, row), answer in zip(asked[at:end], answers, strict=True):
            said[place, row] = answer["delay_probability"]
            result.bases[answer["basis"]] = result.bases.get(answer["basis"], 0) + 1
            compared[place, row] = LEADS[place] is SCHEDULE or not _fell_back(answer)
        at = end
        progress(at, len(asked))
    told.until(None)
    result.answers = len(asked)
    result.fell_back = int((~compared).sum())
    _compare(result, said, compared, scorer, days)
    result.seconds = round(time.monotonic() - began, 1)
    return result


def _fell_back(answer: dict[str, Any]) -> bool:
    """Return whether an answer stands on the schedule and says why."""
    warnings = answer.get("warnings", ())
    return bool(answer["basis"] == SCHEDULE.name and any(warning.endswith(FELL_BACK) for warning in warnings))


def _compare(
    result: Replayed, said: NDArray[np.float64], compared: NDArray[np.bool_], scorer: Scorer, days: Days
) -> None:
    question = judged(days.data, days.history, [days.unflown] if len(days.unflown) else [], schedule=True)
    for place, lead in enumerate(LEADS):
        expected = [sigmoid(x) for x in log_odds(scorer, question, lead.name)[:, ANCHOR].tolist()]
        differences = np.abs(said[place] - np.array(expected))[compared[place]]
        result.by_lead[lead.name] = float(differences.max()) if len(differences) else None
        delayed = days.data.delayed
        counts = {"n": len(delayed), "delayed": int(delayed.sum())}
        result.scores[lead.name] = score_card(delayed, said[place], scorer.manifest.base_rate) | counts
    result.max_abs_difference = max(found for found in result.by_lead.values() if found is not None)


class _Departures:
    """Reports departures in the order in which they left."""

    def __init__(self, client: Client, scorer: Scorer, departures: DepartureTable) -> None:
        self._client, self._scorer = client, scorer
        self._departures = departures.take(np.argsort(departures.actual_utc, kind="stable"))
        self._at = 0

    def until(self, minute: int | None) -> None:
        """Report all that left by *minute* (None: the rest)."""
        actual = self._departures.actual_utc
        end = len(actual) if minute is None else int(np.searchsorted(actual, minute, side="right"))
        if end > self._at:
            some = self._departures.take(slice(self._at, end))
            _tell(self._client, self._scorer, some.flights, actual=some.actual_utc.tolist())
            self._at = end


def _tell(
    client: Client,
    scorer: Scorer,
    flights: FlightTable,
    *,
    actual: Sequence[int] | None = None,
    cancelled: bool = False,
) -> None:
    """Report *flights*: that they left at *actual*, that they are cancelled, or else that they are to leave."""
    for start in range(0, len(flights), MOST_IN_ONE_REQUEST):
        reports = []
        for row in range(start, min(start + MOST_IN_ONE_REQUEST, len(flights))):
            report: dict[str, object] = dict(_names(flights, row, scorer.zones))
            zone = scorer.zones[str(flights.origin[row])]
            if actual is not None:
                left = moment_from_utc_minutes(actual[row], zone).isoformat()
                report |= {"actual_departure": left, "reported_at": left}
            elif cancelled:
                report |= {"cancelled": True, "reported_at": report["scheduled_departure"]}
            reports.append(report)
        client.post("/v1/departures", {"departures": reports})


def _names(flights: FlightTable, row: int, zones: dict[str, ZoneInfo]) -> dict[str, str]:
    flight = flights.flight(row, zones)
    return {
        "airline": flight.airline,
        "flight_number": flight.flight_number,
        "origin": flight.origin,
        "destination": flight.destination,
        "scheduled_departure": flight.scheduled_departure.isoformat(),
    }


def _detail(content: bytes) -> str:
    try:
        problem = json.loads(content)
        places = "; ".join(f"{place['pointer']} {place['detail']}" for place in problem.get("errors", ())[:3])
        return f"{problem['detail']} {places}".strip()
    except (ValueError, KeyError, TypeError):
        return content[:200].decode(errors="replace")
