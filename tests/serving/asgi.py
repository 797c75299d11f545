"""Calls an ASGI app as a server would, without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the app sent; `status` is None where it sent nothing."""

    status: int | None
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def places(self) -> dict[str, str]:
        """The wrong places of a problem document, by pointer."""
        assert self.headers["content-type"] == "application/problem+json"
        return {error["pointer"]: error["detail"] for error in self.json["errors"]}


async def call_async(
    app: Any,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    chunks: Iterable[bytes] = (b"",),
    *,
    query: str = "",
    cut: bool = False,
) -> Answer:
    """Send one request whose body comes in *chunks*; with *cut* the client leaves before the body is complete."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if not cut:
        messages[-1]["more_body"] = False
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        if not cut:
            await asyncio.Event().wait()  # a client that stays says nothing more
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "server": ("127.0.0.1", 5000),
        "client": ("127.0.0.1", 40000),
    }
    await app(scope, receive, send)
    starts = [m for m in sent if m["type"] == "http.response.start"]
    assert len(starts) <= 1
    if not starts:
        return Answer(None, {}, b"")
    body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    answered = {name.decode(): value.decode() for name, value in starts[0]["headers"]}
    return Answer(starts[0]["status"], answered, body)


def call(app: Any, method: str, path: str, *args: Any, **more: Any) -> Answer:
    return asyncio.run(call_async(app, method, path, *args, **more))


def post(app: Any, path: str, content: Any, **headers: str) -> Answer:
    """POST *content* as JSON; bytes are sent as they are."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    sent = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    return call(app, "POST", path, sent, [body])


def get(app: Any, path: str, query: str = "", **headers: str) -> Answer:
    return call(app, "GET", path, headers, query=query)
