"""Models at hand: checked before they are taken in or chosen, found by their version."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from atraso.artefact.bundle import BUNDLED, read_artefact, read_manifest, write_artefact
from atraso.artefact.store import Store
from atraso.cli.model import model
from atraso.core.errors import ArtefactError


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model with another decision threshold: the same answers under another version."""
    import msgspec

    manifest, tables = read_artefact(BUNDLED)
    folder = tmp_path_factory.mktemp("models") / "another"
    write_artefact(folder, msgspec.structs.replace(manifest, decision_threshold=0.5), tables)
    return folder


def test_the_bundled_model_is_used_until_another_is_chosen(tmp_path: Path, another: Path) -> None:
    """And again when it is chosen again."""
    store = Store(tmp_path / "models")
    assert store.in_use() == BUNDLED
    version = store.add(another).version
    assert store.in_use() == BUNDLED
    store.activate(version)
    assert read_manifest(store.in_use()).version == version
    assert {m.version for _, m in store.manifests()} == {version, read_manifest(BUNDLED).version}
    store.activate(read_manifest(BUNDLED).version)
    assert store.in_use() == BUNDLED


def test_what_is_refused_is_neither_taken_in_nor_chosen(tmp_path: Path, another: Path) -> None:
    """A changed file is told, and what was in use stays."""
    store = Store(tmp_path / "models")
    damaged = tmp_path / "damaged"
    shutil.copytree(another, damaged)
    (damaged / "scorecard.json").write_bytes((damaged / "scorecard.json").read_bytes()[:-10] + b"0" * 10)
    with pytest.raises(ArtefactError, match="SHA-256"):
        store.add(damaged)
    version = store.add(another).version
    store.activate(version)
    (store.folder / version / "scorecard.json").write_text("{}")
    with pytest.raises(ArtefactError, match="SHA-256"):
        store.activate(version)
    assert store.in_use().name == version


@pytest.mark.parametrize("version", ["2017.9+abcdef", "", "..", "../..", "/etc", "bundled"])
def test_a_version_that_is_not_at_hand_is_told_with_those_that_are(tmp_path: Path, version: str) -> None:
    """A version is a name and never a path."""
    with pytest.raises(ArtefactError, match="at hand: 2017"):
        Store(tmp_path / "models").activate(version)


@pytest.mark.parametrize("version", ["../../../escaped", "", "active", "2018.1+aaaaaa", "a\nb"])
def test_a_version_that_is_not_that_of_its_content_is_refused(tmp_path: Path, another: Path, version: str) -> None:
    """It names a folder here, so an artefact that calls itself something else is not taken in."""
    folder = tmp_path / "forged"
    shutil.copytree(another, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": version}))
    sums = [
        f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}" for n in ("manifest.json", "scorecard.json")
    ]
    (folder / "CHECKSUMS").write_text("\n".join([*sums, ""]))
    with pytest.raises(ArtefactError, match="version"):
        Store(tmp_path / "models").add(folder)
    assert not (tmp_path / "models").exists()


def test_another_model_in_the_place_of_a_version_is_told(tmp_path: Path, another: Path) -> None:
    """It is neither overwritten nor taken for the one that was to be added."""
    store = Store(tmp_path / "models")
    shutil.copytree(BUNDLED, store.folder / read_manifest(another).version)
    with pytest.raises(ArtefactError, match="another model"):
        store.add(another)


def test_choosing_leaves_nothing_behind_where_it_fails(tmp_path: Path) -> None:
    """Something else in the place of the choice is told."""
    store = Store(tmp_path / "models")
    (store.folder / "active" / "full").mkdir(parents=True)
    with pytest.raises(ArtefactError, match="cannot be"):
        store.activate(read_manifest(BUNDLED).version)
    assert [path.name for path in store.folder.iterdir()] == ["active"]


def test_a_choice_that_is_gone_is_told(tmp_path: Path, another: Path) -> None:
    """It does not fall back to another model in silence."""
    store = Store(tmp_path / "models")
    version = store.add(another).version
    store.activate(version)
    shutil.rmtree(store.folder / version)
    with pytest.raises(ArtefactError, match="there is no model"):
        store.in_use()


def test_by_the_command_line(tmp_path: Path, another: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add, list, activate; in the folder that the settings name."""
    monkeypatch.setenv("ATRASO_DATA", str(tmp_path))

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(model, arguments, catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    version = read_manifest(another).version
    assert version in run("add", str(another))
    assert version in run("list")
    assert "is the model to use" in run("activate", version)
    assert Store(tmp_path / "models").in_use().name == version
