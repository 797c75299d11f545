"""The files of the page: small, from memory, packed once, and kept by browsers as long as they are the same."""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from atraso.serving.problems import NoSuchRouteError

KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
FOR_GOOD, ASK_AGAIN = "public, max-age=31536000, immutable", "no-cache"
PACKED_FROM_BYTES = 1000


class StaticFiles:
    """Answers `/static/VERSION/NAME` from the files of *folder*.

    All addresses change when any file does, so that what a page loads together belongs together: scripts name each
    other without a folder. Another version than `version` is answered too, but not to be kept.
    """

    def __init__(self, folder: Path) -> None:
        self._files = {path.name: path for path in sorted(folder.iterdir()) if path.suffix in KINDS}
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in self._files.values()))
        self.version = digest.hexdigest()[:12]
        self._content = lru_cache(maxsize=None)(self._read)

    @property
    def scripts(self) -> list[str]:
        """The names of all scripts."""
        return [name for name in self._files if name.endswith(".js")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; raises NoSuchRouteError."""
        request = Request(scope)
        version, _, name = scope["path"].removeprefix(scope.get("root_path", "")).strip("/").partition("/")
        if request.method not in ("GET", "HEAD") or name not in self._files:
            raise NoSuchRouteError("there is no such file of the page")
        plain, packed, tag = self._content(name)
        headers = {
            "etag": tag,
            "cache-control": FOR_GOOD if version == self.version else ASK_AGAIN,
            "vary": "accept-encoding",
            "content-type": KINDS[self._files[name].suffix],
        }
        if tag in request.headers.get("if-none-match", ""):
            await Response(status_code=304, headers=headers)(scope, receive, send)
            return
        content = plain
        if packed is not None and takes_gzip(request):
            content, headers["content-encoding"] = packed, "gzip"
        await Response(content, headers=headers)(scope, receive, send)

    def _read(self, name: str) -> tuple[bytes, bytes | None, str]:
        """Return a file, the same packed where that is worth it, and its tag."""
        plain = self._files[name].read_bytes()
        packed = gzip.compress(plain, 9, mtime=0) if len(plain) >= PACKED_FROM_BYTES else None
        return plain, packed, f'"{hashlib.sha256(plain).hexdigest()[:16]}"'


def takes_gzip(request: Request) -> bool:
    """Return whether whoever asks takes gzip."""
    return "gzip" in request.headers.get("accept-encoding", "")
