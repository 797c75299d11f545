"""What is imported from pipes and standard input, beside a writer that has neither."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from atraso.core.errors import LedgerError
from atraso.ledger.command_socket import ask_writer
from atraso.ledger.commands import Import, Report
from atraso.ledger.desk import Desk
from tests.ledger.places import BEGAN_MS, Place, eventually, heard, report, running
from tests.serving.processes import clean_environment


@pytest.fixture
def rows(sqlite_place: Place, tmp_path: Path) -> Path:
    """A file with two departures, which the ledger does not have any more."""
    elsewhere = Place(tmp_path / "elsewhere", None)
    elsewhere.data.mkdir()
    heard(elsewhere, report("1", actual=5), report("2", actual=20))
    elsewhere.close()
    assert Desk(elsewhere.data).export_table("departures", tmp_path / "rows.csv") == 2
    return tmp_path / "rows.csv"


@pytest.fixture
def desk(sqlite_place: Place) -> Iterator[Desk]:
    """A desk beside a running writer."""
    with running(sqlite_place):
        eventually((sqlite_place.data / "ledger.sock").exists)
        yield Desk(sqlite_place.data)


def imported(place: Place, name: str, **given: object) -> subprocess.CompletedProcess[str]:
    """Run `atraso ledger import`."""
    command = [sys.executable, "-m", "atraso", "ledger", "import", name, "--data", str(place.data)]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, env=clean_environment(), stderr=subprocess.PIPE, text=True, timeout=60, check=False, **given
    )


def test_standard_input_is_that_of_the_command(sqlite_place: Place, desk: Desk, rows: Path) -> None:
    """A file that is redirected, and what a pipe brings; a fault is told of what was named."""
    with rows.open() as file:
        assert imported(sqlite_place, "/dev/stdin", stdin=file).stderr.startswith("2 departures of /dev/stdin are new")
    done = imported(sqlite_place, "/dev/stdin", input="airline\n")
    assert (done.returncode, "atraso: /dev/stdin, line 1: it must name" in done.stderr) == (2, True)
    assert not list(sqlite_place.data.glob("import-*")), "no copy stays"


def test_a_pipe_holds_nobody_but_the_command(sqlite_place: Place, desk: Desk, rows: Path, tmp_path: Path) -> None:
    """While nobody writes to it the writer does what others ask."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    new: list[int] = []
    importing = threading.Thread(target=lambda: new.append(desk.import_table("departures", pipe)))
    importing.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert desk.report("tower", BEGAN_MS, [report("3", actual=1)]).departures == 1
    assert time.monotonic() - began < 5
    assert importing.is_alive()
    pipe.write_bytes(rows.read_bytes())
    importing.join(20)
    assert new == [2]


def test_the_writer_itself_opens_files_alone(sqlite_place: Place, desk: Desk, tmp_path: Path) -> None:
    """Whoever else asks it for a pipe, a folder or a device is refused at once, and it goes on."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(LedgerError, match="is no regular file"):
            ask_writer(sqlite_place.data, Import("departures", str(path)), 5.0)
    assert ask_writer(sqlite_place.data, Report("tower", BEGAN_MS, (report("3", actual=1),)), 5.0).departures == 1


def test_what_never_ends_is_refused(desk: Desk, tmp_path: Path) -> None:
    """A device would fill the disk; a folder and what is not there are told by their names."""
    with pytest.raises(LedgerError, match="/dev/zero is no file and no pipe"):
        desk.import_table("departures", Path("/dev/zero"))
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(LedgerError, match=f"{path} cannot be read: "):
            desk.import_table("departures", path)


def test_a_file_that_has_lost_its_name_is_copied(desk: Desk, rows: Path) -> None:
    """As a shell's here-document is: open, and not to be found by anybody else."""
    with rows.open() as file, contextlib.suppress(FileNotFoundError):
        rows.unlink()
        assert desk.import_table("departures", Path(f"/dev/fd/{file.fileno()}")) == 2
