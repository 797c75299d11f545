"""An answer in words and measures."""

from __future__ import annotations

import msgspec
import pytest

from atraso.serving import telling
from atraso.serving.telling import Names
from atraso.serving.wire import Answer, Exceeds, ModelName, PredictionAnswer, Quantiles, ReasonAnswer
from atraso.serving.words import Words, words_of

ENGLISH, SPANISH = words_of("en"), words_of("es")
NAMES = Names({"LAN": "LATAM Airlines"}, {"LIM": "Lima", "SPJC": "Lima"})
FIELDS = {"airline": "LAN", "flight_number": "282", "destination": "LIM", "date": "2017-07-14", "time": "23:50"}
PREDICTION = PredictionAnswer(
    id="x",
    delay_probability=0.231,
    delayed=True,
    base_rate=0.185,
    basis="schedule",
    lead="schedule",
    exceeds=Exceeds(0.66, 0.231, 0.10, 0.004),
    minutes=Quantiles(-4.4, 0.4, 52.5),
    reasons=(ReasonAnswer("airline", "LAN", 0.061), ReasonAnswer("route", "SCEL-SPJC", -0.015)),
    warnings=("mind this",),
)


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.0, "0%"),
        (0.001, "<1%"),
        (0.01, "1%"),
        (0.125, "13%"),
        (0.5, "50%"),
        (0.99, "99%"),
        (0.999, ">99%"),
        (1.0, "100%"),
    ],
)
def test_percent(probability: float, words: str) -> None:
    """Percents are whole, halves go up, and only what is certain is 0% or 100%."""
    assert ENGLISH.percent(probability) == words
    assert SPANISH.percent(probability) == words.replace("%", "\u202f%")


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.231, "4 points more than usual here."),
        (0.2, "1 point more than usual here."),
        (0.188, "The same as usual here."),
        (0.1, "9 points less than usual here."),
    ],
)
def test_compared(probability: float, words: str) -> None:
    """The comparison is that of the two percents shown, so a reader can check it."""
    assert telling.compared(msgspec.structs.replace(PREDICTION, delay_probability=probability), ENGLISH) == words


def test_bands_are_certain_together() -> None:
    """The four ranges of delays, from punctual to more than an hour."""
    bands = telling.bands(PREDICTION, ENGLISH)
    assert [(b.kind, b.percent) for b in bands] == [
        ("punctual", "77%"),
        ("late", "13%"),
        ("later", "10%"),
        ("latest", "<1%"),
    ]


def test_departing() -> None:
    """Times run past midnight, and early, on time and late are told apart."""
    told = telling.departing(PREDICTION, "2017-07-14", "23:50", ENGLISH)
    assert [(d.clock, d.words) for d in told] == [
        ("23:46", "4 min early"),
        ("23:50", "as scheduled"),
        ("00:43", "53 min late"),
    ]


def test_reason_bars() -> None:
    """Bars run from the middle, to the right for more and to the left for less; the largest fills its half."""
    more, less = telling.reason_bars(PREDICTION.reasons, ENGLISH, NAMES)
    assert [bar.words for bar in (more, less)] == ["Flown by LATAM Airlines", "To Lima"]
    assert (more.points, more.kind, more.x, more.width) == ("+6.1", "more", 500, 500)
    assert (less.points, less.kind) == ("\u22121.5", "less")
    assert less.x + less.width == 500
    assert less.width == pytest.approx(500 * 15 / 61, abs=0.01)


def test_no_effect() -> None:
    """Reasons without effect have no width and no sign, and there may be none at all."""
    (bar,) = telling.reason_bars((ReasonAnswer("route", "x", 0.0),), ENGLISH, NAMES)
    assert (bar.points, bar.width) == ("±0.0", 0)
    assert telling.reason_bars((), ENGLISH, NAMES) == ()


@pytest.mark.parametrize(
    ("words", "flight", "delayed", "punctual"),
    [
        (ENGLISH, "LATAM Airlines 282 to Lima, 2017-07-14 at 23:50", " delayed.", " on time."),
        (
            SPANISH,
            "LATAM Airlines 282 a Lima, 2017-07-14 a las 23:50",
            "retrasado a este vuelo.",
            "puntual a este vuelo.",
        ),
    ],
)
def test_told(words: Words, flight: str, delayed: str, punctual: str) -> None:
    """The whole answer names the flight, the verdict and the warnings, in the page's language."""
    answer = Answer(ModelName("SCEL", "1"), "now", [PREDICTION])
    told = telling.told(answer, FIELDS, words, NAMES)
    assert told.flight == flight
    assert told.verdict.endswith(delayed)
    assert told.warnings == ("mind this",)
    on_time = Answer(ModelName("SCEL", "1"), "now", [msgspec.structs.replace(PREDICTION, delayed=False)])
    assert telling.told(on_time, FIELDS, words, NAMES).verdict.endswith(punctual)
