"""`atraso ledger import`: raw flights and exported rows on their way into the ledger."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from atraso.cli import ledger_import
from atraso.cli.ledger import ledger
from atraso.core.errors import LedgerError
from atraso.ledger.commands import Reported
from atraso.ledger.desk import Desk
from atraso.ledger.following import KnownFlight, changes
from tests.ledger.places import Place, running
from tests.sources.bts_files import bts_path
from tests.sources.bts_files import row as bts_row
from tests.sources.scl_files import row, scl_text

UTC = 25_000_590  # 2017-07-14T08:30 in Santiago
FLIGHT = ("LAN", "282", "SCEL", "SPJC")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one, with the ledger in `.atraso`."""
    monkeypatch.chdir(tmp_path)
    for name in ("ATRASO_DATA", "ATRASO_LEDGER_URL", "ATRASO_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(params=["a writer runs", "none runs"])
def place(request: pytest.FixtureRequest, folder: Path) -> Place:
    """Return the ledger of the folder; what is asked is done by the running writer, or under its lock."""
    (folder / ".atraso").mkdir()
    found = Place(folder / ".atraso", None)
    opened = contextlib.ExitStack()
    if request.param == "a writer runs":
        opened.enter_context(running(found))
    request.addfinalizer(opened.close)
    return found


def asked(*arguments: object) -> Result:
    return CliRunner().invoke(ledger, [str(a) for a in arguments], catch_exceptions=False)


def known(place: Place) -> list[KnownFlight]:
    return sorted(changes(place.reader(), 0)[1])


def test_what_left_is_reported_at_the_moment_it_left(place: Place, folder: Path) -> None:
    """So a report of people corrects it; a second import changes nothing, bad rows go to the report."""
    path = folder / "year.csv.gz"
    path.write_bytes(gzip.compress(scl_text(row(), row(Vlo_I="7", Vlo_O="7"), row(Vlo_I="")).encode()))
    done = asked("import", path, "--source", "scl")
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "2 departures, 1 row rejected",
        "rejected rows with their reasons: year.rejects.csv",
        f"2 departures of {path} are new",
    ]
    left = KnownFlight(*FLIGHT, UTC, UTC - 240, UTC + 20, False, False)
    assert known(place) == [left, left._replace(flight_number="7")]
    assert "0 departures of" in asked("import", path, "--source", "scl").stderr
    assert asked("export", "departures.csv", "--table", "departures").exit_code == 0
    header, line, _ = (folder / "departures.csv").read_text().splitlines()
    values = dict(zip(header.split(","), line.split(","), strict=True))
    assert (int(values["reported_ms"]), values["reported_by"]) == ((UTC + 20) * 60_000, "import")


def test_what_the_api_would_refuse_is_left_out_and_told(place: Place, folder: Path) -> None:
    """A flight that left more than 12 h early: what people report of it later would not be believed."""
    path = folder / "year.csv"
    early = row(Vlo_I="7", Vlo_O="7", Fecha_O="2017-07-13 19:30:00")
    path.write_text(scl_text(row(), early))
    done = asked("import", path, "--source", "scl")
    assert done.stderr.splitlines()[1:] == [
        "1 flight left out that cannot be reported; the first: LAN 7 of 2017-07-14T08:30:00-04:00 left at a moment "
        "that is 13 h before the scheduled departure: at most 12 h before it and 48 h after it are taken",
        f"1 departures of {path} are new",
    ]
    assert [flight.flight_number for flight in known(place)] == ["282"]


def test_an_import_that_is_interrupted_says_how_far_it_came(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the same may be imported again: what is in stays as it is."""
    (folder / ".atraso").mkdir()
    path = folder / "year.csv"
    path.write_text(scl_text(*(row(Vlo_I=str(n), Vlo_O=str(n)) for n in (1, 2, 3))))
    monkeypatch.setattr(ledger_import, "REPORTS_AT_A_TIME", 2)
    report, calls = Desk.report, []

    def interrupted(desk: Desk, *told: Any) -> Reported:
        calls.append(told)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return report(desk, *told)

    monkeypatch.setattr(Desk, "report", interrupted)
    done = CliRunner().invoke(ledger, ["import", str(path), "--source", "scl"])
    assert done.exit_code != 0
    assert "interrupted: 2 of 3 flights are in, 2 of them new; import the same again for the rest" in done.stderr
    assert "1 departures of" in asked("import", path, "--source", "scl").stderr


def test_the_schedule_has_every_flight(place: Place, folder: Path) -> None:
    """Also those that never left; only the airports that are named."""
    path = bts_path(folder, bts_row(), bts_row(Cancelled="1.00", DepTime="", DepDelay="", CRSDepTime="0900"))
    done = asked("import", path, "--source", "bts", "--table", "schedule", "--origin", "EWR")
    assert "2 scheduled flights of" in done.stderr
    assert [flight[6:] for flight in known(place)] == [(None, False, True)] * 2
    assert "1 departures of" in asked("import", path, "--source", "bts", "--table", "departures").stderr
    assert [(flight.actual_utc is None, flight.published) for flight in known(place)] == [(False, True), (True, True)]
    with pytest.raises(Exception, match="no departures from KJFK"):
        asked("import", path, "--source", "bts", "--table", "schedule", "--origin", "JFK")


def test_exported_tables_come_back(place: Place, folder: Path) -> None:
    """The schedule too; a relative path means the folder where the command runs."""
    path = folder / "year.csv"
    path.write_text(scl_text(row(), row(Vlo_I="7", Vlo_O="7")))
    for table in ("departures", "schedule"):
        asked("import", path, "--source", "scl", "--table", table)
        assert f"2 {table if table == 'departures' else 'scheduled flights'} are in" in (
            asked("export", f"{table}.csv", "--table", table).stderr
        )
        assert asked("import", f"{table}.csv", "--table", table).stderr.startswith("0 ")
    with pytest.raises(LedgerError, match="line 1: it must name the columns"):
        asked("import", "departures.csv", "--table", "schedule")


def test_an_export_goes_to_standard_output(place: Place, folder: Path) -> None:
    """The same bytes as in a file, and no file that is called -."""
    path = folder / "year.csv"
    path.write_text(scl_text(row(), row(Vlo_I="7", Vlo_O="7")))
    asked("import", path, "--source", "scl")
    asked("export", "there.csv", "--table", "departures")
    done = asked("export", "-", "--table", "departures")
    assert done.stdout_bytes == (folder / "there.csv").read_bytes()
    assert done.stderr == "2 departures are on standard output\n"
    assert not (folder / "-").exists()


def test_what_does_not_go_together_is_told(folder: Path) -> None:
    """Before anything is read."""
    for arguments in (
        ["x.csv", "--source", "scl", "--table", "predictions"],
        ["x.csv", "--origin", "SCL"],
        ["x.csv", "--rejects", "y"],
        ["--source", "scl"],
        ["x.csv", "--source", "nyc"],
        [],
    ):
        done = CliRunner().invoke(ledger, ["import", *arguments])
        assert done.exit_code == 2, arguments
    assert not (folder / ".atraso").exists()
