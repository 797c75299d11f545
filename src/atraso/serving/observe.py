"""Which of the metrics' closed labels a request belongs to."""

from __future__ import annotations

from atraso.serving.policy import VIEWS
from atraso.telemetry.names import ROUTES, Outcome

_INDEX = {route: index for index, route in enumerate(ROUTES)}
OTHER = _INDEX["other"]
_PAGES = (*VIEWS, "/docs", "/openapi.json")
_ROUTE_OF = {
    **{route: index for route, index in _INDEX.items() if route.startswith("/")},
    **dict.fromkeys(("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"), _INDEX["/health"]),
    **dict.fromkeys(("/v1/models", "/v2", "/v2/models"), _INDEX["/v1/model"]),
    "/v1/schedule": _INDEX["/v1/state"],
    "/v1/objectives": _INDEX["/v1/quality"],
    **dict.fromkeys(_PAGES, _INDEX["page"]),
}
# What else is served below these: the model's paths hold its version, files of the page their names.
_BELOW = (("/v2/models/", _INDEX["/v1/model"]), ("/static/", _INDEX["page"]))


def route_of(path: str) -> int:
    """Return the index in ROUTES of what *path* asks for."""
    route = _ROUTE_OF.get(path)
    if route is not None:
        return route
    if path.startswith("/v2/models/") and path.endswith("/infer"):
        return _INDEX["/v2/infer"]
    return next((index for prefix, index in _BELOW if path.startswith(prefix)), OTHER)


def outcome_of(status: int) -> Outcome:
    """Return what an answer of *status* means for the promise that the service gives."""
    if status < 400:
        return Outcome.OK
    if status == 503:
        return Outcome.SHED_503
    if status == 429:
        return Outcome.QUOTA_429
    return Outcome.CLIENT_ERROR if status < 500 else Outcome.SERVER_ERROR
