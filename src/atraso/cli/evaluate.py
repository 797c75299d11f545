"""`atraso evaluate`: how good a model is on departures, at a lead."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atraso.core.errors import SettingsError
from atraso.core.leads import LEAD_BY_NAME, LEADS

if TYPE_CHECKING:
    from atraso.artefact.scorer import Scorer
    from atraso.sources.reading import Reading


@click.command(
    epilog="Example: atraso evaluate --data november.csv --history january-to-october.csv.gz --lead 1h --json"
)
@click.option("--source", type=click.Choice(["scl", "nyc"]), default="scl", show_default=True, help="Kind of data.")
@click.option("--data", metavar="FILE", help="Departures to be scored; they feed the state too, once they have left.")
@click.option("--history", metavar="FILE", help="Departures that feed the state and are never scored.")
@click.option("--lead", type=click.Choice([lead.name for lead in LEADS]), help="Ask this long before; default: all.")
@click.option("--no-schedule", is_flag=True, help="Withhold the published schedule (crowding, overdue flights).")
@click.option("--model", type=click.Path(path_type=Path), help="Folder of the artefact; default: the bundled one.")
@click.option("--rolling", metavar="FROM:TO", help="Months (5:12), each predicted by a model of the months before it.")
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    help="Report of rows of --data not used; default: NAME.rejects.csv here.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (without --lead: one per lead inside).")
def evaluate(
    source: str,
    data: str | None,
    history: str | None,
    lead: str | None,
    no_schedule: bool,
    model: Path | None,
    rolling: str | None,
    rejects: Path | None,
    as_json: bool,
) -> None:
    """Score a model on departures replayed in the order in which they happened.

    Scores are fractions; skill is against always saying the late rate of the training data; ECE has 15 bins of equal
    mass. Departures the model was trained on flatter it: it says so on standard error when the days overlap.

    With --rolling no artefact is judged but the recipe: every month is predicted by a model trained, exactly as
    `atraso train` does, on the months before it. That takes about a minute a month for all leads.
    """
    import json
    import sys

    from rich.console import Console

    from atraso.cli.show import bar, read_shown, scores_table

    if rolling is not None:
        if history is not None or model is not None:
            raise SettingsError("--rolling learns from --data alone: leave out --history and --model")
        months = _months(rolling)
        reading = read_shown(source, data, rejects)
        from atraso.training.holidays import days_off_for
        from atraso.training.rolling import roll, scores_of

        cards = [(name, not no_schedule) for name in ([lead] if lead else LEAD_BY_NAME)]
        with bar("rolling over the months") as progress:
            calendar = days_off_for(reading.departures.flights)
            rolled = roll(reading.departures, reading.unflown, calendar, months, cards=cards, progress=progress)
        scores = {name: scores_of(predictions) for (name, _), predictions in rolled.items()}
        about: dict[str, object] = {"rolling": rolling, "schedule": not no_schedule}
        title = f"months {rolling}, each predicted from those before it"
    else:
        from atraso.artefact.scorer import load_scorer

        manifest = (scorer := load_scorer(model)).manifest
        reading = read_shown(source, data, rejects)
        before = read_shown(source, history) if history is not None else None
        scores = _judge(scorer, reading, before, [lead] if lead else manifest.leads, schedule=not no_schedule)
        about = {
            "model": manifest.version,
            "schedule": not no_schedule,
            "training_base_rate": manifest.base_rate,
        }
        title = f"model {manifest.version}"
    if as_json:
        # a score that cannot be told (of one class only) is null: NaN is not JSON
        told = {name: {k: None if isnan(v) else v for k, v in s.items()} for name, s in scores.items()}
        answer = {"lead": lead, **told[lead], **about} if lead else {"leads": told, **about}
        click.echo(json.dumps(answer, allow_nan=False))
        return
    shown = "without" if no_schedule else "with"
    Console(file=sys.stdout).print(scores_table(scores, f"{title}; {shown} the published schedule"))


def _months(rolling: str) -> list[int]:
    first, _, last = rolling.partition(":")
    if not (first.isdigit() and last.isdigit() and 1 < int(first) <= int(last)):
        raise SettingsError(f"--rolling {rolling!r} is not two months such as 5:12; the first needs months before it")
    return list(range(int(first), int(last) + 1))


def _judge(
    scorer: Scorer, reading: Reading, before: Reading | None, leads: Iterable[str], *, schedule: bool
) -> dict[str, dict[str, float]]:
    from atraso.cli.show import say
    from atraso.core.keys import MINUTES_A_DAY
    from atraso.training.evaluate import evaluate as score
    from atraso.training.evaluate import judged
    from atraso.training.holidays import iso

    manifest = scorer.manifest
    days = reading.departures.flights.scheduled_local // MINUTES_A_DAY
    if len(days) and iso(days.min()) <= manifest.trained_to and iso(days.max()) >= manifest.trained_from:
        say(
            f"note: model {manifest.version} was trained on {manifest.trained_from} to {manifest.trained_to}; "
            "for days it has seen these scores flatter it"
        )
    question = judged(
        reading.departures,
        before.departures if before else None,
        [r.unflown for r in (reading, before) if r is not None and len(r.unflown)],
        schedule=schedule,
    )
    return {name: score(scorer, question, name) for name in leads}
