"""A load whose every whole answer is noted (`tests.drill.journal`), and a watch over the ledger's balance meanwhile."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import ROOT
from tests.drill.full import Full

CLIENTS = 6
LOOK_EVERY_S = 0.05


@dataclass
class Told:
    """What the clients were told: identifiers in the order of their files, requests by status, broken ones."""

    ids: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0


@contextlib.contextmanager
def journaling(full: Full, folder: Path, *, many: int = 0) -> Iterator[Told]:
    """Have clients ask and note what they are told; it is there when the block is left.

    Of the requests one in eight asks for *many* flights, where there are to be such.
    """
    folder.mkdir()
    requests = full.requests()
    if many:
        larger = full.requests(many)
        for n in range(0, len(requests), 8):
            requests[n] = larger[n // 8 % len(larger)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.drill.journal"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    told = Told()
    try:
        assert process.stdin is not None
        plan = {"port": full.port, "requests": requests, "folder": str(folder), "clients": CLIENTS}
        process.stdin.write(json.dumps(plan).encode() + b"\n")
        process.stdin.flush()
        yield told
        said = json.loads(process.communicate(timeout=60)[0])
    finally:
        process.kill()
        process.communicate()
    told.statuses = Counter({int(status): count for status, count in said["statuses"].items()})
    told.broken = said["broken"]
    for file in sorted(folder.iterdir()):
        told.ids += file.read_text().split()


class Balance:
    """Reads the metrics again and again while the block runs, and notes where the ledger's rows do not add up.

    *full* returns the service that runs now. `most` is the largest of each state that was seen.
    """

    def __init__(self, full: Callable[[], Full]) -> None:
        self._full = full
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.wrong: list[dict[str, int]] = []
        self.looks = self.unread = 0
        self.most: dict[str, int] = {}
        self.failing = 0

    def __enter__(self) -> Balance:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _look(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                rows = self._full().ledger_rows()
            except (OSError, ValueError):
                self.unread += 1
                continue
            self.looks += 1
            if not balanced(rows):
                self.wrong.append(rows)
            for state, count in rows.items():
                self.most[state] = max(count, self.most.get(state, 0))


def balanced(rows: dict[str, int]) -> bool:
    """Return whether accepted = kept + shed, and kept = stored + set aside + queued, of which none is negative."""
    return (
        rows["accepted"] == rows["kept"] + rows["shed"]
        and rows["kept"] == rows["stored"] + rows["set_aside"] + rows["queued"]
        and min(rows.values()) >= 0
    )
