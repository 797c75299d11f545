"""Nothing that was answered is missing from the ledger, whoever is killed: workers, writer, the service itself."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from atraso.stress.proc import children_of, memory_of
from benchmarks.processes import free_port
from tests.drill.figures import say, show, tell
from tests.drill.full import Full, begin, end, new_key
from tests.drill.journaling import Balance, Told, journaling
from tests.drill.service import WORKERS, until
from tests.ledger.postgres_server import PostgresServer, missing

SEED = 17
# One round of kills; so that each is killed in all states of the others.
ROUND = ("worker", "writer", "worker", "worker", "writer", "worker", "worker", "writer", "worker", "parent")
ROUNDS = 50
ROUNDS_POSTGRES = 8
MANY = 40  # flights of the larger requests, which take another way than single ones


class Killed:
    """A service that is killed in parts or whole, and started again where it was killed whole."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._folder, self._settings = folder, settings
        self._key, self._port = new_key(folder, **settings), free_port()
        self._chance = random.Random(SEED)
        self.full = self._begin()
        # A key of a ledger in PostgreSQL counts once the writer has shown it to the workers.
        until(lambda: self.full.asked() == 200, 10.0)
        self.kills: Counter[str] = Counter()

    def _begin(self) -> Full:
        return begin(self._folder, self._key, self._port, **self._settings)

    def kill(self, whom: str) -> None:
        """Kill one process with SIGKILL at a moment that chance chooses, and wait until there is another."""
        time.sleep(self._chance.uniform(0.0, 0.15))
        service = self.full.service
        parent = service.process.pid
        if whom == "parent":
            orphans = children_of(parent)
            os.kill(parent, signal.SIGKILL)
            service.process.wait()
            # Those that it leaves see that it is gone, and end: until then the port is theirs.
            until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans), 10.0)
            end(self.full)
            self.full = self._begin()
        elif whom == "writer":
            self._kill_one(lambda: [pid for pid in (self.full.writer_pid(),) if pid is not None])
        else:
            self._kill_one(lambda: service.worker_pids(WORKERS))
        self.kills[whom] += 1

    def _kill_one(self, candidates: Callable[[], list[int]]) -> None:
        """Kill one of those that live; one that was killed is among its parent's children until that has seen it."""
        deadline = time.monotonic() + 20.0
        while time.monotonic() < deadline:
            living = [pid for pid in candidates() if memory_of(pid)["rss_mb"] > 0]
            with contextlib.suppress(ProcessLookupError):
                if living:
                    os.kill(self._chance.choice(living), signal.SIGKILL)
                    return
            time.sleep(0.005)
        raise AssertionError("there is none to be killed")


@contextlib.contextmanager
def killed(folder: Path, **settings: str) -> Iterator[Killed]:
    """Have a service to be killed, and end it."""
    victim = Killed(folder, **settings)
    try:
        yield victim
    finally:
        end(victim.full)


def test_500_kills_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    """SIGKILL of workers, writer and parent under load: each answer is in the ledger once, and its file is sound."""
    folder = tmp_path / "data"
    began = time.monotonic()
    with killed(folder) as victim:
        told, balance = _under_load(victim, tmp_path / "told", ROUND * ROUNDS)
        drained_s = victim.full.drained()
        rows = victim.full.ledger_rows()
        stored = [str(found) for (found,) in victim.full.stored("id")]
    with contextlib.closing(sqlite3.connect(folder / "ledger.sqlite3")) as ledger:
        sound = ledger.execute("PRAGMA integrity_check").fetchall()
    say(f"integrity_check: {sound[0][0]}")
    tell("the whole drill", time.monotonic() - began, "s")
    _show(victim, told, balance, stored, drained_s)
    assert sound == [("ok",)]
    assert rows["queued"] == 0


def test_kills_and_a_restarted_postgresql_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    """The same with PostgreSQL, whose server is ended at once in the middle and comes back 3 s later."""
    if why := missing():
        pytest.skip(why)
    server = PostgresServer()
    try:
        url = server.database()
        with killed(tmp_path / "data", ATRASO_LEDGER_URL=url) as victim:
            half = ROUND * (ROUNDS_POSTGRES // 2)
            told, balance = _under_load(victim, tmp_path / "told", half, half, server)
            drained_s = victim.full.drained()
        with psycopg.connect(url) as connection:
            stored = [str(found) for (found,) in connection.execute("SELECT id FROM predictions").fetchall()]
    finally:
        server.remove()
    _show(victim, told, balance, stored, drained_s)


def _under_load(
    victim: Killed,
    folder: Path,
    kills: tuple[str, ...],
    more: tuple[str, ...] = (),
    server: PostgresServer | None = None,
) -> tuple[Told, Balance]:
    with Balance(lambda: victim.full) as balance, journaling(victim.full, folder, many=MANY) as told:
        time.sleep(0.5)
        for whom in kills:
            victim.kill(whom)
        if server is not None:
            server.stop()
            time.sleep(3.0)
            server.start()
        for whom in more:
            victim.kill(whom)
        time.sleep(0.5)
    return told, balance


def _show(victim: Killed, told: Told, balance: Balance, stored: list[str], drained_s: float) -> None:
    for whom, count in victim.kills.items():
        tell(f"kills of {whom}", count, "times")
    tell("answers that the clients had whole", told.statuses[200], "requests")
    tell("predictions in them", len(told.ids), "rows")
    tell("connections that broke", told.broken, "requests")
    tell("rows in the ledger", len(stored), "rows")
    tell("drained after the last kill", drained_s, "s")
    tell("readings of the metrics", balance.looks, "times")
    tell("readings that met a dying process", balance.unread, "times")
    assert told.broken > 0  # the kills were felt, so the figures mean something
    assert balance.looks > 100
    assert set(told.statuses) == {200}
    show("answers that the ledger does not have", len(set(told.ids) - set(stored)), "rows", at_most=0)
    show("answers that it has twice", len(stored) - len(set(stored)), "rows", at_most=0)
    show("identifiers given twice", len(told.ids) - len(set(told.ids)), "rows", at_most=0)
    more = len(set(stored) - set(told.ids))
    show("rows of answers that no client had whole", more, "rows", at_most=told.broken * MANY)
    wrong = len(balance.wrong)
    show(f"moments when the rows did not add up {balance.wrong[:2]}", wrong, "times", at_most=0)
