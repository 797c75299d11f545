"""Requests marked as probes: answered as all others, and no trace of them in the books or in anybody's quota."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from atraso.ledger.spool import Spool
from atraso.serving.app import Worker, create_app
from atraso.serving.books import Books
from atraso.telemetry.cells import Recorder
from tests.serving.access import Books as Accounts
from tests.serving.access import Guarded
from tests.serving.asgi import get, post
from tests.serving.fakes import flight, manifest, scorer
from tests.serving.raw import Client, serving

PATH = "/v1/predictions"
MARK = {"atraso-probe": "golden"}
(GOLDEN,) = manifest().golden
FLIGHT = {name: getattr(GOLDEN, name) for name in ("airline", "flight_number", "origin", "destination")}
FLIGHT["scheduled_departure"] = GOLDEN.scheduled_departure
PROBE = {"flights": [FLIGHT], "basis": "schedule"}


def kept(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.exists() else 0


@pytest.mark.parametrize("count", [1, 20])
def test_a_probe_is_answered_as_any_other_and_not_recorded(tmp_path: Path, count: int) -> None:
    """One flight or many, over a real connection: nothing in the spool nor among the probabilities."""
    recorder = Recorder()
    app = create_app(scorer(), Worker(books=Books(recorder, Spool(tmp_path / "spool"))))
    body = json.dumps({**PROBE, "flights": [FLIGHT] * count}).encode()

    def asked(*headers: str) -> bytes:
        lines = [f"POST {PATH} HTTP/1.1", "Host: t", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, *headers, "", ""]).encode() + body

    with serving(app) as running, Client(running.port) as client:
        before, size = list(recorder._cells), kept(tmp_path / "spool")
        marked = [client.send(asked("Atraso-Probe: golden")).answer() for _ in range(3)]
        assert (list(recorder._cells), kept(tmp_path / "spool")) == (before, size)
        plain = client.send(asked()).answer()
        assert list(recorder._cells) != before
        assert kept(tmp_path / "spool") > size
        again = client.send(asked("Atraso-Probe: golden")).answer()
    told = [without_ids(answer.body) for answer in (*marked, plain, again)]
    assert all(one == told[0] for one in told)


def without_ids(body: bytes) -> list[Any]:
    predictions: list[Any] = json.loads(body)["predictions"]
    for prediction in predictions:
        del prediction["id"]
    return predictions


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({"flights": [FLIGHT]}, "/basis"),
        ({"flights": [FLIGHT, flight(flight_number="99")], "basis": "schedule"}, "/flights/1"),
        ({"flights": [{**FLIGHT, "scheduled_departure": "2018-01-03T08:31:00"}], "basis": "schedule"}, "/flights/0"),
        ({**PROBE, "as_of": "2018-01-01T00:00:00"}, "/as_of"),
    ],
)
def test_the_mark_is_no_way_around_the_books(content: Any, pointer: str) -> None:
    """Whoever marks a request may ask what is known, and nothing else; without the mark it is answered."""
    app = create_app(scorer(), Worker())
    refused = post(app, PATH, content, **MARK)
    assert (refused.status, list(refused.places)) == (422, [pointer])
    assert post(app, PATH, content).status == 200


def test_the_mark_is_no_way_around_the_books_by_a_query() -> None:
    """The form of GET is held to the same."""
    app = create_app(scorer(), Worker())
    query = "&".join(f"{name}={value}" for name, value in FLIGHT.items())
    assert get(app, PATH, query).status == 200
    assert get(app, PATH, query, **MARK).status == 422
    assert get(app, PATH, f"{query}&basis=schedule", **MARK).status == 200


def test_probes_have_a_quota_of_their_own(tmp_path: Path) -> None:
    """They take nothing of their principal's, are bounded all the same, and mean nothing on other routes."""
    clock = [1_700_000_000.0]
    door = Guarded(tmp_path, now=lambda: clock[0], rate_per_s=0.001, rate_burst=3)
    key = Accounts(tmp_path).key("prober", "predict")
    app = create_app(scorer(), door.worker)
    own = {"authorization": f"Bearer {key}"}
    assert [post(app, PATH, PROBE, **own, **MARK).status for _ in range(4)] == [200, 200, 200, 429]
    assert [post(app, PATH, PROBE, **own).status for _ in range(2)] == [200, 200]
    assert get(app, "/v1/models", **own, **MARK).status == 200
    assert get(app, "/v1/models", **own, **MARK).status == 429


def test_a_probe_needs_a_key_where_all_need_one(tmp_path: Path) -> None:
    """The mark opens nothing."""
    app = create_app(scorer(), Guarded(tmp_path).worker)
    assert post(app, PATH, PROBE, **MARK).status == 401
    assert get(app, "/v1/model", **MARK).status == 401


def test_the_card_tells_the_golden_flights() -> None:
    """With their answers: whoever has no artefact at hand can compare."""
    card = get(create_app(scorer(), Worker()), "/v1/model").json
    (told,) = card["golden"]
    assert told == {**FLIGHT, "delay_probability": GOLDEN.delay_probability, "exceeds": list(GOLDEN.exceeds)}
