"""Answers given before any application sees a request: whole HTTP/1.1 responses, as bytes."""

from __future__ import annotations

from collections.abc import Iterable

from atraso.serving.problems import PROBLEM_JSON, STATUSES, inference_error, of_inference, problem_body
from atraso.serving.wire import Place


def refusal(
    status: int,
    detail: str,
    headers: Iterable[tuple[bytes, bytes]] = (),
    *,
    close: bool = True,
    with_body: bool = True,
    path: str = "",
) -> bytes:
    """Return a complete response that refuses a request to *path*; without its body for an answer to HEAD."""
    if of_inference(path):
        kind, body = "application/json", inference_error(detail)
    else:
        # A body that is too large is wrong as a whole, which is what the empty pointer names.
        kind, body = PROBLEM_JSON, problem_body(status, detail, [Place("", detail)] if status == 413 else ())
    head = [
        (b"content-type", kind.encode()),
        (b"content-length", b"%d" % len(body)),
        *headers,
    ]
    if close:
        head.append((b"connection", b"close"))
    first = f"HTTP/1.1 {status} {STATUSES[status][0]}".encode()
    return b"\r\n".join([first, *(name + b": " + value for name, value in head), b"", body if with_body else b""])
