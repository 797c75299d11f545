"""An answer as people read it: whole percents, clock times, and the measures of the page's pictures.

The page's script says the same of an answer it fetched itself; what stands here is what is shown without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from atraso.serving.wire import Answer, PredictionAnswer, ReasonAnswer
from atraso.serving.words import Words, half_up

PICTURE_WIDTH = 1000  # units of the pictures' own coordinates
BANDS = ("punctual", "late", "later", "latest")
QUANTILES = ("p50", "p80", "p95")


@dataclass(frozen=True, slots=True)
class Band:
    """How likely a range of delays is."""

    kind: str
    percent: str


@dataclass(frozen=True, slots=True)
class ReasonBar:
    """One reason as a signed bar: *points* in percent points; the middle of the picture is no effect."""

    words: str
    points: str
    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Departing:
    """By when a share of such flights has left."""

    clock: str
    words: str


@dataclass(frozen=True, slots=True)
class Told:
    """All that the page shows of one answer."""

    flight: str
    percent: str
    usual: str
    compared: str
    basis: str
    verdict: str
    bands: tuple[Band, ...]
    departing: tuple[Departing, ...]
    reasons: tuple[ReasonBar, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """What people call the airlines and places of a model, by ICAO and IATA code."""

    airlines: Mapping[str, str]
    places: Mapping[str, str]

    def airline(self, code: str) -> str:
        """Return the name of an airline, or the code."""
        return self.airlines.get(code.upper(), code)

    def place(self, code: str) -> str:
        """Return the name of a place, or the code."""
        return self.places.get(code.upper(), code)


def told(answer: Answer, fields: Mapping[str, str], words: Words, names: Names) -> Told:
    """Return the one prediction of *answer* in words; *fields* are the form's, with codes for airline and place."""
    prediction = answer.predictions[0]
    return Told(
        flight=words(
            "flight.line",
            airline=names.airline(fields["airline"]),
            number=fields["flight_number"],
            destination=names.place(fields["destination"]),
            date=fields["date"],
            time=fields["time"],
        ),
        percent=words.percent(prediction.delay_probability),
        usual=words.percent(prediction.base_rate),
        compared=compared(prediction, words),
        basis=words(f"basis.{prediction.basis}", lead=words(f"lead.{prediction.lead}")),
        verdict=words("verdict.delayed" if prediction.delayed else "verdict.punctual"),
        bands=bands(prediction, words),
        departing=departing(prediction, fields["date"], fields["time"], words),
        reasons=reason_bars(prediction.reasons, words, names),
        warnings=tuple(words.from_api(warning) for warning in prediction.warnings),
    )


def compared(prediction: PredictionAnswer, words: Words) -> str:
    """Return how the answer stands to the base rate, from the numbers as shown."""
    points = half_up(100 * prediction.delay_probability) - half_up(100 * prediction.base_rate)
    if points == 0:
        return words("compared.same")
    side = "more" if points > 0 else "less"
    return words(f"compared.{side}.one" if abs(points) == 1 else f"compared.{side}", points=abs(points))


def bands(prediction: PredictionAnswer, words: Words) -> tuple[Band, ...]:
    """Return how likely each range of delays is; together they are certain."""
    exceeds = prediction.exceeds
    shares = (
        1 - exceeds.over_15,
        exceeds.over_15 - exceeds.over_30,
        exceeds.over_30 - exceeds.over_60,
        exceeds.over_60,
    )
    return tuple(Band(kind, words.percent(share)) for kind, share in zip(BANDS, shares, strict=True))


def departing(prediction: PredictionAnswer, date: str, time: str, words: Words) -> tuple[Departing, ...]:
    """Return by when half, most and nearly all of such flights have left."""
    scheduled = datetime.fromisoformat(f"{date}T{time}")
    minutes: Any = prediction.minutes
    out = []
    for name in QUANTILES:
        late = half_up(getattr(minutes, name))
        out.append(Departing(f"{scheduled + timedelta(minutes=late):%H:%M}", minutes_in_words(late, words)))
    return tuple(out)


def minutes_in_words(late: int, words: Words) -> str:
    """Return whole minutes after (or before) schedule in words."""
    if late == 0:
        return words("minutes.none")
    return words("minutes.late" if late > 0 else "minutes.early", minutes=abs(late))


def reason_in_words(reason: ReasonAnswer, words: Words, names: Names) -> str:
    """Return what a group saw, in plain words."""
    value = words.from_api(reason.value)
    if reason.group == "airline":
        value = names.airline(reason.value)
    elif reason.group == "route":
        value = names.place(reason.value.partition("-")[2])
    return words(f"reason.{reason.group}", value=value)


def reason_bars(reasons: tuple[ReasonAnswer, ...], words: Words, names: Names) -> tuple[ReasonBar, ...]:
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
                reason_in_words(reason, words, names),
                sign + words.decimal(f"{tenths // 10}.{tenths % 10}"),
                "more" if reason.effect >= 0 else "less",
                round(x, 2),
                round(width, 2),
            )
        )
    return tuple(out)
