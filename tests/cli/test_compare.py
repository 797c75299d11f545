"""`atraso train --compare` as a command: tables in words, a record, refusals before any work, Ctrl-C."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from atraso.cli.train import train
from atraso.core.errors import SettingsError
from tests.flights_at_hand import HEADER, generated_rows

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a fifth of the generated flights."""
    path = tmp_path_factory.mktemp("flights") / "some.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *generated_rows()[::5]])
    return path


def asked(*arguments: object) -> Result:
    return CliRunner().invoke(train, ["--compare", *map(str, arguments)], catch_exceptions=False)


def test_what_was_found_is_told_in_a_table_in_words_and_in_a_record(flights: Path, tmp_path: Path) -> None:
    """The simplest good enough is marked and named; the record says the same with machine, command and data."""
    out = tmp_path / "record.json"
    done = asked("--data", flights, "--lead", "1h", "--candidate", "splines", "--candidate", "reference", "--out", out)
    record = json.loads(out.read_text())
    lead = record["leads"]["1h"]

    assert done.exit_code == 0
    assert record["complete"] is True
    assert record["months"] == {"judged": [5, 6, 7, 8, 9], "calibrating": [4]}
    assert record["command"].endswith("--data some.csv --lead 1h --candidate splines --candidate reference")
    assert {"python", "scikit-learn", "lightgbm"} <= set(record["libraries"])
    assert [c["name"] for c in lead["candidates"]] == ["reference", "splines"]
    assert lead["chosen"] == lead["best"] == "splines"
    assert "splines *" in done.stdout
    assert "the simplest within one standard error of the best (splines) is splines" in done.stdout
    assert "was not compared with a candidate that has interactions" in done.stdout
    assert max(map(len, done.stdout.split("the simplest")[0].splitlines())) <= 80
    assert f"{lead['candidates'][1]['log_loss']['value']:.4f}".lstrip("0") in done.stdout


def test_json_is_one_object_on_standard_output(flights: Path) -> None:
    """With the numbers of every candidate: log loss and distance with error and interval, AUC, skill, ECE, time."""
    done = asked("--data", flights, "--lead", "schedule", "--candidate", "reference", "--origin", "SCL", "--json")
    told = json.loads(done.stdout)
    (scored,) = told["leads"]["schedule"]["candidates"]

    assert "--origin SCL" in told["command"]
    assert scored["to_best"] == {"value": 0.0, "se": 0.0, "low": 0.0, "high": 0.0}
    assert scored["log_loss"]["low"] < scored["log_loss"]["value"] < scored["log_loss"]["high"]
    assert 0.45 < scored["auc"] < 0.8
    assert {"brier_skill", "ece", "fit_cpu_s", "log_loss_raw", "additive"} <= set(scored)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compare", "--candidate", "forest"], "no candidate is called 'forest'"),
        (["--compare", "--sign-key", "k"], "leave out --sign-key"),
        (["--compare", "--out", "."], "is a folder"),
        (["--compare", "--out", "nowhere/r.json"], "no folder nowhere"),
        (["--lead", "1h", "--out", "m"], "belong to --compare"),
        (["--candidate", "pairs", "--out", "m"], "belong to --compare"),
        ([], "--out FOLDER"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_data_is_read(arguments: list[str], message: str) -> None:
    """The file named does not exist, and that is not what is complained of."""
    with pytest.raises(SettingsError, match=message):
        CliRunner().invoke(train, [*arguments, "--data", "none.csv"], catch_exceptions=False)


def test_a_record_is_not_overwritten_unasked(tmp_path: Path) -> None:
    """What stands there stays, unless --replace is said."""
    out = tmp_path / "record.json"
    out.write_text("mine")

    with pytest.raises(SettingsError, match="exists already"):
        asked("--data", "none.csv", "--out", out)
    assert out.read_text() == "mine"


def alive_in_group(group: int) -> list[str]:
    """Return the processes of a group that have not ended within two seconds; nobody may be there to bury them."""
    until = time.monotonic() + 2
    while True:
        listed = subprocess.run(["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True)
        rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
        alive = [row[-1] for row in rows if row[0] == str(group) and not row[1].startswith("Z")]
        if not alive or time.monotonic() > until:
            return alive
        time.sleep(0.05)


def test_ctrl_c_ends_all_processes_at_once_and_keeps_what_was_found(flights: Path, tmp_path: Path) -> None:
    """Interrupted as by a terminal: exit code 130, the finished lead shown and kept, no process left, no traceback."""
    out = tmp_path / "record.json"
    words = ["train", "--compare", "--data", str(flights), "--out", str(out)]
    words += [word for name in ("reference", "stumps", "CatBoost") for word in ("--candidate", name)]
    # a shell may have started this test run with Ctrl-C ignored
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "from atraso.cli.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        until = time.monotonic() + 240
        while not out.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert "interrupted" in stderr
    assert stdout.startswith("schedule: months 5, 6, 7, 8, 9")
    assert "Interrupted: what was done by then is shown." in stdout
    record = json.loads(out.read_text())
    assert record["complete"] is False
    assert "schedule" in record["leads"]
    assert len(record["leads"]) < 6
    assert not alive_in_group(process.pid)
