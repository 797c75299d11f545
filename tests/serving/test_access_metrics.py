"""What it costs to find out who asks, as metrics: every kind moves, known or proved, and each step at a directory."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from atraso.bootstrap.access import Entrance, directory_servers
from atraso.ledger.accounts import Accounts as KeptAccounts
from atraso.ledger.accounts import AccountsFile
from atraso.serving.accounts import Accounts
from atraso.serving.app import Worker, create_app
from atraso.serving.guard import LOOK_EVERY_S, Guard
from atraso.settings import Settings
from atraso.telemetry.audit import no_audit
from atraso.telemetry.cells import Board
from atraso.telemetry.exposition import exposition
from tests.identity.directory_server import DirectoryServer, password_of
from tests.serving.access import Books, basic, directory_settings
from tests.serving.asgi import post
from tests.serving.fakes import flight, scorer
from tests.serving.raw import Client, serving

PREDICTIONS = "/v1/predictions"
CONTENT = {"flights": [flight()]}


def new_key(folder: Path) -> str:
    """Return a key for predictions."""
    AccountsFile(folder).publish(KeptAccounts())
    return Books(folder).key("desk", "predict")


class Counted:
    """A service whose checks of who asks are counted as in a worker."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        given = Settings(data=folder, **settings)
        if not (folder / "accounts.json").exists():
            AccountsFile(folder).publish(KeptAccounts())
        self.clock = [time.time()]
        self.board = Board(1, directory_servers(given))
        recorder = self.board.slot(0)
        access = Entrance(given, no_audit).open(recorder=recorder)
        guard = Guard(access.ways, recorder=recorder, now=lambda: self.clock[0])
        accounts = Accounts(access.log_in, recorder=recorder)
        self.app = create_app(scorer(), Worker(guard=guard, accounts=accounts, board=self.board))

    def ask(self, authorization: str = "", path: str = PREDICTIONS) -> Any:
        headers = {"authorization": authorization} if authorization else {}
        return post(self.app, path, CONTENT if path == PREDICTIONS else None, **headers)

    def counts(self, name: str) -> dict[tuple[str, ...], float]:
        """Return how often each series of a histogram moved, by its labels in order; those at 0 are left out."""
        text = exposition(self.board.totals(), {}, self.board.servers).decode()
        return {
            tuple(sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"{name}_count" and sample.value
        }


def test_a_key_is_proved_once_and_then_known(tmp_path: Path) -> None:
    """By the ordinary way and at once; a wrong one and none are counted too, and open routes are not."""
    key = f"Bearer {new_key(tmp_path)}"
    service = Counted(tmp_path, auth="keys")
    with serving(service.app) as running, Client(running.port) as client:
        body = json.dumps(CONTENT).encode()
        head = f"POST {PREDICTIONS} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nAuthorization: {key}\r\n"
        for _ in range(10):
            assert client.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body).answer().status == 200
    assert service.ask(key).status == 200
    assert service.ask("Bearer atraso_00000000_wrong").status == 401
    assert service.ask().status == 401
    assert service.ask("Digest x").status == 401
    assert post(service.app, "/v1/token", None).status == 404
    assert service.counts("atraso_authz_seconds") == {
        ("miss", "key"): 2.0,
        ("hit", "key"): 10.0,
        ("miss", "none"): 2.0,
    }


def test_look_ups_are_timed_by_a_sample(tmp_path: Path) -> None:
    """Their sum moves once a second, by as much as a look-up took."""
    key = f"Bearer {new_key(tmp_path)}"
    service = Counted(tmp_path, auth="keys")
    service.clock[0] += LOOK_EVERY_S
    service.ask(key)
    recorder = service.board.slot(0)
    for _ in range(1000):
        recorder.recalled(0)
    service.clock[0] += LOOK_EVERY_S
    service.ask(key)
    service.clock[0] += LOOK_EVERY_S
    service.ask(key)
    text = exposition(service.board.totals(), {}).decode()
    (total,) = [line for line in text.splitlines() if 'atraso_authz_seconds_sum{cache="hit",kind="key"}' in line]
    assert 0 < float(total.split()[-1]) < 1000 * 0.001


def test_tokens_passwords_and_every_step_at_the_directory_are_counted(tmp_path: Path, server: DirectoryServer) -> None:
    """A log-in is one connection, two binds and what lies between; a wrong password is a refusal, not an error."""
    service = Counted(tmp_path, auth="ldap,basic,keys", **directory_settings(server))
    alice = basic("alice", password_of("alice"))
    token = f"Bearer {service.ask(alice, '/v1/token').json['access_token']}"
    assert [service.ask(token).status for _ in range(2)] == [200, 200]
    assert [service.ask(alice).status for _ in range(3)] == [200, 200, 200]
    assert service.ask(basic("bob", "wrong"), "/v1/token").status == 401
    assert service.counts("atraso_authz_seconds") == {
        ("miss", "jwt"): 1.0,
        ("hit", "jwt"): 1.0,
        ("miss", "basic"): 1.0,
        ("hit", "basic"): 2.0,
    }
    assert service.counts("atraso_token_seconds") == {("ok",): 1.0, ("client_error",): 1.0}
    name = directory_servers(Settings(auth="ldap", **directory_settings(server)))[0]
    steps = service.counts("atraso_ldap_seconds")
    assert all(name in key for key in steps)
    by_step = {tuple(part for part in key if part != name): count for key, count in steps.items()}
    assert by_step["connect", "ok"] == 3.0
    assert by_step["bind", "ok"] == 5.0
    assert by_step["bind", "refused"] == 1.0
    assert by_step["search", "ok"] == 3.0
    assert not any(result == "error" for _, result in by_step)


def test_a_directory_that_is_gone_is_an_error_at_its_server(tmp_path: Path, server: DirectoryServer) -> None:
    """And the token that could not be given is the service's failure, not the client's."""
    settings = {**directory_settings(server), "ldap_url": "ldap://127.0.0.1:9"}
    service = Counted(tmp_path, auth="ldap,keys", **settings)
    assert service.ask(basic("alice", password_of("alice")), "/v1/token").status == 503
    assert service.counts("atraso_token_seconds") == {("server_error",): 1.0}
    (step,) = service.counts("atraso_ldap_seconds")
    assert set(step) == {"127.0.0.1:9", "connect", "error"}
