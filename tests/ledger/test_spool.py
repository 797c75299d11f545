"""The spool keeps what it took, through kills, full disks and torn tails."""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import shutil
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atraso.ledger.spool import Spool, read_spool


def append(spool: Spool, payload: bytes) -> bool:
    spool.add(payload)
    return spool.flush()


def kept(folder: Path) -> list[bytes]:
    return [payload for path in sorted(folder.glob("*.spool")) for payload in read_spool(path)]


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20))
def test_records_come_back_in_their_order(tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes]) -> None:
    """Also over several files."""
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, max_file_bytes=500)
    assert all(append(spool, payload) for payload in payloads)
    assert kept(folder) == payloads


@settings(max_examples=50)
@given(st.data())
def test_a_torn_or_damaged_tail_ends_the_file_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """What is read is always a beginning of what was written."""
    folder = tmp_path_factory.mktemp("spool")
    payloads = [b"%d" % n * (n + 1) for n in range(8)]
    spool = Spool(folder)
    for payload in payloads:
        append(spool, payload)
    [path] = folder.glob("*.spool")
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content + bytes(data.draw(st.integers(0, 40))))
    read = list(read_spool(path))
    assert read == payloads[: len(read)]


def _append(folder: Path, said: Connection[Any, Any]) -> None:
    spool = Spool(folder, max_file_bytes=10_000)
    n = 0
    while True:
        if append(spool, b"%d" % n * 20):
            os.write(said.fileno(), b"%d\n" % n)  # what a client would have been told
        n += 1


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """However hard the end: every record that was acknowledged is there."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_append, args=(tmp_path, theirs))
    process.start()
    theirs.close()
    said = b""
    while said.count(b"\n") < 2000:
        said += os.read(ours.fileno(), 65536)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    while more := os.read(ours.fileno(), 65536):
        said += more
    ours.close()
    answered = [int(line) for line in said.split(b"\n")[:-1]]
    assert kept(tmp_path)[: len(answered)] == [b"%d" % n * 20 for n in answered]


def test_what_cannot_be_written_whole_is_not_kept_at_all_and_later_ones_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A limit on the size of files stands in for a full disk: what fits in part is taken back."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    spool = Spool(tmp_path)
    try:
        assert append(spool, b"a" * 1000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
        with caplog.at_level(logging.ERROR):
            spool.add(b"b" * 300)
            assert not append(spool, b"b" * 1000)
            assert append(spool, b"c" * 100)
            assert not append(spool, b"d" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert append(spool, b"e" * 2000)
    assert kept(tmp_path) == [b"a" * 1000, b"c" * 100, b"e" * 2000]
    assert sum("cannot be kept" in message for message in caplog.messages) == 1


def test_a_folder_that_is_not_there_is_made_and_one_that_cannot_be_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first record makes it; a file in its place is a failure like a full disk."""
    assert append(Spool(tmp_path / "new" / "folder"), b"a")
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.ERROR):
        assert not append(Spool(tmp_path / "file"), b"a")
    assert "file" in caplog.text


def test_a_file_that_is_removed_under_its_worker_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that it held, in a folder that is made again; while that cannot be, records are not kept."""
    monkeypatch.setattr("atraso.ledger.spool.LOOK_EVERY_S", 0.0)
    folder = tmp_path / "spool"
    spool = Spool(folder)
    assert append(spool, b"a")
    assert append(spool, b"b" * 5_000_000)
    shutil.rmtree(folder)
    folder.write_text("in the way")
    assert not append(spool, b"c")
    folder.unlink()
    assert append(spool, b"d")
    spool.close()
    assert kept(folder) == [b"a", b"b" * 5_000_000, b"d"]
