"""What goes into the images, as far as no image has to be built to see it."""

import re
import tomllib
from pathlib import Path

import pytest

from deploy.checks import ROOT
from deploy.image import IMAGES, Source

FOLDER = ROOT / "deploy" / "container"
OWN = (FOLDER / "Dockerfile").read_text("utf-8")
BOTH = OWN + (FOLDER / "companions.Dockerfile").read_text("utf-8")
FINAL = ("service", "notebook")


def stages(text: str) -> dict[str, str]:
    """Return the instructions of each stage of a Dockerfile by its name, lines that go on joined."""
    whole = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", whole, re.DOTALL | re.M))


def last(instruction: str, body: str) -> str:
    """Return what the last *instruction* of a stage says."""
    return (re.findall(rf"^{instruction} (.*)$", body, re.MULTILINE) or [""])[-1].strip()


@pytest.mark.parametrize("stage", FINAL)
def test_an_image_ends_as_a_user_without_rights(stage: str) -> None:
    """Each of our own images runs as uid 10001, is stopped by SIGTERM, and has no shell between it and its program."""
    body = stages(OWN)[stage]

    assert last("USER", body) == "10001:10001"
    assert last("STOPSIGNAL", body) == "SIGTERM"
    assert last("ENTRYPOINT", body).startswith('["atraso"')


def test_companions_run_as_users_of_their_own() -> None:
    """No image that stands beside the service runs as root."""
    named = {stage for stage, (_, file) in IMAGES.items() if file.endswith("companions.Dockerfile")}
    companions = stages((FOLDER / "companions.Dockerfile").read_text("utf-8"))

    assert named == set(companions) - {"base"}
    assert {last("USER", companions[stage]) for stage in named} == {"postgres", "openldap", "prometheus"}


def test_every_package_is_the_one_whose_digest_is_locked() -> None:
    """Whatever pip fetches it compares with a digest; what it installs otherwise was made before, from here."""
    calls = re.findall(r"pip (?:--python \S+ )?(?:install|wheel)[^&\n]*", re.sub(r"\\\n", " ", OWN))

    assert len(calls) >= 6
    for call in calls:
        fetches = "--require-hashes" in call
        made_here = "--no-index" in call or ("--no-build-isolation . " in call and "--no-deps" in call)
        assert fetches is not made_here, call


@pytest.mark.parametrize("lock", ["build.lock", "requirements.lock", "requirements-notebook.lock"])
def test_every_line_of_a_lock_has_digests(lock: str) -> None:
    """No package of an image's lock file is without a version and a SHA-256."""
    text = re.sub(r"\\\n", " ", (FOLDER / lock).read_text("utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "--"))]

    assert len(lines) >= 2
    assert [line for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


@pytest.mark.parametrize(
    ("lock", "extras"),
    [("requirements.lock", ("ldap", "postgres", "otel")), ("requirements-notebook.lock", ("train",))],
)
def test_an_image_holds_what_was_tested(lock: str, extras: tuple[str, ...]) -> None:
    """Each package of a lock file is that of requirements.lock, and none that the project asks for is missing."""
    tested, held = (versions(file) for file in (ROOT / "requirements.lock", FOLDER / lock))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    names = {re.split(r"[\[<>=;~! ]", line, maxsplit=1)[0].lower().replace("_", "-") for line in asked}

    assert held.items() <= tested.items(), f"run `make lock`: {sorted(held.items() - tested.items())}"
    assert names - {"atraso"} <= set(held), f"run `make lock`: {sorted(names - set(held))}"


def versions(lock: Path) -> dict[str, str]:
    """Return the version of each package of a lock file."""
    return dict(re.findall(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", lock.read_text("utf-8"), re.MULTILINE))


def test_nothing_else_of_this_machine_comes_into_an_image() -> None:
    """The build sees what .dockerignore names and no more; nothing is fetched by an address or a moving tag."""
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()

    assert "*" in ignored
    assert not [line for line in ignored if line in ("!.", "!*", "!deploy", "!.git", "!deploy/.env")]
    assert set(re.findall(r"^FROM (\S+:\S+)", BOTH, re.MULTILINE)) == {"python:3.11-slim-bookworm"}
    assert not re.search(r"^ADD |curl |wget |--trusted-host|:latest", BOTH, re.MULTILINE)


def test_an_image_says_which_commit_it_is_of() -> None:
    """Version, commit and moment are given to the Dockerfile's arguments, and as labels that no cache can keep old."""
    told = Source("1.2.3", "abc", 0).arguments
    given = {told[n + 1] for n in range(0, len(told), 2) if told[n] == "--build-arg"}
    labels = {told[n + 1] for n in range(0, len(told), 2) if told[n] == "--label"}

    assert {"VERSION=1.2.3", "REVISION=abc", "CREATED=1970-01-01T00:00:00Z", "SOURCE_DATE_EPOCH=0"} == given
    assert {word.partition("=")[0] for word in given} == set(re.findall(r"^ARG (\w+)", OWN, re.MULTILINE))
    assert "org.opencontainers.image.revision=abc" in labels and len(labels) == 3
