"""An answer as people read it: whole percents, clock times, and the measures of the page's pictures.

The page's script says the same of an answer it fetched itself; what stands here is what is shown without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor
from typing import Any

from atraso.serving.wire import Answer, PredictionAnswer, ReasonAnswer

PICTURE_WIDTH = 1000  # units of the pictures' own coordinates
BANDS = (
    ("punctual", "on time or within 15 min"),
    ("late", "15 to 30 min late"),
    ("later", "30 to 60 min late"),
    ("latest", "over an hour late"),
)
QUANTILE_WORDS = (("p50", "half"), ("p80", "8 in 10"), ("p95", "19 in 20"))


@dataclass(frozen=True, slots=True)
class Band:
    """A part of the bar of delays: its class, words, percent, and its place in the picture."""

    kind: str
    words: str
    percent: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class ReasonBar:
    """One reason as a signed bar: *points* in percent points; the middle of the picture is no effect."""

    group: str
    value: str
    points: str
    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Departing:
    """By when a share of such flights has left."""

    share: str
    clock: str
    words: str


@dataclass(frozen=True, slots=True)
class Told:
    """All that the page shows of one answer."""

    flight: str
    percent: str
    usual: str
    compared: str
    verdict: str
    bands: tuple[Band, ...]
    departing: tuple[Departing, ...]
    reasons: tuple[ReasonBar, ...]
    warnings: tuple[str, ...]


def told(answer: Answer, fields: Mapping[str, str]) -> Told:
    """Return the one prediction of *answer* in words; *fields* are the form's."""
    prediction = answer.predictions[0]
    return Told(
        flight="{airline} {flight_number} to {destination}, {date} at {time}".format(**fields),
        percent=percent(prediction.delay_probability),
        usual=percent(prediction.base_rate),
        compared=compared(prediction),
        verdict="The model calls this flight delayed."
        if prediction.delayed
        else "The model calls this flight on time.",
        bands=bands(prediction),
        departing=departing(prediction, fields["date"], fields["time"]),
        reasons=reason_bars(prediction.reasons),
        warnings=tuple(prediction.warnings),
    )


def percent(probability: float) -> str:
    """Return a whole percent, but never 0 % or 100 % for what is not certain."""
    if 0 < probability < 0.01:
        return "<1%"
    if 0.99 < probability < 1:
        return ">99%"
    return f"{half_up(100 * probability)}%"


def half_up(number: float) -> int:
    """Return the nearest whole number, halves upwards: as the page's script rounds."""
    return floor(number + 0.5)


def compared(prediction: PredictionAnswer) -> str:
    """Return how the answer stands to the base rate, from the numbers as shown."""
    points = half_up(100 * prediction.delay_probability) - half_up(100 * prediction.base_rate)
    if points == 0:
        return "the same as usual here"
    unit = "point" if abs(points) == 1 else "points"
    return f"{abs(points)} {unit} {'more' if points > 0 else 'less'} than usual here"


def bands(prediction: PredictionAnswer) -> tuple[Band, ...]:
    """Return how likely each range of delays is; together they are certain."""
    exceeds = prediction.exceeds
    shares = (
        1 - exceeds.over_15,
        exceeds.over_15 - exceeds.over_30,
        exceeds.over_30 - exceeds.over_60,
        exceeds.over_60,
    )
    out, x = [], 0.0
    for (kind, words), share in zip(BANDS, shares, strict=True):
        out.append(Band(kind, words, percent(share), round(x, 2), round(share * PICTURE_WIDTH, 2)))
        x += share * PICTURE_WIDTH
    return tuple(out)


def departing(prediction: PredictionAnswer, date: str, time: str) -> tuple[Departing, ...]:
    """Return by when half, most and nearly all of such flights have left."""
    scheduled = datetime.fromisoformat(f"{date}T{time}")
    minutes: Any = prediction.minutes
    out = []
    for name, share in QUANTILE_WORDS:
        late = half_up(getattr(minutes, name))
        out.append(Departing(share, f"{scheduled + timedelta(minutes=late):%H:%M}", minutes_in_words(late)))
    return tuple(out)


def minutes_in_words(late: int) -> str:
    """Return whole minutes after (or before) schedule in words."""
    if late == 0:
        return "as scheduled"
    return f"{late} min late" if late > 0 else f"{-late} min early"


def reason_bars(reasons: tuple[ReasonAnswer, ...]) -> tuple[ReasonBar, ...]:
    """Return the reasons as bars, left of the middle where they make a delay less likely."""
    largest = max((abs(r.effect) for r in reasons), default=0.0) or 1.0
    middle = PICTURE_WIDTH / 2
    out = []
    for reason in reasons:
        width = abs(reason.effect) / largest * middle
        x = middle if reason.effect >= 0 else middle - width
        tenths = half_up(abs(reason.effect) * 1000)
        sign = "±" if tenths == 0 else ("+" if reason.effect > 0 else "\u2212")
        out.append(
            ReasonBar(
                reason.group,
                reason.value,
                f"{sign}{tenths // 10}.{tenths % 10}",
                "more" if reason.effect >= 0 else "less",
                round(x, 2),
                round(width, 2),
            )
        )
    return tuple(out)
