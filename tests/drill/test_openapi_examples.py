"""Thousands of generated requests, right and wrong, against the OpenAPI document."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drill.figures import say
from tests.drill.full import everything_on
from tests.drill.schemathesis import examples_against

EXAMPLES = 5000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_answer_outside_the_document(tmp_path: Path, seed: int) -> None:
    """5,000 examples an operation: no fault, and no status, type, header or content that the document does not tell."""
    with everything_on(tmp_path) as full:
        said = examples_against(full.port, EXAMPLES, seed, key=full.key)
    say(f"schemathesis, seed {seed}: {said}")
