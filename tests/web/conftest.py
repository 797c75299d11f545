"""One browser and one service for the tests of the page."""

from __future__ import annotations

import urllib.error
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.bootstrap.test_state_service import SANTIAGO, a_week, flight, moment
from tests.identity.conftest import server
from tests.ledger.test_service import posted
from tests.serving.processes import Service, eventually, service
from tests.web.browser import CHROMIUM, FLAGS

__all__ = ["server"]
BOARD = 40
WITHIN_S = 60.0


def tomorrow() -> datetime:
    """Return five in the morning of the airport's next day."""
    day = datetime.now(UTC).astimezone(SANTIAGO) + timedelta(days=1)
    return day.replace(hour=5, minute=0, second=0, microsecond=0)


def flights_of(running: Service) -> int:
    """Return how many of tomorrow's flights a worker tells; none as long as nobody keeps them yet."""
    try:
        day: Any = running.get(f"/v1/schedule?date={tomorrow().date().isoformat()}")
    except urllib.error.HTTPError as error:
        assert error.code == 503
        error.close()
        return 0
    return len(day["flights"])


# The thread in which playwright runs has a loop: it ends with this folder, for others need one of their own.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    """A running browser."""
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Debian's chromium is not installed: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a ledger that knows a week of departures, one that is overdue, and tomorrow's schedule."""
    data = tmp_path_factory.mktemp("page")
    with service("--workers", "1", ATRASO_DATA=str(data), ATRASO_LEDGER="spool") as found:
        ahead = [
            flight(n, tomorrow() + timedelta(minutes=24 * n))
            | {"airline": ("LAN", "SKU")[n % 2], "destination": ("SPJC", "SCTE", "KMIA")[n % 3]}
            for n in range(BOARD)
        ]
        overdue = flight(99, moment(minutes=30))
        reports = {"departures": [*a_week(), overdue, *ahead]}
        eventually(lambda: posted(found, "/v1/departures", reports)[0] == 200, WITHIN_S)
        eventually(lambda: flights_of(found) == BOARD, WITHIN_S)
        yield found
