"""The model in use: what people write is understood, and every way of asking gives the same answer."""

import math
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.core.errors import FieldError
from atraso.core.flights import FlightTable

MORNING = "2017-07-14T08:30:00"


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """Return the bundled model."""
    return load_scorer()


def ask(scorer: Scorer, **fields: str) -> tuple[float, tuple[str, ...]]:
    question = {"airline": "LAN", "flight_number": "282", "destination": "SPJC", "scheduled_departure": MORNING}
    flight, warnings = scorer.resolve(**(question | fields))
    return scorer.predict(flight).delay_probability, warnings


def test_the_answer_is_a_probability_that_falls_as_minutes_rise(scorer: Scorer) -> None:
    """The example flight has a probability strictly between 0 and 1, falling exceedances and rising quantiles."""
    flight, _ = scorer.resolve("LAN", "282", "SPJC", MORNING)
    answer = scorer.predict(flight)

    assert 0 < answer.delay_probability < 1
    assert answer.exceeds[1] == answer.delay_probability
    assert list(answer.exceeds) == sorted(answer.exceeds, reverse=True)
    assert list(answer.minutes) == sorted(answer.minutes)
    assert (answer.basis, answer.lead) == ("schedule", "schedule")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["LAN", "SKU", "JAT", "AAL", "ZZZ"]),
    st.sampled_from(["600", "111", "9", "7777"]),
    st.sampled_from(["SPJC", "SCFA", "KMIA", "ZZZZ"]),
    st.integers(0, 2 * 365 * 24 * 60 - 1),
)
def test_what_is_added_up_beforehand_is_the_sum_of_the_keys(
    scorer: Scorer, airline: str, number: str, destination: str, minute: int
) -> None:
    """Known or not, met before or not, a flight has the sum of its keys' numbers but for the order of adding."""
    moment = f"{datetime(2017, 1, 1, tzinfo=UTC) + timedelta(minutes=minute):%Y-%m-%dT%H:%M}"
    flight, _ = scorer.resolve(airline, number, destination, moment)
    plain = [math.fsum(column) for column in zip(*scorer.key_sums.vectors(flight), strict=True)]

    assert scorer.key_sums.log_odds(flight) == pytest.approx(plain, abs=1e-12)
    assert scorer.key_sums.log_odds(flight) == pytest.approx(plain, abs=1e-12)  # now it has been met


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["600", "111", "7777"]), st.integers(0, 2 * 365 * 24 * 60 - 1)), min_size=1))
def test_many_flights_have_the_sums_of_each_to_the_last_bit(scorer: Scorer, asked: list[tuple[str, int]]) -> None:
    """Adding for many flights at once gives what adding for one gives, bit for bit, known or not."""
    start = datetime(2017, 1, 1, tzinfo=UTC)
    flights = [
        scorer.resolve("LAN", number, "SPJC", f"{start + timedelta(minutes=minute):%Y-%m-%dT%H:%M}")[0]
        for number, minute in asked
    ]
    each = [scorer.key_sums.log_odds(flight) for flight in flights]

    assert scorer.key_sums.log_odds_of_each(flights).tolist() == each


def test_flights_made_up_by_an_asker_do_not_fill_the_memory(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many flight numbers are asked for, only so many sums are remembered, and the answers stay the same."""
    monkeypatch.setattr("atraso.artefact.key_sums.MAX_SUMS_REMEMBERED", 50)
    monkeypatch.setattr("atraso.artefact.key_sums.MAX_FLIGHTS_REMEMBERED", 50)
    fresh = load_scorer()
    for number in range(500):
        flight, _ = fresh.resolve("LAN", str(number), "SPJC", MORNING)
        assert fresh.key_sums.log_odds(flight) == scorer.key_sums.log_odds(flight)

    assert fresh.key_sums.remembered <= 5 * 50


def test_the_reasons_add_up_to_the_answer_less_the_base_rate(scorer: Scorer) -> None:
    """Base rate plus effects is the probability, to rounding; every group of the schedule is told once."""
    flight, _ = scorer.resolve("SKU", "111", "SCFA", "2017-07-14T19:30:00")
    answer = scorer.predict(flight, explain=True)

    assert answer.base_rate + math.fsum(r.effect for r in answer.reasons) == pytest.approx(
        answer.delay_probability, abs=1e-12
    )
    groups = [r.group for r in answer.reasons]
    assert sorted(groups) == ["airline", "calendar", "flight number", "route", "time of day"]
    assert {r.group: r.value for r in answer.reasons}["time of day"] == "19:30"


@pytest.mark.parametrize(
    "same",
    [
        {"destination": "LIM"},
        {"destination": " lim "},
        {"flight_number": "LA282"},
        {"flight_number": "LAN 282"},
        {"flight_number": "0282"},
        {"scheduled_departure": "2017-07-14 08:30"},
        {"scheduled_departure": "2017-07-14T12:30:00Z"},  # Santiago is four hours behind in July
        {"scheduled_departure": "2017-07-14T07:30:00-05:00"},
        {"origin": "SCL"},
        {"airline": "lan"},
    ],
)
def test_other_spellings_of_the_same_flight_have_the_same_answer(scorer: Scorer, same: dict[str, str]) -> None:
    """IATA codes, prefixed flight numbers, offsets and case do not matter, and need no warning."""
    assert ask(scorer, **same) == ask(scorer)


def test_a_name_of_several_airlines_means_the_one_that_flies_there_most(scorer: Scorer) -> None:
    """ "Grupo LATAM" to Lima is LAN, with a warning that it was a choice."""
    probability, warnings = ask(scorer, airline="grupo latam")

    assert probability == ask(scorer)[0]
    assert any("stands for several ICAO codes; LAN" in w for w in warnings)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"airline": "Argentinas del Sur"}, "airline"),
        ({"airline": ""}, "airline"),
        ({"flight_number": ""}, "flight_number"),
        ({"flight_number": "28/2"}, "flight_number"),
        ({"flight_number": "-"}, "flight_number"),
        ({"flight_number": ".0"}, "flight_number"),
        ({"destination": "Lima!"}, "destination"),
        ({"destination": "QQX"}, "destination"),
        ({"destination": "SCEL"}, "destination"),
        ({"origin": "KJFK"}, "origin"),
        ({"scheduled_departure": "2017-07-14"}, "scheduled_departure"),
        ({"scheduled_departure": "2017-02-30T08:00:00"}, "scheduled_departure"),
        ({"scheduled_departure": "tonight"}, "scheduled_departure"),
        ({"scheduled_departure": "0001-01-01T00:00:00"}, "scheduled_departure"),
        ({"scheduled_departure": "9999-12-31T23:59:59Z"}, "scheduled_departure"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_field(scorer: Scorer, fields: dict[str, str], wrong: str) -> None:
    """The error names the field that holds it."""
    with pytest.raises(FieldError) as refused:
        ask(scorer, **fields)

    assert refused.value.field == wrong


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"airline": "ZZZ"}, "airline ZZZ was not seen in training"),
        ({"destination": "RJTT"}, "destination RJTT was not seen in training"),
        ({"scheduled_departure": "2050-07-14T08:30:00"}, "holidays are known from"),
        ({"scheduled_departure": "2017-08-13T00:30:00"}, "is skipped by a clock change"),
        ({"scheduled_departure": "2017-05-13T23:30:00"}, "happens twice"),
    ],
)
def test_what_is_doubtful_is_answered_with_a_warning(scorer: Scorer, fields: dict[str, str], says: str) -> None:
    """A code never seen, a day beyond the calendar and an hour of a clock change are answered, and said."""
    probability, warnings = ask(scorer, **fields)

    assert 0 < probability < 1
    assert any(says in w for w in warnings), warnings


questions = st.fixed_dictionaries(
    {
        "airline": st.sampled_from(["LAN", "SKU", "ARG", "ZZZ", "Copa Air", "Qantas Airways"]),
        "flight_number": st.sampled_from(["1", "282", "801", "9999", "846A"]),
        "destination": st.sampled_from(["SPJC", "SCFA", "LIM", "RJTT", "KMIA"]),
        "scheduled_departure": st.datetimes(datetime(2016, 1, 1), datetime(2036, 1, 1)).map(  # noqa: DTZ001
            lambda t: t.isoformat(timespec="minutes")
        ),
    }
)


@settings(max_examples=40, deadline=None)
@given(st.lists(questions, min_size=1, max_size=30))
def test_the_fast_path_equals_the_plain_one_on_any_flights(scorer: Scorer, asked: list[dict[str, str]]) -> None:
    """Look-ups for one flight and step tables for many give the same numbers and the same reasons."""
    flights = [scorer.resolve(**question)[0] for question in asked]
    table = scorer.predict_many(FlightTable.of(flights), explain=True)
    for row, flight in enumerate(flights):
        one, many = scorer.predict(flight, explain=True), table.prediction(row)

        assert one.delay_probability == pytest.approx(many.delay_probability, abs=1e-12)
        assert one.exceeds == pytest.approx(many.exceeds, abs=1e-12)
        assert one.minutes == pytest.approx(many.minutes, abs=1e-6)
        assert one.delayed == many.delayed
        assert [(r.group, r.value) for r in one.reasons] == [(r.group, r.value) for r in many.reasons]


def test_an_early_departure_of_the_same_flight_may_have_another_answer(scorer: Scorer) -> None:
    """The time of day matters: across a day the answers differ by several percent."""
    flights = [scorer.resolve("LAN", "282", "SPJC", f"2017-07-14T{hour:02d}:00:00")[0] for hour in range(24)]
    probability = scorer.predict_many(FlightTable.of(flights)).delay_probability

    assert np.ptp(probability) > 0.03


def test_every_airline_of_the_challenge_is_answered_in_every_month(scorer: Scorer) -> None:
    """All 23 names of the data, both types, January to December give a class and a probability."""
    assert len(scorer.manifest.challenge_airlines) == 23
    for name, kind, month in product(scorer.manifest.challenge_airlines, "IN", range(1, 13)):
        answer = scorer.challenge(name, kind, month)
        assert answer.predict in (0, 1)
        assert 0 < answer.probability < 1


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        (("Argentinas", "N", 3), "OPERA"),
        (("Aerolineas Argentinas", "O", 3), "TIPOVUELO"),
        (("Aerolineas Argentinas", "N", 13), "MES"),
        (("Aerolineas Argentinas", "N", 0), "MES"),
    ],
)
def test_the_challenge_refuses_what_it_does_not_know(scorer: Scorer, asked: tuple[str, str, int], wrong: str) -> None:
    """Unknown airline, type or month: the field is named."""
    with pytest.raises(FieldError) as refused:
        scorer.challenge(*asked)
    assert refused.value.field == wrong


def test_the_challenges_first_case_is_on_time(scorer: Scorer) -> None:
    """Aerolineas Argentinas, national, March: class 0."""
    assert scorer.challenge("Aerolineas Argentinas", "N", 3).predict == 0


def test_a_flight_keeps_the_zone_of_its_airport(scorer: Scorer) -> None:
    """The resolved time is aware and in the origin's own zone."""
    flight, _ = scorer.resolve("LAN", "282", "SPJC", "2017-07-14T12:30:00Z")

    assert flight.scheduled_departure == datetime(2017, 7, 14, 8, 30, tzinfo=ZoneInfo("America/Santiago"))
    assert flight.scheduled_departure.hour == 8
