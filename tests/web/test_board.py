"""The board: the day of the ledger as it changes, and files of flights, good rows and bad."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.bootstrap.test_state_service import flight, knows
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
        assert f"{BOARD} departures, {BOARD} still to leave" in looked.text("#board-summary")
        assert f"some {int(sum(expected) + 0.5)} of them" in looked.text("#board-summary")

        page.select_option("#board-from", "12")
        late = sum(day + timedelta(minutes=24 * n) >= day.replace(hour=12) for n in range(BOARD))
        has_rows(looked, late)


def test_the_board_changes_with_what_is_reported(chromium: Any, running: Service) -> None:
    """A flight that is cancelled meanwhile is shown so, without anybody's doing."""
    day = tomorrow() + timedelta(days=1)
    ahead = [flight(n, day + timedelta(hours=n)) for n in range(1, 4)]
    with looking(chromium) as looked:
        page = looked.page
        page.clock.install()
        version = told(running, *ahead)["state"]["version"]
        eventually(lambda: knows(running, version), WITHIN_S)
        opened(looked, running)
        page.fill("#board-date", day.date().isoformat())
        page.select_option("#board-show", "all")
        has_rows(looked, len(ahead))
        assert page.locator("#board .risk").count() == len(ahead)
        version = told(running, ahead[1] | {"cancelled": True})["state"]["version"]
        eventually(lambda: knows(running, version), WITHIN_S)
        page.clock.fast_forward(LOOK_MS)
        page.wait_for_selector("#board tr.gone")
        assert "cancelled" in looked.text("#board tr.gone")
        assert page.locator("#board .risk").count() == len(ahead) - 1


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
        assert "2 cells, not 4" in told_of[1]
        assert "destination: 'Atlantis'" in told_of[2]
        assert "airline: '=cmd'" in told_of[2]
        assert "flights.csv: 20 departures" in looked.text("#board-summary")

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
        assert "2,300 departures" in looked.text("#board-summary")
        seen = page.evaluate("window.seen")
        assert [round(value, 2) for value, hidden in seen if value and not hidden][:4] == [0.22, 0.43, 0.65, 0.87]
        assert page.locator("#board-progress").is_hidden()
        page.click("#board-more button")
        has_rows(looked, 2000)
        assert looked.text("#board-more") == "Show 300 more"


def test_a_file_that_is_none_is_explained(chromium: Any, running: Service) -> None:
    """Other columns and empty files get a sentence; a semicolon and quotes are no trouble."""
    with looking(chromium) as looked:
        page = looked.page
        opened(looked, running)
        for content, sentence in ((b"a,b\n1,2\n", "none of the columns looked for"), (b"", "has no rows")):
            page.set_input_files("#board-file", {"name": "x.csv", "mimeType": "text/csv", "buffer": content})
            page.wait_for_selector("#board-notice:not([hidden])")
            page.wait_for_function(
                "(s) => document.querySelector('#board-notice').textContent.includes(s)", arg=sentence
            )
        head = 'scheduled_departure;"airline";flight_number;destination;origin'
        text = f'{head}\n"2026-12-01 10:00";"LATAM Airlines";600;LIM;SCL'
        page.set_input_files("#board-file", {"name": "y.csv", "mimeType": "text/csv", "buffer": text.encode()})
        has_rows(looked, 1)
        assert page.locator("#board-notice").is_hidden()
        assert looked.text("#board .to") == "Lima"
