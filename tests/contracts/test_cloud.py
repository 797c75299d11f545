<<<<<<<< HEAD:tests/contracts/test_deployment.py
"""What the files of deployment promise together: one port, one set of pins, no secret, commands that exist."""
========
"""What README, image, compose, Terraform and chart say of the service is the same, as the service itself says it."""
>>>>>>>> cloud:tests/contracts/test_cloud.py

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from atraso.settings import Settings
from deploy.checks import all_checks

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "deploy" / "container"
COMPOSE = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
DOCKERFILE = (CONTAINER / "Dockerfile").read_text(encoding="utf-8")
DEPLOY_PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def pins(lock: Path) -> dict[str, frozenset[str]]:
    """Return each pinned requirement of *lock*, with the hashes it takes."""
    entries = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip())
    return {
        re.split(r"[ ;\\]", entry, maxsplit=1)[0]: frozenset(re.findall(r"sha256:[0-9a-f]{64}", entry))
        for entry in entries
    }


@pytest.mark.parametrize(
    ("name", "extras"),
    [("requirements.lock", ("ldap", "postgres", "otel")), ("requirements-notebook.lock", ("train",))],
)
def test_the_images_have_what_the_tests_have(name: str, extras: tuple[str, ...]) -> None:
    """Each package of an image has the version and hashes of requirements.lock, and none that is needed is missing."""
    everything, image = pins(ROOT / "requirements.lock"), pins(CONTAINER / name)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    needed = {re.split(r"[\[>=<~! ;]", one, maxsplit=1)[0].lower() for one in asked}

    assert image, name
    assert {pin: hashes for pin, hashes in image.items() if everything.get(pin) != hashes} == {}, "run `make lock`"
    assert needed <= {pin.partition("==")[0] for pin in image}, "run `make lock`"
    assert all(image.values())


def test_the_port_is_the_same_everywhere() -> None:
    """Settings, README, image, health check, compose file and page name port 5000 for the service."""
    port = str(Settings().port)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    health = (CONTAINER / "health.py").read_text(encoding="utf-8")

    assert re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE) == ["8881", port]
    assert re.findall(r"\$\{ATRASO_PORT:-(\d+)\}:(\d+)", COMPOSE) == [(port, port)]
    assert re.findall(r"127\.0\.0\.1:(\d+)   \(PORT", readme) == [port]
    assert re.findall(r'"ATRASO_PORT"\) or (\d+)', health) == [port]
    assert set(re.findall(r"127\.0\.0\.1:(\d+)/v1", DEPLOY_PAGE)) == {port}


def test_the_compose_file_holds_no_secret() -> None:
    """Whatever is a password or a token is a variable that has no default."""
    secret = re.findall(r"^\s+\w*(?:PASSWORD|TOKEN)\w*: (.*)$", COMPOSE, re.MULTILINE)

    assert len(secret) >= 5
    assert [value for value in secret if not re.fullmatch(r"\$\{\w+:\?run make compose-up\}", value)] == []
    assert ":latest" not in COMPOSE


def test_the_secrets_are_never_in_git() -> None:
    """The file that `make compose-up` writes them to is ignored, and so are the flights."""
    for path in ("deploy/.env", "deploy/flights/scl_2017.csv.gz"):
        assert subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0, path


def test_every_stage_that_is_shipped_runs_as_somebody_else_than_root() -> None:
    """The last USER of each image is not root, and it has a signal to stop by."""
    companions = (CONTAINER / "companions.Dockerfile").read_text(encoding="utf-8")
    shipped = {"notebook", "service", "postgres", "directory", "prometheus", "alertmanager"}
    stages = {}
    for text in (DOCKERFILE, companions):
        for stage in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]:
            stages[re.split(r"\s+", stage.splitlines()[0])[2]] = stage

    assert shipped <= set(stages)
    for name in shipped:
        users = re.findall(r"^USER (\S+)$", stages[name], re.MULTILINE)
        assert users and users[-1].split(":")[0] not in ("root", "0"), name


def test_every_check_that_the_page_names_exists() -> None:
    """`CHECKS=` on the page names groups or checks that are there, and the page's make targets exist."""
    names = {name for check in all_checks() for name in (check.group, check.full_name)}
    asked = re.findall(r'CHECKS=(?:"([^"]+)"|([\w.]+))', DEPLOY_PAGE)

    assert asked
    assert {word for pair in asked for words in pair for word in words.split()} <= names


def test_the_packages_that_the_page_names_are_those_that_are_installed() -> None:
    """The Debian packages of the page are all in scripts/debian_packages.py."""
    line = re.search(r"^apt-get install --no-install-recommends (.*)$", DEPLOY_PAGE, re.MULTILINE)
    code = "from scripts.debian_packages import DEPLOY; print(*DEPLOY)"
    ours = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert line is not None
    assert set(line[1].split()) == set(ours.split()) - {"haproxy"}  # the balancer is the drill's
