"""`atraso model`: look at artefacts, check them, and copy them for other runtimes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atraso.cli.model_compare import compare
from atraso.core.leads import LEADS, SCHEDULE

if TYPE_CHECKING:
    from atraso.artefact.scorer import Scorer
    from atraso.artefact.store import Store
    from atraso.core.scorecard import Scorecard


@click.group(epilog="Example: atraso model show")
def model() -> None:
    """Show, verify, list, compare, export and change trained models (artefacts)."""


model.add_command(compare)


@model.command(epilog="Example: atraso model show my-model --json")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the whole manifest as JSON.")
def show(folder: Path | None, as_json: bool) -> None:
    """Show what an artefact says of itself; without FOLDER the bundled one."""
    import msgspec
    from rich.console import Console

    from atraso.artefact.bundle import BUNDLED, read_artefact
    from atraso.cli.show import scores_table

    manifest, _ = read_artefact(folder or BUNDLED)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(manifest), indent=2).decode())
        return
    console = Console(file=sys.stdout)
    rows = {
        "version": manifest.version,
        "airport": ", ".join(f"{a.icao} ({a.name})" for a in manifest.airports),
        "trained on": f"{manifest.n_departures:,} departures, {manifest.trained_from} to {manifest.trained_to}",
        "late rate": f"{manifest.base_rate:.1%} left more than 15 minutes late",
        "called delayed": f"from a probability of {manifest.decision_threshold:.3f} ({manifest.decision_reason})",
        "leads": ", ".join(manifest.leads),
        "holidays known": f"{manifest.calendar_from} to {manifest.calendar_to}",
        "features": manifest.feature_fingerprint,
        "training data": manifest.training_data,
        "checksum": manifest.checksum,
        "created": manifest.created_at,
        "made with": ", ".join(f"{name} {v}" for name, v in manifest.libraries.items()),
    }
    for name, value in rows.items():
        console.print(f"{name:<15} {value}", highlight=False, soft_wrap=True)
    console.print(scores_table(manifest.scores, manifest.scores_note))


@model.command(epilog="Example: atraso model card --rolling rolling.json --out docs/model-card.md")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--rolling",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What `atraso evaluate --rolling 5:12 --json` printed.",
)
@click.option(
    "--comparison",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Record of `atraso train --compare --out FILE`.",
)
@click.option(
    "--without-schedule",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What the same command printed with --no-schedule.",
)
@click.option(
    "--beside",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Manifest of a model of another airport, to stand beside (repeatable).",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Markdown file; its diagram, NAME-reliability.svg, goes beside it.",
)
@click.option("--replace", is_flag=True, help="Overwrite a card that is already there.")
def card(
    folder: Path | None,
    rolling: Path,
    comparison: Path | None,
    without_schedule: Path | None,
    beside: tuple[Path, ...],
    out: Path,
    replace: bool,
) -> None:
    """Write the model card of FOLDER, or of the bundled artefact, from its manifest and the records of its scores.

    The card says what the model learnt from, how good it was on months it had not seen, by month and by airline, where
    it fails, and what the usual mistakes would have claimed. A record of other departures than the model's is refused.
    """
    from atraso.artefact.bundle import BUNDLED, read_artefact
    from atraso.cli.outputs import STANDARD_OUTPUT, written_whole
    from atraso.core.errors import SettingsError
    from atraso.training.card_records import read_records
    from atraso.training.reliability_diagram import diagram_of, reliability_svg
    from atraso.training.report import model_card

    if str(out) == STANDARD_OUTPUT:
        raise SettingsError("a card has a diagram beside it: --out needs a file")
    diagram = diagram_of(out)
    taken = [str(path) for path in (out, diagram) if path.exists()]
    if taken and not replace:
        raise SettingsError(f"{taken[0]} exists already: choose another place, or say --replace")
    if not out.parent.is_dir():
        raise SettingsError(f"the card cannot be written: there is no folder {out.parent}")
    manifest, _ = read_artefact(folder or BUNDLED)
    records = read_records(manifest, rolling, without_schedule, comparison, beside)
    for path, text in (
        (out, model_card(manifest, records, diagram.name)),
        (diagram, reliability_svg(records.rolling)),
    ):
        with written_whole(str(path)) as stream:
            stream.write(text.encode())
    click.echo(f"card of {manifest.version} in {out}, diagram in {diagram}")


@model.command(epilog="Example: atraso model verify my-model")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), help="Ed25519 public key (PEM) it must be signed by.")
def verify(folder: Path | None, key: Path | None) -> None:
    """Check checksums, format, features, signature (with --key) and golden answers; exit code 2 where refused."""
    from atraso.artefact.scorer import load_scorer

    manifest = load_scorer(folder, verify_key=key).manifest
    signed = f", signed by {key}" if key else ""
    click.echo(f"good: {manifest.version}, {len(manifest.golden)} golden answers given exactly{signed}")


@model.command("list", epilog="Example: atraso model list models")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def list_models(folder: Path | None, as_json: bool) -> None:
    """List the bundled artefact and those in FOLDER (an artefact a subfolder), or in the data folder."""
    import json

    from atraso.artefact.bundle import BUNDLED, MANIFEST, read_manifest
    from atraso.core.errors import ArtefactError

    if folder is not None and not folder.is_dir():
        raise ArtefactError(f"there is no folder {folder}")
    folder = folder or _store_and_key()[0].folder
    folders = [BUNDLED]
    if folder.is_dir():
        folders += sorted(p for p in folder.iterdir() if (p / MANIFEST).is_file() and not p.name.startswith("."))
    rows = []
    for place in folders:
        row = {"folder": "bundled" if place == BUNDLED else str(place)}
        try:
            m = read_manifest(place)
            row |= {
                "version": m.version,
                "airport": m.airport,
                "trained_to": m.trained_to,
                "created_at": m.created_at,
            }
        except ArtefactError as error:
            row |= {"refused": str(error)}
        rows.append(row)
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        facts = (
            f"refused: {row['refused']}"
            if "refused" in row
            else f"{row['version']}  {row['airport']}  to {row['trained_to']}"
        )
        click.echo(f"{row['folder']}  {facts}")


@model.command(epilog="Example: atraso model add my-model")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), metavar="FOLDER", help="Data folder.  [default: ATRASO_DATA]")
@click.option("--key", type=click.Path(path_type=Path), help="Key it must be signed by.  [default: the service's]")
def add(folder: Path, data: Path | None, key: Path | None) -> None:
    """Check the artefact in FOLDER and copy it into the data folder, so that it is at hand by its version."""
    store, verify_key = _store_and_key(data)
    manifest = store.add(folder, verify_key=key or verify_key)
    click.echo(f"{manifest.version} is at hand in {store.folder}; use it: atraso model activate {manifest.version}")


@model.command(epilog="Example: atraso model activate 2017.1+c68a5c")
@click.argument("version")
@click.option("--data", type=click.Path(path_type=Path), metavar="FOLDER", help="Data folder.  [default: ATRASO_DATA]")
@click.option("--key", type=click.Path(path_type=Path), help="Key it must be signed by.  [default: the service's]")
def activate(version: str, data: Path | None, key: Path | None) -> None:
    """Say that the model of VERSION is to be used: the bundled one, or one that `atraso model add` brought.

    A service that runs on the same data folder takes it within a second or two, in one step and without failing a
    request; one that is refused leaves the old one answering (`/health/ready` says why). A service that was started
    with --model stays with that folder.
    """
    store, verify_key = _store_and_key(data)
    manifest = store.activate(version, verify_key=key or verify_key)
    click.echo(f"{manifest.version} ({manifest.airport}) is the model to use in {store.folder}")


def _store_and_key(data: Path | None = None) -> tuple[Store, Path | None]:
    """Return the models at hand, and the key that a service with these settings asks to have signed them."""
    import os

    from atraso.bootstrap import model_store
    from atraso.settings import load_settings

    settings = load_settings(os.environ, flags={} if data is None else {"data": data})
    return model_store(settings), settings.model_verify_key


@model.command(epilog="Example: atraso model export --format onnx --out my-model-onnx")
@click.option("--format", "form", type=click.Choice(["onnx"]), default="onnx", show_default=True, help="Kind of copy.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="A folder, for a file per scorecard; or a file ending in .onnx, for one.",
)
@click.option(
    "--model", "folder", type=click.Path(path_type=Path), help="Folder of the artefact; default: the bundled one."
)
@click.option(
    "--lead",
    type=click.Choice([lead.name for lead in LEADS]),
    help=f"Only this lead; default: all, in a file {SCHEDULE.name}.",
)
@click.option(
    "--schedule/--no-schedule",
    "schedule",
    default=None,
    help="Only with, or without, the published schedule; default: both, in a file without.",
)
@click.option("--replace", is_flag=True, help="Replace a file or a folder of copies, as a whole.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def export(
    form: str, out: Path, folder: Path | None, lead: str | None, schedule: bool | None, replace: bool, as_json: bool
) -> None:
    """Write a copy of the scorecards for other runtimes, proved equal to the model.

    A copy takes features and gives probabilities and quantiles; how to come by the features is in docs/05-artefact.md.
    Before it is kept, each copy answers random rows, missing values among them, and is refused where an answer differs
    from the model's. Needs the extra 'train'.
    """
    import json
    from dataclasses import asdict

    from atraso.artefact.export import ENDING, export_onnx
    from atraso.artefact.scorer import load_scorer
    from atraso.cli.show import bar, say

    scorer = load_scorer(folder)
    if out.suffix == ENDING:
        lead, schedule = lead or SCHEDULE.name, bool(schedule)
    cards = _chosen(scorer, lead, schedule)
    with bar("proving copies") as progress:
        copies = export_onnx(scorer, cards, out, replace=replace, progress=progress)
    version = scorer.manifest.version
    if len(copies) < len(scorer.scorecards):
        say(
            f"note: {len(copies)} of the {len(scorer.scorecards)} scorecards of {version}; "
            "for all of them give a folder and neither --lead nor --schedule"
        )
    if as_json:
        told = {"model": version, "checksum": scorer.manifest.checksum, "format": form, "out": str(out)}
        click.echo(json.dumps({**told, "copies": [asdict(copy) for copy in copies]}))
        return
    for copy in copies:
        known = "with" if copy.schedule else "without"
        click.echo(f"{copy.file}: lead {copy.lead}, {known} the published schedule, {copy.features} features")
    worst = {name: max(copy.largest_difference[name] for copy in copies) for name in copies[0].largest_difference}
    click.echo(
        f"model {version} in {out}; largest difference from it in {copies[0].rows:,} random rows a file: "
        f"{worst['exceeds']:.0e} in probability, {worst['log_odds']:.0e} in log-odds, {worst['minutes']:.0e} minutes"
    )


def _chosen(scorer: Scorer, lead: str | None, schedule: bool | None) -> list[Scorecard]:
    from atraso.core.errors import SettingsError

    cards = [
        card for card in scorer.scorecards.values() if lead in (None, card.lead) and schedule in (None, card.schedule)
    ]
    if not cards:
        raise SettingsError(f"the model {scorer.manifest.version} has no such scorecard: choose another --lead")
    return cards
