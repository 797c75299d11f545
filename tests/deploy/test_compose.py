"""What `make compose-up` writes, without any container."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from deploy.compose import (
    ENV_FILE,
    FILE,
    NEW_PROBER_KEY,
    NOT_MADE_YET,
    PROBER_KEY,
    SECRETS,
    key_of_prober,
    let_in_prober,
    write_env,
)

if TYPE_CHECKING:
    from deploy.compose import Project


def variables_of(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def test_secrets_are_made_once_and_stay(tmp_path: Path) -> None:
    """Each secret is new, long, of its own, for the owner's eyes only, and the same the next time."""
    path = tmp_path / ".env"
    first = write_env(path, ())
    second = write_env(path, ("directory",))

    assert path.stat().st_mode & 0o777 == 0o600
    assert {first[name] for name in SECRETS} == {second[name] for name in SECRETS}
    assert len({first[name] for name in SECRETS}) == len(SECRETS)
    assert all(len(first[name]) == 48 for name in SECRETS)
    assert variables_of(path) == second
    assert write_env(tmp_path / "other", ())[SECRETS[0]] != first[SECRETS[0]]


def test_what_somebody_wrote_stays(tmp_path: Path) -> None:
    """A port or a secret that stands in the file is not changed."""
    path = tmp_path / ".env"
    path.write_text("ATRASO_PORT=5050\nJUPYTER_TOKEN=a-token-of-my-own-choosing\n")

    found = write_env(path, ())

    assert found["ATRASO_PORT"] == "5050"
    assert found["JUPYTER_TOKEN"] == "a-token-of-my-own-choosing"


def test_the_directory_is_asked_where_it_is(tmp_path: Path) -> None:
    """People log in where the profile has a directory, and only there."""
    assert write_env(tmp_path / "a", ())["ATRASO_AUTH"] == "keys"
    assert write_env(tmp_path / "b", ("directory",))["ATRASO_AUTH"] == "keys,ldap"


@dataclass
class Keys:
    """A project whose service answers for its keys: prefix and status of those it has, and what it was asked."""

    known: list[tuple[str, str]]
    asked: list[tuple[str, ...]] = field(default_factory=list)
    started: list[tuple[str, ...]] = field(default_factory=list)

    def up(self, *arguments: str) -> None:
        """Take note of what is started."""
        self.started.append(arguments)

    def do(self, *arguments: str) -> str:
        """Answer what `atraso keys` would."""
        self.asked.append(arguments)
        if arguments[-len(NEW_PROBER_KEY) :] == NEW_PROBER_KEY:
            return json.dumps({"key": "atraso_0000000b_new"})
        return json.dumps([{"prefix": prefix, "status": status} for prefix, status in self.known])


@pytest.mark.parametrize(
    ("had", "known", "found"),
    [
        (NOT_MADE_YET, [], "atraso_0000000b_new"),
        ("atraso_0000000a_old", [("atraso_0000000a", "active")], "atraso_0000000a_old"),
        ("atraso_0000000a_old", [("atraso_0000000a", "revoked")], "atraso_0000000b_new"),
        ("atraso_0000000a_old", [("atraso_0000000c", "active")], "atraso_0000000b_new"),
    ],
)
def test_the_prober_has_a_key_that_counts(had: str, known: list[tuple[str, str]], found: str) -> None:
    """One is made where there is none, where it was revoked, and where the ledger is a new one; else it stays."""
    project = Keys(known)

    assert key_of_prober(cast("Project", project), had) == found
    assert len(project.asked) == 1 + (found != had)


def test_a_prober_with_a_new_key_is_started_again_and_alone(tmp_path: Path) -> None:
    """The key is written down for the next time, when it counts and nothing is started."""
    path = tmp_path / ".env"
    first, again = Keys([]), Keys([("atraso_0000000b", "active")])

    let_in_prober(cast("Project", first), path, ("monitoring",), NOT_MADE_YET)
    kept = write_env(path, ("monitoring",))[PROBER_KEY]
    let_in_prober(cast("Project", again), path, ("monitoring",), kept)

    assert kept == "atraso_0000000b_new"
    assert (first.started, again.started) == ([("--no-deps", "prober")], [])


def test_the_place_of_the_probers_key_is_never_empty(tmp_path: Path) -> None:
    """The file needs a value before the service can make one, and one that is there stays."""
    path = tmp_path / ".env"

    assert write_env(path, ())[PROBER_KEY] == NOT_MADE_YET
    assert write_env(path, ("monitoring",), {PROBER_KEY: "a key"})[PROBER_KEY] == "a key"
    assert write_env(path, ("monitoring",))[PROBER_KEY] == "a key"


def test_every_variable_that_must_be_set_is_written(tmp_path: Path) -> None:
    """The compose file asks for no variable that the command does not write."""
    asked = set(re.findall(r"\$\{(\w+):\?", FILE.read_text()))

    assert asked <= set(write_env(tmp_path / ".env", ()))
    assert ENV_FILE.parent == FILE.parent
