"""The compose file: brought up from our own images, used, and taken down."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.checks import ROOT, CommandFailed, NotRun, run, tool
from deploy.compose import (
    FILE,
    NEW_KEY,
    PROBER_KEY,
    Project,
    compose_command,
    daemon,
    key_of_prober,
    let_in_prober,
    prepare,
    write_env,
)
from deploy.compose_rules import violations
from deploy.containers import KEY_KNOWN_AFTER_S, asked, free_port
from deploy.engine import Engine, engine
from deploy.pages import typed

# What docs/deploy.md says below "One machine: Compose"; each of it is typed here as it stands there.
UP = {
    (): "make compose-up",
    ("directory",): "make compose-up PROFILES=directory",
    ("directory", "monitoring"): 'make compose-up PROFILES="directory monitoring"',
}
DOWN = "make compose-down"
KEY = f"docker exec CONTAINER {NEW_KEY}"
LOG_IN = 'curl -s -X POST -u "alice:$ALICE_PASSWORD" 127.0.0.1:5000/v1/token'
QUESTION = {
    "flights": [
        {"airline": "LAN", "flight_number": "600", "destination": "SPJC", "scheduled_departure": "2017-07-14T09:05:00"}
    ]
}
STORED_WITHIN_S = 15.0
ASK_PROMETHEUS = """
import sys, urllib.request
print(urllib.request.urlopen("http://127.0.0.1:9090" + sys.argv[1], timeout=5).read().decode())
"""
NAMES_OF_CONTAINERS = ("/usr/lib/cni/dnsname", "/usr/libexec/podman/aardvark-dns", "/usr/lib/podman/aardvark-dns")


@dataclass(frozen=True, slots=True)
class Up:
    """A project that is up, on ports and with secrets of its own; `said` is what its start printed."""

    project: Project
    variables: dict[str, str]
    env: dict[str, str]
    said: str = ""

    @property
    def api(self) -> int:
        """Return the port of the service."""
        return int(self.variables["ATRASO_PORT"])

    def inside(self, service: str, *command: str) -> str:
        """Return what a command prints in the container of *service*."""
        return self.project.do("exec", "-T", service, *command)

    def key_as_told(self) -> dict[str, str]:
        """Return the header of a key made by the command that the start printed, which is the page's."""
        told = re.search(r"^a key +(\S+) exec (\S+) (.*)$", self.said, re.MULTILINE)
        assert told is not None, f"it does not say how to make a key: {self.said}"
        assert typed(KEY) == f"docker exec CONTAINER {told[3]}", told[0]
        made = shell(f"{told[1]} exec {told[2]} {told[3]}", self.env).strip()
        time.sleep(KEY_KNOWN_AFTER_S)
        return {"authorization": f"Bearer {made}"}

    def rows(self) -> list[str]:
        """Return the identifiers of the predictions in PostgreSQL."""
        said = self.inside(
            "postgres", "psql", "-h", "127.0.0.1", "-At",
            f"postgresql://atraso:{self.variables['POSTGRES_PASSWORD']}@127.0.0.1/atraso",
            "-c", "SELECT id FROM predictions",
        )  # fmt: skip
        return said.split()


def shell(command: str, env: Mapping[str, str]) -> str:
    """Return what a *command* prints that is typed in the repository's root; raises CommandFailed."""
    # What make was told to do this is not for the make that is typed.
    return run(tool("bash", "apt-get install bash"), "-c", command, env={**env, "MAKEFLAGS": ""}, timeout_s=1500.0)


def _engine() -> Engine:
    at = engine()
    compose_command()
    if at.runner == "podman" and not any(Path(place).exists() for place in NAMES_OF_CONTAINERS):
        raise NotRun(
            "podman's containers cannot find each other by name: apt-get install aardvark-dns, or with Debian 12's "
            "podman golang-github-containernetworking-plugin-dnsname"
        )
    return at


@contextlib.contextmanager
def brought_up(*profiles: str, services: tuple[str, ...] = ()) -> Iterator[Up]:
    """Bring the compose file up as the page says, beside whatever runs here; and take it down, as the page says.

    Of a profile that cannot be whole here, *services* may be brought up alone. What was kept is removed afterwards.
    """
    at = _engine()
    name = f"atraso-check-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix="atraso-compose-") as folder:
        env_file = Path(folder) / ".env"
        env = {**at.env, "COMPOSE_ENV_FILES": str(env_file), "COMPOSE_PROJECT_NAME": name}
        ports = {each: str(free_port()) for each in ("ATRASO_PORT", "NOTEBOOK_PORT", "GRAFANA_PORT")}
        variables = write_env(env_file, profiles, {**ports, "FLIGHTS_FOLDER": folder})
        try:
            said = "" if services else shell(typed(UP[profiles]), env)
            with daemon(at) as told:
                project = Project(at, told, env_file, name)
                if services:
                    prepare(at, profiles)
                    project.up(*services)
                yield Up(project, variables, env, said)
                kept = _volumes(at, name)
                shell(typed(DOWN), env)
                assert not project.do("ps", "-aq").split(), "something still runs"
                assert kept and _volumes(at, name) == kept, f"{kept} was kept, and now there is {_volumes(at, name)}"
        finally:
            with daemon(at) as told:
                Project(at, told, env_file, name).down(volumes=True)


def _volumes(at: Engine, project: str) -> list[str]:
    said = at.run("volume", "ls", "-q", "--filter", f"label=com.docker.compose.project={project}")
    return sorted(said.split())


def check_file_is_sound() -> str:
    """Compose reads the file, it holds no secret, and the small set is what comes up without a profile."""
    command = compose_command()
    with tempfile.TemporaryDirectory() as folder:
        env_file = Path(folder) / ".env"
        write_env(env_file, ())
        project = Project(Engine("docker", "docker"), {}, env_file)
        small = set(project.do("config", "--services").split())
        everything = json.loads(project.do("--profile", "*", "config", "--format", "json", "--no-interpolate"))
    assert small == {"api", "postgres", "notebook"}, small
    wrong = violations(yaml.safe_load(FILE.read_text("utf-8")))
    assert not wrong, "\n".join(wrong)
    return f"{' '.join(command)}: {len(everything['services'])} services, {sorted(small)} without a profile"


def check_small_set_works() -> str:
    """API, notebook, PostgreSQL come up, a prediction lands in PostgreSQL, the notebook refuses without its token."""
    with brought_up() as up:
        assert asked(up.api, "POST", "/v1/predictions", QUESTION)[0] == 401
        header = up.key_as_told()
        status, answer = asked(up.api, "POST", "/v1/predictions", QUESTION, header)
        assert status == 200, (status, answer)
        wanted = answer["predictions"][0]["id"]
        took_s = _until(lambda: wanted in up.rows(), STORED_WITHIN_S)
        notebook = int(up.variables["NOTEBOOK_PORT"])
        token = {"authorization": f"token {up.variables['JUPYTER_TOKEN']}"}
        status, _ = asked(notebook, "GET", "/api/contents/model.ipynb")
        assert status == 403, f"the notebook answered {status} without its token"
        status, _ = asked(notebook, "GET", "/api/contents/model.ipynb", headers={"authorization": "token wrong"})
        assert status == 403, f"the notebook answered {status} to a wrong token"
        status, found = asked(notebook, "GET", "/api/contents/model.ipynb", headers=token)
        assert (status, found["name"]) == (200, "model.ipynb"), (status, found)
    return f"prediction {wanted} in PostgreSQL after {took_s:.1f} s; the notebook: 403 without its token, 200 with it"


def check_directory_lets_people_in() -> str:
    """With the profile `directory` alice logs in by her password over TLS, may ask, and bob may not report."""
    with brought_up("directory") as up:
        told = typed(LOG_IN).replace("127.0.0.1:5000", f"127.0.0.1:{up.api}")
        alice = json.loads(shell(told, up.env | up.variables))["access_token"]
        bob = _log_in(up, "bob", up.variables["BOB_PASSWORD"])
        tokens = {"alice": {"authorization": f"Bearer {alice}"}, "bob": bob}
        refused, _ = asked(up.api, "POST", "/v1/token", headers=_basic("alice", "wrong"))
        assert refused == 401, refused
        asks = {name: asked(up.api, "POST", "/v1/predictions", QUESTION, token)[0] for name, token in tokens.items()}
        assert asks == {"alice": 200, "bob": 200}, asks
        left = {"departures": [{**QUESTION["flights"][0], "actual_departure": "2017-07-14T09:20:00"}]}
        tells = {name: asked(up.api, "POST", "/v1/departures", left, token)[0] for name, token in tokens.items()}
        assert tells == {"alice": 200, "bob": 403}, tells
    return f"predictions {asks}, departures {tells}, a wrong password 401"


def check_monitoring_watches() -> str:
    """Prometheus takes the generated rules, sees the service up and golden answers equal, and knows Alertmanager."""
    _needs_rules()
    with brought_up("monitoring", services=("prometheus", "alertmanager", "prober")) as up:
        env_file = Path(up.env["COMPOSE_ENV_FILES"])
        let_in_prober(up.project, env_file, ("monitoring",), up.variables[PROBER_KEY])
        key = write_env(env_file, ("monitoring",))[PROBER_KEY]
        assert key_of_prober(up.project, key) == key, "a key that counts is made again"

        def told(path: str) -> Any:
            return json.loads(up.inside("api", "python", "-c", ASK_PROMETHEUS, path))["data"]

        def watched() -> bool:
            found = told("/api/v1/query?query=up%7Bjob%3D%22atraso%22%7D")["result"]
            return bool(found) and found[0]["value"][1] == "1"

        def probed() -> bool:
            found = told("/api/v1/query?query=atraso_probe_total%7Bresult%3D%22equal%22%7D")["result"]
            return bool(found) and float(found[0]["value"][1]) > 0

        took_s = _until(watched, 60.0)
        probed_s = _until(probed, 90.0)
        groups = told("/api/v1/rules")["groups"]
        wrong = [rule["name"] for group in groups for rule in group["rules"] if rule.get("lastError")]
        assert groups and not wrong, wrong
        managers = told("/api/v1/alertmanagers")["activeAlertmanagers"]
        assert len(managers) == 1, managers
    rules_read = sum(len(group["rules"]) for group in groups)
    return f"up after {took_s:.0f} s, golden answers {probed_s:.0f} s later, {rules_read} rules taken, 1 Alertmanager"


def check_grafana_shows_the_dashboard() -> str:
    """Grafana starts with the data source and the dashboard provisioned."""
    _needs_rules()
    at = _engine()
    image = re.search(r"image: (docker.io/grafana/grafana):\$\{GRAFANA_VERSION:-([0-9.]+)\}", FILE.read_text())
    assert image is not None, "the compose file has no Grafana"
    try:
        at.run("image", "inspect", f"{image[1]}:{image[2]}")
    except CommandFailed:
        raise NotRun(f"its image is not at hand: {at.runner} pull {image[1]}:{image[2]}") from None
    with brought_up("directory", "monitoring") as up:
        grafana = int(up.variables["GRAFANA_PORT"])
        admin = _basic("admin", up.variables["GRAFANA_PASSWORD"])
        _until(lambda: asked(grafana, "GET", "/api/health")[0] == 200, 60.0)
        _, sources = asked(grafana, "GET", "/api/datasources", headers=admin)
        _, found = asked(grafana, "GET", "/api/search?type=dash-db", headers=admin)
        assert [source["type"] for source in sources] == ["prometheus"], sources
        assert len(found) == 1, found
    return f"dashboard {found[0]['title']!r}"


def _needs_rules() -> None:
    written = ROOT / "deploy" / "monitoring" / "prometheus" / "prometheus.yml"
    if not written.exists():
        raise NotRun(f"there is no {written.relative_to(ROOT)} yet: `atraso slo render` writes it")


def _basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def _log_in(up: Up, name: str, password: str) -> dict[str, str]:
    status, answer = asked(up.api, "POST", "/v1/token", headers=_basic(name, password))
    assert status == 200, (name, status, answer)
    return {"authorization": f"Bearer {answer['access_token']}"}


def _until(true: Any, within_s: float) -> float:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within_s, f"not within {within_s:g} s"
        time.sleep(0.2)
    return time.monotonic() - began
