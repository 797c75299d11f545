"""Answers reach their file whole or not at all, and every format holds the same."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import polars
import pytest

from atraso.cli.batch import ANSWER_COLUMNS, IDENTIFYING_COLUMNS
from atraso.cli.outputs import output_of, written_whole
from atraso.core.errors import AtrasoError, MissingExtraError

NAMES = (*IDENTIFYING_COLUMNS, *ANSWER_COLUMNS)


def columns(*numbers: str) -> dict[str, list]:
    """Return made-up answers for flights of these numbers."""
    texts = dict.fromkeys((*IDENTIFYING_COLUMNS, "basis", "lead", "model"), "x, ñ")
    filled = {name: [texts.get(name, 0.25)] * len(numbers) for name in NAMES}
    filled["flight_number"] = list(numbers)
    filled["delayed"] = [True] * len(numbers)
    filled["warnings"] = [("one", "two")] * len(numbers)
    return filled


def bytes_of(kind: str, *chunks: dict[str, list]) -> bytes:
    """Return what an output of *kind* writes for *chunks*."""
    stream = io.BytesIO()
    out = output_of(kind, stream, NAMES)
    for chunk in chunks:
        out.write(chunk)
    out.finish()
    return stream.getvalue()


def write(path: str, content: bytes) -> None:
    """Write *content* to *path* as an output does."""
    with written_whole(path) as stream:
        stream.write(content)


def test_csv_has_a_header_and_a_line_per_flight():
    """CSV is UTF-8 with a header; truth is true or false, warnings are joined."""
    header, *rows = csv.reader(io.StringIO(bytes_of("csv", columns("1"), columns(), columns("2")).decode()))
    assert tuple(header) == NAMES
    assert [row[1] for row in rows] == ["1", "2"]
    first = dict(zip(header, rows[0], strict=True))
    assert (first["airline"], first["delayed"], first["warnings"]) == ("x, ñ", "true", "one; two")
    assert float(first["exceeds_60"]) == 0.25


def test_json_lines_and_parquet_hold_the_same_rows():
    """A JSON line and a Parquet row hold the same values under the same names."""
    chunks = (columns(), columns("1"), columns("2", "3"))
    lines = [json.loads(line) for line in bytes_of("jsonl", *chunks).splitlines()]
    frame = polars.read_parquet(io.BytesIO(bytes_of("parquet", *chunks)))
    assert tuple(lines[0]) == NAMES == tuple(frame.columns)
    assert lines == frame.to_dicts()
    assert [line["flight_number"] for line in lines] == ["1", "2", "3"]
    assert lines[0]["warnings"] == ["one", "two"]


def test_parquet_of_no_flights_has_the_types_of_some():
    """A file of no answers has the columns and types of one with answers."""
    empty = polars.read_parquet(io.BytesIO(bytes_of("parquet", columns())))
    full = polars.read_parquet(io.BytesIO(bytes_of("parquet", columns("1"))))
    assert empty.schema == full.schema


def test_parquet_without_polars_names_the_extra(monkeypatch):
    """Where polars is not installed the error says what to install."""
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match=r"Parquet needs the extra 'train'"):
        output_of("parquet", io.BytesIO(), NAMES)


def test_a_file_appears_when_it_is_whole(tmp_path):
    """While it is being written the old file stands; then the new one does, and nothing else is left."""
    path = tmp_path / "out.csv"
    path.write_text("old")
    with written_whole(str(path)) as stream:
        stream.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [found.name for found in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, RuntimeError])
def test_trouble_leaves_the_old_file_and_no_half_one(tmp_path, trouble):
    """An interrupt or error while writing leaves what was there before, and no half file."""
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(trouble), written_whole(str(path)) as stream:
        stream.write(b"half")
        raise trouble
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["out.csv"]


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    """A folder that is not there, and a full disk, end in a sentence with the path."""
    nowhere = tmp_path / "none" / "out.csv"
    with pytest.raises(AtrasoError, match=r"none/out\.csv cannot be written: No such file"):
        write(str(nowhere), b"x")
    # Through a link: should the device ever be taken for a file, it is the link that is replaced.
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(AtrasoError, match="full cannot be written: No space left"):
        write(str(full), b"x")


def test_a_pipe_is_written_and_not_replaced(tmp_path):
    """What is no plain file (a device, a pipe) is written itself, and is still there afterwards."""
    link = tmp_path / "device"
    link.symlink_to("/dev/null")
    with written_whole(str(link)) as stream:
        stream.write(b"gone")
    assert link.is_symlink()
    assert link.is_char_device()


def test_a_full_standard_output_is_told_in_a_sentence():
    """Where standard output takes no more, the program ends with a sentence and without a traceback."""
    program = "from atraso.cli.outputs import written_whole\nwith written_whole('-') as out: out.write(b'x')"
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, check=False)

    assert run.returncode == 1
    assert run.stderr.strip().endswith(b"standard output cannot be written: No space left on device")
    assert b"Exception ignored" not in run.stderr
