"""The promise as it is told: by Prometheus where there is one, else by what was counted, else not at all."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

import msgspec
import pytest

from atraso.bootstrap import create_worker, run_service
from atraso.bootstrap.promised import REMEMBERED_S, SERVER, PromiseTold
from atraso.core.errors import SettingsError
from atraso.core.secret import Secret
from atraso.serving.app import create_app
from atraso.serving.bulletin import Bulletin
from atraso.serving.promise import ObjectiveAnswer, ObjectivesAnswer
from atraso.settings import Settings
from atraso.slo.loading import load_promise
from atraso.telemetry.audit import no_audit
from atraso.telemetry.cells import Board
from atraso.telemetry.names import ROUTES, Outcome
from tests.serving.asgi import get
from tests.serving.fakes import scorer
from tests.slo.test_standing import address, answering, vector

MONTH = "slo:sli_error:ratio_rate30d"
OWN = {"availability", "latency-50ms", "latency-250ms", "tokens", "durability"}
PROMISED = load_promise().objectives


def told(*promises: PromiseTold, board: Board | None = None, times: int = 1) -> list[ObjectivesAnswer]:
    """Ask each *times* at once."""

    async def ask() -> list[ObjectivesAnswer]:
        totals = (board or Board()).totals()
        return await asyncio.gather(*(one(totals) for one in promises for _ in range(times)))

    return asyncio.run(ask())


def by_name(answer: ObjectivesAnswer) -> dict[str, ObjectiveAnswer]:
    return {one.name: one for one in answer.objectives}


def counted() -> Board:
    """Return a board with 10,000 answers of which one was none."""
    board = Board()
    for n in range(10_000):
        outcome = Outcome.SERVER_ERROR if n == 0 else Outcome.OK
        board.slot(0).answered(ROUTES.index("/v1/predictions"), outcome, 0.001)
    return board


def test_names_targets_and_reasons_are_those_of_slo_yaml(tmp_path: Path) -> None:
    """The route tells every objective of the file as it stands there, and from when on the service counts."""
    worker = create_worker(
        Settings(data=tmp_path), None, audit=no_audit, board=Board(), recorder=Board().slot(0), bulletin=Bulletin(),
        since_s=1_500_000_000.0,
    )  # fmt: skip
    answer = get(create_app(scorer(), worker), "/v1/objectives").json
    assert (answer["since"], answer["prometheus"]) == ("2017-07-14T02:40:00+00:00", "off")
    assert [
        (one["name"], one["title"], one["promise"], one["reason"], one["target"], one["window"])
        for one in answer["objectives"]
    ] == [(one.name, one.title, one.promise, one.reason, float(one.target), one.window) for one in PROMISED]


def test_without_prometheus_the_service_tells_what_it_counted() -> None:
    """Budgets of what it counts are its own; before the first event nothing is known; others are not measured here."""
    ((before,), (after,)) = told(PromiseTold("", 0.0)), told(PromiseTold("", 0.0), board=counted())
    for one in before.objectives:
        expected = ("service", 0, 0) if one.name in OWN else (None, None, None)
        assert (one.source, one.good, one.total) == expected
        assert one.measured is one.budget_left is None
    availability = by_name(after)["availability"]
    assert (availability.source, availability.good, availability.total) == ("service", 9999, 10_000)
    assert availability.measured == 0.9999
    assert availability.budget_left == pytest.approx(0.8)


def test_prometheus_tells_of_the_whole_window() -> None:
    """What it has recorded goes before the own count; what it has not is told as without it."""
    with answering(vector((MONTH, "availability", "0.001"), (MONTH, "calibration", "0"))) as server:
        (answer,) = told(PromiseTold(address(server), 0.0), board=counted())
    found = by_name(answer)
    assert answer.prometheus == "answered"
    assert found["availability"] == msgspec.structs.replace(
        found["availability"], source="prometheus", good=None, total=None, measured=0.999
    )
    assert found["availability"].budget_left == pytest.approx(-1)
    assert (found["calibration"].source, found["calibration"].budget_left) == ("prometheus", 1)
    assert (found["latency-50ms"].source, found["latency-50ms"].total) == ("service", 10_000)
    assert found["model-freshness"].source is None


def test_a_prometheus_without_the_rules_is_told_from_one_that_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    """Both leave the own count; what is wrong is logged once, and again only after it was well."""
    with answering(vector()) as server:
        assert told(PromiseTold(address(server), 0.0))[0].prometheus == "without_rules"
    assert caplog.records == []
    now = [0.0]
    promise = PromiseTold(address(server, "desk:secret@"), 0.0, now=lambda: now[0])

    async def ask_twice() -> None:
        for at_s in (0.0, 2 * REMEMBERED_S):
            now[0] = at_s
            answer = await promise(counted().totals())
            assert answer.prometheus == "silent"
            assert by_name(answer)["availability"].source == "service"

    with caplog.at_level(logging.WARNING, "atraso"):
        asyncio.run(ask_twice())
    (record,) = caplog.records
    assert record.getMessage().startswith("The budgets are told without Prometheus: Prometheus does not answer")
    assert "secret" not in caplog.text


def test_many_who_look_are_one_question() -> None:
    """What Prometheus said is remembered for some seconds, and asked once for all who wait."""
    now = [0.0]
    with answering(vector((MONTH, "availability", "0"))) as server:
        promise = PromiseTold(address(server), 0.0, now=lambda: now[0])

        async def look() -> None:
            await asyncio.gather(*(promise(Board().totals()) for _ in range(20)))
            await promise(Board().totals())
            assert len(server.asked) == 1
            now[0] = REMEMBERED_S + 0.1
            await promise(Board().totals())
            assert len(server.asked) == 2

        asyncio.run(look())


def test_a_slow_prometheus_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the timeout the own count is told; meanwhile others are answered."""
    monkeypatch.setattr("atraso.bootstrap.promised.TIMEOUT_S", 0.2)
    answered = threading.Event()
    with answering(vector(), wait=answered) as server:

        async def look() -> ObjectivesAnswer:
            asked = asyncio.create_task(PromiseTold(address(server), 0.0)(Board().totals()))
            while not server.asked:
                await asyncio.sleep(0.001)
            assert not asked.done(), "the loop goes on while the server is asked"
            return await asked

        assert asyncio.run(look()).prometheus == "silent"
        assert not answered.is_set()


@pytest.mark.parametrize("good", ["http://prometheus:9090", "https://a:b%40@h.example/prom/", "http://[::1]:9090"])
def test_addresses_of_servers(good: str) -> None:
    """A host, with or without port, path, name and password."""
    assert SERVER.fullmatch(good)


@pytest.mark.parametrize(
    "bad", ["h:9090", "ftp://h", "file:///etc/passwd", "http:// ", "http://desk:secret@h?q", "http://h x"]
)
def test_what_is_no_address_is_refused_at_the_start(bad: str, tmp_path: Path) -> None:
    """The service does not start with it; the sentence does not hold it, for it may have a password in it."""
    settings = Settings(data=tmp_path, prometheus_url=Secret(bad))
    with pytest.raises(SettingsError, match="prometheus_url is not the address of a server") as raised:
        run_service(settings, lambda line: None)
    assert bad not in str(raised.value)
