"""What the settings of the ledger do in a service that runs, and that its rows add up when a worker is killed."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from atraso.bootstrap.ledger_side import WRITER_NICENESS
from tests.ledger.places import Place, record, spooled
from tests.serving.fakes import flight
from tests.serving.processes import Service, alive, children, eventually, refused, service


def ask(running: Service) -> tuple[int, dict[str, str]]:
    """Ask for three predictions; return the status of the answer and its headers."""
    body = json.dumps({"flights": [flight(flight_number=str(n)) for n in (1, 2, 3)]}).encode()
    url = f"http://127.0.0.1:{running.port}/v1/predictions"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}


def rows(running: Service) -> dict[str, float]:
    """Return the ledger's rows by their state, and those that are queued."""
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics", timeout=5) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples]
    found = {s.labels["state"]: s.value for s in samples if s.name == "atraso_ledger_rows_total"}
    return found | {"queued": next(s.value for s in samples if s.name == "atraso_ledger_queued_rows")}


def writer_of(running: Service) -> int:
    """Return the process of the ledger's writer, told by its niceness; 0 where there is none."""
    nice = os.getpriority(os.PRIO_PROCESS, running.process.pid) + WRITER_NICENESS
    found = [pid for pid in children(running.process.pid) if os.getpriority(os.PRIO_PROCESS, pid) == nice]
    return found[0] if found else 0


def test_rows_add_up_when_workers_are_killed(tmp_path: Path) -> None:
    """All that was answered is stored, and files of dead workers do not stay."""
    settings = {"ATRASO_LEDGER": "spool", "ATRASO_LEDGER_FSYNC": "each", "ATRASO_DATA": str(tmp_path)}
    with service("--workers", "1", **settings) as running:
        answered = 0
        for _ in range(3):
            answered += 3 * (ask(running)[0] == 200)
            worker = max(children(running.process.pid), key=lambda pid: -os.getpriority(os.PRIO_PROCESS, pid))
            os.kill(worker, signal.SIGKILL)
            eventually(lambda gone=worker: gone not in children(running.process.pid))  # type: ignore[misc]
        answered += 3 * (ask(running)[0] == 200)
        assert answered == 12
        eventually(lambda: rows(running)["stored"] == answered, 20.0)
        eventually(lambda: len(list((tmp_path / "spool").iterdir())) == 1)
        told = rows(running)
        assert (told["accepted"], told["kept"], told["shed"]) == (answered, answered, 0)
        assert (told["queued"], told["set_aside"], told["recovered"]) == (0, 0, 0)
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()


def test_a_service_that_may_not_shed_refuses(tmp_path: Path) -> None:
    """With `ledger_when_full = refuse`: 503 with Retry-After while nothing can be kept, 200 when it can again."""
    (tmp_path / "spool").write_text("in the way")
    settings = {"ATRASO_LEDGER": "spool", "ATRASO_LEDGER_WHEN_FULL": "refuse", "ATRASO_LEDGER_FSYNC": "batch"}
    with service("--workers", "1", ATRASO_DATA=str(tmp_path), **settings) as running:
        status, headers = ask(running)
        assert (status, "retry-after" in headers) == (503, True)
        assert rows(running)["refused"] == 3
        (tmp_path / "spool").unlink()
        assert ask(running)[0] == 200
        eventually(lambda: rows(running)["stored"] == 3, 20.0)


def test_what_a_service_left_is_recovered_by_the_next(tmp_path: Path) -> None:
    """The rows of the first are told apart from those of the second."""
    spooled(Place(tmp_path, None), record(1, 2), record(3)).close()
    left = list((tmp_path / "spool").iterdir())
    with service("--workers", "1", ATRASO_LEDGER="spool", ATRASO_DATA=str(tmp_path)) as running:
        assert ask(running)[0] == 200
        eventually(lambda: rows(running)["stored"] == 3 and not any(path.exists() for path in left), 20.0)
        told = rows(running)
    assert (told["recovered"], told["kept"], told["queued"]) == (3, 3, 0)


def test_a_writer_that_stands_still_outlives_no_service(tmp_path: Path) -> None:
    """Its service is killed and it goes, though it is stopped; the next service has the ledger to itself at once."""
    settings = {"ATRASO_LEDGER": "spool", "ATRASO_DATA": str(tmp_path)}
    with service("--workers", "1", **settings) as first:
        eventually(lambda: writer_of(first) != 0 and (tmp_path / "ledger.sock").exists())
        writer = writer_of(first)
        os.kill(writer, signal.SIGSTOP)
        assert ask(first)[0] == 200
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
        eventually(lambda: not alive(writer))
        with service("--workers", "1", **settings) as second:
            assert ask(second)[0] == 200
            eventually(lambda: rows(second)["stored"] == 3 and rows(second)["recovered"] == 3, 20.0)
            assert rows(second)["queued"] == 0


def test_a_second_service_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    """With a sentence, before it says that it is ready: its spools would be taken in by the first one's writer."""
    settings = {"ATRASO_LEDGER": "spool", "ATRASO_DATA": str(tmp_path)}
    with service("--workers", "1", **settings) as first:
        eventually((tmp_path / "ledger.sock").exists)
        said = refused("--port", "0", **settings)
        assert said.startswith(f"Another process ({writer_of(first)}) writes to the ledger in {tmp_path}, and only one")
        assert ask(first)[0] == 200
        eventually(lambda: rows(first)["stored"] == 3, 20.0)
