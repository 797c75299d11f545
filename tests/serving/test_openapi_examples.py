"""Generated requests against the OpenAPI document, a few; `make drill` sends thousands."""

from __future__ import annotations

from pathlib import Path

from tests.drill.schemathesis import examples_against
from tests.serving.processes import service


def test_no_answer_outside_the_document(tmp_path: Path) -> None:
    """No fault, and no status, type, header or content that the document does not tell."""
    with service("--workers", "1", ATRASO_LEDGER="spool", ATRASO_DATA=str(tmp_path)) as running:
        said = examples_against(running.port, 100, 1, phases="examples,fuzzing")
    assert "passed" in said
    assert "failed" not in said
