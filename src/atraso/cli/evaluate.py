"""`atraso evaluate`: how good a model is on departures, at a lead."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atraso.core.errors import SettingsError
from atraso.core.leads import LEAD_BY_NAME, LEADS
from atraso.sources import SOURCES

if TYPE_CHECKING:
    from rich.console import RenderableType

    from atraso.artefact.scorer import Scorer
    from atraso.sources.reading import Reading


@click.command(
    epilog="Example: atraso evaluate --data november.csv --history january-to-october.csv.gz --lead 1h --json"
)
@click.option("--source", type=click.Choice(SOURCES), default="scl", show_default=True, help="Kind of data.")
@click.option("--data", metavar="FILE", help="Departures to be scored; they feed the state too, once they have left.")
@click.option("--origin", metavar="CODES", help="Only departures from these airports, such as EWR,JFK; default: all.")
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
    origin: str | None,
    history: str | None,
    lead: str | None,
    no_schedule: bool,
    model: Path | None,
    rolling: str | None,
    rejects: Path | None,
    as_json: bool,
) -> None:
    """Score a model on departures replayed in the order in which they happened.

    Scores are fractions; skill is against always saying the late rate of the training data, CRPS (minutes) and its
    skill against always giving the training data's delays; ECE has 15 bins of equal mass; the band is the share of
    delays inside the predicted 10 to 90 %. Departures the model was trained on flatter it: it says so on standard error
    when the days overlap. An AUC of 0.80 or more raises an alarm there: a leak until shown otherwise.

    With --rolling no artefact is judged but the recipe: every month is predicted by a model trained, exactly as
    `atraso train` does, on the months before it. That takes a minute or two a month for all leads, in two
    processes. Beside it stand how
    much better each lead is than the one before (same departures, same days resampled), and what a random split of the
    rows would have claimed.
    """
    import json
    import sys

    from rich.console import Console

    from atraso.cli.show import read_shown, say, scores_table
    from atraso.core.scores import leak_alarms
    from atraso.sources.airports import origins_of

    if history is not None and rejects is not None and Path(history).resolve() == rejects.resolve():
        raise SettingsError(f"--rejects {rejects} names the file that is read; choose another")
    if data == history == "-":
        raise SettingsError("standard input can be read once: give --data or --history as a file")
    origins = origins_of(origin)
    about: dict[str, object]
    if rolling is not None:
        from atraso.training.comparison_record import about_run

        if history is not None or model is not None:
            raise SettingsError("--rolling learns from --data alone: leave out --history and --model")
        months = _months(rolling)
        reading = read_shown(source, data, rejects, origins)
        scores, about, beside = _roll(reading, months, [lead] if lead else list(LEAD_BY_NAME), schedule=not no_schedule)
        about["rolling"] = rolling
        about |= about_run(_command(source, data, origin, lead, rolling, schedule=not no_schedule), source, reading)
        title = f"months {rolling}, each predicted from those before it"
    else:
        from atraso.artefact.scorer import load_scorer

        manifest = (scorer := load_scorer(model)).manifest
        reading = read_shown(source, data, rejects, origins)
        before = read_shown(source, history, origins=origins) if history is not None else None
        scores = _judge(scorer, reading, before, [lead] if lead else manifest.leads, schedule=not no_schedule)
        about = {
            "model": manifest.version,
            "schedule": not no_schedule,
            "training_base_rate": manifest.base_rate,
        }
        title = f"model {manifest.version}"
        beside = []
    alarms = leak_alarms(scores)
    for alarm in alarms:
        say(f"ALARM: {alarm}")
    if as_json:
        from atraso.training.comparison_record import without_nan

        about["alarms"] = alarms
        answer = {"lead": lead, **scores[lead], **about} if lead else {"leads": scores, **about}
        click.echo(json.dumps(without_nan(answer), allow_nan=False))
        return
    shown = "without" if no_schedule else "with"
    console = Console(file=sys.stdout, highlight=False)
    console.print(scores_table(scores, f"{title}; {shown} the published schedule"))
    for part in beside:
        console.print(part)


def _roll(
    reading: Reading, months: list[int], leads: list[str], *, schedule: bool
) -> tuple[dict[str, dict[str, Any]], dict[str, object], list[RenderableType]]:
    """Return the scores of each lead, what stands beside them in the JSON, and what is printed beside the table."""
    from atraso.cli.show import bar, difference_lines, random_split_table
    from atraso.training.breakdown import breakdown
    from atraso.training.crew import PROCESSES
    from atraso.training.holidays import days_off_for
    from atraso.training.random_split import WARNING, random_split
    from atraso.training.rolling import roll, scores_and_differences

    flown, unflown = reading.departures, reading.unflown
    calendar = days_off_for(flown.flights)
    cards = [(name, schedule) for name in leads]
    with bar("rolling over the months") as progress:
        rolled = roll(flown, unflown, calendar, months, cards=cards, processes=PROCESSES, progress=progress)
    by_lead = {name: predictions for (name, _), predictions in rolled.items()}
    pooled, paired = scores_and_differences(by_lead)
    with bar("splitting at random") as progress:
        drawn = random_split(flown, unflown, calendar, leads, schedule=schedule, progress=progress)
    about: dict[str, object] = {
        "schedule": schedule,
        "paired": paired,
        "random_split": {"warning": WARNING, "leads": drawn},
    }
    beside: list[RenderableType] = [*difference_lines(paired), random_split_table(drawn, pooled, WARNING)]
    return {name: {**pooled[name], **breakdown(by_lead[name])} for name in leads}, about, beside


def _command(
    source: str, data: str | None, origin: str | None, lead: str | None, rolling: str, *, schedule: bool
) -> str:
    import shlex

    words = ["atraso", "evaluate", "--source", source]
    words += ["--data", Path(data).name] if data else []
    words += ["--origin", origin] if origin else []
    words += ["--lead", lead] if lead else []
    return shlex.join([*words, "--rolling", rolling, *([] if schedule else ["--no-schedule"]), "--json"])


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
