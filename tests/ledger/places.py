"""Ledgers for the tests, what is spooled for them, and writers that run."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from atraso.core.live import KnownFlight
from atraso.ledger.commands import FlightReport, Report, Reported
from atraso.ledger.database import ledger_url, open_engine
from atraso.ledger.following import changes
from atraso.ledger.intake import Intake, Taken
from atraso.ledger.migrate import migrate
from atraso.ledger.records import first_id_at
from atraso.ledger.schema import PREDICTIONS
from atraso.ledger.spool import Spool
from atraso.ledger.status import Status, StatusBoard
from atraso.ledger.verbs import execute
from atraso.ledger.writer import WriterConfig, run_writer

# 2026-11-01T00:00Z
BEGAN_MS = 1_793_491_200_000
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass
class Place:
    """A data folder and the database of its ledger."""

    data: Path
    url: str | None
    restart: Callable[[], None] | None = None
    _engine: list[Engine] = field(default_factory=list)

    @property
    def spools(self) -> Path:
        return self.data / "spool"

    @property
    def engine(self) -> Engine:
        """An engine that writes, of this process; not to be used beside a writer of SQLite."""
        if not self._engine:
            self._engine.append(open_engine(ledger_url(self.data, self.url)))
            migrate(self._engine[0])
        return self._engine[0]

    def reader(self) -> Engine:
        return open_engine(ledger_url(self.data, self.url), reading=True)

    def rows(self) -> list[Any]:
        """Return the predictions that are stored, in the order of their identifiers."""
        engine = self._engine[0] if self._engine else self.reader()
        with engine.connect() as connection:
            return list(connection.execute(select(PREDICTIONS).order_by(PREDICTIONS.c.id)))

    def count(self) -> int:
        """Return how many predictions are stored; 0 where there is no database yet."""
        with contextlib.suppress(Exception), self.reader().connect() as connection:
            return int(connection.execute(select(func.count()).select_from(PREDICTIONS)).scalar_one())
        return 0

    def close(self) -> None:
        for engine in self._engine:
            engine.dispose()
        self._engine.clear()


def identifier(number: int, at_ms: int = BEGAN_MS) -> str:
    """Return the identifier of the prediction that bears *number*."""
    tail = "".join(DIGITS[(number >> (5 * place)) & 31] for place in range(15, -1, -1))
    return first_id_at(at_ms)[:10] + tail


def read_changes(engine: Engine, after: int) -> tuple[int, list[KnownFlight]]:
    """Return the version that `changes` reached and all its flights."""
    version, flights = changes(engine, after)
    return version, list(flights)


def record(*numbers: int, at_ms: int = BEGAN_MS, principal: str = "desk", **changes: object) -> bytes:
    """Return a spool's record of one answer to the predictions that bear *numbers*."""
    flights = [["LAN", str(number), "SCEL", "SPJC", "2017-07-14T08:30:00-04:00"] for number in numbers]
    predictions = [
        {
            "id": identifier(number, at_ms),
            "delay_probability": 0.25,
            "delayed": True,
            "base_rate": 0.1845,
            "basis": "schedule",
            "lead": "schedule",
            "exceeds": {"0": 0.75, "15": 0.25, "30": 0.125, "60": 0.0625},
            "minutes": {"p50": 4.5, "p80": 19.25, "p95": 52.0},
            "reasons": [],
            "warnings": [],
        }
        | changes
        for number in numbers
    ]
    answer = {
        "model": {"airport": "SCEL", "version": "2017.1+3f9c2a"},
        "as_of": "2017-07-14T05:30:00-04:00",
        "predictions": predictions,
    }
    return json.dumps({"principal": principal, "flights": flights, "answer": answer}, separators=(",", ":")).encode()


# 2017-07-14T08:30 in Santiago
SCHEDULED_UTC = 25_000_590
SCHEDULED_LOCAL = "2017-07-14T08:30:00-04:00"


def report(number: str = "1", **facts: Any) -> FlightReport:
    """Return a report of the flight that bears *number*; `actual` is in minutes after the schedule, `at_ms` its moment.

    With none of these it says that the flight is scheduled.
    """
    actual = facts.get("actual")
    return FlightReport(
        "LAN",
        number,
        "SCEL",
        "SPJC",
        SCHEDULED_UTC,
        SCHEDULED_LOCAL,
        None if actual is None else SCHEDULED_UTC + actual,
        facts.get("cancelled", False),
        facts.get("at_ms"),
    )


def heard(place: Place, *flights: FlightReport, at_ms: int = BEGAN_MS, by: str = "tower") -> Reported:
    """Store a report of *flights* in the ledger of *place*, which no writer has open."""
    done = execute(Report(by, at_ms, flights), place.engine, lambda: None)
    assert isinstance(done, Reported)
    return done


def spooled(place: Place, *payloads: bytes, max_file_bytes: int = 1 << 26) -> Spool:
    """Return a spool that holds *payloads* and is still open."""
    spool = Spool(place.spools, max_file_bytes)
    for payload in payloads:
        spool.add(payload)
        assert spool.flush()
    return spool


@dataclass
class Running:
    """A writer in a process of its own."""

    process: BaseProcess
    board: StatusBoard

    def status(self) -> Status:
        return self.board.read()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


def start_writer(
    place: Place, board: StatusBoard | None = None, before: Callable[[], None] = lambda: None, **settings: Any
) -> Running:
    """Start a writer and wait until it holds the lock; *before* is called in its process."""
    config = WriterConfig(place.data, place.url, **settings)
    board = board or StatusBoard()
    context = multiprocessing.get_context("fork")
    ready = context.Event()

    def beat() -> bool:
        ready.set()
        return True

    def work() -> None:
        _let_go_of_spools()
        before()
        run_writer(config, beat, board)

    process = context.Process(target=work, daemon=True)
    process.start()
    assert ready.wait(10), "the writer does not begin"
    return Running(process, board)


def _let_go_of_spools() -> None:
    """Close the spools that the test has open: a forked process has a part in their locks."""
    for fd in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):
            if fd.readlink().suffix == ".spool":
                os.close(int(fd.name))


@contextlib.contextmanager
def running(place: Place, **settings: Any) -> Iterator[Running]:
    """Have a writer run meanwhile, and end it gracefully."""
    writer = start_writer(place, **settings)
    try:
        yield writer
    finally:
        writer.process.terminate()
        writer.process.join(10)
        if writer.process.exitcode is None:
            writer.kill()
    assert writer.process.exitcode == 0


def eventually(holds: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait until *holds* returns something true."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.02)


def take_all(intake: Intake) -> Taken:
    total = Taken()
    for _ in range(100):
        taken = intake.take()
        total.rows += taken.rows
        total.new_rows += taken.new_rows
        total.recovered += taken.recovered
        total.refused += taken.refused
        total.torn += taken.torn
        total.damaged += taken.damaged
        if not taken.more:
            return total
    raise AssertionError("it does not end")


def numbers(place: Place) -> list[int]:
    return [int(row.flight_number) for row in place.rows()]


def files(place: Place) -> list[str]:
    return sorted(path.suffix for path in place.spools.iterdir())


class Worker:
    """Spools predictions, one after the other, as quickly as is asked."""

    def __init__(self, place: Place, pause_s: float = 0.0005) -> None:
        self.said = 0
        self._stop = threading.Event()
        self._spool = Spool(place.spools, max_file_bytes=200_000)
        self._pause_s = pause_s
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while not self._stop.wait(self._pause_s):
            self._spool.add(record(self.said, self.said + 1))
            if self._spool.flush():
                self.said += 2

    def end(self) -> int:
        """Stop, and return how many predictions were kept."""
        self._stop.set()
        self._thread.join()
        self._spool.close()
        return self.said
