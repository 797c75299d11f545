"""Flights to be predicted: our columns or the SCL file's, in chunks, in order."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atraso.core.errors import SourceError
from atraso.sources.questions import QuestionChunk, read_questions
from tests.sources.bts_files import bts_text, form_text
from tests.sources.bts_files import row as bts_row
from tests.sources.scl_files import row, scl_path, scl_text

OWN = "airline,flight_number,destination,scheduled_departure"


def own_file(folder, *lines: str, header: str = OWN):
    """Write a file of our own columns."""
    path = folder / "questions.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def facts(chunk: QuestionChunk) -> list[tuple[str, ...]]:
    """Return a chunk's flights as rows."""
    columns = (chunk.airline, chunk.flight_number, chunk.origin, chunk.destination, chunk.scheduled_departure)
    return list(zip(*columns, strict=True))


def test_our_own_columns_are_read_as_texts(tmp_path):
    """Names, codes and times come out as they stand, for the model to understand; spaces around them go."""
    (chunk,) = read_questions(own_file(tmp_path, '"Sky, Airline",LA 0282, LIM ,2017-07-14T08:30:00-04:00'))
    assert facts(chunk) == [("Sky, Airline", "LA 0282", "", "LIM", "2017-07-14T08:30:00-04:00")]
    assert (chunk.rows, chunk.rejects) == ([1], [])


def test_the_origin_may_be_told(tmp_path):
    """A column origin is used where there is one, and columns stand in any order."""
    header = "scheduled_departure,origin,destination,flight_number,airline"
    (chunk,) = read_questions(own_file(tmp_path, "2013-07-01 09:05,JFK,IAH,5,UA", header=header))
    assert facts(chunk) == [("UA", "5", "JFK", "IAH", "2013-07-01 09:05")]


def test_an_scl_file_needs_only_its_scheduled_columns(tmp_path):
    """Of the SCL file the -I columns are enough: nobody knows the others before departure."""
    path = tmp_path / "f.csv"
    path.write_text("Fecha-I,Vlo-I,Ori-I,Des-I,Emp-I\n2017-07-14 08:30:00,282,SCEL,SPJC,LAN\n")
    (chunk,) = read_questions(path)
    assert facts(chunk) == [("LAN", "282", "SCEL", "SPJC", "2017-07-14 08:30:00")]


@pytest.mark.parametrize("told", [bts_text, form_text])
def test_a_bts_file_is_asked_by_its_schedule(tmp_path, told):
    """Day and time become one text, 2400 the midnight that follows; one that cannot be read is left to be refused."""
    path = tmp_path / "f.csv"
    late, none = bts_row(CRSDepTime="2400", Cancelled="?"), bts_row(CRSDepTime="2460")
    path.write_text(told(bts_row(), late, none))
    (chunk,) = read_questions(path)
    assert {fact[:4] for fact in facts(chunk)} == {("UA", "282", "EWR", "ORD")}
    assert chunk.scheduled_departure[:2] == ["2017-07-14 08:30", "2017-07-15 00:00"]
    assert chunk.scheduled_departure[2].endswith(" 2460")
    assert chunk.rejects == []


def test_rows_of_other_origins_can_be_left_out(tmp_path):
    """With origins asked for, rows that tell another are counted and given no further; those that tell none stay."""
    header = "origin,airline,flight_number,destination,scheduled_departure"
    cells = [f"{origin},UA,{n},IAH,2013-07-01 09:05" for n, origin in enumerate(("JFK", "LAX", "KEWR", "", "?"))]
    (chunk,) = read_questions(own_file(tmp_path, *cells, header=header), origins=("KJFK", "KEWR"))
    assert chunk.flight_number == ["0", "2", "3"]
    assert (chunk.rows, chunk.left_out) == ([1, 3, 4], 2)


def test_a_flight_there_twice_is_asked_twice(tmp_path):
    """Repeats are no rejects here: each row is a question."""
    (chunk,) = read_questions(scl_path(tmp_path, row(), row()))
    assert chunk.rows == [1, 2]


def test_chunks_keep_order_and_count_every_row(tmp_path):
    """Rows come in the file's order, at most so many a chunk, broken ones as rejects beside them."""
    lines = [f"LAN,{number},SPJC,2017-07-14 08:30" for number in range(1, 8)]
    lines[3] = "LAN,4"
    chunks = list(read_questions(own_file(tmp_path, *lines), chunk_rows=3))
    assert [chunk.rows for chunk in chunks] == [[1, 2, 3], [5, 6], [7]]
    assert [(reject.row, reject.reason, reject.raw) for chunk in chunks for reject in chunk.rejects] == [
        (4, "the row has 2 cells, the header 4", "LAN,4")
    ]
    assert [number for chunk in chunks for number in chunk.flight_number] == ["1", "2", "3", "5", "6", "7"]
    assert chunks[-1].bytes_read == chunks[-1].total_bytes


def test_an_unknown_column_is_reported_once(tmp_path):
    """A column nobody asked for is one reject of row 0, in the first chunk."""
    lines = ["LAN,1,SPJC,2017-07-14 08:30,x", "LAN,2,SPJC,2017-07-14 08:30,y"]
    chunks = list(read_questions(own_file(tmp_path, *lines, header=f"{OWN},gate"), chunk_rows=1))
    assert [[(reject.row, reject.reason) for reject in chunk.rejects] for chunk in chunks] == [
        [(0, "unknown column 'gate' is ignored")],
        [],
        [],
    ]


def test_a_file_of_no_flights_is_one_empty_chunk(tmp_path):
    """A header alone gives a chunk without rows, so that an output gets its header too."""
    (chunk,) = read_questions(own_file(tmp_path))
    assert len(chunk) == 0


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("airline,destination", "missing columns flight_number, scheduled_departure; needed are airline, "),
        ("Fecha-I,Vlo-I,Des-I,Emp-I", "missing column Ori-I;"),
        ("a,b", "has none of the columns looked for; it needs airline, flight_number"),
        (f"{OWN},airline", "more than one column airline"),
    ],
)
def test_a_file_of_other_columns_is_refused(tmp_path, header, sentence):
    """Missing columns are named, and a file of neither kind is told what both kinds have."""
    with pytest.raises(SourceError, match=sentence):
        list(read_questions(own_file(tmp_path, header=header)))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_read_and_stays_open(monkeypatch, pack):
    """The path "-" reads standard input, plain or packed, and does not close it."""
    stream = io.BytesIO(pack(scl_text(row()).encode()))

    class StandardInput:
        buffer = stream

    monkeypatch.setattr("sys.stdin", StandardInput())
    (chunk,) = read_questions("-")
    assert chunk.rows == [1]
    assert chunk.total_bytes is None
    assert not stream.closed


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=12), st.integers(1, 4))
def test_any_lines_are_questions_or_rejects(tmp_path_factory, lines, chunk_rows):
    """Every line that is not empty is a question or a reject, whatever it holds and wherever chunks end."""
    path = tmp_path_factory.mktemp("any") / "q.csv"
    body = "\n".join([OWN, *lines]).encode("utf-8", "replace")
    path.write_bytes(body)
    chunks = list(read_questions(path, chunk_rows))
    expected = [n for n, line in enumerate(body.split(b"\n")[1:], start=1) if line.rstrip(b"\r")]
    assert sorted([n for c in chunks for n in c.rows] + [r.row for c in chunks for r in c.rejects]) == expected
