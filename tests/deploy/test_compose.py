"""What `make compose-up` writes, without any container."""

import re
from pathlib import Path

from deploy.compose import ENV_FILE, FILE, SECRETS, write_env


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


def test_every_variable_that_must_be_set_is_written(tmp_path: Path) -> None:
    """The compose file asks for no variable that the command does not write."""
    asked = set(re.findall(r"\$\{(\w+):\?", FILE.read_text()))

    assert asked <= set(write_env(tmp_path / ".env", ()))
    assert ENV_FILE.parent == FILE.parent
