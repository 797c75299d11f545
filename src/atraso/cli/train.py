"""`atraso train`: from departures to an artefact."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command(epilog="Example: atraso train --source scl --data scl_2017.csv.gz --out my-model")
@click.option("--source", type=click.Choice(["scl", "nyc"]), default="scl", show_default=True, help="Kind of data.")
@click.option("--data", metavar="FILE", help="The departures: a .csv or .csv.gz, or - for standard input (scl).")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write the artefact to.")
@click.option("--replace", is_flag=True, help="Overwrite an artefact that is already there.")
@click.option(
    "--sign-key", type=click.Path(path_type=Path), help="Ed25519 private key (PEM) to sign the artefact with."
)
@click.option(
    "--rejects", type=click.Path(path_type=Path), help="Report of rows not used; default: NAME.rejects.csv here."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def train(
    source: str, data: str | None, out: Path, replace: bool, sign_key: Path | None, rejects: Path | None, as_json: bool
) -> None:
    """Train a model on real departures and write it as an artefact.

    Prints how the model does on the last months by a split in time. The same data and library versions write the
    same checksum, bit for bit.
    """
    import json

    from rich.console import Console

    from atraso.artefact.bundle import check_destination, read_artefact, read_signing_key, write_artefact
    from atraso.cli.show import bar, read_shown, scores_table
    from atraso.training.holidays import days_off_for
    from atraso.training.package import pack
    from atraso.training.pipeline import train as fit

    check_destination(out, replace=replace)
    if sign_key is not None:
        read_signing_key(sign_key)
    reading = read_shown(source, data, rejects)
    calendar = days_off_for(reading.departures.flights)
    with bar("training") as progress:
        trained = fit(reading.departures, reading.unflown, calendar, progress)
    manifest = write_artefact(out, *pack(reading, trained, calendar), signing_key=sign_key)
    read_artefact(out)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "artefact": str(out),
                    "version": manifest.version,
                    "checksum": manifest.checksum,
                    "scores": manifest.scores,
                }
            )
        )
        return
    console = Console(file=sys.stdout)
    console.print(scores_table(manifest.scores, manifest.scores_note))
    console.print(f"artefact {manifest.version} in {out}\nchecksum {manifest.checksum}", highlight=False)
