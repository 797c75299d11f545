"""Write every generated page again, or with --check say which ones are not what their source says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import render as render_benchmarks
from scripts import render_card, render_chart, render_cli, render_security, render_settings, render_stress

PAGES: dict[Path, Callable[[], str]] = {
    render_cli.PAGE: render_cli.render,
    render_settings.PAGE: render_settings.render,
    render_card.PAGE: render_card.card,
    render_card.DIAGRAM: render_card.diagram,
    render_card.PLOTS: render_card.plots,
    render_security.PAGE: render_security.render,
    render_stress.PAGE: render_stress.render,
    Path("benchmarks/results/README.md"): render_benchmarks.rendered,
    **render_chart.pages(),
}


def stale() -> list[Path]:
    """Return the pages that differ from what their source gives."""
    return [page for page, render in PAGES.items() if not page.is_file() or page.read_text("utf-8") != render()]


if __name__ == "__main__":
    different = stale()
    if "--check" in sys.argv[1:]:
        for page in different:
            print(f"{page} is not what its source says: run `make generate`")
        sys.exit(bool(different))
    for page in different:
        page.write_text(PAGES[page](), "utf-8")
        print(f"wrote {page}")
