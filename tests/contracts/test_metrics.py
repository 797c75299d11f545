"""Three sets of names that must be one: metrics that run, those that rules and dashboards ask, those in the docs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from atraso.telemetry.names import HISTOGRAM, METRICS, PROBER, Metric
from tests.serving.processes import clean_environment, service

ROOT = Path(__file__).parents[2]
MONITORING, DOCS = ROOT / "deploy" / "monitoring", ROOT / "docs"
OURS = re.compile(r"\batraso_[a-z0-9_]*[a-z0-9]\b")
# A key as the docs show it, which is no metric.
A_KEY = re.compile(r"atraso_[0-9a-f]{8}")
PARTS = ("_bucket", "_count", "_sum")
# Labels that are not the metric's but come with the scrape.
OF_THE_SCRAPE = {"job", "instance", "__name__"}
# What Grafana puts in before a query is sent.
GRAFANA = re.compile(r"\$(?:__\w+|\{\w+(?::\w+)?\}|\w+)")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the names of all metrics of a service and of a prober that run."""
    with service("--workers", "1", ATRASO_DATA=str(tmp_path_factory.mktemp("data"))) as serving:
        url = f"http://127.0.0.1:{serving.port}"
        prober = subprocess.Popen(
            [sys.executable, "-m", "atraso", "probe", "--url", url, "--metrics-port", "0"],
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert prober.stderr is not None
            address = re.search(r"http://\S+/metrics", prober.stderr.readline())
            assert address is not None
            return set(names_at(f"{url}/metrics")) | set(names_at(address[0]))
        finally:
            prober.kill()
            prober.communicate()


def names_at(url: str) -> Iterator[str]:
    """Yield the names that rules know the metrics at *url* by: those of counters end in _total."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    for family in text_string_to_metric_families(text):
        yield f"{family.name}_total" if family.type == "counter" else family.name


def queries() -> Iterator[tuple[str, str, str]]:
    """Yield file, query and the name under which its result is recorded (or nothing), for all that ask Prometheus."""
    for path in sorted(MONITORING.rglob("*")):
        if path.suffix in (".yml", ".yaml"):
            documents = list(yaml.safe_load_all(path.read_text()))
        elif path.suffix == ".json":
            documents = [json.loads(path.read_text())]
        else:
            continue
        for document in documents:
            for holder in dicts_in(document):
                for key in ("expr", "query"):
                    query = holder.get(key)
                    # A query of Grafana's that is none of Prometheus (its data source's, for one) names no metric.
                    if isinstance(query, str) and (key == "expr" or OURS.search(query)):
                        yield path.name, query, str(holder.get("record", ""))


def dicts_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping in *value*, however deep."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from dicts_in(part)


def selectors(query: str) -> list[Any]:
    """Return the selectors of a query, as Prometheus's grammar has them; label_values of Grafana is unwrapped."""
    plain = re.sub(r"^label_values\((.+),\s*\w+\)$", r"\1", query.strip())
    plain = GRAFANA.sub("5m", plain)
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
            if getattr(node, name, None) is not None:
                visit(getattr(node, name))
        for part in getattr(node, "args", ()):
            visit(part)

    visit(promql_parser.parse(plain))
    return found


def metric_of(name: str, metrics: Iterable[Metric] = (*METRICS, *PROBER)) -> Metric | None:
    """Return the metric that a name in a query is of; a histogram has three names."""
    for metric in metrics:
        names = [metric.name + part for part in PARTS] if metric.kind == HISTOGRAM else [metric.name]
        if name in names:
            return metric
    return None


def wrong_in(selector: Any) -> list[str]:
    """Return what is wrong with a selector: a metric, a label or a value of a label that there is not."""
    if not OURS.fullmatch(selector.name or ""):
        return []
    metric = metric_of(selector.name)
    if metric is None:
        return [f"there is no metric {selector.name}"]
    labels = dict(metric.labels)
    if selector.name.endswith("_bucket"):
        labels["le"] = (*(str(bound) for bound in metric.bounds), "+Inf")
    wrong = []
    for matcher in selector.matchers.matchers:
        if matcher.name in OF_THE_SCRAPE:
            continue
        if matcher.name not in labels:
            wrong.append(f"{metric.name} has no label {matcher.name}")
            continue
        closed = labels[matcher.name] if metric.name != "atraso_ldap_seconds" or matcher.name != "server" else ()
        regular = matcher.op in (promql_parser.MatchOp.Re, promql_parser.MatchOp.NotRe)
        for value in matcher.value.split("|") if regular else [matcher.value]:
            known = any(re.fullmatch(value, each) for each in closed) if regular else value in closed
            if closed and not known:
                wrong.append(f"no {matcher.name} of {metric.name} is {value}")
    return wrong


def documented() -> dict[str, set[str]]:
    """Return the names of metrics in the docs, each with the pages that name it."""
    found: dict[str, set[str]] = {}
    for page in (*DOCS.rglob("*.md"), ROOT / "README.md"):
        for name in OURS.findall(page.read_text()):
            if not A_KEY.fullmatch(name):
                found.setdefault(name, set()).add(page.name)
    return found


def test_what_is_named_is_what_runs(running: set[str]) -> None:
    """`telemetry/names.py` has every metric of the service and of the prober, and no others."""
    assert running == {metric.name for metric in (*METRICS, *PROBER)}


def test_every_metric_that_runs_is_in_the_docs(running: set[str]) -> None:
    """None is there that nobody explains."""
    assert running - documented().keys() == set()


def test_every_metric_in_the_docs_runs(running: set[str]) -> None:
    """Pages name no metric that is not there; a series of a histogram may be named by its own name."""
    elsewhere = {name: pages for name, pages in documented().items() if name not in running and metric_of(name) is None}
    assert elsewhere == {}


def test_every_query_asks_what_there_is() -> None:
    """Each metric, label and label's value in rules and dashboards exists, and so does what rules record for others."""
    asked = list(queries())
    recorded = {record for _, _, record in asked if record}
    wrong = []
    for file, query, _ in asked:
        for selector in selectors(query):
            wrong += [f"{file}: {what}" for what in wrong_in(selector)]
            if ":" in (selector.name or "") and selector.name not in recorded:
                wrong.append(f"{file}: nothing records {selector.name}")
    assert wrong == []
    assert asked or not MONITORING.exists()  # where there are rules, they were found


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("rate(atraso_http_request_total[5m])", "there is no metric atraso_http_request_total"),
        ("sum(atraso_request_seconds)", "there is no metric atraso_request_seconds"),
        ('atraso_http_requests_total{code="200"}', "atraso_http_requests_total has no label code"),
        ('atraso_probe_total{result!~"equal|same"}', "no result of atraso_probe_total is same"),
        ('atraso_request_seconds_bucket{le="0.06"}', "no le of atraso_request_seconds is 0.06"),
        ('1 - (a / on() rate(atraso_workers{x="1"}[$__rate_interval]))', "atraso_workers has no label x"),
    ],
)
def test_a_query_for_what_there_is_not_is_found(query: str, what: str) -> None:
    """The check itself finds a wrong name, label, value and bucket."""
    assert [wrong for selector in selectors(query) for wrong in wrong_in(selector)] == [what]
