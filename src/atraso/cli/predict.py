"""`atraso predict`: a file of flights in, the same rows with answers out."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from atraso.sources.reading import Reject

REJECTS_ENDING = ".rejects.csv"
FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}

EXAMPLE = """\b
Example:
  printf 'airline,flight_number,destination,scheduled_departure\\nLAN,600,SPJC,2017-07-14 09:05\\n' |
    atraso predict - -o -

\b
FILE has either the columns airline, flight_number, destination, scheduled_departure and perhaps origin,
or those of the SCL file (Fecha-I, Vlo-I, Ori-I, Des-I, Emp-I), or those of a BTS file (FlightDate,
CRSDepTime and so on, or FL_DATE, CRS_DEP_TIME). Exit codes: 0 done, also when rows were rejected;
2 the file, the model or an option cannot be used; 130 interrupted (no half file is left).
"""


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("-o", "--output", default="-", show_default=True, help="OUT.csv, OUT.jsonl, OUT.parquet or -.")
@click.option("--model", type=click.Path(file_okay=False, path_type=Path), help="An artefact; default the bundled one.")
@click.option(
    "--origin", metavar="CODES", help="Only rows from these airports, such as EWR,JFK, or of none; default: all."
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines whatever the output is called.")
@click.option("--rejects", help="Where bad rows go; default OUT.rejects.csv, with -o - FILE.rejects.csv.")
def predict(file: str, output: str, model: Path | None, origin: str | None, as_json: bool, rejects: str | None) -> None:
    """Answer every flight in FILE (CSV, plain, gzip or zip; - is standard input), in its order.

    Rows that cannot be answered go to a reject file with row number (from 1, the header not counted), reason
    and text; their count is printed.
    """
    kind = _format_of(output, as_json)
    rejects_path = Path(rejects) if rejects else _rejects_path(file, output)
    _refuse_overwriting(file, output, rejects_path)

    from atraso.artefact.scorer import load_scorer
    from atraso.cli.batch import ANSWER_COLUMNS, IDENTIFYING_COLUMNS, BatchPredictor
    from atraso.cli.outputs import output_of, written_whole
    from atraso.cli.show import bar, say
    from atraso.sources.airports import origins_of
    from atraso.sources.questions import read_questions
    from atraso.sources.reading import counted

    origins = origins_of(origin)
    scorer = load_scorer(model)
    batch = BatchPredictor(scorer)
    bad: list[Reject] = []
    answered = left_out = 0
    chunks = read_questions(file, origins=origins)
    first = next(chunks)  # a file that cannot be read is refused before anything is written
    with written_whole(output) as stream:
        out = output_of(kind, stream, (*IDENTIFYING_COLUMNS, *ANSWER_COLUMNS))
        with bar("predicting") as progress:
            for chunk in chain([first], chunks):
                columns, rejected = batch.answer(chunk)
                out.write(columns)
                bad += rejected
                answered += len(columns["airline"])
                left_out += chunk.left_out
                progress(chunk.bytes_read, chunk.total_bytes)
        out.finish()
    sentence = f"{counted(answered, 'flight')} answered by the model {scorer.manifest.version}"
    if left_out:
        sentence += f", {counted(left_out, 'row')} of other origins left out"
    say(sentence + _kept_rejects(bad, rejects_path, asked=rejects is not None))


def _format_of(output: str, as_json: bool) -> str:
    """Return csv, jsonl or parquet by the output's name; standard output is CSV unless JSON is asked for."""
    if as_json:
        return "jsonl"
    if output == "-":
        return "csv"
    # A device such as /dev/null has no ending and takes CSV.
    kind = FORMATS.get(Path(output).suffix.lower(), None if Path(output).suffix else "csv")
    if kind is None:
        raise click.BadParameter(f"{output} should end in {', '.join(FORMATS)} (or say --json)", param_hint="-o")
    return kind


def _rejects_path(file: str, output: str) -> Path:
    """Return the place beside the output, or beside the input where the output is standard output."""
    target = Path(output)
    if output != "-" and (target.is_file() or not target.exists()):
        return target.with_suffix(REJECTS_ENDING)
    if file == "-":
        return Path(f"stdin{REJECTS_ENDING}")
    path = Path(file)
    return (path.with_suffix("") if path.suffix == ".gz" else path).with_suffix(REJECTS_ENDING)


def _refuse_overwriting(file: str, output: str, rejects: Path) -> None:
    for name, written in (("-o", Path(output)), ("--rejects", rejects)):
        if file != "-" and written.is_file() and Path(file).exists() and written.samefile(file):
            raise click.BadParameter("names the file that is read; choose another", param_hint=name)
    if output != "-" and Path(output).absolute() == rejects.absolute():
        raise click.BadParameter("names the output; choose another", param_hint="--rejects")


def _kept_rejects(bad: list[Reject], path: Path, asked: bool) -> str:
    """Write the rejects where there are any (or a place was named) and return what to say about them."""
    from atraso.core.errors import AtrasoError
    from atraso.sources.reading import HEADER_ROW, counted, write_rejects

    try:
        if not bad and not asked:
            path.unlink(missing_ok=True)  # one left by an earlier run would tell of rows that are good now
            return ", no row rejected"
        write_rejects(bad, path)
    except OSError as error:
        raise AtrasoError(f"{path} cannot be written: {error.strerror}; choose another with --rejects") from None
    rows = sum(reject.row != HEADER_ROW for reject in bad)
    ignored = "".join(f"; {reject.reason}" for reject in bad if reject.row == HEADER_ROW)
    return f", {counted(rows, 'row')} rejected (see {path}){ignored}"
