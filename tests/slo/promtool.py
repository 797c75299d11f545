"""Prometheus's own tool, on files that a test has written."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.slo.cases import case_files

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "monitoring" / "rules"
CASES = Path(__file__).parent / "rules"


def promtool(*words: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run promtool and return what it said."""
    return subprocess.run(
        ["promtool", *map(str, words)], cwd=folder, capture_output=True, text=True, check=False, timeout=900
    )


def write_cases(name: str, folder: Path, rules: str) -> list[Path]:
    """Write the cases about the objective *name* into *folder*, for the file *rules* beside them; return the paths."""
    paths = []
    for title, content in case_files(name).items():
        path = folder / f"{name} {title}.test.yml"
        whole: dict[str, Any] = {"rule_files": [rules], **content}
        path.write_text(yaml.safe_dump(whole, sort_keys=False, width=1_000_000), encoding="utf-8")
        paths.append(path)
    return paths
