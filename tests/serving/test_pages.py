"""What people see."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest

from atraso.serving.accounts import Accounts
from atraso.serving.app import Worker, create_app
from atraso.serving.guard import Refused
from atraso.serving.headers import CONTENT_SECURITY_POLICY, SECURITY_HEADERS
from atraso.serving.rendering import PAGE_VIEWS
from atraso.serving.words import WEB, words_of
from tests.serving.asgi import get, post
from tests.serving.fakes import SAME, SCEL, flight, scorer

NOON = 1_500_033_600.0  # 2017-07-14T12:00:00Z
ASKED = {
    "airline": "LAN", "flight_number": "282", "destination": "LIM", "date": "2017-07-14", "time": "08:30",
}  # fmt: skip


percent = words_of("en").percent


class Page(HTMLParser):
    """The elements of a page with their attributes, and the text by slot, by field error, and as a whole."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.slots: dict[str, str] = {}
        self.errors: dict[str, str] = {}
        self.text = ""
        self._into: list[tuple[str, dict[str, str], str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        for attribute, texts in (("data-slot", self.slots), ("data-error", self.errors)):
            if found.get(attribute):
                texts[found[attribute]] = ""
                self._into.append((tag, texts, found[attribute]))

    def handle_endtag(self, tag: str) -> None:
        if self._into and self._into[-1][0] == tag:
            self._into.pop()

    def handle_data(self, data: str) -> None:
        self.text += data
        for _, texts, name in self._into:
            texts[name] += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.elements if t == tag and attributes.items() <= a.items()]


def page(app: object, **fields: str) -> Page:
    answer = get(app, "/", urlencode(fields))
    assert answer.status == 200
    return Page(answer.body.decode())


def test_empty_page() -> None:
    """The page proposes today at the airport, tells what is usual, and shows no answer."""
    shown = page(create_app(scorer(), Worker(now=lambda: NOON - 9 * 3600)))
    assert shown.all("input", name="date")[0]["value"] == "2017-07-13"  # not yet the 14th in Santiago
    assert "20%" in shown.text
    assert "hidden" in shown.all("section", id="answer")[0]
    assert "hidden" not in shown.all("section", id="usual")[0]
    assert not [e for e in shown.errors.values() if e.strip()]


def test_lists_come_from_the_model() -> None:
    """The lists of airlines and destinations are the model's, escaped."""
    html = get(create_app(scorer()), "/").body.decode()
    shown = Page(html)
    assert {o["value"] for o in shown.all("option") if "data-name" in o} == {"LAN", "SKU", "SPJC", "SCTE"}
    assert "Sky &lt;Airline&gt;" in html


def test_works_without_script() -> None:
    """The form loads the page with the same numbers that the API gives."""
    app = create_app(scorer())
    prediction = post(app, "/v1/predictions", {"flights": [flight()], "explain": True}).json["predictions"][0]
    shown = page(app, **ASKED)
    assert shown.slots["percent"] == percent(prediction["delay_probability"])
    assert shown.slots["usual"] == percent(prediction["base_rate"])
    exceeds = prediction["exceeds"]
    assert shown.slots["punctual"] == percent(1 - exceeds["15"])
    assert shown.slots["late"] == percent(exceeds["15"] - exceeds["30"])
    assert shown.slots["later"] == percent(exceeds["30"] - exceeds["60"])
    assert shown.slots["latest"] == percent(exceeds["60"])
    assert (shown.slots["p50-clock"], shown.slots["p95-clock"]) == ("08:27", "09:32")
    for reason in prediction["reasons"]:
        assert f"{abs(100 * reason['effect']):.1f}" in shown.slots["reasons"]
    assert "Flown by LATAM Airlines" in shown.slots["reasons"]
    assert "To Lima" in shown.slots["reasons"]
    assert "hidden" not in shown.all("section", id="answer")[0]


def test_form_keeps_what_was_typed() -> None:
    """After an answer the form still holds the question."""
    shown = page(create_app(scorer()), **ASKED)
    for name, value in ASKED.items():
        assert shown.all("input", name=name)[0]["value"] == value


def test_names_of_places() -> None:
    """The form takes the name of a destination too, in any case and without accents."""
    app = create_app(scorer())
    by_code = page(app, **ASKED).slots
    for written in (" lima ", "SPJC", "Lima (LIM)"):
        by_name = page(app, **{**ASKED, "destination": written, "airline": "LATAM Airlines (LA)"}).slots
        same = by_code.keys() - {"flight"}  # which shows names where they are known
        assert {k: by_name[k] for k in same} == {k: by_code[k] for k in same}, written


def test_warnings_are_shown() -> None:
    """What the model has to say about the question stands on the page."""
    shown = page(create_app(scorer()), **{**ASKED, "destination": "KMIA"})
    assert "KMIA was not seen in training" in shown.slots["warnings"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"airline": "Nobody"}, "airline"),
        ({"airline": ""}, "airline"),
        ({"flight_number": "--"}, "flight_number"),
        ({"destination": "Atlantis"}, "destination"),
        ({"date": "2017-02-30"}, "date"),
        ({"date": ""}, "date"),
        ({"date": "tomorrow"}, "date"),
        ({"time": ""}, "time"),
        ({"time": "25:00"}, "date"),
        ({"time": "08:30-04:00"}, "time"),
    ],
)
def test_errors_stand_at_their_field(changed: dict[str, str], field: str) -> None:
    """What is wrong is told at the field that is wrong, and only there, with the status of the API."""
    answer = get(create_app(scorer()), "/", urlencode({**ASKED, **changed}))
    shown = Page(answer.body.decode())
    assert answer.status == 422
    assert [name for name, text in shown.errors.items() if text.strip()] == [field]
    assert [i["name"] for i in shown.all("input") if "aria-invalid" in i] == [field]
    assert "hidden" in shown.all("section", id="answer")[0]


def test_all_errors_at_once() -> None:
    """Everything that is wrong is told at once."""
    answer = get(create_app(scorer()), "/", urlencode({"airline": "Nobody", "date": "2017-07-14"}))
    errors = Page(answer.body.decode()).errors
    assert {n for n, t in errors.items() if t.strip()} == {"airline", "flight_number", "destination", "time"}


def test_several_airports() -> None:
    """Where the model covers several airports the form asks for the one of departure."""
    app = create_app(scorer(SCEL, SAME))
    assert {o.get("value") for o in page(app).all("option")} >= {"SCEL", "SAME"}
    shown = page(app, **ASKED, origin="SAME")
    assert "selected" in shown.all("option", value="SAME")[0]
    assert "selected" not in shown.all("option", value="SCEL")[0]


def test_example_works() -> None:
    """The example on the page is answered."""
    app = create_app(scorer(), Worker(now=lambda: NOON))
    (link,) = [a["href"] for a in page(app).all("a", id="example")]
    answer = get(app, "/", (link or "").removeprefix("/?"))
    assert answer.status == 200
    assert Page(answer.body.decode()).slots["percent"]


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "\u202e\x00"]
)
def test_what_is_typed_is_text(text: str) -> None:
    """Whatever is typed comes back as text, never as markup."""
    answer = get(create_app(scorer()), "/", urlencode(dict.fromkeys(ASKED, text)))
    assert answer.status == 422
    shown = Page(answer.body.decode())
    assert shown.all("input", name="airline")[0]["value"] == text.strip()
    assert len(shown.all("script")) == 1
    assert not shown.all("img")


def test_footer() -> None:
    """The foot of each page names the model, what it learnt from, and the way to reference and card."""
    app = create_app(scorer())
    for path in ("/", "/docs"):
        shown = Page(get(app, path).body.decode())
        assert "2017.1+abcdef" in shown.text
        assert "2017-01-01 to 2017-12-31" in shown.text
        assert {"/docs", "/v1/model"} <= {a["href"] for a in shown.all("a")}


def test_security_headers() -> None:
    """Pages, files and answers for machines all come with the security headers; the policy allows nothing inline."""
    app = create_app(scorer())
    for path in ("/", "/docs", "/static/x/app.js", "/v1/model", "/nope"):
        headers = get(app, path).headers
        for name, value in SECURITY_HEADERS:
            assert headers[name.decode()] == value.decode()
    assert "default-src 'self'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def files(*suffixes: str) -> list[Path]:
    found = [p for p in sorted(WEB.rglob("*")) if p.suffix in suffixes]
    assert found
    return found


@pytest.mark.parametrize("path", [*(path for _, path in PAGE_VIEWS), f"/?{urlencode(ASKED)}", "/docs"])
def test_nothing_inline(path: str) -> None:
    """No page has a script, a style or a handler within it: the policy would stop them."""
    route, _, query = path.partition("?")
    shown = Page(get(create_app(scorer()), route, query).body.decode())
    assert not shown.all("style")
    for tag, attributes in shown.elements:
        assert tag != "script" or attributes["src"]
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]


def test_nothing_from_elsewhere() -> None:
    """No template and no file loads anything from another host."""
    for path in files(".html", ".css", ".js", ".svg"):
        addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+\S*", path.read_text())
        assert [a for a in addresses if "www.w3.org" not in a] == [], path.name


def test_scripts_put_text_not_markup() -> None:
    """The scripts write what they were answered as text, and set no style."""
    for script in files(".js"):
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", ".style", "style:"):
            assert word not in script.read_text(), script.name


def test_scripts_keep_what_was_shown_in_memory_alone() -> None:
    """No script writes to a place that outlives the page."""
    for script in files(".js"):
        for word in ("localStorage", "sessionStorage", "indexedDB", "document.cookie", "caches."):
            assert word not in script.read_text(), script.name


async def no_login(name: str, password: str, address: str) -> Refused:
    return Refused("test")


def test_scripts_find_their_places() -> None:
    """Every place that a script fills is on the page, in the one document that has all views."""
    shown = page(create_app(scorer(SCEL, SAME), Worker(accounts=Accounts(log_in=no_login))))
    ids = {e["id"] for _, e in shown.elements if e.get("id")} | {"old-form"}  # this model has no 23 airlines
    found = 0
    for script in files(".js"):
        for name in re.findall(r'byId\("([\w-]+)"\)', script.read_text()):
            if name.startswith("old-") or name == "form-notice":
                continue
            found += 1
            assert name in ids, (script.name, name)
    assert found > 60
    slots = re.findall(r'(?:tell|slot)\("([\w-]+)"', (WEB / "static" / "flight.js").read_text())
    assert len(slots) > 6
    assert set(slots) <= set(shown.slots)


def test_labels() -> None:
    """Every field has a label of its own, and tells where its error stands."""
    shown = page(create_app(scorer()))
    labelled = {label["for"] for label in shown.all("label")}
    ids = {e["id"] for _, e in shown.elements if "id" in e}
    for field in shown.all("input"):
        assert field["id"] in labelled
        assert field.get("aria-describedby", field["id"]) in ids


@pytest.mark.parametrize(
    ("accepted", "query", "cookie", "language"),
    [
        ("", "", "", "en"),
        ("es-CL,es;q=0.9,en;q=0.8", "", "", "es"),
        ("fr, en;q=0.5, es;q=0.7", "", "", "es"),
        ("es;q=0, en", "", "", "en"),
        ("fr", "", "", "en"),
        ("en", "lang=es", "", "es"),
        ("en", "", "lang=es", "es"),
        ("es", "lang=en", "lang=es", "en"),
        ("es", "lang=xx", "", "es"),
        ("x" * 5000 + ", es;q=nan;q=" + "9" * 400, "", "", "en"),
    ],
)
def test_language(accepted: str, query: str, cookie: str, language: str) -> None:
    """The language is the one asked for, or chosen before, or the first that the browser names; else English."""
    answer = get(create_app(scorer()), "/", query, **{"accept-language": accepted, "cookie": cookie})
    assert answer.headers["content-language"] == language
    assert Page(answer.body.decode()).all("html", lang=language)
    assert ("set-cookie" in answer.headers) == (query == f"lang={language}")


def test_the_switch_keeps_the_question() -> None:
    """The link to the other language asks for the same view and the same flight."""
    app = create_app(scorer())
    (link,) = [a["href"] for a in page(app, **ASKED).all("a", hreflang="es")]
    path, _, query = (link or "").partition("?")
    other = Page(get(app, path, query).body.decode())
    assert other.all("html", lang="es")
    assert other.all("input", name="flight_number")[0]["value"] == "282"


def test_every_view_is_one_document() -> None:
    """Each path shows its own view of the same document, and only that."""
    app = create_app(scorer())
    for name, path in PAGE_VIEWS:
        shown = Page(get(app, path).body.decode())
        views = {s["id"]: "hidden" in s for s in shown.all("section") if "view" in (s.get("class") or "").split()}
        assert views == {f"view-{other}": other != name for other, _ in PAGE_VIEWS}


def test_docs_name_every_operation() -> None:
    """The reference shows each operation of the document with its path, its fields and its statuses."""
    app = create_app(scorer())
    shown = Page(get(app, "/docs").body.decode())
    for path, operations in get(app, "/openapi.json").json["paths"].items():
        for operation in operations.values():
            assert shown.all("section", id=operation["operationId"])
            assert path in shown.text
    for word in ("scheduled_departure", "delay_probability", "TIPOVUELO", "Unprocessable Content"):
        assert word in shown.text


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("atraso.example:8080", "http://atraso.example:8080"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("x'; rm -rf ~;'", "http://127.0.0.1:5000"),
        ("", "http://127.0.0.1:5000"),
    ],
)
def test_commands_name_the_address_asked(host: str, base: str) -> None:
    """Commands of the reference name the address it was asked at, unless that is no plain host and port."""
    text = Page(get(create_app(scorer()), "/docs", host=host).body.decode()).text
    assert f"curl -s {base}/v1/predictions" in text
    assert "rm -rf" not in text
