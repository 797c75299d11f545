"""The internal port: metrics and health for those who run the service, without asking who they are."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from atraso.serving.front import Front, refuse
from atraso.serving.policy import METRICS
from atraso.serving.problems import NoSuchRouteError

PATHS = frozenset({METRICS, "/health", "/health/live", "/health/ready"})


class Internal:
    """Answers a few paths as *front* does behind its guard, and no others."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] not in PATHS:
            await refuse(NoSuchRouteError(f"here are {', '.join(sorted(PATHS))} alone"), scope, send)
            return
        await self._front.routes.rest(scope, receive, send)
