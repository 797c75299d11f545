"""A run as one HTML page that needs nothing else: curves, tables, what became of it, and the run before."""

from __future__ import annotations

from collections.abc import Sequence

import jinja2

from atraso.stress.compare import Comparison
from atraso.stress.plots import HIGH, WIDE, latency_diagram, time_diagram
from atraso.stress.record import Record
from atraso.stress.report import HEADINGS as AUTH_HEADINGS
from atraso.stress.report import LOAD_HEADINGS, about, cells, load_cells, notes
from atraso.stress.store import Entry


def page(record: Record, entries: Sequence[Entry] = (), before: str = "", comparison: Comparison | None = None) -> str:
    """Return the page of *record*, with the runs that were kept, and its comparison with the one *before*."""
    loader = jinja2.PackageLoader("atraso", "web/templates")
    templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    templates.trim_blocks = templates.lstrip_blocks = True
    diagrams = (
        latency_diagram(record),
        time_diagram(record, "Good answers over time", lambda run: run.good_by_s),
        time_diagram(record, "Failures over time", lambda run: run.bad_by_s),
    )
    if record.rows:
        headings: Sequence[str] = ("way in", *AUTH_HEADINGS)
        rows = [(row.label, cells(row)) for row in record.rows]
    else:
        headings, rows = ("step", *LOAD_HEADINGS), [(run.name, load_cells(run)) for run in record.runs]
    return templates.get_template("stress.html").render(
        record=record,
        sentences=list(notes(record)),
        headings=headings,
        rows=rows,
        diagrams=[diagram for diagram in diagrams if diagram],
        errors=[(run.name, kind, count) for run in record.runs for kind, count in run.errors.items()],
        promises=[(run.name, promise) for run in record.runs for promise in run.promises],
        entries=entries,
        before=before,
        comparison=comparison,
        about=about(record),
        wide=WIDE,
        high=HIGH,
    )
