"""`/v1/departures`: what is taken, how it is read, and what is refused by name."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from atraso.core.errors import LedgerUnavailableError
from atraso.ledger.commands import FlightReport, Report, Reported
from atraso.serving.app import Worker, create_app
from atraso.serving.books import Books
from atraso.serving.departures import MAX_ASKING, MAX_WAITING
from atraso.serving.predictions import Limits
from atraso.telemetry.cells import Board
from tests.serving.asgi import Answer, call_async, get, post
from tests.serving.fakes import SAME, SCEL, flight, scorer

PATH = "/v1/departures"
NOON = 1_500_033_600.0  # 2017-07-14T12:00:00Z, 08:00 in Santiago
NOON_UTC = 25_000_560


class Desk:
    """Stands for the ledger's writer: keeps what it is told."""

    def __init__(self, answer: Callable[[Report], Reported] | None = None) -> None:
        self.told: list[Report] = []
        self._answer = answer

    def __call__(self, report: Report) -> Reported:
        self.told.append(report)
        return self._answer(report) if self._answer else Reported(len(report.flights), 0, 77)


def report(**changed: object) -> dict[str, object]:
    """Return a good report: the flight of 07:30 left at 07:42."""
    told = {"scheduled_departure": "2017-07-14T07:30:00", "actual_departure": "2017-07-14T07:42:00", **changed}
    return flight(**told)


def sent(*reports: dict[str, object], now_s: float = NOON, airports: Any = (), **worker: Any) -> tuple[Answer, Desk]:
    desk = Desk()
    app = create_app(scorer(*airports), Worker(now=lambda: now_s, **{"report": desk, **worker}))
    return post(app, PATH, {"departures": list(reports)}), desk


def taken(*reports: dict[str, object], **more: Any) -> list[FlightReport]:
    answer, desk = sent(*reports, **more)
    assert answer.status == 200, answer.body
    return list(desk.told[0].flights)


def refused(*reports: dict[str, object], **more: Any) -> dict[str, str]:
    answer, desk = sent(*reports, **more)
    assert (answer.status, desk.told) == (422, []), answer.body
    return {pointer.removeprefix("/departures/0"): detail for pointer, detail in answer.places.items()}


def test_a_departure_reaches_the_ledger_as_the_model_names_it() -> None:
    """Codes, numbers and times as everywhere in the ledger; who told it, and when."""
    answer, desk = sent(report(airline="LA", flight_number="LA0282", destination="LIM"))
    assert answer.json == {"received": 1, "new": 1, "state": {"version": 77}, "warnings": []}
    local = "2017-07-14T07:30:00-04:00"
    left = FlightReport("LAN", "282", "SCEL", "SPJC", NOON_UTC - 30, local, NOON_UTC - 18, False, None)
    assert desk.told == [Report("anybody", int(NOON * 1000), (left,))]


def test_a_flight_may_be_cancelled_or_only_scheduled() -> None:
    """Without an actual departure; the moment of the report goes along."""
    cancelled, scheduled = taken(
        report(actual_departure=None, cancelled=True, reported_at="2017-07-14T07:50:10"),
        report(actual_departure=None, scheduled_departure="2017-08-01T10:00:00"),
    )
    assert (cancelled.actual_utc, cancelled.cancelled) == (None, True)
    assert cancelled.reported_ms == (NOON_UTC - 10) * 60_000 + 10_000
    assert (scheduled.actual_utc, scheduled.cancelled, scheduled.reported_ms) == (None, False, None)


@pytest.mark.parametrize(
    "actual", ["2017-07-14T11:42:30Z", "2017-07-14T13:42:00+02:00", "2017-07-14T07:42:59-04:00", "2017-07-14 07:42"]
)
def test_times_of_another_zone_are_converted(actual: str) -> None:
    """With an offset; without one it is the airport's clock. Minutes are whole, seconds are dropped."""
    (left,) = taken(report(actual_departure=actual, scheduled_departure="2017-07-14T13:30:00+02:00"))
    assert (left.scheduled_utc, left.actual_utc) == (NOON_UTC - 30, NOON_UTC - 18)
    assert left.scheduled_local == "2017-07-14T07:30:00-04:00"


def test_the_zone_is_that_of_the_airport_of_departure() -> None:
    """Where the model covers several."""
    (left,) = taken(report(origin="MDZ", reported_at="2017-07-14T08:43:00"), airports=(SCEL, SAME))
    assert left.scheduled_local == "2017-07-14T07:30:00-03:00"
    assert left.actual_utc == NOON_UTC - 78
    assert left.reported_ms == (NOON_UTC - 17) * 60_000


def test_an_hour_that_happens_twice_is_the_first_unless_an_offset_says_otherwise() -> None:
    """13 May 2017, 23:00 to 24:00 in Santiago: first with -03:00, then with -04:00; delays are minutes that passed."""
    around = {"scheduled_departure": "2017-05-13T22:50:00"}
    answer, desk = sent(report(**around, actual_departure="2017-05-13T23:20:00"))
    assert desk.told[0].flights[0].actual_utc == desk.told[0].flights[0].scheduled_utc + 30
    (warning,) = answer.json["warnings"]
    assert warning["pointer"] == "/departures/0"
    assert "happens twice in America/Santiago because of a clock change; taken as the first" in warning["detail"]
    (left,) = taken(report(**around, actual_departure="2017-05-13T23:20:00-04:00"))
    assert left.actual_utc == left.scheduled_utc + 90
    (left,) = taken(report(**around, actual_departure="2017-05-14T00:10:00"))
    assert left.actual_utc == left.scheduled_utc + 140
    first, second = taken(
        report(scheduled_departure="2017-05-13T23:20:00", actual_departure=None),
        report(scheduled_departure="2017-05-13T23:20:00-04:00", actual_departure=None),
    )
    assert second.scheduled_utc - first.scheduled_utc == 60
    assert (first.scheduled_local[-6:], second.scheduled_local[-6:]) == ("-03:00", "-04:00")


def test_an_hour_that_is_skipped_is_read_by_the_clock_before_the_change() -> None:
    """12 August 2017, after 24:00 in Santiago the clock shows 01:00."""
    now_s = NOON + 40 * 86_400
    answer, desk = sent(
        report(scheduled_departure="2017-08-12T23:50:00", actual_departure="2017-08-13T00:20:00"), now_s=now_s
    )
    (left,) = desk.told[0].flights
    assert left.actual_utc == left.scheduled_utc + 30
    assert "is skipped by a clock change in America/Santiago" in answer.json["warnings"][0]["detail"]
    (same,) = taken(
        report(scheduled_departure="2017-08-12T23:50:00", actual_departure="2017-08-13T01:20:00"), now_s=now_s
    )
    assert same.actual_utc == left.actual_utc


def test_a_year_later_is_not_too_late() -> None:
    """Departures that were forgotten may be told at any time."""
    (left,) = taken(report(), now_s=NOON + 365 * 86_400)
    assert left.actual_utc == NOON_UTC - 18


def test_what_the_model_never_saw_is_kept_with_a_warning() -> None:
    """Well-formed codes; the answer says which report it is about."""
    answer, desk = sent(report(), report(destination="KMIA"))
    assert answer.json["warnings"] == [
        {"pointer": "/departures/1", "detail": "destination KMIA was not seen in training"}
    ]
    assert [told.destination for told in desk.told[0].flights] == ["SPJC", "KMIA"]


@pytest.mark.parametrize(
    ("changed", "pointer", "why"),
    [
        ({"actual_departure": "2017-07-14T08:06:00"}, "/actual_departure", "is in the future"),
        ({"scheduled_departure": "2017-07-11T07:30:00"}, "/actual_departure", "is 72 h after the scheduled departure"),
        ({"scheduled_departure": "2017-07-12T07:41:00"}, "/actual_departure", "is 48 h after"),
        ({"scheduled_departure": "2017-07-14T19:43:00"}, "/actual_departure", "is 12 h before"),
        ({"actual_departure": "yesterday"}, "/actual_departure", "is not a date with a time"),
        ({"actual_departure": "2017-02-30T08:00:00"}, "/actual_departure", "is not a date and time that exist"),
        ({"actual_departure": 5}, "/actual_departure", "expected text"),
        ({"cancelled": True}, "/cancelled", "is true although actual_departure says when the flight left"),
        ({"cancelled": "yes"}, "/cancelled", "expected true or false"),
        ({"reported_at": "2017-07-14T08:06:00"}, "/reported_at", "is in the future"),
        ({"reported_at": "soon"}, "/reported_at", "is not a date with a time"),
        ({"actual_departure": None, "scheduled_departure": "2018-08-19T08:00:00"}, "/scheduled_departure", "400 days"),
        ({"scheduled_departure": "noon"}, "/scheduled_departure", "is not a date with a time"),
        ({"airline": "no airline"}, "/airline", "is not an airline"),
        ({"flight_number": "x"}, "/flight_number", "is not a flight number"),
        ({"gate": "7"}, "/gate", "is not a field here"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(changed: dict[str, object], pointer: str, why: str) -> None:
    """Only the field that is wrong is told, and nothing reaches the ledger."""
    places = refused(report(**changed))
    assert list(places) == [pointer]
    assert why in places[pointer]


def test_the_bounds_themselves_are_taken() -> None:
    """Five minutes ahead, 12 h before and 48 h after the schedule, 400 days."""
    assert taken(report(actual_departure="2017-07-14T08:05:00"), report(reported_at="2017-07-14T08:05:00"))
    assert taken(report(scheduled_departure="2017-07-14T19:42:00"), report(scheduled_departure="2017-07-12T07:42:00"))
    assert taken(report(actual_departure=None, scheduled_departure="2018-08-18T08:00:00"))


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Of every report, and one wrong place refuses all."""
    answer, desk = sent(
        report(),
        report(airline="no airline", actual_departure="tomorrow", reported_at="2018-01-01T00:00:00", cancelled=True),
        report(scheduled_departure="noon", actual_departure="2030-01-01T00:00:00", colour="red"),
    )
    assert (answer.status, desk.told) == (422, [])
    assert list(answer.places) == [
        "/departures/1/airline",
        "/departures/1/actual_departure",
        "/departures/1/cancelled",
        "/departures/1/reported_at",
        "/departures/2/colour",
        "/departures/2/scheduled_departure",
        "/departures/2/actual_departure",
    ]


@pytest.mark.parametrize(
    ("content", "status", "pointer"),
    [
        ({"departures": []}, 422, "/departures"),
        ({"departures": [report()] * 3}, 422, "/departures"),
        ({}, 422, "/departures"),
        ({"departures": 5}, 422, "/departures"),
        ({"departures": [5]}, 422, "/departures/0"),
        ({"departures": [report()], "flights": []}, 422, "/flights"),
        ([], 422, ""),
        (b"{", 400, ""),
        (b"", 400, ""),
        (b'{"departures": [NaN]}', 400, ""),
        (b'{"departures": [{"a":"' + b'","b":"' * 160_000 + b'"}]}', 422, "/departures/0"),
    ],
)
def test_the_whole_may_be_wrong(content: object, status: int, pointer: str) -> None:
    """Its form, its size, and what is no JSON."""
    desk = Desk()
    app = create_app(scorer(), Worker(now=lambda: NOON, report=desk, limits=Limits(max_flights=2)))
    answer = post(app, PATH, content)
    assert (answer.status, desk.told) == (status, []), answer.body
    assert list(answer.places) == [pointer]


def test_other_methods_and_types_are_refused() -> None:
    """As everywhere."""
    app = create_app(scorer(), Worker(report=Desk()))
    assert (get(app, PATH).status, get(app, PATH).headers["allow"]) == (405, "POST")
    assert post(app, PATH, {"departures": [report()]}, **{"content-type": "text/plain"}).status == 415


def test_ten_thousand_at_once_let_others_in_between() -> None:
    """The loop goes on between their chunks and while the writer works."""
    asked = threading.Event()
    app = create_app(scorer(), Worker(now=lambda: NOON, report=Desk(lambda r: (asked.wait(5), Reported(7, 2, 1))[1])))
    numbers = [report(flight_number=str(1 + n % 90)) for n in range(10_000)]

    async def both() -> tuple[Answer, int]:
        turns = 0
        large = asyncio.create_task(_posted(app, {"departures": numbers}))
        while not large.done():
            assert (await call_async(app, "GET", "/health")).status == 200
            await asyncio.sleep(0)
            turns += 1
            if turns == 20:
                asked.set()
        return await large, turns

    answer, turns = asyncio.run(both())
    assert answer.json == {"received": 10_000, "new": 9, "state": {"version": 1}, "warnings": []}
    assert turns >= 20


def test_a_ledger_that_cannot_be_written_is_told_to_try_again(caplog: pytest.LogCaptureFixture) -> None:
    """Where it lies and what is wrong is in the log alone; a service without a ledger names the setting."""
    why = "The ledger /srv/x.sqlite3 cannot be used now: database is locked."

    def down(report: Report) -> Reported:
        raise LedgerUnavailableError(why)

    answer, _ = sent(report(), report=down)
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert "the ledger cannot be used now" in answer.json["detail"]
    assert b"/srv" not in answer.body and b"locked" not in answer.body
    assert [record.getMessage() for record in caplog.records] == [f"Departures cannot be taken now: {why}"]
    answer, _ = sent(report(), report=None)
    assert (answer.status, "retry-after" in answer.headers) == (503, True)
    assert "ATRASO_LEDGER=spool turns it on" in answer.json["detail"]


def test_few_ask_the_writer_at_once_and_a_crowd_is_sent_away() -> None:
    """Four threads; who waits beyond so many reports is answered 503."""
    go, asking, most = threading.Event(), [], []

    def slow(told: Report) -> Reported:
        asking.append(1)
        most.append(len(asking))
        go.wait(10)
        asking.pop()
        return Reported(len(told.flights), 0, 1)

    app = create_app(scorer(), Worker(now=lambda: NOON, report=slow))
    each = 1000
    crowd = MAX_WAITING // each

    async def crowded() -> list[int | None]:
        content = {"departures": [report()] * each}
        tasks = [asyncio.create_task(_posted(app, content)) for _ in range(crowd + 3)]
        while sum(task.done() for task in tasks) < 3:
            await asyncio.sleep(0.01)
        go.set()
        return [(await task).status for task in tasks]

    statuses = asyncio.run(crowded())
    assert (statuses.count(200), statuses.count(503)) == (crowd, 3)
    assert max(most) == MAX_ASKING


def test_every_result_is_counted() -> None:
    """New, known before, scheduled, refused: as many as there were reports."""
    desk = Desk(lambda told: Reported(2, 1, 5))
    board = Board()
    app = create_app(scorer(), Worker(now=lambda: NOON, report=desk, board=board, books=Books(board.slot(0))))
    post(app, PATH, {"departures": [report()] * 5})
    post(app, PATH, {"departures": [report(), report(airline="?")]})
    post(app, PATH, b"{")
    text = get(app, "/metrics").body.decode()
    for result, count in (("new", 2), ("scheduled", 1), ("repeated", 2), ("refused", 3)):
        assert f'atraso_departures_total{{result="{result}"}} {count}.0' in text


async def _posted(app: Any, content: object) -> Answer:
    body = json.dumps(content).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    return await call_async(app, "POST", PATH, headers, [body])
