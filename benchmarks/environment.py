"""What is installed in an environment: versions, and how much room it takes. Runs under any environment's Python."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "src" / "atraso"
# What every new environment has, whatever is served from it; and Atraso, which is counted from its source.
LEFT_OUT = {"pip", "setuptools", "pkg_resources", "_distutils_hack", "atraso"}
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def environment_mb() -> float:
    """Return the size of all packages of this environment, with Atraso and without the installer, in MB."""
    here = Path(sysconfig.get_path("purelib")).iterdir()
    return (sum(_bytes_of(path) for path in here if path.name.split("-")[0] not in LEFT_OUT) + _bytes_of(SOURCE)) / 1e6


def needed_mb(name: str) -> float:
    """Return the size of Atraso and of all that the package *name* needs without its extras, in MB.

    So the product can be sized in an environment that also holds what training and tests need.
    """
    names: set[str] = set()
    _collect(name, names)
    files = [file.locate() for found in names for file in distribution(found).files or ()]
    return (sum(Path(file).stat().st_size for file in files if Path(file).is_file()) + _bytes_of(SOURCE)) / 1e6


def look_into(python: Path | str, packages: tuple[str, ...], only_needed_by: str = "") -> dict[str, Any]:
    """Return `versions` of *packages* and `installed_mb` of the environment of *python*; what it lacks is left out."""
    command = [str(python), "-m", "benchmarks.environment", only_needed_by, *packages]
    told = subprocess.run(command, cwd=SOURCE.parents[1], capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(told)
    return found


def _collect(name: str, names: set[str]) -> None:
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name in names:
        return
    try:
        requirements = distribution(name).requires or ()
    except PackageNotFoundError:  # needed on other systems or by other Pythons
        return
    names.add(name)
    for requirement in requirements:
        words, _, condition = requirement.partition(";")
        found = _NAME.match(words)
        if found and "extra" not in condition:
            _collect(found[0], names)


def _bytes_of(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _versions(packages: list[str]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    root, packages = sys.argv[1], sys.argv[2:]
    size_mb = needed_mb(root) if root else environment_mb()
    print(json.dumps({"versions": _versions(packages), "installed_mb": round(size_mb, 1)}))
