"""docs/settings.md is what the settings say."""

from __future__ import annotations

import runpy
from pathlib import Path

from atraso.settings import Settings

ROOT = Path(__file__).parents[2]


def test_the_page_of_settings_is_the_one_that_the_settings_write() -> None:
    """Regenerated, it does not differ; if it does, run scripts/render_settings.py."""
    page = runpy.run_path(str(ROOT / "scripts" / "render_settings.py"))["render"]()
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == page


def test_the_page_has_a_row_for_every_setting() -> None:
    """None is left out, and each says what it means."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows] == [f"| `{name}`" for name in Settings.__struct_fields__]
    assert all(row[-1].endswith(". |") for row in rows)
