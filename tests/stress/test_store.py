"""Kept runs are found again."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from atraso.stress.page import page
from atraso.stress.profiles import StressError
from atraso.stress.record import Record, keep
from atraso.stress.store import Kept
from tests.stress.made import closed, noisy, record


def kept_record(kept: Kept, second: int, **more: object) -> str:
    found = msgspec.structs.replace(record(closed(noisy(1000, second))), date=f"2026-01-01T00:00:0{second}", **more)
    file = keep(found, kept.folder)
    kept.remember(found, file)
    return file.stem


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_runs_are_listed_newest_first_by_profile(kept: Kept) -> None:
    """Each with what became of it; a data folder without runs has none."""
    assert kept.entries() == []
    first, second = kept_record(kept, 1), kept_record(kept, 2, profile="soak")
    assert [entry.id for entry in kept.entries()] == [second, first]
    (soak,) = kept.entries("soak")
    assert (soak.verdict, soak.answers, soak.failed) == ("held", 1, 0)


def test_a_run_is_named_by_its_beginning_by_last_or_by_its_file(kept: Kept) -> None:
    """And what means none or several is refused with those there are."""
    first, second = kept_record(kept, 1), kept_record(kept, 2)
    assert kept.read("last")[0] == kept.read(second)[0] == second
    assert kept.read("last-1")[0] == kept.read("20260101-000001")[0] == first
    assert kept.read(str(kept.folder / f"{first}.json"))[0] == first
    with pytest.raises(StressError, match="means 2 runs"):
        kept.read("2026")
    for word in ("last-2", "last-x", "nothing"):
        with pytest.raises(StressError, match="is no kept run"):
            kept.read(word)


def test_a_run_is_compared_with_the_last_that_was_measured_alike(kept: Kept) -> None:
    """Not with a partial one, one of other settings, steps or threads, or a later one."""
    alike = kept_record(kept, 1)
    kept_record(kept, 2, partial=True)
    kept_record(kept, 3, settings={"seconds": 1})
    kept_record(kept, 4, target="http://127.0.0.1:1")
    kept_record(kept, 4, runs=(closed(noisy(1000, 4), asked={"threads": 9}),))
    name = kept_record(kept, 5)
    kept_record(kept, 6)
    found = kept.before(kept.read(name)[1], kept.folder / f"{name}.json")
    assert found is not None
    assert found[0] == alike
    other = Record(**{**msgspec.structs.asdict(kept.read(alike)[1]), "profile": "soak"})
    assert kept.before(other, kept.folder / f"{name}.json") is None


def test_the_page_needs_nothing_else_and_trusts_no_name(kept: Kept) -> None:
    """No address of anybody in it, and what a target calls itself is text."""
    kept_record(kept, 1)
    run = closed(noisy(1000, 1), name="<script>alert(1)</script>", errors={"status 500": 3})
    run = msgspec.structs.replace(run, good_by_s=(5, 6, 7), bad_by_s=(0, 3, 0))
    text = page(record(run), kept.entries())
    assert "<script" not in text
    assert "src=" not in text
    assert "http" not in text
    assert "status 500" in text
    assert text.count("<polyline") == 2  # good answers and failures over time; there is no latency


def test_a_run_that_tells_nothing_is_passed_over(kept: Kept) -> None:
    """One without a good answer, and one whose file was damaged, hide no run before them."""
    good = kept_record(kept, 1)
    kept_record(kept, 2, runs=(closed(noisy(1000, 2), good=0),))
    damaged = kept_record(kept, 3)
    (kept.folder / f"{damaged}.json").write_text("junk")
    name = kept_record(kept, 4)
    found = kept.before(kept.read(name)[1], kept.folder / f"{name}.json")
    assert found is not None
    assert found[0] == good
