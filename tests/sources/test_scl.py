"""The SCL file: every row becomes a departure or a reject, and only the schedule makes the flight."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atraso.core.errors import SourceError
from atraso.sources.reading import Reading
from atraso.sources.scl import NEEDED_COLUMNS, read_scl
from tests.flights_at_hand import HEADER, generated_scl_file, scl_file
from tests.sources.scl_files import row, scl_path, scl_text


def reasons(reading: Reading) -> list[tuple[int, str]]:
    """Return row and reason of each reject."""
    return [(reject.row, reject.reason) for reject in reading.rejects]


def test_the_whole_file_is_departures_but_for_one_repeat():
    """Every row of the SCL file is a departure but one, which repeats a flight (really: 61,492 and 1)."""
    path, real = scl_file()
    rows = gzip.decompress(path.read_bytes()).count(b"\n") - 1
    reading = read_scl(path)
    if real:
        assert rows == 61_493
    assert len(reading.departures) == rows - 1
    assert len(reading.rejects) == 1
    assert reading.rejects[0].reason.startswith("the same flight as row ")


def test_the_repeat_of_the_real_file_is_the_known_one():
    """The rejected row is SKU 1 of 2017-03-26 08:55 in the real file, the last row in the generated one."""
    path, real = scl_file()
    raw = read_scl(path).rejects[0].raw
    if real:
        assert raw.startswith("2017-03-26 08:55:00,1,SCEL,") and ",SKU," in raw
    else:
        assert raw == gzip.decompress(path.read_bytes()).decode().splitlines()[-1]


def test_generated_flights_have_the_shape_of_the_real_ones():
    """The stand-in for the real file has its 30 airlines, its range of delays and a fifth of flights late."""
    reading = read_scl(generated_scl_file())
    delays = reading.departures.delay_minutes
    assert len(set(reading.departures.flights.airline)) == 30
    assert -14 <= delays.min() < 0 < delays.max() <= 161
    assert 0.15 < reading.departures.delayed.mean() < 0.25


def test_a_row_becomes_a_flight_and_its_departure(tmp_path):
    """A row's scheduled columns make the flight, in local time and UTC, and Fecha-O its departure."""
    reading = read_scl(scl_path(tmp_path, row()))
    (departure,) = reading.departures.departures(reading.zones)
    flight = departure.flight
    assert (flight.airline, flight.flight_number, flight.origin, flight.destination) == (
        "LAN",
        "282",
        "SCEL",
        "SPJC",
    )
    assert flight.scheduled_departure.isoformat() == "2017-07-14T08:30:00-04:00"
    assert reading.departures.flights.scheduled_local[0] == flight.scheduled_local_minutes
    assert departure.delay_minutes == 20
    assert reading.rows.tolist() == [1]


def test_the_operated_columns_are_never_used(tmp_path):
    """Whatever DIA, MES, AÑO, DIANOM and the -O columns but Fecha-O hold, the reading is the same."""
    plain = read_scl(scl_path(tmp_path, row()))
    other = row(Vlo_O="", Ori_O="?", Des_O="x", Emp_O="", DIA="99", MES="-1", AÑO="then", DIANOM="", SIGLADES="")
    changed = read_scl(scl_path(tmp_path, other))
    assert not changed.rejects
    assert list(changed.departures.departures(changed.zones)) == list(plain.departures.departures(plain.zones))
    assert changed.challenge.month.tolist() == plain.challenge.month.tolist() == [7]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Fecha_I": "2017-02-30 08:30:00"}, "Fecha-I is not a date and time: '2017-02-30 08:30:00'"),
        ({"Fecha_I": "2017-07-14"}, "Fecha-I is not a date and time: '2017-07-14'"),
        ({"Fecha_I": "14/07/2017 08:30"}, "Fecha-I is not a date and time: '14/07/2017 08:30'"),
        ({"Fecha_I": "1017-07-14 08:30:00"}, "Fecha-I is not a date and time: '1017-07-14 08:30:00'"),
        ({"Fecha_I": ""}, "Fecha-I is empty"),
        ({"Vlo_I": ""}, "Vlo-I is empty"),
        ({"Vlo_I": "   "}, "Vlo-I is empty"),
        ({"Vlo_I": "28/2"}, "Vlo-I is not a flight number: '28/2'"),
        ({"Fecha_O": ""}, "Fecha-O is empty"),
        ({"Fecha_O": "later"}, "Fecha-O is not a date and time: 'later'"),
        ({"Emp_I": "LA"}, "Emp-I is not an airline's ICAO code: 'LA'"),
        ({"Des_I": "LIM"}, "Des-I is not an airport's ICAO code: 'LIM'"),
        ({"Ori_I": "ZZZZ"}, "Ori-I is not the ICAO code of an airport with a known time zone: 'ZZZZ'"),
        ({"TIPOVUELO": "X"}, "TIPOVUELO is not I or N: 'X'"),
        ({"OPERA": " "}, "OPERA is empty"),
        (
            {"Fecha_O": "2017-07-16 08:31:00"},
            "Fecha-O is 2,881 minutes from Fecha-I; beyond 48 hours is taken for an error",
        ),
        (
            {"Fecha_O": "2017-07-12 08:29:00"},
            "Fecha-O is -2,881 minutes from Fecha-I; beyond 48 hours is taken for an error",
        ),
    ],
)
def test_a_bad_row_is_rejected_with_its_number_and_reason(tmp_path, changes, reason):
    """A row that cannot be used is a reject with its row number, a reason and its text; the others stay."""
    bad = row(**changes)
    reading = read_scl(scl_path(tmp_path, row(Vlo_I="1"), bad, row(Vlo_I="3")))
    assert reasons(reading) == [(2, reason)]
    assert reading.rejects[0].raw == ",".join(bad)
    assert reading.departures.flights.flight_number.tolist() == ["1", "3"]
    assert reading.rows.tolist() == [1, 3]


def test_a_delay_of_48_hours_is_still_believed(tmp_path):
    """A departure exactly 48 hours from its schedule is kept, to either side."""
    rows = [row(Fecha_O="2017-07-16 08:30:00"), row(Vlo_I="2", Fecha_O="2017-07-12 08:30:00")]
    assert read_scl(scl_path(tmp_path, *rows)).departures.delay_minutes.tolist() == [2880, -2880]


def test_missing_and_extra_cells_reject_the_row(tmp_path):
    """A row with a cell too few or too many is rejected, and so is one whose quote is not closed."""
    path = tmp_path / "flights.csv"
    lines = scl_text(row(), row()[:-1], [*row(), "more"]).splitlines()
    path.write_text("\n".join([*lines, ",".join(row()).replace("Lima", '"Lima'), ",".join(row(Vlo_I="5"))]))
    reading = read_scl(path)
    assert reasons(reading) == [
        (2, "the row has 17 cells, the header 18"),
        (3, "the row has 19 cells, the header 18"),
        (4, "a quote is not closed, or stands where none may"),
    ]
    assert reading.rows.tolist() == [1, 5]


def test_of_rows_for_the_same_flight_the_first_is_kept(tmp_path):
    """A repeat (same airline, number, route and schedule) is rejected naming the first, whatever it did."""
    again = row(Vlo_I="0282", Fecha_O="2017-07-14 09:40:00")
    reading = read_scl(scl_path(tmp_path, row(), row(Emp_I="TAM"), again, row(Des_I="SCFA"), row()))
    assert reasons(reading) == [(3, "the same flight as row 1"), (5, "the same flight as row 1")]
    assert reading.departures.delay_minutes.tolist() == [20, 20, 20]


def test_flight_numbers_are_text_without_what_spreadsheets_and_airlines_add(tmp_path):
    """0282, 282.0 and LA282 are flight 282 of LAN; letters stay."""
    rows = [
        row(Vlo_I=number, Fecha_I=f"2017-07-14 0{hour}:30:00")
        for hour, number in enumerate(("0282", "282.0", "LA282", "989P", "0"))
    ]
    reading = read_scl(scl_path(tmp_path, *rows))
    assert reading.departures.flights.flight_number.tolist() == ["282", "282", "282", "989P", "0"]


def test_an_unknown_column_is_reported_once_and_ignored(tmp_path):
    """A column beyond the 18 is one reject for row 0 with its name; the rows are read as ever."""
    reading = read_scl(scl_path(tmp_path, [*row(), "1"], [*row(Vlo_I="2"), "2"], header=[*HEADER, "Puerta"]))
    assert reasons(reading) == [(0, "unknown column 'Puerta' is ignored")]
    assert len(reading.departures) == 2
    assert reading.summary() == "2 departures, 0 rows rejected; unknown column 'Puerta' is ignored"


def test_columns_are_found_by_name_in_any_order(tmp_path):
    """The order of the columns does not matter, nor does CRLF after a column that is needed."""
    path = tmp_path / "flights.csv"
    path.write_bytes(scl_text(row()[::-1], header=HEADER[::-1], line_end="\r\n").encode())
    reading = read_scl(path)
    assert not reading.rejects
    assert reading.departures.delay_minutes.tolist() == [20]


@pytest.mark.parametrize("name", NEEDED_COLUMNS)
def test_a_missing_column_stops_with_its_name(tmp_path, name):
    """A file without a needed column is refused with a sentence that names it."""
    header = [column for column in HEADER if column != name]
    with pytest.raises(SourceError, match=f"missing column {name};"):
        read_scl(scl_path(tmp_path, row()[1:], header=header))


def test_all_missing_columns_are_named_at_once(tmp_path):
    """Of several missing columns each is named, so that one correction is enough."""
    with pytest.raises(SourceError, match="missing columns Fecha-I, Emp-I;"):
        read_scl(scl_path(tmp_path, header=[name for name in HEADER if name not in ("Fecha-I", "Emp-I")]))


def test_a_needed_column_there_twice_is_refused(tmp_path):
    """Two columns of one name are refused: nobody can tell which is meant."""
    with pytest.raises(SourceError, match="more than one column Vlo-I"):
        read_scl(scl_path(tmp_path, [*row(), "1"], header=[*HEADER, "Vlo-I"]))


@pytest.mark.parametrize(
    ("scheduled", "actual", "delay", "offset"),
    [
        # 2017-05-14 00:00 summer time becomes 23:00 of 13 May: 23:00 to 23:59 happens twice.
        ("2017-05-13 22:50:00", "2017-05-13 23:05:00", 15, "-03:00"),
        ("2017-05-13 23:30:00", "2017-05-13 23:40:00", 10, "-03:00"),
        ("2017-05-13 23:50:00", "2017-05-13 23:10:00", 20, "-03:00"),
        ("2017-05-13 23:50:00", "2017-05-14 00:05:00", 75, "-03:00"),
        ("2017-05-13 23:45:00", "2017-05-13 23:15:00", 30, "-03:00"),  # as near as 30 minutes early
        # 2017-08-13 00:00 becomes 01:00: 00:00 to 00:59 does not happen; a schedule is read as before.
        ("2017-08-12 23:50:00", "2017-08-13 01:05:00", 15, "-04:00"),
        ("2017-08-13 00:30:00", "2017-08-13 01:40:00", 10, "-03:00"),
        ("2017-08-12 23:50:00", "2017-08-13 00:10:00", -40 + 60, "-04:00"),
    ],
)
def test_clock_changes_do_not_make_delays(tmp_path, scheduled, actual, delay, offset):
    """Over Santiago's clock changes a delay is elapsed time, and a doubtful departure the likelier one."""
    reading = read_scl(scl_path(tmp_path, row(Fecha_I=scheduled, Fecha_O=actual)))
    (departure,) = reading.departures.departures(reading.zones)
    assert departure.delay_minutes == delay
    assert departure.flight.scheduled_departure.isoformat().endswith(offset)


def test_gzip_is_told_by_its_first_bytes_not_its_name(tmp_path):
    """A packed file is read whatever it is called, and a plain one called .gz too."""
    text = scl_text(row()).encode()
    packed, plain = tmp_path / "packed.csv", tmp_path / "plain.csv.gz"
    packed.write_bytes(gzip.compress(text))
    plain.write_bytes(text)
    assert len(read_scl(packed).departures) == len(read_scl(plain).departures) == 1


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_read_plain_or_packed(pack):
    """The path "-" reads standard input, also when it comes from a pipe."""
    script = "from atraso.sources.scl import read_scl; print(read_scl('-').summary())"
    data = pack(scl_text(row(), row(Vlo_I="")).encode())
    done = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "1 departure, 1 row rejected"


def test_byte_order_mark_crlf_and_quotes_do_not_matter(tmp_path):
    """A file as Excel writes it (byte order mark, CRLF, quoted cells with commas) gives the same reading."""
    path = tmp_path / "flights.csv"
    path.write_bytes(b"\xef\xbb\xbf" + scl_text(row(SIGLADES='Lima, "LIM"'), line_end="\r\n").encode())
    reading = read_scl(path)
    assert not reading.rejects
    assert reading.departures.delay_minutes.tolist() == [20]


def test_empty_lines_are_counted_but_are_no_rows(tmp_path):
    """An empty line is no reject, and the rows after it keep the number of their line."""
    path = tmp_path / "flights.csv"
    header, first, second = scl_text(row(), row(Vlo_I="")).splitlines()
    path.write_text(f"{header}\n{first}\n\n{second}\n\n")
    reading = read_scl(path)
    assert reading.rows.tolist() == [1]
    assert reasons(reading) == [(3, "Vlo-I is empty")]


def test_a_header_alone_is_an_empty_reading(tmp_path):
    """A file of no rows is read as no departures."""
    reading = read_scl(scl_path(tmp_path))
    assert (len(reading.departures), reading.rejects, reading.summary()) == (
        0,
        (),
        "0 departures, 0 rows rejected",
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (scl_text(row()).encode("latin-1"), "line 1: the line is not UTF-8"),
        (scl_text(row()).encode("utf-16"), "line 1: the line is not UTF-8"),
        (gzip.compress(scl_text(row()).encode())[:-10], "damaged or cut short"),
        (b"\x1f\x8b not gzip at all", "damaged or cut short"),
        (b"x" * 70_000, "line 1: the line is longer than 64 KiB"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_a_sentence(tmp_path, content, sentence):
    """Empty, not UTF-8, damaged or not made of lines: refused as a whole, saying which line and why."""
    path = tmp_path / "flights.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=sentence):
        read_scl(path)


def test_a_line_that_is_not_text_or_too_long_is_a_reject_and_the_others_are_read(tmp_path):
    """One spoilt byte, or one endless line, costs its own row and no other."""
    path = tmp_path / "flights.csv"
    lines = scl_text(row(), row(OPERA="Líneas"), row(OPERA="x" * 200_000), row(Vlo_I="7")).encode()
    path.write_bytes(lines.replace("í".encode(), b"\xed"))
    reading = read_scl(path)

    assert [(r.row, r.reason.split(" (")[0]) for r in reading.rejects] == [
        (2, "the line is not UTF-8"),
        (3, "the line is longer than 64 KiB"),
    ]
    assert reading.rows.tolist() == [1, 4]


def test_no_file_and_a_folder_are_refused_with_a_sentence(tmp_path):
    """A path that is no file is refused by name."""
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(SourceError, match="cannot be opened"):
            read_scl(path)


def test_the_challenge_columns_go_with_the_departures(tmp_path):
    """Name, type, month of the schedule and lateness stand in the departures' order, rejects left out."""
    reading = read_scl(
        scl_path(
            tmp_path,
            row(Fecha_I="2017-01-31 23:50:00", Fecha_O="2017-02-01 00:20:00", MES="2"),
            row(Vlo_I=""),
            row(Fecha_I="2017-01-31 23:50:00", Fecha_O="2017-02-01 00:20:00", TIPOVUELO="N"),
            row(Emp_I="SKU", OPERA="Sky Airline", TIPOVUELO="N", Fecha_O="2017-07-14 08:45:00"),
        )
    )
    challenge = reading.challenge
    assert challenge.airline_name.tolist() == ["Grupo LATAM", "Sky Airline"]
    assert challenge.flight_type.tolist() == ["I", "N"]
    assert challenge.month.tolist() == [1, 7]
    assert challenge.delayed.tolist() == [True, False]


def test_progress_ends_at_the_whole_file():
    """The caller hears of bytes read that never fall and end at the size of the file."""
    path = generated_scl_file()
    heard: list[tuple[int, int | None]] = []
    read_scl(path, lambda done, total: heard.append((done, total)))
    size = path.stat().st_size
    assert len(heard) > 2
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert heard[-1] == (size, size)


CELLS = st.one_of(
    st.sampled_from(["", "282", "SCEL", "LAN", "2017-07-14 08:30:00", "2017-08-13 00:30:00", "I", '"', "\r", "\0"]),
    st.text(max_size=12),
)
ROWS = st.one_of(
    st.just(row()),
    st.lists(CELLS, min_size=17, max_size=19),
    st.tuples(st.integers(0, 17), CELLS).map(lambda change: [*row()[: change[0]], change[1], *row()[change[0] + 1 :]]),
)


def accounted(data: bytes) -> None:
    """Check that every row of *data* is a departure or a reject, unless the file is refused as a whole."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flights.csv"
        path.write_bytes(data)
        try:
            reading = read_scl(path)
        except SourceError as error:
            assert str(path) in str(error)
            return
    lines = io.BytesIO(data).read().split(b"\n")[1:]
    rows = [number for number, line in enumerate(lines, start=1) if line.rstrip(b"\r")]
    rejected = [reject.row for reject in reading.rejects if reject.row > 0]
    assert sorted(reading.rows.tolist() + rejected) == rows
    assert len(reading.rows) == len(reading.departures) == len(reading.challenge.month)


@settings(max_examples=200, deadline=None)
@given(st.lists(ROWS, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_any_cells_are_accounted_for(rows, line_end):
    """Rows of any cells are all accounted for: each is a departure or a reject, never a crash."""
    lines = [",".join(cells).replace("\n", " ") for cells in (HEADER, *rows)]
    accounted(line_end.join(lines).encode("utf-8", "surrogatepass"))


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.booleans(),
    st.booleans(),
)
def test_any_bytes_are_refused_or_accounted_for(data, with_header, packed):
    """Any bytes at all, packed or not, give a SourceError or a reading of every row."""
    whole = scl_text(row()).encode() + data if with_header else data
    if packed and not with_header:
        whole = b"\x1f\x8b" + data
    accounted(whole)
