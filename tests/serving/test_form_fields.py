"""The form's fields as a question, and what is wrong with them in the page's words."""

from __future__ import annotations

import pytest

from atraso.serving.form_fields import errors_of, place_codes, question_of
from atraso.serving.problems import WrongPlacesError
from atraso.serving.wire import Place
from atraso.serving.words import words_of

SHOWN = [("Buenos Aires Aeroparque", "SABE"), ("Buenos Aires Ezeiza", "SAEZ"), ("Quito", "SEQM"), ("Lima", "SPJC"),
         ("Quito (old airport)", "SEQU"), ("Twin", "AAAA"), ("Twin", "BBBB"), ("Sankt Anton", "CCCC")]  # fmt: skip
OTHERS = [("Buenos Aires", "SABE"), ("Ezeiza", "SAEZ"), ("Límá", "SPJC"), ("Sankt", "DDDD"), ("San", "EEEE")]
FIELDS = {"airline": "LAN", "flight_number": "282", "destination": "LIM", "date": "2017-07-14", "time": "08:30",
          "origin": ""}  # fmt: skip


def test_a_name_means_a_place_only_where_it_means_one() -> None:
    """What is shown goes before what begins like it; of the other names those are left out that begin several."""
    codes = place_codes(SHOWN, OTHERS)
    assert codes == {
        "BUENOS AIRES AEROPARQUE": "SABE", "BUENOS AIRES EZEIZA": "SAEZ", "EZEIZA": "SAEZ", "QUITO": "SEQM",
        "QUITO (OLD AIRPORT)": "SEQU", "LIMA": "SPJC", "SANKT ANTON": "CCCC", "SAN": "EEEE",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "code"),
    [("lima ", "SPJC"), ("Lima (LIM)", "LIM"), ("SPJC", "SPJC"), ("Buenos Aires", "Buenos Aires"), ("twin", "twin")],
)
def test_a_destination_is_asked_by_its_code_where_that_is_known(typed: str, code: str) -> None:
    """Names, chosen entries and codes become codes; what stands for several stays for the API to refuse."""
    question = question_of(FIELDS | {"destination": typed}, place_codes(SHOWN, OTHERS))
    assert question["destination"] == code
    assert question["scheduled_departure"] == "2017-07-14T08:30"
    assert "origin" not in question


@pytest.mark.parametrize("language", ["en", "es"])
def test_what_is_wrong_is_said_as_the_script_says_it(language: str) -> None:
    """What is missing and a place that is none in the form's own words, all else in those of the API."""
    words = words_of(language)
    wrong = WrongPlacesError(
        [Place("/airline", "is missing"), Place("/flight_number", "'--' is odd"), Place("/destination", "is unknown"),
         Place("/scheduled_departure", "is missing")]
    )  # fmt: skip
    fields = FIELDS | {"airline": "", "flight_number": "--", "destination": "Buenos Aires", "date": "", "time": "soon"}
    assert errors_of(wrong, fields, words) == {
        "airline": words("needed.airline"),
        "flight_number": "'--' is odd",
        "destination": words("unknown.destination"),
        "date": words("needed.date"),
        "time": words("needed.time"),
    }
    coded = WrongPlacesError([Place("/destination", "is unknown"), Place("/scheduled_departure", "is past")])
    assert errors_of(coded, FIELDS, words) == {"destination": "is unknown", "date": "is past"}
