"""How right the predictions were: the ledger's writer finds it, the workers show it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from atraso.ledger.quality_report import ALL_MODELS, Quality, QualityError
from atraso.serving.problems import NoSuchRouteError, UnavailableError
from atraso.telemetry.names import (
    DRIFT_ALARM,
    DRIFT_PSI,
    QUALITY_BRIER,
    QUALITY_ECE,
    QUALITY_FLIGHTS,
    QUALITY_MADE,
    Metric,
)

PATH = "/v1/quality"
COME_BACK_S = 10
Read = Callable[[], Quality | None]
Samples = list[tuple[tuple[str, ...], float]]


def quality_route(read: Read | None, model_version: str) -> Route:
    """Return the route; *read* gives what the writer found last, and is missing where no answers are kept.

    Where there was no prediction yet the writer read no model: nothing is judged of that in use, *model_version*.
    """

    async def tell(request: Request) -> Response:
        if read is None:
            raise NoSuchRouteError(
                "no answers are kept here that could be judged: start the service with ATRASO_LEDGER=spool"
            )
        try:
            quality = read()
        except QualityError as error:
            raise UnavailableError(str(error), COME_BACK_S) from None
        if quality is None:
            raise UnavailableError(
                "the ledger's writer has not judged the predictions yet: it does when it starts and every five minutes "
                "(where this stays, its log says why)",
                COME_BACK_S,
            )
        if quality.model_version == ALL_MODELS and not any(msgspec.structs.astuple(quality.counts)):
            quality = msgspec.structs.replace(quality, model_version=model_version)
        headers = {"cache-control": "no-cache"}
        return Response(msgspec.json.encode(quality), media_type="application/json", headers=headers)

    return Route(PATH, tell, methods=["GET"])


def quality_gauges(read: Read) -> dict[Metric, Samples]:
    """Return quality and drift as metrics; what is not known is left out."""
    try:
        quality = read()
    except QualityError:
        return {}
    if quality is None:
        return {}
    known = {lead: found for lead, found in quality.leads.items() if (lead,) in QUALITY_BRIER.series}
    return {
        QUALITY_BRIER: [((lead,), found.brier_score) for lead, found in known.items()],
        QUALITY_ECE: [((lead,), found.ece) for lead, found in known.items()],
        QUALITY_FLIGHTS: [((lead,), found.n) for lead, found in known.items()],
        QUALITY_MADE: [((), datetime.fromisoformat(quality.made_at).timestamp())],
        DRIFT_PSI: [((group,), found.psi) for group, found in quality.drift.items()],
        DRIFT_ALARM: [((group,), float(found.alarm)) for group, found in quality.drift.items()],
    }
