"""Bring up what deploy/compose.yaml describes: `python -m deploy.compose up [--profile NAME]`, `down`."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from deploy.checks import ROOT, CommandFailed, NotRun
from deploy.engine import Engine, engine
from deploy.environments import own_tool
from deploy.image import build, image_name, is_current, source

FILE = ROOT / "deploy" / "compose.yaml"
ENV_FILE = ROOT / "deploy" / ".env"
NAME = "atraso"
NEW_KEY = "atraso keys create --name operations-desk --role predict"
SECRETS = (
    "POSTGRES_PASSWORD", "JUPYTER_TOKEN", "LDAP_PASSWORD", "ALICE_PASSWORD", "BOB_PASSWORD", "GRAFANA_PASSWORD",
)  # fmt: skip
# The prober's, which the service makes once it is up; until then the file needs something in its place.
PROBER_KEY, NOT_MADE_YET = "PROBER_KEY", "not-made-yet"
NEW_PROBER_KEY = ("atraso", "keys", "create", "--name", "prober", "--role", "predict", "--json")
# Profile -> the images it needs besides those of the small set.
SMALL = ("service", "notebook", "postgres")
PROFILES = {"directory": ("directory",), "monitoring": ("prometheus", "alertmanager")}
SOCKET_WITHIN_S = 10.0
UP_WITHIN_S = 300
EXAMPLE = """\b
Example:
  python -m deploy.compose up --profile directory
"""


def project_here() -> tuple[Path, str]:
    """Return file of variables and name of the project: compose's own COMPOSE_ENV_FILES and COMPOSE_PROJECT_NAME."""
    return Path(os.environ.get("COMPOSE_ENV_FILES") or ENV_FILE), os.environ.get("COMPOSE_PROJECT_NAME") or NAME


def write_env(path: Path, profiles: tuple[str, ...], changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Write the variables of the compose file to *path*, for its owner only, and return them.

    Secrets that stand there stay; those that are missing are made. *changes* go before what stands there.
    """
    found = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line) if path.exists() else {}
    for name in SECRETS:
        found.setdefault(name, secrets.token_hex(24))
    found.setdefault(PROBER_KEY, NOT_MADE_YET)
    found["ATRASO_VERSION"] = source().version
    found["ATRASO_AUTH"] = "keys,ldap" if "directory" in profiles else "keys"
    found["COMPOSE_PROFILES"] = ",".join(profiles)
    found |= changes or {}
    made = path.with_suffix(".new")
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("".join(f"{name}={value}\n" for name, value in sorted(found.items())))
    made.rename(path)
    return found


def compose_command() -> tuple[str, ...]:
    """Return how compose is called here: Docker's plugin, or the program; raises NotRun."""
    if shutil.which("docker"):
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if plugin.returncode == 0:
            return "docker", "compose"
    return (str(own_tool("compose", "docker-compose")),)


@contextlib.contextmanager
def daemon(at: Engine) -> Iterator[dict[str, str]]:
    """Yield the variables by which compose finds the engine; podman answers to Docker's words meanwhile."""
    if at.runner == "docker":
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="atraso-podman-") as folder:
        socket = Path(folder) / "socket"
        # Where there is no systemd nothing but `look_after_health` asks the health checks.
        env = {**os.environ, **at.env, "DISABLE_HC_SYSTEMD": "true"}
        with (Path(folder) / "log").open("wb") as log:
            command = ["podman", "system", "service", "--time", "0", f"unix://{socket}"]
            process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            end = time.monotonic() + SOCKET_WITHIN_S
            while not socket.exists():
                if process.poll() is not None or time.monotonic() > end:
                    raise NotRun(f"podman does not answer: {(Path(folder) / 'log').read_text().strip()}")
                time.sleep(0.02)
            yield {"DOCKER_HOST": f"unix://{socket}"}
        finally:
            process.terminate()
            process.wait(10)


class Project:
    """The services of the compose file under a project's name, with the variables of one file."""

    def __init__(self, at: Engine, told: Mapping[str, str], env_file: Path, name: str = NAME) -> None:
        self._at, self._env = at, {**os.environ, **at.env, **told, "COMPOSE_PROJECT_NAME": name}
        self._command = (*compose_command(), "-f", str(FILE), "--env-file", str(env_file), "-p", name)

    def do(self, *arguments: str, timeout_s: float = 120.0) -> str:
        """Return what compose says to *arguments*; raises CommandFailed."""
        words = (*self._command, *arguments)
        done = subprocess.run(words, env=self._env, capture_output=True, text=True, timeout=timeout_s, check=False)
        if done.returncode:
            raise CommandFailed(words, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def up(self, *services: str) -> None:
        """Start *services*, or all, in the order of health, and wait until they are healthy; raises CommandFailed."""
        wait = ("--wait", "--wait-timeout", str(UP_WITHIN_S))
        words = (*self._command, "up", "--detach", *wait, "--pull", "missing", *services)
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(words, env=self._env, stdout=said, stderr=subprocess.STDOUT, text=True)
            try:
                while process.poll() is None:
                    self._look_after_health()
                    time.sleep(0.5)
            except BaseException:
                process.terminate()
                raise
            said.seek(0)
            if process.returncode:
                raise CommandFailed(words, process.returncode, said.read())

    def down(self, *, volumes: bool = False) -> None:
        """Stop and remove everything, with *volumes* also what was kept."""
        self.do("down", "--remove-orphans", *(["--volumes"] if volumes else []))

    def _look_after_health(self) -> None:
        """Ask the health checks, where podman has no systemd that would."""
        if self._at.runner == "docker" or Path("/run/systemd/system").is_dir():
            return
        for container in self.do("ps", "-q").split():
            command = ["podman", "healthcheck", "run", container]
            subprocess.run(command, env=self._env, capture_output=True, check=False)


def key_of_prober(project: Project, had: str) -> str:
    """Return a key that the service of *project*, which is up, knows the prober by: the one it *had*, or a new one."""
    known = json.loads(project.do("exec", "-T", "api", "atraso", "keys", "list", "--json"))
    if any(had.startswith(f"{key['prefix']}_") and key["status"] == "active" for key in known):
        return had
    made: str = json.loads(project.do("exec", "-T", "api", *NEW_PROBER_KEY))["key"]
    return made


def let_in_prober(project: Project, env_file: Path, profiles: tuple[str, ...], had: str) -> None:
    """Start the prober of *project*, which is up, again with a key that counts, where the one it *had* does not."""
    key = key_of_prober(project, had)
    if key != had:
        write_env(env_file, profiles, {PROBER_KEY: key})
        project.up("--no-deps", "prober")  # whatever else is up is left alone


def prepare(at: Engine, profiles: tuple[str, ...]) -> None:
    """Build the images that are needed; those of this commit that are there already are taken as they are."""
    for target in (*SMALL, *(stage for profile in profiles for stage in PROFILES[profile])):
        if not is_current(target, at):
            click.echo(f"building {image_name(target)} ...", err=True)
            build(target, at)


@click.group(epilog=EXAMPLE)
def main() -> None:
    """Bring up, or take down, the service and what stands beside it on this machine."""


@main.command(epilog=EXAMPLE)
@click.option(
    "--profile", "profiles", multiple=True, type=click.Choice(sorted(PROFILES)), help="Adds to the small set."
)
def up(profiles: tuple[str, ...]) -> None:
    """Build the images, write deploy/.env where it is missing, start everything and wait until it is healthy."""
    at = engine()
    compose_command()
    prepare(at, profiles)
    env_file, name = project_here()
    variables = write_env(env_file, profiles)
    ENV_FILE.with_name("flights").mkdir(exist_ok=True)
    with daemon(at) as told:
        project = Project(at, told, env_file, name)
        project.up()
        if "monitoring" in profiles:
            let_in_prober(project, env_file, profiles, variables[PROBER_KEY])
        container = project.do("ps", "-q", "api").strip()
    port, notebook = variables.get("ATRASO_PORT", "5000"), variables.get("NOTEBOOK_PORT", "8881")
    click.echo(f"the service     http://127.0.0.1:{port}  (who may ask has a key)")
    click.echo(f"a key           {at.runner} exec {container[:12]} {NEW_KEY}")
    click.echo(f"the notebook    http://127.0.0.1:{notebook}/lab  (its token is JUPYTER_TOKEN in {_shown(env_file)})")
    if "monitoring" in profiles:
        click.echo(
            f"Grafana         http://127.0.0.1:{variables.get('GRAFANA_PORT', '3000')}  (admin, GRAFANA_PASSWORD)"
        )


@main.command(epilog="Example: python -m deploy.compose down")
@click.option("--volumes", is_flag=True, help="Remove what was kept, too: predictions, keys, notebooks.")
def down(volumes: bool) -> None:
    """Stop and remove everything; what was kept stays, unless --volumes is said."""
    env_file, name = project_here()
    if not env_file.exists():
        click.echo(f"nothing to stop: there is no {_shown(env_file)}, which `make compose-up` writes")
        return
    at = engine()
    with daemon(at) as told:
        Project(at, told, env_file, name).down(volumes=volumes)


def _shown(file: Path) -> str:
    return str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else str(file)


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except click.Abort:
        sys.exit(130)
    except (NotRun, CommandFailed) as error:
        click.echo(f"deploy.compose: {error}", err=True)
        sys.exit(2 if isinstance(error, NotRun) else 1)
