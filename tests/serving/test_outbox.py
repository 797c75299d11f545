"""Answers given without waiting leave once what must be kept of them is kept, and in their order."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from atraso.identity.principal import ANYBODY
from atraso.ledger.spool import Spool, read_spool
from atraso.serving.answers import Given
from atraso.serving.app import Worker, create_app
from atraso.serving.books import Books
from atraso.telemetry.cells import Board
from tests.serving.asgi import call, get, post
from tests.serving.fakes import flight, scorer
from tests.serving.raw import Client, Running, serving

PATH = "/v1/predictions"
OF_THE_WRITER = ("stored", "set_aside", "recovered")


def asked(number: int, *headers: str, **more: object) -> bytes:
    body = json.dumps({"flights": [flight(flight_number=str(number))], **more}).encode()
    lines = [f"POST {PATH} HTTP/1.1", "Host: t", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


class Kept:
    """A service whose spool and counts can be looked at."""

    def __init__(self, folder: Path, *, refuse: bool = False) -> None:
        self.folder = folder
        self.board = Board(1)
        worker = Worker(board=self.board, books=Books(self.board.slot(0), Spool(folder), refuse=refuse))
        self.front = create_app(scorer(), worker)

    @property
    def records(self) -> list[dict[str, object]]:
        """What is in the spool."""
        return [json.loads(p) for path in sorted(self.folder.glob("*.spool")) for p in read_spool(path)]

    @property
    def rows(self) -> dict[str, float]:
        """The ledger's rows as the workers count them and the metrics tell them."""
        text = get(self.front, "/metrics").body.decode()
        prefix = 'atraso_ledger_rows_total{state="'
        return {
            line.removeprefix(prefix).split('"')[0]: float(line.split()[-1])
            for line in text.splitlines()
            if line.startswith(prefix) and not line.startswith(tuple(prefix + of for of in OF_THE_WRITER))
        }


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """Return a service that keeps its answers."""
    return Kept(tmp_path / "spool")


@pytest.fixture
def served(kept: Kept) -> Iterator[Running]:
    """Serve it."""
    with serving(kept.front) as running:
        yield running


def test_an_answer_is_kept_before_it_is_given(kept: Kept, served: Running) -> None:
    """By every way that an answer can go: who asked, the flight as it was understood, the answer as it was sent."""
    with Client(served.port) as client:
        for n in (1, 2, 3):  # parsed; by its known head; the last on its connection, by a task
            headers = ("Connection: close",) if n == 3 else ()
            answer = client.send(asked(n, *headers)).answer()
            record = kept.records[-1]
            assert len(kept.records) == n
            assert record["answer"] == json.loads(answer.body)
            assert record["principal"] == "anybody"
            assert [f[1] for f in record["flights"]] == [str(n)]  # type: ignore[index,attr-defined]
    post(kept.front, PATH, {"flights": [flight(flight_number=str(n)) for n in range(40)]})
    assert len(kept.records[-1]["flights"]) == 40  # type: ignore[arg-type]
    query = "airline=LAN&flight_number=9&destination=SPJC&scheduled_departure=2018-01-03T08:30:00"
    assert get(kept.front, PATH, query).status == 200
    assert kept.rows == {"accepted": 44, "kept": 44, "shed": 0, "refused": 0}


def test_what_is_refused_is_not_kept(kept: Kept) -> None:
    """Neither a flight that cannot be used, nor many with one such among the last of them, nor a body cut short."""
    assert post(kept.front, PATH, {"flights": [flight(destination="?")]}).status == 422
    assert post(kept.front, PATH, {"flights": [flight()] * 600 + [flight(destination="?")]}).status == 422
    headers = {"content-type": "application/json", "content-length": "300"}
    assert call(kept.front, "POST", PATH, headers, [b'{"flights": ['], cut=True).status is None
    assert kept.records == []
    assert kept.rows["accepted"] == 0


def test_answers_of_one_turn_come_in_their_order(kept: Kept, served: Running) -> None:
    """Also where a refusal, or a request that takes longer, comes right behind those that do not."""
    many = json.dumps({"flights": [flight(flight_number=str(n)) for n in range(100, 150)]}).encode()
    long = f"POST {PATH} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: {len(many)}\r\n\r\n"
    with Client(served.port) as client:
        client.send(asked(1) + asked(2) + long.encode() + many + asked(3) + b"NOT HTTP\r\n\r\n")
        sizes = [len(json.loads(client.answer().body)["predictions"]) for _ in range(4)]
        assert sizes == [1, 1, 50, 1]
        assert client.answer().status == 400
    assert len(kept.records) == 4


def test_a_client_that_asks_and_closes_its_half_has_its_answer(served: Running) -> None:
    """The end of the stream may come in the same turn as the request."""
    with Client(served.port) as client:
        assert client.send(asked(1)).answer().status == 200
        client.send(asked(1)).end()
        assert client.answer().status == 200


def test_an_answer_that_cannot_be_kept_is_given_and_counted(
    kept: Kept, served: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that cannot be made: the ledger's row is shed, loudly, and the client has its answer."""
    kept.folder.parent.joinpath("spool").write_text("in the way")
    with Client(served.port) as client, caplog.at_level(logging.ERROR):
        assert client.send(asked(1)).answer().status == 200
        assert kept.rows == {"accepted": 1, "kept": 0, "shed": 1, "refused": 0}
        kept.folder.unlink()
        assert client.send(asked(2)).answer().status == 200
    assert kept.rows == {"accepted": 2, "kept": 1, "shed": 1, "refused": 0}
    assert "cannot be kept" in caplog.text


def test_where_it_is_set_an_answer_that_cannot_be_kept_is_not_given(tmp_path: Path) -> None:
    """By every way an answer can go: 503 with Retry-After, counted as refused; other routes answer as ever."""
    kept = Kept(tmp_path / "spool", refuse=True)
    kept.folder.write_text("in the way")
    with serving(kept.front) as served, Client(served.port) as client:
        for n in (1, 2):  # parsed; by its known head
            answer = client.send(asked(n)).answer()
            assert (answer.status, 1 <= int(answer.headers["retry-after"]) <= 5) == (503, True)
            assert "cannot be kept" in json.loads(answer.body)["detail"]
        many = post(kept.front, PATH, {"flights": [flight(flight_number=str(n)) for n in range(40)]})
        query = "airline=LAN&flight_number=9&destination=SPJC&scheduled_departure=2018-01-03T08:30:00"
        for refused in (many, get(kept.front, PATH, query)):
            assert (refused.status, refused.headers["retry-after"]) == (503, "2")
        old = b'{"flights":[{"OPERA":"Grupo LATAM","TIPOVUELO":"N","MES":3}]}'
        head = f"POST /predict HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: {len(old)}"
        pipelined = client.send(head.encode() + b"\r\n\r\n" + old + asked(3))
        assert [pipelined.answer().status, pipelined.answer().status] == [200, 503]
        assert kept.rows == {"accepted": 0, "kept": 0, "shed": 0, "refused": 44}
        kept.folder.unlink()
        assert client.send(asked(4)).answer().status == 200
    assert kept.rows == {"accepted": 1, "kept": 1, "shed": 0, "refused": 44}
    assert len(kept.records) == 1


def test_answers_of_one_turn_are_refused_together(tmp_path: Path) -> None:
    """One that took the ordinary way finds out first; those that wait beside it for the end of the turn are with it."""
    kept = Kept(tmp_path / "spool", refuse=True)
    books = Books(kept.board.slot(0), Spool(kept.folder), refuse=True)
    given = Given([0.2], [("LAN", "1", "SCEL", "SPJC", "2017-07-14T08:30:00-04:00")], b"{}")
    kept.folder.write_text("in the way")
    for _ in range(2):
        books.note(ANYBODY, given, b"{}")
    assert not books.settle()
    assert not books.settle_turn()
    assert books.settle_turn()
