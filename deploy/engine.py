"""Which program builds and runs images on this machine, and with what it needs here."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.checks import NotRun, run

CONTAINERS_CONF = Path(__file__).parent / "container" / "containers.conf"
HOW = "apt-get install podman buildah runc (or Docker)"


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that builds images (`docker` or `buildah`) and one that runs them (`docker` or `podman`)."""

    builder: str
    runner: str

    @property
    def env(self) -> dict[str, str]:
        """Return what both are told by their environment."""
        if self.builder == "docker":
            return {}
        # The files are our own, so their build needs no namespaces, which a container has none to give for.
        env = {"BUILDAH_ISOLATION": os.environ.get("BUILDAH_ISOLATION", "chroot")}
        return env if _has_systemd() else env | {"CONTAINERS_CONF": str(CONTAINERS_CONF)}

    def build(self, *arguments: str | Path, timeout_s: float = 1800.0) -> str:
        """Have the builder do something; raises CommandFailed."""
        return run(self.builder, *arguments, env=self.env, timeout_s=timeout_s)

    def run(self, *arguments: str | Path, timeout_s: float = 120.0) -> str:
        """Have the runner do something; raises CommandFailed."""
        return run(self.runner, *arguments, env=self.env, timeout_s=timeout_s)

    def mounts_of_the_builder(self) -> list[str]:
        """Return what lets pip find packages where the builder has settings or authorities of its own.

        They are there while the image is built and are in no layer of it. Docker's builds have no such mounts.
        """
        if self.builder == "docker":
            return []
        config = subprocess.run(
            ["python3", "-m", "pip", "config", "debug"], capture_output=True, text=True, check=False
        ).stdout
        files = [line.partition(",")[0].strip() for line in config.splitlines() if line.endswith("exists: True")]
        places = [path for path in (ssl.get_default_verify_paths().capath, *files[:1]) if path]
        return [word for path in places for word in ("--volume", f"{path}:{path}:ro")]


def engine() -> Engine:
    """Return the engine of this machine: Docker where its daemon answers, else buildah and podman; or raise NotRun."""
    if shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        return Engine("docker", "docker")
    if shutil.which("buildah") and shutil.which("podman"):
        return Engine("buildah", "podman")
    raise NotRun(f"nothing here builds images: {HOW}")


def _has_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()
