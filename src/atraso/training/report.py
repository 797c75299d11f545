"""The model card: what a model is, how good it was shown to be, and where it fails; Markdown from records alone."""

from __future__ import annotations

from collections.abc import Iterable

from atraso.artefact.manifest import Manifest
from atraso.core.errors import SourceError
from atraso.training.card_records import SHOWN, Record, Records


def model_card(manifest: Manifest, records: Records, diagram: str) -> str:
    """Return the card of the model of *manifest* as Markdown; *diagram* is the name of the picture beside the card.

    Raises SourceError where a record lacks what is to be told.
    """
    try:
        return _card(manifest, records, diagram)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SourceError(f"a record of the card is incomplete or of another kind: {error!r}") from error


def _card(manifest: Manifest, records: Records, diagram: str) -> str:
    rolling = records.rolling
    parts = [
        _head(manifest),
        _rolling(rolling),
        _without_schedule(records),
        _by(rolling, "months", "month"),
        _by(rolling, "airlines", "airline"),
        _reliability(rolling, diagram),
        _time_split(manifest),
        *(_beside(manifest, other) for other in records.beside),
        _comparison(records.comparison),
        _limits(manifest),
        _mistakes(rolling),
    ]
    return "\n".join(part for part in parts if part)


def _head(m: Manifest) -> str:
    airports = ", ".join(f"{a.name} ({a.icao})" for a in m.airports)
    return f"""# Model card: {m.airport}

Rendered by `atraso model card` from the manifest of the artefact and the records of its recipe; do not edit.

| | |
| --- | --- |
| version | `{m.version}` |
| checksum | `{m.checksum}` |
| answers | how likely a departure from {airports} leaves more than 15 minutes late, how late, and why |
| form | a scorecard per lead ({", ".join(m.leads)}), with and without the published schedule |
| thresholds | {", ".join(str(t) for t in m.thresholds_minutes)} minutes |
| learnt from | {m.n_departures:,} departures, {m.trained_from} to {m.trained_to}; {m.base_rate:.1%} late |
| training data | SHA-256 `{m.training_data}` |
| airlines, destinations | {len(m.airlines)}, {len(m.destinations)} |
| called delayed from | {m.decision_threshold:.3f}: {m.decision_reason} |
| libraries | {", ".join(f"{name} {version}" for name, version in m.libraries.items())} |
"""


def _rolling(record: Record) -> str:
    rows = [
        (
            name,
            _with_interval(s, "auc", ".3f"),
            _with_interval(s, "brier_skill", ".1%"),
            f"{s['ece']:.3f}",
            f"{s['ece_mean_monthly']:.3f}",
            _with_interval(s, "crps_skill", ".1%"),
            f"{s['coverage_80']:.1%}",
        )
        for name, s in record["leads"].items()
    ]
    n = next(iter(record["leads"].values()))["n"]
    text = f"""## Months not seen

Months {record["rolling"]}, each predicted by a model trained, exactly as shipped, on the months before it;
{n:,} flights. Skill is against always saying the late rate of the months before; brackets are 95 % intervals from
resampling whole days; CRPS skill is that of the whole distribution; the last column is the share of delays inside the
predicted 10 to 90 %. Command: `{record["command"]}`.

""" + _table(("lead", "AUC", "Brier skill", "ECE", "ECE, mean of months", "CRPS skill", "80 % band"), rows)
    paired = [
        f"- {pair}: AUC {_with_interval(d, 'auc', '+.4f')}, Brier skill {_with_interval(d, 'brier_skill', '+.2%')}"
        for pair, d in record["paired"].items()
    ]
    return text + "\nEach lead beside the one before, same flights, same days drawn:\n\n" + "\n".join(paired) + "\n"


def _without_schedule(records: Records) -> str:
    bare = records.without_schedule
    if bare is None:
        return ""
    rows = []
    for name, s in bare["leads"].items():
        known = records.rolling["leads"][name]
        rows.append(
            (
                name,
                f"{s['auc']:.3f} ({s['auc'] - known['auc']:+.3f})",
                f"{s['brier_skill']:.1%} ({s['brier_skill'] - known['brier_skill']:+.1%})",
                f"{s['ece']:.3f}",
                f"{s['ece_mean_monthly']:.3f}",
            )
        )
    return f"""## Without the published schedule

The same months asked by a service that has no schedule: no crowding, nothing overdue. In brackets what that costs.
Command: `{bare["command"]}`.

""" + _table(("lead", "AUC", "Brier skill", "ECE", "ECE, mean of months"), rows)


def _by(record: Record, part: str, heading: str) -> str:
    chosen = SHOWN
    rows = []
    for key, first in record["leads"][chosen[0]][part].items():
        cells = [key, f"{first['n']:,}", f"{first['base_rate']:.1%}"]
        for name in chosen:
            s = record["leads"][name][part][key]
            cells += [_with_interval(s, "auc", ".3f"), f"{s['brier_skill']:.1%}", f"{s['ece']:.3f}"]
        rows.append(tuple(cells))
    columns = [heading, "flights", "late"]
    for name in chosen:
        columns += [f"AUC, {name}", "skill", "ECE"]
    note = "Skill is against the late rate of all flights, so an airline that is always early has it for nothing.\n\n"
    return f"## By {heading}\n\n{note if part == 'airlines' else ''}" + _table(columns, rows)


def _reliability(record: Record, diagram: str) -> str:
    rows = [
        (name, *(f"{b['said']:.3f} / {b['late']:.3f}" for b in s["reliability"])) for name, s in record["leads"].items()
    ]
    n_bins = len(rows[0]) - 1
    return (
        f"## Reliability\n\n![Said and came, by lead]({diagram})\n\nTenths of the flights from the least to the most "
        "likely to be late; said / came:\n\n" + _table(("lead", *(str(i + 1) for i in range(n_bins))), rows)
    )


def _time_split(m: Manifest) -> str:
    rows = [
        (
            name,
            f"{s['auc']:.3f}",
            f"{s['brier_skill']:.1%}",
            f"{s['ece']:.3f}",
            f"{s['crps_skill']:.1%}",
            f"{s['coverage_80']:.1%}",
        )
        for name, s in m.scores.items()
    ]
    return f"## Time split\n\n{m.scores_note}.\n\n" + _table(
        ("lead", "AUC", "Brier skill", "ECE", "CRPS skill", "80 % band"), rows
    )


def _beside(m: Manifest, other: Manifest) -> str:
    names = [", ".join(a.iata or a.icao for a in model.airports) for model in (m, other)]
    rows = [
        (name, *(f"{model.scores[name][key]:{form}}" for key, form in _COMPARED for model in (m, other)))
        for name in m.scores
        if name in other.scores
    ]
    headings = [f"{heading}, {name}" for heading in ("AUC", "Brier skill", "ECE") for name in names]
    alike = other.feature_fingerprint == m.feature_fingerprint
    before = "" if alike else " It was trained before the last change of the features, which this model has."
    return (
        f"## The same recipe elsewhere: {names[1]}\n\nTrained by the same code on {other.n_departures:,} departures, "
        f"{other.trained_from} to {other.trained_to}; {other.scores_note}.{before}\n\n"
        + _table(("lead", *headings), rows)
    )


_COMPARED = (("auc", ".3f"), ("brier_skill", ".1%"), ("ece", ".3f"))


def _comparison(record: Record | None) -> str:
    if record is None:
        return ""
    about = {c["name"]: c["about"] for c in record["candidates"]}
    text = (
        "## Candidates\n\nLog loss on months "
        f"{', '.join(str(m) for m in record['months']['judged'])}, the months that choices are made on; lower is "
        "better. The simplest within one standard error of the best is chosen. "
        f"Command: `{record['command']}`; {record['wall_s'] / 60:.0f} minutes on "
        f"{record['machine']['cores']} cores.\n\n"
    )
    leads = list(record["leads"])
    scored = {lead: {s["name"]: s for s in choice["candidates"]} for lead, choice in record["leads"].items()}
    rows = []
    for name in about:
        cells = [name]
        for lead in leads:
            s = scored[lead].get(name)
            mark = " **chosen**" if record["leads"][lead]["chosen"] == name else ""
            cells.append(f"{s['log_loss']['value']:.4f} ({s['auc']:.3f}){mark}" if s else "-")
        rows.append(tuple(cells))
    text += _table(("log loss (AUC)", *leads), rows)
    words = [f"- {line}" for choice in record["leads"].values() for line in choice["in_words"]]
    return text + "\n" + "\n".join(words) + "\n"


def _limits(m: Manifest) -> str:
    longest = max(int(minute) for minute in m.delay_counts)
    shortest = min(int(minute) for minute in m.delay_counts)
    return f"""## Where it fails

- Delays were learnt between {shortest} and {longest} minutes: where a publisher trimmed longer ones, the tail beyond
  is unknown, and the 95 % quantile with it.
- Cancelled flights are not predicted, and where the data hold only flown flights the published schedule is that of
  flown flights: a small look-ahead that cannot be removed.
- Departures only: the aircraft's arrival, its rotation and the crew are not in the data. That is where the next real
  gain lies.
- The data ({m.trained_from} to {m.trained_to}) are read without month or season: a single year holds each but once. A
  month rougher than those before it is predicted too calm until the state shows it (see the table by month).
- Weather is seen only through the delays it has already caused.
- A flight number, airline or destination never seen is judged by what its other keys say.
"""


def _mistakes(record: Record) -> str:
    drawn = record["random_split"]
    rows = []
    for name, s in record["leads"].items():
        made = s["mistakes"]
        random = drawn["leads"][name]
        rows.append(
            (
                name,
                f"{random['auc']:.3f} instead of {s['auc']:.3f}",
                f"{random['brier_skill']:.1%} instead of {s['brier_skill']:.1%}",
                f"{random['f1']:.2f}",
                f"{made['balanced_brier_skill']:.0%}, ECE {made['balanced_ece']:.2f}",
                f"±{(made['by_flights_auc_high'] - made['by_flights_auc_low']) / 2:.3f} instead of "
                f"±{(s['auc_high'] - s['auc_low']) / 2:.3f}",
            )
        )
    always = next(iter(record["leads"].values()))["mistakes"]["always_late_f1"]
    return (
        "## What the usual mistakes would claim\n\n"
        f"A random split instead of months to come ({drawn['warning']}); a class-weighted score called a probability; "
        "resampling flights instead of days. F1 is that of the random split; calling every flight of the months above "
        f"late has {always:.2f}, so F1 compares nothing across splits; nor does skill, which depends on how the late "
        "rate differs between the two parts.\n\n"
        + _table(("lead", "AUC", "Brier skill", "F1", "skill when balanced", "interval of AUC"), rows)
    )


def _with_interval(scores: Record, name: str, form: str) -> str:
    value, low, high = (scores.get(key) for key in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return "-"
    bounds = f" [{low:{form}} {high:{form}}]" if low is not None and high is not None else ""
    return f"{value:{form}}{bounds}"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    headings = tuple(headings)
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"
