"""Who gets in: holders of a key with the right role, on every way to a guarded route."""

from __future__ import annotations

import asyncio
import io
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from atraso.core.errors import AtrasoError, LedgerUnavailableError
from atraso.identity.principal import ADMIN, Principal
from atraso.ledger.accounts import Accounts
from atraso.serving.app import create_app
from atraso.serving.guard import LOOK_EVERY_S, MAX_REMEMBERED, Admitted
from atraso.serving.internal import Internal
from atraso.serving.policy import role_of
from atraso.serving.problems import NotAuthenticatedError
from atraso.telemetry.audit import audit_to
from tests.serving.access import Books, Guarded, scope
from tests.serving.asgi import get, post
from tests.serving.fakes import flight, scorer
from tests.serving.raw import Client, serving

PREDICTIONS = "/v1/predictions"
CONTENT = {"flights": [flight()]}
FACTS = {"flights": [{"OPERA": "Grupo LATAM", "TIPOVUELO": "N", "MES": 7}]}


ROUTED = (
    PREDICTIONS, "/predict", "/v1/model", "/v1/models", "/v1/models/1/activate", "/v1/revocations",
    "/v2/models/atraso/infer", "/v1/departures",
)  # fmt: skip


def guarded(folder: Path) -> Any:
    return Guarded(folder).worker


def admit(door: Guarded, header: str) -> str:
    return asyncio.run(door.guard.admit(scope(PREDICTIONS, header))).name


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
        post(app, "/v1/revocations", {"kind": "subject", "value": "x"}),
        post(app, "/v1/models/2017.1+000000/activate", {}),
    ]
    assert [answer.status for answer in refused] == [401] * len(refused)
    assert all(answer.headers["www-authenticate"].startswith("Bearer") for answer in refused)
    for path in ("/", "/docs", "/openapi.json", "/health", "/health/ready", "/v2", "/v2/models/atraso"):
        assert get(app, path).status == 200, path


def test_a_key_with_the_role_gets_in(tmp_path: Path) -> None:
    """And one without it is told so."""
    desk, feed = Books(tmp_path).key("desk", "predict"), Books(tmp_path).key("feed", "report")
    app = create_app(scorer(), guarded(tmp_path))
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert post(app, PREDICTIONS, CONTENT, authorization=f"{scheme} {desk}").status == 200
    assert get(app, "/v1/model", authorization=f"Bearer {desk}").status == 200
    assert post(app, PREDICTIONS, CONTENT, authorization=f"Bearer {feed}").status == 403


def test_only_who_reports_departures_may_choose_the_moment(tmp_path: Path) -> None:
    """`as_of` of another moment than now takes the role `report`; by every way that a question can come."""
    desk, feed = Books(tmp_path).key("desk", "predict"), Books(tmp_path).key("feed", "predict", "report")
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
        assert once(json.dumps(content).encode()) is None, "its state has to be asked for"


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer x{}", "Bearer {}x", "Bearer {} {}", "Token {}",
     "Bearer " + "a" * 10_000],
)  # fmt: skip
def test_anything_else_stays_out(tmp_path: Path, header: str) -> None:
    """Whatever the header holds."""
    key = Books(tmp_path).key("desk", "predict")
    app = create_app(scorer(), guarded(tmp_path))
    assert post(app, PREDICTIONS, CONTENT, authorization=header.format(key, key)).status == 401


def test_a_new_key_is_known_and_a_removed_one_forgotten_within_a_second(tmp_path: Path) -> None:
    """Also where the header was understood before."""
    clock = [time.time()]
    door, books = Guarded(tmp_path, now=lambda: clock[0]), Books(tmp_path)
    desk = f"Bearer {books.key('desk', 'predict')}"
    clock[0] += LOOK_EVERY_S
    assert admit(door, desk) == "desk"
    feed = f"Bearer {books.key('feed', 'predict')}"
    clock[0] += LOOK_EVERY_S
    assert admit(door, feed) == "feed"
    assert admit(door, desk) == "desk"
    books.show(Accounts())
    assert door.guard.known(desk.encode()) is not None
    clock[0] += LOOK_EVERY_S
    assert door.guard.known(desk.encode()) is None
    with pytest.raises(NotAuthenticatedError):
        admit(door, desk)


def test_a_damaged_file_of_accounts_leaves_what_was_read_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is locked out by half a file, the log tells, and a worker that begins after the damage knows all too."""
    clock, books = [time.time()], Books(tmp_path)
    desk = f"Bearer {books.key('desk', 'predict')}"
    door = Guarded(tmp_path, now=lambda: clock[0])
    assert admit(door, desk) == "desk"
    whole = books.path.read_text()
    books.path.write_text(whole[:40])
    clock[0] += LOOK_EVERY_S
    assert admit(door, desk) == "desk"
    assert "damaged" in caplog.text
    later = door.entrance.open().ways
    assert isinstance(later.bearer(desk.removeprefix("Bearer ")), Admitted)
    books.path.write_text(whole)
    feed = f"Bearer {books.key('feed', 'predict')}"
    clock[0] += LOOK_EVERY_S
    assert admit(door, feed) == "feed"


def test_a_key_ends_when_it_expires(tmp_path: Path) -> None:
    """Also where it was remembered."""
    clock = [time.time()]
    key = f"Bearer {Books(tmp_path).key('desk', 'predict', expires_s=int(clock[0]) + 100)}"
    door = Guarded(tmp_path, now=lambda: clock[0])
    assert admit(door, key) == "desk"
    clock[0] += 101
    assert door.guard.known(key.encode()) is None


def test_wrong_keys_are_not_remembered_and_right_ones_only_so_many(tmp_path: Path) -> None:
    """Random credentials cannot fill the memory, nor can one key spelt in many ways."""
    key = Books(tmp_path).key("desk", "predict")
    door = Guarded(tmp_path)
    for n in range(200):
        with pytest.raises(NotAuthenticatedError):
            admit(door, f"Bearer {n}")
    assert len(door.guard._remembered) == 0
    for n in range(MAX_REMEMBERED + 10):
        admit(door, "Bearer" + " " * (n % 4000 + 1) + key)
    assert len(door.guard._remembered) <= MAX_REMEMBERED


def test_whoever_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    """429 with Retry-After, by every way that a question can come; others are not held back."""
    books = Books(tmp_path)
    desk, feed = (f"Bearer {books.key(name, 'predict')}" for name in ("desk", "feed"))
    door = Guarded(tmp_path, rate_per_s=0.01, rate_burst=3)
    app = create_app(scorer(), door.worker)
    once = app.once({"path": PREDICTIONS, "method": "POST", "headers": [
        (b"content-type", b"application/json"), (b"authorization", desk.encode())]})  # fmt: skip
    assert once is not None
    body = json.dumps(CONTENT).encode()
    assert once(body) is None  # not known yet
    assert post(app, PREDICTIONS, CONTENT, authorization=desk).status == 200
    assert once(body) is not None
    assert post(app, PREDICTIONS, CONTENT, authorization=desk).status == 200
    assert once(body) is None
    refused = post(app, PREDICTIONS, CONTENT, authorization=desk)
    assert refused.status == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 100
    assert post(app, PREDICTIONS, CONTENT, authorization=feed).status == 200
    assert door.events[-1]["why"] == "too many requests"


def test_every_refusal_is_told_and_no_secret_is(tmp_path: Path) -> None:
    """The audit log says who was refused what and why; a key is never in it."""
    books = Books(tmp_path)
    key = books.key("feed", "report")
    door = Guarded(tmp_path)
    app = create_app(scorer(), door.worker)
    for header in (f"Bearer {key}", f"Bearer {key}x", "Basic eDp5", f"Bearer {key[:-1]}"):
        assert post(app, PREDICTIONS, CONTENT, authorization=header).status in (401, 403)
    assert post(app, PREDICTIONS, CONTENT).status == 401
    assert [(e["event"], e["status"], e.get("who")) for e in door.events] == [
        ("refused", 403, "feed"),
        *[("refused", 401, None)] * 4,
    ]
    assert all({"route", "address", "why", "timestamp"} <= e.keys() for e in door.events)
    assert key[16:] not in door.log.getvalue()


def test_metrics_are_elsewhere_unless_they_are_said_to_be_open(tmp_path: Path) -> None:
    """Where systems have to log in, /metrics is on the internal port; a setting opens it here."""
    assert get(create_app(scorer(), Guarded(tmp_path).worker), "/metrics").status == 404
    assert get(create_app(scorer(), Guarded(tmp_path, metrics_open=True).worker), "/metrics").status == 200
    front = create_app(scorer(), Guarded(tmp_path).worker)
    assert get(Internal(front), "/metrics").status == 200
    assert get(Internal(front), "/health/ready").status == 200
    assert get(Internal(front), "/v1/model").status == 404


def test_every_route_is_in_the_policy_or_open_on_purpose(tmp_path: Path) -> None:
    """A route that nobody thought of when the policy was written is found here."""
    app = create_app(scorer(), Guarded(tmp_path).worker)
    paths = set(app.routes.table) | {route.path for route in app.routes.rest.routes}  # type: ignore[attr-defined]
    opened = {path for path in paths if role_of(path.replace("{version}", "1")) is None}
    assert opened == {
        "/", "/board", "/airport", "/model", "/form", "/docs", "/openapi.json", "/health", "/health/live",
        "/health/ready", "/metrics", "/v1/token",
        "/.well-known/jwks.json", "/v2", "/v2/health/live", "/v2/health/ready",
        *(path for path in paths if path.startswith("/v2/models/") and not path.endswith("/infer")),
    }  # fmt: skip


@pytest.mark.parametrize("end", ["%0A", "%0a", "%0D", "%00", "%09", "%7F", "%0A%0A", "%C2%85", "%E2%80%A8"])
def test_a_line_break_at_the_end_of_a_path_opens_nothing(tmp_path: Path, end: str) -> None:
    """Two matchers may differ in what such a path is: it is refused before either sees it, and by the policy too."""
    app = create_app(scorer(), Guarded(tmp_path).worker)
    paths = [path for path in ROUTED if role_of(path) is not None]
    with serving(app) as running:
        for path in paths:
            with Client(running.port) as client:
                asked = f"POST {path}{end} HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n".encode()
                assert client.send(asked).answer().status == 400, path
    for path in paths:
        assert get(app, path + unquote(end)).status == 401
    assert role_of("/v1/models/1/activate\n") == role_of("/v1/revocations") == ADMIN


def test_a_path_that_nobody_thought_of_takes_a_role(tmp_path: Path) -> None:
    """The policy lists what is open; all else is not."""
    app = create_app(scorer(), Guarded(tmp_path).worker)
    for path in ("/v1", "/v1/predictions/", "//v1/predictions", "/V1/predictions", "/admin", "/v1/other", "/static"):
        assert get(app, path).status == 401, path


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
    ],
)
def test_pages_of_other_sites_administer_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    """Browsers add passwords and certificates by themselves."""
    key = f"Bearer {Books(tmp_path).key('ops', 'admin')}"
    app = create_app(scorer(), Guarded(tmp_path).worker)
    revocation = {"kind": "subject", "value": "x"}
    assert post(app, "/v1/revocations", revocation, authorization=key, **headers).status == 403
    assert post(app, "/v1/revocations", revocation, authorization=key).status == 200
    own = {"sec-fetch-site": "same-origin", "origin": "http://t", "host": "t"}
    assert post(app, "/v1/revocations", revocation, authorization=key, **own).status == 200


def test_what_was_revoked_stays_revoked_when_the_file_is_gone(tmp_path: Path) -> None:
    """A file that is removed takes nothing back, and before one was read no token is believed."""
    door = Guarded(tmp_path, auth="jwt", published=False)
    assert door.access.tokens is not None
    token = door.access.tokens.issue(Principal("alice", frozenset({"predict"})))[0]
    app = create_app(scorer(), door.worker)
    assert post(app, PREDICTIONS, CONTENT, authorization=f"Bearer {token}").status == 503
    Books(tmp_path).revoke("subject", "Alice")
    door.guard.look()
    assert post(app, PREDICTIONS, CONTENT, authorization=f"Bearer {token}").status == 401
    (tmp_path / "accounts.json").unlink()
    door.guard.look()
    assert post(app, PREDICTIONS, CONTENT, authorization=f"Bearer {token}").status == 401


def test_a_token_is_believed_as_soon_as_the_writer_has_shown_the_revocations(tmp_path: Path) -> None:
    """As a key is: a worker does not refuse for a second what another one answers."""
    door = Guarded(tmp_path, auth="jwt", published=False)
    assert door.access.tokens is not None
    token = door.access.tokens.issue(Principal("alice", frozenset({"predict"})))[0]
    app = create_app(scorer(), door.worker)
    assert post(app, PREDICTIONS, CONTENT, authorization=f"Bearer {token}").status == 503
    Books(tmp_path).show(Accounts())
    assert post(app, PREDICTIONS, CONTENT, authorization=f"Bearer {token}").status == 200


def test_a_browser_is_not_challenged_for_a_password_of_its_own_window(tmp_path: Path) -> None:
    """The page's script handles a refusal; a challenge for Basic would open the browser's own window instead."""
    app = create_app(scorer(), Guarded(tmp_path).worker)
    refused = post(app, PREDICTIONS, CONTENT, **{"sec-fetch-mode": "cors"})
    assert refused.status == 401
    assert "Basic" not in refused.headers["www-authenticate"]


def test_a_whole_key_that_is_to_be_revoked_is_told_nowhere(tmp_path: Path) -> None:
    """Its beginning names it; an unknown one is refused in words."""
    books, log = Books(tmp_path), io.StringIO()
    key = books.key("ops", "admin")
    door = Guarded(tmp_path)
    revoked: list[str] = []

    def revoke(kind: str, value: str, by: str) -> None:
        revoked.append(value)
        raise AtrasoError(f"there is no key that begins with {value!r}")

    routes = replace(door.worker.accounts, revoke=revoke, audit=audit_to(log))
    app = create_app(scorer(), replace(door.worker, accounts=routes))
    answer = post(app, "/v1/revocations", {"kind": "key", "value": key}, authorization=f"Bearer {key}")
    assert answer.status == 422
    assert revoked == [key[:15]]
    assert key[16:] not in log.getvalue() + answer.body.decode()
    assert json.loads(log.getvalue())["allowed"] is False


def test_a_revocation_that_the_ledger_cannot_take_now_is_to_be_asked_again(tmp_path: Path) -> None:
    """503 with the time to come back, and the audit log says that nothing was revoked."""
    log, key = io.StringIO(), Books(tmp_path).key("ops", "admin")
    door = Guarded(tmp_path)

    def revoke(kind: str, value: str, by: str) -> None:
        raise LedgerUnavailableError("The ledger PostgreSQL at 10.0.0.7, database x cannot be used now: timeout.")

    routes = replace(door.worker.accounts, revoke=revoke, audit=audit_to(log))
    app = create_app(scorer(), replace(door.worker, accounts=routes))
    answer = post(app, "/v1/revocations", {"kind": "subject", "value": "x"}, authorization=f"Bearer {key}")
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert "the ledger cannot be used now" in answer.json["detail"]
    assert b"10.0.0.7" not in answer.body
    told = json.loads(log.getvalue())
    assert (told["allowed"], "10.0.0.7" in told["why"]) == (False, True)


def test_the_page_answers_nobody_where_people_have_to_log_in(tmp_path: Path) -> None:
    """A flight in the page's address is answered by the script alone, once somebody has come in."""
    query = "airline=LAN&flight_number=1&destination=SPJC&date=2018-01-03&time=08:30"
    shown = get(create_app(scorer()), "/", query).body.decode()
    asked = get(create_app(scorer(), Guarded(tmp_path).worker), "/", query).body.decode()
    verdict = 'data-slot="verdict">The model calls this flight'
    assert verdict in shown
    assert verdict not in asked
    assert 'id="login"' in asked
    assert 'id="login"' not in shown


def test_a_connection_that_was_let_in_is_asked_each_time(tmp_path: Path) -> None:
    """A head that was answered before is known by its bytes, but its key has to count still."""
    key = Books(tmp_path).key("desk", "predict")
    body = b'{"flights": [{"airline": "LAN", "flight_number": "1", "destination": "SPJC", '
    body += b'"scheduled_departure": "2018-01-03T08:30:00"}]}'
    head = f"POST {PREDICTIONS} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
    request = f"{head}Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    with serving(create_app(scorer(), guarded(tmp_path))) as running, Client(running.port) as client:
        assert [client.send(request).answer().status for _ in range(3)] == [200] * 3
        assert len(running.gate.heads) == 1
        Books(tmp_path).show(Accounts())
        time.sleep(LOOK_EVERY_S + 0.1)
        assert client.send(request).answer().status == 401
        twice = request.replace(b"Content-Length", b"Authorization: Bearer x\r\nContent-Length")
        assert client.send(twice).answer().status == 400
