"""`atraso evaluate`: how good a model is on departures, at a lead."""

from __future__ import annotations

from pathlib import Path

import click

from atraso.core.leads import LEADS


@click.command(
    epilog="Example: atraso evaluate --data november.csv --history january-to-october.csv.gz --lead 1h --json"
)
@click.option("--source", type=click.Choice(["scl", "nyc"]), default="scl", show_default=True, help="Kind of data.")
@click.option("--data", metavar="FILE", help="Departures to be scored; they feed the state too, once they have left.")
@click.option("--history", metavar="FILE", help="Departures that feed the state and are never scored.")
@click.option("--lead", type=click.Choice([lead.name for lead in LEADS]), help="Ask this long before; default: all.")
@click.option("--no-schedule", is_flag=True, help="Withhold the published schedule (crowding, overdue flights).")
@click.option("--model", type=click.Path(path_type=Path), help="Folder of the artefact; default: the bundled one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (without --lead: one per lead inside).")
def evaluate(
    source: str,
    data: str | None,
    history: str | None,
    lead: str | None,
    no_schedule: bool,
    model: Path | None,
    as_json: bool,
) -> None:
    """Score a model on departures replayed in the order in which they happened.

    Scores are fractions; skill is against always saying the late rate of the training data; ECE has 15 bins of equal
    mass. Departures the model was trained on flatter it: it says so on standard error when the days overlap.
    """
    import json
    import sys

    from rich.console import Console

    from atraso.artefact.scorer import load_scorer
    from atraso.cli.show import bar, say, scores_table
    from atraso.core.keys import MINUTES_A_DAY
    from atraso.sources.registry import read
    from atraso.training.evaluate import evaluate as score
    from atraso.training.evaluate import judged
    from atraso.training.holidays import iso

    scorer = load_scorer(model)
    with bar("reading data") as progress:
        reading = read(source, data, progress)
    say(reading.summary())
    before = None
    if history is not None:
        with bar("reading history") as progress:
            before = read(source, history, progress)
        say(f"history: {before.summary()}")
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
        schedule=not no_schedule,
    )
    scores = {name: score(scorer, question, name) for name in ([lead] if lead else manifest.leads)}
    about = {"model": manifest.version, "schedule": not no_schedule, "training_base_rate": manifest.base_rate}
    if as_json:
        answer = {"lead": lead, **scores[lead], **about} if lead else {"leads": scores, **about}
        click.echo(json.dumps(answer))
        return
    shown = "without" if no_schedule else "with"
    Console(file=sys.stdout).print(scores_table(scores, f"model {manifest.version}, {shown} the published schedule"))
