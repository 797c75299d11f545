"""Who gets in, at full size: random credentials, a directory that hangs, a key that is revoked."""

from __future__ import annotations

import base64
import json
import random
import string
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from atraso.ledger.accounts import KeyRow
from atraso.ledger.desk import Desk
from atraso.stress.questions import PREDICTIONS, body_of
from benchmarks.processes import HOST
from tests.drill.figures import show, tell
from tests.drill.full import Full, everything_on
from tests.drill.load import Plan, offer, offering
from tests.drill.machine import undisturbed
from tests.drill.service import WORKERS, flights, until
from tests.identity.directory_server import DirectoryServer, password_of
from tests.serving.access import directory_settings

RANDOM = 100_000
MOST_GROWTH_MB = 2.0
HANGS_FOR_S = 5.0
P99_MS = 50.0
REVOKED_WITHIN_S = 5.0
SEED = 5


def test_random_credentials_let_nobody_in_and_cost_no_memory(tmp_path: Path) -> None:
    """100,000 requests with random keys, tokens and passwords: 0 let in, and no process grows with them."""
    rng = random.Random(SEED)
    with everything_on(tmp_path, ATRASO_AUTH="keys,jwt") as full:
        requests = [_request(full, _credentials(rng)) for _ in range(RANDOM)]
        statuses: dict[int, int] = {}

        def send(some: list[str]) -> None:
            for start in range(0, len(some), 20_000):
                part = some[start : start + 20_000]
                load = offer(Plan(full.port, part, 16, seconds=len(part) / 4000, rate=4000))
                for status, count in load.statuses.items():
                    statuses[status] = statuses.get(status, 0) + count

        send(requests[:20_000])
        before = full.service.memory(WORKERS)
        send(requests[20_000:])
        after = full.service.memory(WORKERS)
        grown = max(b["rss_mb"] for b in after) - max(b["rss_mb"] for b in before)
        tell("requests with random credentials", sum(statuses.values()), "requests")
        show("of them let in", sum(statuses.values()) - statuses.get(401, 0), "requests", at_most=0)
        show("growth of a worker with the last 80,000", grown, "MB", at_most=MOST_GROWTH_MB)
        assert sum(statuses.values()) >= RANDOM * 0.99


def test_a_directory_that_hangs_holds_no_holder_of_a_token(tmp_path: Path, server: DirectoryServer) -> None:
    """Predictions with tokens keep their p99 while the directory is stopped and people try to log in."""
    settings = {
        f"ATRASO_{name.upper()}": value.reveal() if hasattr(value, "reveal") else str(value)
        for name, value in directory_settings(server).items()
    }
    with everything_on(tmp_path, ATRASO_AUTH="keys,ldap", **settings) as full:
        token = json.loads(_log_in(full)[1])["access_token"]
        requests = [_request(full, f"Bearer {token}") for _ in range(100)]
        plan = Plan(full.port, requests, 32, seconds=HANGS_FOR_S + 2, rate=1000)
        refused: list[tuple[int, float]] = []

        def knock() -> None:
            while time.monotonic() < hangs_until:
                began = time.monotonic()
                refused.append((_log_in(full)[0], time.monotonic() - began))

        with undisturbed(full.service, "a directory that hangs"), offering(plan) as offered:
            time.sleep(1.0)
            server.pause()
            hangs_until = time.monotonic() + HANGS_FOR_S
            people = [threading.Thread(target=knock) for _ in range(30)]
            for person in people:
                person.start()
            for person in people:
                person.join()
            server.resume()
            load = offered.met()
            show("errors of holders of tokens", load.failures, "requests", at_most=0)
            show("p99 of holders of tokens", load.took_ms(0.99), "ms", at_most=P99_MS)
            tell("log-ins refused meanwhile", len(refused), "log-ins")
            show("slowest of them", max(took for _, took in refused), "s", at_most=3.0)
            assert {status for status, _ in refused} <= {503, 429}
            assert 503 in {status for status, _ in refused}
        until(lambda: _log_in(full)[0] == 200, 30.0)


def test_a_revoked_key_ends_in_all_workers(tmp_path: Path) -> None:
    """Within 5 s, while it is in use on many connections; a new one counts within the same time."""
    with everything_on(tmp_path) as full:
        desk = Desk(tmp_path)
        key: KeyRow = desk.list_keys()[0]
        with offering(Plan(full.port, full.requests(), 32, seconds=12, rate=2000)) as offered:
            time.sleep(2.0)
            began = time.monotonic()
            desk.revoke_key(key.prefix)
            load = offered.met()
        last = max(at for at, _, status in load.answers if status == 200)
        show("from the revocation to the last answer", last - began, "s", at_most=REVOKED_WITHIN_S)
        assert load.statuses[401] > 1000
        made = subprocess.run(
            [".venv/bin/atraso", "keys", "create", "--name", "next", "--role", "predict", "--data", str(tmp_path)],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        began = time.monotonic()
        until(lambda: offer(Plan(full.port, [_request(full, f"Bearer {made.stdout.strip()}")] * 8, 8, 0.1))
              .statuses.keys() == {200}, REVOKED_WITHIN_S)  # fmt: skip
        tell("from a new key to its first answers", time.monotonic() - began, "s")


def _request(full: Full, authorization: str) -> str:
    body = body_of(flights()[0])
    head = (
        f"POST {PREDICTIONS} HTTP/1.1\r\nHost: drill\r\nContent-Type: application/json\r\n"
        f"Authorization: {authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head + body.decode()


def _credentials(rng: random.Random) -> str:
    def word(length: int) -> str:
        return "".join(rng.choices(string.ascii_letters + string.digits + "-_", k=length))

    kind = rng.randrange(4)
    if kind == 0:
        return f"Bearer atraso_{word(8).lower()}_{word(43)}"
    if kind == 1:
        claims = json.dumps({"iss": "atraso", "aud": "atraso", "sub": word(6), "roles": ["predict"], "exp": 2**33})
        head = json.dumps({"alg": rng.choice(["EdDSA", "none", "HS256"]), "kid": word(11)})
        parts = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in (head, claims)]
        return f"Bearer {parts[0]}.{parts[1]}.{word(86)}"
    if kind == 2:
        return f"Basic {base64.b64encode(f'{word(5)}:{word(9)}'.encode()).decode()}"
    return f"Bearer {word(rng.randrange(1, 200))}"


def _log_in(full: Full) -> tuple[int, bytes]:
    shown = base64.b64encode(f"bob:{password_of('bob')}".encode()).decode()
    request = urllib.request.Request(
        f"http://{HOST}:{full.port}/v1/token", method="POST", headers={"Authorization": f"Basic {shown}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
