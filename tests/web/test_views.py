"""Every view at both sizes, in both languages, in light and dark: whole, legible, and usable by keyboard alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from atraso.bootstrap.promised import PromiseTold
from atraso.serving.app import Worker, create_app
from atraso.serving.headers import CONTENT_SECURITY_POLICY
from atraso.serving.rendering import PAGE_VIEWS
from atraso.slo.loading import load_promise
from atraso.telemetry.cells import Board
from atraso.telemetry.names import ROUTES, Outcome
from tests.serving.fakes import scorer
from tests.serving.processes import Service
from tests.serving.raw import serving
from tests.slo.test_standing import address as address_of
from tests.slo.test_standing import answering, vector
from tests.web.browser import NARROW, SCREENSHOTS, WIDE, Looked, looking
from tests.web.conftest import BOARD, tomorrow

# Size, language and scheme; `make drill` looks at all eight with axe. What axe finds hangs on the scheme and the size.
LOOKS = {
    "1440-light-en": (WIDE, "en", "light"),
    "1440-dark-es": (WIDE, "es", "dark"),
    "360-light-en": (NARROW, "en", "light"),
    "360-dark-es": (NARROW, "es", "dark"),
}
WITH_AXE = ("1440-light-en", "360-dark-es")
MONTH = "slo:sli_error:ratio_rate30d"
QUESTION = {"airline": "LAN", "flight_number": "600", "destination": "SPJC", "time": "20:05"}
TRANSFERRED_MOST = 120_000
# Before the ledger's writer has judged anything the route says 503, which the view shows as nothing.
NOT_JUDGED = ("/v1/quality",)
# One row of the board is as another: axe looks at the first few.
ROWS_ALIKE = {"exclude": [["#board tbody tr:nth-child(n+6)"], ["datalist"]]}


def address(port: int, path: str) -> str:
    query = f"?{urlencode(QUESTION | {'date': tomorrow().date().isoformat()})}" if path == "/" else ""
    return f"http://127.0.0.1:{port}{path}{query}"


@pytest.mark.parametrize("look", LOOKS)
def test_every_view_is_whole_and_legible(chromium: Any, running: Service, look: str) -> None:
    """No serious finding of axe (contrast AA is one), nothing wider than the screen, every chart with its table."""
    look_at_all(chromium, running.port, look, LOOKS[look], with_axe=look in WITH_AXE)


def look_at_all(chromium: Any, port: int, look: str, how: Any, *, with_axe: bool) -> None:
    """Look at every view of the service on *port*, and keep a picture of each."""
    size, language, scheme = how
    SCREENSHOTS.mkdir(exist_ok=True)
    with looking(chromium, size, language, scheme, expected=NOT_JUDGED) as looked:
        page = looked.page
        for name, path in PAGE_VIEWS:
            page.goto(address(port, path))
            looked.settled()
            if name == "flight":
                page.wait_for_selector("#hours:not([hidden])")
            if name == "board":
                page.fill("#board-date", tomorrow().date().isoformat())
                page.wait_for_function("(n) => document.querySelectorAll('#board tbody tr').length === n", arg=BOARD)
            assert page.locator("html").get_attribute("lang") == language
            page.screenshot(path=SCREENSHOTS / f"{name}-{look}.png", full_page=True)
            page.evaluate("() => document.querySelectorAll('.chart details').forEach((one) => { one.open = true; })")
            assert (grave_findings(page) if with_axe else []) == [], name
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            charts = page.locator(f"#view-{name} figure.chart:visible")
            assert charts.count() == {"flight": 2, "airport": 1, "model": 2}.get(name, 0)
            for chart in charts.all():
                assert chart.locator("svg[role=img]").get_attribute("aria-label")
                assert chart.locator("details tbody tr").count() >= 3
                assert chart.evaluate(_WORDS_THAT_COLLIDE) == []
            assert page.locator(f"#view-{name}").evaluate(_CUT_OFF) == []


# Words of a chart that stand on each other, on a bar of it, or beyond its picture.
_WORDS_THAT_COLLIDE = """(figure) => {
  const box = (element) => element.getBoundingClientRect();
  const whole = box(figure.querySelector("svg"));
  const words = [...figure.querySelectorAll("svg text")];
  const over = (a, b) => a.left < b.right - 1 && a.top < b.bottom - 1;
  const crossing = (a, b) => over(a, b) && over(b, a);
  const others = [...words, ...figure.querySelectorAll("svg rect.hour")];
  return words.flatMap((word) => [
    ...others.filter((other) => other !== word && crossing(box(word), box(other))).map((other) => other.textContent),
    ...(box(word).left < whole.left - 1 || box(word).right > whole.right + 1 ? ["beyond"] : []),
  ].map((other) => `${word.textContent} on ${other}`));
}"""
# Cells and notes whose words reach out of them, and rows of a table whose name has no room for a word.
_CUT_OFF = """(view) => {
  const shown = [...view.querySelectorAll("th, td, .note, .summary, .key, li")]
    .filter((one) => one.clientWidth && !one.closest(".visually-hidden, details:not([open])"));
  const narrow = (one) => one.matches(".promise tbody th") && one.clientWidth < 80;
  return shown.filter((one) => one.scrollWidth > one.clientWidth + 1 || narrow(one)).map((one) => one.textContent);
}"""


def grave_findings(page: Any) -> list[Any]:
    """Return what axe finds that is serious or critical, with the first places of each."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, ROWS_ALIKE, {"resultTypes": ["violations"]}).response["violations"]
    return [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found if _is_grave(v)]


def _is_grave(violation: dict[str, Any]) -> bool:
    return violation["impact"] in ("serious", "critical")


def test_axe_would_find_what_is_wrong(chromium: Any, running: Service) -> None:
    """The test above can fail: letters that can hardly be read and a field without a name are found."""
    with looking(chromium) as looked:
        looked.page.goto(address(running.port, "/form"))
        looked.settled()
        looked.page.evaluate(
            """() => {
              const rules = [...document.styleSheets[0].cssRules];
              rules.find((rule) => rule.selectorText === "h1").style.color = "#ddd";
              document.querySelector("#old-form").append(document.createElement("input"));
            }"""
        )
        found = {name for name, _ in grave_findings(looked.page)}
    assert {"color-contrast", "label"} <= found


def test_little_is_sent_and_nothing_leaves_the_host(chromium: Any, running: Service) -> None:
    """A first view: under 120 KB in all, from this host alone; a second one loads no file again."""
    for path in ("/", "/board"):
        with looking(chromium) as looked:
            answer = looked.page.goto(address(running.port, path))
            looked.settled()
            assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
            assert "unsafe" not in CONTENT_SECURITY_POLICY
            sizes = [request.sizes() for request in looked.finished]
            assert len(sizes) >= 15
            assert 20_000 < sum(s["responseBodySize"] + s["responseHeadersSize"] for s in sizes) < TRANSFERRED_MOST
            looked.finished.clear()
            looked.page.goto(address(running.port, path))
            looked.settled()
            again = [r for r in looked.finished if "/static/" in r.url and r.sizes()["responseBodySize"] > 0]
            assert again == []


def test_the_policy_stops_what_is_inline(chromium: Any, running: Service) -> None:
    """A script and a style that somebody brings in are not run: the browser says so."""
    with looking(chromium, expected=("Content Security Policy",)) as looked:
        looked.page.goto(address(running.port, "/form"))
        looked.settled()
        looked.page.evaluate(
            """() => {
              const script = document.createElement("script");
              script.textContent = "document.title = 'inline'";
              document.body.append(script);
              const style = document.createElement("style");
              style.textContent = "body { display: none }";
              document.body.append(style);
            }"""
        )
        assert looked.page.title() != "inline"
        assert looked.page.locator("h1:visible").count() == 1
        assert len([c for c in looked.complaints if "Content Security Policy" in c]) >= 2


@pytest.mark.parametrize(("size", "language"), [(WIDE, "en"), (NARROW, "es")])
def test_everything_can_be_done_by_keyboard(chromium: Any, running: Service, size: Any, language: str) -> None:
    """From one flight to the board, the airport, the model and the old form, without a pointer."""
    with looking(chromium, size, language, expected=NOT_JUDGED) as looked:
        looked.page.goto(f"http://127.0.0.1:{running.port}/")
        looked.settled()
        _ask_by_keyboard(looked)
        _board_by_keyboard(looked)
        for view in ("airport", "model"):
            looked.tab_to(f"nav a[data-view={view}]", "Shift+Tab")
            looked.page.keyboard.press("Enter")
            looked.page.wait_for_selector(f"#view-{view} figure summary")
            looked.tab_to(f"#view-{view} summary")
            looked.page.keyboard.press("Enter")
            assert looked.page.locator(f"#view-{view} details[open] td").first.is_visible()
        _form_by_keyboard(looked)
        before = looked.page.locator("html").get_attribute("lang")
        looked.tab_to("a.switch", "Shift+Tab")
        looked.page.keyboard.press("Enter")
        looked.page.wait_for_function("(before) => document.documentElement.lang !== before", arg=before)
        assert looked.page.url.endswith("/form"), "the other language shows the same view"


def _ask_by_keyboard(looked: Looked) -> None:
    page = looked.page
    looked.tab_to("#airline")
    page.keyboard.type("sky")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.input_value("#airline") == "Sky Airline (H2)"
    looked.tab_to("#destination")
    page.keyboard.type("puerto mo")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.input_value("#destination") == "Puerto Montt (PMC)"
    looked.tab_to("#flight_number")
    page.keyboard.type("281")
    page.fill("#date", tomorrow().date().isoformat())  # a picker is the browser's own
    page.fill("#time", "09:40")
    page.focus("#time")
    looked.tab_to("#question button[type=submit]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer:not([hidden])")
    looked.tab_to("#curve summary")
    page.keyboard.press("Enter")
    assert page.locator("#curve td").first.is_visible()


def _board_by_keyboard(looked: Looked) -> None:
    page = looked.page
    looked.tab_to("nav a[data-view=board]", "Shift+Tab")
    page.keyboard.press("Enter")
    looked.settled()
    page.fill("#board-date", tomorrow().date().isoformat())
    page.wait_for_function("(n) => document.querySelectorAll('#board tbody tr').length === n", arg=BOARD)
    looked.tab_to("#board button[data-sort=risk]")
    page.keyboard.press("Enter")
    assert page.locator("th.col-risk").get_attribute("aria-sort") == "descending"
    shares = [int("".join(c for c in t if c.isdigit())) for t in page.locator("#board .risk .figure").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    looked.tab_to("#board-airline", "Shift+Tab")
    page.keyboard.type("Sky")
    assert page.locator("#board tbody tr").count() == BOARD // 2
    looked.tab_to("#board tbody a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer:not([hidden])")
    assert "Sky Airline" in looked.text("[data-slot=flight]")


def _form_by_keyboard(looked: Looked) -> None:
    page = looked.page
    looked.tab_to("a[data-view=form]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#old-form:visible")
    for name in ("var10", "var24", "var31"):
        looked.tab_to(f"input[name={name}]")
        page.keyboard.press("Space")
    looked.tab_to("#old-form button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#old-answer #probability")
    assert "Copa Air" in looked.text("#old-answer h2")


def test_the_promise_is_shown_as_it_is_told(chromium: Any) -> None:
    """Each objective with its reason, what was kept, what is left, and who says so: the numbers of /v1/objectives."""
    told = vector((MONTH, "availability", "0.0002"), (MONTH, "model-freshness", "0.02"), (MONTH, "calibration", "0"))
    board = Board()
    for n in range(1001):
        board.slot(0).answered(ROUTES.index("/predict"), Outcome.OK, 0.1 if n < 4 else 0.01)
    with answering(told) as prometheus:
        worker = Worker(board=board, promised=PromiseTold(address_of(prometheus), 1_500_000_000.0))
        with serving(create_app(scorer(), worker)) as running, looking(chromium, expected=("/v1/quality",)) as looked:
            page = looked.page
            page.goto(f"http://127.0.0.1:{running.port}/model")
            looked.settled()
            assert "since it started, Jul 13, 2017, 10:40 PM" in looked.text("#promise-note").replace("\u202f", " ")
            rows = [" | ".join(" ".join(c.split()) for c in row.locator("th, td").all_inner_texts())
                    for row in page.locator("#objectives tbody tr").all()]  # fmt: skip
            assert len(rows) == len(load_promise().objectives)
            for row, objective in zip(rows, load_promise().objectives, strict=True):
                assert row.startswith(f"{objective.title} {objective.promise} {objective.reason} | ")
            ends = {row.split()[0]: row.split(" | ", 1)[1] for row in rows}
            assert ends["Requests"] == "99.95% | 99.98% over 30 days, by Prometheus | 60%"
            assert ends["Age"] == "99% | 98% over 30 days, by Prometheus | 0% — spent"
            assert ends["Calibration"] == "95% | 100% over 30 days, by Prometheus | 100%"
            assert ends["Predictions"] == "99.9% | 100% 1,001 of 1,001 since the start | 100%"
            assert " | 99% | 99.6% 997 of 1,001 since the start | 60%" in rows[1]
            assert ends["Log-ins"] == "99.5% | \u2013 nothing to count yet | \u2013"
            assert ends["Golden"] == "99.9% | \u2013 not measured here | \u2013"
            assert page.locator("#objectives tr.broken").count() == 1
            widths = page.locator("#objectives rect.left").evaluate_all(
                "(all) => all.map((one) => one.getAttribute('width'))"
            )
            assert [round(float(width)) for width in widths] == [60, 60, 100, 0, 100]
    silent = Worker(board=board, promised=PromiseTold(address_of(prometheus), 1_500_000_000.0))
    with serving(create_app(scorer(), silent)) as running, looking(chromium, NARROW, "es", expected=("404",)) as looked:
        looked.page.goto(f"http://127.0.0.1:{running.port}/model")
        looked.settled()
        assert looked.text("#promise-note").startswith("Prometheus no responde. Contado por este servicio desde que")
        assert looked.page.locator("#objectives tbody tr.unknown").count() == 6


def test_few_events_are_not_judged(chromium: Any) -> None:
    """One slow answer of ten breaks no promise of 99 %: where no bad one has room it is too early to say."""
    board = Board()
    for n in range(10):
        board.slot(0).answered(ROUTES.index("/predict"), Outcome.OK, 0.01 if n else 0.1)
    worker = Worker(board=board, promised=PromiseTold("", 0.0))
    with serving(create_app(scorer(), worker)) as running, looking(chromium, expected=("/v1/quality",)) as looked:
        looked.page.goto(f"http://127.0.0.1:{running.port}/model")
        looked.settled()
        row = " ".join(looked.page.locator("#objectives tbody tr").nth(1).locator("td").all_inner_texts())
        assert " ".join(row.split()) == "99% 90% 9 of 10 since the start too few to say"
        assert looked.page.locator("#objectives tr.broken").count() == 0
