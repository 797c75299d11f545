"""Two replicas behind haproxy with one PostgreSQL, each replaced again and again under load."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from atraso.ledger.database import ledger_url
from benchmarks.processes import free_port
from tests.drill.balancer import Balancer, balancing
from tests.drill.balancer import missing as no_balancer
from tests.drill.figures import show, tell
from tests.drill.full import Full, begin, end, new_key
from tests.drill.load import Plan, offering
from tests.drill.service import until
from tests.ledger.postgres_server import PostgresServer
from tests.ledger.postgres_server import missing as no_postgres

RATE, FOR_S = 500.0, 60.0
CONNECTIONS = 16
REST_S = 3.0  # between two replacements
STOP_WITHIN_S = 10.0
WANTING = no_balancer() or no_postgres()

pytestmark = pytest.mark.skipif(bool(WANTING), reason=WANTING)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.remove()


class Replicas:
    """Two services that share nothing but the database; a replacement has an empty data folder of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._settings = folder, {"ATRASO_LEDGER_URL": url}
        (folder / "keys").mkdir()
        self.key = new_key(folder / "keys", **self._settings)
        self.ports = [free_port(), free_port()]
        self.running: list[Full] = []
        self.replaced = 0
        self.stops_s: list[float] = []
        self.codes: set[int] = set()
        self.left_behind: list[Path] = []
        for n in range(2):
            self.running.append(self._begin(n))

    def _begin(self, n: int) -> Full:
        self.replaced += 1
        folder = self._folder / f"replica{n}-{self.replaced}"
        folder.mkdir()
        return begin(folder, self.key, self.ports[n], **self._settings)

    def replace(self, n: int) -> None:
        """Stop the replica *n* by SIGTERM and start another in its place, from nothing."""
        old = self.running[n]
        began = time.monotonic()
        old.service.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            old.service.process.wait(4 * STOP_WITHIN_S)
        self.stops_s.append(time.monotonic() - began)
        self.codes.add(old.service.process.returncode)
        self.left_behind += old.spool()
        end(old)
        self.running[n] = self._begin(n)

    def end(self) -> None:
        for full in self.running:
            end(full)


def replaced_in(balancer: Balancer, replicas: Replicas, n: int, *, drained: bool) -> None:
    """Replace the replica *n*; *drained*, the balancer is told before, as orchestrators do; else it has to notice."""
    if drained:
        balancer.take_out(f"replica{n}")
    replicas.replace(n)
    if drained:
        balancer.take_in(f"replica{n}")
    else:
        until(lambda: balancer.is_up(f"replica{n}"), 10.0)


@pytest.mark.parametrize("drained", [True, False], ids=["drained first", "by SIGTERM alone"])
def test_replicas_are_replaced_under_load(tmp_path: Path, postgres: PostgresServer, drained: bool) -> None:
    """At 500 requests a second for a minute no request fails, and PostgreSQL has each answer once."""
    url = postgres.database()
    replicas = Replicas(tmp_path, url)
    try:
        with balancing(replicas.ports) as balancer:
            plan = Plan(balancer.port, replicas.running[0].requests(), CONNECTIONS, FOR_S, rate=RATE)
            with offering(plan) as offered:
                until_s = time.monotonic() + FOR_S - 8.0  # the last one is back before the load ends
                n = 0
                while time.monotonic() < until_s:
                    time.sleep(REST_S)
                    replaced_in(balancer, replicas, n % 2, drained=drained)
                    n += 1
                load = offered.met()
        for full in replicas.running:
            full.drained()
    finally:
        replicas.end()
    engine = create_engine(ledger_url(tmp_path, url))
    with engine.connect() as connection:
        rows, different = connection.execute(text("SELECT count(*), count(DISTINCT id) FROM predictions")).one()
    engine.dispose()

    tell(f"replicas replaced, {'drained first' if drained else 'by SIGTERM alone'}", n, "replicas")
    tell("answers", load.statuses[200], "requests")
    tell("p50 through the balancer", load.took_ms(0.5), "ms")
    tell("p99 through the balancer", load.took_ms(0.99), "ms")
    tell("refused by the balancer itself", load.silent_refusals, "requests")
    show("longest stop", max(replicas.stops_s), "s", at_most=STOP_WITHIN_S)
    show(f"failed requests {dict(load.statuses)}", load.failures, "requests", at_most=0)
    assert replicas.codes == {0}
    assert n >= 4
    assert not replicas.left_behind, "a replica ended with answers in its folder that the ledger does not have"
    show(
        "ledger rows that are not answers, or answers that are not rows",
        abs(rows - load.statuses[200]),
        "rows",
        at_most=0,
    )
    assert rows == different
