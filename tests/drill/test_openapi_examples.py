"""Thousands of generated requests, right and wrong, against the OpenAPI document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.drill.figures import at_least, say
from tests.drill.full import everything_on
from tests.drill.schemathesis import examples_against

EXAMPLES_AN_OPERATION = 400
IN_ALL = 5000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_answer_outside_the_document(tmp_path: Path, seed: int) -> None:
    """5,000 examples: no fault, and no status, type, header or content that the document does not tell."""
    with everything_on(tmp_path) as full:
        said = examples_against(full.port, EXAMPLES_AN_OPERATION, seed, key=full.key)
    say(f"schemathesis, seed {seed}: {said}")
    generated = re.match(r"\d+", said)
    assert generated is not None
    at_least("examples", int(generated[0]), "requests", IN_ALL)
