"""The board: the day of the ledger as it changes, and files of flights, good rows and bad."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.bootstrap.test_state_service import flight, knows, moment
from tests.ledger.test_service import posted, told
from tests.serving.processes import Service, eventually
from tests.web.browser import Looked, looking
from tests.web.conftest import BOARD, WITHIN_S, tomorrow

HEAD = "airline,flight_number,destination,scheduled_departure"
LOOK_MS = 11_000


def opened(looked: Looked, running: Service) -> None:
    looked.page.goto(f"http://127.0.0.1:{running.port}/board")
    looked.settled()


def has_rows(looked: Looked, count: int) -> None:
    looked.page.wait_for_function("(n) => document.querySelectorAll('#board tbody tr').length === n", arg=count)


def file_of(*rows: str) -> dict[str, Any]:
    return {"name": "flights.csv", "mimeType": "text/csv", "buffer": "\r\n".join((HEAD, *rows)).encode("utf-8-sig")}


def test_the_day_is_that_of_the_ledger(chromium: Any, running: Service) -> None:
    """Each row has the answer of the API, the summary what they add up to; hours and airlines are filtered."""
    with looking(chromium) as looked:
        page = looked.page
        opened(looked, running)
        day = tomorrow()
        page.fill("#board-date", day.date().isoformat())
        has_rows(looked, BOARD)
        flights = [
            {k: f[k] for k in HEAD.split(",")}
            for f in running.get(f"/v1/schedule?date={day.date().isoformat()}")["flights"]  # type: ignore[attr-defined]
        ]
        status, answer = posted(running, "/v1/predictions", {"flights": flights})
        assert status == 200
        shown = page.locator("#board .risk .figure").all_inner_texts()
        expected = [p["delay_probability"] for p in answer["predictions"]]
        assert [int(text.strip("<>%")) for text in shown] == [int(100 * p + 0.5) for p in expected]
        assert f"Departures: {BOARD}. Still to leave: {BOARD}, " in looked.text("#board-summary")
        assert f"of which about {int(sum(expected) + 0.5)} late" in looked.text("#board-summary")

        page.select_option("#board-from", "12")
        late = sum(day + timedelta(minutes=24 * n) >= day.replace(hour=12) for n in range(BOARD))
        has_rows(looked, late)
        assert f"Departures: {late}. Still to leave: {late}, " in looked.text("#board-summary")


def test_the_board_changes_with_what_is_reported(chromium: Any, running: Service) -> None:
    """A flight that is cancelled meanwhile is shown so, without anybody's doing.

    Who reads far below stays there and keeps the focus, also after a file that could not be used.
    """
    day = tomorrow() + timedelta(days=1)
    ahead = [flight(n, day + timedelta(minutes=10 * n)) for n in range(1, 91)]
    with looking(chromium) as looked:
        page = looked.page
        page.clock.install()
        version = told(running, *ahead)["state"]["version"]
        eventually(lambda: knows(running, version), WITHIN_S)
        opened(looked, running)
        page.fill("#board-date", day.date().isoformat())
        page.select_option("#board-show", "all")
        page.clock.run_for(1000)  # its frames are those of the clock
        has_rows(looked, len(ahead))
        assert page.locator("#board .risk").count() == len(ahead)
        page.set_input_files("#board-file", {"name": "x.csv", "mimeType": "text/csv", "buffer": b""})
        page.wait_for_selector("#board-notice:not([hidden])")
        page.locator("#board tbody tr:last-child a").focus()
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        held, before = page.evaluate("[document.activeElement.href, scrollY]")
        version = told(running, ahead[1] | {"cancelled": True})["state"]["version"]
        eventually(lambda: knows(running, version), WITHIN_S)
        page.clock.fast_forward(LOOK_MS)
        page.wait_for_selector("#board tr.gone")
        page.clock.run_for(1000)
        has_rows(looked, len(ahead))
        assert "cancelled" in looked.text("#board tr.gone")
        assert page.locator("#board .risk").count() == len(ahead) - 1
        assert page.evaluate("[document.activeElement.href, scrollY]") == [held, before]


def test_what_is_overdue_is_told_as_the_time_goes_on(chromium: Any, running: Service) -> None:
    """A flight of which nothing is reported is due, and then overdue by so many minutes."""
    gone, next_one = flight(77, moment(minutes=40)), flight(78, moment(minutes=-40))
    version = told(running, gone, next_one)["state"]["version"]
    eventually(lambda: knows(running, version), WITHIN_S)
    with looking(chromium) as looked:
        page = looked.page
        page.clock.install()
        opened(looked, running)
        page.fill("#board-date", str(gone["scheduled_departure"])[:10])
        page.wait_for_selector("#board tbody tr")
        status = page.locator("#board tr", has_text="677").locator(".col-status")
        assert re.fullmatch(r"overdue 4[01] min", status.inner_text())
        later = running.get("/v1/state") | {"as_of": moment(minutes=-5).isoformat()}
        page.route("**/v1/state", lambda route: route.fulfill(json=later))
        page.clock.fast_forward(LOOK_MS)
        page.wait_for_function("() => document.querySelector('#board tbody').textContent.includes('overdue 45 min')")
        page.wait_for_function(
            "time => document.querySelector('#board-summary').textContent.includes(time)", arg=later["as_of"][11:16]
        )


def test_a_file_with_three_bad_rows_scores_the_rest_and_lists_the_three(chromium: Any, running: Service) -> None:
    """Dropped on the page: good rows are scored, each bad one is told by its row; sorted and exported as shown."""
    good = [f"LAN,{n + 1},{('SPJC', 'SCTE')[n % 2]},2026-12-01T{n % 24:02d}:05" for n in range(20)]
    rows = [
        *good[:4],
        "Nobody,1,SPJC,2026-12-01T10:00",
        *good[4:9],
        "LAN,1",
        *good[9:],
        "=cmd,1,Atlantis,2026-12-01T10:00",
    ]
    with looking(chromium, expected=("422",)) as looked:
        page = looked.page
        opened(looked, running)
        content = "\n".join((HEAD, *rows))
        page.evaluate(
            """(content) => {
              const data = new DataTransfer();
              data.items.add(new File([content], "flights.csv", { type: "text/csv" }));
              const view = document.querySelector("#view-board");
              view.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
            }""",
            content,
        )
        has_rows(looked, len(good))
        page.wait_for_selector("#board-rejects:not([hidden])")
        told_of = page.locator("#board-rejects li").all_inner_texts()
        assert [text.split(":")[0] for text in told_of] == ["Row 5", "Row 11", "Row 23"]
        assert "'Nobody' is not an airline" in told_of[0]
        assert told_of[1] == "Row 11: cells: 2, columns: 4"
        assert "destination: 'Atlantis'" in told_of[2]
        assert "airline: '=cmd'" in told_of[2]
        assert "flights.csv. Flights: 20, of which about " in looked.text("#board-summary")

        page.click("#board button[data-sort=risk]")
        with page.expect_download() as download:
            page.click("#board-export")
        exported = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8-sig"))))
        assert download.value.suggested_filename == "atraso-flights.csv"
        risks = [float(row["delay_probability"]) for row in exported]
        assert risks == sorted(risks, reverse=True)
        flights = [{k: row[k] for k in HEAD.split(",")} for row in exported]
        _, answer = posted(running, "/v1/predictions", {"flights": flights})
        assert risks == [p["delay_probability"] for p in answer["predictions"]]
        page.click("#board-back button")
        page.wait_for_function("() => !document.querySelector('#board-summary').textContent.includes('flights.csv')")


def test_a_thousand_flights_and_more(chromium: Any, running: Service) -> None:
    """A file of 2,300 rows shows how far it is, all are scored, a thousand are drawn and others are a click away."""
    rows = [f"LAN,{n % 900 + 1},SPJC,2026-12-{n % 9 + 1:02d} {n % 24:02d}:{n % 60:02d}" for n in range(2300)]
    with looking(chromium) as looked:
        page = looked.page
        opened(looked, running)
        page.evaluate(
            """() => {
              window.seen = [];
              const bar = document.querySelector("#board-bar");
              new MutationObserver(() => window.seen.push([bar.value, bar.parentElement.hidden]))
                .observe(bar, { attributes: true });
            }"""
        )
        page.set_input_files("#board-file", file_of(*rows))
        has_rows(looked, 1000)
        assert "Flights: 2,300, of which about " in looked.text("#board-summary")
        seen = page.evaluate("window.seen")
        assert [round(value, 2) for value, hidden in seen if value and not hidden][:4] == [0.22, 0.43, 0.65, 0.87]
        assert page.locator("#board-progress").is_hidden()
        page.click("#board-more button")
        has_rows(looked, 2000)
        assert looked.text("#board-more") == "Show 300 more"


PLAIN = f"{HEAD}\nLAN,600,Lima,2026-12-01 10:00\nLatin American Wings,54,Asunción,2026-12-01T14:00:00Z\n"
AS_WRITTEN = {
    "plain": PLAIN.encode(),
    "code page": PLAIN.encode("cp1252"),
    "UTF-16": PLAIN.encode("utf-16"),
    "Excel": f"sep=;\r\n{PLAIN.replace(',', ';')}".encode("utf-8-sig"),
    "tabs and blanks": f"\n\n{PLAIN}\n ,,,\n".replace(",", "\t").encode(),
    "titles": PLAIN.replace(HEAD, "Airline, Flight Number ,DESTINATION,Scheduled-Departure").encode(),
}


def test_a_file_is_read_as_spreadsheets_write_it(chromium: Any, running: Service) -> None:
    """Encodings, separators, blank rows, written titles; names of places, codes in quotes, times of other zones."""
    with looking(chromium) as looked:
        page = looked.page
        opened(looked, running)
        for name, content in AS_WRITTEN.items():
            page.set_input_files("#board-file", {"name": f"{name}.csv", "mimeType": "text/csv", "buffer": content})
            page.wait_for_function(
                "(name) => document.querySelector('#board-summary').textContent.startsWith(name)", arg=f"{name}.csv"
            )
            has_rows(looked, 2)
            assert page.locator("#board .to").all_inner_texts() == ["Lima", "Asunción"]
            assert page.locator("#board .col-time").all_inner_texts()[1:] == ["10:00", "11:00"]
            assert page.locator("#board-rejects").is_hidden()
        page.click("#board tbody tr:nth-child(2) a")
        page.wait_for_selector("#answer:not([hidden])")
        assert page.input_value("#time") == "11:00"

        page.click("nav a[data-view=board]")
        head = 'scheduled_departure;"airline";flight_number;destination;origin'
        text = f'{head}\n"2026-12-01 10:00";"LATAM Airlines";600;LIM;SCL'
        page.set_input_files("#board-file", {"name": "y.csv", "mimeType": "text/csv", "buffer": text.encode()})
        has_rows(looked, 1)
        assert looked.text("#board .to") == "Lima"


NO_FILES = {
    b"": "has no rows",
    f"{HEAD}\n".encode(): "has no rows",
    b"airline,b\n1,2\n": "no column flight_number, destination, scheduled_departure. What it has: airline, b.",
    f"{HEAD},airline\nLAN,1,LIM,2026-12-01 10:00,SKU\n".encode(): "has the column airline twice",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR": "is not a text file",
}


def test_a_file_that_is_none_is_explained(chromium: Any, running: Service) -> None:
    """Other columns, empty files and pictures get a sentence and a way on; what was there before stays."""
    with looking(chromium, expected=("422",)) as looked:
        page = looked.page
        opened(looked, running)
        page.set_input_files("#board-file", file_of("LAN,1,LIM,2026-12-01T10:00"))
        has_rows(looked, 1)
        for content, sentence in NO_FILES.items():
            page.set_input_files("#board-file", {"name": "x.csv", "mimeType": "text/csv", "buffer": content})
            page.wait_for_function(
                "(s) => document.querySelector('#board-notice').textContent.includes(s)", arg=sentence
            )
            assert looked.text("#board-notice button") == "Choose another file"
            has_rows(looked, 1)
        with page.expect_file_chooser():
            page.click("#board-notice button")
        page.set_input_files("#board-file", file_of('LAN,"1,LIM,2026-12-01T10:00', "SKU,2,LIM,2026-12-01T10:00"))
        page.wait_for_selector("#board-rejects:not([hidden])")
        assert page.locator("#board-notice").is_hidden()
        assert looked.text("#board-rejects summary") == "No row could be read: 1."
        assert "opens a quote that nothing closes" in looked.text("#board-rejects li")


def test_of_many_bad_rows_the_first_thousand_are_listed(chromium: Any, running: Service) -> None:
    """A file that is no file of flights does not become a list without end."""
    with looking(chromium) as looked:
        page = looked.page
        opened(looked, running)
        page.set_input_files("#board-file", file_of(*(["LAN,1"] * 1203), "LAN,1,LIM,2026-12-01T10:00"))
        has_rows(looked, 1)
        assert looked.text("#board-rejects summary").startswith("Rows that could not be read: 1,203.")
        assert page.locator("#board-rejects li").count() == 1001
        assert page.locator("#board-rejects li").last.inner_text() == "and 203 more"
