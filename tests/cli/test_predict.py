"""`atraso predict`: every row of the file is answered or rejected, in its order."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import click.testing
import polars
import pytest

from atraso.cli.main import cli
from atraso.core.errors import ArtefactError, SourceError
from tests.flights_at_hand import scl_file
from tests.sources.scl_files import row, scl_path, scl_text

OWN = "airline,flight_number,destination,scheduled_departure"
ATRASO = (sys.executable, "-m", "atraso")


def run(*arguments: object, stdin: bytes | None = None) -> click.testing.Result:
    """Run the command in this process; its own errors are raised."""
    done = click.testing.CliRunner().invoke(cli, ["predict", *map(str, arguments)], input=stdin, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return a CSV file's rows."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def own_file(folder: Path, *lines: str) -> Path:
    """Write a file of our own columns."""
    path = folder / "questions.csv"
    path.write_text("\n".join([OWN, *lines]) + "\n", encoding="utf-8")
    return path


def test_the_whole_scl_file_is_answered_in_its_order(tmp_path):
    """Every row of the SCL file, the repeated one too, gets an answer in its place."""
    path, _ = scl_file()
    done = run(path, "-o", tmp_path / "out.csv")
    asked = list(csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines()))
    answered = rows_of(tmp_path / "out.csv")
    assert [
        (a["airline"], a["flight_number"], a["origin"], a["destination"], a["scheduled_departure"]) for a in answered
    ] == [(q["Emp-I"], q["Vlo-I"], q["Ori-I"], q["Des-I"], q["Fecha-I"]) for q in asked]
    assert all(0 < float(a["delay_probability"]) < 1 for a in answered)
    assert f"{len(asked):,} flights answered" in done.stderr
    assert "no row rejected" in done.stderr
    assert not (tmp_path / "out.rejects.csv").exists()


def test_an_answer_has_falling_exceeds_and_rising_minutes(tmp_path):
    """A row holds the flight, the chance of each delay (falling), its quantiles (rising) and the model."""
    run(scl_path(tmp_path, row()), "-o", tmp_path / "out.csv")
    (answer,) = rows_of(tmp_path / "out.csv")
    exceeds = [float(answer[f"exceeds_{minutes}"]) for minutes in (0, 15, 30, 60)]
    minutes = [float(answer[f"{name}_minutes"]) for name in ("p50", "p80", "p95")]
    assert exceeds == sorted(exceeds, reverse=True)
    assert minutes == sorted(minutes)
    assert float(answer["delay_probability"]) == exceeds[1]
    assert answer["delayed"] in ("true", "false")
    assert (answer["basis"], answer["lead"]) == ("schedule", "schedule")
    assert answer["warnings"].startswith("flight number LAN 282 was not seen in training")
    assert answer["model"].startswith("20")


def test_bad_rows_are_told_apart_from_good_ones(tmp_path):
    """A bad row goes to the reject file with number, reason and text; the others are answered; exit code 0."""
    lines = (
        "LAN,282,SPJC,2017-07-14 08:30",
        "LAN,282,SPJC,2017-02-30 08:30",
        "LAN,282",
        ",,,",
        "H2,1,ANF,2017-07-14 09:00",
    )
    done = run(own_file(tmp_path, *lines), "-o", tmp_path / "out.csv")
    assert done.exit_code == 0
    assert [answer["airline"] for answer in rows_of(tmp_path / "out.csv")] == ["LAN", "H2"]
    rejects = rows_of(tmp_path / "out.rejects.csv")
    assert [(reject["row"], reject["raw"]) for reject in rejects] == [
        ("2", "LAN,282,SPJC,2017-02-30 08:30"),
        ("3", "LAN,282"),
        ("4", ",,,"),
    ]
    assert "scheduled_departure" in rejects[0]["reason"]
    assert rejects[1]["reason"] == "the row has 2 cells, the header 4"
    assert "2 flights answered" in done.stderr
    assert f"3 rows rejected (see {tmp_path / 'out.rejects.csv'})" in done.stderr


def test_rejects_of_an_earlier_run_do_not_stay(tmp_path):
    """A run without rejects takes away the reject file an earlier run left; one asked for by name is written."""
    stale = tmp_path / "out.rejects.csv"
    stale.write_text("row,reason,raw\n1,old,old\n")
    run(scl_path(tmp_path, row()), "-o", tmp_path / "out.csv")
    assert not stale.exists()
    run(scl_path(tmp_path, row()), "-o", tmp_path / "out.csv", "--rejects", tmp_path / "named.csv")
    assert (tmp_path / "named.csv").read_text() == "row,reason,raw\n"


def test_an_unknown_column_is_named_and_ignored(tmp_path):
    """A column nobody knows is reported, and the rows are answered all the same."""
    path = tmp_path / "q.csv"
    path.write_text(f"{OWN},gate\nLAN,282,SPJC,2017-07-14 08:30,7\n")
    done = run(path, "-o", tmp_path / "out.csv")
    assert "1 flight answered" in done.stderr
    assert "0 rows rejected" in done.stderr
    assert "unknown column 'gate' is ignored" in done.stderr
    assert [reject["row"] for reject in rows_of(tmp_path / "out.rejects.csv")] == ["0"]


def test_standard_input_goes_to_standard_output(tmp_path, monkeypatch):
    """- reads standard input (packed here) and writes CSV to standard output; --json writes JSON lines."""
    monkeypatch.chdir(tmp_path)
    packed = gzip.compress(scl_text(row(), row(Des_I="?")).encode())
    (answer,) = csv.DictReader(run("-", "-o", "-", stdin=packed).stdout.splitlines())
    line = json.loads(run("-", "--json", stdin=packed).stdout)
    assert line["delay_probability"] == float(answer["delay_probability"])
    assert (line["delayed"], line["warnings"]) == (answer["delayed"] == "true", [answer["warnings"]])
    assert [reject["row"] for reject in rows_of(tmp_path / "stdin.rejects.csv")] == ["2"]


def test_formats_follow_the_name_of_the_output(tmp_path):
    """.csv, .jsonl and .parquet hold the same answers."""
    path = scl_path(tmp_path, row(), row(Emp_I="SKU", Des_I="SCFA"))
    for name in ("out.csv", "out.jsonl", "out.parquet"):
        run(path, "-o", tmp_path / name)
    probabilities = [float(answer["delay_probability"]) for answer in rows_of(tmp_path / "out.csv")]
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["delay_probability"] for line in lines] == probabilities
    frame = polars.read_parquet(tmp_path / "out.parquet")
    assert frame["delay_probability"].to_list() == probabilities
    assert frame["airline"].to_list() == ["LAN", "SKU"]


def test_options_that_would_do_harm_are_refused(tmp_path):
    """An output of unknown kind, one that is the input, and rejects that are the output are refused."""
    path = scl_path(tmp_path, row())
    for arguments in (
        ("-o", tmp_path / "out.xlsx"),
        ("-o", path),
        ("-o", "-", "--rejects", path),
        ("-o", tmp_path / "o.csv", "--rejects", tmp_path / "o.csv"),
    ):
        with pytest.raises(click.BadParameter):
            run(path, *arguments)
    assert path.read_text(encoding="utf-8") == scl_text(row())


def test_an_unusable_file_leaves_everything_as_it_was(tmp_path):
    """A file that turns out unusable, at once or half way, ends in an error and leaves the old output."""
    out = tmp_path / "out.csv"
    out.write_text("old")
    late_trouble = tmp_path / "late.csv.gz"
    late_trouble.write_bytes(gzip.compress(scl_text(*[row()] * 9000).encode())[:-10])
    for path, sentence in ((tmp_path / "none.csv", "No such file"), (late_trouble, "damaged or cut short")):
        with pytest.raises(SourceError, match=sentence):
            run(path, "-o", out)
        assert out.read_text() == "old"
    assert not list(tmp_path.glob(".*.partial"))


def test_a_model_that_is_not_there_is_said(tmp_path):
    """--model takes an artefact's folder, and one without an artefact is refused."""
    with pytest.raises(ArtefactError, match="artefact"):
        run(scl_path(tmp_path, row()), "--model", tmp_path / "none")


def test_exit_codes_and_sentences_of_the_command(tmp_path):
    """As a command: 0 with rejects, 2 with one sentence and no traceback for an unusable file."""
    good = own_file(tmp_path, "LAN,282,SPJC,2017-07-14 08:30", "bad")
    done = subprocess.run([*ATRASO, "predict", good, "-o", tmp_path / "o.csv"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
    done = subprocess.run([*ATRASO, "predict", tmp_path / "none.csv"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"atraso: {tmp_path / 'none.csv'} cannot be opened: No such file or directory\n"


def test_an_interrupt_leaves_no_half_file(tmp_path):
    """Ctrl-C while the file is being answered ends with 130 and leaves neither output nor half an output."""
    out = tmp_path / "out.csv"
    command = [*ATRASO, "predict", "-", "-o", out]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as run_on:
        assert run_on.stdin is not None
        run_on.stdin.write(scl_text(*[row()] * 5001).encode())
        run_on.stdin.flush()
        patience = threading.Event()
        while not list(tmp_path.glob(".out.csv.*.partial")) and run_on.poll() is None:
            patience.wait(0.02)
        assert list(tmp_path.glob(".out.csv.*.partial"))
        run_on.send_signal(signal.SIGINT)
        _, complaint = run_on.communicate(timeout=30)
    assert run_on.returncode == 130
    assert b"Traceback" not in complaint
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_ends_the_command_quietly(tmp_path):
    """Piped into a program that stops reading, the command ends without a traceback."""
    path = scl_path(tmp_path, *[row()] * 20_000)
    read, write = os.pipe()
    with subprocess.Popen([*ATRASO, "predict", path], stdout=write, stderr=subprocess.PIPE) as command:
        os.close(write)
        assert os.read(read, 10) == b"airline,fl"
        os.close(read)
        _, complaint = command.communicate(timeout=60)
    assert command.returncode != 0
    assert complaint == b""


def test_the_example_in_the_help_works():
    """The example that --help ends with is run as it stands and answers a flight."""
    text = run("--help").stdout
    example = text.split("Example:\n")[1].split("\n\n")[0]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", example], capture_output=True, text=True, check=True, env={**os.environ, "PATH": path}
    )
    (answer,) = csv.DictReader(done.stdout.splitlines())
    assert (answer["airline"], answer["flight_number"], answer["origin"]) == ("LAN", "600", "SCEL")


def test_csv_needs_nothing_beyond_the_base_install(tmp_path):
    """Answering to CSV loads neither frames nor learners, nor anything of the training."""
    script = (
        "import sys; from atraso.cli.predict import predict\n"
        f"predict(['{scl_path(tmp_path, row())}'], standalone_mode=False)\n"
        "sys.exit(bool({'polars', 'pandas', 'lightgbm', 'holidays', 'atraso.training'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0
