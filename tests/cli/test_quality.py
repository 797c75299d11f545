"""`atraso quality` prints what the ledger tells, and its page needs nobody."""

from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from atraso.artefact.bundle import BUNDLED, read_manifest
from atraso.cli.quality import quality
from atraso.core.errors import AtrasoError
from tests.ledger.judged import keep, left, said
from tests.ledger.places import Place

VERSION = read_manifest(BUNDLED).version


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A ledger of three weeks: 3h and schedule, 60 flights each, of two airlines, one with a name that hurts."""
    found = Place(tmp_path, None)
    now = int(time.time()) // 60
    predictions, departures = [], []
    for number in range(60):
        due = now - 20 * 1440 + number * 400
        airline = "LAN" if number % 3 else "<b>&"
        p = 0.1 + number % 6 / 10
        for lead, basis in (("3h", "live"), ("schedule", "schedule")):
            row = said(number, p, due=due, airline=airline, lead=lead, basis=basis, model_version=VERSION)
            predictions.append((f"{row[0][:-1]}{lead[0]}".upper(), *row[1:]))  # type: ignore[index]
        departures.append(left(number, 30 if number % 6 > 3 else 0, due=due, airline=airline))
    other = said(1, 0.9, due=now - 20 * 1440 + 400, model_version="2016.1+0000aa", asked_before=700)
    keep(found, [*predictions, other], departures)
    found.close()
    return found


def run(place: Place, *arguments: str) -> Result:
    environment = {"ATRASO_LEDGER_URL": place.url}
    return CliRunner(env=environment).invoke(quality, ["--data", str(place.data), *arguments], catch_exceptions=False)


def test_a_table_by_lead_and_lines_of_counts_and_drift(place: Place) -> None:
    """Scores with intervals, the counts, and that there are too few flights for drift."""
    told = run(place)
    assert told.exit_code == 0
    for lead in ("3h", "schedule"):
        assert re.search(rf"{lead} +60 +33\.3% +35\.0% +0\.\d{{4}} \[0\.\d{{4}} 0\.\d{{4}}\] .*1\.000", told.stdout)
    assert f"model {VERSION}, flights due in the last 28 days" in told.stdout
    assert "judged 120; waiting 0; without a departure 0" in told.stdout
    assert "drift: too few flights to tell" in told.stdout


def test_what_is_asked_for_is_judged(place: Place) -> None:
    """One lead, fewer days, another model that is not at hand, all models."""
    assert list(json.loads(run(place, "--json", "--lead", "3h").stdout)["leads"]) == ["3h"]
    few = json.loads(run(place, "--json", "--days", "7").stdout)
    assert (few["days"], 0 < few["counts"]["judged"] < 120) == (7, True)
    other = run(place, "--json", "--model", "2016.1+0000aa")
    assert json.loads(other.stdout)["leads"]["3h"]["said"] == 0.9
    assert "not at hand" in other.stderr
    every = json.loads(run(place, "--json", "--model", "all").stdout)
    assert (every["model_version"], every["leads"]["3h"]["n"]) == ("all", 60)
    assert json.loads(run(place, "--json", "--model", VERSION).stdout)["model_version"] == VERSION


def test_a_ledger_in_postgresql_is_read_too(postgres_place: Place) -> None:
    """By ATRASO_LEDGER_URL, with nothing in the data folder."""
    due = int(time.time()) // 60 - 600
    keep(postgres_place, [said(1, 0.25, due=due, model_version=VERSION)], [left(1, 20, due=due)])
    told = json.loads(run(postgres_place, "--json").stdout)
    assert told["leads"]["3h"]["brier_score"] == 0.5625
    assert list(postgres_place.data.iterdir()) == []


def test_without_a_ledger_it_says_so(tmp_path: Path) -> None:
    """A sentence, and no file is made by asking."""
    with pytest.raises(AtrasoError, match="nothing has been kept yet"):
        run(Place(tmp_path / "none", None))
    assert not (tmp_path / "none").exists()


class Page(HTMLParser):
    """What a page would load or run, and its tags in balance."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone(place: Place, tmp_path: Path) -> None:
    """Diagrams, tables, both colour schemes; no script, no address, nothing of the ledger as markup."""
    target = tmp_path / "page.html"
    assert run(place, "--html", str(target)).exit_code == 0
    html = target.read_text("utf-8")
    page = Page()
    page.feed(html)
    assert page.open == []
    assert page.addresses == []
    assert not {"script", "link", "img", "iframe", "object", "b"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", html)
    assert "&lt;b&gt;&amp;" in html
    assert "prefers-color-scheme: dark" in html
    # Two diagrams of reliability, two over the weeks, the swatches of their legends.
    assert page.tags.count("svg") == 4 + 4
    # Fifteen dots for each lead; the first says of four flights what the ledger holds.
    dots = re.findall(r"<title>said ([\d.]+)%, came ([\d.]+)%, (\d+) flights</title>", html)
    assert len(dots) == 2 * 15
    assert dots[0] == ("10.0", "0.0", "4")


def test_a_page_of_nothing_says_so(tmp_path: Path) -> None:
    """Before the first departure."""
    empty = Place(tmp_path, None)
    keep(empty, [said(1, 0.5, model_version=VERSION)])
    empty.close()
    target = tmp_path / "page.html"
    assert run(empty, "--html", str(target)).exit_code == 0
    assert "No prediction could be judged yet" in target.read_text("utf-8")
