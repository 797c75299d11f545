"""The Grafana dashboard: budgets and burn rates of all objectives first, then what they are made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from string import ascii_uppercase

from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as Timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, Threshold, ThresholdsMode

from atraso.slo.objectives import Objective, Promise
from atraso.slo.rules import error_ratio

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
THIRD, HALF = 8, 12  # of 24 columns
HIGH = 8
PREDICTIONS = 'route=~"/v1/predictions|/predict|/v2/infer"'
RATE = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Chart:
    """A diagram over time: what it shows, in which unit of Grafana, and its queries with their legends."""

    title: str
    tells: str
    unit: str
    queries: Sequence[tuple[str, str]]
    span: int = THIRD


def _quantile(share: str) -> str:
    buckets = f"sum by (le) (rate(atraso_request_seconds_bucket{{{PREDICTIONS}}}[{RATE}]))"
    return f"histogram_quantile({share}, {buckets})"


def _mean_seconds(metric: str, by: str) -> str:
    total, count = (f"sum by ({by}) (rate({metric}_{part}[{RATE}]))" for part in ("sum", "count"))
    return f"{total} / ({count} > 0)"


ROWS: tuple[tuple[str, tuple[Chart, ...]], ...] = (
    (
        "Requests",
        (
            Chart("Requests by outcome", "What became of them.", "reqps", (
                (f"sum by (outcome) (rate(atraso_http_requests_total[{RATE}]))", "{{outcome}}"),
            )),
            Chart("Requests by route", "Health checks and scrapes too.", "reqps", (
                (f"sum by (route) (rate(atraso_http_requests_total[{RATE}])) > 0", "{{route}}"),
            )),
            Chart("Time of predictions", "From a request's last byte to its answer's leaving.", "s", (
                (_quantile("0.5"), "median"), (_quantile("0.99"), "99 %"), (_quantile("0.999"), "99.9 %"),
            )),
        ),
    ),
    (
        "Model and state",
        (
            Chart("What was said", "Median and quartiles of the probabilities.", "percentunit", tuple(
                (f"histogram_quantile({share}, sum by (le) (rate(atraso_prediction_probability_bucket[1h])))", name)
                for share, name in (("0.25", "lower quartile"), ("0.5", "median"), ("0.75", "upper quartile"))
            )),
            Chart("Age", "Of the model in use, and of the latest departure that was reported.", "s", (
                ("time() - min(atraso_model_created_timestamp_seconds)", "model"),
                ("time() - max(atraso_departure_newest_timestamp_seconds)", "departures"),
            )),
            Chart("Workers, and changes of the model", "Changes are those of the last hour.", "short", (
                ("sum(atraso_workers)", "workers"),
                ("sum by (result) (increase(atraso_model_swap_total[1h]))", "changes: {{result}}"),
                ("count by (version) (atraso_model_info)", "model {{version}}"),
            )),
        ),
    ),
    (
        "Answers judged",
        (
            Chart("Calibration error", "By lead, over the days that are judged; the promise is 0.03.", "percentunit", (
                ("max by (lead) (atraso_quality_ece)", "{{lead}}"),
            )),
            Chart("Brier score", "By lead; lower is better.", "short", (
                ("max by (lead) (atraso_quality_brier_score)", "{{lead}}"),
            )),
            Chart("Golden probes", "Asked from outside; all should be equal.", "reqps", (
                (f"sum by (result) (rate(atraso_probe_total[{RATE}]))", "{{result}}"),
            )),
        ),
    ),
    (
        "Ledger",
        (
            Chart("Answers for the ledger", "Accepted are kept or shed; kept are stored soon.", "wps", (
                (f"sum by (state) (rate(atraso_ledger_rows_total[{RATE}]))", "{{state}}"),
            )),
            Chart("Waiting to be stored", "Grows while the database cannot keep up.", "short", (
                ("sum(atraso_ledger_queued_rows)", "answers"),
            )),
            Chart("Trouble of the writer", "Failed attempts in five minutes, and 1 while it cannot work.", "short", (
                ("sum(increase(atraso_ledger_errors_total[5m]))", "failed attempts"),
                ("max(atraso_ledger_failing)", "failing"),
            )),
        ),
    ),
    (
        "Ways in",
        (
            Chart("Log-ins", "Requests to /v1/token by result.", "reqps", (
                (f"sum by (result) (rate(atraso_token_seconds_count[{RATE}]))", "{{result}}"),
            )),
            Chart("Time to find out who asks", "Mean by what was shown, and whether it was known.", "s", (
                (_mean_seconds("atraso_authz_seconds", "kind, cache"), "{{kind}} {{cache}}"),
            )),
            Chart("Directory", "Mean time of an operation, by server.", "s", (
                (_mean_seconds("atraso_ldap_seconds", "server, op"), "{{server}} {{op}}"),
            )),
        ),
    ),
)  # fmt: skip


def dashboard_json(promise: Promise) -> str:
    """Return the dashboard as Grafana imports it."""
    board = (
        Dashboard("Atraso: promises and what they are made of")
        .uid("atraso-slo")
        .description("Generated from slo.yaml by `atraso slo render`: edit that.")
        .tags(["atraso", "slo", "generated"])
        .readonly()
        .refresh("30s")
        .time("now-24h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    # Numbers of their own, so that links to a panel hold and none is taken for another.
    number = count(1)
    board = board.with_row(Row("Promises").id(next(number)))
    for objective in promise.objectives:
        board = board.with_panel(_budget(objective).id(next(number)))
    board = board.with_panel(_chart(_burning("Burn over an hour", "1h")).id(next(number)))
    board = board.with_panel(_chart(_burning("Burn over three days", "3d")).id(next(number)))
    for title, charts in ROWS:
        board = board.with_row(Row(title).id(next(number)))
        for chart in charts:
            board = board.with_panel(_chart(chart).id(next(number)))
    # From grid position to legend, everything is the library's; only the form of the file is ours.
    return json.dumps(board.build(), cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def queries(board: str) -> list[str]:
    """Return the queries of a dashboard, with a window in place of Grafana's own."""
    found: list[str] = []

    def visit(part: object) -> None:
        if isinstance(part, dict):
            found.extend(value for key, value in part.items() if key == "expr")
            for value in part.values():
                visit(value)
        elif isinstance(part, list):
            for value in part:
                visit(value)

    visit(json.loads(board))
    return [query.replace(RATE, "5m") for query in found]


def _budget(objective: Objective) -> Stat:
    left = f'1 - slo:error_budget:spent_ratio{objective.window}{{slo="{objective.name}"}}'
    steps = [(None, "red"), (0.0, "orange"), (0.25, "green")]
    thresholds = ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE)
    return (
        Stat()
        .title(objective.title)
        .description(f"{objective.promise}. Shown: the part of the budget of {objective.window} that is left.")
        .datasource(SOURCE)
        .unit("percentunit")
        .decimals(1)
        .max(1)
        .no_value("no data")
        .thresholds(thresholds.steps([Threshold(value=value, color=color) for value, color in steps]))
        .color_mode(BigValueColorMode.BACKGROUND)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .height(5)
        .span(THIRD)
        .with_target(_query(left, ""))
    )


def _burning(title: str, window: str) -> Chart:
    burn = f"{error_ratio(window)} / on (slo) slo:error_budget:ratio"
    return Chart(title, "1 spends the budget exactly in its month.", "short", ((burn, "{{slo}}"),), HALF)


def _chart(chart: Chart) -> Timeseries:
    panel = (
        Timeseries()
        .title(chart.title)
        .description(chart.tells)
        .datasource(SOURCE)
        .unit(chart.unit)
        .min(0)
        .fill_opacity(5)
        .height(HIGH)
        .span(chart.span)
        .legend(
            VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([])
        )
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    for letter, (query, legend) in zip(ascii_uppercase, chart.queries, strict=False):
        panel = panel.with_target(_query(query, legend, letter))
    return panel


def _query(expr: str, legend: str, letter: str = "A") -> Dataquery:
    query = Dataquery().ref_id(letter).expr(expr).range().datasource(SOURCE)
    return query.legend_format(legend) if legend else query
