"""The front: a plain ASGI callable that answers the prediction routes itself and hands every other route on.

It reads a body only as far as it is allowed to grow, answers nothing to a body that was cut short, and lets no error
out: each becomes a problem document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from atraso.core.errors import AtrasoError
from atraso.identity.principal import PREDICT, Principal
from atraso.serving.guard import Guard, authorization_of
from atraso.serving.headers import SECURITY_HEADERS
from atraso.serving.problems import (
    BodyTooLargeError,
    MethodNotAllowedError,
    NotJsonError,
    UnsupportedMediaTypeError,
    refusal_of,
)

if TYPE_CHECKING:
    from atraso.serving.observing import Observing


class Page(bytes):
    """An answer for people: HTML, where any other answer is JSON."""


# From a request (its scope and its whole body, empty for GET) to the bytes of its answer; the scope names who asks.
Handler = Callable[[Scope, bytes], Awaitable[bytes]]
Table = Mapping[str, Mapping[str, Handler]]
# From a body and who asks to the JSON of its answer, or None where that takes more than a moment or is a refusal.
AtOnce = Callable[[bytes, Principal], bytes | None]


@dataclass(frozen=True, slots=True)
class Routes:
    """What is served with one model: the front's own *table* by path and method, and the *rest*.

    What *at_once* answers to the body of a POST needs no waiting. A body is JSON and says so; the paths of *forms* take
    one of an HTML form too, those of *unannounced* take JSON whose type is not told. *model* is its version.
    """

    table: Table
    rest: ASGIApp
    at_once: Mapping[str, AtOnce]
    forms: Mapping[str, Handler]
    unannounced: Collection[str]
    model: str = ""


_JSON_HEADER = (b"content-type", b"application/json")
FORM_TYPE = b"application/x-www-form-urlencoded"
_ANSWER_HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_PAGE_HEADERS = ((b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store"), *SECURITY_HEADERS)


class ClientGoneError(Exception):
    """The client left before its request was complete; there is nobody to answer."""


class Front:
    """Answers the paths of its *routes*' table by method, and leaves all others to their rest.

    The *guard* is asked first. *settle* is for whoever sends an answer that was given without waiting, just before: it
    returns False where those to /v1/predictions may not be given. `routes` may be exchanged at any time: a request is
    answered by those that it met.
    """

    def __init__(self, routes: Routes, max_body_bytes: int, guard: Guard, settle: Callable[[], bool]) -> None:
        self.routes = routes
        self.settle = settle
        self.observing: Observing | None = None  # what is told of single requests, where anything is
        self.answer_headers = _ANSWER_HEADERS
        self._guard = guard
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or one of the server's other calls."""
        routes = self.routes
        if scope["type"] == "http":
            scope["model"] = routes.model
            try:
                scope["principal"] = await self._guard.admit(scope)
            except AtrasoError as error:
                await refuse(error, scope, send)
                return
            handlers = routes.table.get(scope["path"])
            if handlers is not None:
                await self._answer(routes, handlers, scope, receive, send)
                return
        try:
            await routes.rest(scope, receive, send)
        except Exception:
            # Starlette raises again what it has answered with 500 and logged; for HTTP that was enough.
            if scope["type"] != "http":
                raise

    def once(self, scope: Scope) -> Callable[[bytes], bytes | None] | None:
        """Return what answers requests with this head without waiting, or None where nothing does.

        It takes a whole body and returns the JSON of an answer with status 200; None means that the ordinary way has
        to be taken, this time.
        """
        path = scope["path"]
        if path not in self.routes.at_once or scope["method"] != "POST" or _JSON_HEADER not in scope["headers"]:
            return None
        authorization = authorization_of(scope["headers"])
        known, count = self._guard.known, self._guard.count

        def answer(body: bytes) -> bytes | None:
            principal = known(authorization)
            if principal is None or PREDICT not in principal.roles:
                return None
            content = self.routes.at_once[path](body, principal)
            if content is not None:
                count(authorization)
            return content

        return answer

    async def _answer(
        self, routes: Routes, handlers: Mapping[str, Handler], scope: Scope, receive: Receive, send: Send
    ) -> None:
        method = scope["method"]
        try:
            handler = handlers.get(method)
            if handler is None:
                raise MethodNotAllowedError(tuple(handlers))
            body = b""
            if method == "POST":
                content_type, announced = _announced(scope["headers"])
                if content_type != b"application/json" and not _is_json(content_type):
                    handler = _other_handler(routes, scope["path"], content_type)
                body = await self._body(announced, receive)
            content = await handler(scope, body)
            kind = _PAGE_HEADERS if isinstance(content, Page) else _ANSWER_HEADERS
            headers = (*kind, (b"content-length", b"%d" % len(content)))
        except ClientGoneError:
            return
        except Exception as error:
            await refuse(error, scope, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else content})

    async def _body(self, announced: bytes | None, receive: Receive) -> bytes:
        """Return the whole body of a request of *announced* length, or raise what is wrong with it."""
        if announced is not None and int(announced) > self._max_body_bytes:
            raise self._too_large()
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunk = message.get("body", b"")
            more = message.get("more_body", False)
            size += len(chunk)
            if size > self._max_body_bytes:
                raise self._too_large()
            chunks.append(chunk)
        if announced is not None and int(announced) != size:
            raise NotJsonError(f"the body has {size} bytes, not the announced {int(announced)}")
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _too_large(self) -> BodyTooLargeError:
        return BodyTooLargeError(f"the body is larger than {self._max_body_bytes} bytes")


async def refuse(error: Exception, scope: Scope, send: Send) -> None:
    """Answer a request with what *error* means."""
    refusal = refusal_of(error, scope["path"])
    headers = [(name.encode(), value.encode("latin-1")) for name, value in refusal.headers]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else refusal.body})


def _other_handler(routes: Routes, path: str, content_type: bytes) -> Handler:
    """Return what answers a body sent to *path* that is not announced as JSON, or raise that nothing does."""
    if not content_type and path in routes.unannounced:
        return routes.table[path]["POST"]
    handler = routes.forms.get(path)
    if handler is None or content_type.split(b";")[0].strip().lower() != FORM_TYPE:
        also = f", or {FORM_TYPE.decode()} for a form" if handler else ""
        raise UnsupportedMediaTypeError(f"the content type must be application/json, in UTF-8{also}")
    return handler


def _announced(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bytes | None]:
    """Return the type of content that is announced, empty for none, and its length."""
    content_type, length = b"", None
    for name, value in headers:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length":
            length = value
    return content_type, length


def _is_json(content_type: bytes) -> bool:
    """Tell whether a content type is JSON, in UTF-8 where it names a charset."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(b";"))
    charsets = [p.removeprefix(b"charset=").strip(b'"') for p in parameters if p.startswith(b"charset=")]
    return media_type == b"application/json" and all(c in (b"utf-8", b"utf8") for c in charsets)
