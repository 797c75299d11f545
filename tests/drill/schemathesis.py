"""Running schemathesis against a service."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.processes import HOST

PROGRAM = Path(sys.executable).with_name("schemathesis")
# Not among them: refusing whatever a schema forbids, and taking whatever it allows. What a flight's fields may hold is
# more than a schema can tell: codes that a table knows, dates that exist.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def examples_against(
    port: int, examples: int, seed: int, *, key: str | None = None, phases: str = "examples,coverage,fuzzing"
) -> str:
    """Send generated requests, up to so many *examples* an operation and phase, and return how many there were.

    Fails with what schemathesis says where an answer is not as the document tells.
    """
    header = ["--header", f"Authorization: Bearer {key}"] if key else []
    command = [
        str(PROGRAM), "run", f"http://{HOST}:{port}/openapi.json", *header, "--max-examples", str(examples),
        "--seed", str(seed), "--checks", ",".join(CHECKS), "--phases", phases, "--generation-database", "none",
        "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:  # it leaves a folder of its own where it is run
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    found = re.search(r"(\S+ generated, .*)", done.stdout)
    assert found is not None, done.stdout[-2000:]
    return found[1]
