"""From departures to an artefact that knows more the shorter the lead, the same every time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from atraso.artefact.bundle import read_artefact, write_artefact
from atraso.artefact.manifest import Manifest
from atraso.artefact.scorer import Scorer
from atraso.artefact.tables import TablesFile
from atraso.core.calendar import calendar_features
from atraso.core.distribution import Climatology
from atraso.core.errors import SourceError
from atraso.core.flights import DepartureTable
from atraso.core.leads import LEAD_BY_NAME, SCHEDULE
from atraso.core.replay import Replay
from atraso.core.scores import auc
from atraso.sources.reading import Reading
from atraso.sources.registry import read
from atraso.training import pipeline
from atraso.training.calibrate import MONTH_LUCK_VARIANCE
from atraso.training.cards import fit_card, rates_for_fit_and_later
from atraso.training.evaluate import evaluate, judged, log_odds
from atraso.training.holidays import days_off
from atraso.training.package import data_fingerprint, pack
from tests.flights_at_hand import scl_file
from tests.training.quick import train_quickly

OFF = days_off("CL", 2017, 2017)


@dataclass
class Made:
    """A small model and what it was made from."""

    reading: Reading
    trained: pipeline.Trained
    manifest: Manifest
    tables: TablesFile


@pytest.fixture(scope="module")
def few_rounds() -> Iterator[None]:
    """Learn with a tenth of the rounds: the way is the same, and fast enough for a test."""
    with pytest.MonkeyPatch.context() as patch:
        train_quickly(patch, 90, 12)
        yield


@pytest.fixture(scope="module")
def made(few_rounds: None) -> Made:
    """Train on the flights at hand, every lead, with and without the schedule."""
    reading = read("scl", str(scl_file()[0]))
    trained = pipeline.train(reading.departures, reading.unflown, OFF)
    return Made(reading, trained, *pack(reading, trained, OFF))


def test_a_shorter_lead_knows_more(made: Made) -> None:
    """On the last months, an hour before is better than half a day before, and that better than the schedule."""
    scores = made.trained.scores

    assert scores["1h"]["brier_skill"] > scores["12h"]["brier_skill"] > scores["schedule"]["brier_skill"] > 0
    assert all(0.5 < s["auc"] < 0.80 for s in scores.values()), "0.80 or more is a leak until shown otherwise"


def test_a_shorter_lead_knows_the_whole_distribution_better(made: Made) -> None:
    """So do its CRPS against the delays of the months before, and its 80 % band holds about four fifths."""
    scores = made.trained.scores

    assert scores["1h"]["crps_skill"] > scores["12h"]["crps_skill"] > 0.02
    assert scores["1h"]["crps"] < scores["12h"]["crps"]
    assert all(0.70 < s["coverage_80"] < 0.90 for s in scores.values())


def test_an_artefact_knows_the_climatology_it_is_scored_against(made: Made) -> None:
    """The manifest counts the training delays by minute, and evaluation takes CRPS skill against those."""
    delays = made.reading.departures.delay_minutes
    kept = Climatology.of_counts(made.manifest.delay_counts)
    assert sum(made.manifest.delay_counts.values()) == len(delays)
    assert made.tables.delay_range == kept.delay_range

    question = judged(made.reading.departures.take(slice(0, 4000)), None, (), schedule=True)
    told = evaluate(Scorer(made.manifest, made.tables), question, "1h")
    climatology = Climatology.of(delays).crps_of_each(delays[:4000]).mean()
    assert told["crps_skill"] == pytest.approx(1 - told["crps"] / climatology)
    assert told["crps_skill"] > 0.02


def test_every_lead_has_a_scorecard_with_and_without_the_schedule(made: Made) -> None:
    """Twelve scorecards; those without the schedule read no crowding and nobody's being overdue.

    The schedule's lead alone reads late rate and mean delay together.
    """
    cards = {(c.lead, c.schedule): c for c in made.trained.scorecards}

    assert len(cards) == 12
    for (_, schedule), card in cards.items():
        reads_schedule = any(name.startswith(("crowd.", "overdue.", "waiting.", "decided.")) for name in card.features)
        assert reads_schedule <= schedule
        assert any(name.startswith("both.") for name in card.features) == (card.lead == SCHEDULE.name)


def test_the_artefact_answers_as_the_trained_numbers_do(made: Made, tmp_path: Path) -> None:
    """Written, read back and asked, every scorecard gives the log-odds that were trained, at every threshold.

    Also between and beyond the values seen, and where a value is unknown; to a thousand millionth.
    """
    manifest = write_artefact(tmp_path / "m", made.manifest, made.tables)
    scorer = Scorer(*read_artefact(tmp_path / "m"))
    rng = np.random.default_rng(12)
    for card in made.trained.scorecards:
        features = {
            step.feature: np.where(
                rng.random(2000) < 0.1, np.nan, rng.choice([*step.edges, -1e6, 1e6], 2000) + rng.normal(0, 1e-3, 2000)
            )
            for step in card.steps
        }
        asked = scorer.scorecard(card.lead, schedule=card.schedule).log_odds(features)
        assert np.abs(asked - card.log_odds(features)).max() < 1e-9, (card.lead, card.schedule)
    assert manifest.n_departures == len(made.reading.departures)


def test_the_schedules_card_is_what_was_fitted_drawn_towards_even(few_rounds: None, made: Made) -> None:
    """With and without the published schedule, at every threshold; a month's luck is unknown to both."""
    departures, flights = made.reading.departures, made.reading.departures.flights
    everything = np.ones(len(departures), dtype=bool)
    columns = calendar_features(flights.scheduled_local, OFF) | rates_for_fit_and_later(departures, everything)
    columns |= Replay(departures, published=made.reading.unflown).crowding(flights)
    rows = {name: column[:500] for name, column in columns.items()}
    for card in made.trained.scorecards:
        if card.lead == SCHEDULE.name:
            fitted = fit_card(columns, departures, everything, SCHEDULE, schedule=card.schedule)
            expected = fitted.log_odds(rows) / math.sqrt(1 + math.pi * MONTH_LUCK_VARIANCE / 8)
            np.testing.assert_allclose(card.log_odds(rows), expected, atol=1e-9)


def test_training_twice_writes_the_same_checksum(few_rounds: None, tmp_path: Path) -> None:
    """The same departures give the same artefact; their fingerprint does not depend on the order of the file."""
    # two cards of the twelve are enough to see it, and a few months are
    cards = ((SCHEDULE, True), (SCHEDULE, False))
    reading = read("scl", str(scl_file()[0]))
    half = reading.departures.take(np.argsort(reading.departures.actual_utc, kind="stable")[:20_000])
    checksums = []
    for turn in range(2):
        part = Reading(half, reading.unflown, np.arange(len(half)), (), reading.zones)
        manifest, tables = pack(part, pipeline.train(half, reading.unflown, OFF, cards=cards), OFF)
        checksums.append(write_artefact(tmp_path / str(turn), manifest, tables).checksum)

    assert checksums[0] == checksums[1]
    assert data_fingerprint(half) == data_fingerprint(half.take(np.arange(len(half))[::-1]))


def test_history_feeds_the_state_and_is_never_scored(made: Made) -> None:
    """Scored are the data's flights alone; with history before them their state is known and the scores change."""
    scorer = Scorer(made.manifest, made.tables)
    departures = made.reading.departures
    last = departures.flights.scheduled_utc > np.quantile(departures.flights.scheduled_utc, 0.9)
    data, history = departures.take(last), departures.take(~last)
    alone = evaluate(scorer, judged(data, None, (), schedule=True), "1h")
    informed = evaluate(scorer, judged(data, history, (), schedule=True), "1h")

    assert alone["n"] == informed["n"] == last.sum()
    assert informed["brier_score"] < alone["brier_score"]
    unchanged = evaluate(scorer, judged(data, history, (), schedule=False), "schedule")
    assert unchanged == evaluate(scorer, judged(data, None, (), schedule=False), "schedule")


def test_a_flight_in_both_files_counts_once(made: Made) -> None:
    """History that repeats the data changes nothing."""
    scorer = Scorer(made.manifest, made.tables)
    data = made.reading.departures.take(slice(0, 3000))
    once = log_odds(scorer, judged(data, None, (), schedule=True), "1h")
    twice = log_odds(scorer, judged(data, data, (), schedule=True), "1h")

    np.testing.assert_array_equal(once, twice)


def test_outcomes_of_others_after_the_moment_do_not_matter(made: Made) -> None:
    """Asked an hour before, a flight's answer is the same however late later flights turn out to be."""
    scorer = Scorer(made.manifest, made.tables)
    departures = made.reading.departures
    cut = int(np.median(departures.flights.scheduled_utc))
    later = departures.actual_utc > cut
    worse = DepartureTable(departures.flights, departures.actual_utc + np.where(later, 120, 0))
    asked = departures.flights.scheduled_utc - 60 <= cut
    before = log_odds(scorer, judged(departures, None, (), schedule=True), "1h")[asked]
    after = log_odds(scorer, judged(worse, None, (), schedule=True), "1h")[asked]

    np.testing.assert_array_equal(before, after)


def test_labels_that_mean_nothing_teach_nothing(few_rounds: None) -> None:
    """With outcomes shuffled among flights, what is learnt is worth a coin: AUC 0.50 within 0.02."""
    departures = read("scl", str(scl_file()[0])).departures
    rng = np.random.default_rng(11)
    delay = rng.permutation((departures.actual_utc - departures.flights.scheduled_utc).astype(np.int64))
    shuffled = DepartureTable(departures.flights, departures.flights.scheduled_utc + delay)
    nothing = departures.flights.take(slice(0, 0))
    trained = pipeline.train(shuffled, nothing, OFF, cards=((LEAD_BY_NAME["1h"], False),))

    assert trained.scores["1h, no schedule"]["auc"] == pytest.approx(0.5, abs=0.02)


def test_the_challenges_table_ranks_flights_better_than_chance(made: Made) -> None:
    """Airline, type and month say a little: AUC above 0.55 on the flights it was learnt from."""
    rows = made.reading.challenge
    assert rows is not None
    table = made.tables.challenge
    p = np.array(
        [
            table[str(n)][str(k)][int(m) - 1]
            for n, k, m in zip(rows.airline_name, rows.flight_type, rows.month, strict=True)
        ]
    )

    assert auc(rows.delayed, p) > 0.55
    assert p.mean() == pytest.approx(rows.delayed.mean(), abs=0.002)


def test_no_departures_to_score_is_said(made: Made) -> None:
    """An empty file is not a score."""
    with pytest.raises(SourceError, match="no departure to be scored"):
        judged(made.reading.departures.take(slice(0, 0)), None, (), schedule=True)
