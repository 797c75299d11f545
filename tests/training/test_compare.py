"""Candidates compared on generated flights: which months take part, what is kept, and what goes wrong harmlessly."""

import json
from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest

from atraso.core.errors import SourceError
from atraso.core.features import features_known
from atraso.core.flights import DepartureTable
from atraso.core.leads import LEAD_BY_NAME
from atraso.core.scores import auc
from atraso.sources.registry import read
from atraso.training import compare as compare_module
from atraso.training.candidates import lightgbm_trees, one_learner, reference
from atraso.training.candidates.candidate import FACTS, Candidate, Floats, Ints, Labels, Predict
from atraso.training.candidates.registry import SCORECARD
from atraso.training.cells import Cells
from atraso.training.compare import Comparison, compare, months_to_compare
from atraso.training.comparison_record import record_of
from atraso.training.holidays import days_off
from atraso.training.learners import boosting_machine, stumps
from atraso.training.rolling import months_of, roll
from tests.flights_at_hand import generated_scl_file
from tests.training.quick import train_quickly

OFF = days_off("CL", 2017, 2017)
REFERENCE = Candidate("reference", True, "", reference.fit)
STUMPS = Candidate("stumps", True, "", partial(one_learner.fit, learn=partial(stumps.learn, rounds=200)))
PAIRS = Candidate(
    "pairs", False, "", partial(lightgbm_trees.fit, form={**lightgbm_trees.PAIRS, "learning_rate": 0.2}, rounds=40)
)
BLEND = Candidate("blend", False, "", members=("stumps", "pairs"))


def breaks(names: Sequence[str], matrix: Floats, late: Labels, days: Ints, weight: Floats) -> Predict:
    """Stand for a learner that has a bad day."""
    raise MemoryError("no room")


@pytest.fixture(scope="module")
def departures() -> DepartureTable:
    """Return a third of the generated flights."""
    everything = read("scl", str(generated_scl_file())).departures
    return everything.take(slice(0, None, 3))


def compared(departures: DepartureTable, *candidates: Candidate, **how: object) -> Comparison:
    nobody = departures.flights.take(slice(0, 0))
    leads = how.pop("leads", ["1h"])
    return compare(departures, nobody, OFF, leads, candidates, **{"processes": 0, **how})  # type: ignore[arg-type]


def scores(found: Comparison) -> object:
    """Return what was found, without the times."""
    told = record_of(found, {})["leads"]
    for lead in told.values():
        for candidate in lead["candidates"]:
            del candidate["fit_cpu_s"]
    return told


def test_of_a_year_may_to_september_are_judged(departures: DepartureTable) -> None:
    """January to September may take part, the first four only to learn from; April shows the spread."""
    months = months_to_compare(departures.flights.scheduled_local)

    assert months.whole == tuple(range(1, 10))
    assert months.judged == (5, 6, 7, 8, 9)
    assert months.calibrating == (4,)


def test_too_short_a_period_is_refused(departures: DepartureTable) -> None:
    """The sentence says how many months it takes."""
    local = departures.flights.scheduled_local
    with pytest.raises(SourceError, match=r"takes 6 whole months .* there are 3"):
        months_to_compare(local[months_of(local) <= 5])


def test_the_last_months_take_part_in_no_choice(departures: DepartureTable) -> None:
    """Outcomes of October to December turned, every score stays as it was, at a lead with live state too."""
    late_in_year = months_of(departures.flights.scheduled_local) >= 10
    turned = DepartureTable(departures.flights, departures.actual_utc + np.where(late_in_year, 60, 0))
    before, after = (compared(d, REFERENCE, STUMPS, leads=["schedule", "1h"]) for d in (departures, turned))

    assert before.complete
    assert list(before.choices) == ["schedule", "1h"]
    assert scores(before) == scores(after)


def test_a_cell_holds_the_features_of_training_and_the_facts_at_the_end(departures: DepartureTable) -> None:
    """The columns are those a scorecard may read, then the reference's; no rate of the past tells its own month."""
    nobody = departures.flights.take(slice(0, 0))
    month = months_of(departures.flights.scheduled_local)
    cells = Cells(departures, nobody, OFF)
    cell = cells.cell(LEAD_BY_NAME["1h"], 6)
    declared = [f.name for f in features_known(state=True, schedule=True)]

    assert list(cell.names) == [*declared, *FACTS]
    assert cell.past.shape == ((month < 6).sum(), len(cell.names))
    assert cell.asked.shape == ((month == 6).sum(), len(cell.names))
    assert cells.cell(LEAD_BY_NAME["1h"], 6) is cell
    schedule = cells.cell(LEAD_BY_NAME["schedule"], 6)
    assert not any(name.startswith(("late.", "delay.", "overdue.", "waiting.", "decided.")) for name in schedule.names)
    # the reference's facts: type 1 for Chile alone, and the month itself
    home = [code.startswith("SC") for code in departures.flights.take(month == 6).destination.tolist()]
    assert cell.asked[:, -2].tolist() == home
    assert set(cell.asked[:, -1]) == {6}


def test_the_scorecard_is_the_product_s_own(departures: DepartureTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its AUC is that of rolling over the judged months with what `atraso train` does."""
    train_quickly(monkeypatch, 60, 5)
    found = compared(departures, Candidate(SCORECARD, True, ""), leads=["12h"])
    nobody = departures.flights.take(slice(0, 0))
    rolled = roll(departures, nobody, OFF, [5, 6, 7, 8, 9], cards=[("12h", True)])["12h", True]

    assert found.choices["12h"].candidates[0].auc == pytest.approx(auc(rolled.late, rolled.probability), abs=1e-12)


def test_two_processes_find_what_one_does(departures: DepartureTable) -> None:
    """The numbers are the same, and the memory and CPU time of the workers are told."""
    alone = compared(departures, REFERENCE, STUMPS, PAIRS, BLEND)
    together = compared(departures, REFERENCE, STUMPS, PAIRS, BLEND, processes=2)

    assert scores(alone) == scores(together)
    assert together.peak_bytes > 1.3 * alone.peak_bytes > 50_000_000
    assert together.cpu_s > sum(s.fit_cpu_s for s in together.choices["1h"].candidates[:3])
    assert [s.name for s in together.choices["1h"].candidates] == ["reference", "stumps", "pairs", "blend"]
    assert together.choices["1h"].chosen != "reference"  # the generated flights have bad hours that a state can see


def test_a_candidate_that_fails_is_named_and_the_others_go_on(departures: DepartureTable) -> None:
    """The blends it belongs to have no scores either; a lead without any scores says why."""
    broken = Candidate("pairs", False, "", breaks)
    some = compared(departures, REFERENCE, STUMPS, broken, BLEND, leads=["schedule"])
    none = compared(departures, broken, leads=["schedule"])

    assert [s.name for s in some.choices["schedule"].candidates] == ["reference", "stumps"]
    assert some.choices["schedule"].failed["pairs"] == "month 4: MemoryError: no room"
    assert some.choices["schedule"].failed["blend"] == "its member pairs failed"
    assert none.choices == {}
    assert none.failed == {"schedule": "pairs: month 4: MemoryError: no room"}


def test_an_interruption_keeps_the_months_that_all_had_done(departures: DepartureTable) -> None:
    """Stopped in July of the second lead, when one member of a blend had done it: May and June are judged there."""
    steps = []

    def interrupts(text: str, done: int, total: int) -> None:
        steps.append((done, total))
        if text.startswith("1h, month 7: stumps"):
            raise KeyboardInterrupt

    kept: list[str] = []
    found = compared(
        departures,
        REFERENCE,
        STUMPS,
        PAIRS,
        BLEND,
        leads=["schedule", "1h"],
        progress=interrupts,
        chosen=lambda so_far: kept.append(json.dumps(record_of(so_far, {}), allow_nan=False)),
    )

    assert not found.complete
    assert found.choices["schedule"].months == (5, 6, 7, 8, 9)
    assert found.choices["1h"].months == (5, 6)
    assert [list(json.loads(record)["leads"]) for record in kept] == [["schedule"]]
    assert [done for done, _ in steps] == list(range(len(steps)))  # the bar moves with every fit
    assert {total for _, total in steps} == {36}


def test_the_bags_of_weeks_reach_the_machine(departures: DepartureTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """The additive machine runs on real cells, and knows more an hour before than the reference does."""
    monkeypatch.setattr(boosting_machine, "ROUNDS", 60)
    machine = Candidate("EBM", True, "", partial(one_learner.fit, learn=boosting_machine.learn))
    found = compared(departures, REFERENCE, machine)
    plain, boosted = found.choices["1h"].candidates

    assert boosted.auc > plain.auc + 0.02
    assert boosted.log_loss.value < plain.log_loss.value


def test_each_process_is_bound_so_that_all_are_within_six_gigabytes() -> None:
    """Two workers at their bound leave half a gigabyte and more to the process that started them."""
    assert compare_module.PROCESSES * compare_module.PROCESS_MEMORY_BYTES <= 5.5e9
