"""A running service hears of departures and answers from them, whatever becomes of the process that keeps the state."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.ledger.test_service import posted, told
from tests.serving.processes import Service, alive, children, eventually, service

SANTIAGO = ZoneInfo("America/Santiago")
KEEPER_NICENESS = 5
SCHEDULE_ANSWERS = "the answer is that of the schedule"


def flight(number: int, scheduled: datetime) -> dict[str, object]:
    return {
        "airline": "LAN",
        "flight_number": str(600 + number),
        "destination": "KMIA",
        "scheduled_departure": scheduled.isoformat(timespec="minutes"),
    }


def moment(**ago: float) -> datetime:
    return (datetime.now(UTC) - timedelta(**ago)).astimezone(SANTIAGO).replace(second=0, microsecond=0)


def left(number: int, scheduled: datetime, late: int) -> dict[str, object]:
    actual = (scheduled + timedelta(minutes=late)).isoformat(timespec="minutes")
    return flight(number, scheduled) | {"actual_departure": actual, "reported_at": actual}


def a_week(until_hours_ago: float = 1.0) -> list[dict[str, object]]:
    """Return departures of nine days, one an hour, all on time, the last *until_hours_ago*."""
    return [left(hours % 24, moment(hours=until_hours_ago + hours), 0) for hours in range(9 * 24)]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Service]:
    """A service with a ledger and two workers."""
    with service("--workers", "2", ATRASO_DATA=str(tmp_path), ATRASO_LEDGER="spool") as found:
        yield found


def asked(running: Service, **more: object) -> Any:
    """Return the answer about a flight that leaves in 40 minutes."""
    content = {"flights": [flight(1, moment(minutes=-40))], **more}
    status, answer = posted(running, "/v1/predictions", content)
    assert status == 200, answer
    return answer["predictions"][0]


def knows(running: Service, version: int) -> bool:
    """Tell whether the worker that happens to be asked knows all up to *version*; ask often to meet both."""
    return all(int(str(running.get("/v1/state")["version"])) >= version for _ in range(8))


def keeper_of(running: Service) -> int:
    """Return the keeper's process, told by its niceness; 0 where there is none."""
    nice = os.getpriority(os.PRIO_PROCESS, running.process.pid) + KEEPER_NICENESS
    found = [pid for pid in children(running.process.pid) if os.getpriority(os.PRIO_PROCESS, pid) == nice]
    return found[0] if found else 0


def test_what_is_reported_is_in_the_next_answers(running: Service) -> None:
    """A late hour makes the next flight likelier late; both workers know it; reasons and /v1/state tell it."""
    assert asked(running)["basis"] == "schedule"
    calm = told(running, *a_week())["state"]["version"]
    eventually(lambda: knows(running, calm))
    before = asked(running, explain=True)
    assert (before["basis"], before["lead"]) == ("live", "1h")
    assert "live delays" in {reason["group"] for reason in before["reasons"]}
    assert sum(r["effect"] for r in before["reasons"]) == pytest.approx(
        before["delay_probability"] - before["base_rate"], abs=1e-9
    )
    assert asked(running, basis="schedule")["basis"] == "schedule"

    late = [left(number, moment(minutes=120 - number), 60) for number in range(30, 50)]
    rough = told(running, *late)["state"]["version"]
    eventually(lambda: knows(running, rough))
    after = asked(running)
    assert after["delay_probability"] > before["delay_probability"] + 0.05
    state: Any = running.get("/v1/state")
    assert state["basis"] == "live"
    assert state["airports"][0]["last_hour"]["delayed"] >= 20
    assert state["airports"][0]["words"][0].startswith("last hour: 2")
    earlier = asked(running, as_of=moment(minutes=45).isoformat())
    assert earlier["delay_probability"] < after["delay_probability"], "before these flights left nothing was known"


def test_a_feed_that_falls_silent_is_not_believed(tmp_path: Path) -> None:
    """Six hours after the last departure the schedule answers, and says why; so it does before a week is known."""
    with service(ATRASO_DATA=str(tmp_path), ATRASO_LEDGER="spool") as running:
        version = told(running, *a_week(until_hours_ago=7.5)[: 5 * 24])["state"]["version"]
        eventually(lambda: knows(running, version))
        assert "departures are known for less than 7 days: " + SCHEDULE_ANSWERS in asked(running)["warnings"]
        version = told(running, *a_week(until_hours_ago=7.5))["state"]["version"]
        eventually(lambda: knows(running, version))
        answer = asked(running)
        assert answer["basis"] == "schedule"
        assert "no departure was reported for 7 h: " + SCHEDULE_ANSWERS in answer["warnings"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_keeper_that_ends_is_replaced(running: Service, number: int) -> None:
    """Answers go on meanwhile, and the new one knows what is reported then, and all that was before."""
    version = told(running, *a_week())["state"]["version"]
    eventually(lambda: knows(running, version))
    before = keeper_of(running)
    assert before > 0
    os.kill(before, number)
    eventually(lambda: not alive(before))
    assert asked(running)["basis"] == "live", "the last snapshot is minutes old at most"
    version = told(running, left(60, moment(minutes=30), 5))["state"]["version"]
    eventually(lambda: knows(running, version))
    assert keeper_of(running) not in (0, before)
    assert asked(running)["basis"] == "live"


def test_the_service_ends_with_its_keeper(running: Service) -> None:
    """SIGTERM leaves nobody behind, and a keeper whose service was killed goes by itself."""
    eventually(lambda: keeper_of(running) != 0)
    before = children(running.process.pid)
    code, _, _ = running.stop()
    assert code == 0
    eventually(lambda: not any(alive(pid) for pid in before))


def test_a_keeper_outlives_nobody(tmp_path: Path) -> None:
    """Where the service is killed, its keeper goes by itself."""
    with service(ATRASO_DATA=str(tmp_path), ATRASO_LEDGER="spool") as running:
        eventually(lambda: keeper_of(running) != 0)
        keeper = keeper_of(running)
        os.kill(running.process.pid, signal.SIGKILL)
        began = time.monotonic()
        eventually(lambda: not alive(keeper))
        assert time.monotonic() - began < 10
