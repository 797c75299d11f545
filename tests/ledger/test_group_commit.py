"""When a spool is forced to the disk: before the answer, soon after it without anybody's waiting, or never."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from atraso.ledger import group_commit
from atraso.ledger.run import Mark
from atraso.ledger.spool import Fsync, Spool, read_spool
from tests.ledger.places import eventually

ANSWERING = """
import os, sys
from pathlib import Path
from atraso.ledger.spool import Spool
spool = Spool(Path(sys.argv[1]), fsync=sys.argv[2])
for n in range(5):
    spool.add(b"record %d" % n)
    assert spool.flush()
    os.write(1, b"answer %d" % n)
"""


def append(spool: Spool, payload: bytes) -> bool:
    spool.add(payload)
    return spool.flush()


def traced(folder: Path, fsync: Fsync) -> list[str]:
    """Return what a process that keeps and answers asks of the system, in its order: `record`, `force`, `answer`."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    log = folder / "trace"
    command = [sys.executable, "-c", ANSWERING, str(folder / "spool"), fsync]
    watch = ["strace", "-f", "-o", str(log), "-e", "trace=write,fdatasync,fsync", "-s", "200"]
    done = subprocess.run([*watch, *command], capture_output=True, check=False)
    if b"ptrace" in done.stderr:
        pytest.skip("processes cannot be traced here")
    assert done.returncode == 0, done.stderr
    found = []
    for line in log.read_text().splitlines():
        if "fdatasync(" in line and line.endswith("= 0"):
            found.append("force")
        found += [kind for kind in ("record", "answer") if f"{kind} " in line and "write(" in line]
    return found


def test_each_record_is_on_the_disk_before_its_answer_is_given(tmp_path: Path) -> None:
    """As the system sees it: written, forced, answered."""
    assert traced(tmp_path, "each") == ["record", "force", "answer"] * 5


def test_nothing_is_forced_where_that_is_off(tmp_path: Path) -> None:
    """Written and answered."""
    assert traced(tmp_path, "off") == ["record", "answer"] * 5


class Disk:
    """Counts what it is asked to force, and takes as long as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.forced: list[tuple[int, int, str]] = []  # which file, how many bytes of it, by which thread
        self.free = threading.Event()
        self.free.set()
        self.broken = False
        self._force = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self)

    def __call__(self, fd: int) -> None:
        found = os.fstat(fd)
        self.free.wait(20)
        if self.broken:
            raise OSError(errno.EIO, "Input/output error")
        self._force(fd)
        self.forced.append((found.st_ino, found.st_size, threading.current_thread().name))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_a_batch_is_forced_soon_and_by_another_thread(tmp_path: Path, disk: Disk) -> None:
    """Many records with one call, no more than one each 100 ms; what is written last is forced too."""
    mark = Mark()
    spool = Spool(tmp_path, fsync="batch", mark=mark)
    began = time.monotonic()
    while time.monotonic() < began + 0.5:
        assert append(spool, b"x" * 100)
        time.sleep(0.002)
    eventually(lambda: disk.forced and disk.forced[-1][1] == spool._size)
    eventually(lambda: not mark.written_ns and not mark.forcing_ns)
    assert {thread for _, _, thread in disk.forced} == {"ledger-sync"}
    assert 2 <= len(disk.forced) <= 8


def test_while_the_disk_stalls_answers_go_on_and_it_is_told(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No record waits for it; how long the oldest one waits can be seen, and the log tells when it is over."""
    monkeypatch.setattr(group_commit, "STALLED_S", 0.2)
    mark = Mark()
    spool = Spool(tmp_path, fsync="batch", mark=mark)
    disk.free.clear()
    assert append(spool, b"first")
    eventually(lambda: mark.forcing_ns)
    since = mark.forcing_ns
    with caplog.at_level(logging.ERROR):
        for n in range(100):
            assert append(spool, b"%d" % n)
        time.sleep(0.3)
        assert mark.forcing_ns == since
        assert 0 < since < mark.written_ns
        assert disk.forced == []
        disk.free.set()
        eventually(lambda: len(disk.forced) == 2 and not mark.forcing_ns and not mark.written_ns)
    assert disk.forced[-1][1] == spool._size
    assert "a loss of power" in caplog.text


def test_a_complete_file_is_forced_before_it_is_let_go(tmp_path: Path, disk: Disk) -> None:
    """Each of many short files, with all that it holds, and no file stays open."""
    spool = Spool(tmp_path, max_file_bytes=300, fsync="batch")
    for n in range(40):
        assert append(spool, b"%d" % n * 40)
        time.sleep(0.005)
    spool.close()
    whole = {path.stat().st_ino: path.stat().st_size for path in tmp_path.iterdir()}
    assert len(whole) > 5
    eventually(lambda: {inode: size for inode, size, _ in disk.forced} == whole)
    eventually(lambda: not open_files(tmp_path))
    assert [p for path in sorted(tmp_path.iterdir()) for p in read_spool(path)] == [b"%d" % n * 40 for n in range(40)]


def test_a_disk_that_fails_keeps_nothing_that_was_to_be_forced(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """With `each` the record is taken back and not acknowledged; the next one goes into another file."""
    spool = Spool(tmp_path, fsync="each")
    assert append(spool, b"a")
    disk.broken = True
    with caplog.at_level(logging.ERROR):
        assert not append(spool, b"b")
    disk.broken = False
    assert append(spool, b"c")
    assert [list(read_spool(path)) for path in sorted(tmp_path.iterdir())] == [[b"a"], [b"c"]]
    assert "cannot be kept" in caplog.text


def test_a_disk_that_fails_a_batch_is_told(tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """The records are there for the writer all the same, and the thread goes on."""
    disk.broken = True
    batches = Spool(tmp_path, fsync="batch")
    with caplog.at_level(logging.ERROR):
        assert append(batches, b"a")
        eventually(lambda: "cannot be forced" in caplog.text)
    disk.broken = False
    assert append(batches, b"b")
    eventually(lambda: disk.forced)


def test_the_names_of_new_files_are_forced_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder's and that of the folder itself: a file without a name is lost with the power."""
    forced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: forced.append(str(Path(f"/proc/self/fd/{fd}").readlink())))
    folder = tmp_path / "spool"
    assert append(Spool(folder, fsync="each"), b"a")
    assert forced == [str(folder), str(tmp_path)]
    forced.clear()
    assert append(Spool(folder, fsync="batch"), b"a")
    eventually(lambda: forced == [str(folder), str(tmp_path)])
    forced.clear()
    assert append(Spool(folder, fsync="off"), b"a")
    assert forced == []


def open_files(folder: Path) -> list[str]:
    """Return which files of *folder* this process has open."""
    links = []
    for fd in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(fd.readlink()))
        except OSError:
            continue
    return [link for link in links if link.startswith(str(folder))]
