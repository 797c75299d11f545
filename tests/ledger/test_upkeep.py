"""A ledger can be copied, restored, shortened, written out and read in again without losing what it should keep."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from atraso.core.errors import LedgerError
from atraso.ledger.database import ledger_url
from atraso.ledger.desk import Desk
from atraso.ledger.intake import Intake
from atraso.ledger.records import first_id_at
from atraso.ledger.schema import DEPARTURES, PREDICTIONS, SCHEDULE
from atraso.ledger.tables_csv import export_table, import_table
from atraso.ledger.upkeep import PRUNE_ROWS, prune
from tests.ledger.places import (
    SCHEDULED_UTC,
    Place,
    heard,
    identifier,
    read_changes,
    record,
    report,
    running,
    spooled,
    start_writer,
)

NOW_S = 1_800_000_000


def fill(place: Place, *payloads: bytes) -> None:
    spooled(place, *payloads).close()
    intake = Intake(place.spools, place.engine)
    while intake.take().more:
        pass


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ages_s=st.lists(st.integers(0, 20 * 86_400), max_size=30, unique=True), keep_days=st.integers(1, 19))
def test_prune_never_deletes_a_younger_row(place: Place, ages_s: list[int], keep_days: int) -> None:
    """Exactly those older than so many days are gone, to the second."""
    with place.engine.begin() as connection:
        connection.execute(delete(PREDICTIONS))
    fill(place, *[record(age, at_ms=(NOW_S - age) * 1000) for age in ages_s])
    old = [age for age in ages_s if age > keep_days * 86_400]
    assert prune(place.engine, keep_days, lambda: None, NOW_S) == len(old)
    assert sorted(int(row.flight_number) for row in place.rows()) == sorted(set(ages_s) - set(old))


def test_prune_goes_step_by_step_and_refuses_to_forget_today(place: Place) -> None:
    """The intake goes on between its transactions."""
    fill(place, record(*range(2 * PRUNE_ROWS + 1), at_ms=(NOW_S - 3 * 86_400) * 1000))
    between: list[int] = []
    assert prune(place.engine, 2, lambda: between.append(1), NOW_S) == 2 * PRUNE_ROWS + 1
    assert len(between) == 4  # twice for the predictions, twice for the latest of each flight
    with pytest.raises(LedgerError, match="at least 1 day"):
        prune(place.engine, 0, lambda: None)


def test_the_first_identifier_of_a_moment_parts_before_from_after() -> None:
    """Which is what makes a range of time a range of the key."""
    assert identifier(5, 1000) < first_id_at(1001) <= identifier(0, 1001)
    assert first_id_at((1 << 50) - 1) == "Z" * 10 + "0" * 16


def test_a_backup_taken_under_load_is_whole_and_can_be_restored(sqlite_place: Place, tmp_path: Path) -> None:
    """Rows after it are gone, what it replaced is kept; spools that are still there come in again, once."""
    writer = start_writer(sqlite_place)
    spool = spooled(sqlite_place, record(*range(500)))
    deadline = time.monotonic() + 10
    while sqlite_place.count() < 500 and time.monotonic() < deadline:
        time.sleep(0.02)
    desk = Desk(sqlite_place.data)
    desk.backup(tmp_path / "copy")
    spool.add(record(*range(500, 600)))
    spool.flush()
    while sqlite_place.count() < 600 and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(LedgerError, match="stop that service first"):
        desk.restore(tmp_path / "copy")
    with pytest.raises(LedgerError, match="is there already"):
        desk.backup(tmp_path / "copy")
    writer.kill()  # leaves a journal that must not meet the restored database
    with closing(sqlite3.connect(tmp_path / "copy")) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (500,)
    before = desk.restore(tmp_path / "copy")
    assert before is not None
    assert sqlite_place.count() == 500
    with closing(sqlite3.connect(before)) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (600,)
    with running(sqlite_place):
        while sqlite_place.count() < 600 and time.monotonic() < deadline:
            time.sleep(0.02)
    assert sqlite_place.count() == 600
    spool.close()


def test_a_damaged_backup_changes_nothing(sqlite_place: Place, tmp_path: Path) -> None:
    """Nor does another database, or a text."""
    fill(sqlite_place, record(*range(3000)))
    sqlite_place.close()
    desk = Desk(sqlite_place.data)
    desk.backup(tmp_path / "copy")
    content = bytearray((tmp_path / "copy").read_bytes())
    content[5 * 4096 : 40 * 4096] = os.urandom(35 * 4096)
    (tmp_path / "damaged").write_bytes(content)
    (tmp_path / "text").write_text("no database")
    with closing(sqlite3.connect(tmp_path / "other")) as connection:
        connection.execute("CREATE TABLE t (x)")
    for name in ("damaged", "text", "other", "missing"):
        with pytest.raises(LedgerError, match=name):
            desk.restore(tmp_path / name)
    assert sqlite_place.count() == 3000
    assert sorted(path.name for path in sqlite_place.data.glob("ledger.sqlite3*.*restored")) == []
    with pytest.raises(LedgerError, match="pg_restore"):
        Desk(tmp_path, "postgresql://nowhere/x").restore(tmp_path / "copy")


def test_tables_come_back_from_csv_as_they_went(place: Place, tmp_path: Path) -> None:
    """Every column of every row, also what is not there, quotes, line breaks and numbers to the last digit."""
    fill(
        place,
        record(1, delay_probability=0.1 + 0.2, warnings=['a "quoted", line\nbreak']),
        record(2, principal="ñandú, sí"),
    )
    left = report("1", actual=10, at_ms=1)
    cancelled = report("1", cancelled=True, at_ms=2)
    heard(place, left, cancelled, report("1"), report("2"))
    for name, table in (("predictions", PREDICTIONS), ("departures", DEPARTURES), ("schedule", SCHEDULE)):
        columns = [column for column in table.columns if column.name != "received_ms"]
        with place.engine.connect() as connection:
            before = connection.execute(select(*columns)).all()
        assert export_table(place.engine, name, tmp_path / name) == 2
        with place.engine.begin() as connection:
            connection.execute(delete(table))
        assert import_table(place.engine, name, tmp_path / name, lambda: None) == 2
        assert import_table(place.engine, name, tmp_path / name, lambda: None) == 0
        with place.engine.connect() as connection:
            assert set(connection.execute(select(*columns)).all()) == set(before)


def test_what_is_imported_is_heard_by_those_who_follow(place: Place, tmp_path: Path) -> None:
    """It has a version of its own, whatever the file says, and the file's order makes no difference."""
    heard(place, report("1", actual=10, at_ms=1), report("2"))
    for name in ("departures", "schedule"):
        export_table(place.engine, name, tmp_path / name)
    before, _ = read_changes(place.engine, 0)
    with place.engine.begin() as connection:
        connection.execute(delete(DEPARTURES))
        connection.execute(delete(SCHEDULE))
    heard(place, report("3", cancelled=True))
    after, _ = read_changes(place.engine, 0)
    assert after > before
    assert import_table(place.engine, "departures", tmp_path / "departures", lambda: None) == 1
    between, found = read_changes(place.engine, after)
    assert (between > after, [flight.flight_number for flight in found]) == (True, ["1"])
    assert import_table(place.engine, "schedule", tmp_path / "schedule", lambda: None) == 1
    last, found = read_changes(place.engine, between)
    assert (last > between, [flight.flight_number for flight in found]) == (True, ["2"])
    for name in ("departures", "schedule"):
        assert import_table(place.engine, name, tmp_path / name, lambda: None) == 0
    assert read_changes(place.engine, last) == (last, [])


def test_a_line_that_no_report_could_say_is_named(place: Place, tmp_path: Path) -> None:
    """What was let in must be readable by those who follow."""
    heard(place, report("1", actual=10, at_ms=1))
    export_table(place.engine, "departures", tmp_path / "good")
    header, line = (tmp_path / "good").read_text().splitlines()
    cases = {
        line.replace("false", "true"): "cancelled cannot be true where actual_utc says when it left",
        line.replace(",25000600,", ",,"): "cancelled cannot be false where actual_utc is empty",
        line.replace("2017-07-14T08:30:00-04:00", "x"): "scheduled_local is not the moment of scheduled_utc: 'x'",
        line.replace("08:30:00-04:00", "08:30:00"): "scheduled_local is not the moment",
        line.replace("08:30:00-04:00", "08:30:00-03:00"): "scheduled_local is not the moment",
        line.replace("SPJC", "S" * 200): "destination has more than 100 characters",
        line.replace("25000600", "-25000600"): "actual_utc cannot be -25000600",
        line.replace(",1,tower", ",99999999999999,tower"): "reported_ms cannot be 99999999999999",
    }
    for content, why in cases.items():
        assert content != line, why
        (tmp_path / "bad").write_text(f"{header}\n{content}\n")
        with pytest.raises(LedgerError, match=f"line 2: {re.escape(why)}"):
            import_table(place.engine, "departures", tmp_path / "bad", lambda: None)


def test_a_line_that_the_api_would_refuse_is_named(place: Place, tmp_path: Path) -> None:
    """It could never be corrected: of two reports the one found out later is true. The bounds themselves are taken."""
    heard(place, report("1", actual=10, at_ms=1))
    export_table(place.engine, "departures", tmp_path / "good")
    export_table(place.engine, "schedule", tmp_path / "scheduled")
    header, line = (tmp_path / "good").read_text().splitlines()
    now = int(time.time())
    soon, in_2036 = now // 60 + 3, 2_082_844_800_000
    local = datetime.fromtimestamp(now // 60 * 60, UTC).isoformat(timespec="seconds")
    near = line.replace("2017-07-14T08:30:00-04:00", local).replace(str(SCHEDULED_UTC), str(now // 60))
    cases = {
        line.replace("25000600", str(SCHEDULED_UTC + 14 * 1440)): "actual_utc 25020750 is 336 h after the scheduled",
        line.replace("25000600", str(SCHEDULED_UTC - 721)): "actual_utc 24999869 is 12 h before the scheduled",
        near.replace("25000600", str(soon + 10)): f"actual_utc {soon + 10} is in the future",
        line.replace(",1,tower", f",{in_2036},tower"): f"reported_ms {in_2036} is in the future",
        line.replace(",1,SCEL", ",1\0,SCEL"): "flight_number has a NUL character",
        line.replace(",1,SCEL", ",1\n,SCEL"): "flight_number '1\\n' is not a flight number such as 282",
        line.replace(",1,SCEL", ",0001,SCEL"): "flight_number '0001' is not a flight number",
        line.replace("SPJC", "lim"): "destination 'lim' is not an airport's ICAO code",
        line.replace("LAN", "LA\x07"): "airline 'LA\\x07' is not a name",
    }
    for content, why in cases.items():
        assert content not in (line, near), why
        row = content.replace("1\n,", '"1\n",')
        (tmp_path / "bad").write_text(f"{header}\n{row}\n")
        with pytest.raises(LedgerError, match=rf"line [23]: {re.escape(why)}"):
            import_table(place.engine, "departures", tmp_path / "bad", lambda: None)
    far = datetime.fromtimestamp((now // 60 + 401 * 1440) * 60, UTC).isoformat(timespec="seconds")
    flight = f"LAN,1,SCEL,SPJC,{now // 60 + 401 * 1440},{far}"
    (tmp_path / "far").write_text((tmp_path / "scheduled").read_text() + f"{flight},1\n")
    with pytest.raises(LedgerError, match="is more than 400 days ahead"):
        import_table(place.engine, "schedule", tmp_path / "far", lambda: None)
    bounds = [
        line.replace("25000600", str(SCHEDULED_UTC + 48 * 60)),
        line.replace("25000600", str(SCHEDULED_UTC - 12 * 60)).replace(",1,tower", ",2,tower"),
        near.replace("25000600", str(soon)),
    ]
    (tmp_path / "bounds").write_text("\n".join([header, *bounds]) + "\n")
    assert import_table(place.engine, "departures", tmp_path / "bounds", lambda: None) == 3


def test_a_line_that_cannot_be_used_is_named(place: Place, tmp_path: Path) -> None:
    """With its number, the column and what stands there."""
    fill(place, record(1))
    export_table(place.engine, "predictions", tmp_path / "good")
    header, line = (tmp_path / "good").read_text().splitlines()
    cases = {
        "": "line 1: it must name the columns id,principal",
        f"id,{header}": "line 1: it must name",
        f"{header}\n{line}\n{line},more": "line 3: has 26 values instead of 25",
        f"{header}\n{line.replace('true', 'maybe')}": "line 2: delayed cannot be 'maybe'",
        f"{header}\n{line.replace('0.1845', 'x')}": "line 2: base_rate cannot be 'x'",
        f"{header}\n{line.replace('SPJC', '')}": "line 2: destination is empty",
        f'{header}\n"{line}': "line 2: unexpected end of data",
    }
    for content, why in cases.items():
        (tmp_path / "bad").write_text(content)
        with pytest.raises(LedgerError, match=why):
            import_table(place.engine, "predictions", tmp_path / "bad", lambda: None)
    (tmp_path / "bad").write_bytes(b"\xff\xfe")
    with pytest.raises(LedgerError, match="not UTF-8"):
        import_table(place.engine, "predictions", tmp_path / "bad", lambda: None)


def test_a_ledger_that_is_not_there_cannot_be_copied(tmp_path: Path) -> None:
    """And is not made by trying."""
    with pytest.raises(LedgerError, match="nothing has been kept yet"):
        Desk(tmp_path).backup(tmp_path / "copy")
    assert not Path(str(ledger_url(tmp_path).database)).exists()
