"""`atraso model`: look at artefacts and check them."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.group(epilog="Example: atraso model show")
def model() -> None:
    """Show, verify and list trained models (artefacts)."""


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
    """List the bundled artefact and those in FOLDER (an artefact a subfolder)."""
    import json

    from atraso.artefact.bundle import BUNDLED, MANIFEST, read_manifest
    from atraso.core.errors import ArtefactError

    folders = [BUNDLED]
    if folder is not None:
        if not folder.is_dir():
            raise ArtefactError(f"there is no folder {folder}")
        folders += sorted(p for p in folder.iterdir() if (p / MANIFEST).is_file())
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
