"""An artefact that is not exactly what was written is refused, each time with its own sentence."""

import hashlib
import json
import shutil
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from atraso.artefact.bundle import BUNDLED, CHECKSUMS, MANIFEST, TABLES, read_artefact, write_artefact
from atraso.artefact.scorer import Scorer, load_scorer
from atraso.core.errors import ArtefactError, SettingsError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the bundled artefact that a test may spoil."""
    return Path(shutil.copytree(BUNDLED, tmp_path / "model"))


def sign_again(folder: Path) -> None:
    """Write the checksums that the folder's files now have, as someone who tampers carefully would."""
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in (MANIFEST, TABLES)]
    (folder / CHECKSUMS).write_text("".join(lines))


def refusal(folder: Path) -> str:
    with pytest.raises(ArtefactError) as refused:
        load_scorer(folder)
    return str(refused.value)


def test_the_bundled_artefact_is_good() -> None:
    """The package's own artefact passes every check and answers its golden flights."""
    assert len(load_scorer().manifest.golden) > 20


@pytest.mark.parametrize("name", [MANIFEST, TABLES])
@pytest.mark.parametrize("place", [0.0, 0.37, 0.99])
def test_a_changed_byte_is_refused_before_anything_is_parsed(copy: Path, name: str, place: float) -> None:
    """One bit anywhere in a file of the artefact, and the sentence names that file."""
    data = bytearray((copy / name).read_bytes())
    data[int(place * len(data))] ^= 1
    (copy / name).write_bytes(data)

    assert f"{name} has been changed" in refusal(copy)


@pytest.mark.parametrize("name", [MANIFEST, TABLES, CHECKSUMS])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    """An incomplete folder says which file it lacks."""
    (copy / name).unlink()

    assert f"{name} is missing" in refusal(copy)


def test_a_file_too_many_is_refused(copy: Path) -> None:
    """A folder with something else in it is not taken for an artefact."""
    (copy / "model.pkl").write_bytes(b"x")

    assert "not part of an artefact: model.pkl" in refusal(copy)


def test_no_folder_says_what_to_give(tmp_path: Path) -> None:
    """A path that is not there is explained."""
    assert "atraso train --out" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("format_version", 99, "written in format 99, this version of Atraso reads format 2"),
        ("feature_fingerprint", "0" * 64, "the manifest's checksum is not that of its content"),
        ("base_rate", "much", "is not a manifest"),
    ],
)
def test_a_manifest_changed_with_its_checksum_is_refused(copy: Path, field: str, value: object, says: str) -> None:
    """Checksums written anew do not help: the content is checked against itself, each fault in its own words."""
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest[field] = value
    (copy / MANIFEST).write_text(json.dumps(manifest))
    sign_again(copy)

    assert says in refusal(copy)


def test_an_artefact_of_other_features_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model made from another feature specification says so, and says what to do."""
    manifest, tables = read_artefact(BUNDLED)
    monkeypatch.setattr("atraso.artefact.bundle.fingerprint", lambda: "f" * 64)
    write_artefact(tmp_path / "other", manifest, tables)
    monkeypatch.undo()

    assert "was trained with other features (fingerprint ffffffffffff" in refusal(tmp_path / "other")


def test_tables_of_another_artefact_are_refused(copy: Path) -> None:
    """Tables swapped in with fresh checksums do not belong to the manifest."""
    (copy / TABLES).write_bytes((copy / TABLES).read_bytes() + b" ")
    sign_again(copy)

    assert "is not the one its manifest was written for" in refusal(copy)


def test_a_model_that_does_not_give_its_golden_answers_is_refused() -> None:
    """Numbers that were altered before writing are caught by the questions the manifest keeps."""
    manifest, tables = read_artefact(BUNDLED)
    late_and_early = {origin: (n, n // 2, delay) for origin, (n, _, delay) in tables.totals.items()}
    altered = msgspec.structs.replace(tables, totals=late_and_early)

    with pytest.raises(ArtefactError, match="does not give its own golden answer"):
        Scorer(manifest, altered)


def test_writing_is_repeatable_and_leaves_the_time_of_creation_outside_the_checksum(tmp_path: Path) -> None:
    """Written twice at different times, an artefact has one checksum and one version."""
    manifest, tables = read_artefact(BUNDLED)
    later = msgspec.structs.replace(manifest, created_at="2031-01-01T00:00:00+00:00")
    first, second = write_artefact(tmp_path / "a", manifest, tables), write_artefact(tmp_path / "b", later, tables)

    assert first.checksum == second.checksum == manifest.checksum
    assert first.version == second.version
    assert (tmp_path / "a" / TABLES).read_bytes() == (tmp_path / "b" / TABLES).read_bytes()


def test_a_signature_is_checked_where_a_key_is_set(tmp_path: Path) -> None:
    """Signed by the right key it loads; unsigned, signed by another key or changed afterwards it does not."""
    manifest, tables = read_artefact(BUNDLED)
    keys = {}
    for name in ("ours", "theirs"):
        key = Ed25519PrivateKey.generate()
        keys[name] = (tmp_path / f"{name}.pem", tmp_path / f"{name}.pub")
        keys[name][0].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        keys[name][1].write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    signed = tmp_path / "signed"
    write_artefact(signed, manifest, tables, signing_key=keys["ours"][0])

    assert read_artefact(signed, verify_key=keys["ours"][1])[0].checksum == manifest.checksum
    with pytest.raises(ArtefactError, match="the signature is not by the key"):
        read_artefact(signed, verify_key=keys["theirs"][1])
    with pytest.raises(ArtefactError, match="is not signed"):
        read_artefact(BUNDLED, verify_key=keys["ours"][1])
    with pytest.raises(SettingsError, match="cannot be read as a PEM public key"):
        read_artefact(signed, verify_key=signed / TABLES)
    (signed / CHECKSUMS).write_text((signed / CHECKSUMS).read_text() + "\n")
    with pytest.raises(ArtefactError, match="the signature is not by the key"):
        read_artefact(signed, verify_key=keys["ours"][1])
