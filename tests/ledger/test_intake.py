"""What is spooled is in the ledger once: whatever is torn, damaged, read twice or taken back."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select

from atraso.ledger.intake import Intake, Taken
from atraso.ledger.records import used_record
from atraso.ledger.schema import KEYS, PREDICTIONS, SPOOLS
from atraso.ledger.spool import Spool
from tests.ledger.places import Place, files, identifier, numbers, record, spooled, take_all


def test_an_answer_is_stored_as_it_was_given(place: Place) -> None:
    """Every column, moments in UTC; what is empty is not there."""
    reasons = [{"group": "time of day", "value": "08:30", "effect": 0.0655}]
    spool = spooled(place, record(1), record(2, reasons=reasons, warnings=["ñandú"], principal="tower"))
    assert take_all(Intake(place.spools, place.engine)).new_rows == 2
    first, second = place.rows()
    assert dict(first._mapping) == {
        "id": identifier(1),
        "principal": "desk",
        "asked_ms": 1_793_491_200_000,
        "as_of_s": 1_500_024_600,
        "airline": "LAN",
        "flight_number": "1",
        "origin": "SCEL",
        "destination": "SPJC",
        "scheduled_utc": 25_000_590,
        "scheduled_local": "2017-07-14T08:30:00-04:00",
        "lead": "schedule",
        "basis": "schedule",
        "model_version": "2017.1+3f9c2a",
        "delay_probability": 0.25,
        "delayed": True,
        "base_rate": 0.1845,
        "exceeds_0": 0.75,
        "exceeds_15": 0.25,
        "exceeds_30": 0.125,
        "exceeds_60": 0.0625,
        "p50": 4.5,
        "p80": 19.25,
        "p95": 52.0,
        "warnings": None,
        "reasons": None,
    }
    assert (second.principal, second.warnings) == ("tower", '["\\u00f1and\\u00fa"]')
    assert second.reasons == '[{"group":"time of day","value":"08:30","effect":0.0655}]'
    spool.close()


EXAMPLES = itertools.count()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4), max_size=25), st.randoms(use_true_random=False))
def test_order_repetition_and_replays_make_no_difference(
    place: Place, answers: list[list[int]], chance: random.Random
) -> None:
    """Any records in any number of files, taken in at any moments, files put back afterwards: each identifier once."""
    folder = place.data / str(next(EXAMPLES))
    with place.engine.begin() as connection:
        for table in (PREDICTIONS, SPOOLS):
            connection.execute(delete(table))
    spools = [Spool(folder, max_file_bytes=chance.choice([300, 3000, 1 << 20])) for _ in range(3)]
    intake = Intake(folder, place.engine)
    put_back: dict[Path, bytes] = {}
    new = 0
    for answer in answers:
        spool = chance.choice(spools)
        spool.add(record(*answer))
        assert spool.flush()
        if chance.random() < 0.3:
            put_back |= {path: path.read_bytes() for path in folder.glob("*.spool")}
            new += take_all(intake).new_rows
        if chance.random() < 0.2:
            intake = Intake(folder, place.engine)
        if chance.random() < 0.2:
            spool.close()
    for spool in spools:
        spool.close()
    new += take_all(intake).new_rows
    for path, content in put_back.items():
        path.write_bytes(content)
    new += take_all(Intake(folder, place.engine)).new_rows
    expected = sorted({number for answer in answers for number in answer})
    assert numbers(place) == expected
    assert new == len(expected)
    assert not list(folder.glob("*"))


def test_a_file_that_is_being_written_is_followed_and_kept(place: Place) -> None:
    """And removed, with what is remembered of it, once its process has begun another."""
    spool = spooled(place, record(1))
    intake = Intake(place.spools, place.engine)
    assert take_all(intake).new_rows == 1
    assert take_all(intake) == Taken()
    spool.add(record(2))
    spool.flush()
    assert intake.queued_bytes() > 0
    assert take_all(intake).new_rows == 1
    assert (intake.queued_bytes(), files(place)) == (0, [".spool"])
    spool.close()
    spool.add(record(3))
    spool.flush()
    assert take_all(intake).new_rows == 1
    assert files(place) == [".spool"]
    spool.close()
    take_all(intake)
    take_all(intake)
    assert files(place) == []
    with place.engine.connect() as connection:
        assert connection.execute(select(SPOOLS)).all() == []
    assert numbers(place) == [1, 2, 3]


def _answer(folder: Path, said: int) -> None:
    spool = Spool(folder, max_file_bytes=100_000)
    for number in itertools.count():
        spool.add(record(number))
        if spool.flush():
            os.write(said, b".")  # what a client would have been told


def test_what_a_killed_worker_had_answered_is_stored_and_its_file_removed(place: Place) -> None:
    """Its lock is gone with it, although another process may have its number by now."""
    ours, theirs = os.pipe()
    worker = multiprocessing.get_context("fork").Process(target=_answer, args=(place.spools, theirs))
    worker.start()
    os.close(theirs)
    intake = Intake(place.spools, place.engine)
    said = 0
    while said < 1000:
        said += len(os.read(ours, 200))
        take_all(intake)
    worker.kill()
    worker.join()
    while more := os.read(ours, 65536):
        said += len(more)
    os.close(ours)
    take_all(intake)
    assert numbers(place)[:said] == list(range(said))
    assert list(place.spools.glob("*.spool")) == []


def test_a_record_larger_than_what_is_read_at_once_is_taken(place: Place) -> None:
    """10,000 flights in one answer, between two small ones."""
    spooled(place, record(1), record(*range(2, 10_002), reasons=[{"group": "x" * 400}]), record(10_002)).close()
    assert take_all(Intake(place.spools, place.engine)).new_rows == 10_002


def test_when_keys_were_used_is_noted_and_never_goes_back(place: Place) -> None:
    """The latest moment wins, in whatever order they come; unknown keys are passed over."""
    with place.engine.begin() as connection:
        for prefix in ("atraso_1", "atraso_2"):
            row = {"prefix": prefix, "name": prefix, "sha256": "0" * 64, "roles": "predict", "created_s": 1}
            connection.execute(insert(KEYS).values(**row))
    intake = Intake(place.spools, place.engine)
    spooled(place, used_record({"atraso_1": 50}), used_record({"atraso_1": 70, "atraso_9": 3})).close()
    take_all(intake)
    spooled(place, used_record({"atraso_1": 60})).close()
    take_all(intake)
    with place.engine.connect() as connection:
        found = {row.prefix: row.last_used_s for row in connection.execute(select(KEYS))}
    assert found == {"atraso_1": 70, "atraso_2": None}
    assert files(place) == []


def test_where_a_file_system_has_no_locks_the_process_in_the_name_must_do(
    sqlite_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is complete when its process is gone or has begun another."""

    def none(fd: int, how: int) -> None:
        raise OSError("no locks")

    monkeypatch.setattr("fcntl.flock", none)
    spool = spooled(sqlite_place, record(1))
    intake = Intake(sqlite_place.spools, sqlite_place.engine)
    take_all(intake)
    assert len(files(sqlite_place)) == 1
    spool.close()
    spool.add(record(2))
    spool.flush()
    take_all(intake)
    [left] = sqlite_place.spools.iterdir()
    left.rename(left.with_name("00000000000000000001-4194304999.spool"))
    take_all(intake)
    assert (files(sqlite_place), numbers(sqlite_place)) == ([], [1, 2])
