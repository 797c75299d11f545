"""Disks that are full, small or read-only, for drills; only root can have them."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[None]:
    """Have a disk of its own of *mib* MiB at *folder*; skip the test by name where that cannot be."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("a small disk is a tmpfs, which only root can mount")
    made = _run("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder))
    if made.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        _run("umount", "--lazy", str(folder))


def enlarge(folder: Path, mib: int) -> None:
    """Give the disk at *folder* the size of *mib* MiB."""
    done = _run("mount", "-o", f"remount,size={mib}m", str(folder))
    assert not done.returncode, done.stderr


def make_read_only(folder: Path) -> None:
    """Let nobody write to *folder* and its files, also where they are open; skip the test where that cannot be.

    A disk is not remounted for reading only while a file is open for writing. Files that cannot be changed are as good:
    what is written to them fails, for root too.
    """
    _run("chattr", "-R", "+i", str(folder))
    _run("chattr", "-R", "+i", str(folder))  # the first time a file may have been made behind it
    # Its code says nothing: it fails at a socket.
    if _can_be_changed(folder):
        make_writable(folder)
        pytest.skip("no file can be made immutable here (chattr +i)")


def _can_be_changed(folder: Path) -> bool:
    try:
        (folder / "probe").touch()
        (folder / "probe").unlink()
    except OSError:
        return False
    return True


def make_writable(folder: Path) -> None:
    """Let them be written again."""
    _run("chattr", "-R", "-i", str(folder))


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
