"""`atraso evaluate --rolling` as a command: what stands beside the scores of the months."""

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from atraso.cli.evaluate import evaluate
from atraso.cli.show import difference_lines, random_split_table
from atraso.core.leads import LEAD_BY_NAME
from atraso.training import rolling
from tests.flights_at_hand import generated_scl_file
from tests.training.quick import train_quickly


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Learn with a tenth of the rounds and draw few days; reports of rejects go elsewhere."""
    train_quickly(monkeypatch, 20, 2)
    monkeypatch.setattr(rolling, "DRAWS", 40)
    monkeypatch.chdir(tmp_path)


def asked(*arguments: str) -> Result:
    data = ("--data", str(generated_scl_file()), "--rolling", "12:12", "--no-schedule")
    return CliRunner().invoke(evaluate, [*data, *arguments], catch_exceptions=False)


def test_every_lead_is_compared_with_the_one_before_and_with_a_random_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """The JSON has a paired difference for neighbours, a random split with its warning, and scores of distributions."""
    leads = ["12h", "1h", "30m"]  # three of the six are enough to see it
    monkeypatch.setattr("atraso.cli.evaluate.LEAD_BY_NAME", {name: LEAD_BY_NAME[name] for name in leads})
    told = json.loads(asked("--json").stdout)

    assert list(told["leads"]) == leads
    assert list(told["paired"]) == ["1h - 12h", "30m - 1h"]
    for pair, found in told["paired"].items():
        shorter, longer = (told["leads"][name] for name in pair.split(" - "))
        for score in ("auc", "brier_score", "brier_skill", "crps_skill"):
            assert found[score] == pytest.approx(shorter[score] - longer[score])
            assert found[f"{score}_low"] <= found[f"{score}_high"]
    assert told["leads"]["1h"]["crps_skill_low"] < told["leads"]["1h"]["crps_skill"]
    assert 0.5 < told["leads"]["1h"]["coverage_80"] < 1
    assert "flatters" in told["random_split"]["warning"]
    assert list(told["random_split"]["leads"]) == leads
    assert 0 < told["random_split"]["leads"]["1h"]["f1"] < 1
    assert told["alarms"] == []


def test_people_read_the_warning_beside_the_random_split() -> None:
    """Printed for one lead: its scores, no difference to another, and the split that flatters, named as such."""
    printed = asked("--lead", "1h").stdout
    flat = " ".join(printed.split())

    assert "1h - " not in printed
    assert "WARNING: a random split flatters" in flat
    assert "AUC rolling" in printed


def test_a_difference_is_a_line_with_both_intervals() -> None:
    """Brackets are printed as such, signs always; what cannot be told is a dash."""
    values = {
        **{"auc": 0.0051, "auc_low": 0.0031, "auc_high": float("nan")},
        **{"brier_skill": -0.004, "brier_skill_low": -0.01, "brier_skill_high": 0.002},
    }
    printed = io.StringIO()
    for line in difference_lines({"30m - 1h": values}):
        Console(width=100, file=printed).print(line)

    assert printed.getvalue().splitlines() == [
        "better than the lead before, both asked on the same days (95 % by days):",
        " 30m - 1h: AUC +0.0051 [+0.0031 -], skill -0.40% [-1.00% +0.20%]",
    ]
    assert difference_lines({}) == []


def test_the_random_split_stands_beside_the_months() -> None:
    """The table has the lead's AUC by rolling months as its last column."""
    scores = dict.fromkeys(("auc", "brier_skill", "f1", "precision", "recall", "threshold"), 0.25)
    table = random_split_table({"1h": scores}, {"1h": {"auc": 0.741}}, "flatters")

    assert [str(column.header) for column in table.columns][-1] == "AUC rolling"
    assert list(table.columns[-1].cells) == ["0.741"]
    assert table.caption == "WARNING: flatters"
