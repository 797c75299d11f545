"""Every generated page is what its source says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from atraso.settings import Settings

ROOT = Path(__file__).parents[2]


def test_every_generated_page_is_the_one_that_its_source_writes() -> None:
    """Settings, command line and benchmark pages do not differ; if one does, run `make generate`."""
    run = subprocess.run(
        [sys.executable, "-m", "scripts.generate", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout + run.stderr


def test_the_page_has_a_row_for_every_setting() -> None:
    """None is left out, and each says what it means."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows] == [f"| `{name}`" for name in Settings.__struct_fields__]
    assert all(row[-1].endswith(". |") for row in rows)
