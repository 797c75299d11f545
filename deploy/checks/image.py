"""The service's image: how it is built, what it holds, and how it runs with nothing that it does not need."""

from __future__ import annotations

import functools
import json
import time
import urllib.parse
from statistics import median

from deploy import base
from deploy.checks import CommandFailed
from deploy.containers import KEY_KNOWN_AFTER_S, Container, started
from deploy.engine import Engine, engine
from deploy.image import build, size_bytes, source
from deploy.layers import differences, files_of
from deploy.load import Clients

MOST_BEYOND_BASE_BYTES = 300e6
READY_WITHIN_S, STOPPED_WITHIN_S = 3.0, 10
STARTS = 3
ENOUGH = 300
FLIGHT = {
    "airline": "LAN", "flight_number": "600", "destination": "SPJC", "scheduled_departure": "2017-07-14T09:05:00",
}  # fmt: skip
QUESTION = {"flights": [FLIGHT]}
# What may differ between two builds of a commit, and why. Nothing else may.
MAY_DIFFER: dict[str, str] = {}


@functools.cache
def _built() -> tuple[Engine, str] | Exception:
    try:
        at = engine()
        return at, build("service", at)
    except Exception as error:  # the next check would only try the same again, for minutes
        return error


def image() -> tuple[Engine, str]:
    """Return the engine and the name of the image, which is built once for all checks."""
    built = _built()
    if isinstance(built, Exception):
        raise built
    return built


def key_for(container: Container) -> dict[str, str]:
    """Return the header of a new key, made by the command inside the container, which every worker knows."""
    made = container.exec("atraso", "keys", "create", "--name", "check", "--role", "predict", "--json")
    time.sleep(KEY_KNOWN_AFTER_S)
    return {"authorization": f"Bearer {json.loads(made)['key']}"}


def check_is_built_from_the_dockerfile() -> str:
    """The image is built from the Dockerfile as it is, and is at most 300 MB unpacked beyond its base."""
    at, name = image()
    beyond = size_bytes(at, name) - size_bytes(at, base.have_base(at))
    assert beyond <= MOST_BEYOND_BASE_BYTES, f"{beyond / 1e6:.0f} MB beyond its base"
    return f"{name}: {beyond / 1e6:.0f} MB beyond its base"


def check_two_builds_are_the_same() -> str:
    """A second build without any layer of the first has the same packages and the same files, byte for byte."""
    at, name = image()
    again = build("service", at, name=f"{name}-again", cached=False)
    try:
        first, second = files_of(at, name), files_of(at, again)
    finally:
        at.run("image", "rm", again)
    different = differences(first, second)
    unexpected = {path: why for path, why in different.items() if path not in MAY_DIFFER}
    assert not unexpected, f"{len(unexpected)} files differ, among them {list(unexpected.items())[:8]}"
    return f"{len(first):,} files, {len(different)} differ, {len(MAY_DIFFER)} may"


def check_says_what_it_is() -> str:
    """Its configuration has a user that is not root, its stop signal, its health check and the labels of OCI."""
    at, name = image()
    facts = json.loads(at.run("image", "inspect", name))[0]
    config = facts["Config"]
    health = config.get("Healthcheck") or facts.get("Healthcheck")  # Docker's place, and podman's
    assert health and health["Test"] == ["CMD", "atraso-health"], health
    assert config["User"] == "10001:10001", config["User"]
    assert config["StopSignal"] in ("SIGTERM", "15"), config["StopSignal"]
    assert config["Entrypoint"] == ["atraso"], config["Entrypoint"]
    assert config["Cmd"] == ["serve"], config["Cmd"]
    assert list(config["ExposedPorts"]) == ["5000/tcp"], config["ExposedPorts"]
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items() if "opencontainers" in key}
    assert {"title", "description", "licenses", "version", "revision", "created", "name"} <= set(labels), labels
    said = {key: config["Labels"].get(key) for key in source().labels}
    assert said == source().labels, f"it says {said}, and this is {source().labels}"
    return f"version {labels['version']}, revision {labels['revision'][:12]}, created {labels['created']}"


def check_refuses_to_start_without_authentication() -> str:
    """Without ATRASO_AUTH it ends with exit code 2 and says what to do, because it listens on all addresses."""
    at, name = image()
    try:
        at.run("run", "--rm", "--network", "host", "--no-healthcheck", name)
    except CommandFailed as refusal:
        assert refusal.code == 2, refusal
        assert "ATRASO_AUTH=keys" in refusal.said, refusal
        return refusal.said.strip()
    raise AssertionError("it served whoever came")


def check_notebook_refuses_to_start_without_a_token() -> str:
    """The notebook's image ends with exit code 2 without a token, or with one that could be guessed."""
    at, _ = image()
    name = build("notebook", at)
    for token in ((), ("--env", "JUPYTER_TOKEN=short")):
        try:
            at.run("run", "--rm", "--network", "host", "--no-healthcheck", *token, name)
        except CommandFailed as refusal:
            assert refusal.code == 2, refusal
            assert "JUPYTER_TOKEN" in refusal.said, refusal
            said = refusal.said.strip()
        else:
            raise AssertionError("it let in whoever came")
    return said


def check_runs_locked_down() -> str:
    """Read-only, with no capabilities and no shell, as uid 10001 it is ready within 3 s (median of 3) and answers."""
    at, name = image()
    starts_s = []
    for _ in range(STARTS - 1):
        with started(at, name, ATRASO_AUTH="keys", ATRASO_LEDGER="spool") as container:
            starts_s.append(container.ready_after_s(30.0))
    no_shell = [word for sh in ("dash", "bash") for word in ("--volume", f"/dev/null:/usr/bin/{sh}:ro")]
    with started(at, name, *no_shell, ATRASO_AUTH="keys", ATRASO_LEDGER="spool") as container:
        starts_s.append(container.ready_after_s(30.0))
        status, answer = container.ask("POST", "/v1/predictions", QUESTION, key_for(container))
        assert status == 200, (status, answer)
        probability = answer["predictions"][0]["delay_probability"]
        assert 0 < probability < 1, answer
        assert container.ask("POST", "/v1/predictions", QUESTION)[0] == 401
        assert container.exec("atraso-health").startswith('{"status": "ready"'), "the health check"
        status_of_1 = container.exec("cat", "/proc/1/status")
        facts = dict(line.split(":\t", 1) for line in status_of_1.splitlines() if ":\t" in line)
        assert facts["Uid"].split() == ["10001"] * 4, facts["Uid"]
        assert int(facts["CapEff"], 16) == 0 == int(facts["CapBnd"], 16), facts
        assert facts["NoNewPrivs"] == "1", facts
    # What else this machine does at one of the moments is not the image's doing.
    told = f"ready after {', '.join(f'{start_s:.2f}' for start_s in starts_s)} s"
    assert median(starts_s) <= READY_WITHIN_S, told
    return f"{told}, answered {probability:.4f}"


WRITE = """
import os, pathlib
refused = []
own = "/opt/atraso/lib/python3.11/site-packages/atraso"
for folder in ("/", "/etc", "/opt/atraso", own, "/usr/bin", "/var", "/run"):
    try:
        pathlib.Path(folder, "written").write_text("x")
    except OSError as error:
        refused.append(folder)
    else:
        raise SystemExit(f"wrote to {folder}")
pathlib.Path("/data/written").write_text("x"); pathlib.Path("/tmp/written").write_text("x")
print(len(refused))
"""


def check_its_root_cannot_be_written() -> str:
    """Whatever of its root is written to refuses; its data folder and /tmp take it."""
    at, name = image()
    with started(at, name, ATRASO_AUTH="keys") as container:
        container.ready_after_s(30.0)
        refused = int(container.exec("python", "-c", WRITE))
    return f"{refused} folders refused"


def check_nothing_in_it_becomes_another_user() -> str:
    """No file of the image has a set-uid or set-gid bit."""
    at, name = image()
    found = [path for path, file in files_of(at, name).items() if file.mode & 0o6000 and not file.folder]
    assert not found, found
    return ""


def check_stops_under_load() -> str:
    """SIGTERM under load ends it within 10 s with exit code 0, and no request that was sent fails."""
    at, name = image()
    bodies = [
        json.dumps({"flights": [{**FLIGHT, "flight_number": str(number)}]}).encode() for number in range(100, 1100)
    ]
    with started(at, name, ATRASO_AUTH="keys", ATRASO_LEDGER="spool") as container:
        container.ready_after_s(30.0)
        clients = Clients(container.port, bodies, key_for(container))
        with clients.asking() as met:
            clients.answered(ENOUGH)
            code, took_s = container.stopped(STOPPED_WITHIN_S)
        said = container.logs()
    assert met.statuses[200] >= ENOUGH, met
    assert not met.failed, f"{met.failed} of {sum(met.statuses.values())} failed: {met.statuses} {met.broken[:3]}"
    assert met.ended == clients.count, f"{met.ended} of {clients.count} clients were told that it ends"
    assert code == 0, f"exit code {code}: {said}"
    assert took_s < STOPPED_WITHIN_S, f"{took_s:.1f} s"
    return f"{met.statuses[200]:,} answers, 0 failed, stopped after {took_s:.2f} s with exit code {code}"


LISTED = """
import importlib.metadata, json, pathlib, re
print(json.dumps({
    "python": sorted({re.sub("[-_.]+", "-", d.name).lower() for d in importlib.metadata.distributions()}),
    "debian": re.findall("^Package: (.*)$", pathlib.Path("/var/lib/dpkg/status").read_text(), re.MULTILINE),
    "contents": json.load(open("/usr/share/doc/atraso/sbom.cdx.json")),
}))
"""


def check_lists_its_contents() -> str:
    """The CycloneDX list in the image names every Python package of the service and every Debian package."""
    at, name = image()
    found = json.loads(
        at.run("run", "--rm", "--network", "host", "--no-healthcheck", "--entrypoint", "python", name, "-c", LISTED)
    )
    contents = found["contents"]
    assert contents["bomFormat"] == "CycloneDX", contents.keys()
    urls = [urllib.parse.unquote(part["purl"]) for part in contents["components"] if "purl" in part]
    listed = {url.partition("?")[0].split("/")[-1].partition("@")[0].lower() for url in urls}
    missing = [part for part in (*found["python"], *found["debian"]) if part.lower() not in listed]
    assert len(found["python"]) > 30 < len(found["debian"]), "the image's own lists cannot be read"
    assert not missing, f"not in the list: {missing}"
    return f"CycloneDX {contents['specVersion']}, {len(contents['components'])} components"
