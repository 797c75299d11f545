"""The front: a plain ASGI callable that answers the prediction routes itself and hands every other route on.

It reads a body only as far as it is allowed to grow, answers nothing to a body that was cut short, and lets no error
out: each becomes a problem document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from atraso.serving.headers import SECURITY_HEADERS
from atraso.serving.problems import (
    BodyTooLargeError,
    MethodNotAllowedError,
    NotJsonError,
    UnsupportedMediaTypeError,
    refusal_of,
)


class Page(bytes):
    """An answer for people: HTML, where any other answer is JSON."""


# From a request (its scope and its whole body, empty for GET) to the bytes of its answer.
Handler = Callable[[Scope, bytes], Awaitable[bytes]]
Table = Mapping[str, Mapping[str, Handler]]
# From a body to the JSON of its answer, or None where that takes more than a moment or is a refusal.
AtOnce = Callable[[bytes], bytes | None]

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
    """Answers the paths of *table* by method, and leaves all others to *rest*.

    What *at_once* answers to the body of a POST needs no waiting, and is asked first by who can do without a task;
    None means that the ordinary way has to be taken. A body is JSON and says so; the paths of *forms* take one of an
    HTML form too, those of *unannounced* take JSON whose type is not told.
    """

    def __init__(
        self,
        table: Table,
        rest: ASGIApp,
        max_body_bytes: int,
        *,
        at_once: Mapping[str, AtOnce],
        forms: Mapping[str, Handler],
        unannounced: Collection[str],
    ) -> None:
        self.table = table
        self.rest = rest
        self.answer_headers = _ANSWER_HEADERS
        self._at_once = at_once
        self.forms = forms
        self.unannounced = frozenset(unannounced)
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

    def at_once(self, scope: Scope, body: bytes) -> bytes | None:
        """Return the JSON that answers a whole request with status 200, where that takes no waiting."""
        answer = self._at_once.get(scope["path"])
        if answer is None or scope["method"] != "POST" or _JSON_HEADER not in scope["headers"]:
            return None
        try:
            return answer(body)
        except Exception:
            return None  # the ordinary way meets the same fault, tells it and logs it

    async def _answer(self, handlers: Mapping[str, Handler], scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        status = 200
        headers: Iterable[tuple[bytes, bytes]]
        try:
            handler = handlers.get(method)
            if handler is None:
                raise MethodNotAllowedError(tuple(handlers))
            body = b""
            if method == "POST":
                content_type, announced = _announced(scope["headers"])
                if content_type != b"application/json" and not _is_json(content_type):
                    handler = self._other_handler(scope["path"], content_type)
                body = await self._body(announced, receive)
            content = await handler(scope, body)
            kind = _PAGE_HEADERS if isinstance(content, Page) else _ANSWER_HEADERS
            headers = (*kind, (b"content-length", b"%d" % len(content)))
        except ClientGoneError:
            return
        except Exception as error:
            refusal = refusal_of(error, scope["path"])
            status, content = refusal.status, refusal.body
            headers = [(name.encode(), value.encode("latin-1")) for name, value in refusal.headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else content})

    def _other_handler(self, path: str, content_type: bytes) -> Handler:
        """Return what answers a body sent to *path* that is not announced as JSON, or raise that nothing does."""
        if not content_type and path in self.unannounced:
            return self.table[path]["POST"]
        handler = self.forms.get(path)
        if handler is None or content_type.split(b";")[0].strip().lower() != FORM_TYPE:
            also = f", or {FORM_TYPE.decode()} for a form" if handler else ""
            raise UnsupportedMediaTypeError(f"the content type must be application/json, in UTF-8{also}")
        return handler

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
