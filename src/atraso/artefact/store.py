"""The models at hand in a data folder, and which of them is to be used.

Each artefact lies in a folder named after its version; the file `active` names one of them. The bundled model is always
at hand, and is the one to be used while nothing else is said.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from atraso.artefact.bundle import BUNDLED, read_manifest
from atraso.artefact.manifest import Manifest
from atraso.artefact.scorer import load_scorer
from atraso.core.errors import ArtefactError

ACTIVE = "active"
_VERSION = re.compile(r"\d{4}\.\d+\+[0-9a-f]+", re.ASCII)


class Store:
    """The models in *folder*, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def manifests(self) -> Iterator[tuple[Path, Manifest]]:
        """Yield folder and manifest of each model at hand, the bundled one first; what is no artefact is left out."""
        yield BUNDLED, read_manifest(BUNDLED)
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            if path.is_dir() and not path.name.startswith("."):
                try:
                    yield path, read_manifest(path)
                except (ArtefactError, OSError):
                    continue

    def add(self, artefact: Path, *, verify_key: Path | None = None) -> Manifest:
        """Check the artefact at *artefact* and copy it here; raises ArtefactError where it is refused."""
        manifest = load_scorer(artefact, verify_key=verify_key).manifest
        there = self.folder / manifest.version
        if manifest.checksum == _bundled().checksum:
            return manifest
        if there.exists():
            kept = read_manifest(there)
            if kept.checksum != manifest.checksum:
                raise ArtefactError(f"{there} holds another model under the same version: take it away first")
            return manifest
        fresh = self.folder / f".{manifest.version}.{os.getpid()}"
        try:
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(artefact, fresh)
            fresh.rename(there)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise ArtefactError(f"{artefact} cannot be copied to {there}: {error.strerror or error}") from None
        return manifest

    def activate(self, version: str, *, verify_key: Path | None = None) -> Manifest:
        """Say that the model of *version* is to be used, once it has shown that it can be."""
        manifest = load_scorer(self.folder_of(version), verify_key=verify_key).manifest
        beside = self.folder / f".{ACTIVE}.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            beside.write_text(f"{version}\n")
            beside.replace(self.folder / ACTIVE)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise ArtefactError(f"{self.folder / ACTIVE} cannot be written: {error.strerror}") from None
        return manifest

    def stamp(self) -> object:
        """Return what changes whenever a model is chosen, the same one again too."""
        try:
            found = (self.folder / ACTIVE).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def in_use(self) -> Path:
        """Return the folder of the model that is to be used; raises ArtefactError where it is not at hand."""
        try:
            version = (self.folder / ACTIVE).read_text().strip()
        except FileNotFoundError:
            return BUNDLED
        except OSError as error:
            raise ArtefactError(f"{self.folder / ACTIVE} cannot be read: {error.strerror}") from None
        return self.folder_of(version)

    def folder_of(self, version: str) -> Path:
        """Return the folder of the model of *version*; raises ArtefactError where it is not at hand."""
        if version == _bundled().version:
            return BUNDLED
        folder = self.folder / version
        if _VERSION.fullmatch(version) and folder.is_dir():
            return folder
        known = ", ".join(manifest.version for _, manifest in self.manifests())
        raise ArtefactError(
            f"there is no model {version!r} in {self.folder}; at hand: {known} (`atraso model add FOLDER` brings more)"
        )


def artefact_stamp(folder: Path) -> object:
    """Return what changes when a file of the artefact in *folder* does."""
    return folder, tuple((p.name, p.stat().st_ino, p.stat().st_mtime_ns) for p in sorted(folder.iterdir()))


@cache
def _bundled() -> Manifest:
    return read_manifest(BUNDLED)
