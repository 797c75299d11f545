"""The writer rests where others wait for the processors, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest

from atraso.ledger.giving_way import BATCH_ROWS, CROWDED_BATCH_ROWS, LONGEST_S, REST_PER_WORK, GivingWay

MS = 1_000_000


def resting_after(folder: Path, worked_ms: int, waited_ms: int) -> float:
    source = folder / "schedstat"
    source.write_text("5000000 7000000 3\n")
    giving_way = GivingWay(source)
    source.write_text(f"{5 * MS + worked_ms * MS} {7 * MS + waited_ms * MS} 9\n")
    return giving_way.rest_s()


def test_alone_it_never_rests(tmp_path: Path) -> None:
    """Work that waited for nobody, or hardly, is followed by more."""
    assert resting_after(tmp_path, 100, 0) == 0
    assert resting_after(tmp_path, 100, 30) == 0
    assert resting_after(tmp_path, 0, 0) == 0


def test_among_others_it_rests_for_some_times_its_work(tmp_path: Path) -> None:
    """But never for long, because what is kept is wanted some time."""
    assert resting_after(tmp_path, 20, 20) == pytest.approx(0.020 * REST_PER_WORK)
    assert resting_after(tmp_path, 1000, 4000) == LONGEST_S


def test_each_piece_of_work_is_looked_at_by_itself(tmp_path: Path) -> None:
    """What was crowded once is forgotten, and the batches become as large again as they were."""
    source = tmp_path / "schedstat"
    source.write_text("0 0 0\n")
    giving_way = GivingWay(source)
    source.write_text(f"{10 * MS} {10 * MS} 1\n")
    assert giving_way.rest_s() > 0
    assert giving_way.rows == CROWDED_BATCH_ROWS
    source.write_text(f"{30 * MS} {10 * MS} 1\n")
    assert giving_way.rest_s() == 0
    assert CROWDED_BATCH_ROWS < giving_way.rows < BATCH_ROWS
    for _ in range(20):
        assert giving_way.rest_s() == 0
    assert giving_way.rows == BATCH_ROWS


def test_where_the_system_does_not_say_it_does_not_rest(tmp_path: Path) -> None:
    """No file, or one of another form: the writer works as it always did."""
    assert GivingWay(tmp_path / "missing").rest_s() == 0
    (tmp_path / "other").write_text("what is this")
    assert GivingWay(tmp_path / "other").rest_s() == 0


def test_this_system_tells() -> None:
    """Work of this thread is seen."""
    giving_way = GivingWay()
    before = giving_way._read()[0]
    sum(range(1_000_000))
    assert giving_way._read()[0] > before
