"""The model of a running service is changed under the eyes of its clients."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from atraso.artefact.bundle import BUNDLED, read_artefact, read_manifest, write_artefact
from atraso.artefact.scorer import load_scorer
from atraso.artefact.store import Store
from atraso.core.prediction import logit, sigmoid
from atraso.serving import swap
from atraso.serving.bulletin import Bulletin, News
from atraso.serving.swap import ModelFollower
from tests.serving.processes import Service, eventually, service

FLIGHT = {"airline": "LAN", "flight_number": "600", "destination": "SPJC", "scheduled_departure": "2017-07-14T09:05:00"}
BODY = json.dumps({"flights": [FLIGHT] * 3})
HEADERS = {"content-type": "application/json"}


def shifted_by(log_odds: float, probability: float) -> float:
    return sigmoid(logit(probability) + log_odds)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two more models at hand, whose answers differ from the bundled one's."""
    folder = tmp_path_factory.mktemp("data")
    manifest, tables = read_artefact(BUNDLED)
    for shift in (0.5, 1.0):
        shifted = [msgspec.structs.replace(c, bias=tuple(b + shift for b in c.bias)) for c in tables.scorecards]
        changed = msgspec.structs.replace(tables, scorecards=tuple(shifted))
        raw = folder / f"raw-{shift}"
        golden = [
            msgspec.structs.replace(
                g,
                delay_probability=shifted_by(shift, g.delay_probability),
                exceeds=tuple(shifted_by(shift, p) for p in g.exceeds),
            )
            for g in manifest.golden
        ]
        write_artefact(raw, msgspec.structs.replace(manifest, golden=tuple(golden)), changed)
        Store(folder / "models").add(raw)
        shutil.rmtree(raw)
    return folder


@pytest.fixture
def data(others: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    shutil.copytree(others, tmp_path / "data")
    return tmp_path / "data"


def probabilities(data: Path) -> dict[str, float]:
    """What each model at hand answers, by its version."""
    found = {}
    for folder, manifest in Store(data / "models").manifests():
        scorer = load_scorer(folder)
        flight, _ = scorer.resolve(*FLIGHT.values())
        found[manifest.version] = scorer.predict(flight).delay_probability
    return found


class Asking(threading.Thread):
    """A client that asks without pause on one connection, and comes again when it is told that it ends."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.done = False
        self.answers: list[dict[str, Any]] = []
        self.failures: list[str] = []
        self.start()

    def run(self) -> None:
        """Ask until told to stop."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self.done:
            try:
                connection.request("POST", "/v1/predictions", BODY, HEADERS)
                response = connection.getresponse()
                content = response.read()
                if response.status != 200:
                    self.failures.append(f"{response.status} {content[:200]!r}")
                else:
                    self.answers.append(json.loads(content))
            except Exception as error:
                self.failures.append(repr(error))
                connection.close()
        connection.close()

    def stop(self) -> list[dict[str, Any]]:
        """Stop and return the answers."""
        self.done = True
        self.join(20)
        return self.answers


def versions_answering(running: Service) -> set[str]:
    """Which models the workers answer with: each new connection meets either."""
    found = set()
    for _ in range(20):
        connection = HTTPConnection("127.0.0.1", running.port, timeout=10)
        connection.request("POST", "/v1/predictions", BODY, HEADERS)
        found.add(json.loads(connection.getresponse().read())["model"]["version"])
        connection.close()
    return found


@pytest.fixture
def running(data: Path) -> Iterator[Service]:
    """The service on that folder."""
    with service(ATRASO_DATA=str(data)) as started:
        yield started


def test_every_request_is_answered_whole_by_one_model(running: Service, data: Path) -> None:
    """While models are changed under load nothing fails, and each answer is that of the model it names."""
    clients = [Asking(running.port) for _ in range(4)]
    known = probabilities(data)
    store = Store(data / "models")
    for version in [*known, *known]:
        store.activate(version)
        eventually(lambda version=version: versions_answering(running) == {version})  # type: ignore[misc]
    answers = [answer for client in clients for answer in client.stop()]
    assert [failure for client in clients for failure in client.failures] == []
    assert {answer["model"]["version"] for answer in answers} == set(known)
    for answer in answers:
        expected = known[answer["model"]["version"]]
        assert [abs(p["delay_probability"] - expected) < 1e-9 for p in answer["predictions"]] == [True] * 3


def test_a_bad_model_leaves_the_old_one_answering_and_says_why(running: Service, data: Path) -> None:
    """In the log, in the metrics and to whoever asks whether it is ready."""
    store = Store(data / "models")
    bad = next(version for version in probabilities(data) if version != read_manifest(BUNDLED).version)
    tables = store.folder / bad / "scorecard.json"
    good = tables.read_bytes()
    tables.write_bytes(good[: len(good) // 2])
    (store.folder / "active").write_text(bad)  # as somebody would who does not use the command
    eventually(lambda: "refused" in str(running.get("/health/ready").get("detail")))
    assert versions_answering(running) == {read_manifest(BUNDLED).version}
    with HTTPConnectionOf(running) as connection:
        connection.request("GET", "/metrics")
        assert b'atraso_model_swap_total{result="failed"} 1.0' in connection.getresponse().read()
    tables.write_bytes(good)
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: versions_answering(running) == {bad})
    assert "detail" not in running.get("/health/ready")
    _, _, errors = running.stop()
    assert "is not changed" in errors
    assert f"The model is now {bad}" in errors


def test_a_folder_that_is_served_by_its_path_is_followed_too(data: Path, tmp_path: Path) -> None:
    """An artefact that takes its place is taken within a second or two."""
    first, second = (m.version for path, m in Store(data / "models").manifests() if path != BUNDLED)
    folder = tmp_path / "served"
    shutil.copytree(data / "models" / first, folder)
    with service("--model", str(folder)) as running:
        assert versions_answering(running) == {first}
        folder.rename(tmp_path / "old")
        shutil.copytree(data / "models" / second, tmp_path / "beside")
        (tmp_path / "beside").rename(folder)
        eventually(lambda: versions_answering(running) == {second})


def test_a_worker_that_is_replaced_answers_with_the_latest_model(running: Service, data: Path) -> None:
    """Not with the one that the service began with."""
    latest = list(probabilities(data))[-1]
    Store(data / "models").activate(latest)
    eventually(lambda: versions_answering(running) == {latest})
    before = running.workers
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(running.workers) == 2 and not before & running.workers)
    eventually(lambda: versions_answering(running) == {latest})


def test_workers_are_replaced_one_after_the_other_without_losing_a_request(running: Service) -> None:
    """SIGUSR1, twice, under load: each worker goes when its successor is ready."""
    clients = [Asking(running.port) for _ in range(4)]
    for _ in range(2):
        before = running.workers
        running.process.send_signal(signal.SIGUSR1)
        eventually(lambda before=before: not before & running.workers and len(running.workers) == 2, 20)  # type: ignore[misc]
        time.sleep(0.2)
    answers = [answer for client in clients for answer in client.stop()]
    assert [failure for client in clients for failure in client.failures] == []
    assert len(answers) > 100


def test_a_model_copied_file_by_file_is_taken_when_it_is_whole(data: Path, tmp_path: Path) -> None:
    """It is refused while its files do not belong together, and taken without being asked for again."""
    first, second = (path for path, _ in Store(data / "models").manifests() if path != BUNDLED)
    folder = tmp_path / "served"
    shutil.copytree(first, folder)
    with service("--model", str(folder)) as running:
        for name in ("CHECKSUMS", "manifest.json", "scorecard.json"):
            shutil.copy(second / name, tmp_path / "one")
            (tmp_path / "one").rename(folder / name)
            time.sleep(0.7)
        eventually(lambda: versions_answering(running) == {read_manifest(second).version})
        eventually(lambda: "detail" not in running.get("/health/ready"))


def followed(load: Callable[[], Any], bulletin: Bulletin, checksum: str = "old") -> tuple[ModelFollower, Any]:
    front = SimpleNamespace(routes="old routes")
    return ModelFollower(front, checksum, load, lambda scorer: "new routes", bulletin), front  # type: ignore[arg-type]


def test_what_was_told_while_a_worker_began_reaches_it() -> None:
    """Its model is from before the fork, and the news may be from after it."""
    bulletin = Bulletin()
    bulletin.tell(News("old", ""))
    bulletin.tell(News("new", ""))

    async def look() -> str:
        follower, front = followed(lambda: SimpleNamespace(manifest=SimpleNamespace(checksum="new")), bulletin)
        follower.look()
        while front.routes == "old routes":
            await asyncio.sleep(0.005)
        return str(front.routes)

    assert asyncio.run(asyncio.wait_for(look(), 5)) == "new routes"


def test_a_worker_that_could_not_load_a_model_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that passes leaves no worker with another model than the others'."""
    monkeypatch.setattr(swap, "RETRY_AFTER_S", 0.01)
    bulletin = Bulletin()
    bulletin.tell(News("new", ""))
    tried = []

    def load() -> Any:
        tried.append(1)
        if len(tried) < 3:
            raise OSError("too many open files")
        return SimpleNamespace(manifest=SimpleNamespace(checksum="new"))

    async def look() -> None:
        follower, front = followed(load, bulletin)
        while front.routes == "old routes":
            follower.look()
            await asyncio.sleep(0.005)

    asyncio.run(asyncio.wait_for(look(), 5))
    assert len(tried) == 3


def test_the_bulletin_tells_the_latest_news() -> None:
    """Also when the text is longer than its page."""
    bulletin = Bulletin()
    assert bulletin.read() is None
    bulletin.tell(News("ab" * 32, ""))
    assert bulletin.read() == News("ab" * 32, "")
    bulletin.tell(News("cd" * 32, "é" * 10_000))
    news = bulletin.read()
    assert news is not None
    assert news.checksum == "cd" * 32
    assert news.trouble.startswith("é" * 1000)


class HTTPConnectionOf:
    """A connection to a service, closed at the end."""

    def __init__(self, running: Service) -> None:
        self._connection = HTTPConnection("127.0.0.1", running.port, timeout=10)

    def __enter__(self) -> HTTPConnection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()
