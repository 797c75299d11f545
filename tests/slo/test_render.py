"""What is generated from the promise is checked in, and is understood by those who read it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import promql_parser
import pytest
import yaml
from click.testing import CliRunner

from atraso.cli.slo import slo
from atraso.slo.config import alertmanager_config, prometheus_config
from atraso.slo.dashboard import dashboard_json, queries
from atraso.slo.loading import load_promise
from atraso.slo.openslo import BUNDLED
from atraso.slo.page import slo_page
from atraso.slo.render import HEAD, as_yaml, rendered
from atraso.slo.rules import alert_names, expressions, rule_file, service_rules

ROOT = Path(__file__).parents[2]
PROMISE = load_promise()
RULE_FILES = [*(rule_file(one, PROMISE) for one in PROMISE.objectives), service_rules(PROMISE)]
NAME = re.compile(r"slo:[\w:]+")


def test_what_is_checked_in_is_what_the_promise_says() -> None:
    """`atraso slo render --check` finds no difference in this repository."""
    run = CliRunner().invoke(slo, ["render", "--check", "--out", str(ROOT)])

    assert (run.exit_code, run.stdout) == (0, "")


def test_what_differs_is_missing_or_left_over_is_named_and_written_anew(tmp_path: Path) -> None:
    """--check says how each file differs and exits with 1; without it they are written, and then nothing differs."""
    out = ["--out", str(tmp_path)]
    rules = tmp_path / "deploy" / "monitoring" / "rules"

    assert CliRunner().invoke(slo, ["render", *out]).stdout.count("wrote ") == len(rendered(PROMISE))
    (rules / "tokens.yml").write_text("groups: []\n")
    (rules / "old.yml").write_text("groups: []\n")
    (tmp_path / "docs" / "slo.md").unlink()
    checked = CliRunner().invoke(slo, ["render", "--check", *out])

    assert checked.exit_code == 1
    assert sorted(line.split(maxsplit=1)[0] for line in checked.stdout.splitlines()) == [
        "deploy/monitoring/rules/old.yml", "deploy/monitoring/rules/tokens.yml", "docs/slo.md",
    ]  # fmt: skip
    assert CliRunner().invoke(slo, ["render", *out]).stdout.count("wrote ") == 3
    assert CliRunner().invoke(slo, ["render", "--check", *out]).exit_code == 0


def test_another_promise_gives_other_rules(tmp_path: Path) -> None:
    """A stricter target in a file of one's own moves every threshold: nothing is written down twice."""
    mine = tmp_path / "mine.yaml"
    mine.write_text(BUNDLED.read_text().replace("target: 0.9995", "target: 0.9999", 1))
    CliRunner().invoke(slo, ["render", "--slo", str(mine), "--out", str(tmp_path)])
    written = (tmp_path / "deploy" / "monitoring" / "rules" / "availability.yml").read_text()

    assert "> 0.00144" in written
    assert "0.0072" not in written


def test_every_query_of_rules_and_dashboard_is_understood() -> None:
    """A second reader of PromQL takes each of them, and dashboards ask for recorded series that rules record."""
    asked = [*expressions(RULE_FILES), *queries(dashboard_json(PROMISE))]
    recorded = {
        rule["record"] for file in RULE_FILES for group in file["groups"] for rule in group["rules"] if "record" in rule
    }

    assert len(asked) > 150
    for query in asked:
        promql_parser.parse(query)
        assert set(NAME.findall(query)) <= recorded


def test_every_panel_and_every_query_of_the_dashboard_has_a_name_of_its_own() -> None:
    """Panels have different numbers and queries of a panel different letters, places do not overlap, none is empty."""
    panels = json.loads(dashboard_json(PROMISE))["panels"]
    numbers = [panel["id"] for panel in panels]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        letters = [target["refId"] for target in panel.get("targets", [])]
        at = panel["gridPos"]
        place = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}

        assert all(letters)
        assert len(set(letters)) == len(letters)
        assert bool(letters) == (panel["type"] != "row")
        assert panel["title"]
        assert not place & taken
        taken |= place
    assert min(numbers) > 0
    assert len(set(numbers)) == len(numbers)


def test_each_recorded_series_is_of_one_rule() -> None:
    """No two rules write the same name with the same labels."""
    written = [
        (rule["record"], file["groups"][0]["name"])
        for file in RULE_FILES for group in file["groups"] for rule in group["rules"] if "record" in rule
    ]  # fmt: skip

    assert len(set(written)) == len(written)


def test_the_runbook_has_a_heading_for_each_alert_and_for_nothing_else() -> None:
    """Alerts of the rules and headings are the same set, each link leads to one, and each says all four things."""
    text = (ROOT / "docs" / "runbook.md").read_text()
    headings = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    rules = [rule for file in RULE_FILES for group in file["groups"] for rule in group["rules"] if "alert" in rule]

    assert sorted(headings) == sorted({rule["alert"] for rule in rules}) == sorted(alert_names(PROMISE))
    for rule in rules:
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        for part in ("**For users:**", "**Look at**", "\n1. ", "\n2. ", "\n3. ", "**Mend:**", "**Silence:**"):
            assert part in section, (section.split("\n", 1)[0], part)


def test_the_runbook_names_settings_commands_and_metrics_that_exist() -> None:
    """No ATRASO_ variable in it is unknown, and each of its commands has a help."""
    from atraso.cli.main import VERBS
    from atraso.settings import PREFIX, Settings

    text = (ROOT / "docs" / "runbook.md").read_text()
    known = {PREFIX + name.upper() for name in Settings.__struct_fields__}

    assert set(re.findall(r"ATRASO_[A-Z_]+", text)) <= known
    assert set(re.findall(r"`atraso (\w+)", text)) - {"probe"} <= set(VERBS)


def test_the_page_speaks_of_the_window_that_was_promised(tmp_path: Path) -> None:
    """A file of one's own with 28 days gives a page of 28 days."""
    mine = tmp_path / "mine.yaml"
    mine.write_text(BUNDLED.read_text().replace("duration: 30d", "duration: 28d"))
    page = slo_page(load_promise(mine))

    assert "budget in 28 days" in page
    assert "exactly in its 28 days" in page
    assert "spent_ratio28d" in page
    assert "30 days" not in page


def test_the_page_names_each_alert_and_each_objective() -> None:
    """docs/slo.md leaves none out."""
    page = (ROOT / "docs" / "slo.md").read_text()

    for name in (*alert_names(PROMISE), *(one.name for one in PROMISE.objectives)):
        assert f"`{name}`" in page


def test_yaml_is_written_for_people_and_read_back_the_same() -> None:
    """A head says where it comes from, queries of several lines are blocks, and nothing is lost."""
    text = as_yaml(RULE_FILES[0])

    assert text.startswith(HEAD)
    assert "expr: |-" in text
    assert yaml.safe_load(text) == RULE_FILES[0]


@pytest.mark.skipif(not (shutil.which("promtool") and shutil.which("amtool")), reason="apt-get install prometheus")
def test_prometheus_and_alertmanager_accept_their_configuration(tmp_path: Path) -> None:
    """`promtool check config` with all rules, also 60 times faster, and `amtool check-config` find nothing wrong."""
    monitoring = ROOT / "deploy" / "monitoring"
    faster = tmp_path / "prometheus.yml"
    faster.write_text(as_yaml(prometheus_config(60, rules="rules.yml")))
    (tmp_path / "rules.yml").write_text(as_yaml(rule_file(PROMISE.objectives[0], PROMISE, 60)))
    am = tmp_path / "alertmanager.yml"
    am.write_text(as_yaml(alertmanager_config(PROMISE, 60)))

    for command in (
        ["promtool", "check", "config", str(monitoring / "prometheus" / "prometheus.yml")],
        ["promtool", "check", "config", str(faster)],
        ["amtool", "check-config", str(monitoring / "alertmanager" / "alertmanager.yml")],
        ["amtool", "check-config", str(am)],
    ):
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.skipif(shutil.which("amtool") is None, reason="apt-get install prometheus-alertmanager")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=AtrasoDown", "severity=page"], "pager"),
        (["alertname=AtrasoAvailabilityBurn", "severity=page", "slo=availability", "burn=slow"], "pager"),
        (["alertname=AtrasoAvailabilityBurn", "severity=ticket", "slo=availability", "burn=day"], "tickets"),
        (["alertname=AtrasoWatchdog", "severity=none"], "watchdog"),
        (["alertname=SomethingElse"], "tickets"),
    ],
)
def test_alerts_go_where_their_severity_says(labels: list[str], receiver: str) -> None:
    """Alertmanager's own tool follows the routes to the receiver that is meant."""
    config = ROOT / "deploy" / "monitoring" / "alertmanager" / "alertmanager.yml"
    command = [
        "amtool",
        "config",
        "routes",
        "test",
        f"--config.file={config}",
        f"--verify.receivers={receiver}",
        *labels,
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.strip() == receiver
