"""`GET /v1/schedule`: a day's departures, from the process that keeps the state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import jsonschema
import pytest

from atraso.serving.app import create_app
from tests.bootstrap.test_state_service import SANTIAGO, a_week, flight, knows, left, moment
from tests.ledger.test_service import posted
from tests.serving.asgi import get
from tests.serving.fakes import SAME, SCEL, scorer
from tests.serving.processes import eventually, service

WITHIN_S = 60.0


def test_a_day_is_told_as_it_was_reported(tmp_path: Path) -> None:
    """Published, left and cancelled flights with their times, by the hour what left, and how a usual day goes."""
    with service("--workers", "1", ATRASO_DATA=str(tmp_path), ATRASO_LEDGER="spool") as running:
        tomorrow = (datetime.now(UTC).astimezone(SANTIAGO) + timedelta(days=1)).replace(hour=9, minute=5)
        ahead = [flight(70 + n, tomorrow + timedelta(hours=n)) for n in range(3)]
        late = left(90, moment(hours=3), 40)
        gone = {**flight(91, moment(hours=2)), "cancelled": True}
        reports = {"departures": [*a_week(), *ahead, late, gone]}
        # The writer may still begin, and on a busy machine that takes its time.
        eventually(lambda: posted(running, "/v1/departures", reports)[0] == 200, WITHIN_S)
        version = posted(running, "/v1/departures", reports)[1]["state"]["version"]
        eventually(lambda: knows(running, version), WITHIN_S)

        day: Any = running.get(f"/v1/schedule?date={tomorrow.date().isoformat()}")
        document: Any = running.get("/openapi.json")
        schema = {"$ref": "#/components/schemas/DayAnswer", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(day)
        assert (day["airport"], day["date"], day["version"]) == ("SCEL", tomorrow.date().isoformat(), version)
        assert [f["flight_number"] for f in day["flights"]] == ["670", "671", "672"]
        assert all(f["published"] and f["actual_departure"] is None for f in day["flights"])
        assert datetime.fromisoformat(day["flights"][0]["scheduled_departure"]) == tomorrow.replace(
            second=0, microsecond=0
        )

        then: Any = running.get(f"/v1/schedule?origin=SCL&date={moment(hours=3).date().isoformat()}")
        found = {f["flight_number"]: f for f in then["flights"]}
        assert found["690"]["delay_minutes"] == 40
        assert found["690"]["actual_departure"] == datetime.fromisoformat(str(late["actual_departure"])).isoformat()
        assert not found["690"]["published"]
        assert sum(hour["delayed"] for hour in then["left_by_hour"]) in (0, 1)  # it may have left after midnight
        assert len(then["usual_by_hour"]) == len(then["left_by_hour"]) == 24
        assert 7 <= then["usual_days"] <= 28
        of_gone: Any = running.get(f"/v1/schedule?date={moment(hours=2).date().isoformat()}")
        (cancelled,) = [f for f in of_gone["flights"] if f["cancelled"]]
        assert (cancelled["flight_number"], cancelled["delay_minutes"]) == ("691", None)

        with pytest.raises(HTTPError) as refused:
            running.get("/v1/schedule?date=2017-02-30&origin=SPJC&day=1")
        assert refused.value.code == 422
        refused.value.close()
        assert running.get("/v1/schedule")["date"] == datetime.now(UTC).astimezone(SANTIAGO).date().isoformat()


def test_where_no_flights_are_kept_it_says_how_to() -> None:
    """Without a ledger there is no schedule: 404 with the setting that turns it on."""
    answer = get(create_app(scorer()), "/v1/schedule")
    assert answer.status == 404
    assert "ATRASO_LEDGER" in answer.json["detail"]


def test_where_a_model_has_several_airports_one_is_named() -> None:
    """The document says that the origin is needed there, and not elsewhere."""
    for airports, needed in (((SCEL,), False), ((SCEL, SAME), True)):
        document = get(create_app(scorer(*airports)), "/openapi.json").json
        (origin,) = [p for p in document["paths"]["/v1/schedule"]["get"]["parameters"] if p["name"] == "origin"]
        assert origin["required"] is needed
