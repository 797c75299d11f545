"""The files of an image, one by one, to compare two builds."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.engine import Engine


@dataclass(frozen=True, slots=True)
class File:
    """One entry of an image's root: its mode, owner, where it links to, and the digest of what it holds."""

    mode: int
    owner: tuple[int, int]
    link: str
    digest: str
    folder: bool


def files_of(engine: Engine, image: str) -> dict[str, File]:
    """Return every file of *image* by its path, as a container would see them."""
    container = engine.run("create", "--network", "host", image).strip()
    try:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "files.tar"
            engine.run("export", "-o", archive, container, timeout_s=600.0)
            return _read(archive)
    finally:
        engine.run("rm", "-v", container)


def _read(archive: Path) -> dict[str, File]:
    found = {}
    with tarfile.open(archive) as files:
        for entry in files:
            held = files.extractfile(entry) if entry.isreg() else None
            digest = hashlib.sha256(held.read()).hexdigest() if held else ""
            found[entry.name] = File(entry.mode, (entry.uid, entry.gid), entry.linkname, digest, entry.isdir())
    return found


def differences(first: dict[str, File], second: dict[str, File]) -> dict[str, str]:
    """Return the paths that are not the same in both, with what differs."""
    found = {}
    for path in sorted({*first, *second}):
        one, other = first.get(path), second.get(path)
        if one is None or other is None:
            found[path] = "only in the second" if one is None else "only in the first"
        elif one != other:
            found[path] = ", ".join(
                what for what in ("mode", "owner", "link", "digest") if getattr(one, what) != getattr(other, what)
            )
    return found
