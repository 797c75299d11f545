"""The compose file without any one of its controls is red."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from deploy.compose import FILE
from deploy.compose_rules import violations

WHOLE: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
EACH = ("read_only", "cap_drop", "security_opt")
OPEN = "0.0.0.0:5000:5000"


def changed(change: Callable[[dict[str, Any]], object]) -> list[str]:
    """Return what the rules say to a copy of the file's services after *change*."""
    file = copy.deepcopy(WHOLE)
    change(file["services"])
    return violations(file)


def test_the_file_is_green() -> None:
    """Nothing is wrong with the file as it is."""
    assert violations(WHOLE) == []


@pytest.mark.parametrize("service", WHOLE["services"])
@pytest.mark.parametrize("control", EACH)
def test_a_service_without_a_lock_is_red(service: str, control: str) -> None:
    """Whichever service lacks whichever of its locks, a rule names the service."""
    found = changed(lambda services: services[service].pop(control))

    assert len(found) == 1 and found[0].startswith(f"{service}: ")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s["api"].update(ports=[OPEN]), "open to other machines"),
        (lambda s: s["api"].update(ports=["${ATRASO_ADDRESS:-127.0.0.1}:5000:8080"]), "another port than 5000"),
        (lambda s: s["postgres"].update(ports=["5432:5432"]), "reached from outside"),
        (lambda s: s["api"].pop("mem_limit"), "all memory"),
        (lambda s: s["api"].update(image="localhost/atraso:latest"), "another image tomorrow"),
        (lambda s: s["api"].update(privileged=True), "privileged gives it more"),
        (lambda s: s["api"].update(cap_add=["SYS_ADMIN"]), "cap_add gives it more"),
        (lambda s: s["api"].update(network_mode="host"), "network with the machine"),
        (lambda s: s["api"]["environment"].update(ATRASO_AUTH="none"), "asks nobody"),
        (lambda s: s["api"]["environment"].update(ATRASO_INSECURE="true"), "asks nobody"),
        (lambda s: s["api"]["environment"].update(ATRASO_LEDGER_URL="postgresql://u:p@postgres/n"), "password in it"),
        (lambda s: s["postgres"]["environment"].update(POSTGRES_PASSWORD="secret"), "is in the file"),
        (lambda s: s["notebook"]["environment"].update(JUPYTER_TOKEN="${JUPYTER_TOKEN:-}"), "may be empty"),
        (lambda s: s["prometheus"].update(volumes=["./monitoring:/monitoring"]), "can write to"),
        (lambda s: s["notebook"].update(volumes=["${FLIGHTS_FOLDER:-./flights}:/flights"]), "can write to"),
        (lambda s: s["grafana"].pop("profiles"), "without a profile"),
    ],
)
def test_what_is_worse_is_named(change: Callable[[dict[str, Any]], object], says: str) -> None:
    """Each way to be less safe is told in words that name it."""
    found = changed(change)

    assert len(found) == 1 and says in found[0], found
