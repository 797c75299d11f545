"""The long commands at full size: a year of flights answered, and a model trained twice."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import ROOT, clean_environment
from tests.drill.figures import show, tell
from tests.drill.service import ATRASO
from tests.flights_at_hand import scl_file

PREDICT_S = 20.0
TRAIN_S = 300.0
TRAIN_GB = 4.0


@dataclass(frozen=True)
class Done:
    """A command that ended with exit code 0: its wall time, greatest memory and standard output."""

    took_s: float
    peak_gb: float
    output: str


def test_a_year_of_flights_is_answered_in_seconds(tmp_path: Path) -> None:
    """`atraso predict` answers the SCL file in under 20 s, every row in its place."""
    path, real = scl_file()
    out = tmp_path / "answers.csv"

    done = _run("predict", str(path), "-o", str(out))

    asked = _flight_numbers(path, "Vlo-I")
    answered = _flight_numbers(out, "flight_number")
    rejected = _rows(out.with_suffix(".rejects.csv"))
    assert len(answered) + rejected == len(asked)
    assert rejected or answered == asked
    tell("rows that atraso predict rejected", rejected, "rows")
    tell("memory of atraso predict", done.peak_gb, "GB")
    name = f"atraso predict of {len(asked):,} {_kind(real)} flights"
    show(name, done.took_s, "s", at_most=PREDICT_S)


def test_training_twice_gives_the_same_model_in_time(tmp_path: Path) -> None:
    """`atraso train` ends within 5 minutes and 4 GB, and twice in a row writes the same checksum."""
    path, real = scl_file()

    checksums = []
    for n in ("one", "two"):
        done = _run("train", "--source", "scl", "--data", str(path), "--out", str(tmp_path / n), "--json")
        checksums.append(json.loads(done.output)["checksum"])
        show(f"atraso train on {_kind(real)} flights, run {n}", done.took_s, "s", at_most=TRAIN_S)
        show(f"memory of atraso train, run {n}", done.peak_gb, "GB", at_most=TRAIN_GB)

    show("checksums of training twice", len(set(checksums)), "different", at_most=1)


def _kind(real: bool) -> str:
    return "real" if real else "generated"


def _run(*words: str) -> Done:
    """Run `atraso` with *words* and wait for it, with what it used."""
    began = time.monotonic()
    # Not `run`: only wait4 tells the resources of this one child.
    with subprocess.Popen(
        [str(ATRASO), *words], cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    took_s = time.monotonic() - began
    assert child.returncode == 0
    return Done(took_s, usage.ru_maxrss * 1024 / 1e9, output)


def _flight_numbers(path: Path, column: str) -> list[str]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return [row[column] for row in csv.DictReader(text.splitlines())]


def _rows(path: Path) -> int:
    return len(path.read_text().splitlines()) - 1 if path.is_file() else 0
