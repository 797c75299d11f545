"""The writer judges beside its work: into a file of its owner's, once a day into the table, and whatever goes wrong."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, text

from atraso.core.drift import Reference
from atraso.ledger import quality_round
from atraso.ledger.database import ledger_url
from atraso.ledger.quality_report import QualityError, QualityFile
from atraso.ledger.quality_round import QualityRound
from atraso.ledger.schema import QUALITY_RUNS
from atraso.ledger.status import StatusBoard
from atraso.ledger.writer import Writer, WriterConfig
from tests.ledger.judged import MODEL, keep, left, said
from tests.ledger.places import Place, eventually, record, running, spooled


def now_utc() -> int:
    return int(time.time()) // 60


def one_round(place: Place, days: int = 28) -> QualityRound:
    return QualityRound(place.data, ledger_url(place.data, place.url), days, lambda: Reference(MODEL, {}, ()))


def runs(place: Place) -> list[tuple[object, ...]]:
    with place.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(QUALITY_RUNS).order_by(QUALITY_RUNS.c.lead))]


def test_a_round_is_published_and_kept_once_a_day(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row per lead and day with the scores of the day's first round; another day has its own."""
    due = now_utc() - 600
    keep(place, [said(1, 0.5, due=due), said(2, 0.1, due=due, lead="1h")], [left(1, 20, due=due), left(2, 0, due=due)])
    round_ = one_round(place)
    assert round_.due()
    round_.go(place.engine, lambda: None)
    found = QualityFile(place.data).read()
    assert found is not None
    assert (found.counts.judged, found.model_version, list(found.leads)) == (2, MODEL, ["3h", "1h"])
    assert stat.S_IMODE((place.data / "quality.json").stat().st_mode) == 0o600
    assert not (place.data / "quality.new").exists()
    day = time.strftime("%Y-%m-%d", time.gmtime())
    assert [row[:3] + row[4:] for row in runs(place)] == [
        (day, "1h", MODEL, 1, pytest.approx(0.01), pytest.approx(0.75), None, pytest.approx(0.1)),
        (day, "3h", MODEL, 1, 0.25, pytest.approx(1 - 0.25 / 0.64), None, 0.5),
    ]
    keep(place, [said(3, 0.9, due=due)], [left(3, 20, due=due)])
    for again in (round_, one_round(place)):
        again.go(place.engine, lambda: None)
        assert [row[4] for row in runs(place)] == [1, 1]
    published = QualityFile(place.data).read()
    assert published is not None
    assert published.leads["3h"].n == 2
    tomorrow = time.time() + 86_400
    monkeypatch.setattr(quality_round.time, "time", lambda: tomorrow)
    round_.go(place.engine, lambda: None)
    assert sorted(row[4] for row in runs(place)) == [1, 1, 1, 2]


def test_it_takes_five_minutes_until_the_next_or_more(sqlite_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that took a minute rests for twenty; the time of the work between does not count."""
    moment = [1000.0]
    monkeypatch.setattr(quality_round.time, "monotonic", lambda: moment[0])
    round_ = one_round(sqlite_place)
    assert sqlite_place.engine

    def rest_after(own_s: float, between_s: float) -> float:
        def wait(seconds: float) -> None:
            moment[0] += seconds

        def make(engine: object, between: object) -> None:
            wait(own_s)
            between()  # type: ignore[operator]

        monkeypatch.setattr(round_, "_make", make)
        round_.go(sqlite_place.engine, lambda: wait(between_s))
        at = moment[0]
        while not round_.due():
            moment[0] += 1
        return moment[0] - at

    assert rest_after(1.0, 0.0) == pytest.approx(300, abs=2)
    assert rest_after(60.0, 0.0) == pytest.approx(1200, abs=2)
    assert rest_after(1.0, 500.0) == pytest.approx(300, abs=2)


def test_a_fault_of_the_judging_is_told_and_nothing_else(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """A table that is gone, a folder that cannot be written; what the writer's own work raises goes through."""
    keep(place, [said(1, 0.5)])
    round_ = one_round(place)
    (place.data / "quality.new").mkdir()
    round_.go(place.engine, lambda: None)
    assert "quality of the predictions cannot be told" in caplog.text
    (place.data / "quality.new").rmdir()
    assert not round_.due()

    def fails() -> None:
        raise ConnectionError("the writer's own")

    with pytest.raises(ConnectionError, match="the writer's own"):
        round_.go(place.engine, fails)
    with place.engine.begin() as connection:
        connection.execute(text("DROP TABLE latest_predictions"))
    caplog.clear()
    round_.go(place.engine, lambda: None)
    assert "cannot be told" in caplog.text
    assert QualityFile(place.data).read() is None


def test_the_writer_judges_when_it_starts_and_goes_on_meanwhile(place: Place) -> None:
    """What is spooled is judged by a departure that is there; the file is made without being asked for."""
    due = 25_000_590
    keep(place, [], [left(number, 30, due=due) for number in range(5)])
    days = (now_utc() - due) // 1440 + 10
    place.close()
    with running(place, quality_days=days):
        eventually(lambda: QualityFile(place.data).read() is not None)
        spooled(place, *[record(number, at_ms=1_499_900_000_000) for number in range(5)]).close()
        eventually(lambda: place.count() == 5)
    with running(place, quality_days=days, keep_days=0):
        eventually(lambda: judged_flights(place) == 5)
    found = QualityFile(place.data).read()
    assert found is not None
    assert (found.leads["schedule"].delayed, found.leads["schedule"].said, found.model_version) == (5, 0.25, "all")


def judged_flights(place: Place) -> int | None:
    found = QualityFile(place.data).read()
    return found and found.counts.judged


def test_a_writer_that_is_to_end_does_not_judge_to_the_end(
    sqlite_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves in the middle, and nothing half is published."""
    keep(sqlite_place, [said(1, 0.5)])
    sqlite_place.close()
    stop = threading.Event()
    rounds: list[int] = []

    def endless(connection: object, window: object, reference: object, between: Callable[[], None]) -> None:
        while True:
            rounds.append(1)
            if len(rounds) == 3:
                stop.set()
            between()

    monkeypatch.setattr(quality_round, "judge", endless)
    Writer(WriterConfig(sqlite_place.data, quality_days=7), StatusBoard()).run(stop)
    assert len(rounds) >= 3
    assert QualityFile(sqlite_place.data).read() is None


def test_a_damaged_file_is_told_and_made_again(sqlite_place: Place) -> None:
    """Readers say what to do; the next round puts a good one in its place."""
    file = QualityFile(sqlite_place.data)
    assert file.read() is None
    file.path.write_text('{"made_at": 7}')
    with pytest.raises(QualityError, match="is damaged: remove it"):
        file.read()
    one_round(sqlite_place).go(sqlite_place.engine, lambda: None)
    assert file.read() is not None


def test_a_file_is_read_again_only_when_it_has_changed(sqlite_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is asked a thousand times reads it once."""
    assert sqlite_place.engine
    one_round(sqlite_place).go(sqlite_place.engine, lambda: None)
    file = QualityFile(sqlite_place.data)
    reads: list[Path] = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path) or read_bytes(path))  # type: ignore[func-returns-value]
    first = file.read()
    assert file.read() is first
    assert len(reads) == 1
    os.utime(file.path, (1, 1))
    assert file.read() == first
    assert len(reads) == 2
