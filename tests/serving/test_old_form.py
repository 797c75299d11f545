"""The challenge's old form: 36 numbers in, a page with the class and the probability out."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from atraso.artefact.scorer import load_scorer
from atraso.serving.app import create_app
from atraso.serving.front import Front
from atraso.serving.old_form import NAMES
from tests.serving.asgi import Answer, call
from tests.serving.fakes import scorer

FORM = {"content-type": "application/x-www-form-urlencoded"}
COPA, JULY = "var10", "var31"  # Copa Air is the tenth of the 23 names


@pytest.fixture(scope="module")
def app() -> Front:
    """Return the service with the bundled model, which has the challenge's 23 airlines."""
    return create_app(load_scorer())


def sent(app: Front, fields: list[tuple[str, str]]) -> Answer:
    return call(app, "POST", "/predict", FORM, [urlencode(fields).encode()])


def asked(app: Front, fields: list[tuple[str, str]]) -> Answer:
    return call(app, "GET", "/predict", query=urlencode(fields))


def shown(answer: Answer) -> tuple[str, str, str]:
    """Return the heading, the class and the probability of a page."""
    page = answer.body.decode()
    (heading,) = re.findall(r"<h1>(.*?)</h1>", page)
    (predicted,) = re.findall(r'<output id="class" class="figure">(\d)</output>', page)
    (probability,) = re.findall(r'<output id="probability" class="figure">(.*?)</output>', page)
    return heading, predicted, probability


def test_all_airlines_kinds_and_months_get_the_table_s_own_answer(app: Front) -> None:
    """23 airlines, two kinds, twelve months: the page has the class and the probability of the JSON contract."""
    model = load_scorer()
    airlines = sorted(model.manifest.challenge_airlines)
    assert (len(airlines), airlines[0], airlines[-1]) == (23, "Aerolineas Argentinas", "United Airlines")
    for place, airline in enumerate(airlines):
        for international in (0, 1):
            month = (place + 5 * international) % 12 + 1
            fields = dict.fromkeys(NAMES, "0")
            fields |= {NAMES[place]: "1", "var24": str(international), NAMES[23 + month]: "1"}
            answer = sent(app, list(fields.items()))
            expected = model.challenge(airline, "NI"[international], month)

            heading, predicted, probability = shown(answer)
            assert heading.startswith(f"{airline}, {'inter' * international}national, ")
            assert int(predicted) == expected.predict
            assert probability == f"{expected.probability * 100:.0f}%"


def test_a_query_is_answered_as_a_form_is(app: Front) -> None:
    """GET takes the same names; what is left out is 0; the page is a page, with its guards."""
    fields = [(COPA, "1"), (JULY, "1")]
    by_form, by_query = sent(app, fields), asked(app, fields)

    assert shown(by_form) == shown(by_query)
    assert shown(by_query)[0] == "Copa Air, national, July"
    assert by_query.headers["content-type"] == by_form.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in by_query.headers["content-security-policy"]


REFUSED = {
    "two airlines": ([(COPA, "1"), ("var2", "1"), (JULY, "1")], "/var10"),
    "no airline": ([(JULY, "1")], "/var1"),
    "no month": ([(COPA, "1"), ("var24", "1")], "/var25"),
    "two months": ([(COPA, "1"), ("var25", "1"), (JULY, "1")], "/var31"),
    "a two": ([(COPA, "2"), (JULY, "1")], "/var10"),
    "a fraction": ([(COPA, "1.0"), (JULY, "1")], "/var10"),
    "another digit one": ([(COPA, "\u0661"), (JULY, "1")], "/var10"),
    "spaces": ([(COPA, " 1"), (JULY, "1")], "/var10"),
    "text": ([(COPA, "1"), ("var24", "yes"), (JULY, "1")], "/var24"),
    "twice": ([(COPA, "1"), (COPA, "1"), (JULY, "1")], "/var10"),
    "var37": ([(COPA, "1"), (JULY, "1"), ("var37", "1")], "/var37"),
    "var0": ([(COPA, "1"), (JULY, "1"), ("var0", "0")], "/var0"),
    "another name": ([(COPA, "1"), (JULY, "1"), ("OPERA", "1")], "/OPERA"),
    "nothing": ([], "/var1"),
    "too many": ([("var1", "0")] * 101, ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused_with_the_field_s_name(app: Front, case: str) -> None:
    """400 in both forms, naming the field."""
    fields, pointer = REFUSED[case]
    for answer in (sent(app, fields), asked(app, fields)):
        assert answer.status == 400
        assert list(answer.places) == [pointer]


def test_bytes_that_are_no_text_are_refused(app: Front) -> None:
    """Percent-encoded bytes that are not UTF-8, and bytes that are not ASCII, are a 400 and no fault."""
    for body in (b"var1=%ff&var25=1", b"var1=\xff&var25=1"):
        answer = call(app, "POST", "/predict", FORM, [body])
        assert answer.status == 400


def test_a_model_without_the_challenge_s_airlines_says_so() -> None:
    """A model of another airport has no table for the 36 fields."""
    answer = sent(create_app(scorer()), [(COPA, "1"), (JULY, "1")])
    assert answer.status == 400
    assert "/v1/predictions" in answer.places[""]


def test_no_other_route_takes_a_form() -> None:
    """The form is the challenge's alone."""
    assert call(create_app(scorer()), "POST", "/v1/predictions", FORM, [b"var1=1"]).status == 415
