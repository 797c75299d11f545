"""Logging in through the service: tokens for people of a real directory, and nobody else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from atraso.identity.limits import FAILURES_AT_ONCE
from atraso.identity.signing import SigningKeys
from atraso.serving.app import create_app
from atraso.serving.front import Front
from atraso.serving.guard import LOOK_EVERY_S
from tests.identity.directory_server import MAX_FAILURES, DirectoryServer, password_of
from tests.serving.access import Books, Guarded, basic, directory_settings
from tests.serving.asgi import Answer, get, post
from tests.serving.fakes import flight, scorer
from tests.serving.raw import Client, serving

PREDICTIONS = "/v1/predictions"
CONTENT = {"flights": [flight()]}
ALICE, BOB = ("alice", password_of("alice")), ("bob", password_of("bob"))


class House:
    """A service with log-in, and its audit log."""

    def __init__(self, folder: Path, server: DirectoryServer, **settings: Any) -> None:
        given: dict[str, Any] = {"auth": "ldap,keys", "data": folder, **directory_settings(server), **settings}
        self.clock = [time.time()]
        self.door = Guarded(folder, now=lambda: self.clock[0], **given)
        self.app: Front = create_app(scorer(), self.door.worker)

    def log_in(self, name: str, password: str) -> Answer:
        return post(self.app, "/v1/token", None, authorization=basic(name, password))

    def token(self, name: str, password: str) -> str:
        answer = self.log_in(name, password)
        assert answer.status == 200, answer.body
        return f"Bearer {answer.json['access_token']}"

    def ask(self, authorization: str) -> int | None:
        return post(self.app, PREDICTIONS, CONTENT, authorization=authorization).status


@pytest.fixture
def house(tmp_path: Path, server: DirectoryServer) -> House:
    """Return a service that asks the running directory."""
    return House(tmp_path, server)


@pytest.fixture
def paused(server: DirectoryServer) -> Iterator[Callable[[], None]]:
    """Return what stops the directory; it goes on after the test."""
    yield server.pause
    server.resume()


def test_a_log_in_gives_a_token_that_lets_in(house: House) -> None:
    """In the form of OAuth 2, with the roles of the person's groups; never kept by caches."""
    answer = house.log_in(*BOB)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert {**answer.json, "access_token": ""} == {
        "access_token": "", "token_type": "Bearer", "expires_in": 900, "scope": "predict",
    }  # fmt: skip
    assert house.ask(f"Bearer {answer.json['access_token']}") == 200
    assert house.ask(f"bearer {answer.json['access_token']}") == 200
    assert house.door.events[0] | {"timestamp": ""} == {
        "timestamp": "", "event": "login", "who": "bob", "allowed": True, "roles": ["predict"], "address": "127.0.0.1",
    }  # fmt: skip


def test_a_stock_client_can_prove_a_token_by_the_published_keys(house: House) -> None:
    """The key set is one that any library of the field understands."""
    token = house.token(*ALICE).removeprefix("Bearer ")
    answer = get(house.app, "/.well-known/jwks.json")
    assert answer.headers["content-type"].startswith("application/jwk-set+json")
    keys = {key["kid"]: jwt.PyJWK(key).key for key in answer.json["keys"]}
    claims = jwt.decode(token, keys[jwt.get_unverified_header(token)["kid"]], ["EdDSA"], audience="atraso")
    assert (claims["sub"], set(claims["roles"])) == ("alice", {"predict", "admin", "report"} & set(claims["roles"]))
    assert not {"d", "k"} & answer.json["keys"][0].keys()


def test_roles_decide(house: House) -> None:
    """An administrator may revoke, one who may predict may not, and one without a role may do neither."""
    alice, bob = house.token(*ALICE), house.token(*BOB)
    revocation = {"kind": "subject", "value": "somebody"}
    assert post(house.app, "/v1/revocations", revocation, authorization=alice).status == 200
    assert post(house.app, "/v1/revocations", revocation, authorization=bob).status == 403
    dave = house.token("dave", password_of("dave"))
    assert house.ask(dave) in (200, 403)


NOBODY = {
    "an empty password": ("alice", ""),
    "an empty user": ("", "x"),
    "a star": ("*", "x"),
    "a filter": (")(uid=*", "x"),
    "a NUL": ("alice\x00", ALICE[1]),
    "a NUL for a password": ("alice", "\x00"),
    "a control character": ("ali\nce", ALICE[1]),
    "a DN": ("uid=alice,ou=people,dc=flights,dc=test", ALICE[1]),
    "a very long name": ("a" * 2000, "x"),
    "a wrong password": ("bob", "x"),
    "somebody unknown": ("nobody", "x"),
    "the service account": ("svc", "svcpw"),
}


def test_nobody_gets_in_by_any_trick_and_all_refusals_look_alike(tmp_path: Path, server: DirectoryServer) -> None:
    """401 with the same bytes for every reason; the audit log has the reasons, and no password."""
    answers = []
    for number, (name, password) in enumerate(NOBODY.values()):
        house = House(tmp_path / str(number), server)  # failures are counted, so each has a service of its own
        answers.append(house.log_in(name, password))
        event = house.door.events[-1]
        assert (event["event"], event["allowed"]) == ("login", False)
        assert len(password) < 2 or password not in house.door.log.getvalue().replace(name, "")
    assert [answer.status for answer in answers] == [401] * len(NOBODY)
    assert len({(answer.body, tuple(sorted(answer.headers.items()))) for answer in answers}) == 1
    assert House(tmp_path / "honest", server).log_in(*ALICE).status == 200


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !", "Basic YWxpY2U=", "Basic /w==", "Bearer x", "", "Basic eDp5 eDp5"]
)
def test_what_is_no_basic_header_is_refused(house: House, header: str) -> None:
    """And told what to send."""
    answer = post(house.app, "/v1/token", None, authorization=header)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_credentials_in_the_query_are_nothing(house: House) -> None:
    """They would end in logs of gateways."""
    token = house.token(*BOB).removeprefix("Bearer ")
    query = "airline=LAN&flight_number=1&destination=SPJC&scheduled_departure=2018-01-03T08:30"
    for name in ("access_token", "token", "authorization", "api_key"):
        assert get(house.app, PREDICTIONS, f"{query}&{name}={token}").status == 401
    assert get(house.app, PREDICTIONS, query, authorization=f"Bearer {token}").status == 200


def test_failures_hold_a_name_back_before_the_directory_locks_it(house: House, server: DirectoryServer) -> None:
    """However the name is spelt, and the right password too; the directory counts fewer than it takes to lock."""
    house.token("eve", password_of("eve"))
    statuses = [house.log_in(spelt, "wrong").status for spelt in ("eve", "EVE", " eve", "\uff45ve", "Eve", "eve")]
    assert statuses[-1] == 429
    assert statuses.count(401) <= FAILURES_AT_ONCE
    refused = house.log_in("eve", password_of("eve"))
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert server.failures_of("eve") < MAX_FAILURES
    assert house.log_in(*BOB).status == 200


def test_tokens_outlive_their_directory(house: House, server: DirectoryServer, paused: Callable[[], None]) -> None:
    """With the directory stopped holders of tokens are answered, and new log-ins get 503 with a reason in time."""
    token = house.token(*BOB)
    paused()
    assert [house.ask(token) for _ in range(20)] == [200] * 20
    began = time.monotonic()
    answer = house.log_in(*ALICE)
    assert answer.status == 503
    assert time.monotonic() - began < 5.0
    assert "directory" in answer.json["detail"]
    assert int(answer.headers["retry-after"]) >= 1
    server.resume()
    assert house.log_in(*ALICE).status == 200


def test_revoked_tokens_end_and_later_ones_count(house: House, tmp_path: Path) -> None:
    """A subject's tokens end within a second of being told; a token of a later log-in counts."""
    bob, alice = house.token(*BOB), house.token(*ALICE)
    assert house.ask(bob) == house.ask(alice) == 200
    Books(tmp_path).revoke("subject", "bob")
    house.clock[0] += LOOK_EVERY_S
    assert house.ask(bob) == 401
    assert house.ask(alice) == 200
    time.sleep(1.1)  # a token's moments are whole seconds
    assert house.ask(house.token(*BOB)) == 200


def test_a_rotated_signing_key_leaves_tokens_that_there_are(house: House, tmp_path: Path) -> None:
    """The new key signs at once, the old one proves until its overlap is over; both are published."""
    before = house.token(*BOB)
    SigningKeys(tmp_path).rotate(overlap_s=100)
    house.door.access.look()
    after = house.token(*BOB)
    heads = {jwt.get_unverified_header(token.split()[1])["kid"] for token in (before, after)}
    assert len(heads) == 2
    assert heads <= {key["kid"] for key in get(house.app, "/.well-known/jwks.json").json["keys"]}
    assert house.ask(before) == house.ask(after) == 200


def test_a_token_ends_when_it_expires_although_it_was_remembered(tmp_path: Path, server: DirectoryServer) -> None:
    """Its end is looked at each time."""
    house = House(tmp_path, server, token_life_s=60)
    token = house.token(*BOB)
    assert house.ask(token) == 200
    house.clock[0] += 61
    assert house.door.guard.known(token.encode()) is None


def test_basic_asks_the_directory_now_and_then(
    tmp_path: Path, server: DirectoryServer, paused: Callable[[], None]
) -> None:
    """A password that was proved is believed for a while, another one never, and after that time not without asking."""
    house = House(tmp_path, server, auth="basic", basic_cache_s=2.0)
    assert house.ask(basic(*BOB)) == 200
    assert house.ask(basic("bob", "wrong")) == 401
    paused()
    assert house.ask(basic(*BOB)) == 200
    assert house.ask(basic(*ALICE)) == 503
    time.sleep(2.1)
    assert house.ask(basic(*BOB)) == 503


def test_basic_without_a_cache_asks_each_time(
    tmp_path: Path, server: DirectoryServer, paused: Callable[[], None]
) -> None:
    """0 s believes nobody."""
    house = House(tmp_path, server, auth="basic", basic_cache_s=0.0)
    assert house.ask(basic(*BOB)) == 200
    paused()
    assert house.ask(basic(*BOB)) == 503


def test_somebody_removed_from_the_directory_is_out_after_the_stated_time(
    tmp_path: Path, server: DirectoryServer
) -> None:
    """Basic believes a password for its time and not longer."""
    house = House(tmp_path, server, auth="basic", basic_cache_s=0.3)
    dn = server.add_person("leaver")
    assert house.ask(basic("leaver", password_of("leaver"))) in (200, 403)
    with server.bound() as admin:
        admin.delete_s(dn)
    time.sleep(0.4)
    assert house.ask(basic("leaver", password_of("leaver"))) == 401


def test_over_a_real_connection(house: House) -> None:
    """Header names in any case let in, a header twice is refused, and a token of one connection counts on another."""
    token = house.token(*BOB)
    body = json.dumps(CONTENT).encode()
    start = (
        f"POST {PREDICTIONS} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    with serving(house.app) as running:
        for line, status in (
            (f"Authorization: {token}", 200),
            (f"AUTHORIZATION: {token}", 200),
            (f"authorization: {token}\r\nAuthorization: {token}", 400),
            (f"Authorization: {token}x", 401),
            (f"X-Authorization: {token}", 401),
            (f"Proxy-Authorization: {token}", 401),
            (f"Cookie: token={token}", 401),
        ):
            with Client(running.port) as client:
                assert client.send(f"{start}{line}\r\n\r\n".encode() + body).answer().status == status, line[:20]
