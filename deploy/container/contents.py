"""Write the list of what is in a folder of files as CycloneDX, the same bytes for the same files.

    contents.py SYFT FOLDER VERSION OUT

A number and a moment of their own would make each list another one, so these are left out; the order is that of names.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def contents(syft: str, folder: str, version: str) -> dict[str, Any]:
    """Return what *syft* finds in *folder*, without what differs from one run to the next."""
    command = [syft, "scan", f"dir:{folder}", "-q", "-o", "cyclonedx-json", "--source-name", "atraso"]
    done = subprocess.run([*command, "--source-version", version], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    found.pop("serialNumber", None)
    found["metadata"].pop("timestamp", None)
    found["components"] = sorted(
        (part for part in found["components"] if part["type"] != "file"),
        key=lambda part: (part["name"], part.get("version", ""), part.get("purl", ""), part.get("bom-ref", "")),
    )
    named = {part.get("bom-ref") for part in found["components"]}
    found["dependencies"] = sorted(
        (tie for tie in found.get("dependencies", []) if tie["ref"] in named), key=lambda tie: tie["ref"]
    )
    return found


if __name__ == "__main__":
    program, folder, version, out = sys.argv[1:]
    Path(out).write_text(json.dumps(contents(program, folder, version), indent=1, sort_keys=True) + "\n", "utf-8")
