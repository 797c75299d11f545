"""The fields of the page's form: what they ask of the API, and what is wrong with them, in the page's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from atraso.core.codes import folded
from atraso.serving.problems import WrongPlacesError
from atraso.serving.words import Words

FORM_FIELDS = ("airline", "flight_number", "destination", "date", "time", "origin")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d(:\d\d)?", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9]{3,4}", re.ASCII)
_CODE_AFTER_NAME = re.compile(r".*\(([A-Za-z0-9]{2,4})\)", re.ASCII)


def place_codes(shown: Iterable[tuple[str, str]], others: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the code of each place by its folded names, of pairs of name and code: those *shown*, and *others*.

    Left out is what stands for several places, and of the others what names of several begin with: "Buenos Aires",
    where "Buenos Aires Ezeiza" is shown too.
    """
    named: dict[str, set[str]] = {}
    for name, code in shown:
        named.setdefault(folded(name), set()).add(code)
    begun: dict[str, set[str]] = {}
    for name, code in others:
        pattern = re.compile(rf"{re.escape(folded(name))}(?!\w)")
        codes = {other for one, codes in named.items() if pattern.match(one) for other in codes}
        begun.setdefault(folded(name), set()).update({code}, codes)
    return {name: next(iter(codes)) for name, codes in (begun | named).items() if len(codes) == 1}


def question_of(fields: Mapping[str, str], codes: Mapping[str, str]) -> dict[str, object]:
    """Return the *fields* by the names of the API, without what is empty; *codes* are those of `place_codes`."""
    question: dict[str, object] = {"explain": True}
    question |= {n: fields[n] for n in ("airline", "flight_number", "destination", "origin") if fields[n]}
    for name in ("airline", "destination"):
        coded = _CODE_AFTER_NAME.fullmatch(fields[name])  # as the script writes what was chosen
        if coded:
            question[name] = coded[1]
    # The form takes the name of a place too, as its list offers it.
    place = codes.get(folded(fields["destination"]))
    if place is not None:
        question["destination"] = place
    if _DATE.fullmatch(fields["date"]) and _TIME.fullmatch(fields["time"]):
        question["scheduled_departure"] = f"{fields['date']}T{fields['time']}"
    return question


def errors_of(error: WrongPlacesError, fields: Mapping[str, str], words: Words) -> dict[str, str]:
    """Return what is wrong by the form's field, as the page's script would say it."""
    errors: dict[str, str] = {}
    for place in error.places:
        name, said = place.pointer.removeprefix("/"), words.from_api(place.detail)
        if name == "scheduled_departure":
            for part, form in (("date", _DATE), ("time", _TIME)):
                if not form.fullmatch(fields[part]):
                    errors[part] = words(f"needed.{part}")
            if not errors.keys() & {"date", "time"}:
                errors["date"] = said
        elif not fields.get(name, "x"):
            errors[name] = words(f"needed.{name}")
        elif (
            name == "destination" and not _CODE.fullmatch(fields[name]) and not _CODE_AFTER_NAME.fullmatch(fields[name])
        ):
            errors[name] = words("unknown.destination")
        else:
            errors[name] = said
    return errors
