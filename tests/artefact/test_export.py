"""The ONNX copy answers as the scorecard does, in every runtime that reads it, or it is not left behind."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from atraso.artefact import export
from atraso.artefact.bundle import BUNDLED, read_artefact
from atraso.artefact.export import export_onnx, file_name, largest_differences, onnx_model, proof_rows
from atraso.artefact.scorer import Scorer, load_scorer
from atraso.core.errors import ArtefactError, MissingExtraError, SettingsError
from atraso.core.features import FEATURE_BY_NAME
from atraso.core.flights import FlightTable
from atraso.core.prediction import EXCEEDS_MINUTES, never_crossing, quantiles_minutes, sigmoid
from atraso.core.scorecard import ANCHOR, THRESHOLDS_MINUTES, Scorecard, Steps

SCHEDULE = "schedule.onnx"


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """Return the bundled model."""
    return load_scorer()


@pytest.fixture(scope="module")
def copies(scorer: Scorer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the copies of the bundled model."""
    folder = tmp_path_factory.mktemp("copies") / "my-model-onnx"
    export_onnx(scorer, list(scorer.scorecards.values()), folder)
    return folder


def session(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def unseen_rows(card: Scorecard, n: int, seed: int) -> dict[str, np.ndarray]:
    """Return values across and beyond the range of each feature's edges, an eighth of them missing."""
    rng = np.random.default_rng(seed)
    rows = {}
    for step in card.steps:
        low, high = float(step.edges[0]), float(step.edges[-1])
        span = high - low or 1.0
        values = rng.uniform(low - span, high + span, n)
        values = np.where(rng.random(n) < 0.2, rng.choice(step.edges, n), values)
        values[rng.random(n) < 0.125] = np.nan
        rows[step.feature] = values
    return rows


def test_every_scorecard_and_its_copy_agree_on_ten_thousand_rows_with_missing_and_unseen_values(
    scorer: Scorer, copies: Path
) -> None:
    """Wanted is 1e-5 in probability; what is reached is 1e-12, in log-odds too, and 1e-9 minutes."""
    for seed, card in enumerate(scorer.scorecards.values()):
        rows = unseen_rows(card, 10_000, seed)
        off = largest_differences(copies / file_name(card), scorer, card, rows)

        assert all(np.isnan(column).any() and not np.isnan(column).all() for column in rows.values())
        assert off["delay_probability"] < 1e-5
        assert max(off["delay_probability"], off["exceeds"], off["log_odds"]) < 1e-12, (card.lead, off)
        assert off["minutes"] < 1e-9, (card.lead, off)


def test_a_row_of_a_copy_is_what_the_definitions_give_one_by_one(scorer: Scorer, copies: Path) -> None:
    """Without any of the vectorised forms: sums, then never crossing, then probabilities and quantiles of one row."""
    for card in scorer.scorecards.values():
        rows = unseen_rows(card, 50, 7)
        copy = session(copies / file_name(card))
        table = np.column_stack([rows[name] for name in card.features])
        names = ["log_odds", "exceeds", "delay_probability", "minutes"]
        for row, *answer in zip(range(50), *copy.run(names, {"features": table}), strict=True):
            sums = card.bias + sum(step.at(table[[row], i])[0] for i, step in enumerate(card.steps))
            fixed = never_crossing(sums.tolist(), ANCHOR)

            assert answer[0].tolist() == pytest.approx(fixed, abs=1e-12)
            assert answer[1].tolist() == pytest.approx([sigmoid(v) for v in fixed], abs=1e-12)
            assert answer[2] == pytest.approx(sigmoid(fixed[ANCHOR]), abs=1e-12)
            assert answer[3].tolist() == pytest.approx(
                quantiles_minutes(fixed, THRESHOLDS_MINUTES, *scorer.delay_range), abs=1e-9
            )


def test_the_reference_runtime_of_onnx_gives_the_same_numbers(scorer: Scorer, copies: Path) -> None:
    """The copy leans on nothing of onnxruntime: a second, independent runtime agrees on the largest scorecard."""
    card = max(scorer.scorecards.values(), key=lambda c: len(c.steps))
    rows = proof_rows(card, 300, 3)
    features = {"features": np.column_stack([rows[name] for name in card.features])}
    file = copies / file_name(card)
    with np.errstate(all="ignore"):
        plain = ReferenceEvaluator(str(file)).run(None, features)

    for one, other in zip(session(file).run(None, features), plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9)


def test_flat_and_crossing_log_odds_have_the_quantiles_of_the_definition(scorer: Scorer, tmp_path: Path) -> None:
    """Curves that cross, are flat, lie on a wanted quantile or leave the range altogether are read the same way."""
    width = len(THRESHOLDS_MINUTES)
    shapes = np.array(
        [
            np.zeros(width),  # flat, on the median exactly
            np.linspace(-3, 3, width),  # rising: every threshold crosses the next
            np.linspace(3, -3, width),
            np.full(width, 9.0),  # sure to be late beyond every threshold
            np.full(width, -9.0),
            np.where(np.arange(width) < ANCHOR, 2.0, -2.0),
            np.full(width, np.log(0.05 / 0.95)),  # flat, on the 95 % quantile
        ]
    )
    name = scorer.scorecard("schedule", schedule=False).features[0]
    step = Steps(name, np.arange(len(shapes) - 1) + 0.5, shapes, np.linspace(1, -1, width))
    card = Scorecard("schedule", False, np.zeros(width), (step,), {}, {})
    file = tmp_path / "shapes.onnx"
    export_onnx(scorer, [card], file)
    each = np.array([*range(len(shapes)), np.nan])
    log_odds, minutes = session(file).run(["log_odds", "minutes"], {"features": each[:, None]})

    for row, shape in enumerate([*shapes, step.missing]):
        fixed = never_crossing(shape.tolist(), ANCHOR)
        assert log_odds[row].tolist() == pytest.approx(fixed, abs=1e-12)
        assert minutes[row].tolist() == pytest.approx(
            quantiles_minutes(fixed, THRESHOLDS_MINUTES, *scorer.delay_range), abs=1e-9
        )


def test_the_features_of_real_questions_give_the_answers_of_the_model(scorer: Scorer, copies: Path) -> None:
    """Flights through library and copy have the probability, exceedances and quantiles of `predict_many`."""
    flights = [
        scorer.resolve(a.icao, str(number), d.icao, f"2017-{1 + number % 12:02d}-{1 + number % 28:02d}T{hour:02d}:05")[
            0
        ]
        for number, (a, d) in enumerate(zip(scorer.manifest.airlines, scorer.manifest.destinations, strict=False))
        for hour in range(0, 24, 5)
    ]
    table = FlightTable.of(flights)
    columns = scorer.schedule_features(table)
    copy = session(copies / SCHEDULE)
    names = json.loads(copy.get_modelmeta().custom_metadata_map["features"])
    features = np.column_stack([columns[name] for name in names])
    probability, exceeds, minutes = copy.run(["delay_probability", "exceeds", "minutes"], {"features": features})
    answer = scorer.predict_many(table)

    assert len(flights) >= 20
    np.testing.assert_allclose(probability, answer.delay_probability, rtol=0, atol=1e-12)
    shown = [THRESHOLDS_MINUTES.index(m) for m in EXCEEDS_MINUTES]
    np.testing.assert_allclose(exceeds[:, shown], answer.exceeds, rtol=0, atol=1e-12)
    np.testing.assert_allclose(minutes, answer.minutes, rtol=0, atol=1e-9)


def test_a_copy_is_plain_onnx_that_says_what_it_is(scorer: Scorer, copies: Path) -> None:
    """Every file passes ONNX's own checker, has standard operators only, and names model, lead, columns and minutes."""
    assert sorted(p.name for p in copies.iterdir()) == sorted(file_name(c) for c in scorer.scorecards.values())
    for card in scorer.scorecards.values():
        model = onnx.load(copies / file_name(card))
        onnx.checker.check_model(model, full_check=True)
        told = {prop.key: prop.value for prop in model.metadata_props}

        assert [imported.domain for imported in model.opset_import] == [""]
        assert {node.domain for node in model.graph.node} == {""}
        assert (told["airport"], told["version"], told["checksum"]) == (
            scorer.manifest.airport,
            scorer.manifest.version,
            scorer.manifest.checksum,
        )
        assert (told["lead"], json.loads(told["schedule"])) == (card.lead, card.schedule)
        assert tuple(json.loads(told["features"])) == card.features
        assert json.loads(told["needs"]) == {name: sorted(FEATURE_BY_NAME[name].needs) for name in card.features}
        assert tuple(json.loads(told["thresholds_minutes"])) == THRESHOLDS_MINUTES
        assert [value.name for value in model.graph.input] == ["features"]
        assert {value.name for value in model.graph.output} == {"delay_probability", "exceeds", "log_odds", "minutes"}


def test_the_same_artefact_gives_the_same_bytes(scorer: Scorer, copies: Path, tmp_path: Path) -> None:
    """A copy holds no time and no chance; its size and SHA-256 are those told."""
    card = scorer.scorecard("schedule", schedule=False)
    [copy] = export_onnx(scorer, [card], tmp_path / SCHEDULE)

    assert (tmp_path / SCHEDULE).read_bytes() == (copies / SCHEDULE).read_bytes()
    assert copy.size_bytes == len((copies / SCHEDULE).read_bytes())
    assert copy.sha256 == hashlib.sha256((copies / SCHEDULE).read_bytes()).hexdigest()


@pytest.mark.parametrize("what", ["an edge", "a step", "a gap", "the bias", "nothing but NaN"])
def test_a_copy_that_differs_is_not_left_behind(
    scorer: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """One number off by a little in what is written, and it is refused; what stood there before still does."""
    card = scorer.scorecard("schedule", schedule=False)
    step = card.steps[-1]
    off = {
        "an edge": {"edges": np.nextafter(step.edges, np.inf)},
        "a step": {"values": step.values + 1e-6 * (np.arange(len(step.values)) == 1)[:, None]},
        "a gap": {"missing": step.missing + 1e-6},
        "nothing but NaN": {"values": np.full_like(step.values, np.nan)},
    }.get(what, {})
    numbers = {"edges": step.edges, "values": step.values, "missing": step.missing} | off
    wrong = Steps(step.feature, **numbers)
    bias = card.bias + 1e-6 if what == "the bias" else card.bias
    spoilt = Scorecard(card.lead, card.schedule, bias, (*card.steps[:-1], wrong), card.reference, card.weight)
    monkeypatch.setattr(export, "onnx_model", lambda scorer, _: onnx_model(scorer, spoilt))
    (tmp_path / SCHEDULE).write_bytes(b"before")

    with pytest.raises(ArtefactError, match=r"copy of schedule differs .* nothing was written"):
        export_onnx(scorer, [card], tmp_path / SCHEDULE, replace=True)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(SCHEDULE, b"before")]


def test_copies_are_replaced_only_when_told_and_all_at_once(scorer: Scorer, tmp_path: Path) -> None:
    """A folder of copies stays as it is without --replace; with it, none of the old ones is left."""
    folder = tmp_path / "copies"
    folder.mkdir()
    cards = [scorer.scorecard("schedule", schedule=known) for known in (False, True)]
    export_onnx(scorer, cards, folder)  # an empty folder holds nothing that could be lost
    with pytest.raises(SettingsError, match="exists already: choose another place, or say --replace"):
        export_onnx(scorer, cards[:1], folder)
    assert len(list(folder.iterdir())) == 2

    export_onnx(scorer, cards[:1], folder, replace=True)
    assert [p.name for p in folder.iterdir()] == [SCHEDULE]
    assert [p.name for p in tmp_path.iterdir()] == ["copies"]


def test_a_stop_in_the_middle_leaves_what_was_there(scorer: Scorer, copies: Path, tmp_path: Path) -> None:
    """Ctrl-C between two copies: the old folder is whole, and nothing half-written lies beside it."""
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / "1h.onnx").write_bytes(b"old")

    def stop(done: int, _: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_onnx(scorer, list(scorer.scorecards.values()), folder, replace=True, progress=stop)
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["copies", "copies/1h.onnx"]


@pytest.mark.parametrize(
    ("there", "out", "says"),
    [
        ("copies/notes.txt", "copies", "holds notes.txt, which is no copy of a scorecard"),
        ("copies/mine.onnx", "copies", "holds mine.onnx, which is no copy of a scorecard"),
        ("copies", "copies", "is a file: give a folder"),
        ("copy.onnx/x", "copy.onnx", "is a folder: give a file ending in .onnx"),
        ("copy.onnx", "copy.onnx", "exists already"),
        ("model/manifest.json", "model/copy.onnx", "would lie inside an artefact"),
        ("model/manifest.json", "model/copies", "would lie inside an artefact"),
        ("model/manifest.json", "model", "holds manifest.json, which is no copy of a scorecard"),
        ("taken", "taken/copy.onnx", "cannot be made"),
    ],
)
def test_a_place_that_cannot_be_used_is_refused(
    scorer: Scorer, tmp_path: Path, there: str, out: str, says: str
) -> None:
    """The sentence says why, and what lay there is untouched (only `exists already` yields to --replace)."""
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_bytes(b"mine")
    card = scorer.scorecard("schedule", schedule=False)
    for replace in (False, True)[: 1 if says == "exists already" else 2]:
        with pytest.raises(SettingsError, match=re.escape(says)):
            export_onnx(scorer, [card], tmp_path / out, replace=replace)
    assert (tmp_path / there).read_bytes() == b"mine"
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / there]


def test_one_file_is_for_one_scorecard(scorer: Scorer, tmp_path: Path) -> None:
    """Several scorecards need a folder."""
    with pytest.raises(SettingsError, match=r"all\.onnx is one file, for one scorecard, not \d+: give a folder"):
        export_onnx(scorer, list(scorer.scorecards.values()), tmp_path / "all.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_extra_it_is_named(
    scorer: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """Where ONNX is not installed the sentence says what to install, and nothing is made."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"An ONNX copy needs the extra 'train'"):
        export_onnx(scorer, list(scorer.scorecards.values()), tmp_path / "copies")
    assert list(tmp_path.iterdir()) == []


def test_loading_a_model_loads_no_onnx() -> None:
    """Only the export needs ONNX: a model answers where neither package is imported."""
    code = (
        "import sys; import atraso.artefact.export; from atraso.artefact.scorer import load_scorer; load_scorer()\n"
        "print(sorted({'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"


def test_another_model_is_copied_as_itself(scorer: Scorer, tmp_path: Path) -> None:
    """Nothing is taken from the bundled model: version, airport and delay range are those of the model given."""
    manifest = msgspec.structs.replace(scorer.manifest, airport="XXXX", version="other", golden=())
    other = Scorer(manifest, msgspec.structs.replace(read_artefact(BUNDLED)[1], delay_range=(-90.0, 900.0)))
    card = other.scorecard("schedule", schedule=False)
    export_onnx(other, [card], tmp_path / SCHEDULE)
    told = session(tmp_path / SCHEDULE).get_modelmeta().custom_metadata_map

    assert (told["airport"], told["version"]) == ("XXXX", "other")
    assert largest_differences(tmp_path / SCHEDULE, other, card, unseen_rows(card, 500, 1))["minutes"] < 1e-9
    assert largest_differences(tmp_path / SCHEDULE, scorer, card, unseen_rows(card, 500, 1))["minutes"] > 1
