"""How well the promise was kept, from what Prometheus answers."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from atraso.cli.slo import slo
from atraso.cli.slo_text import share
from atraso.slo.history import HistoryError, ask, read_history
from atraso.slo.loading import load_promise
from atraso.slo.report import BROKEN, KEPT, UNKNOWN, Kept, report

HOUR = 3600
END = 1_500_000 * HOUR
Points = dict[str, list[tuple[float, float]]]


def answer(points: Points, *, parts: tuple[str, ...] = ("bad", "total")) -> bytes:
    """Return Prometheus's answer for objectives whose last hours had so many bad ones and all, the latest last."""
    result: list[dict[str, Any]] = []
    for name, hours in points.items():
        for at, part in enumerate(parts):
            values = [[END - (len(hours) - 1 - i) * HOUR, str(hour[at])] for i, hour in enumerate(hours)]
            metric = {"__name__": f"slo:sli_{part}:increase1h", "slo": name, "instance": "x"}
            result.append({"metric": metric, "values": values})
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


def kept(points: Points, name: str = "availability", hours: int = 24) -> Kept:
    """Return how the objective *name* was kept over so many hours."""
    found = report(load_promise(), read_history(answer(points), "a test"), "1d", END - hours * HOUR, END)
    return next(one for one in found.objectives if one.name == name)


def test_the_budget_is_that_of_all_events_and_exact() -> None:
    """Exactly the whole budget is kept; one event more is broken."""
    whole = kept({"availability": [(2, 4000), (3, 6000)]})
    over = kept({"availability": [(2, 4000), (4, 6000)]})

    assert (whole.verdict, whole.spent, whole.good_ratio) == (KEPT, Decimal(1), Decimal("0.9995"))
    assert (over.verdict, over.spent) == (BROKEN, Decimal("1.2"))


def test_a_quiet_night_does_not_outweigh_a_busy_noon() -> None:
    """Events are added up; the mean of the hours' shares is told beside, because it differs."""
    one = kept({"availability": [(5, 10), (0, 99_990)]})

    assert one.good_ratio == 1 - Decimal("0.00005")
    assert one.mean_of_hours == Decimal("0.25")
    assert kept({"availability": [(5, 10_000), (5, 10_000)]}).mean_of_hours is None


def test_the_worst_hours_are_those_that_cost_most() -> None:
    """Five at most, by how many were bad, with the part of the budget that went in each."""
    one = kept({"availability": [(n, 10_000) for n in (1, 9, 0, 3, 7, 2, 8)]})

    assert [int(hour.bad) for hour in one.worst] == [9, 8, 7, 3, 2]
    assert one.worst[0].end_s == END - 5 * HOUR
    assert one.worst[0].of_budget == Decimal(9) / 35
    assert [round(at.spent * 35) for at in one.course] == [1, 10, 10, 13, 20, 22, 30]


def test_hours_outside_the_window_or_without_traffic_do_not_count() -> None:
    """An hour that ends with the window's start is before it; hours in which nothing came are told as such."""
    points = {"availability": [(9, 10), (0, 0), (1, 10_000), (2, 10_000)]}

    assert kept(points, hours=3).bad == 3
    assert (kept(points, hours=3).hours, kept(points, hours=3).hours_without_data) == (2, 1)
    assert kept(points, hours=4).bad == 12


def test_what_was_not_measured_is_not_kept() -> None:
    """An objective without data has no verdict; with none at all there is none of the whole."""
    found = report(load_promise(), read_history(answer({"tokens": [(0, 5)]}), "x"), "1d", END - 86_400, END)
    nothing = report(load_promise(), {}, "1d", END - 86_400, END)

    assert {one.name for one in found.objectives if one.verdict != UNKNOWN} == {"tokens"}
    assert (found.verdict, nothing.verdict) == (KEPT, UNKNOWN)
    assert nothing.objectives[0].spent is None


def test_an_hour_of_which_half_is_known_is_left_out() -> None:
    """Bad ones without all, or NaN, are no hour."""
    half = answer({"availability": [(7, 9)]}, parts=("bad",))
    nan = answer({"availability": [(float("nan"), 9)]})

    assert read_history(half, "x") == {"availability": ()}
    assert read_history(nan, "x") == {"availability": ()}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "is no answer of Prometheus"),
        (b'{"status":"error","error":"bad query"}', "bad query"),
        (b'{"status":"success","data":{"resultType":"vector","result":[]}}', "not a range"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "load deploy/monitoring/rules"),
        (answer({"x": [(1, 2)]}).replace(b'"1"', b'"one"'), "is no answer of Prometheus: 'one' is no number"),
        (answer({"x": [(-1, 2)]}), "-1 is no number of events"),
        (answer({"x": [(1, 2)]}).replace(str(END).encode(), b"4e12"), "4e+12 is no time in seconds since 1970"),
    ],
)
def test_an_answer_that_cannot_be_used_is_told(content: bytes, says: str) -> None:
    """The sentence says where it came from, what it is, and what to do."""
    says = says.replace("not a range", "holds no range of Prometheus")
    with pytest.raises(HistoryError) as refused:
        read_history(content, "range.json")

    assert "range.json" in str(refused.value)
    assert says in str(refused.value)


def test_several_series_of_one_objective_are_added_up() -> None:
    """Two services, or two Prometheus servers: none of them takes another's place."""
    whole = json.loads(answer({"availability": [(5, 1000), (1, 100)]}))
    series = whole["data"]["result"]
    others = [{**one, "metric": {**one["metric"], "instance": "y"}, "values": one["values"][:1]} for one in series]
    whole["data"]["result"] += others
    history = read_history(json.dumps(whole).encode(), "a test")

    assert [(int(hour.bad), int(hour.total)) for hour in history["availability"]] == [(10, 2000), (1, 100)]


@pytest.fixture
def talker() -> Iterator[Callable[[bytes], str]]:
    """Yield what starts a server that answers everybody with the same bytes and closes, and gives its address."""
    with contextlib.ExitStack() as opened:

        def talk(said: bytes) -> str:
            listening = opened.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                with contextlib.suppress(OSError), listening.accept()[0] as client:
                    heard.append(client.recv(65536))
                    client.sendall(said)

            threading.Thread(target=serve, daemon=True).start()
            return f"127.0.0.1:{listening.getsockname()[1]}"

        heard: list[bytes] = []
        talk.heard = heard  # type: ignore[attr-defined]
        yield talk


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", b""])
def test_what_is_no_prometheus_is_told_in_a_sentence(said: bytes, talker: Callable[[bytes], str]) -> None:
    """Something else at that port, an answer cut short, or none: never a traceback."""
    address = talker(said)

    with pytest.raises(HistoryError, match=f"no Prometheus answers at http://{address} "):
        ask(f"http://{address}", 0, 86_400)


def test_name_and_password_are_sent_and_never_shown(talker: Callable[[bytes], str]) -> None:
    """Those of the address go as Basic; what is told of a refusal has neither."""
    address = talker(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")

    with pytest.raises(HistoryError, match=f"at http://{address} refused: 401 no") as refused:
        ask(f"http://me:s%3Acret@{address}", 0, 86_400)

    assert "cret" not in str(refused.value)
    assert f"Authorization: Basic {b64encode(b'me:s:cret').decode()}\r\n" in talker.heard[0].decode()  # type: ignore[attr-defined]


def test_an_answer_that_cannot_be_used_is_told_without_the_password(talker: Callable[[bytes], str]) -> None:
    """The command names the server that it asked, not who it asked as."""
    address = talker(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n<>")
    with pytest.raises(HistoryError, match=f"http://{address} is no answer of Prometheus"):
        CliRunner().invoke(slo, ["report", "--prometheus", f"http://me:secret@{address}"], catch_exceptions=False)


@pytest.mark.parametrize("url", ["http://exa mple", "http://[::1", "http://", "127.0.0.1:9090", "http://me:secret@"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    """With how to write one, and without what may be a password."""
    with pytest.raises(HistoryError, match=r"write http://HOST:PORT|say where it is") as refused:
        ask(url, 0, 86_400)

    assert "secret" not in str(refused.value)


def test_a_server_that_is_not_there_is_told() -> None:
    """The sentence names the address and the options."""
    with pytest.raises(HistoryError, match=r"no Prometheus answers at http://127.0.0.1:9.*--prometheus URL"):
        ask("http://127.0.0.1:9", 0, 86_400)
    with pytest.raises(HistoryError, match="no address"):
        ask("file:///etc/passwd#", 0, 86_400)


def run(tmp_path: Path, points: Points, *words: str) -> Result:
    """Run the command on a saved answer."""
    saved = tmp_path / "range.json"
    saved.write_bytes(answer(points))
    return CliRunner().invoke(slo, ["report", "--range", str(saved), *words], catch_exceptions=False)


def test_the_command_prints_budgets_worst_hours_and_the_verdict(tmp_path: Path) -> None:
    """Text for people, with exit code 1 where the promise was broken and 0 where it was kept."""
    broken = run(
        tmp_path, {"availability": [(1, 1000), (40, 1000)], "calibration": [(0, 60), (3, 60)]}, "--window", "2h"
    )
    well = run(tmp_path, {"availability": [(0, 1000)]}, "--window", "2h")

    nothing = run(tmp_path, {"availability": [(0, 0)]}, "--window", "2h")

    assert (broken.exit_code, well.exit_code, nothing.exit_code) == (1, 0, 2)
    assert "the promise was not measured: there is no data" in nothing.stdout
    lines = broken.stdout.splitlines()
    assert lines[0].endswith("the promise was BROKEN (2 of 9 objectives have data)")
    (availability,) = (line for line in lines if line.startswith("availability  "))
    assert "4,100 %" in availability
    assert "41 of 2,000" in availability
    assert availability.endswith("BROKEN")
    assert "3 of 120 min" in broken.stdout
    assert "40 of 1,000 bad (4 %), 4,000 % of the budget" in broken.stdout
    assert "no data" in broken.stdout
    assert "availability: 1 hour without anything to judge" in well.stdout


def test_a_small_share_is_not_told_as_none() -> None:
    """Shares are cut, never rounded up to what was not reached, and one that is there never becomes nothing."""
    shares = [share(Decimal(value), 2) for value in ("0.99999", "0.00012", "0.00001", "0", "1")]

    assert shares == ["99.99 %", "0.01 %", "<0.01 %", "0 %", "100 %"]


def test_the_command_gives_json_and_keeps_the_answer(tmp_path: Path) -> None:
    """--json is the report with numbers as such; --save keeps what was read, byte for byte."""
    saved = tmp_path / "kept.json"
    points: Points = {"durability": [(0, 10_000), (1, 10_000)]}
    found = json.loads(run(tmp_path, points, "--window", "1d", "--json", "--save", str(saved)).stdout)
    (one,) = (one for one in found["objectives"] if one["name"] == "durability")

    assert (found["verdict"], one["spent"], one["target"], one["bad"]) == ("kept", 0.5, 0.9999, 1)
    assert saved.read_bytes() == answer(points)


def test_the_page_is_one_file_that_asks_nobody(tmp_path: Path) -> None:
    """It has a diagram for each objective with data, says which promise was broken, and loads nothing."""
    page = tmp_path / "slo.html"
    run(tmp_path, {"availability": [(40, 1000)], "tokens": [(0, 10)]}, "--window", "1d", "--html", str(page))
    text = page.read_text()

    assert text.count("<svg") == 2
    assert "2 of 9 objectives have data" in text
    assert 'class="verdict broken">broken' in text
    assert "4,000 %" not in text
    assert "8,000 %" in text
    assert not any(word in text for word in ("http://", "https://", "<script", "<link", "src=", "@import", "url("))


@pytest.mark.parametrize("window", ["90m", "0h", "a month", "30"])
def test_a_window_that_is_not_whole_hours_is_refused(window: str, tmp_path: Path) -> None:
    """The sentence says how to write it."""
    from atraso.core.errors import SettingsError

    with pytest.raises(SettingsError, match="--window"):
        run(tmp_path, {"tokens": [(0, 1)]}, "--window", window)
