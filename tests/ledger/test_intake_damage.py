"""What is torn, damaged, taken back or not understood costs nothing else, and is never lost silently."""

from __future__ import annotations

import itertools
import os

import pytest

from atraso.ledger.intake import Intake
from atraso.ledger.spool import read_spool
from tests.ledger.places import Place, numbers, record, spooled, take_all


def test_a_record_that_is_not_whole_is_waited_for(place: Place) -> None:
    """Cut at any byte: the rest may come yet, as long as the process lives."""
    spool = spooled(place, record(1), record(2))
    [path] = place.spools.glob("*.spool")
    whole = path.read_bytes()
    intake = Intake(place.spools, place.engine)
    path.write_bytes(b"")
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    cuts = [0, 3, 8, 100, len(whole) // 2 - 1, len(whole) // 2, len(whole) // 2 + 5, len(whole)]
    for start, end in itertools.pairwise(cuts):
        os.write(fd, whole[start:end])
        taken = take_all(intake)
        assert (taken.torn, taken.damaged) == (0, 0)
        assert len(numbers(place)) == (end >= len(whole) // 2) + (end == len(whole))
    os.close(fd)
    spool.close()


def test_a_record_cut_short_by_the_end_of_its_process_is_skipped_and_counted(place: Place) -> None:
    """What there is of it is kept beside; the other files go on."""
    spooled(place, record(1), record(2)).close()
    [path] = place.spools.glob("*.spool")
    path.write_bytes(path.read_bytes()[:-7])
    spooled(place, record(3)).close()
    taken = take_all(Intake(place.spools, place.engine))
    assert (taken.torn, taken.damaged, taken.new_rows) == (1, 0, 2)
    assert numbers(place) == [1, 3]
    [beside] = place.spools.glob("*.damaged")
    assert record(2)[:-7] in beside.read_bytes()


@pytest.mark.parametrize("where", ["length", "checksum", "payload"])
def test_a_damaged_record_is_counted_and_the_rest_of_its_file_kept_beside(place: Place, where: str) -> None:
    """Nothing is lost silently: what follows can be looked at."""
    spooled(place, record(1), record(2), record(3)).close()
    [path] = place.spools.glob("*.spool")
    content = bytearray(path.read_bytes())
    second = len(content) // 3
    content[second + {"length": 3, "checksum": 5, "payload": 40}[where]] ^= 0x80
    path.write_bytes(content)
    taken = take_all(Intake(place.spools, place.engine))
    assert (taken.damaged, taken.torn, numbers(place)) == (1, 0, [1])
    [beside] = place.spools.iterdir()
    assert (beside.suffix, beside.read_bytes()) == (".damaged", bytes(content[second:]))


def test_damage_in_a_file_that_is_being_written_waits_for_its_end(place: Place) -> None:
    """It is read once more from its beginning; other files are not held up, and nothing is stored twice."""
    spool = spooled(place, record(1), record(2))
    [path] = place.spools.glob("*.spool")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    intake = Intake(place.spools, place.engine)
    assert take_all(intake).new_rows == 1
    other = spooled(place, record(5))
    taken = take_all(intake)
    assert (taken.damaged, numbers(place)) == (0, [1, 5])
    spool.close()
    other.close()
    assert take_all(intake).damaged == 1


def test_records_taken_back_after_they_were_seen_do_no_harm(place: Place) -> None:
    """A full disk makes a worker take back what it wrote in part; the next record stands where that had begun."""
    spool = spooled(place, record(1), record(2))
    intake = Intake(place.spools, place.engine)
    assert take_all(intake).new_rows == 2
    [path] = place.spools.glob("*.spool")
    os.truncate(path, path.stat().st_size // 2)
    assert take_all(intake).new_rows == 0
    for number in (30, 31, 32):
        spool.add(record(number, warnings=["of another length"]))
        spool.flush()
    assert take_all(intake).new_rows == 3
    os.truncate(path, len(record(1)) + 8)
    for number in (40, 41, 42, 43):
        spool.add(record(number, warnings=["now far longer than what had been seen"] * 9))
        spool.flush()
    spool.close()
    taken = take_all(intake)
    assert (taken.new_rows, taken.torn, taken.damaged) == (4, 0, 0)
    assert numbers(place) == [1, 2, 30, 31, 32, 40, 41, 42, 43]


BAD = [
    b"{}",
    b"[]",
    b"not JSON",
    b"\xff\xfe",
    b'{"used":{"atraso_1":-1}}',
    b'{"used":{"atraso_1":99999999999999999999}}',
    record(90, id="SHORT"),
    record(90, id="ILOU" * 6 + "IL"),
    record(90, exceeds={"0": 1}),
    record(90).replace(b"-04:00", b""),
    record(90, 91).replace(b'"flights":[["LAN"', b'"flights":[[1', 1),
]


@pytest.mark.parametrize("payload", BAD)
def test_a_record_that_is_not_understood_is_kept_beside(place: Place, payload: bytes) -> None:
    """It is counted, and those before and after it are stored."""
    spooled(place, record(1), payload, record(2)).close()
    taken = take_all(Intake(place.spools, place.engine))
    assert (taken.refused, taken.damaged, numbers(place)) == (1, 0, [1, 2])
    [beside] = place.spools.glob("*.refused")
    assert list(read_spool(beside)) == [payload]


def test_a_record_that_the_database_never_takes_does_not_hold_up_the_others(postgres_place: Place) -> None:
    """PostgreSQL knows no NUL in a text."""
    bad = record(2, lead="\0")
    spooled(postgres_place, record(1), bad, record(3)).close()
    taken = take_all(Intake(postgres_place.spools, postgres_place.engine))
    assert (taken.refused, taken.new_rows, numbers(postgres_place)) == (1, 2, [1, 3])
    [beside] = postgres_place.spools.glob("*.refused")
    assert list(read_spool(beside)) == [bad]
