"""An interchange copy of the scorecards as ONNX, kept only where it answers as the scorecard does.

A copy goes from the features of a flight to the numbers of its answer. What makes features (calendar, frozen rates,
state, crowding) and what gives reasons stays with the library: docs/05-artefact.md says how to get them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atraso import __version__
from atraso.artefact.bundle import MANIFEST
from atraso.artefact.scorer import Scorer
from atraso.core.errors import ArtefactError, MissingExtraError, SettingsError
from atraso.core.features import FEATURE_BY_NAME
from atraso.core.leads import LEADS
from atraso.core.prediction import NEARLY_SURE, QUANTILES, logit, never_crossing_many, quantile_minutes_many
from atraso.core.scorecard import ANCHOR, THRESHOLDS_MINUTES, Scorecard

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Floats = NDArray[np.float64]

ENDING = ".onnx"
# Operators of 2020, none from outside the standard domain: runtimes far older than ours read the copy.
OPSET, IR_VERSION = 13, 7
PROOF_ROWS, PROOF_SEED = 4096, 20170101
# A copy that is further off than this is not left behind. Rounding alone comes to about 1e-14.
LIMITS = {"log_odds": 1e-9, "exceeds": 1e-9, "delay_probability": 1e-9, "minutes": 1e-6}


@dataclass(frozen=True, slots=True)
class OnnxCopy:
    """A copy that was written: its file, what it is a copy of, and how far its answers were from the scorecard's.

    `largest_difference` maps each output to its largest difference over `rows` random rows.
    """

    file: str
    lead: str
    schedule: bool
    features: int
    size_bytes: int
    sha256: str
    rows: int
    largest_difference: dict[str, float]


def file_name(card: Scorecard) -> str:
    """Return the name of a scorecard's copy in a folder of copies."""
    return _file_name(card.lead, card.schedule)


def _file_name(lead: str, schedule: bool) -> str:
    return f"{lead}{'-published' if schedule else ''}{ENDING}"


def export_onnx(
    scorer: Scorer,
    cards: Sequence[Scorecard],
    out: Path,
    *,
    replace: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[OnnxCopy, ...]:
    """Write *cards* of *scorer* to *out* as ONNX, in one step, once every copy is proved equal to its scorecard.

    *out* is a file where it ends in .onnx (one card), else a folder with a file per card (`file_name`). *progress* is
    told (done, total). Raises MissingExtraError without onnx and onnxruntime, SettingsError where *out* cannot be
    used, ArtefactError where a copy differs by more than `LIMITS` or cannot be written; then nothing is left behind.
    """
    _check_packages()
    out = out.resolve()
    one_file = out.suffix == ENDING
    if one_file and len(cards) != 1:
        raise SettingsError(f"{out.name} is one file, for one scorecard, not {len(cards)}: give a folder")
    check_out(out, replace=replace)
    fresh = out.with_name(f".{out.name}.{os.getpid()}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    copies = []
    try:
        fresh.mkdir()
        for done, card in enumerate(cards):
            if progress:
                progress(done, len(cards))
            copies.append(_proved_copy(scorer, card, fresh / (out.name if one_file else file_name(card))))
        _take_place(fresh / out.name if one_file else fresh, out)
    except OSError as error:
        raise ArtefactError(f"{out} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return tuple(copies)


def check_out(out: Path, *, replace: bool) -> None:
    """Raise SettingsError where copies could not be written to *out*; its parent folder is made."""
    if out.suffix == ENDING:
        if out.is_dir():
            raise SettingsError(f"{out} is a folder: give a file ending in {ENDING}, or a folder without that ending")
        taken = out.exists()
    else:
        if out.exists() and not out.is_dir():
            raise SettingsError(f"{out} is a file: give a folder, or a file ending in {ENDING}")
        held = list(out.iterdir()) if out.exists() else []
        own = {_file_name(lead.name, schedule) for lead in LEADS for schedule in (True, False)}
        foreign = [path.name for path in held if path.name not in own or not path.is_file()]
        if foreign:
            raise SettingsError(f"{out} holds {min(foreign)}, which is no copy of a scorecard: choose another folder")
        taken = bool(held)
    if taken and not replace:
        raise SettingsError(f"{out} exists already: choose another place, or say --replace")
    if (out.parent / MANIFEST).is_file():
        raise SettingsError(
            f"{out} would lie inside an artefact, which is refused with a file too many: choose another place"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{out.parent} cannot be made: {error.strerror}") from error


def onnx_model(scorer: Scorer, card: Scorecard) -> ModelProto:
    """Return *card* of *scorer* as an ONNX model; the same artefact gives the same bytes.

    Input `features` (rows, features), double, NaN where unknown. Outputs, double: `log_odds` and `exceeds` (rows,
    thresholds), never crossing; `delay_probability` (rows,); `minutes` (rows, quantiles). The metadata names columns.
    """
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - loads only where a copy is made

    nodes: list[NodeProto] = []
    constants: dict[str, NDArray[Any]] = {}

    def add(operator: str, inputs: Sequence[str], output: str | Sequence[str], **attributes: Any) -> None:
        outputs = [output] if isinstance(output, str) else list(output)
        nodes.append(helper.make_node(operator, list(inputs), outputs, **attributes))

    def constant(name: str, value: Any) -> str:
        constants[name] = np.asarray(value)
        return name

    # Each edge is one comparison, and what the steps rise by there is added up by one product of matrices. NaN exceeds
    # no edge: it falls on the first step, and is moved from there to `missing`. Chosen over the tree operators of
    # ai.onnx.ml because any runtime has these; onnxruntime 1.32 runs them in double, within 1e-14 of the tables. Its
    # TreeEnsembleRegressor (version 3) takes doubles but answers in single precision, 2e-7 away; its TreeEnsemble
    # (version 5) is equal to the last bit, but three times the file, no faster, and newer than many runtimes.
    steps = card.steps
    owner = np.repeat(np.arange(len(steps)), [len(s.edges) for s in steps])
    first = np.array([s.values[0] for s in steps])
    add("Gather", ["features", constant("feature_of_edge", owner)], "asked", axis=1)
    add("Greater", ["asked", constant("edges", np.concatenate([s.edges for s in steps]))], "above")
    add("Cast", ["above"], "passed", to=TensorProto.DOUBLE)
    add("MatMul", ["passed", constant("rises", np.vstack([np.diff(s.values, axis=0) for s in steps]))], "known")
    add("IsNaN", ["features"], "unknown")
    add("Cast", ["unknown"], "gap", to=TensorProto.DOUBLE)
    add("MatMul", ["gap", constant("to_missing", np.array([s.missing for s in steps]) - first)], "moved")
    add("Add", ["known", "moved"], "stepped")
    add("Add", ["stepped", constant("start", card.bias + first.sum(axis=0))], "sums")

    # core.prediction.never_crossing: the neighbours of the anchor give way, outwards
    width = len(THRESHOLDS_MINUTES)
    fixed = [f"sum_{k}" for k in range(width)]
    add("Split", ["sums", constant("one_each", np.ones(width, dtype=np.int64))], fixed.copy(), axis=1)
    for k in (*range(ANCHOR + 1, width), *range(ANCHOR - 1, -1, -1)):
        inner, operator = (fixed[k - 1], "Min") if k > ANCHOR else (fixed[k + 1], "Max")
        add(operator, [fixed[k], inner], f"fixed_{k}")
        fixed[k] = f"fixed_{k}"
    add("Concat", fixed, "log_odds", axis=1)
    add("Sigmoid", ["log_odds"], "exceeds")
    add("Gather", ["exceeds", constant("anchor", np.int64(ANCHOR))], "delay_probability", axis=1)

    # core.prediction.quantiles_minutes: of each stretch of the curve, the part above the wanted log-odds. The tiny
    # number is for flat stretches: they count whole or not at all, and nothing is divided by zero.
    floor, ceiling = scorer.delay_range
    add("Max", [fixed[0], constant("nearly_sure", NEARLY_SURE)], "begin")
    add("Min", [fixed[-1], constant("hardly_ever", -NEARLY_SURE)], "end")
    add("Unsqueeze", ["log_odds", constant("middle", np.array([1]))], "curve")
    add("Unsqueeze", ["begin", "middle"], "curve_begin")
    add("Unsqueeze", ["end", "middle"], "curve_end")
    add("Concat", ["curve_begin", "curve"], "left", axis=2)
    add("Concat", ["curve", "curve_end"], "right", axis=2)
    add("Sub", ["left", "right"], "falls")
    add("Max", ["falls", constant("tiny", np.finfo(np.float64).tiny)], "falls_some")
    add("Sub", ["left", constant("wanted", [[logit(1.0 - level)] for _, level in QUANTILES])], "over")
    add("Div", ["over", "falls_some"], "share")
    add("Clip", ["share", constant("none", 0.0), constant("whole", 1.0)], "part")
    add("MatMul", ["part", constant("stretches", np.diff([floor, *THRESHOLDS_MINUTES, ceiling]))], "passed_minutes")
    add("Add", ["passed_minutes", constant("floor", floor)], "minutes")

    def value(name: str, columns: int | None, says: str) -> Any:
        shape: list[str | int | None] = ["rows"] if columns is None else ["rows", columns]
        return helper.make_tensor_value_info(name, TensorProto.DOUBLE, shape, doc_string=says)

    graph = helper.make_graph(
        nodes,
        "scorecard",
        [value("features", len(steps), "columns as named by metadata `features`; NaN where unknown")],
        [
            value("delay_probability", None, f"P(delay > {THRESHOLDS_MINUTES[ANCHOR]} min)"),
            value("exceeds", width, "P(delay > m), m as in metadata `thresholds_minutes`"),
            value("log_odds", width, "the log-odds of `exceeds`"),
            value("minutes", len(QUANTILES), "delay in minutes not exceeded, as in metadata `quantiles`"),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(
        graph,
        producer_name="atraso",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, _metadata(scorer, card))
    return model


def _metadata(scorer: Scorer, card: Scorecard) -> dict[str, str]:
    manifest = scorer.manifest
    return {
        "airport": manifest.airport,
        "version": manifest.version,
        "checksum": manifest.checksum,
        "feature_fingerprint": manifest.feature_fingerprint,
        "trained_to": manifest.trained_to,
        "lead": card.lead,
        "schedule": json.dumps(card.schedule),
        "features": json.dumps(card.features),
        "needs": json.dumps({name: sorted(FEATURE_BY_NAME[name].needs) for name in card.features}),
        "thresholds_minutes": json.dumps(THRESHOLDS_MINUTES),
        "quantiles": json.dumps(dict(QUANTILES)),
        "decision_threshold": json.dumps(manifest.decision_threshold),
    }


def proof_rows(card: Scorecard, rows: int, seed: int = PROOF_SEED) -> dict[str, Floats]:
    """Return *rows* random values of each feature of *card*, drawn from where a copy could go wrong.

    On each edge and on the nearest number at either side of it, between edges, far outside, infinite, and missing.
    """
    rng = np.random.default_rng(seed)
    out = {}
    for step in card.steps:
        e = step.edges
        beside = [np.nextafter(e, -np.inf), e, np.nextafter(e, np.inf), (e[1:] + e[:-1]) / 2]
        values = rng.choice(np.concatenate([*beside, [-np.inf, -1e300, -0.0, 0.0, 1e300, np.inf]]), rows)
        values[rng.random(rows) < 0.1] = np.nan
        out[step.feature] = values
    return out


def largest_differences(file: Path, scorer: Scorer, card: Scorecard, rows: Mapping[str, Floats]) -> dict[str, float]:
    """Return, per output of the copy in *file*, its largest difference from the answers of *card* to *rows*.

    The copy is run by onnxruntime on one thread, with its columns in the order its own metadata gives.
    """
    import onnxruntime  # noqa: PLC0415 - loads only where a copy is made

    log_odds = never_crossing_many(card.log_odds(rows), ANCHOR)
    with np.errstate(over="ignore"):
        exceeds = 1.0 / (1.0 + np.exp(-log_odds))
    levels = [level for _, level in QUANTILES]
    minutes = [quantile_minutes_many(log_odds, THRESHOLDS_MINUTES, level, *scorer.delay_range) for level in levels]
    said = {
        "log_odds": log_odds,
        "exceeds": exceeds,
        "delay_probability": exceeds[:, ANCHOR],
        "minutes": np.column_stack(minutes),
    }
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])
    names = json.loads(session.get_modelmeta().custom_metadata_map["features"])
    answers = session.run(list(said), {"features": np.column_stack([rows[name] for name in names])})
    differences = {}
    for (output, expected), answer in zip(said.items(), answers, strict=True):
        if answer.shape != expected.shape:
            raise ArtefactError(f"{file.name}: `{output}` has the shape {answer.shape}, not {expected.shape}")
        differences[output] = float(np.abs(answer - expected).max())
    return differences


def _proved_copy(scorer: Scorer, card: Scorecard, file: Path) -> OnnxCopy:
    import onnx  # noqa: PLC0415 - loads only where a copy is made

    model = onnx_model(scorer, card)
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString(deterministic=True)
    with file.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    differences = largest_differences(file, scorer, card, proof_rows(card, PROOF_ROWS))
    for output, limit in LIMITS.items():
        if not differences[output] <= limit:  # so that NaN is refused too
            raise ArtefactError(
                f"the ONNX copy of {card.lead} differs from the model by {differences[output]:.1e} in `{output}` "
                f"(at most {limit:.0e} is allowed), so nothing was written: try another version of onnxruntime"
            )
    return OnnxCopy(
        file.name,
        card.lead,
        card.schedule,
        len(card.steps),
        len(content),
        hashlib.sha256(content).hexdigest(),
        PROOF_ROWS,
        differences,
    )


def _take_place(fresh: Path, out: Path) -> None:
    """Put the file or folder *fresh* where *out* is; an old folder is back in its place if that fails."""
    if not out.is_dir():
        fresh.replace(out)
        return
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    out.rename(old)
    try:
        fresh.rename(out)
    except BaseException:
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _check_packages() -> None:
    try:
        import onnx  # noqa: F401, PLC0415 - asked for here, so that its absence is told before any work
        import onnxruntime  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("An ONNX copy", "train") from error
