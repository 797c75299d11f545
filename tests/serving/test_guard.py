"""Who gets in: holders of a key with the right role, on every way to a guarded route."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path

import pytest

from atraso.identity.keys import KeyFile
from atraso.serving.app import Worker, create_app
from atraso.serving.guard import LOOK_EVERY_S, MAX_REMEMBERED, Guard
from atraso.serving.problems import NotAuthenticatedError
from tests.serving.asgi import get, post
from tests.serving.fakes import flight, scorer
from tests.serving.raw import Client, serving

PREDICTIONS = "/v1/predictions"
CONTENT = {"flights": [flight()]}
FACTS = {"flights": [{"OPERA": "Grupo LATAM", "TIPOVUELO": "N", "MES": 7}]}


def guarded(folder: Path) -> Worker:
    return Worker(guard=Guard(KeyFile(folder)))


def test_every_guarded_route_asks_for_a_key_and_the_others_do_not(tmp_path: Path) -> None:
    """401 with the way to come in; what is open stays open."""
    app = create_app(scorer(), guarded(tmp_path))
    refused = [
        post(app, PREDICTIONS, CONTENT),
        get(app, PREDICTIONS, "airline=LAN"),
        post(app, "/predict", FACTS),
        get(app, "/predict", "var1=1"),
        post(app, "/v2/models/atraso/infer", {"inputs": []}),
        get(app, "/v1/model"),
        get(app, "/v1/models"),
    ]
    assert [answer.status for answer in refused] == [401] * len(refused)
    assert all(answer.headers["www-authenticate"].startswith("Bearer") for answer in refused)
    for path in ("/", "/docs", "/openapi.json", "/health", "/health/ready", "/metrics", "/v2", "/v2/models/atraso"):
        assert get(app, path).status == 200, path


def test_a_key_with_the_role_gets_in(tmp_path: Path) -> None:
    """And one without it is told so."""
    file = KeyFile(tmp_path)
    desk, _ = file.create("desk", ["predict"])
    feed, _ = file.create("feed", ["report"])
    app = create_app(scorer(), guarded(tmp_path))
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert post(app, PREDICTIONS, CONTENT, authorization=f"{scheme} {desk}").status == 200
    assert get(app, "/v1/model", authorization=f"Bearer {desk}").status == 200
    assert post(app, PREDICTIONS, CONTENT, authorization=f"Bearer {feed}").status == 403


def test_only_who_reports_departures_may_choose_the_moment(tmp_path: Path) -> None:
    """`as_of` of another moment than now takes the role `report`; by every way that a question can come."""
    file = KeyFile(tmp_path)
    desk, _ = file.create("desk", ["predict"])
    feed, _ = file.create("feed", ["predict", "report"])
    app = create_app(scorer(), guarded(tmp_path))
    content = {**CONTENT, "as_of": "2018-01-01T00:00"}
    many = {**content, "flights": [flight()] * 30}
    query = "airline=LAN&flight_number=1&destination=SPJC&scheduled_departure=2018-01-03T08:30&as_of=2018-01-01T00:00"
    for key, status in ((desk, 403), (feed, 200)):
        bearer = f"Bearer {key}"
        assert post(app, PREDICTIONS, content, authorization=bearer).status == status
        assert post(app, PREDICTIONS, many, authorization=bearer).status == status
        assert get(app, PREDICTIONS, query, authorization=bearer).status == status
        once = app.once({"path": PREDICTIONS, "method": "POST", "headers": [
            (b"content-type", b"application/json"), (b"authorization", bearer.encode())]})  # fmt: skip
        assert once is not None
        assert (once(json.dumps(content).encode()) is None) == (status == 403)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer x{}", "Bearer {}x", "Bearer {} {}", "Token {}",
     "Bearer " + "a" * 10_000],
)  # fmt: skip
def test_anything_else_stays_out(tmp_path: Path, header: str) -> None:
    """Whatever the header holds."""
    key, _ = KeyFile(tmp_path).create("desk", ["predict"])
    app = create_app(scorer(), guarded(tmp_path))
    assert post(app, PREDICTIONS, CONTENT, authorization=header.format(key, key)).status == 401


def test_a_new_key_is_known_and_a_removed_one_forgotten_within_a_second(tmp_path: Path) -> None:
    """Also where the header was understood before."""
    clock = [0.0]
    guard = Guard(KeyFile(tmp_path), lambda: clock[0])
    file = KeyFile(tmp_path)
    desk, _ = file.create("desk", ["predict"])
    headers = [(b"authorization", f"Bearer {desk}".encode())]
    assert guard.admit(PREDICTIONS, headers).name == "desk"
    feed, _ = file.create("feed", ["predict"])
    clock[0] += LOOK_EVERY_S
    assert guard.admit(PREDICTIONS, [(b"authorization", f"Bearer {feed}".encode())]).name == "feed"
    assert guard.admit(PREDICTIONS, headers).name == "desk"
    (tmp_path / "keys.json").write_text('{"keys": []}')
    assert guard.known(headers[0][1]) is not None
    clock[0] += LOOK_EVERY_S
    assert guard.known(headers[0][1]) is None
    with pytest.raises(NotAuthenticatedError):
        guard.admit(PREDICTIONS, headers)


def test_a_damaged_file_of_keys_leaves_those_read_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is locked out by half a file, and the log tells."""
    clock = [0.0]
    key, _ = KeyFile(tmp_path).create("desk", ["predict"])
    guard = Guard(KeyFile(tmp_path), lambda: clock[0])
    headers = [(b"authorization", f"Bearer {key}".encode())]
    guard.admit(PREDICTIONS, headers)
    (tmp_path / "keys.json").write_text('{"keys": [')
    clock[0] += LOOK_EVERY_S
    assert guard.admit(PREDICTIONS, headers).name == "desk"
    assert "damaged" in caplog.text


def test_a_worker_that_begins_after_the_damage_has_the_keys_too(tmp_path: Path) -> None:
    """What was read before the fork counts, and a mended file is read again."""
    clock = [0.0]
    file = KeyFile(tmp_path)
    key, _ = file.create("desk", ["predict"])
    parents = Guard(file, lambda: clock[0])
    parents.look()
    good = file.path.read_text()
    file.path.write_text(good[:40])
    parents.look()
    worker = copy.copy(parents)
    clock[0] += 10 * LOOK_EVERY_S
    headers = [(b"authorization", f"Bearer {key}".encode())]
    assert worker.admit(PREDICTIONS, headers).name == "desk"
    feed, _ = KeyFile(tmp_path / "other").create("feed", ["predict"])
    file.path.write_text((tmp_path / "other" / "keys.json").read_text())
    clock[0] += LOOK_EVERY_S
    assert worker.admit(PREDICTIONS, [(b"authorization", f"Bearer {feed}".encode())]).name == "feed"


def test_wrong_keys_are_not_remembered_and_right_ones_only_so_many(tmp_path: Path) -> None:
    """Random credentials cannot fill the memory, nor can one key spelt in many ways."""
    key, _ = KeyFile(tmp_path).create("desk", ["predict"])
    guard = Guard(KeyFile(tmp_path))
    for n in range(200):
        with pytest.raises(NotAuthenticatedError):
            guard.admit(PREDICTIONS, [(b"authorization", b"Bearer %d" % n)])
    assert len(guard._remembered) == 0
    for n in range(MAX_REMEMBERED + 10):
        guard.admit(PREDICTIONS, [(b"authorization", b"Bearer" + b" " * (n % 4000 + 1) + key.encode())])
    assert len(guard._remembered) <= MAX_REMEMBERED


def test_a_connection_that_was_let_in_is_asked_each_time(tmp_path: Path) -> None:
    """A head that was answered before is known by its bytes, but its key has to count still."""
    key, _ = KeyFile(tmp_path).create("desk", ["predict"])
    body = b'{"flights": [{"airline": "LAN", "flight_number": "1", "destination": "SPJC", '
    body += b'"scheduled_departure": "2018-01-03T08:30:00"}]}'
    head = f"POST {PREDICTIONS} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
    request = f"{head}Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    with serving(create_app(scorer(), guarded(tmp_path))) as running, Client(running.port) as client:
        assert [client.send(request).answer().status for _ in range(3)] == [200] * 3
        assert len(running.gate.heads) == 1
        (tmp_path / "keys.json").write_text('{"keys": []}')
        time.sleep(LOOK_EVERY_S + 0.1)
        assert client.send(request).answer().status == 401
        twice = request.replace(b"Content-Length", b"Authorization: Bearer x\r\nContent-Length")
        assert client.send(twice).answer().status == 400
