"""What people see: the page with its views, and the reference of the API."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from atraso.artefact.manifest import Manifest
from atraso.core.codes import folded
from atraso.serving.form_fields import FORM_FIELDS, errors_of, place_codes, question_of
from atraso.serving.openapi import golden_by_day
from atraso.serving.predictions import Predictions
from atraso.serving.problems import STATUSES, WrongPlacesError
from atraso.serving.reference import reference
from atraso.serving.rendering import PAGE_VIEWS, Pages, language_asked
from atraso.serving.static_files import takes_gzip
from atraso.serving.telling import BANDS, QUANTILES, Names, told
from atraso.serving.words import COOKIE, LANGUAGES, Words, words_of

RISK_LEVELS = ("low", "raised", "high", "very-high")
LIMITS = tuple(f"limit.{name}" for name in ("tail", "cancelled", "aircraft", "season", "weather", "new"))
A_YEAR_S = 31_536_000
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:]{2,39}\](:\d{1,5})?", re.ASCII)


def page_routes(
    pages: Pages,
    manifest: Manifest,
    predictions: Predictions,
    document: Mapping[str, Any],
    now: Callable[[], float] = time.time,
    *,
    asks: str = "",
) -> list[BaseRoute]:
    """Return the routes of the page, the reference and what they load; *now* is the time for the date proposed.

    *asks* is what people have to show before they are answered: `login`, `password`, `key` or nothing.
    """
    found = _Views(pages, manifest, predictions, document, now, asks=asks)
    return [
        *(Route(path, found.view(name), methods=["GET"]) for name, path in PAGE_VIEWS),
        Route("/docs", found.docs, methods=["GET"]),
        Mount("/static", pages.files),
    ]


class _Views:
    """The views of one model: one document, of which a view is shown; its scripts fill it and change between views."""

    def __init__(
        self,
        pages: Pages,
        manifest: Manifest,
        predictions: Predictions,
        document: Mapping[str, Any],
        now: Callable[[], float],
        *,
        asks: str,
    ) -> None:
        self._pages, self._files = pages, pages.files
        self._manifest, self._predictions, self._now, self._asks = manifest, predictions, now, asks
        self._document = document
        self._names: dict[str, Names] = {}

    def view(self, name: str) -> Callable[[Request], Any]:
        """Return what answers with the view *name* shown."""

        async def show(request: Request) -> Response:
            return await self._show(request, name)

        return show

    async def _show(self, request: Request, view: str) -> Response:
        """Show a view; one flight with its answer where the query holds it: that much works without script.

        Where people have to log in the script does that, and asks for the flight in their name.
        """
        words = words_of(language_asked(request))
        names = self._names_in(words)
        fields = {name: request.query_params.get(name, "").strip() for name in FORM_FIELDS}
        answer, errors = None, {}
        asked = view == "flight" and any(name in request.query_params for name in FORM_FIELDS)
        if asked and not self._asks:
            question = question_of(fields, self._codes)
            try:
                answer = told(self._predictions.ask(question), {**fields, **_codes(question)}, words, names)
            except WrongPlacesError as error:
                errors = errors_of(error, fields, words)
        elif not asked:
            fields["date"] = self._today()
        other = next(language for language in LANGUAGES if language != words.language)
        kept = [(name, value) for name, value in request.query_params.multi_items() if name != COOKIE]
        content = await self._pages.render(
            "page.html",
            words.language,
            view=view,
            other_lang=other,
            other_address=f"{request.url.path}?{urlencode([*kept, (COOKIE, other)])}",
            address=f"/?{urlencode(kept)}",
            fields=fields,
            answer=answer,
            errors=errors,
            example=self._example(words, names),
            asks=self._asks,
            bands=BANDS,
            quantiles=QUANTILES,
            risk_levels=RISK_LEVELS,
            limits=LIMITS,
            today=self._today(),
            trained=self._manifest.created_at[:10],
            airlines=sorted(self._manifest.airlines, key=lambda airline: -airline.departures),
            places=self._places(names),
            challenge_airlines=self._manifest.challenge_airlines,
            scripts=self._files.scripts,
            script_words=words.for_scripts(),
            facts=self._facts(),
        )
        return _html(request, content, 422 if errors else 200, words.language)

    async def docs(self, request: Request) -> Response:
        """Show the reference, with examples that name the address it was asked at."""
        host = request.headers.get("host", "")
        base = f"{request.url.scheme}://{host}" if _HOST.fullmatch(host) else "http://127.0.0.1:5000"
        content = await self._pages.render(
            "docs.html", LANGUAGES[0], operations=reference(self._document), statuses=STATUSES, base=base
        )
        return _html(request, content, 200, LANGUAGES[0])

    @cached_property
    def _codes(self) -> dict[str, str]:
        """The code of each place by what it is called: by the model, and in all languages."""
        destinations = self._manifest.destinations
        shown = [
            (words_of(language).places.get(one.icao, one.name), one.icao)
            for language in LANGUAGES
            for one in destinations
        ]
        return place_codes(shown, [(one.name, one.icao) for one in destinations])

    def _places(self, names: Names) -> list[dict[str, str]]:
        """Return the places of the form's list by their names; `also` has the other names that mean one alone."""
        also: dict[str, list[str]] = {}
        for name, code in self._codes.items():
            also.setdefault(code, []).append(name)
        found = [
            {
                "icao": one.icao,
                "iata": one.iata,
                "name": names.place(one.icao),
                "also": "|".join(also.get(one.icao, ())),
            }
            for one in self._manifest.destinations
        ]
        return sorted(found, key=lambda one: folded(one["name"]))

    def _names_in(self, words: Words) -> Names:
        if words.language not in self._names:
            manifest = self._manifest
            called = {airport.icao: airport.name for airport in manifest.airports}
            called |= {place.icao: words.places.get(place.icao, place.name) for place in manifest.destinations}
            places = {place.iata: called[place.icao] for place in manifest.destinations if place.iata} | called
            by_least = sorted(manifest.airlines, key=lambda airline: airline.departures)
            airlines = {airline.iata: airline.name for airline in by_least if airline.iata}
            airlines |= {airline.icao: airline.name for airline in manifest.airlines}
            self._names[words.language] = Names(airlines, places)
        return self._names[words.language]

    def _today(self) -> str:
        zone = ZoneInfo(self._manifest.airports[0].zone)
        return datetime.fromtimestamp(self._now(), zone).date().isoformat()

    def _facts(self) -> str:
        """Return, as JSON, what the scripts need to know of model and service."""
        manifest = self._manifest
        airports = [{"icao": a.icao, "iata": a.iata, "name": a.name, "zone": a.zone} for a in manifest.airports]
        facts = {
            "airports": airports,
            "base_rate": manifest.base_rate,
            "decision_threshold": manifest.decision_threshold,
            "checksum": manifest.checksum,
            "files": f"/static/{self._files.version}",
        }
        return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))

    def _example(self, words: Words, names: Names) -> Mapping[str, str]:
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
        told_as = words(
            "flight.example.words",
            airline=names.airline(golden.airline),
            number=golden.flight_number,
            destination=names.place(golden.destination),
            time=fields["time"],
        )
        return {"number": golden.flight_number, "words": told_as, "address": f"/?{urlencode(fields)}"}


def _codes(question: Mapping[str, object]) -> dict[str, str]:
    return {name: str(question[name]) for name in ("airline", "destination") if name in question}


def _html(request: Request, content: str, status: int, language: str) -> Response:
    """Return a page, packed where it may be; a language that was asked for is remembered by the browser."""
    body = content.encode()
    headers = {
        "cache-control": "no-store",
        "content-language": language,
        "vary": "accept-language, cookie, accept-encoding",
    }
    if takes_gzip(request):
        body = gzip.compress(body, 6, mtime=0)
        headers["content-encoding"] = "gzip"
    answer = HTMLResponse(body, status, headers)
    if request.query_params.get(COOKIE) == language:
        answer.set_cookie(COOKIE, language, max_age=A_YEAR_S, httponly=True, samesite="lax")
    return answer
