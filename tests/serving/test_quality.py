"""Quality is shown as the writer found it: at its route and as gauges; what is not known is not shown as 0."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import msgspec
import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import create_engine, text

from atraso.ledger.quality_report import (
    Bin,
    Counts,
    GroupDrift,
    LeadQuality,
    Moved,
    Quality,
    QualityFile,
    Scores,
)
from atraso.serving.app import Worker, create_app
from atraso.serving.observe import route_of
from atraso.telemetry.names import ROUTES
from tests.serving.asgi import get
from tests.serving.fakes import scorer
from tests.serving.processes import children, eventually, service


def lead(brier_score: float, n: int = 100) -> LeadQuality:
    scores = Scores(n=n, delayed=20, said=0.2, brier_score=brier_score, brier_skill=0.1, auc=None, ece=0.0125)
    return LeadQuality(
        **msgspec.structs.asdict(scores),
        brier_score_95=(0.1, 0.2),
        brier_skill_95=None,
        auc_95=None,
        by_basis={"live": scores},
        by_airline={"LAN": scores},
        by_week={"2026-W45": scores},
        reliability=(Bin(n, 0.2, 0.2),),
    )


def quality(**leads: LeadQuality) -> Quality:
    return Quality(
        made_at="2026-11-09T00:00:00+00:00",
        days=28,
        model_version="2017.1+3f9c2a",
        complete=True,
        counts=Counts(100, 1, 2, 3, 4),
        leads=leads,
        drift={"airline": GroupDrift(100, 0.25, 0.15, True, Moved("LAN", 0.5, 0.75))},
    )


def app_of(folder: Path) -> object:
    return create_app(scorer(), Worker(quality=QualityFile(folder).read))


@pytest.mark.parametrize(("waiting", "told"), [(0, scorer().manifest.version), (1, "all")])
def test_a_fresh_service_tells_of_the_model_in_use(tmp_path: Path, waiting: int, told: str) -> None:
    """Where nothing was predicted yet; where the model could not be read, the predictions of all are judged."""
    nothing = msgspec.structs.replace(
        quality(), model_version="all", counts=Counts(0, waiting, 0, 0, 0), leads={}, drift={}
    )
    QualityFile(tmp_path).publish(nothing)
    assert get(app_of(tmp_path), "/v1/quality").json["model_version"] == told


def gauges(app: object) -> dict[str, float]:
    found = re.findall(r"^(atraso_(?:quality|drift)_\S+) (\S+)$", get(app, "/metrics").body.decode(), re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_it_is_answered_as_it_was_found(tmp_path: Path) -> None:
    """The file's content, fitting the document's schema."""
    found = quality(**{"3h": lead(0.15), "schedule": lead(0.125)})
    QualityFile(tmp_path).publish(found)
    app = app_of(tmp_path)
    answer = get(app, "/v1/quality")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert msgspec.json.decode(answer.body, type=Quality) == found
    assert answer.json == json.loads((tmp_path / "quality.json").read_text())
    document = get(app, "/openapi.json").json
    schema = {"$ref": "#/components/schemas/Quality", "components": document["components"]}
    Draft202012Validator(schema).validate(answer.json)


def test_where_there_is_none_it_says_what_to_do(tmp_path: Path) -> None:
    """No ledger; none found yet; a damaged file: each with its sentence."""
    without = get(create_app(scorer()), "/v1/quality")
    assert (without.status, without.headers["content-type"]) == (404, "application/problem+json")
    assert "ATRASO_LEDGER=spool" in without.json["detail"]
    app = app_of(tmp_path)
    early = get(app, "/v1/quality")
    assert (early.status, early.headers["retry-after"]) == (503, "10")
    assert "has not judged the predictions yet" in early.json["detail"]
    (tmp_path / "quality.json").write_text("{")
    damaged = get(app, "/v1/quality")
    assert damaged.status == 503
    assert "is damaged: remove it" in damaged.json["detail"]
    assert gauges(app) == {}
    QualityFile(tmp_path).publish(quality())
    assert get(app, "/v1/quality").status == 200


def test_the_gauges_move_with_the_file(tmp_path: Path) -> None:
    """By lead and by group; a lead that was not judged is absent, and so is one that there is not."""
    app = app_of(tmp_path)
    assert gauges(app) == {}
    QualityFile(tmp_path).publish(quality(**{"3h": lead(0.15), "5h": lead(0.9)}))
    assert gauges(app) == {
        'atraso_quality_brier_score{lead="3h"}': 0.15,
        'atraso_quality_ece{lead="3h"}': 0.0125,
        'atraso_quality_judged_flights{lead="3h"}': 100,
        "atraso_quality_made_timestamp_seconds": 1794182400,
        'atraso_drift_psi{group="airline"}': 0.25,
        'atraso_drift_alarm{group="airline"}': 1,
    }
    QualityFile(tmp_path).publish(quality(**{"3h": lead(0.125, n=200), "schedule": lead(0.2)}))
    moved = gauges(app)
    assert moved['atraso_quality_brier_score{lead="3h"}'] == 0.125
    assert moved['atraso_quality_judged_flights{lead="3h"}'] == 200
    assert moved['atraso_quality_brier_score{lead="schedule"}'] == 0.2


def test_requests_are_counted_under_its_own_name() -> None:
    """The label of the route."""
    assert ROUTES[route_of("/v1/quality")] == "/v1/quality"


def test_a_worker_answers_it_without_the_database_s_library(tmp_path: Path) -> None:
    """Nothing that a worker does with quality brings SQLAlchemy, Alembic or psycopg into it."""
    QualityFile(tmp_path).publish(quality(**{"3h": lead(0.15)}))
    code = f"""
import sys
from atraso.bootstrap import create_service, load_model
from atraso.settings import load_settings
settings = load_settings({{"ATRASO_LEDGER": "spool", "ATRASO_DATA": {str(tmp_path)!r}}})
app = create_service(settings, load_model(settings))
from tests.serving.asgi import get
assert get(app, "/v1/quality").json["leads"]["3h"]["brier_score"] == 0.15
assert b"atraso_quality_brier_score" in get(app, "/metrics").body
print([name for name in ("sqlalchemy", "alembic", "psycopg", "polars", "matplotlib") if name in sys.modules])
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert run.stdout.strip() == "[]", run.stderr


def _answered(port: int, asked: dict[str, object]) -> bool:
    """Ask, and return whether it was answered: a question of the past waits until the ledger was read."""
    try:
        post(port, asked)
    except HTTPError as error:
        assert error.code == 503
        return False
    return True


@pytest.mark.timeout(120)
def test_a_running_service_judges_what_it_said(tmp_path: Path) -> None:
    """From a prediction over a departure to /v1/quality; none of its workers has the database's library."""
    asked = {
        "flights": [
            {"airline": "LAN", "flight_number": "600", "destination": "SPJC", "scheduled_departure": _hours_ago(3)}
        ],
        "as_of": _hours_ago(9),
    }
    environment = {"ATRASO_LEDGER": "spool", "ATRASO_DATA": str(tmp_path)}
    with service("--workers", "1", **environment) as first:
        eventually(lambda: _answered(first.port, asked), 20)
        database = create_engine(f"sqlite:///{tmp_path}/ledger.sqlite3")
        eventually(lambda: _stored(database) == 1, 20)
        eventually((tmp_path / "quality.json").exists, 20)
        first.stop()
    with database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO departures SELECT airline, flight_number, origin, destination, scheduled_utc, "
                "scheduled_local, scheduled_utc + 40, false, 1, 'tower', 1 FROM predictions"
            )
        )
    database.dispose()
    with service("--workers", "1", **environment) as second:
        eventually(lambda: second.get("/v1/quality")["counts"]["judged"] == 1, 20)  # type: ignore[index]
        told = second.get("/v1/quality")
        assert told["leads"]["schedule"]["delayed"] == 1  # type: ignore[index]
        as_nice = os.getpriority(os.PRIO_PROCESS, second.process.pid)
        workers = [pid for pid in children(second.process.pid) if os.getpriority(os.PRIO_PROCESS, pid) == as_nice]
        assert len(workers) == 1, "writer and keeper are nicer"
        assert "sqlalchemy" not in _loaded(workers[0])


def _loaded(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def _stored(database: object) -> int:
    try:
        with database.connect() as connection:  # type: ignore[attr-defined]
            return int(connection.execute(text("SELECT count(*) FROM latest_predictions")).scalar_one())
    except Exception:
        return 0


def _hours_ago(hours: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(time.time() - hours * 3600))


def post(port: int, content: object) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/predictions", json.dumps(content).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
