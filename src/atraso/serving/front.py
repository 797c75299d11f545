"""The front: a plain ASGI callable that answers the prediction routes itself and hands every other route on.

It reads a body only as far as it is allowed to grow, answers nothing to a body that was cut short, and lets no error
out: each becomes a problem document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from atraso.serving.problems import (
    BodyTooLargeError,
    MethodNotAllowedError,
    NotJsonError,
    UnsupportedMediaTypeError,
    refusal_of,
)

# From a request (its scope and its whole body, empty for GET) to the JSON of its answer.
Handler = Callable[[Scope, bytes], Awaitable[bytes]]
Table = Mapping[str, Mapping[str, Handler]]

_ANSWER_HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


class ClientGoneError(Exception):
    """The client left before its request was complete; there is nobody to answer."""


class Front:
    """Answers the paths of *table* by method, and leaves all others to *rest*."""

    def __init__(self, table: Table, rest: ASGIApp, max_body_bytes: int) -> None:
        self.table = table
        self.rest = rest
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or one of the server's other calls."""
        handlers = self.table.get(scope["path"]) if scope["type"] == "http" else None
        if handlers is not None:
            await self._answer(handlers, scope, receive, send)
            return
        try:
            await self.rest(scope, receive, send)
        except Exception:
            # Starlette raises again what it has answered with 500 and logged; for HTTP that was enough.
            if scope["type"] != "http":
                raise

    async def _answer(self, handlers: Mapping[str, Handler], scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        status = 200
        headers: Iterable[tuple[bytes, bytes]]
        try:
            handler = handlers.get(method)
            if handler is None:
                raise MethodNotAllowedError(tuple(handlers))
            body = await self._body(scope["headers"], receive) if method == "POST" else b""
            content = await handler(scope, body)
            headers = (*_ANSWER_HEADERS, (b"content-length", b"%d" % len(content)))
        except ClientGoneError:
            return
        except Exception as error:
            refusal = refusal_of(error, scope["path"])
            status, content = refusal.status, refusal.body
            headers = [(name.encode(), value.encode("latin-1")) for name, value in refusal.headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else content})

    async def _body(self, headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> bytes:
        """Return the whole body of a JSON request, or raise what is wrong with it."""
        content_type, announced = b"", None
        for name, value in headers:
            if name == b"content-type":
                content_type = value
            elif name == b"content-length":
                announced = value
        if content_type != b"application/json" and not _is_json(content_type):
            raise UnsupportedMediaTypeError("the content type must be application/json, in UTF-8")
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


def _is_json(content_type: bytes) -> bool:
    """Tell whether a content type is JSON, in UTF-8 where it names a charset."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(b";"))
    charsets = [p.removeprefix(b"charset=").strip(b'"') for p in parameters if p.startswith(b"charset=")]
    return media_type == b"application/json" and all(c in (b"utf-8", b"utf8") for c in charsets)
