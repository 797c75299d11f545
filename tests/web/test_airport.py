"""The airport now in words: what is said of it is what its numbers say."""

from __future__ import annotations

from typing import Any

import pytest

from atraso.serving.words import words_of
from tests.serving.processes import Service
from tests.web.browser import looking

ENGLISH = words_of("en")


@pytest.mark.parametrize(
    ("now", "before", "mood"),
    [
        ((0, 5), (0, 196), "usual"),
        ((1, 60), (2, 2000), "usual"),
        ((2, 10), (400, 2000), "usual"),
        ((0, 20), (400, 2000), "calm"),
        ((7, 20), (400, 2000), "rough"),
        ((10, 20), (400, 2000), "very-rough"),
        ((0, 4), (400, 2000), "usual"),
        ((0, 0), (400, 2000), "quiet"),
    ],
)
def test_the_word_is_that_of_the_shares(
    chromium: Any, running: Service, now: tuple[int, int], before: tuple[int, int], mood: str
) -> None:
    """Calm or rough is what is clearly so beside the last four weeks; equal shares are as usual, however small."""

    def told(route: Any) -> None:
        answer = route.fetch()
        text = answer.json()
        airport = text["airports"][0]
        for span, (delayed, departures) in (("last_six_hours", now), ("last_28_days", before)):
            airport[span] |= {"delayed": delayed, "departures": departures}
        route.fulfill(response=answer, json=text)

    with looking(chromium) as looked:
        looked.page.route("**/v1/state*", told)
        looked.page.goto(f"http://127.0.0.1:{running.port}/airport")
        looked.page.wait_for_selector("#airport-body:not([hidden])")
        assert looked.text("#airport-mood") == ENGLISH(f"mood.{mood}")
