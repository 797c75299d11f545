"""Reading and writing the folder of an artefact. Nothing is parsed before its SHA-256 has been compared.

manifest.json    what the artefact says of itself
scorecard.json   the numbers
CHECKSUMS        SHA-256 of the two, in the form that `sha256sum -c CHECKSUMS` reads
CHECKSUMS.sig    Ed25519 signature of CHECKSUMS, where it was signed
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from atraso.artefact.manifest import FORMAT_VERSION, FileDigest, Manifest
from atraso.artefact.tables import TablesFile, decoded, encoded
from atraso.core.errors import ArtefactError, SettingsError
from atraso.core.features import fingerprint

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MANIFEST, TABLES, CHECKSUMS, SIGNATURE = "manifest.json", "scorecard.json", "CHECKSUMS", "CHECKSUMS.sig"
# A scorecard has a few hundred thousand numbers at most; anything larger is not one of ours.
MAX_FILE_BYTES = 64 * 1024 * 1024
BUNDLED = Path(__file__).parent / "bundled"


class _FormatOnly(msgspec.Struct, frozen=True):
    format_version: int


def write_artefact(
    folder: Path, manifest: Manifest, tables: TablesFile, *, signing_key: Path | None = None
) -> Manifest:
    """Write the artefact to *folder* (made anew, in one step) and return the manifest as written.

    The manifest's files, checksum and version are filled in here. With *signing_key* (PEM, Ed25519) it is signed.
    """
    key = read_signing_key(signing_key) if signing_key else None
    table_bytes = encoded(tables) + b"\n"
    manifest = msgspec.structs.replace(
        manifest,
        format_version=FORMAT_VERSION,
        feature_fingerprint=fingerprint(),
        files=(FileDigest(TABLES, len(table_bytes), hashlib.sha256(table_bytes).hexdigest()),),
    )
    # Through its own file form once: a whole number in a field of fractions reads back as a fraction.
    manifest = msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest)
    checksum = manifest.content_checksum()
    manifest = msgspec.structs.replace(manifest, checksum=checksum)
    manifest = msgspec.structs.replace(manifest, version=_version_of(manifest))
    manifest_bytes = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    sums = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n"
        for name, data in ((MANIFEST, manifest_bytes), (TABLES, table_bytes))
    ).encode()
    content = {MANIFEST: manifest_bytes, TABLES: table_bytes, CHECKSUMS: sums}
    if key is not None:
        content[SIGNATURE] = base64.b64encode(key.sign(sums)) + b"\n"
    try:
        _put(folder, content)
    except OSError as error:
        raise ArtefactError(f"{folder} cannot be written: {error.strerror}") from error
    return manifest


def check_destination(folder: Path, *, replace: bool) -> None:
    """Raise SettingsError where an artefact could not be written to *folder*; called before the work begins."""
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder} is a file: choose a folder")
    if folder.exists() and not replace:
        raise SettingsError(f"{folder} exists already: choose another folder, or say --replace")
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise SettingsError(f"{folder} is not an artefact, so it is not replaced: choose another folder")
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder.absolute().parent):
            pass
    except OSError as error:
        raise SettingsError(f"nothing can be written beside {folder}: {error.strerror}") from error


def _put(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write the files to a new folder, flush them to the disk, and only then let it take the old one's place."""
    folder = folder.absolute()
    fresh, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{word}") for word in ("new", "old"))
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        for name, data in content.items():
            with (fresh / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def read_artefact(folder: Path, *, verify_key: Path | None = None) -> tuple[Manifest, TablesFile]:
    """Return what *folder* holds, or raise ArtefactError saying why it is refused and what to do.

    With *verify_key* (PEM, Ed25519 public key) an artefact that is unsigned or signed by another key is refused.
    """
    if not folder.is_dir():
        raise ArtefactError(f"there is no artefact at {folder}: give the folder that `atraso train --out` wrote")
    for name in (MANIFEST, TABLES, CHECKSUMS):
        if not (folder / name).is_file():
            raise ArtefactError(f"{folder} is incomplete: {name} is missing; copy the whole folder again")
    known = {MANIFEST, TABLES, CHECKSUMS, SIGNATURE}
    extra = sorted(p.name for p in folder.iterdir() if p.name not in known and not p.name.startswith("."))
    if extra:
        raise ArtefactError(f"{folder} holds a file that is not part of an artefact: {extra[0]}; take it out")
    sums = _read(folder / CHECKSUMS)
    if verify_key is not None:
        _check_signature(folder, sums, verify_key)
    content = {name: _checked(folder, name, sums) for name in (MANIFEST, TABLES)}
    manifest = _manifest(folder, content[MANIFEST])
    listed = [d for d in manifest.files if d.name == TABLES]
    if not listed or listed[0].sha256 != hashlib.sha256(content[TABLES]).hexdigest():
        raise ArtefactError(f"{folder}: {TABLES} is not the one its manifest was written for; copy the folder again")
    if manifest.feature_fingerprint != fingerprint():
        raise ArtefactError(
            f"{folder} was trained with other features (fingerprint {manifest.feature_fingerprint[:12]}, this "
            f"version has {fingerprint()[:12]}): train it again with this version, or use the version that made it"
        )
    try:
        tables = decoded(content[TABLES])
    except msgspec.DecodeError as error:
        raise ArtefactError(f"{folder}: {TABLES} is not a table of this format ({error}); train it again") from error
    return manifest, tables


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of *folder* alone, checked against its checksum; for listings."""
    for name in (MANIFEST, CHECKSUMS):
        if not (folder / name).is_file():
            raise ArtefactError(f"{folder} is not an artefact: {name} is missing")
    return _manifest(folder, _checked(folder, MANIFEST, _read(folder / CHECKSUMS)))


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ArtefactError(f"{path} has {size} bytes, more than any artefact of this format; it is refused unread")
    return path.read_bytes()


def _checked(folder: Path, name: str, sums: bytes) -> bytes:
    data = _read(folder / name)
    digest = hashlib.sha256(data).hexdigest()
    if f"{digest}  {name}".encode() not in sums.splitlines():
        raise ArtefactError(
            f"{folder / name} has been changed: its SHA-256 is not the one in {CHECKSUMS}; copy it again"
        )
    return data


def _manifest(folder: Path, data: bytes) -> Manifest:
    try:
        written_as = msgspec.json.decode(data, type=_FormatOnly).format_version
        if written_as != FORMAT_VERSION:
            raise ArtefactError(
                f"{folder} is written in format {written_as}, this version of Atraso reads format {FORMAT_VERSION}: "
                "train it again with this version, or install the version that made it"
            )
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise ArtefactError(f"{folder}: {MANIFEST} is not a manifest ({error}); copy the folder again") from error
    if manifest.checksum != manifest.content_checksum():
        raise ArtefactError(f"{folder}: the manifest's checksum is not that of its content; copy the folder again")
    if manifest.version != _version_of(manifest) or not manifest.trained_to[:4].isdecimal():
        raise ArtefactError(f"{folder}: the version {manifest.version!r} is not that of its content; train it again")
    return manifest


def _version_of(manifest: Manifest) -> str:
    """Return the version that an artefact of this content has: it names folders and routes, so it is never another."""
    return f"{manifest.trained_to[:4]}.1+{manifest.checksum[:6]}"


def _check_signature(folder: Path, sums: bytes, verify_key: Path) -> None:
    # Here and below: 8 MB in every worker, for what most services never do.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    if not (folder / SIGNATURE).is_file():
        raise ArtefactError(f"{folder} is not signed, and a key to verify with is set: sign it with --sign-key")
    try:
        key = load_pem_public_key(verify_key.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"the verify key {verify_key} cannot be read as a PEM public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"the verify key {verify_key} is not an Ed25519 key")
    try:
        key.verify(base64.b64decode(_read(folder / SIGNATURE), validate=False), sums)
    except (InvalidSignature, binascii.Error) as error:
        raise ArtefactError(
            f"{folder}: the signature is not by the key {verify_key}; do not use this artefact"
        ) from error


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """Return the Ed25519 private key of a PEM file; raises SettingsError where it is none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"the signing key {path} cannot be read as an unencrypted PEM key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"the signing key {path} is not an Ed25519 key (openssl genpkey -algorithm ed25519)")
    return key
