"""Clients that note the identifier of every answer they have whole: `python -m tests.drill.journal`, a plan on stdin.

Each client is a thread with a connection and a file of its own. It asks, notes what it was told and asks again; when
its connection breaks or is refused it makes another. Standard input's end ends them, and the counts go to standard
output.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import sys
import threading
import time
from pathlib import Path

from benchmarks.processes import HOST

_ID = re.compile(rb'"id":"([0-9A-Z]{26})"')
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
PAUSE_S = 0.002


class Journal:
    """One client, and what came of its requests by status; `broken` are those that had no whole answer."""

    def __init__(self, port: int, requests: list[bytes], file: Path, stop: threading.Event) -> None:
        self._port, self._requests, self._file, self._stop = port, requests, file, stop
        self._client: socket.socket | None = None
        self.statuses: dict[int, int] = {}
        self.broken = 0

    def run(self) -> None:
        """Ask until it is enough."""
        with self._file.open("wb", buffering=0) as told:
            for request in itertools.cycle(self._requests):
                if self._stop.wait(PAUSE_S):
                    return
                try:
                    status, body = self._ask(request)
                except OSError:
                    self._client = None
                    self.broken += 1
                    time.sleep(0.02)
                    continue
                self.statuses[status] = self.statuses.get(status, 0) + 1
                if status == 200:
                    told.write(b"".join(found + b"\n" for found in _ID.findall(body)))

    def _ask(self, request: bytes) -> tuple[int, bytes]:
        if self._client is None:
            self._client = socket.create_connection((HOST, self._port), timeout=10)
        self._client.sendall(request)
        got = b""
        while (head := got.find(b"\r\n\r\n") + 4) < 4:
            got += self._more()
        length = _LENGTH.search(got, 0, head)
        assert length is not None
        while len(got) < head + int(length[1]):
            got += self._more()
        return int(got[9:12]), got[head:]

    def _more(self) -> bytes:
        assert self._client is not None
        if data := self._client.recv(1 << 20):
            return data
        raise ConnectionResetError


def main() -> None:
    """Run the clients of a plan."""
    plan = json.loads(sys.stdin.readline())
    stop = threading.Event()
    requests = [text.encode("latin-1") for text in plan["requests"]]
    clients = [
        Journal(plan["port"], requests[n:] + requests[:n], Path(plan["folder"], f"{n}.told"), stop)
        for n in range(plan["clients"])
    ]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    statuses: dict[int, int] = {}
    for client in clients:
        for status, count in client.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    json.dump({"statuses": statuses, "broken": sum(client.broken for client in clients)}, sys.stdout)


if __name__ == "__main__":
    main()
