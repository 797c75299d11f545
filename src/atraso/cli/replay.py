"""`atraso replay`: the proof that the service and the training are the same thing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atraso.sources import SOURCES

if TYPE_CHECKING:
    from atraso.bootstrap.day_replay import Days, Replayed
    from atraso.sources.reading import Reading

# The ledger is waited for until it has all answers.
STORED_WITHIN_S = 60.0
ALL_DAYS = 36_500
LONGEST_SILENCE_MINUTES = 7 * 24 * 60

EXAMPLE = """\b
Example:
  atraso replay --data scl_2017.csv.gz --from 2017-11-01 --to 2017-11-03 --speed max --json

\b
Exit codes: 0 the service says what `atraso evaluate` says; 1 it differs by more than 0.000001, or
every answer of a lead fell back to the schedule;
2 the data, an option or the service cannot be used; 130 interrupted.
"""


@click.command(epilog=EXAMPLE)
@click.option("--source", type=click.Choice(SOURCES), default="scl", show_default=True, help="Kind of data.")
@click.option("--data", metavar="FILE", help="Departures; those before --from are told to the service beforehand.")
@click.option("--origin", metavar="CODES", help="Only departures from these airports, such as EWR,JFK; default: all.")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), required=True, help="First day.")
@click.option("--to", "end", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The day after the last.")
@click.option("--speed", default="max", show_default=True, metavar="N|max", help="How many times as fast as it was.")
@click.option("--url", metavar="URL", help="A service that runs, with a ledger that may be filled; default: one's own.")
@click.option("--model", type=click.Path(path_type=Path), help="Folder of the artefact; default: the bundled one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def replay(
    source: str,
    data: str | None,
    origin: str | None,
    first: datetime,
    end: datetime,
    speed: str,
    url: str | None,
    model: Path | None,
    as_json: bool,
) -> None:
    """Send real days through the API as they happened, and compare each answer with `atraso evaluate`.

    An answer that fell back to the schedule and says so in a warning is counted, and not compared.

    The schedule is told first; then every flight is asked about at every lead, and each departure is reported when it
    left, in the order of time. Without --url a service is started for it, with a ledger that is thrown away. At the end
    the scores by lead are shown: of one's own service as its ledger sees them, with --url of its answers. A service
    that asks who calls is given the key in ATRASO_KEY, which needs the roles predict and report.
    """
    import json

    from atraso.artefact.scorer import load_scorer
    from atraso.bootstrap.day_replay import Client, replay_days
    from atraso.cli.show import bar, read_shown
    from atraso.core.errors import SettingsError
    from atraso.core.flights import local_minutes
    from atraso.sources.airports import origins_of

    pace = _pace(speed)
    if end <= first:
        raise SettingsError("--to is the day after the last one: it must be later than --from.")
    scorer = load_scorer(model)
    reading = read_shown(source, data, origins=origins_of(origin))
    days = _days(reading, local_minutes(first), local_minutes(end))
    with contextlib.ExitStack() as opened:
        scores = None
        if url is None:
            url, scores = opened.enter_context(_own_service(model))
        client = opened.enter_context(contextlib.closing(Client(url, os.environ.get("ATRASO_KEY"))))
        told = client.get("/v1/model")["version"]
        if told != scorer.manifest.version:
            raise SettingsError(f"{url} answers with model {told}, not {scorer.manifest.version}: name it by --model.")
        with bar("replaying") as progress:
            result = replay_days(client, scorer, days, pace, progress)
        leads = scores(result.answers) if scores else result.scores
    if as_json:
        about = {
            "model": scorer.manifest.version,
            "from": f"{first:%Y-%m-%d}",
            "to": f"{end:%Y-%m-%d}",
            "scores_from": "ledger" if scores else "answers",
        }
        click.echo(json.dumps(_json(result, leads, about)))
    else:
        _show(result, leads, "as the ledger sees it" if scores else "of the service's answers")
    if not result.equal:
        raise SystemExit(1)


def _pace(speed: str) -> float | None:
    """Return how many times as fast, None for as fast as the service answers."""
    from atraso.core.errors import SettingsError

    if speed == "max":
        return None
    try:
        pace = float(speed)
    except ValueError:
        pace = 0.0
    if not 0.0 < pace < float("inf"):
        raise SettingsError(f"--speed {speed!r} is neither max nor how many times as fast as it was, such as 600.")
    return pace


def _days(reading: Reading, first: int, end: int) -> Days:
    """Return the days to replay; raises SettingsError where the data cannot answer for them."""
    from atraso.bootstrap.day_replay import Days
    from atraso.core.errors import SettingsError
    from atraso.core.keys import MINUTES_A_DAY
    from atraso.serving.airport_state import KNOWN_FOR_DAYS

    days = Days.between(first, end, reading.departures, reading.unflown)
    if not len(days.data):
        raise SettingsError("the data has no departure between --from and --to.")
    known = first - int(reading.departures.flights.scheduled_local.min())
    needed = KNOWN_FOR_DAYS + 2  # the first questions are asked the day before
    if known < needed * MINUTES_A_DAY:
        raise SettingsError(
            f"the data begins {known / MINUTES_A_DAY:.1f} days before --from: a service answers live once departures "
            f"are known for {KNOWN_FOR_DAYS} days, so {needed} days are needed before."
        )
    return days


@contextlib.contextmanager
def _own_service(model: Path | None) -> Iterator[tuple[str, Callable[[int], dict[str, Any]]]]:
    """Run a service with a throwaway ledger; give its address, and what returns the scores of so many answers."""
    import tempfile
    import time

    import msgspec

    from atraso.ledger.database import ledger_url
    from atraso.ledger.quality import judge_ledger
    from atraso.ledger.quality_rows import Window
    from atraso.stress.services import launched_with

    with tempfile.TemporaryDirectory(prefix="atraso-replay-") as folder:
        variables = {"ATRASO_DATA": folder, "ATRASO_LEDGER": "spool", "ATRASO_AUTH": "none"}
        # A day that is missing in the data is not a feed that has fallen silent.
        variables["ATRASO_STATE_STALE_MINUTES"] = str(LONGEST_SILENCE_MINUTES)
        if model is not None:
            variables["ATRASO_MODEL"] = str(model.absolute())
        with launched_with(variables, "of the replay") as ready:
            service = ready()

            def scores(answers: int) -> dict[str, Any]:
                url = ledger_url(Path(folder), None)
                until = time.monotonic() + STORED_WITHIN_S
                while True:
                    found = judge_ledger(url, Window(int(time.time()), ALL_DAYS, None, None), None)
                    counts = found.counts
                    stored = counts.judged + counts.waiting + counts.without_departure + counts.already_left
                    if stored + counts.cancelled >= answers or time.monotonic() > until:
                        return {lead: msgspec.to_builtins(of_lead) for lead, of_lead in found.leads.items()}
                    time.sleep(0.5)

            yield f"http://127.0.0.1:{service.port}", scores


def _json(result: Replayed, leads: Mapping[str, Any], about: Mapping[str, object]) -> dict[str, object]:
    shown = ("n", "delayed", "brier_score", "brier_skill", "auc", "ece")
    return {
        **about,
        "n": result.flights,
        "predictions": result.answers,
        "max_abs_difference": result.max_abs_difference,
        "equal": result.equal,
        "seconds": result.seconds,
        "basis": result.bases,
        "fell_back": result.fell_back,
        "compared": result.answers - result.fell_back,
        "leads": {
            lead: {name: scores[name] for name in shown} | {"max_abs_difference": result.by_lead[lead]}
            for lead, scores in leads.items()
        },
    }


def _show(result: Replayed, leads: Mapping[str, Any], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from atraso.bootstrap.day_replay import EQUAL_WITHIN

    table = Table("lead", "flights", "Brier", "skill", "AUC", "ECE", "largest difference", title=title)
    for lead, scores in leads.items():
        skill, auc = scores["brier_skill"], scores["auc"]
        table.add_row(
            lead,
            f"{scores['n']:,}",
            f"{scores['brier_score']:.4f}",
            "" if skill is None else f"{skill:.1%}",
            "" if auc is None else f"{auc:.3f}",
            f"{scores['ece']:.4f}",
            "-" if (difference := result.by_lead[lead]) is None else f"{difference:.1e}",
        )
    Console().print(table)
    if result.fell_back:
        click.echo(
            f"{result.fell_back:,} answers fell back to the schedule and are not compared: no departure was known for "
            "longer than ATRASO_STATE_STALE_MINUTES of that service, or for less than a week before; each says so in a "
            "warning"
        )
    verdict = "the service says what evaluate says" if result.equal else "THE SERVICE DIFFERS FROM EVALUATE"
    if result.unproved and result.max_abs_difference <= EQUAL_WITHIN:
        verdict = f"NOTHING IS PROVED at {', '.join(result.unproved)}, where every answer fell back"
    click.echo(
        f"{verdict}: {result.answers - result.fell_back:,} answers compared of {result.answers:,} about "
        f"{result.flights:,} flights, largest difference in probability {result.max_abs_difference:.1e}; "
        f"{result.seconds:.0f} s"
    )
