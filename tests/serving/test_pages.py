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
from atraso.serving.pages import WEB
from atraso.serving.telling import percent
from tests.serving.asgi import get, post
from tests.serving.fakes import SAME, SCEL, flight, scorer

NOON = 1_500_033_600.0  # 2017-07-14T12:00:00Z
ASKED = {
    "airline": "LAN", "flight_number": "282", "destination": "LIM", "date": "2017-07-14", "time": "08:30",
}  # fmt: skip


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
    assert {o.get("value") for o in shown.all("option")} == {"LAN", "SKU", "LIM", "PMC"}
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
        assert reason["group"] in shown.slots["reasons"]
        assert f"{abs(100 * reason['effect']):.1f}" in shown.slots["reasons"]
    widths = [float(r["width"] or 0) for r in shown.all("rect") if (r["class"] or "").startswith("band ")]
    assert sum(widths) == pytest.approx(1000, abs=0.1)
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
    by_name = page(app, **{**ASKED, "destination": " lima "}).slots
    assert {k: v for k, v in by_name.items() if k != "flight"} == {k: v for k, v in by_code.items() if k != "flight"}


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
    (link,) = [a["href"] for a in page(app).all("a") if "flight_number=" in (a["href"] or "")]
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
    for path in ("/", "/docs", "/static/page.js", "/v1/model", "/nope"):
        headers = get(app, path).headers
        for name, value in SECURITY_HEADERS:
            assert headers[name.decode()] == value.decode()
    assert "default-src 'self'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def files(*suffixes: str) -> list[Path]:
    found = [p for p in sorted(WEB.rglob("*")) if p.suffix in suffixes]
    assert found
    return found


@pytest.mark.parametrize("path", ["/", f"/?{urlencode(ASKED)}", "/docs"])
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


def test_script_puts_text_not_markup() -> None:
    """The script writes what it was answered as text, and sets no style."""
    script = (WEB / "static" / "page.js").read_text()
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", ".style"):
        assert word not in script


async def no_login(name: str, password: str, address: str) -> Refused:
    return Refused("test")


def test_script_finds_its_places() -> None:
    """Every place that the script fills is on the page."""
    script = (WEB / "static" / "page.js").read_text()
    accounts = Accounts(log_in=no_login)
    shown = page(create_app(scorer(), Worker(accounts=accounts)))
    for name in re.findall(r'getElementById\("([\w-]+)"\)', script):
        assert [e for _, e in shown.elements if e.get("id") == name], name
    slots = re.findall(r'(?:say|slot)\("([\w-]+)"', script)
    assert len(slots) > 6
    assert set(slots) <= set(shown.slots)


def test_labels() -> None:
    """Every field has a label of its own, and tells where its error stands."""
    shown = page(create_app(scorer()))
    labelled = {label["for"] for label in shown.all("label")}
    ids = {e["id"] for _, e in shown.elements if "id" in e}
    for field in shown.all("input"):
        assert field["id"] in labelled
        assert field["aria-describedby"] in ids


def test_files_change_their_address() -> None:
    """The address of a file of the pages holds a digest of the files, and leads to it."""
    app = create_app(scorer())
    (script,) = page(app).all("script")
    path, version = (script["src"] or "").split("?v=")
    assert re.fullmatch("[0-9a-f]{12}", version)
    assert get(app, path).body == (WEB / "static" / "page.js").read_bytes()


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
