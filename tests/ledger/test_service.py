"""What is told to a running service over HTTP is in its ledger when it is answered."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from typing import Any

from atraso.identity.keys import new_key
from atraso.ledger.accounts import KeyRow
from atraso.ledger.desk import Desk
from tests.ledger.places import Place, eventually, read_changes
from tests.serving.processes import Service, children, service

REPORT = {
    "airline": "LAN",
    "flight_number": "600",
    "destination": "SPJC",
    "scheduled_departure": "2017-07-14T09:05:00",
    "actual_departure": "2017-07-14T09:20:00",
}


def posted(running: Service, path: str, content: object, key: str = "") -> tuple[int, Any]:
    """Return status and JSON of the answer to a POST."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}{path}", json.dumps(content).encode(), headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def settings_of(place: Place, **more: str) -> dict[str, str]:
    url = {} if place.url is None else {"ATRASO_LEDGER_URL": place.url}
    return {"ATRASO_DATA": str(place.data), **url, **more}


def told(running: Service, *reports: dict[str, object]) -> Any:
    status, answer = posted(running, "/v1/departures", {"departures": list(reports)})
    assert status == 200, answer
    return answer


def test_a_report_is_in_the_ledger_when_it_is_answered(place: Place) -> None:
    """Once, corrected, cancelled, for flights nobody asked about; counted in the metrics."""
    with service("--workers", "2", **settings_of(place, ATRASO_LEDGER="spool")) as running:
        reader = place.reader()
        first = told(running, REPORT)
        version, (flight,) = read_changes(reader, 0)
        assert (first["received"], first["new"], first["warnings"]) == (1, 1, [])
        assert first["state"] == {"version": version}
        assert flight[:4] == ("LAN", "600", "SCEL", "SPJC")
        assert flight.actual_utc == flight.scheduled_utc + 15
        again = told(running, REPORT, {**REPORT, "reported_at": None})
        assert (again["new"], again["state"]) == (0, {"version": version})
        later = told(running, {**REPORT, "actual_departure": "2017-07-14T13:30:00Z"})
        after, (flight,) = read_changes(reader, version)
        assert later["state"] == {"version": after}
        assert flight.actual_utc == flight.scheduled_utc + 25
        told(running, {**REPORT, "actual_departure": None, "cancelled": True, "destination": "KMIA"})
        scheduled = {**REPORT, "actual_departure": None, "scheduled_departure": "2017-07-15T09:05:00"}
        assert told(running, scheduled)["new"] == 1
        _, flights = read_changes(reader, after)
        assert {(f.destination, f.cancelled, f.published) for f in flights} == {
            ("KMIA", True, False),
            ("SPJC", False, True),
        }
        status, problem = posted(running, "/v1/departures", {"departures": [{**REPORT, "airline": "nobody at all"}]})
        assert (status, problem["errors"][0]["pointer"]) == (422, "/departures/0/airline")
        url = f"http://127.0.0.1:{running.port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        counted = {line.split('"')[1]: float(line.split()[-1]) for line in lines if "departures_total{" in line}
        assert counted == {"new": 3, "repeated": 2, "scheduled": 1, "refused": 1}
        assert any('route="/v1/departures"' in line and "requests_total" in line for line in lines)


def test_killing_the_writer_loses_nothing_that_was_answered(sqlite_place: Place) -> None:
    """Who is told to come again may; in the end each report is there once."""
    with service("--workers", "2", **settings_of(sqlite_place, ATRASO_LEDGER="spool")) as running:
        stop, answered, others = threading.Event(), [], []

        def report_on() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                status, _ = posted(
                    running, "/v1/departures", {"departures": [{**REPORT, "flight_number": str(number)}]}
                )
                (answered if status == 200 else others).append((number, status))

        reporter = threading.Thread(target=report_on)
        reporter.start()
        try:
            for kill in range(1, 4):
                eventually(lambda kill=kill: len(answered) > 20 * kill, 30)
                pid = int((sqlite_place.data / "ledger.lock").read_text())
                assert pid in children(running.process.pid)
                os.kill(pid, signal.SIGKILL)
        finally:
            stop.set()
            reporter.join()
        found = {flight.flight_number for flight in read_changes(sqlite_place.reader(), 0)[1]}
    assert {status for _, status in others} <= {503}
    assert {str(number) for number, _ in answered} <= found


def test_who_may_report_and_revoke(place: Place) -> None:
    """Departures take the role `report`; a key is revoked by the writer of whatever database."""
    desk = Desk(place.data, place.url)
    keys = {}
    for name, *roles in (("tower", "report"), ("asker", "predict"), ("boss", "admin")):
        made = new_key(name, roles)
        keys[name] = made.key
        desk.create_key(KeyRow(made.prefix, name, made.sha256, made.roles, int(time.time())))
    with service("--workers", "1", **settings_of(place, ATRASO_AUTH="keys")) as running:
        content = {"departures": [REPORT]}
        eventually(lambda: posted(running, "/v1/departures", content, keys["tower"])[0] == 200)
        assert posted(running, "/v1/departures", content)[0] == 401
        assert posted(running, "/v1/departures", content, keys["asker"])[0] == 403
        status, _ = posted(running, "/v1/revocations", {"kind": "key", "value": keys["tower"]}, keys["boss"])
        assert status == 200
        eventually(lambda: posted(running, "/v1/departures", content, keys["tower"])[0] == 401)
        status, _ = posted(running, "/v1/revocations", {"kind": "key", "value": "atraso_none"}, keys["boss"])
        assert status == 422


def test_a_locked_ledger_is_told_and_holds_nobody_else(sqlite_place: Place) -> None:
    """503 with the time to come again, within the time for it; predictions are answered meanwhile."""
    with service("--workers", "1", **settings_of(sqlite_place, ATRASO_LEDGER="spool")) as running:
        told(running, REPORT)
        holder = sqlite3.connect(sqlite_place.data / "ledger.sqlite3", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        another = {"departures": [{**REPORT, "flight_number": "7"}]}
        status, problem = posted(running, "/v1/departures", another)
        assert status == 503
        assert "cannot be used now" in problem["detail"]
        question = {name: REPORT[name] for name in REPORT if name != "actual_departure"}
        assert posted(running, "/v1/predictions", {"flights": [question]})[0] == 200
        holder.execute("ROLLBACK")
        holder.close()
        eventually(
            lambda: posted(running, "/v1/departures", {"departures": [{**REPORT, "flight_number": "7"}]})[0] == 200
        )
