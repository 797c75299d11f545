"""When something is wrong: a sentence and a way on, in the page's language."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from atraso.ledger.accounts import Accounts
from atraso.serving.app import Worker, create_app
from atraso.serving.predictions import Predictions
from atraso.serving.problems import UnavailableError
from atraso.serving.words import words_of
from tests.identity.directory_server import DirectoryServer, password_of
from tests.serving.access import Books, Guarded, directory_settings
from tests.serving.fakes import scorer
from tests.serving.raw import serving
from tests.web.browser import NARROW, Looked, looking
from tests.web.test_board import file_of, has_rows

QUERY = "airline=LAN&flight_number=25&destination=SPJC&date=2018-01-03&time=08:30"
SPANISH, ENGLISH = words_of("es"), words_of("en")


def opened(looked: Looked, port: int, path: str = f"/?{QUERY}") -> None:
    looked.page.goto(f"http://127.0.0.1:{port}{path}")
    looked.settled()


def answered(looked: Looked) -> str:
    looked.page.wait_for_selector("#answer:not([hidden])")
    return looked.text("[data-slot=percent]")


def test_a_service_that_is_down(chromium: Any) -> None:
    """The page that is open says so in each view, and goes on where it was once it is asked again."""
    app = create_app(scorer())
    with looking(chromium, NARROW, "es", expected=("ERR_CONNECTION",)) as looked:
        with serving(app) as running:
            opened(looked, running.port)
            assert answered(looked)
            looked.page.route("**/v1/predictions", lambda route: route.abort("connectionrefused"))
            looked.page.click("#question button[type=submit]")
            looked.page.wait_for_selector("#flight-notice:not([hidden])")
            looked.page.unroute("**/v1/predictions")
            looked.page.click("#flight-notice button")
            looked.page.wait_for_selector("#flight-notice", state="hidden")
            assert answered(looked)
        for view, notice in (("airport", "airport-notice"), ("model", "model-notice"), ("board", "board-notice")):
            looked.page.click(f"nav a[data-view={view}]")
            looked.page.wait_for_selector(f"#{notice}:not([hidden])")
            assert looked.text(f"#{notice} p") == SPANISH("trouble.down")
            assert looked.text(f"#{notice} button") == SPANISH("again")
        looked.page.click("nav a[data-view=flight]")
        looked.page.fill("#airline", "LAN")
        looked.page.fill("#flight_number", "30")
        looked.page.fill("#destination", "Lima")
        looked.page.fill("#time", "09:00")
        looked.page.click("#question button[type=submit]")
        looked.page.wait_for_selector("#flight-notice:not([hidden])")
        assert looked.text("#flight-notice p") == SPANISH("trouble.down")
        assert looked.page.input_value("#flight_number") == "30", "nothing that was typed is lost"
        assert in_sight(looked, "#flight-notice"), "it stands below the form"


def test_a_service_that_has_no_time(chromium: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """503: the page tells when it asks again, counts down, and asks."""
    calls: list[int] = []
    honest = Predictions.post

    async def busy(self: Predictions, scope: Any, body: bytes) -> bytes:
        calls.append(1)
        if len(calls) == 1:
            raise UnavailableError("the service has no time", 60)
        return await honest(self, scope, body)

    monkeypatch.setattr(Predictions, "post", busy)
    monkeypatch.setattr(Predictions, "at_once", lambda self, body, principal: None)
    with serving(create_app(scorer())) as running, looking(chromium, expected=("503",)) as looked:
        looked.page.clock.install()
        opened(looked, running.port)
        looked.page.wait_for_selector("#flight-notice:not([hidden])")
        before = told_seconds(looked)
        assert looked.text("#flight-notice p") == ENGLISH("trouble.503", seconds=before)
        looked.page.clock.run_for(5000)
        assert told_seconds(looked) <= before - 5
        looked.page.clock.run_for(60_000)
        assert answered(looked) == "30%"
        assert looked.page.locator("#flight-notice").is_hidden()


def in_sight(looked: Looked, selector: str) -> bool:
    box = looked.page.locator(selector).bounding_box()
    return bool(box["y"] >= 0 and box["y"] + box["height"] <= looked.page.viewport_size["height"])


def told_seconds(looked: Looked) -> int:
    return int("".join(re.findall(r"Again in (\d+) s", looked.text("#flight-notice p"))))


def key_given(looked: Looked, key: str) -> None:
    looked.page.wait_for_selector("#login[open]")
    looked.page.fill("#login-secret", key)
    looked.page.keyboard.press("Enter")


def test_a_key_that_asks_too_often(chromium: Any, tmp_path: Path) -> None:
    """429: the sentence has the seconds, and a button that asks at once."""
    key = Books(tmp_path).key("desk", "predict")
    door = Guarded(tmp_path, rate_per_s=1, rate_burst=3)
    with serving(create_app(scorer(), door.worker)) as running, looking(chromium, expected=("429", "401")) as looked:
        opened(looked, running.port)
        key_given(looked, key)
        assert answered(looked) == "30%"
        for _ in range(4):
            looked.page.click("#question button[type=submit]")
            looked.settled()
            if looked.page.locator("#flight-notice").is_visible():
                break
        assert re.fullmatch(r"You have asked very often\. Again in \d+ s\.", looked.text("#flight-notice p"))
        looked.page.wait_for_selector("#flight-notice", state="hidden")


def test_a_key_that_counts_no_more(chromium: Any, tmp_path: Path) -> None:
    """401: the page asks who one is, says kindly what is wrong, forgets what it was shown, and keeps the question."""
    books = Books(tmp_path)
    first = books.key("desk", "predict")
    app = create_app(scorer(), Guarded(tmp_path).worker)
    with serving(app) as running, looking(chromium, language="es", expected=("401", "403")) as looked:
        page = looked.page
        opened(looked, running.port, "/")
        assert page.locator("#login[open]").count() == 0, "nobody is asked before anything is"
        opened(looked, running.port)
        key_given(looked, "atraso_wrong")
        page.wait_for_selector("#login-error:not([hidden])")
        assert looked.text("#login-error") == SPANISH("login.wrong.key")
        key_given(looked, first)
        assert answered(looked).startswith("30")
        assert looked.text("#who") == SPANISH("who.key", prefix=first[:12])

        books.show(Accounts())
        page.wait_for_timeout(1300)
        page.click("#question button[type=submit]")
        page.wait_for_selector("#login[open]")
        assert looked.text("#login-error") == SPANISH("trouble.401.again")
        page.click("#login-cancel")
        page.wait_for_selector("#flight-notice:not([hidden])")
        assert looked.text("#flight-notice p") == SPANISH("trouble.401")
        assert page.locator("#who").is_hidden()
        assert page.input_value("#flight_number") == "25"
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0
        assert all(first not in str(cookie) for cookie in page.context.cookies())

        page.reload()
        page.wait_for_selector("#login[open]")
        page.keyboard.press("Escape")
        page.wait_for_selector("#flight-notice:not([hidden])")
        assert page.evaluate("document.activeElement.matches('#flight-notice button')"), "Enter goes on from here"


def test_a_view_that_looks_by_itself_says_that_it_may_no_more(chromium: Any, tmp_path: Path) -> None:
    """A session that ended while nobody did anything is told beside what was known: no dialog comes up by itself."""
    books = Books(tmp_path)
    key = books.key("desk", "predict")
    app = create_app(scorer(), Guarded(tmp_path).worker)
    with serving(app) as running, looking(chromium, expected=("401",)) as looked:
        page = looked.page
        page.clock.install()
        opened(looked, running.port, "/airport")
        key_given(looked, key)
        page.wait_for_selector("#airport-body:not([hidden])")
        books.show(Accounts())
        time.sleep(1.3)  # a worker reads its accounts each second
        page.clock.fast_forward(31_000)
        page.wait_for_selector("#airport-notice:not([hidden])")
        assert looked.text("#airport-notice p") == ENGLISH("trouble.401.again")
        assert page.locator("#login[open]").count() == 0
        assert page.locator("#who").is_hidden()
        assert page.locator("#airport-body").is_visible()
        fresh = books.key("desk", "predict")
        time.sleep(1.3)
        page.click("#airport-notice button")
        key_given(looked, fresh)
        page.wait_for_selector("#airport-notice", state="hidden")


def test_a_file_goes_on_after_a_wait(chromium: Any, tmp_path: Path) -> None:
    """429 in the middle of a file: the page says so, waits, and asks for the rest; nothing is asked for twice."""
    key = Books(tmp_path).key("desk", "predict")
    door = Guarded(tmp_path, rate_per_s=1, rate_burst=5)
    rows = [f"LAN,{n % 900 + 1},SPJC,2018-01-03 {n % 24:02d}:{n % 60:02d}" for n in range(2100)]
    answers: list[int] = []
    with serving(create_app(scorer(), door.worker)) as running, looking(chromium, expected=("429", "404")) as looked:
        page = looked.page
        page.on("response", lambda r: answers.append(r.status) if r.url.endswith("/v1/predictions") else None)
        opened(looked, running.port, "/board")
        key_given(looked, key)
        looked.settled()
        page.set_input_files("#board-file", file_of(*rows))
        page.wait_for_selector("#board-notice:not([hidden])")
        assert page.locator("#board-progress").is_visible()
        has_rows(looked, 1000)
        assert "Flights: 2,100, of which about " in looked.text("#board-summary")
        assert answers.count(200) == 5
        assert answers.count(429) >= 1
        assert page.locator("#board-notice").is_hidden()


def test_somebody_without_the_role(chromium: Any, tmp_path: Path) -> None:
    """403: known, but not allowed; a sentence, and the log-out."""
    feed = Books(tmp_path).key("feed", "report")
    app = create_app(scorer(), Guarded(tmp_path).worker)
    with serving(app) as running, looking(chromium, expected=("403",)) as looked:
        opened(looked, running.port)
        key_given(looked, feed)
        looked.page.wait_for_selector("#flight-notice:not([hidden])")
        assert looked.text("#flight-notice p") == ENGLISH("trouble.403")
        looked.page.click("#leave")
        looked.page.wait_for_selector("#enter:not([hidden])")
        assert looked.page.locator("#who").is_hidden()


def test_logging_in_with_a_name(chromium: Any, tmp_path: Path, server: DirectoryServer) -> None:
    """Name and password of the directory: a wrong one is told kindly, a right one shows who it is, in memory alone."""
    door = Guarded(tmp_path, **{"auth": "ldap,keys", **directory_settings(server)})
    app = create_app(scorer(), door.worker)
    with serving(app) as running, looking(chromium, expected=("401", "/v1/quality")) as looked:
        page = looked.page
        opened(looked, running.port)
        page.wait_for_selector("#login[open]")
        page.keyboard.type("bob")
        page.keyboard.press("Tab")
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("#login-error:not([hidden])")
        assert looked.text("#login-error") == ENGLISH("login.wrong")
        page.keyboard.press("Control+a")
        page.keyboard.type(password_of("bob"))
        page.keyboard.press("Enter")
        assert answered(looked) == "30%"
        assert looked.text("#who") == ENGLISH("who", name="bob", roles="predict")
        page.click("nav a[data-view=model]")
        page.wait_for_selector("#scores:not([hidden])")
        page.click("a.switch")
        page.wait_for_function("() => document.documentElement.lang === 'es'")
        page.wait_for_selector("#scores:not([hidden])")
        assert looked.text("#who").startswith("bob"), "another language is no other person"
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0
        page.reload()
        page.wait_for_selector("#login[open]")


def test_a_log_in_that_cannot_be_checked(chromium: Any, tmp_path: Path, server: DirectoryServer) -> None:
    """Somebody without a role is told so; a directory that is down, and too many failures, each give a sentence."""
    limits = {"ldap_timeout_s": 0.3}
    door = Guarded(tmp_path, **{"auth": "ldap,jwt", **directory_settings(server), **limits})
    app = create_app(scorer(), door.worker)
    with serving(app) as running, looking(chromium, NARROW, "es", expected=("401", "403", "429", "503")) as looked:
        page = looked.page
        opened(looked, running.port)
        page.fill("#login-name", "carol")
        key_given(looked, password_of("carol"))
        page.wait_for_selector("#flight-notice:not([hidden])")
        assert looked.text("#flight-notice p") == SPANISH("trouble.403")
        assert looked.text("#who") == SPANISH("who.nobody", name="carol")
        page.reload()
        page.wait_for_selector("#login[open]")
        page.fill("#login-name", "dave")
        server.pause()
        try:
            key_given(looked, "x")
            page.wait_for_selector("#login-error:not([hidden])")
            assert looked.text("#login-error") == SPANISH("login.down", seconds=5)
        finally:
            server.resume()
        page.wait_for_selector("#login button:not([disabled])")
        told = SPANISH("login.held", seconds="")[:30]
        for _ in range(12):
            key_given(looked, "wrong")
            page.wait_for_selector("#login button[type=submit]:not([disabled])")
            if looked.text("#login-error").startswith(told):
                break
        assert looked.text("#login-error").startswith(told)


def test_a_worker_without_people(chromium: Any) -> None:
    """Where nobody is asked there is neither log-in nor log-out."""
    with serving(create_app(scorer(), Worker())) as running, looking(chromium) as looked:
        opened(looked, running.port)
        assert answered(looked) == "30%"
        assert looked.page.locator("#login, #enter, #leave").count() == 0
