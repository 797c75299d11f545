"""What a flight file may come in: plain, gzip, zip; one file or several in a row."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from atraso.core.errors import SourceError
from atraso.sources.lines import FlightLines
from atraso.sources.scl import read_scl
from tests.sources.bts_files import zipped
from tests.sources.scl_files import row, scl_text


def lines_of(path: Path) -> list[tuple[int, str, str | None]]:
    """Return all rows of a file."""
    with FlightLines(path) as source:
        return list(source.rows())


def test_a_zip_is_read_by_its_one_csv_file(tmp_path):
    """Any source reads a zip, told by its first bytes; a readme in it is left alone."""
    path = tmp_path / "flights.csv"
    path.write_bytes(zipped(scl_text(row(), row(Vlo_I="7"))))
    assert read_scl(path).departures.flights.flight_number.tolist() == ["282", "7"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (zipped("a\n1\n", ("more.csv", "a\n2\n")), "holds 2 .csv files where one is needed"),
        (zipped("a\n1\n").replace(b".csv", b".txt"), "holds 0 .csv files where one is needed"),
        (zipped("a\n1\n")[:-30], "cannot be unpacked"),
        (b"PK\x03\x04", "cannot be unpacked"),
    ],
)
def test_a_zip_of_another_kind_is_refused_with_a_sentence(tmp_path, content, sentence):
    """More or fewer CSV files than one, or no whole zip: refused, saying what to do."""
    path = tmp_path / "flights.zip"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=sentence):
        FlightLines(path)


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_inside_a_zip_is_told_with_its_line(tmp_path, kind):
    """Packed data that does not unpack to what was packed is refused where that is found out, however it is packed."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", kind) as archive:
        archive.writestr("f.csv", "a\n" + "".join(f"{n * n}\n" for n in range(999)))
        start, length = archive.infolist()[0].header_offset + 35, archive.infolist()[0].compress_size
    content = bytearray(whole.getvalue())
    for at in range(start + length // 3, start + length // 3 + 40):
        content[at] ^= 0x55
    path = tmp_path / "flights.zip"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="damaged or cut short"):
        lines_of(path)


def test_an_encrypted_zip_is_refused_with_what_to_do(tmp_path):
    """Fetching it again would not help; unpacking it with its password does."""
    content = bytearray(zipped("a\n1\n"))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rindex(magic) + flags] |= 1
    path = tmp_path / "flights.zip"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="encrypted; unpack it"):
        FlightLines(path)


def test_a_zip_through_a_pipe_is_refused_with_what_to_do():
    """A zip cannot be read forwards only; the sentence names unzip -p."""
    script = "from atraso.sources.lines import FlightLines; FlightLines('-')"
    done = subprocess.run([sys.executable, "-c", script], input=zipped("a\n1\n"), capture_output=True, check=False)
    assert "unzip -p" in done.stderr.decode().splitlines()[-1]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_header_of_a_further_file_is_no_row(tmp_path, mark):
    """Files put one after the other, plain or packed, are one; rows keep the number of their line."""
    path = tmp_path / "flights.csv"
    path.write_bytes(mark + b"a,b\r\n1,2\r\na,b\r\n3,4\r\n")
    assert lines_of(path) == [(1, "1,2", None), (3, "3,4", None)]
    path.write_bytes(gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"a,b\n3,4\n"))
    assert lines_of(path) == [(1, "1,2", None), (3, "3,4", None)]
