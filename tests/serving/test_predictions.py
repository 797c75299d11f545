"""`/v1/predictions`: the answer, and the refusals with every wrong place."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from atraso.serving.app import Worker, create_app
from atraso.serving.predictions import AT_A_TIME, Limits
from tests.serving.asgi import call_async, get, post
from tests.serving.fakes import BASE_RATE, SAME, SCEL, exceeds_of, flight, probability_of, scorer

PATH = "/v1/predictions"
NOON = 1_500_033_600.0  # 2017-07-14T12:00:00Z, 08:00 in Santiago
QUERY = "airline=LAN&flight_number=282&destination=LIM&scheduled_departure=2017-07-14T08:30:00"


def answered(content: Any, **more: Any) -> Any:
    answer = post(create_app(scorer(), Worker(now=lambda: NOON + 0.9, **more)), PATH, content)
    assert answer.status == 200, answer.body
    return answer.json


def refused(content: Any, **more: Any) -> dict[str, str]:
    answer = post(create_app(scorer(), Worker(**more)), PATH, content)
    assert answer.status == 422
    return answer.places


def test_shape_and_order() -> None:
    """The answer has the documented names, in the documented order, and the model's own numbers unrounded."""
    content = answered({"flights": [flight()], "explain": True})
    p = probability_of("282")
    (one,) = content["predictions"]
    assert list(content) == ["model", "as_of", "predictions"]
    assert content["model"] == {"airport": "SCEL", "version": "2017.1+abcdef"}
    assert content["as_of"] == "2017-07-14T08:00:00-04:00"
    identifier = one.pop("id")
    assert len(identifier) == 26
    assert list(one.items()) == [
        ("delay_probability", p),
        ("delayed", False),
        ("base_rate", BASE_RATE),
        ("basis", "schedule"),
        ("lead", "schedule"),
        ("exceeds", dict(zip(("0", "15", "30", "60"), exceeds_of(p), strict=True))),
        ("minutes", {"p50": -3.0, "p80": 16.4, "p95": 61.5}),
        (
            "reasons",
            [
                {"group": "airline", "value": "LAN", "effect": p - BASE_RATE + 0.05},
                {"group": "route", "value": "SCEL-SPJC", "effect": -0.05},
            ],
        ),
        ("warnings", []),
    ]
    assert list(one["exceeds"]) == ["0", "15", "30", "60"]


def test_reasons_only_when_asked() -> None:
    """Without `explain` the reasons are empty."""
    assert answered({"flights": [flight()]})["predictions"][0]["reasons"] == []


def test_codes_and_origin() -> None:
    """IATA codes, an airline's code in the number and the named origin give the same answer as ICAO codes."""
    content = answered(
        {"flights": [flight(), flight(airline="LA", flight_number="LA282", destination="LIM", origin="SCL")]}
    )
    one, other = content["predictions"]
    del one["id"], other["id"]
    assert one == other


def test_warnings_reach_the_answer() -> None:
    """What the model has to say about how it read a flight stands with that flight, one by one and in a batch."""
    for n in (2, 40):
        content = answered({"flights": [flight(destination="KMIA"), *[flight()] * (n - 1)]})
        warnings = [p["warnings"] for p in content["predictions"]]
        assert warnings == [["destination KMIA was not seen in training"], *[[]] * (n - 1)]


def test_order_of_flights() -> None:
    """Answers come in the order of the flights, repeated flights too, with identifiers that rise."""
    numbers = [str(1 + (i * 37) % 89) for i in range(AT_A_TIME + 7)]
    predictions = answered({"flights": [flight(flight_number=n) for n in numbers], "explain": True})["predictions"]
    assert [p["delay_probability"] for p in predictions] == [probability_of(n) for n in numbers]
    assert all(
        math.isclose(p["base_rate"] + sum(r["effect"] for r in p["reasons"]), p["delay_probability"])
        for p in predictions
    )
    ids = [p["id"] for p in predictions]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("n", [1, 2, 16, 17, 500, 501, 1000])
def test_batches_are_single_answers(n: int) -> None:
    """A batch of any size is the same JSON as its flights asked one by one."""
    flights = [flight(flight_number=str(1 + i % 80)) for i in range(n)]
    batch = answered({"flights": flights, "explain": True, "as_of": "2017-07-14T05:30"})
    singles = answered({"flights": flights[:1], "explain": True, "as_of": "2017-07-14T05:30"})
    assert list(batch) == list(singles)
    first, single = batch["predictions"][0], singles["predictions"][0]
    assert list(first) == list(single)
    del first["id"], single["id"]
    assert first == single
    assert len(batch["predictions"]) == n


@pytest.mark.parametrize(
    ("asked", "echoed"),
    [
        (None, "2017-07-14T08:00:00-04:00"),
        ("2017-07-14T05:30:00", "2017-07-14T05:30:00-04:00"),
        ("2017-07-14T05:30", "2017-07-14T05:30:00-04:00"),
        ("2017-07-14T09:30:00Z", "2017-07-14T05:30:00-04:00"),
        ("2017-01-14T09:30:00+01:00", "2017-01-14T05:30:00-03:00"),
        ("2017-07-14T05:30:00.123456", "2017-07-14T05:30:00-04:00"),
    ],
)
def test_as_of(asked: str | None, echoed: str) -> None:
    """The moment of the prediction is now or as given, echoed local to the airport with its offset, to the second."""
    assert answered({"flights": [flight()], "as_of": asked})["as_of"] == echoed


def test_as_of_of_a_doubtful_hour() -> None:
    """An hour that happens twice is answered with a warning at each flight."""
    content = answered({"flights": [flight()] * 2, "as_of": "2017-05-13T23:30:00"})
    assert ["twice" in " ".join(p["warnings"]) for p in content["predictions"]] == [True, True]


def test_now_moves_on() -> None:
    """The moment of one request is not that of the next."""
    seconds = iter([NOON, NOON, NOON + 61])
    app = create_app(scorer(), Worker(now=lambda: next(seconds)))
    moments = [post(app, PATH, {"flights": [flight()]}).json["as_of"] for _ in range(3)]
    assert [m[11:19] for m in moments] == ["08:00:00", "08:00:00", "08:01:01"]


@pytest.mark.parametrize("basis", ["auto", "schedule"])
def test_basis(basis: str) -> None:
    """Both words of `basis` are taken; while no state is known both give the schedule's answer."""
    assert answered({"flights": [flight()], "basis": basis})["predictions"][0]["basis"] == "schedule"


WRONG = {
    "a list": ([], {"": "expected an object, got a list"}),
    "text": ("flights", {"": "expected an object, got text"}),
    "null": (None, {"": "expected an object, got null"}),
    "no flights": ({}, {"/flights": "is missing"}),
    "flights null": ({"flights": None}, {"/flights": "expected a list, got null"}),
    "flights an object": ({"flights": flight()}, {"/flights": "expected a list, got an object"}),
    "zero flights": ({"flights": []}, {"/flights": "holds 0 flights; one request takes 1 to 10000"}),
    "a flight of text": ({"flights": [flight(), "LA282"]}, {"/flights/1": "expected an object, got text"}),
    "explain text": ({"flights": [flight()], "explain": "yes"}, {"/explain": "expected true or false, got text"}),
    "explain a number": (
        {"flights": [flight()], "explain": 1},
        {"/explain": "expected true or false, got a whole number"},
    ),
    "basis live": ({"flights": [flight()], "basis": "live"}, {"/basis": "invalid enum value 'live'"}),
    "as_of a date": (
        {"flights": [flight()], "as_of": "2017-07-14"},
        {"/as_of": "'2017-07-14' is not a date with a time such as 2017-07-14T08:30:00"},
    ),
    "as_of a number": ({"flights": [flight()], "as_of": 3}, {"/as_of": "expected text or null, got a whole number"}),
    "number as a number": (
        {"flights": [flight(flight_number=282)]},
        {"/flights/0/flight_number": "expected text, got a whole number"},
    ),
    "long airline": (
        {"flights": [flight(airline="x" * 81)]},
        {"/flights/0/airline": "expected text of at most 80 characters"},
    ),
    "date without time": (
        {"flights": [flight(scheduled_departure="2017-07-14")]},
        {"/flights/0/scheduled_departure": "'2017-07-14' is not a date with a time such as 2017-07-14T08:30:00"},
    ),
    "30 February": (
        {"flights": [flight(scheduled_departure="2017-02-30T08:30:00")]},
        {"/flights/0/scheduled_departure": "'2017-02-30T08:30:00' is not a date and time that exist"},
    ),
    "airline unknown": ({"flights": [flight(airline="Nobody")]}, {"/flights/0/airline": "'Nobody' is not an airline"}),
    "origin elsewhere": ({"flights": [flight(origin="SAME")]}, {"/flights/0/origin": "'SAME' is not covered"}),
}


@pytest.mark.parametrize(("content", "places"), WRONG.values(), ids=WRONG)
def test_422(content: Any, places: dict[str, str]) -> None:
    """JSON that cannot be used is refused with 422, its one wrong place named exactly."""
    assert refused(content) == places


def test_unknown_fields() -> None:
    """Unknown fields are refused, at the top and in a flight, with those that are known."""
    places = refused({"flights": [flight(gate="21")], "colour": "red"})
    assert places.keys() == {"/colour", "/flights/0/gate"}
    assert "scheduled_departure" in places["/flights/0/gate"]


def test_every_wrong_place_at_once() -> None:
    """All wrong places of all flights are named: kinds, values, what is missing and what is unknown."""
    bad = flight(airline=7, flight_number="--", destination="LI", scheduled_departure="2017-02-30T08:30")
    content = {"flights": [flight(), bad, flight(destination=None, gate="2")], "as_of": "soon", "explain": None}
    assert refused(content).keys() == {
        "/as_of",
        "/explain",
        "/flights/1/airline",
        "/flights/1/flight_number",
        "/flights/1/destination",
        "/flights/1/scheduled_departure",
        "/flights/2/destination",
        "/flights/2/gate",
    }


def test_wrong_values_of_many_flights() -> None:
    """Where every field is of the right kind, all refused values are named too, in small requests and in batches."""
    for n in (3, 600):
        flights = [flight(airline="Nobody" if i % 3 == 1 else "LAN") for i in range(n)]
        flights[-1]["destination"] = "LI"
        pointers = set(refused({"flights": flights}))
        wanted = {f"/flights/{i}/airline" for i in range(1, n, 3)} | {f"/flights/{n - 1}/destination"}
        assert len(pointers) == min(len(wanted), 100)
        assert pointers <= wanted


def test_detail_sums_up() -> None:
    """The detail of the whole names the first place and counts the others."""
    content = {"flights": [flight(airline="Nobody", destination="LI")]}
    detail = post(create_app(scorer()), PATH, content).json["detail"]
    assert detail.startswith("/flights/0/")
    assert detail.endswith("(and 1 more)")


def test_number_of_flights() -> None:
    """As many flights as allowed are answered; one more is refused, and the flights themselves are not judged."""
    limits = Limits(max_flights=30)
    assert len(answered({"flights": [flight()] * 30}, limits=limits)["predictions"]) == 30
    assert refused({"flights": [flight(airline=3)] * 31}, limits=limits).keys() == {"/flights"}


def test_10_001_flights() -> None:
    """10,001 flights are refused with 422, 10,000 are answered."""
    assert refused({"flights": [flight()] * 10_001}) == {
        "/flights": "holds 10001 flights; one request takes 1 to 10000"
    }
    assert len(answered({"flights": [flight()] * 10_000})["predictions"]) == 10_000


def test_a_batch_lets_others_through() -> None:
    """While a large batch is answered, other requests get their turn."""

    async def together() -> list[str]:
        app = create_app(scorer())
        order = []

        async def ask(name: str, n: int) -> None:
            body = b'{"flights":[' + b",".join([SMALL] * n) + b"]}"
            await call_async(app, "POST", PATH, {"content-type": "application/json"}, [body])
            order.append(name)

        await asyncio.gather(ask("large", 5 * AT_A_TIME), ask("small", 1))
        return order

    assert asyncio.run(together()) == ["small", "large"]


SMALL = b'{"airline":"LAN","flight_number":"1","destination":"LIM","scheduled_departure":"2017-07-14T08:30"}'


def test_several_airports() -> None:
    """Where the model covers several airports the origin is needed, and its own clock counts."""
    app = create_app(scorer(SCEL, SAME))
    assert post(app, PATH, {"flights": [flight()]}).places == {"/flights/0/origin": "is needed"}
    assert post(app, PATH, {"flights": [flight(origin="MDZ")]}).status == 200
    both = post(app, PATH, {"flights": [flight(airline="Nobody")]}).places
    assert both.keys() == {"/flights/0/origin", "/flights/0/airline"}


def test_query() -> None:
    """GET answers one flight from the query just as POST does."""
    app = create_app(scorer(), Worker(now=lambda: NOON))
    asked = get(app, PATH, f"{QUERY}&explain=true&as_of=2017-07-14T05:30:00&basis=auto&origin=SCL")
    posted = post(app, PATH, {"flights": [flight()], "explain": True, "as_of": "2017-07-14T05:30:00"}).json
    assert asked.status == 200
    content = asked.json
    del content["predictions"][0]["id"], posted["predictions"][0]["id"]
    assert content == posted


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("", {"/airline", "/flight_number", "/destination", "/scheduled_departure"}),
        (f"{QUERY}&colour=red", {"/colour"}),
        (f"{QUERY}&a/b~=red", {"/a~1b~0"}),
        (f"{QUERY}&airline=LAN", {"/airline"}),
        (f"{QUERY}&explain=yes", {"/explain"}),
        (f"{QUERY}&explain=", {"/explain"}),
        (f"{QUERY}&explain=True", {"/explain"}),
        (f"{QUERY}&basis=live", {"/basis"}),
        (f"{QUERY}&as_of=", {"/as_of"}),
        (f"{QUERY}&as_of=soon", {"/as_of"}),
        ("airline=&flight_number=--&destination=LI&scheduled_departure=2017-07-14", {
            "/airline",
            "/flight_number",
            "/destination",
            "/scheduled_departure",
        }),
    ],
)  # fmt: skip
def test_wrong_query(query: str, places: set[str]) -> None:
    """Every name of a query that is missing, unknown, repeated or wrong is named by a pointer of its own."""
    answer = get(create_app(scorer()), PATH, query)
    assert answer.status == 422
    assert answer.places.keys() == places


def test_encoded_query() -> None:
    """Percent-encoding is undone once, in names and values, and an encoded offset counts."""
    app = create_app(scorer())
    query = "%61irline=L%41N&flight_number=LA%20282&destination=lim&scheduled_departure=2017-07-14T08%3A30%3A00"
    assert get(app, PATH, query).status == 200
    assert get(app, PATH, f"{query}%2B02:00").status == 200
    assert get(app, PATH, f"{query}-04:00").status == 200
    assert get(app, PATH, query.replace("LA%20", "LA%2520")).places.keys() == {"/flight_number"}


def test_plus_sign_in_a_query() -> None:
    """The raw plus sign of an offset, which a query turns into a space, is refused with the way to write it."""
    answer = get(create_app(scorer()), PATH, f"{QUERY}+02:00&as_of=2017-07-14T08:30+0200")
    assert answer.status == 422
    assert answer.places.keys() == {"/scheduled_departure", "/as_of"}
    assert "%2B" in answer.places["/scheduled_departure"]


@pytest.mark.parametrize("query", [f"{QUERY}&x=%ff", f"{QUERY}&%c3%28=1", "&".join(f"x{i}=1" for i in range(40))])
def test_malformed_query(query: str) -> None:
    """A query that is not UTF-8 or has far too many names is refused with 400."""
    assert get(create_app(scorer()), PATH, query).status == 400
