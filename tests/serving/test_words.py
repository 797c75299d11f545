"""The page speaks two languages: whatever it says in one it says in the other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from atraso.artefact.scorer import load_scorer
from atraso.core.airport_now import AirportNow, Left, Overdue
from atraso.core.features import GROUPS
from atraso.core.leads import LEADS
from atraso.serving.app import create_app
from atraso.serving.front import Front
from atraso.serving.pages import RISK_LEVELS
from atraso.serving.promise import Asked
from atraso.serving.words import LANGUAGES, WEB, words_of
from atraso.slo.loading import load_promise
from tests.serving.asgi import get, post
from tests.serving.fakes import flight

TABLE: dict[str, Any] = json.loads((WEB / "words.json").read_text(encoding="utf-8"))
ENGLISH, SPANISH = words_of("en"), words_of("es")
# What both languages write alike.
SAME = {
    "lead.24h", "lead.12h", "lead.3h", "lead.1h", "lead.30m", "score.auc", "who", "board.file", "due.minutes",
}  # fmt: skip
BLANK = re.compile(r"\{\w+\}")
# Keys that are put together from closed sets, by what they begin with.
MADE = ("nav.", "month.", "band.", "quantile.", "lead.", "basis.", "limit.", "risk.", "column.", "reason.", "mood.",
        "stat.", "promise.", "score.", "range.", "needed.", "trouble.", "form.one.", "airport.",
        "compared.")  # fmt: skip


def sources(suffix: str) -> dict[str, str]:
    found = {p.name: p.read_text(encoding="utf-8") for p in sorted(WEB.rglob(f"*{suffix}"))}
    assert len(found) > 5
    return found


@pytest.mark.parametrize("part", ["page", "script"])
def test_every_string_is_translated(part: str) -> None:
    """Each string stands in both languages, is not the same in both (but for a few), and has the same blanks."""
    for key, pair in TABLE[part].items():
        assert len(pair) == len(LANGUAGES)
        assert all(text.strip() for text in pair), key
        assert (pair[0] == pair[1]) == (key in SAME), key
        assert sorted(BLANK.findall(pair[0])) == sorted(BLANK.findall(pair[1])), key


def test_the_sentences_of_the_api_are_translated() -> None:
    """Each template of a sentence stands in both languages, and its Spanish uses no blank that it has not."""
    for english, spanish in TABLE["api"]:
        assert english != spanish
        assert set(BLANK.findall(spanish)) <= set(BLANK.findall(english)), english


def test_no_string_is_missing_and_none_is_left_over() -> None:
    """Templates and scripts ask for keys that there are; whatever is in the table is asked for."""
    known = TABLE["page"].keys() | TABLE["script"].keys()
    asked: set[str] = set()
    templates = {n: t for n, t in sources(".html").items() if n not in ("docs.html", "quality.html")}
    for name, source in templates.items():
        keys = set(re.findall(r"""\bt\(\s*["']([\w. -]+)["']\s*[,)]""", source))
        keys |= {k for pair in re.findall(r'\bt\("([\w.]+)" if [^)]+? else "([\w.]+)"\)', source) for k in pair}
        assert keys <= known, (name, keys - known)
        asked |= keys
    for name, source in sources(".js").items():
        keys = set(re.findall(r"""\bt\("([\w. -]+)"[,)]""", source))
        chosen = {k for pair in re.findall(r'\? "([\w.]+)" : "([\w.]+)"', source) for k in pair}
        keys |= chosen & known
        assert keys <= TABLE["script"].keys(), (name, keys - TABLE["script"].keys())
        asked |= keys
    for source in (Path(p).read_text() for p in (WEB.parent / "serving").glob("*.py")):
        asked |= set(re.findall(r"""\bwords\(\s*"([\w.]+)"[,)\s]""", source)) & known
        asked |= {k for pair in re.findall(r'words\("([\w.]+)" if [^)]+? else "([\w.]+)"', source) for k in pair}
    left_over = {key for key in known - asked if not key.startswith(MADE)}
    assert left_over - {"kind.international", "kind.national", "minutes.late", "minutes.early"} == set()


def test_keys_that_are_put_together_are_there() -> None:
    """What is said of a closed set is said of each of its members."""
    script = TABLE["script"]
    assert {f"reason.{group}" for group in GROUPS} <= script.keys()
    assert {f"lead.{lead.name}" for lead in LEADS} <= script.keys()
    assert {f"promise.{asked}" for asked in get_args(Asked)} <= script.keys()
    assert {f"{kind}.{level}" for kind in ("risk", "range") for level in RISK_LEVELS} <= script.keys() | TABLE[
        "page"
    ].keys()
    assert {f"trouble.{kind}" for kind in ("down", "401", "403", "429", "503", "other")} <= script.keys()
    named = ("airline", "destination", "flight_number", "date", "time")
    assert {f"needed.{field}" for field in named} <= script.keys()
    for month in range(1, 13):
        assert f"month.{month}" in TABLE["page"]


@pytest.mark.parametrize("name", ["layout", "page", "flight", "board", "airport", "model", "form", "login", "class"])
def test_templates_hold_no_words_of_their_own(name: str) -> None:
    """All text of a template comes from the table, but for the name of the service and the fields' own names."""
    source = (WEB / "templates" / f"{name}.html").read_text(encoding="utf-8")
    bare = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", " ", source, flags=re.DOTALL)
    texts = re.sub(r"<[^>]*>", "\n", bare)
    assert set(re.findall(r"[^\W\d_]{2,}", texts)) <= {"Atraso", "var"}
    for attribute in ("aria-label", "placeholder", "title", "alt"):
        for value in re.findall(rf'\b{attribute}="([^"]*)"', bare):
            assert not re.search(r"[^\W\d_]{2,}", value), (attribute, value)


def test_scripts_hold_no_sentences_of_their_own() -> None:
    """No literal of a script is words for people: two words beside each other, or one that begins a sentence."""
    allowed = {
        "no words for ${key}", "text/html", "0 0 100 8", "atraso-${file.name}", "value quiet end",
    }  # fmt: skip
    for name, source in sources(".js").items():
        code = re.sub(r"^\s*//.*$|\s//\s.*$|/\*.*?\*/", "", source, flags=re.MULTILINE)
        code = re.sub(r"/(?:\\.|\[[^\]]*\]|[^/\n\s])+/[gimsuy]*(?=[.;,)])", "", code)  # patterns
        literals = re.findall(r"""'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`""", code)
        for literal in {text[1:-1] for text in literals} - allowed:
            bare = re.sub(r"\$\{[^}]*\}", "", literal)
            assert not re.search(r"[A-Z][a-z]+ [a-z]+|[a-z]{3,} [a-z]{3,} [a-z]{3,}", bare), (name, literal)


@pytest.fixture(scope="module")
def bundled() -> Front:
    """Return the service with the bundled model."""
    return create_app(load_scorer())


WRONG = (
    {"airline": "Nobody at all"}, {"flight_number": "--"}, {"destination": "Atlantis"}, {"destination": "QQQ"},
    {"destination": "SCEL"}, {"origin": "SPJC"}, {"scheduled_departure": "soon"},
    {"scheduled_departure": "2017-02-30T10:00"}, {"scheduled_departure": "1066-10-14T09:00"}, {"airline": None},
    {"airline": ""}, {"flight_number": "1" * 20},
)  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_the_api_finds_wrong_is_told_in_spanish(bundled: Front, wrong: dict[str, object]) -> None:
    """Every refusal that the page's form can meet is translated, and keeps what was typed."""
    answer = post(bundled, "/v1/predictions", {"flights": [flight(**wrong)]})
    assert answer.status == 422
    for detail in answer.places.values():
        spanish = SPANISH.from_api(detail)
        assert spanish != detail
        assert ENGLISH.from_api(detail) == detail
        quoted = re.findall(r"^'[^']*'", detail)
        assert all(text in spanish for text in quoted)


def test_warnings_and_reasons_are_told_in_spanish(bundled: Front) -> None:
    """What the model says of a flight is translated: unknown names, clock changes, days without holidays, weekdays."""
    asked = [
        flight(airline="QQQ", flight_number="9999", destination="KSEA"),
        flight(airline="LATAM Airlines", scheduled_departure="2199-07-14T08:30:00"),
        flight(airline="Latin American Wings"),
        flight(scheduled_departure="2017-08-13T00:30:00"),
        flight(scheduled_departure="2017-05-13T23:30:00"),
        flight(scheduled_departure="2017-09-18T09:30:00"),
    ]
    predictions = post(bundled, "/v1/predictions", {"flights": asked, "explain": True}).json["predictions"]
    said = [w for p in predictions for w in p["warnings"]]
    said += [r["value"] for p in predictions for r in p["reasons"] if r["group"] == "calendar"]
    said += [r["value"] for p in predictions for r in p["reasons"] if r["value"].endswith("new to the model")]
    assert len(set(said)) >= 9
    for sentence in said:
        spanish = SPANISH.from_api(sentence)
        assert spanish != sentence
        assert not re.search(r"\b(the|was|is|in|holiday|answer|model)\b", spanish), spanish


def test_the_airport_in_words_is_told_in_spanish() -> None:
    """What the live groups of reasons have seen is translated with all its parts."""
    nothing = Left(0, 0, None)
    some = Left(12, 3, 8.5)
    late = (Overdue("LAN", "1", "SPJC", 0, 40),)
    for now in (
        AirportNow(some, some, some, some, some, late),
        AirportNow(nothing, some, some, nothing, some, None),
    ):
        for words in now.words().values():
            spanish = SPANISH.from_api(words)
            assert not re.search(r"\b(last|of|departures|late|more|than|days|no)\b", spanish), spanish


def test_the_objectives_are_told_in_spanish() -> None:
    """Title, promise and reason of each objective of slo.yaml are translated, with the numbers that stand there."""
    for objective in load_promise().objectives:
        for sentence in (objective.title, objective.promise, objective.reason):
            spanish = SPANISH.from_api(sentence)
            assert spanish != sentence, objective.name
            assert not re.search(r"\b(the|of|is|are|and|or|that|in|within)\b", spanish), spanish
        numbers = re.findall(r"\d+(?:\.\d+)?", objective.promise)
        assert numbers
        told = re.findall(r"\d+(?:,\d+)?", SPANISH.from_api(objective.promise))
        assert sorted(told) == sorted(number.replace(".", ",") for number in numbers)


def test_numbers_are_written_as_the_language_does() -> None:
    """Percent signs, thousands and decimals follow the language; what is not certain is never 0 or 100 %."""
    assert [ENGLISH.percent(p) for p in (0.004, 0.125, 0.999, 0.0, 1.0)] == ["<1%", "13%", ">99%", "0%", "100%"]
    assert SPANISH.percent(0.125) == "13\u202f%"
    assert (ENGLISH.number(61492), SPANISH.number(61492)) == ("61,492", "61.492")
    assert (ENGLISH.decimal("1.5"), SPANISH.decimal("1.5")) == ("1.5", "1,5")


def test_a_key_that_nobody_wrote_is_a_fault() -> None:
    """No string falls back to nothing."""
    with pytest.raises(KeyError):
        ENGLISH("no.such.key")


def test_pages_in_spanish_hold_no_english(bundled: Front) -> None:
    """Of the table's English strings none stands on a Spanish page, but for those that both languages share."""
    spanish = {pair[1] for part in ("page", "script") for pair in TABLE[part].values()}
    for path in ("/", "/board", "/airport", "/model", "/form"):
        html = get(bundled, path, "lang=es").body.decode().partition("<body>")[2]
        texts = {text.strip() for text in re.sub(r"<[^>]*>", "\n", html).split("\n")}
        for part in ("page", "script"):
            for english, _ in TABLE[part].values():
                assert english not in texts or english in spanish or english == "Español", (path, english)
