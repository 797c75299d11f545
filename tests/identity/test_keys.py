"""API keys: made once, shown once, kept as digests."""

from __future__ import annotations

import json
import multiprocessing
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from atraso.cli.keys import keys
from atraso.identity.keys import KeyFile, Keys, KeysError


def test_a_key_is_known_and_anything_else_is_not(tmp_path: Path) -> None:
    """Each key finds its own principal; one character changed finds none."""
    file = KeyFile(tmp_path)
    desk, _ = file.create("desk", ["predict"])
    feed, _ = file.create("feed", ["report", "predict"])
    known = Keys(file.read())
    assert known.principal_of(desk) is not None
    found = known.principal_of(feed)
    assert found is not None
    assert (found.name, found.roles) == ("feed", {"predict", "report"})
    for i in range(len(desk)):
        changed = desk[:i] + ("x" if desk[i] != "x" else "y") + desk[i + 1 :]
        assert known.principal_of(changed) is None
    for wrong in ("", "atraso_", desk[:-1], desk + "a", desk.upper(), desk.replace("_", "-", 1), "é" * 40):
        assert known.principal_of(wrong) is None


def test_the_key_itself_is_not_kept(tmp_path: Path) -> None:
    """The file has a digest and a prefix, and is its owner's alone."""
    key, record = KeyFile(tmp_path).create("desk", ["predict"])
    text = (tmp_path / "keys.json").read_text()
    assert key not in text
    assert key.removeprefix(record.prefix) not in text
    assert key.startswith(record.prefix)
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "roles"), [("", ["predict"]), ("  ", ["predict"]), ("a\nb", ["predict"]), ("a" * 81, ["predict"]),
                        ("a", []), ("a", ["king"]), ("a", ["predict", "king"])],
)  # fmt: skip
def test_a_name_or_role_that_cannot_be_used_is_refused(tmp_path: Path, name: str, roles: list[str]) -> None:
    """Nothing is written."""
    with pytest.raises(KeysError):
        KeyFile(tmp_path).create(name, roles)
    assert not (tmp_path / "keys.json").exists()


def test_a_name_is_given_once(tmp_path: Path) -> None:
    """Two keys of one name could not be told apart in what they did."""
    KeyFile(tmp_path).create("desk", ["predict"])
    with pytest.raises(KeysError, match="already"):
        KeyFile(tmp_path).create("desk", ["report"])


def _create(folder: Path, name: str) -> None:
    KeyFile(folder).create(name, ["predict"])


def test_keys_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    """Whoever writes waits for the other."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_create, args=(tmp_path, f"system {n}")) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(KeyFile(tmp_path).read()) == 4


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """Neither taken for no keys nor overwritten."""
    (tmp_path / "keys.json").write_text('{"keys": [{"name": "desk"}')
    with pytest.raises(KeysError, match="damaged"):
        KeyFile(tmp_path).read()
    with pytest.raises(KeysError, match="damaged"):
        KeyFile(tmp_path).create("desk", ["predict"])


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """In words, with its name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(KeysError, match="file"):
        KeyFile(tmp_path / "file").create("desk", ["predict"])


def test_the_command_shows_the_key_once(tmp_path: Path) -> None:
    """On standard output alone, so that it can be piped; as JSON where asked."""
    arguments = ["create", "--role", "predict", "--data", str(tmp_path)]
    plain = CliRunner().invoke(keys, [*arguments, "--name", "desk"])
    assert plain.exit_code == 0
    assert Keys(KeyFile(tmp_path).read()).principal_of(plain.stdout.strip())
    told = CliRunner().invoke(keys, [*arguments, "--name", "feed", "--role", "report", "--json"])
    made = json.loads(told.stdout)
    assert made["roles"] == ["predict", "report"]
    assert Keys(KeyFile(tmp_path).read()).principal_of(made["key"])
