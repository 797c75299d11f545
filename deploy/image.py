"""Build the images: `python -m deploy.image [service|notebook|...]`, from the files of this repository and a base."""

from __future__ import annotations

import json
import sys
import time
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from deploy import base
from deploy.checks import ROOT, CommandFailed, NotRun, run
from deploy.engine import Engine, engine

OWN = "deploy/container/Dockerfile"
COMPANIONS = "deploy/container/companions.Dockerfile"
# Stage -> the image's name and the file that has the stage.
IMAGES = {
    "service": ("atraso", OWN),
    "notebook": ("atraso-notebook", OWN),
    "postgres": ("atraso-postgres", COMPANIONS),
    "directory": ("atraso-directory", COMPANIONS),
    "prometheus": ("atraso-prometheus", COMPANIONS),
    "alertmanager": ("atraso-alertmanager", COMPANIONS),
}
DEFAULT = ("service", "notebook")
EXAMPLE = """\b
Example:
  python -m deploy.image service
"""


@dataclass(frozen=True, slots=True)
class Source:
    """What is built: a version, a commit (`-dirty` where files differ from it), and the moment of that commit."""

    version: str
    revision: str
    at_s: int

    @property
    def labels(self) -> dict[str, str]:
        """Return it as an image says it."""
        created = datetime.fromtimestamp(self.at_s, UTC).isoformat().replace("+00:00", "Z")
        values = {"version": self.version, "revision": self.revision, "created": created}
        return {f"org.opencontainers.image.{name}": value for name, value in values.items()}

    @property
    def arguments(self) -> list[str]:
        """Return it as arguments of the build."""
        values = {name.rpartition(".")[2].upper(): value for name, value in self.labels.items()}
        values["SOURCE_DATE_EPOCH"] = str(self.at_s)
        told = [word for name, value in values.items() for word in ("--build-arg", f"{name}={value}")]
        # Said once more: an older buildah takes a LABEL from its cache although the ARG in it has another value.
        return told + [word for name, value in self.labels.items() for word in ("--label", f"{name}={value}")]


def source() -> Source:
    """Return what this working tree is."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    try:
        revision, at_s = run("git", "log", "-1", "--format=%H %ct").split()
        changed = run("git", "status", "--porcelain", "--untracked-files=no").strip()
    except CommandFailed:
        return Source(version, "unknown", int(time.time()))  # an archive of the files, without their history
    return Source(version, f"{revision}-dirty" if changed else revision, int(at_s))


def image_name(target: str) -> str:
    """Return the name and tag of the image that *target* gives; the tag is the version, never `latest`."""
    return f"localhost/{IMAGES[target][0]}:{source().version}"


def build(target: str, at: Engine, *, name: str = "", cached: bool = True) -> str:
    """Build the stage *target* of the Dockerfile and return the image's name; raises CommandFailed, NotRun."""
    name = name or image_name(target)
    base.have_base(at)
    # Debian's packages need nothing of the builder's to be found.
    options = build_options(at, mounts=IMAGES[target][1] == OWN)
    told = ["-f", IMAGES[target][1], "--target", target, "-t", name, *source().arguments]
    at.build("build", *options, *told, *([] if cached else ["--no-cache"]), ".")
    return name


def build_options(at: Engine, *, mounts: bool = True) -> list[str]:
    """Return what the builder here is told besides what Docker is told by docs/deploy.md."""
    if at.builder == "docker":
        return []
    # The same moment in every layer: two builds of a commit are the same image.
    layers = ["--pull-never", "--layers", "--format", "docker", "--network", "host", "--timestamp", str(source().at_s)]
    return layers + (at.mounts_of_the_builder() if mounts else [])


def is_current(target: str, at: Engine) -> bool:
    """Tell whether the image of *target* is at hand as it would be built now: of this commit, with no file changed."""
    try:
        labels = json.loads(at.run("image", "inspect", image_name(target)))[0]["Config"].get("Labels") or {}
    except CommandFailed:
        return False
    revision = source().revision
    return labels.get("org.opencontainers.image.revision") == revision and not revision.endswith(("-dirty", "unknown"))


def size_bytes(at: Engine, name: str) -> int:
    """Return how many bytes the image's files take, unpacked, with those of its base."""
    return int(json.loads(at.run("image", "inspect", name))[0]["Size"])


@click.command(epilog=EXAMPLE)
@click.argument("targets", nargs=-1, type=click.Choice(list(IMAGES)))
@click.option("--no-cache", is_flag=True, help="Take nothing from earlier builds.")
def main(targets: tuple[str, ...], no_cache: bool) -> None:
    """Build the images of TARGETS (default: service and notebook) with Docker, or else with buildah."""
    try:
        at = engine()
        for target in targets or DEFAULT:
            click.echo(f"building {image_name(target)} with {at.builder} ...", err=True)
            name = build(target, at, cached=not no_cache)
            click.echo(f"{name}  {size_bytes(at, name) / 1e6:.0f} MB with its base")
    except (NotRun, CommandFailed) as error:
        click.echo(f"deploy.image: {error}", err=True)
        sys.exit(2 if isinstance(error, NotRun) else 1)


if __name__ == "__main__":
    main()
