"""Print the requirements of the package, with those of the extras named as arguments, one a line.

pip checks hashes only for packages from an index, not for the project itself; so `make` installs what this prints
against the lock file and then the project without its dependencies.
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
names = list(project["dependencies"])
for extra in sys.argv[1:]:
    names += project["optional-dependencies"][extra]
print("\n".join(f"'{name}'" for name in names))
