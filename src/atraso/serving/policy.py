"""Who may use which route: one table. What is not in it takes the role `predict`."""

from __future__ import annotations

from atraso.identity.principal import ADMIN, PREDICT, REPORT

# The page: its views hold nothing themselves, their scripts ask the routes below it.
VIEWS = ("/", "/board", "/airport", "/model", "/form")
METRICS, DEPARTURES = "/metrics", "/v1/departures"
_OPEN = frozenset(
    {
        *VIEWS,
        "/docs",
        "/openapi.json",
        METRICS,  # where it is on this port at all
        "/health",
        "/health/live",
        "/health/ready",
        "/v1/token",
        "/.well-known/jwks.json",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
    }
)
_STATIC, _TENSORS, _MODELS = "/static/", "/v2/models/", "/v1/models/"
# What needs somebody with a name, and is refused where nobody is asked who they are.
NAMED_ONLY = frozenset({ADMIN})


def role_of(path: str) -> str | None:
    """Return the role that *path* needs, or None for an open one."""
    if path in _OPEN or path.startswith(_STATIC):
        return None
    if path.startswith(_TENSORS):
        return PREDICT if "infer" in path.rpartition("/")[2] else None
    if path == "/v1/revocations" or (path.startswith(_MODELS) and "activate" in path):
        return ADMIN
    return REPORT if path == DEPARTURES else PREDICT
