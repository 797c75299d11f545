"""Of each flight the latest prediction is at hand, however the records came."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Row, delete, select

from atraso.ledger import migrations
from atraso.ledger.intake import Intake
from atraso.ledger.latest import latest_of
from atraso.ledger.migrate import migrate
from atraso.ledger.records import COLUMNS
from atraso.ledger.schema import LATEST, PREDICTIONS, QUALITY_RUNS
from atraso.ledger.storing import insert_predictions
from atraso.ledger.tables_csv import export_table, import_table
from atraso.ledger.upkeep import prune
from tests.ledger.judged import MONDAY, keep, said
from tests.ledger.places import Place, Worker, eventually, record, spooled, start_writer, take_all

KEY = [column.name for column in LATEST.primary_key.columns]


def latest(place: Place) -> list[Row]:  # type: ignore[type-arg]
    with place.engine.connect() as connection:
        return list(connection.execute(select(LATEST).order_by(*LATEST.primary_key.columns)))


def expected(rows: list[tuple[object, ...]]) -> dict[tuple[object, ...], object]:
    """Return the identifier that stands for each key, told plainly: asked before it was due, then the greatest."""
    found: dict[tuple[object, ...], tuple[bool, object]] = {}
    for row in rows:
        told = dict(zip(COLUMNS, row, strict=True))
        key = tuple(told[name] for name in KEY)
        worth = (told["as_of_s"] < told["scheduled_utc"] * 60, told["id"])  # type: ignore[operator]
        found[key] = max(found.get(key, worth), worth)
    return {key: identifier for key, (_, identifier) in found.items()}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(
        st.tuples(st.integers(0, 2), st.integers(-90, 600), st.sampled_from(["3h", "1h"]), st.booleans()), max_size=30
    ),
    chance=st.randoms(use_true_random=False),
)
def test_order_repetition_and_batches_make_no_difference(
    place: Place, asked: list[tuple[int, int, str, bool]], chance: random.Random
) -> None:
    """Any rows, in any order, some twice, in any batches: the table is the one of the plain rule."""
    with place.engine.begin() as connection:
        connection.execute(delete(LATEST))
        connection.execute(delete(PREDICTIONS))
    rows = [
        said(number, 0.3, asked_before=before, lead=lead, basis="live" if live else "schedule")
        for number, before, lead, live in dict.fromkeys(asked)
    ]
    # One answer's identifier is one answer: what differs only by lead or basis was asked at another moment.
    rows = [(row[0][:-3] + f"{place_:03d}", *row[1:]) for place_, row in enumerate(rows)]  # type: ignore[index]
    sent = rows + chance.sample(rows, len(rows) // 2)
    chance.shuffle(sent)
    while sent:
        count = chance.randint(1, len(sent))
        with place.engine.begin() as connection:
            insert_predictions(connection, sent[:count])
        sent = sent[count:]
    assert {tuple(getattr(row, name) for name in KEY): row.id for row in latest(place)} == expected(rows)


def test_a_row_has_what_its_prediction_said(place: Place) -> None:
    """By way of the spools: all of it, and of two the later."""
    spooled(
        place,
        record(1, 2),
        record(1, at_ms=1_900_000_000_000, delay_probability=0.5, base_rate=0.25, lead="schedule"),
    ).close()
    take_all(Intake(place.spools, place.engine))
    first, second = latest(place)
    assert (first.flight_number, first.delay_probability, first.base_rate) == ("1", 0.5, 0.25)
    assert (second.flight_number, second.delay_probability, second.exceeds_0, second.exceeds_60) == (
        "2", 0.25, 0.75, 0.0625,
    )  # fmt: skip
    assert second.scheduled_local == "2017-07-14T08:30:00-04:00"
    assert second.as_of_s == 1_500_024_600


def test_what_was_asked_when_a_flight_was_due_takes_no_place(place: Place) -> None:
    """Who asks on until it has left leaves something to judge; where nothing else was asked it stays."""
    keep(place, [said(1, 0.2, asked_before=20), said(1, 0.9, asked_before=-20), said(2, 0.8, asked_before=0)])
    keep(place, [said(1, 0.95, asked_before=-25)])
    assert [(row.flight_number, row.delay_probability) for row in latest(place)] == [("1", 0.2), ("2", 0.8)]
    assert len(latest_of([said(1, 0.2, asked_before=20), said(1, 0.9, asked_before=-20)])) == 1


def test_kills_do_not_part_it_from_the_predictions(place: Place) -> None:
    """Both are written in one transaction: whatever is killed under load, they tell of the same answers."""
    worker = Worker(place)
    writer = start_writer(place)
    eventually(lambda: place.count() > 0)
    for kill in range(5):
        time.sleep(0.1 + 0.03 * kill)
        writer.kill()
        with place.reader().connect() as connection:
            ids = {row.id for row in connection.execute(select(PREDICTIONS.c.id))}
            assert {row.id for row in connection.execute(select(LATEST.c.id))} == ids
        writer = start_writer(place)
    said_ = worker.end()
    eventually(lambda: place.count() == said_)
    writer.process.terminate()
    writer.process.join()
    assert {row.id for row in latest(place)} == {row.id for row in place.rows()}


def test_it_is_forgotten_with_the_predictions(place: Place) -> None:
    """And not before."""
    keep(place, [said(1, 0.2), said(2, 0.2, due=MONDAY + 2 * 1440)])
    now_s = (MONDAY + 1440) * 60 + 30 * 86_400
    assert prune(place.engine, 30, lambda: None, now_s) == 1
    assert [row.flight_number for row in latest(place)] == ["2"]


def test_an_import_of_predictions_counts_too(place: Place, tmp_path: Path) -> None:
    """From a file as export writes it."""
    keep(place, [said(1, 0.2), said(1, 0.4, asked_before=300)])
    export_table(place.engine, "predictions", tmp_path / "out.csv")
    with place.engine.begin() as connection:
        connection.execute(delete(LATEST))
        connection.execute(delete(PREDICTIONS))
    import_table(place.engine, "predictions", tmp_path / "out.csv", lambda: None)
    assert [row.delay_probability for row in latest(place)] == [0.4]


def test_a_ledger_of_before_is_filled_in(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The migration takes the latest of each flight of what is there, and of so many rows at most."""
    rows = [
        said(1, 0.1, asked_before=900),
        said(1, 0.2, asked_before=300),
        said(1, 0.3, asked_before=-5),
        said(1, 0.4, lead="1h"),
        said(2, 0.5, asked_before=2000),
    ]
    keep(place, rows)
    whole = latest(place)
    for most, found in ((500_000, whole), (2, [row for row in whole if row.delay_probability == 0.2])):
        with place.engine.begin() as connection:
            for table in (LATEST, QUALITY_RUNS):
                table.drop(connection)
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")
        monkeypatch.setattr("atraso.ledger.migrate._FOLDER", _beside(place.data, most))
        migrate(place.engine)
        assert latest(place) == found


def _beside(folder: Path, most: int) -> Path:
    """Return a copy of the migrations in which the third looks through so many rows: Alembic loads files by itself."""
    copy = folder / f"migrations-{most}"
    shutil.copytree(Path(next(iter(migrations.__path__))), copy)
    file = copy / "versions" / "v0003_quality.py"
    file.write_text(file.read_text().replace("FILLED_FROM = 500_000", f"FILLED_FROM = {most}"))
    return copy
