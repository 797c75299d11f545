"""The page of the benchmark: every line, which promises hold, who is missing."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.contenders import BY_NAME
from benchmarks.render import PAGE, rendered
from benchmarks.tables import fastest_flask, table, verdict
from tests.benchmarks.records import contender, old_record, record


def test_the_page_is_that_of_the_records() -> None:
    """The page in the repository is what its records give."""
    assert PAGE.read_text(encoding="utf-8") == rendered()


def test_each_contender_has_a_line() -> None:
    """Every contender measured has one line, in the order of the contenders, with its ratios."""
    speeds = dict.fromkeys(BY_NAME, 10.0) | {"nginx": 1000.0, "atraso": 400.0, "fastapi": 100.0, "flask-threads": 40.0}
    lines = table(record(speeds)).splitlines()[2:]

    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == [c.what for c in BY_NAME.values()]
    assert lines[1].startswith(
        "| Atraso | **400** (360 - 480) | 40% | 4.00 | 10.00 | 1.00 | 2.00 | 0.1000 | 60 (30) | 95 | 0.75 | 132 | 0 |"
    )


def test_times_flask_is_times_its_fastest_line() -> None:
    """Whichever line of Flask is fastest is the one that counts."""
    assert fastest_flask(record({"flask": 10.0, "flask-scorer": 30.0, "flask-threads": 20.0})) == "flask-scorer"


def test_a_broken_promise_is_told() -> None:
    """Each of our routes is held to each rival's ratio; what does not hold is said, not left out."""
    told = verdict(record({"nginx": 1000.0, "atraso": 340.0, "atraso-predict": 500.0, "fastapi": 90.0, "ray": 10.0}))

    assert told.startswith("5 of 6 promises hold")
    assert "| Atraso | nginx, a constant of the same size | 0.35 | 0.34 | **no** |" in told
    assert "| Atraso `/predict` | nginx, a constant of the same size | 0.35 | 0.50 | yes |" in told
    assert "| Atraso | FastAPI on uvicorn, the same scorer | 3.5 | 3.78 | yes |" in told
    assert "| Atraso | Ray Serve, the same scorer | 18 | 34.00 | yes |" in told


def test_who_is_missing_is_told() -> None:
    """A model server that was not in the run is named with the reason; one that was is not."""
    told = verdict(record({"atraso": 340.0, "ray": 10.0}, left_out={"mlserver": "did not start"}))

    assert "Not in this run: BentoML (not asked for); MLServer (did not start); LitServe (not asked for)." in told


def test_an_old_record_is_shown_and_not_judged(tmp_path: Path) -> None:
    """A record from before still gives a page, as the newest and as an earlier one, and is held to no new promise."""
    (tmp_path / "2026-01-01-0000.json").write_text(json.dumps(old_record()))
    alone = rendered(tmp_path)
    assert verdict(old_record()) == ""
    assert "fastapi 0.165.0" in alone and "everything on" not in alone

    (tmp_path / "2026-01-02-0000.json").write_text(json.dumps(record({"nginx": 100.0, "atraso": 40.0})))
    both = rendered(tmp_path)
    assert "Atraso runs with everything on: bearer token checked." in both
    assert "| [2026-01-01-0000.json](2026-01-01-0000.json) | abc | no | 20 | 20% | 2.00 |" in both


def test_errors_stand_in_the_line() -> None:
    """Errors of the rounds and wrong answers of the warm-up are added up."""
    found = contender(10.0)
    found["rounds"][0]["errors"], found["warm_up"]["wrong"] = 3, 4
    made = record({})
    made["contenders"] = {"atraso": found}

    assert table(made).endswith("| 7 |")
