"""The image that ours stand on: the official one, or a stand-in of Debian's own packages where no registry answers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.checks import CommandFailed, run, tool
from deploy.engine import Engine

NAME = "python:3.11-slim-bookworm"
LOCAL = f"localhost/{NAME}"
REGISTRY = f"docker.io/library/{NAME}"
PULL_WITHIN_S = 120.0


def have_base(engine: Engine) -> str:
    """Return the name of the base image, which is at hand afterwards; says on standard error what it had to do."""
    if engine.builder == "docker":
        if not _has(engine, NAME):  # a build would fetch it too, and keep it where nothing can look at it
            engine.run("pull", "-q", NAME, timeout_s=PULL_WITHIN_S)
        return NAME
    for name in (LOCAL, REGISTRY):
        if _has(engine, name):
            return name
    try:
        engine.build("pull", "-q", REGISTRY, timeout_s=PULL_WITHIN_S)
    except (CommandFailed, subprocess.TimeoutExpired) as error:
        said = str(error).splitlines()[-1]
        sys.stderr.write(
            f"{REGISTRY} cannot be pulled ({said}): making {LOCAL} of Debian's packages (some minutes, once) ...\n"
        )
        make_stand_in(engine)
        return LOCAL
    return REGISTRY


def _has(engine: Engine, name: str) -> bool:
    try:
        engine.run("image", "inspect", name)
    except CommandFailed:
        return False
    return True


def make_stand_in(engine: Engine) -> None:
    """Make a base image of Debian 12 with its Python 3.11, where the official one has Python's own build of it.

    Needs mmdebstrap and a Debian mirror. Its name is the official one's short name, so the Dockerfile stays as it is.
    """
    mmdebstrap = tool("mmdebstrap", "apt-get install mmdebstrap")
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "base.tar"
        links = "".join(f'ln -sf /usr/bin/python3 "$1/usr/local/bin/{name}"; ' for name in ("python", "python3"))
        run(
            mmdebstrap, "--variant=minbase", "--include=ca-certificates,python3,python3-venv,python3-pip",
            f"--customize-hook={links} rm -f \"$1\"/usr/lib/python3.11/EXTERNALLY-MANAGED", "bookworm", files,
            timeout_s=1200.0,
        )  # fmt: skip
        container = engine.build("from", "scratch").strip()
        engine.build("add", container, files, "/")
        path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        engine.build("config", "--env", f"PATH={path}", "--env", "LANG=C.UTF-8", "--cmd", "python3", container)
        engine.build("commit", "-q", "--rm", container, LOCAL)
