"""The README's numbers are the bundled model's and the last benchmark's."""

import json
import re
from pathlib import Path
from statistics import median

import pytest

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.ledger.commands import Report, Reported
from atraso.serving.app import Worker, create_app
from tests.serving.asgi import post

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = {"the schedule only": "schedule", "30 min before": "30m"} | {f"{h} h before": f"{h}h" for h in (24, 12, 3, 1)}


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """Return the bundled model."""
    return load_scorer()


def test_the_answer_shown_is_the_models(scorer: Scorer) -> None:
    """The flight of the README has the probability, quantiles and first reasons printed there."""
    flight, warnings = scorer.resolve("LAN", "600", "SPJC", "2017-07-14T09:05:00")
    answer = scorer.predict(flight, explain=True)

    assert warnings == ()
    assert f'"version": "{scorer.manifest.version}"' in README
    assert f"atraso model activate {scorer.manifest.version}" in README
    for name, value in (("delay_probability", answer.delay_probability), ("base_rate", answer.base_rate)):
        assert f'"{name}": {value:.4f}' in README
    for minutes, value in zip((0, 15, 30, 60), answer.exceeds, strict=True):
        assert f'"{minutes}": {value:.4f}' in README
    for reason in answer.reasons[:2]:
        assert f'"value": "{reason.value}", "effect": {reason.effect:.4f}' in README


def test_the_departure_shown_is_taken(scorer: Scorer) -> None:
    """The report of the README is answered as printed there, but for the version."""
    found = re.search(r"v1/departures [^\n]*-d '(\{.*?\})' +# (\{[^\n]*\})$", README, re.DOTALL | re.MULTILINE)
    assert found is not None
    content, printed = found.groups()
    told: list[Report] = []

    def report(what: Report) -> Reported:
        told.append(what)
        return Reported(1, 0, json.loads(printed)["state"]["version"])

    answer = post(create_app(scorer, Worker(report=report)), "/v1/departures", content.encode())

    assert (answer.status, answer.body.decode()) == (200, printed)
    (left,) = told[0].flights
    assert (left.airline, left.flight_number, left.destination) == ("LAN", "600", "SPJC")
    assert left.actual_utc == left.scheduled_utc + 15


def test_the_scores_shown_are_those_of_the_manifest(scorer: Scorer) -> None:
    """AUC, skill and ECE by lead are the manifest's, each rounded as shown."""
    rows = re.findall(r"^\| ([^|]+) \| (0\.\d{3}) \| (\d+\.\d)% \| (0\.\d{3}) \|$", README, re.MULTILINE)

    assert {NAMES[name] for name, *_ in rows} == set(scorer.manifest.leads)
    for name, auc, skill, ece in rows:
        scores = scorer.manifest.scores[NAMES[name]]
        shown = (f"{scores['auc']:.3f}", f"{scores['brier_skill']:.1%}", f"{scores['ece']:.3f}")
        assert shown == (auc, f"{skill}%", ece)


def test_the_throughput_shown_is_that_of_a_kept_record() -> None:
    """All medians shown stand in one record of benchmarks/results."""
    shown = [int(n.replace(",", "")) for n in re.findall(r"^\| [^|]+ \| \**([\d,]{5,})\** \|", README, re.MULTILINE)]
    records = [json.loads(p.read_text()) for p in (ROOT / "benchmarks" / "results").glob("*.json")]
    medians = [
        {round(median(turn["requests_per_s"] for turn in service["rounds"])) for service in r["contenders"].values()}
        for r in records
    ]

    assert len(shown) >= 3
    assert any(found.issuperset(shown) for found in medians)
