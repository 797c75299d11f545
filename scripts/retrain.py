"""Train on new departures, and say whether the model is better than the one in use: `python -m scripts.retrain FILE`.

The rule of the rolling origin: both are judged on the same departures, of months that neither has seen. The one in use
is judged as it is; the new recipe month by month, each predicted by a model trained on the months before it. It is
better when its Brier score is lower at the mean of all leads by `LEAST_GAIN`, and higher at no lead by more than that.
Then artefact, record and card are written anew. Exit codes: 0 better and written; 3 not better, or nothing to judge by.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from statistics import fmean

import click

from atraso.artefact.bundle import BUNDLED, read_manifest

DATE_COLUMN = "Fecha-I"  # of the SCL file: when the departure was scheduled
LEAST_GAIN = 0.0005
RECORD, CARD = Path("docs/records/rolling.json"), Path("docs/model-card.md")
NOT_BETTER = 3

Scores = Mapping[str, Mapping[str, float]]


def better(old: Scores, new: Scores) -> tuple[bool, str]:
    """Return whether *new* beats *old* by the rule, and a table that says why; raises ValueError for unlike scores."""
    if set(old) != set(new) or any(old[lead]["n"] != new[lead]["n"] for lead in old):
        raise ValueError("the two were not judged on the same departures at the same leads")
    gains = {lead: old[lead]["brier_score"] - new[lead]["brier_score"] for lead in old}
    wins = fmean(gains.values()) >= LEAST_GAIN and min(gains.values()) >= -LEAST_GAIN
    rows = [
        f"| {lead} | {old[lead]['n']:,.0f} | {was:.5f} | {was - gain:.5f} | {gain:+.5f} |"
        for lead, gain in gains.items()
        for was in (old[lead]["brier_score"],)
    ]
    head = ["| lead | departures | Brier score, in use | new | gain |", "| --- | ---: | ---: | ---: | ---: |"]
    verdict = "The new model is better." if wins else "The new model is not better."
    return wins, "\n".join([*head, *rows, "", verdict, ""])


def unseen_months(first: date, trained_to: date, last: date) -> range:
    """Return which months of the data neither model has seen, counted from January of its first year as 1.

    They begin after *trained_to*, the last day that the model in use learnt from; the data reaches from *first* to
    *last*, and a month that it does not cover to its third week is left out.
    """

    def number(day: date) -> int:
        return (day.year - first.year) * 12 + day.month

    return range(max(number(trained_to) + 1, number(first) + 1), number(last) + (1 if last.day > 20 else 0))


def split(content: str, trained_to: date, last: date) -> tuple[str, str]:
    """Return the rows of an SCL file up to the month of *trained_to*, and those up to the month of *last*, as files."""
    reader = csv.DictReader(io.StringIO(content))
    before, after = io.StringIO(), io.StringIO()
    files = [csv.DictWriter(file, reader.fieldnames or []) for file in (before, after)]
    for file in files:
        file.writeheader()
    for row in reader:
        month = row[DATE_COLUMN][:7]
        if month <= f"{last:%Y-%m}":
            files[month > f"{trained_to:%Y-%m}"].writerow(row)
    return before.getvalue(), after.getvalue()


def atraso(*words: str | Path) -> str:
    """Return what a command of this project prints; its progress and warnings go where ours go."""
    command = [sys.executable, "-m", "atraso", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own command


@click.command()
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--summary", type=click.Path(path_type=Path), help="Write the comparison here, in Markdown.")
def main(data: Path, summary: Path | None) -> None:
    """Compare a model of the SCL departures in DATA with the bundled one; put it in its place when it is better."""
    raw = data.read_bytes()
    content = (gzip.decompress(raw) if data.suffix == ".gz" else raw).decode("utf-8")
    days = sorted({row[DATE_COLUMN][:10] for row in csv.DictReader(io.StringIO(content))})
    trained_to = date.fromisoformat(read_manifest(BUNDLED).trained_to)
    first = date.fromisoformat(days[0])
    months = unseen_months(first, trained_to, date.fromisoformat(days[-1]))
    if not months:
        told = f"The departures end on {days[-1]}; the model in use learnt up to {trained_to}: nothing to judge by.\n"
        wins = False
    else:
        year, month = divmod(months.stop - 2, 12)
        last = date(first.year + year, month + 1, 1)
        with tempfile.TemporaryDirectory() as folder:
            history, fresh = Path(folder) / "history.csv", Path(folder) / "fresh.csv"
            for path, text in zip((history, fresh), split(content, trained_to, last), strict=True):
                path.write_text(text, "utf-8")
            old = json.loads(atraso("evaluate", "--data", fresh, "--history", history, "--json"))
            rolling = atraso("evaluate", "--data", data, "--rolling", f"{months.start}:{months.stop - 1}", "--json")
        wins, told = better(old["leads"], json.loads(rolling)["leads"])
        if wins:
            RECORD.write_text(rolling, "utf-8")
            atraso("train", "--data", data, "--out", BUNDLED, "--replace")
            atraso("model", "card", "--rolling", RECORD, "--out", CARD, "--replace")
    click.echo(told)
    if summary:
        summary.write_text(told, "utf-8")
    sys.exit(0 if wins else NOT_BETTER)


if __name__ == "__main__":
    main()
