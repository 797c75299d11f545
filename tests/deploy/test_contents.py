"""The image's list of what it holds: the same bytes for the same files."""

import json
import subprocess
import sys
from pathlib import Path

from deploy.checks import ROOT

# It gives its parts in another order each time, with a number and a moment of its own, as syft does.
SYFT = """#!{python}
import json, random, sys, uuid
parts = [{{"bom-ref": n, "type": "library", "name": n, "version": "1", "purl": "pkg:pypi/" + n + "@1"}} for n in "abc"]
random.shuffle(parts)
parts.append({{"bom-ref": "f", "type": "file", "name": "/x"}})
ties = [{{"ref": "b", "dependsOn": ["a"]}}, {{"ref": "a", "dependsOn": []}}, {{"ref": "f", "dependsOn": []}}]
random.shuffle(ties)
print(json.dumps({{"bomFormat": "CycloneDX", "serialNumber": str(uuid.uuid4()), "components": parts,
    "dependencies": ties, "metadata": {{"timestamp": random.random(), "component": {{"name": sys.argv[2]}}}}}}))
"""


def test_two_lists_of_the_same_files_are_the_same(tmp_path: Path) -> None:
    """Order, number and moment of the tool's own are gone; every package is there, and no single file."""
    syft = tmp_path / "syft"
    syft.write_text(SYFT.format(python=sys.executable))
    syft.chmod(0o700)
    made = []
    for n in range(6):
        out = tmp_path / f"{n}.json"
        script = ROOT / "deploy" / "container" / "contents.py"
        subprocess.run([sys.executable, script, syft, tmp_path, "0.1.0", out], check=True)
        made.append(out.read_bytes())

    assert len(set(made)) == 1
    found = json.loads(made[0])
    assert [part["name"] for part in found["components"]] == ["a", "b", "c"]
    assert [tie["ref"] for tie in found["dependencies"]] == ["a", "b"]
    assert "serialNumber" not in found
    assert found["metadata"] == {"component": {"name": f"dir:{tmp_path}"}}
