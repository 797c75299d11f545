"""From an error to an answer: the one table of error types and statuses, and the RFC 9457 body.

Here ends every refusal and every fault. What nobody foresaw becomes a 500 that tells nothing but is logged in one line.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import PurePath

import msgspec

from atraso.core.errors import AtrasoError, FieldError
from atraso.serving.wire import Place, Problem

log = logging.getLogger("atraso.serving")

PROBLEM_JSON = "application/problem+json"
INFERENCE = "/v2"
_FRAMES_TOLD = 6
_encode = msgspec.json.Encoder().encode


class WholeRequestError(AtrasoError):
    """What was sent cannot be used at all: the place that is wrong is the whole, which the empty pointer names."""


class NotJsonError(WholeRequestError):
    """The body is not JSON as this service takes it, or the query is not percent-encoded UTF-8."""


class WrongPlacesError(AtrasoError):
    """The request is well formed, but one or more places of it hold something that cannot be used."""

    def __init__(self, places: Sequence[Place]) -> None:
        places = tuple(places)
        more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
        super().__init__(f"{places[0].pointer or 'the body'}: {places[0].detail}{more}")
        self.places = places


class ChallengeRefusedError(WrongPlacesError):
    """The challenge's contract knows one status for every refusal of a content."""


class InferenceRefusedError(AtrasoError):
    """A question in the Open Inference Protocol that cannot be answered."""


class UnsupportedMediaTypeError(WholeRequestError):
    """The content type is not JSON."""


class BodyTooLargeError(WholeRequestError):
    """The body has more bytes than the service takes."""


class NotAuthenticatedError(AtrasoError):
    """Nobody the service knows asks; `challenge` is how to show who one is."""

    def __init__(self, detail: str, challenge: str = 'Bearer realm="atraso"') -> None:
        super().__init__(detail)
        self.challenge = challenge


class NotAllowedError(AtrasoError):
    """Who asks may not do this."""


class LaterError(AtrasoError):
    """Not now: the same may be asked again after `retry_after_s` seconds."""

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = max(1, ceil(retry_after_s))


class TooManyRequestsError(LaterError):
    """Who asks has asked too often."""


class UnavailableError(LaterError):
    """A part that is needed for this is down or busy."""


class NoSuchRouteError(AtrasoError):
    """Nothing is served at this path."""


class MethodNotAllowedError(AtrasoError):
    """The path exists, but not for this method; `allow` lists those that it has."""

    def __init__(self, allow: Sequence[str]) -> None:
        self.allow = ", ".join(sorted(allow))
        super().__init__(f"this path takes {self.allow}")


# The table at the door. An error's class is looked up along its ancestry, so a subclass needs a row only to differ.
STATUS_OF: dict[type[BaseException], int] = {
    NotJsonError: 400,
    ChallengeRefusedError: 400,
    InferenceRefusedError: 400,
    NotAuthenticatedError: 401,
    NotAllowedError: 403,
    NoSuchRouteError: 404,
    MethodNotAllowedError: 405,
    BodyTooLargeError: 413,
    UnsupportedMediaTypeError: 415,
    WrongPlacesError: 422,
    TooManyRequestsError: 429,
    UnavailableError: 503,
    FieldError: 422,
    Exception: 500,
}
# Every status that a request can meet: its title, and when it is given.
STATUSES: dict[int, tuple[str, str]] = {
    400: (
        "Bad Request",
        "the body is not JSON (NaN, Infinity, broken, not UTF-8, nested deeper than 8 levels), the request line or "
        "a header is malformed, or `/predict` or `/v2` refuses the content",
    ),
    401: (
        "Unauthorized",
        "the request has no key or token, or one that does not count; `WWW-Authenticate` says what to send",
    ),
    403: ("Forbidden", "who asks does not have the role that the route needs"),
    404: ("Not Found", "there is no such route"),
    405: ("Method Not Allowed", "the route does not take this method; `Allow` lists those it takes"),
    408: ("Request Timeout", "the head or the body of the request comes too slowly"),
    413: ("Content Too Large", "the body is larger than the service takes"),
    415: ("Unsupported Media Type", "the content type is not application/json in UTF-8"),
    422: ("Unprocessable Content", "a field is missing, unknown, of the wrong kind or value; each place is named"),
    429: ("Too Many Requests", "who asks has asked too often; `Retry-After` says when to come back"),
    431: ("Request Header Fields Too Large", "the head of the request is larger than the service takes"),
    500: ("Internal Server Error", "a fault of the service; it is in its log"),
    503: ("Service Unavailable", "the service is overloaded or a needed part is down; `Retry-After` says when"),
}
HIDDEN = "the service failed to answer; the fault is in its log"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal ready to be sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def problem_body(status: int, detail: str, places: Sequence[Place] = ()) -> bytes:
    """Return the `application/problem+json` body of *status*, with the wrong *places* where there are any."""
    title = STATUSES[status][0] if status in STATUSES else "Error"
    errors = tuple(places) or msgspec.UNSET
    return _encode(Problem("about:blank", title, status, detail, errors))


def of_inference(path: str) -> bool:
    """Tell whether *path* belongs to the Open Inference Protocol, which has a form of its own for errors."""
    return path == INFERENCE or path.startswith(f"{INFERENCE}/")


def inference_error(detail: str) -> bytes:
    """Return the body of a refusal in the Open Inference Protocol."""
    return _encode({"error": detail})


def refusal_of(error: Exception, path: str) -> Refusal:
    """Return the refusal that *error* means, and log the fault in one line where it is the service's own.

    *path* is where it happened, for the log.
    """
    status = next(STATUS_OF[ancestor] for ancestor in type(error).__mro__ if ancestor in STATUS_OF)
    headers = [("content-type", PROBLEM_JSON), ("x-content-type-options", "nosniff"), ("cache-control", "no-store")]
    places: Sequence[Place] = ()
    detail = str(error)
    if isinstance(error, LaterError):
        headers.append(("retry-after", str(error.retry_after_s)))
    elif status >= 500:
        log.error("%s failed: %s", ascii(path[:200]), one_line(error))
        detail = HIDDEN
    if isinstance(error, WrongPlacesError):
        places = error.places
    elif isinstance(error, FieldError):
        places = (Place(f"/{error.field}", error.detail),)
    elif isinstance(error, MethodNotAllowedError):
        headers.append(("allow", error.allow))
    elif isinstance(error, WholeRequestError):
        places = (Place("", detail),)
    elif isinstance(error, NotAuthenticatedError):
        headers.append(("www-authenticate", error.challenge))
    if isinstance(error, BodyTooLargeError):
        headers.append(("connection", "close"))  # the rest of the body will not be read
    if of_inference(path):
        headers[0] = ("content-type", "application/json")
        body = inference_error(detail)
    else:
        body = problem_body(status, detail, places)
    return Refusal(status, (*headers, ("content-length", str(len(body)))), body)


def one_line(error: BaseException) -> str:
    """Return *error* and the last places of the code it came through, in one line for the log."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_TOLD:]
    trail = " < ".join(f"{PurePath(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    return f"{type(error).__name__}({str(error)!r}) at {trail}"


def response_name(status: int) -> str:
    """Return the name of a refusal among the OpenAPI document's responses."""
    return STATUSES[status][0].replace(" ", "")
