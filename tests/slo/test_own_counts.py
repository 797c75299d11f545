"""What the service counts itself of an objective is what Prometheus would count."""

from __future__ import annotations

import random
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from atraso.serving.app import Worker, create_app
from atraso.slo.loading import load_promise
from atraso.slo.objectives import Events
from atraso.slo.own_counts import cells_of, own_counts
from atraso.telemetry.cells import Board
from atraso.telemetry.names import OUTCOMES, ROUTES, TOKEN_RESULTS, Outcome
from tests.serving.asgi import get
from tests.serving.fakes import scorer

PROMISED = {one.name: one.indicator for one in load_promise().objectives}
COUNTED = ("availability", "latency-50ms", "latency-250ms", "tokens", "durability")


def counts(name: str, board: Board) -> tuple[int, int] | None:
    indicator = PROMISED[name]
    assert isinstance(indicator, Events)
    return own_counts(indicator, board.totals())


def test_shed_and_failed_answers_are_bad_and_a_clients_mistakes_are_nothing() -> None:
    """All workers are added up; health checks do not count, the other ways to a prediction do."""
    board = Board(2)
    for slot, route, outcome, seconds, times in (
        (0, "/v1/predictions", Outcome.OK, 0.001, 9000),
        (1, "/v1/predictions", Outcome.OK, 0.06, 995),
        (1, "/predict", Outcome.OK, 0.3, 2),
        (1, "/v1/predictions", Outcome.SHED_503, 0.001, 2),
        (0, "page", Outcome.SERVER_ERROR, 0.001, 1),
        (0, "/v1/predictions", Outcome.CLIENT_ERROR, 0.001, 500),
        (0, "/v1/predictions", Outcome.QUOTA_429, 0.001, 500),
        (0, "/health", Outcome.SERVER_ERROR, 9.0, 7),
    ):
        for _ in range(times):
            board.slot(slot).answered(ROUTES.index(route), outcome, seconds)
    board.slot(0).kept(999)
    board.slot(1).shed(1)
    for result, seconds, times in (
        ("ok", 0.01, 8),
        ("ok", 0.3, 1),
        ("server_error", 0.01, 1),
        ("client_error", 0.1, 9),
    ):
        for _ in range(times):
            board.slot(0).gave_token(result, seconds)

    assert counts("availability", board) == (9997, 10_000)
    assert counts("latency-50ms", board) == (10_002, 10_999)
    assert counts("latency-250ms", board) == (10_997, 10_999)
    assert counts("durability", board) == (999, 1000)
    assert counts("tokens", board) == (8, 10)


@pytest.mark.parametrize("name", COUNTED)
def test_the_cells_are_those_of_the_exposition(name: str) -> None:
    """Each query of slo.yaml adds up what /metrics tells of the series that it selects."""
    chance, board = random.Random(3), Board(2)
    for _ in range(400):
        slot = board.slot(chance.randrange(2))
        seconds = chance.choice([0.0004, 0.05, 0.0500001, 0.2, 0.25, 0.26, 9.0])
        slot.answered(chance.randrange(len(ROUTES)), chance.randrange(len(OUTCOMES)), seconds)
        slot.gave_token(chance.choice(TOKEN_RESULTS), seconds)
        slot.kept(chance.randrange(9))
        slot.shed(chance.randrange(2))
    text = get(create_app(scorer(), Worker(board=board)), "/metrics").body.decode()
    told = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    indicator, totals = PROMISED[name], board.totals()
    assert isinstance(indicator, Events)
    for query in filter(None, (indicator.total, indicator.good, indicator.bad)):
        cells = cells_of(query)
        assert cells
        assert len(set(cells)) == len(cells)
        shape = re.match(r"sum\(rate\((\w+)\{(.*)\}\[", query)
        assert shape is not None
        wanted = [one for one in told if one.name == shape[1] and _selected(one.labels, shape[2])]
        assert sum(totals[at] for at in cells) == sum(one.value for one in wanted) > 0


def _selected(labels: dict[str, str], selector: str) -> bool:
    """Tell what the few selectors of slo.yaml mean, written anew."""
    for part in re.findall(r'\w+[=!~]+"[^"]*"', selector):
        label, operator, values = re.findall(r'(\w+)([=!~]+)"(.*)"', part)[0]
        if (labels[label] in values.split("|")) == operator.startswith("!"):
            return False
    return True


@pytest.mark.parametrize(
    "query",
    [
        "sum(rate(atraso_probe_total{result=\"equal\"}[{{.window}}]))",
        "sum(rate(atraso_http_requests_total{instance=\"a\"}[{{.window}}]))",
        "sum(rate(atraso_http_requests_total{route=\"page\"}[5m]))",
        "sum(rate(atraso_http_requests_total{route=\"page\"}[{{.window}}])) / 2",
        "sum(rate(atraso_request_seconds_bucket{le=\"0.051\"}[{{.window}}]))",
        "sum(rate(atraso_request_seconds_bucket{le=~\"0.05\"}[{{.window}}]))",
        "sum(rate(atraso_request_seconds_bucket{le=\"fast\"}[{{.window}}]))",
        "sum(rate(atraso_request_seconds_bucket{route=\"page\"}[{{.window}}]))",
        "sum(rate(atraso_request_seconds_count{le=\"0.05\"}[{{.window}}]))",
        "sum(rate(atraso_request_seconds_sum{route=\"page\"}[{{.window}}]))",
        "sum(rate(atraso_ledger_rows_total{state=\"stored\"}[{{.window}}]))",
        "sum(rate(atraso_ledger_rows_total{state=\"ke\\\"pt\"}[{{.window}}]))",
    ],
)  # fmt: skip
def test_what_it_does_not_count_is_not_guessed(query: str) -> None:
    """Other metrics, labels, bounds, windows and arithmetic are left to Prometheus, and so is the whole objective."""
    whole = PROMISED["availability"]
    assert isinstance(whole, Events)
    assert cells_of(whole.total)
    assert cells_of(query) is None
    assert own_counts(Events(query, whole.bad, None), Board().totals()) is None
    assert own_counts(Events(whole.total, None, query), Board().totals()) is None


def test_a_label_left_out_takes_all_its_values() -> None:
    """A selector without matchers adds up the whole metric."""
    cells = cells_of("sum(rate(atraso_http_requests_total{}[{{.window}}]))")
    assert cells is not None
    assert len(cells) == len(ROUTES) * len(OUTCOMES)
