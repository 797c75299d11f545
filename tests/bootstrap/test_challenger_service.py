"""A running service with a challenger: every answer is shadowed, and nothing of it touches the answers."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import inspect, select

from atraso.artefact.bundle import BUNDLED, read_artefact, read_manifest, write_artefact
from atraso.artefact.store import Store
from atraso.bootstrap.ledger_side import CHALLENGER_NICENESS, KEEPER_NICENESS, WRITER_NICENESS
from atraso.ledger.schema import LATEST
from tests.bootstrap.test_state_service import a_week, asked, flight, knows, moment
from tests.ledger.places import Place
from tests.ledger.test_service import posted, told
from tests.serving.processes import Service, alive, children, eventually, refused, service

GREATEST_NICENESS = 19
# Of the fields of /proc/PID/stat after the name: the moment when the process started.
STARTED = 19
CHAMPION = read_manifest(BUNDLED).version


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model with another decision threshold: the same answers under another version."""
    manifest, tables = read_artefact(BUNDLED)
    folder = tmp_path_factory.mktemp("models") / "another"
    write_artefact(folder, msgspec.structs.replace(manifest, decision_threshold=0.5), tables)
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, None)


@pytest.fixture
def running(place: Place, another: Path) -> Iterator[Service]:
    """A service with a ledger, two workers and a challenger."""
    environment = {"ATRASO_DATA": str(place.data), "ATRASO_LEDGER": "spool", "ATRASO_CHALLENGER": str(another)}
    with service("--workers", "2", **environment) as found:
        yield found


def rows(place: Place, version: str) -> dict[tuple[str, ...], Any]:
    """Return the latest predictions of a model; none while the ledger is not there yet."""
    if not (place.data / "ledger.sqlite3").exists():
        return {}
    with place.reader().connect() as connection:
        if not inspect(connection).has_table(LATEST.name):
            return {}
        found = connection.execute(select(LATEST).where(LATEST.c.model_version == version)).all()
    return {(row.flight_number, row.lead, row.basis, row.id): row for row in found}


def both(place: Place, version: str, count: int) -> bool:
    """Tell whether *count* answers are there, and all are shadowed."""
    champion = rows(place, CHAMPION)
    return len(champion) == count and champion.keys() == rows(place, version).keys()


def challenger_of(running: Service) -> int:
    """Return its process, 0 where there is none; told by its niceness, and started last of those who have the same."""

    def beside(niceness: int) -> int:
        return min(os.getpriority(os.PRIO_PROCESS, running.process.pid) + niceness, GREATEST_NICENESS)

    found: list[tuple[int, int]] = []
    for pid in children(running.process.pid):
        with contextlib.suppress(OSError):
            if os.getpriority(os.PRIO_PROCESS, pid) == beside(CHALLENGER_NICENESS):
                stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                found.append((int(stat[STARTED]), pid))
    others = sum(beside(niceness) == beside(CHALLENGER_NICENESS) for niceness in (WRITER_NICENESS, KEEPER_NICENESS))
    return sorted(found)[others][1] if len(found) > others else 0


def metric(running: Service, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


def test_every_answer_is_shadowed(running: Service, place: Place, another: Path) -> None:
    """By schedule, with crowding and live; asked again the later stands; the same model says the same of each."""
    version = read_manifest(another).version
    leaves = flight(1, moment(minutes=-40))  # the same flight however long this takes

    def ask(**more: object) -> Any:
        status, answer = posted(running, "/v1/predictions", {"flights": [leaves], **more})
        assert status == 200, answer
        return answer["predictions"][0]

    ask()
    eventually(lambda: both(place, version, 1), 60)
    published = [flight(number, moment(minutes=-40)) for number in range(5)]
    known = told(running, *a_week(), *published)["state"]["version"]
    eventually(lambda: knows(running, known), 60)
    # Of a whole minute, so that both stand on the same state to the last digit.
    minute = moment().isoformat()
    assert ask(as_of=minute)["basis"] == "live"
    ask(basis="schedule")
    eventually(lambda: both(place, version, 2), 60)
    assert {row.basis for row in rows(place, version).values()} == {"schedule", "live"}
    ask(as_of=minute)
    eventually(lambda: both(place, version, 2), 60)
    champion = rows(place, CHAMPION)
    for key, row in rows(place, version).items():
        assert row.delay_probability == pytest.approx(champion[key].delay_probability, abs=1e-9), key
        assert (row.as_of_s, row.base_rate) == (champion[key].as_of_s, champion[key].base_rate)
    assert metric(running, "atraso_challenger_answers_total") >= 3
    assert metric(running, "atraso_challenger_behind_seconds") < 60


def test_a_challenger_that_is_killed_or_stands_still_touches_no_answer(
    running: Service, place: Place, another: Path
) -> None:
    """Answers go on, the gauge tells how far it is behind; it is replaced, and what was asked meanwhile is answered."""
    version = read_manifest(another).version
    eventually(lambda: challenger_of(running) != 0, 60)
    first = challenger_of(running)
    os.kill(first, signal.SIGSTOP)
    workers = children(running.process.pid)
    flights = [flight(number, moment(minutes=-40)) for number in range(9)]
    status, answer = posted(running, "/v1/predictions", {"flights": flights})
    assert (status, len(answer["predictions"])) == (200, 9)
    eventually(lambda: len(rows(place, CHAMPION)) == 9, 60)
    before = metric(running, "atraso_challenger_behind_seconds")
    time.sleep(1)
    assert metric(running, "atraso_challenger_behind_seconds") >= before + 0.9
    assert rows(place, version) == {}
    os.kill(first, signal.SIGKILL)
    eventually(lambda: not alive(first))
    status, _ = posted(running, "/v1/predictions", {"flights": flights[:1]})
    assert status == 200
    eventually(lambda: challenger_of(running) not in (0, first), 60)
    eventually(lambda: both(place, version, 9), 60)
    assert workers - {first} <= children(running.process.pid), "nobody else was replaced"


def test_a_challenger_outlives_nobody(running: Service) -> None:
    """Where the service is killed it goes by itself."""
    eventually(lambda: challenger_of(running) != 0, 60)
    challenger = challenger_of(running)
    os.kill(running.process.pid, signal.SIGKILL)
    eventually(lambda: not alive(challenger), 30)


def test_the_champion_itself_is_not_refused(place: Place) -> None:
    """A service that was told to use its challenger starts again with the same settings; nothing is shadowed then."""
    environment = {"ATRASO_DATA": str(place.data), "ATRASO_LEDGER": "spool", "ATRASO_CHALLENGER": CHAMPION}
    with service("--workers", "1", **environment) as running:
        asked(running)
        eventually(lambda: challenger_of(running) != 0, 60)
        eventually(lambda: len(rows(place, CHAMPION)) == 1, 60)
        assert metric(running, "atraso_challenger_answers_total") == 0


def test_a_model_that_takes_the_champions_place_is_shadowed(place: Place, another: Path) -> None:
    """The challenger begins again beside it: here it is the one before."""
    store = Store(place.data / "models")
    version = store.add(another).version
    store.activate(version)
    environment = {"ATRASO_DATA": str(place.data), "ATRASO_LEDGER": "spool", "ATRASO_CHALLENGER": version}
    with service("--workers", "1", **environment) as running:
        asked(running)
        eventually(lambda: len(rows(place, version)) == 1, 60)
        first = challenger_of(running)
        store.activate(CHAMPION)
        eventually(lambda: running.get("/v1/model")["version"] == CHAMPION, 60)
        eventually(lambda: challenger_of(running) not in (0, first), 60)
        posted(running, "/v1/predictions", {"flights": [flight(7, moment(minutes=-90))]})
        eventually(lambda: len(rows(place, CHAMPION)) == 1, 60)
        (key,) = rows(place, CHAMPION)
        eventually(lambda: key in rows(place, version), 60)


def test_one_that_cannot_be_used_is_refused_at_start(tmp_path: Path, another: Path) -> None:
    """With a sentence: no such model, no ledger, a changed file, other airports."""
    kept = {"ATRASO_DATA": str(tmp_path), "ATRASO_LEDGER": "spool"}
    told_ = refused(**kept, ATRASO_CHALLENGER="2031.1+abcdef")
    assert "The challenger cannot be used: there is no model '2031.1+abcdef'" in told_
    assert "ATRASO_LEDGER=spool" in refused(ATRASO_DATA=str(tmp_path), ATRASO_CHALLENGER=str(another))
    version = Store(tmp_path / "models").add(another).version
    (tmp_path / "models" / version / "scorecard.json").write_text("{}")
    assert "SHA-256" in refused(**kept, ATRASO_CHALLENGER=version)
