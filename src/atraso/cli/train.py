"""`atraso train`: from departures to an artefact."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from atraso.core.errors import SettingsError
from atraso.core.leads import LEAD_BY_NAME
from atraso.sources import SOURCES


@click.command(epilog="Example: atraso train --source scl --data scl_2017.csv.gz --out my-model")
@click.option("--source", type=click.Choice(SOURCES), default="scl", show_default=True, help="Kind of data.")
@click.option("--data", metavar="FILE", help="The departures: .csv, .csv.gz or .zip, or - for standard input.")
@click.option("--origin", metavar="CODES", help="Only departures from these airports, such as EWR,JFK; default: all.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the artefact; --compare: file for the record.")
@click.option("--replace", is_flag=True, help="Overwrite an artefact (or a record) that is already there.")
@click.option(
    "--sign-key", type=click.Path(path_type=Path), help="Ed25519 private key (PEM) to sign the artefact with."
)
@click.option(
    "--rejects", type=click.Path(path_type=Path), help="Report of rows not used; default: NAME.rejects.csv here."
)
@click.option("--compare", is_flag=True, help="Train nothing: compare candidates on the months before the last ones.")
@click.option("--lead", type=click.Choice(list(LEAD_BY_NAME)), help="With --compare: this lead; default: all.")
@click.option("--candidate", "candidates", multiple=True, metavar="NAME", help="With --compare: this one (repeatable).")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def train(
    source: str,
    data: str | None,
    origin: str | None,
    out: Path | None,
    replace: bool,
    sign_key: Path | None,
    rejects: Path | None,
    compare: bool,
    lead: str | None,
    candidates: tuple[str, ...],
    as_json: bool,
) -> None:
    """Train a model on real departures and write it as an artefact.

    Prints how the model does on the last months by a split in time. The same data and library versions write the
    same checksum, bit for bit.

    With --compare, candidates from the challenge's own model to blends of boosted trees are compared instead, each
    month predicted from those before it, at every lead, in two processes of at most 2.6 GB. The last quarter of the
    year takes no part. It takes a quarter of an hour; Ctrl-C shows what was found by then.
    """
    if compare:
        if sign_key is not None:
            raise SettingsError("--compare writes no artefact to be signed: leave out --sign-key")
        from atraso.cli.compare import compare_candidates

        compare_candidates(source, data, origin, out, replace, lead, candidates, rejects, as_json)
        return
    if lead is not None or candidates:
        raise SettingsError("--lead and --candidate belong to --compare; training makes the scorecards of all leads")
    if out is None:
        raise SettingsError("say where the artefact is to be written: --out FOLDER")
    import json

    from rich.console import Console

    from atraso.artefact.bundle import check_destination, read_artefact, read_signing_key, write_artefact
    from atraso.cli.show import bar, read_shown, say, scores_table
    from atraso.core.scores import leak_alarms
    from atraso.sources.airports import origins_of
    from atraso.training.crew import PROCESSES
    from atraso.training.holidays import days_off_for
    from atraso.training.package import pack
    from atraso.training.pipeline import train as fit

    check_destination(out, replace=replace)
    if sign_key is not None:
        read_signing_key(sign_key)
    origins = origins_of(origin)
    reading = read_shown(source, data, rejects, origins)
    calendar = days_off_for(reading.departures.flights)
    with bar("training") as progress:
        trained = fit(reading.departures, reading.unflown, calendar, progress, processes=PROCESSES)
    alarms = leak_alarms(trained.scores)
    for alarm in alarms:
        say(f"ALARM: {alarm}")
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
                    "alarms": alarms,
                }
            )
        )
        return
    console = Console(file=sys.stdout)
    console.print(scores_table(manifest.scores, manifest.scores_note))
    console.print(f"artefact {manifest.version} in {out}\nchecksum {manifest.checksum}", highlight=False)
