"""What people see: the page that asks and answers for one flight, and the reference of the API."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from atraso.artefact.manifest import Manifest
from atraso.core.codes import folded
from atraso.serving.openapi import golden_by_day
from atraso.serving.predictions import Predictions
from atraso.serving.problems import STATUSES, WrongPlacesError
from atraso.serving.reference import reference
from atraso.serving.telling import BANDS, QUANTILE_WORDS, percent, told

WEB = Path(__file__).parents[1] / "web"
FORM_FIELDS = ("airline", "flight_number", "destination", "date", "time", "origin")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d(:\d\d)?", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:]{2,39}\](:\d{1,5})?", re.ASCII)


def page_templates(manifest: Manifest) -> jinja2.Environment:
    """Return the templates of all pages about the model of *manifest*."""
    loader = jinja2.FileSystemLoader(WEB / "templates")
    templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    templates.trim_blocks = templates.lstrip_blocks = True
    templates.filters["coded"] = coded
    # A browser keeps the files it has: when they change, so does their address.
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in sorted((WEB / "static").iterdir()))).hexdigest()
    templates.globals |= {
        "model": manifest,
        "files_version": digest[:12],
        "usual": percent(manifest.base_rate),
        "threshold": percent(manifest.decision_threshold),
    }
    return templates


def page_routes(
    templates: jinja2.Environment,
    manifest: Manifest,
    predictions: Predictions,
    document: Mapping[str, Any],
    now: Callable[[], float] = time.time,
    *,
    asks: str = "",
) -> list[BaseRoute]:
    """Return the routes of the page, the reference and what they load; *now* is the time for the date proposed.

    *asks* is what people have to show before they are answered: `login`, `key` or nothing.
    """
    pages = _Pages(templates, manifest, predictions, document, now, asks=asks)
    return [
        Route("/", pages.page, methods=["GET"]),
        Route("/docs", pages.docs, methods=["GET"]),
        Mount("/static", StaticFiles(directory=WEB / "static")),
    ]


class _Pages:
    """The pages of one model, with their templates loaded once."""

    def __init__(
        self,
        templates: jinja2.Environment,
        manifest: Manifest,
        predictions: Predictions,
        document: Mapping[str, Any],
        now: Callable[[], float],
        *,
        asks: str,
    ) -> None:
        self._asks = asks
        self._page = templates.get_template("page.html")
        self._docs = templates.get_template("docs.html")
        self._manifest = manifest
        self._predictions = predictions
        self._reference = reference(document)
        self._now = now
        self._place_codes = {folded(place.name): place.icao for place in manifest.destinations}

    async def page(self, request: Request) -> Response:
        """Show the form, and below it the answer where the query holds a flight: the page works without script.

        Where people have to log in the script does that, and asks for the flight in their name.
        """
        asked = any(name in request.query_params for name in FORM_FIELDS)
        fields = {name: request.query_params.get(name, "").strip() for name in FORM_FIELDS}
        answer, errors = None, {}
        if asked and not self._asks:
            try:
                answer = told(self._predictions.ask(self._question(fields)), fields)
            except WrongPlacesError as error:
                errors = _by_field(error, fields)
        elif not asked:
            fields["date"] = self._today()
        content = self._page.render(
            fields=fields,
            answer=answer,
            errors=errors,
            example=self._example(),
            asks=self._asks,
            band_words=BANDS,
            quantile_words=QUANTILE_WORDS,
        )
        return HTMLResponse(content, 422 if errors else 200, {"cache-control": "no-store"})

    async def docs(self, request: Request) -> Response:
        """Show the reference, with examples that name the address it was asked at."""
        host = request.headers.get("host", "")
        base = f"{request.url.scheme}://{host}" if _HOST.fullmatch(host) else "http://127.0.0.1:5000"
        content = self._docs.render(operations=self._reference, statuses=STATUSES, base=base)
        return HTMLResponse(content, headers={"cache-control": "no-cache"})

    def _question(self, fields: Mapping[str, str]) -> dict[str, object]:
        """Return the form's fields by the names of the API; what is empty is left out."""
        question: dict[str, object] = {"explain": True}
        question |= {n: fields[n] for n in ("airline", "flight_number", "destination", "origin") if fields[n]}
        # The form takes the name of a place too, as its list offers it.
        place = self._place_codes.get(folded(fields["destination"]))
        if place is not None:
            question["destination"] = place
        if _DATE.fullmatch(fields["date"]) and _TIME.fullmatch(fields["time"]):
            question["scheduled_departure"] = f"{fields['date']}T{fields['time']}"
        return question

    def _today(self) -> str:
        zone = ZoneInfo(self._manifest.airports[0].zone)
        return datetime.fromtimestamp(self._now(), zone).date().isoformat()

    def _example(self) -> Mapping[str, str]:
        """Return a flight that the model knows, today, and the address of its answer."""
        golden = golden_by_day(self._manifest)
        fields = {
            "airline": golden.airline,
            "flight_number": golden.flight_number,
            "destination": golden.destination,
            "date": self._today(),
            "time": golden.scheduled_departure[11:16],
        }
        if len(self._manifest.airports) > 1:
            fields["origin"] = golden.origin
        airline = {a.icao: a.name for a in self._manifest.airlines}.get(golden.airline, golden.airline)
        place = {p.icao: p.name for p in self._manifest.destinations}.get(golden.destination, golden.destination)
        words = f"{airline} {golden.flight_number} to {place}, today at {fields['time']}"
        return {"number": golden.flight_number, "words": words, "address": f"/?{urlencode(fields)}"}


def coded(text: str) -> Markup:
    """Return *text* escaped, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped on this line


def _by_field(error: WrongPlacesError, fields: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong by the form's field."""
    errors: dict[str, str] = {}
    for place in error.places:
        name = place.pointer.removeprefix("/")
        if name != "scheduled_departure":
            errors[name] = place.detail
        elif not _DATE.fullmatch(fields["date"]):
            errors["date"] = "is needed, such as 2017-07-14"
        elif not _TIME.fullmatch(fields["time"]):
            errors["time"] = "is needed, such as 08:30"
        else:
            errors["date"] = place.detail
    return errors
