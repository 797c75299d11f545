"""One flight on the page: what is shown is what the API answered."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from atraso.serving.app import create_app
from atraso.serving.words import words_of
from tests.serving.fakes import SAME, SCEL, scorer
from tests.serving.processes import Service
from tests.serving.raw import serving
from tests.web.browser import NARROW, Looked, looking
from tests.web.conftest import tomorrow

ENGLISH, SPANISH = words_of("en"), words_of("es")


def fill(looked: Looked, **values: str) -> None:
    for name, value in values.items():
        looked.page.fill(f"#{name}", value)


def submitted(looked: Looked) -> Any:
    """Send the form and return what the API answered to its first question."""
    with looked.page.expect_response("**/v1/predictions") as told:
        looked.page.click("#question button[type=submit]")
    return told.value.json()


def shown(looked: Looked, slot: str) -> str:
    return looked.text(f"[data-slot='{slot}']")


def test_the_page_shows_what_the_api_answers(chromium: Any, running: Service) -> None:
    """Probability, base rate, bands, clock times, each reason and warning are the answer's numbers; so is the curve."""
    with looking(chromium) as looked:
        page = looked.page
        page.goto(f"http://127.0.0.1:{running.port}/")
        looked.settled()
        date = tomorrow().date().isoformat()
        fill(looked, airline="LATAM Airlines", destination="LIM", flight_number="LA600", date=date, time="20:05")
        (answer,) = submitted(looked)["predictions"]
        page.wait_for_selector("#hours:not([hidden])")

        assert page.locator("#answer").get_attribute("data-id") == answer["id"]
        assert shown(looked, "percent") == ENGLISH.percent(answer["delay_probability"])
        assert shown(looked, "usual") == ENGLISH.percent(answer["base_rate"])
        exceeds = answer["exceeds"]
        shares = [1 - exceeds["15"], exceeds["15"] - exceeds["30"], exceeds["30"] - exceeds["60"], exceeds["60"]]
        for kind, share in zip(("punctual", "late", "later", "latest"), shares, strict=True):
            assert shown(looked, kind) == ENGLISH.percent(share)
        for name in ("p50", "p80", "p95"):
            late = int(answer["minutes"][name] + 0.5)
            assert shown(looked, f"{name}-clock") == f"{20 + (5 + late) // 60:02d}:{(5 + late) % 60:02d}"
        rows = [" ".join(text.split()) for text in page.locator(".reason").all_inner_texts()]
        assert len(rows) == len(answer["reasons"])
        for row, reason in zip(rows, answer["reasons"], strict=True):
            assert row.endswith(f"{abs(100 * reason['effect']):.1f}")
            assert ("+" in row) == (round(1000 * reason["effect"]) > 0)
        warnings = page.locator("[data-slot=warnings] li").all_inner_texts()
        assert warnings == answer["warnings"]
        marks = page.locator("#curve svg .value").all_text_contents()
        assert marks == [ENGLISH.percent(exceeds[m]) for m in ("15", "30", "60")]
        page.click("#curve summary")
        told = page.locator("#curve td").all_inner_texts()
        assert told == [ENGLISH.percent(exceeds[m]) for m in ("0", "15", "30", "60")]


def test_other_hours_are_asked_in_one_question(chromium: Any, running: Service) -> None:
    """24 hours come from one more request; the bars are its answers, and the best of them is offered."""
    with looking(chromium) as looked:
        page = looked.page
        asked: list[Any] = []
        page.on("response", lambda r: asked.append(r) if r.url.endswith("/v1/predictions") else None)
        query = {"airline": "LAN", "flight_number": "600", "destination": "SPJC",
                 "date": tomorrow().date().isoformat(), "time": "20:05"}  # fmt: skip
        page.goto(f"http://127.0.0.1:{running.port}/?{urlencode(query)}")
        page.wait_for_selector("#hours:not([hidden])")
        assert [len(response.request.post_data_json["flights"]) for response in asked] == [1, 24]
        own = asked[0].json()["predictions"][0]["delay_probability"]
        shares = [p["delay_probability"] for p in asked[1].json()["predictions"]]
        page.click("#hours-chart summary")
        assert page.locator("#hours-chart td").all_inner_texts() == [ENGLISH.percent(share) for share in shares]
        best = min(range(6, 23), key=lambda hour: shares[hour])
        if int(100 * own + 0.5) > int(100 * shares[best] + 0.5):
            offered = looked.text("[data-slot=instead]")
            assert offered == f"Leave at {best:02d}:00 instead: {ENGLISH.percent(shares[best])}."
            page.click("[data-slot=instead] a")
            page.wait_for_function("(hour) => document.querySelector('#time').value === hour", arg=f"{best:02d}:00")
            page.wait_for_function(
                "(text) => document.querySelector('[data-slot=percent]').textContent === text",
                arg=ENGLISH.percent(shares[best]),
            )


def test_the_link_reproduces_the_question(chromium: Any, running: Service) -> None:
    """Whoever opens the link of an answer sees the same flight, in the other language too."""
    with looking(chromium) as looked:
        page = looked.page
        page.goto(f"http://127.0.0.1:{running.port}/")
        looked.settled()
        date = tomorrow().date().isoformat()
        fill(looked, airline="h2", destination="Castro", flight_number="73", date=date, time="07:15")
        (answer,) = submitted(looked)["predictions"]
        link = page.locator("#permalink").evaluate("(a) => a.href")
        assert page.url == link
        page.click("a.switch")
        page.wait_for_function("() => document.documentElement.lang === 'es'")
        page.wait_for_selector("#answer:not([hidden])")
        page.wait_for_function("() => document.querySelector('[data-slot=percent]').textContent.includes('%')")
        assert shown(looked, "percent").replace("\u202f", " ") == SPANISH.percent(answer["delay_probability"]).replace(
            "\u202f", " "
        )
        page.goto(link)
        looked.settled()
        assert page.input_value("#airline") == "Sky Airline (H2)"
        assert page.input_value("#destination") == "Castro (MHC)"
        assert "Sky Airline 73 a Castro" in shown(looked, "flight")


def test_bad_input_is_explained_at_its_field_in_the_pages_language(chromium: Any, running: Service) -> None:
    """What is missing is told before anybody is asked, what the API refuses at its field; the first has the focus."""
    with looking(chromium, NARROW, "es", expected=("422",)) as looked:
        page = looked.page
        page.goto(f"http://127.0.0.1:{running.port}/")
        looked.settled()
        page.fill("#date", "")
        page.click("#question button[type=submit]")
        page.wait_for_selector("#time-error:not([hidden])")
        for name in ("airline", "destination", "flight_number", "date", "time"):
            assert looked.text(f"#{name}-error") == SPANISH(f"needed.{name}")
            assert page.locator(f"#{name}").get_attribute("aria-invalid") == "true"
        assert page.evaluate("document.activeElement.id") == "airline"

        date = tomorrow().date().isoformat()
        fill(looked, airline="Nadie", destination="LIM", flight_number="--", date=date, time="10:00")
        problem = submitted(looked)
        assert problem["status"] == 422
        page.wait_for_selector("#flight_number-error:not([hidden])")
        assert re.match(r"'Nadie' no es", looked.text("#airline-error"))
        assert re.match(r"'--' no es un número de vuelo", looked.text("#flight_number-error"))
        assert page.locator("[aria-invalid]").count() == 2
        fill(looked, airline="Sky", destination="Atlantis")
        page.click("#question button[type=submit]")
        assert looked.text("#destination-error") == SPANISH("unknown.destination")
        assert page.locator("#answer").is_hidden()


def test_a_place_is_meant_by_any_of_its_names_but_not_by_one_of_several(chromium: Any, running: Service) -> None:
    """With the script as without: the model's own name for a place counts, of a town's two airports one is chosen."""
    with looking(chromium, expected=("422",)) as looked:
        page = looked.page
        date = tomorrow().date().isoformat()
        query = {"airline": "LAN", "flight_number": "600", "date": date, "time": "20:05"}
        page.goto(f"http://127.0.0.1:{running.port}/?{urlencode(query | {'destination': 'Buenos Aires'})}")
        looked.settled()
        assert page.locator("#destination-error").inner_text() == ENGLISH("unknown.destination")
        assert page.locator("#answer").is_hidden(), "the server answers what the script answers"
        page.focus("#destination")
        page.keyboard.press("End")
        page.keyboard.type(" ")
        assert len(page.locator("#destination-list li").all()) == 2
        for name, code in (
            ("Tocumen", "Panama City (PTY)"),
            ("são paulo", "São Paulo (GRU)"),
            ("Quito", "Quito (UIO)"),
        ):
            fill(looked, destination=name)
            asked = submitted(looked)
            assert len(asked["predictions"]) == 1
            page.reload()
            looked.settled()
            assert page.input_value("#destination") == code


def test_of_several_airports_one_is_chosen(chromium: Any) -> None:
    """Where a model knows several, the question, the link and the other hours are of the one that was chosen."""
    with serving(create_app(scorer(SCEL, SAME))) as running, looking(chromium, NARROW, "es") as looked:
        page = looked.page
        asked: list[Any] = []
        page.on("request", lambda r: asked.append(r) if r.url.endswith("/v1/predictions") else None)
        page.goto(f"http://127.0.0.1:{running.port}/")
        looked.settled()
        page.select_option("#origin", "SAME")
        fill(looked, airline="LAN", destination="Lima", flight_number="25", date="2018-01-03", time="20:05")
        submitted(looked)
        page.wait_for_selector("#hours:not([hidden])")
        assert {f["origin"] for request in asked for f in request.post_data_json["flights"]} == {"SAME"}
        page.reload()
        looked.settled()
        assert page.input_value("#origin") == "SAME"
        assert shown(looked, "percent").startswith("30")
