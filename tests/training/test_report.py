"""The model card says what the records say, and breaks the scores down into parts that add up."""

import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from atraso.artefact.bundle import BUNDLED, read_artefact
from atraso.core.distribution import DistributionScores
from atraso.core.errors import SourceError
from atraso.training.breakdown import LEAST_FLIGHTS, breakdown
from atraso.training.card_records import Records, read_record, read_records, read_rolling
from atraso.training.reliability_diagram import reliability_svg
from atraso.training.report import model_card
from atraso.training.rolling import Rolled, scores_and_differences


def rolled(seed: int, n: int = 3000) -> Rolled:
    """Return calibrated predictions for flights of 60 days in two months, a few of them of a small airline."""
    rng = np.random.default_rng(seed)
    day = np.arange(n) // (n // 60)
    probability = rng.beta(2, 8, n)
    return Rolled(
        np.where(np.arange(n) % 100 == 0, "TINY", np.where(rng.random(n) < 0.7, "LAN", "SKU")),
        rng.random(n) < probability,
        probability,
        np.full(n, 0.2),
        day // 30 + 5,
        day,
        DistributionScores(np.full(n, 4.0), np.full(n, 5.0), np.full(n, 0.8)),
    )


@pytest.fixture(scope="module")
def record() -> dict[str, object]:
    """Return what `atraso evaluate --rolling --json` would print of three leads."""
    by_lead = {"schedule": rolled(3), "12h": rolled(1), "1h": rolled(2)}
    pooled, paired = scores_and_differences(by_lead)
    drawn = {name: {**pooled[name], "f1": 0.43} for name in by_lead}
    found = {
        "leads": {name: {**pooled[name], **breakdown(by_lead[name])} for name in by_lead},
        "paired": paired,
        "rolling": "5:6",
        "schedule": True,
        "command": "atraso evaluate --rolling 5:6 --json",
        "data": {"fingerprint": read_artefact(BUNDLED)[0].training_data},
        "random_split": {"warning": "it flatters", "leads": drawn},
    }
    return dict(json.loads(json.dumps(found)))


def test_the_parts_are_scores_of_all_flights_and_small_airlines_are_left_out() -> None:
    """Months add up to all flights, airlines with too few flights have no score of their own."""
    one = rolled(1)
    parts = breakdown(one)

    assert sum(month["n"] for month in parts["months"].values()) == len(one.late)
    assert set(parts["airlines"]) == {"LAN", "SKU"}
    assert min(airline["n"] for airline in parts["airlines"].values()) >= LEAST_FLIGHTS
    assert sum(tenth["n"] for tenth in parts["reliability"]) == len(one.late)
    for tenth in parts["reliability"]:
        assert tenth["said"] == pytest.approx(tenth["late"], abs=0.1)


def test_a_balanced_score_called_a_probability_loses_all_its_skill() -> None:
    """The same calibrated predictions, weighted as class balancing does, are worse than saying the base rate."""
    found = breakdown(rolled(3))["mistakes"]

    assert found["balanced_brier_skill"] < -0.2
    assert found["balanced_ece"] > 0.2


def test_the_card_has_each_lead_month_and_airline_with_the_records_figures(record: dict[str, object]) -> None:
    """What the record holds stands in the card, to the digits shown, beside the model's version and checksum."""
    manifest, _ = read_artefact(BUNDLED)
    text = model_card(manifest, Records(record), "picture.svg")
    leads = record["leads"]
    assert isinstance(leads, dict)

    assert manifest.version in text
    assert manifest.checksum in text
    for name, scores in leads.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        assert f"{scores['auc']:.3f} [{scores['auc_low']:.3f} {scores['auc_high']:.3f}]" in row
    for heading, keys in (("month", ("5", "6")), ("airline", ("LAN", "SKU"))):
        part = text.split(f"## By {heading}")[1].split("\n## ")[0]
        assert re.findall(r"^\| (\w+) \|", part, re.MULTILINE) == [heading, *keys]
    assert "1h - 12h" in text
    assert "(picture.svg)" in text
    assert "None" not in text


def test_what_is_known_without_the_schedule_and_elsewhere_stands_beside(record: dict[str, object]) -> None:
    """The cost of having no schedule is told lead by lead, and so are the scores of another airport's model."""
    manifest, _ = read_artefact(BUNDLED)
    elsewhere = msgspec.structs.replace(
        manifest, airports=(msgspec.structs.replace(manifest.airports[0], iata="JFK"),), n_departures=777
    )
    leads = record["leads"]
    assert isinstance(leads, dict)
    worse = {name: {**scores, "auc": scores["auc"] - 0.004} for name, scores in leads.items()}
    text = model_card(manifest, Records(record, {**record, "leads": worse}, None, (elsewhere,)), "picture.svg")
    without = text.split("## Without the published schedule")[1].split("\n## ")[0]
    beside = text.split("## The same recipe elsewhere: JFK")[1].split("\n## ")[0]

    assert len(re.findall(r"\(-0\.004\)", without)) == len(leads)
    assert "777 departures" in beside
    assert "before the last change of the features" not in beside
    assert f"| 1h | {manifest.scores['1h']['auc']:.3f} | {manifest.scores['1h']['auc']:.3f} |" in beside


def test_a_model_from_before_a_change_of_the_features_is_told_to_be_one(record: dict[str, object]) -> None:
    """Its scores are not those of this recipe, and the card says so."""
    manifest, _ = read_artefact(BUNDLED)
    old = msgspec.structs.replace(manifest, feature_fingerprint="another")
    text = model_card(manifest, Records(record, None, None, (old,)), "picture.svg")
    assert "before the last change of the features" in text.split("## The same recipe elsewhere")[1]


def test_records_of_other_departures_are_not_told_of_a_model(tmp_path: Path, record: dict[str, object]) -> None:
    """A record that was made from other data, or with the schedule where it should be without, is refused."""
    manifest, _ = read_artefact(BUNDLED)
    good, other = tmp_path / "good.json", tmp_path / "other.json"
    good.write_text(json.dumps(record))
    other.write_text(json.dumps({**record, "data": {"fingerprint": "another"}}))

    assert read_records(manifest, good, None, None, []).rolling == record
    with pytest.raises(SourceError, match="other departures"):
        read_records(manifest, other, None, None, [])
    with pytest.raises(SourceError, match="the second one without"):
        read_records(manifest, good, good, None, [])
    with pytest.raises(SourceError, match="manifest of a model"):
        read_records(manifest, good, None, None, [good])


def test_the_diagram_draws_a_line_per_lead(record: dict[str, object]) -> None:
    """The picture has the diagonal and one line of ten points for each lead, named."""
    drawn = reliability_svg(record)

    lines = re.findall(r'<polyline points="([^"]+)"', drawn)
    assert [len(points.split()) for points in lines] == [2, 10, 10, 10]
    assert ">12h</text>" in drawn
    assert ">1h</text>" in drawn


def test_a_file_that_is_no_record_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    """Neither broken JSON nor another object passes for a record."""
    broken, other = tmp_path / "broken.json", tmp_path / "other.json"
    broken.write_text("{")
    other.write_text('{"leads": {}}')

    with pytest.raises(SourceError, match="cannot be read"):
        read_record(broken, "leads")
    with pytest.raises(SourceError, match="'paired'"):
        read_record(other, "leads", "paired")


def test_a_record_without_the_leads_that_the_card_shows_is_refused(tmp_path: Path, record: dict[str, object]) -> None:
    """The record of one lead, and one whose parts are of another kind, are not made into half a card."""
    leads = record["leads"]
    assert isinstance(leads, dict)
    for spoilt in ({"leads": {"1h": leads["1h"]}}, {"random_split": "none"}, {"leads": []}):
        path = tmp_path / "spoilt.json"
        path.write_text(json.dumps(record | spoilt))
        with pytest.raises(SourceError, match="of all leads"):
            read_rolling(path)
