"""uvicorn's HTTP/1.1 protocol with the deadlines and limits it lacks.

A request reaches the application only when its whole body has arrived: a body cut short never does, and a
client that sends slowly costs a few kilobytes, never a task. Everything refused here is answered with a
problem document.
"""

from __future__ import annotations

import urllib.parse
from time import monotonic

import httptools

from atraso.serving.connection import AT_ONCE_IN_A_ROW, BODY, HEAD, IDLE, REFUSED, Answering, Connection
from atraso.serving.exchange import NOTHING_TOLD, Exchange
from atraso.serving.gate import KIB, KnownHead
from atraso.serving.marks import MARKS

# The parser cannot be paused, so it is fed in pieces: what one piece can hold bounds how many pipelined
# requests may wait, and how far an unfinished head may pass its limit before that is noticed.
PIECE_BYTES = 8 * KIB
# What a request that waits behind others costs in memory, besides its body.
WAITING_REQUEST_BYTES = 2 * KIB
# Chunked framing may cost this many bytes for each byte of body (one-byte chunks need five) and as much as a
# head besides: extensions and trailers are read and thrown away.
FRAMING_BYTES_PER_BODY_BYTE = 8

HEAD_END = b"\r\n\r\n"
_WATCHED_HEADERS = frozenset(
    (b"host", b"content-length", b"content-type", b"transfer-encoding", b"expect", b"authorization")
)
_BUFFER_FULL = "The service holds as many bytes of requests as it may; try again shortly."


class _RefusedError(Exception):
    """Leaves the parser after a refusal; the parser is not fed again."""


class LimitedProtocol(Connection):
    """Reads the requests of one connection, within the limits of its worker's gate."""

    _piece = 0
    _keep_alive = True
    _segment = b""
    _picked = False

    def data_received(self, data: bytes) -> None:
        """Answer a whole request whose head is known; otherwise feed the parser.

        It is fed a piece at a time, and no further while complete requests wait for their turn.
        """
        begins = (  # the first byte is the first of a request, and nothing stands before its answer
            self._phase == IDLE
            and not self._spent
            and self._at_work is None
            and self._unfed is None
            and not self._stopping
            and not self.flow.write_paused
        )
        if begins and self._answered_known(data):
            return
        self._at_once_left = AT_ONCE_IN_A_ROW
        self._segment = data if begins else b""
        if self._phase == REFUSED:
            self._discard(len(data))
        elif len(data) <= PIECE_BYTES and self._unfed is None:
            self._feed(data)
            if self._unfed is not None:
                self._feed_on()
        else:
            self._unfed = memoryview(data if self._unfed is None else bytes(self._unfed) + data)
            self._feed_on()

    def _answered_known(self, data: bytes) -> bool:
        """Answer *data* where it is one request with a head that was parsed and answered before."""
        end = data.find(HEAD_END) + len(HEAD_END)
        known = self.gate.heads.get(data[:end])
        if known is None or len(data) != end + known.body_bytes:
            return False
        if self.gate.observing is not None and self.gate.observing.picks():
            self._picked = True  # it goes the ordinary way, on which all is known of it
            return False
        now = monotonic()
        lag = self.gate.outbox.lag
        if now > lag.look_at and lag.too_many(now):
            self._refuse_at_once(known.route, now)
            return True
        return self._answer(known.answering, known.route, data[end:], now)

    def _learn(self, answering: Answering, route: int, body: bytes) -> None:
        """Note the head of a request that was all of what came, so that the same bytes need not be parsed again."""
        segment = self._segment
        end = segment.find(HEAD_END) + len(HEAD_END)
        # Chunks would make it longer; a parser that saw the head end elsewhere would have found another body.
        if self._announced == len(body) == len(segment) - end:
            self.gate.heads.learn(segment[:end], KnownHead(len(body), route, answering))

    def _read_on(self) -> None:
        self._feed_on()
        if self._unfed is None and not self._waiting:
            self.flow.resume_reading()
        if self._phase == BODY:
            self._invite_body()

    def _feed_on(self) -> None:
        while self._unfed is not None and not self._waiting:
            piece, rest = self._unfed[:PIECE_BYTES], self._unfed[PIECE_BYTES:]
            self._unfed = rest if len(rest) else None
            self._feed(piece)
        if self._unfed is not None:
            self.flow.pause_reading()

    def _feed(self, piece: bytes | memoryview) -> None:
        self._piece = len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(bytes(piece[upgrade.args[0] :]))
            return
        except httptools.HttpParserError as error:
            if self._phase != REFUSED:
                self._refuse(400, f"This is not an HTTP/1.1 request: {error}.")
            return
        self._spent += self._piece
        if self._phase != IDLE or self._spent:
            self._check_arriving()

    def _check_arriving(self) -> None:
        """Hold a request that is not complete yet to its sizes, and give it a deadline."""
        limits = self.limits
        if self._phase == BODY:
            framing = self._spent - self._received
            if framing > limits.max_head_bytes + FRAMING_BYTES_PER_BODY_BYTE * self._received:
                self._refuse(400, "The chunks of the body hold more framing than content.")
                return
            self._invite_body()
            timeout_s = limits.body_timeout_s
        else:
            if self._spent > limits.max_head_bytes:
                self._refuse(431, self._head_too_large())
                return
            timeout_s = limits.head_timeout_s
        if not self._since:
            self._since = monotonic()
            if self._at_work is None:
                self.deadline = self._since + timeout_s

    def _invite_body(self) -> None:
        # Not before the answers that are still due: the client would take this line for one of them.
        if self.expect_100_continue and self._at_work is None:
            self.expect_100_continue = False
            if not self._received:
                self.gate.outbox.send_all()
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Serve a request that offers an upgrade without it (RFC 9110, 7.8), which the parser cannot do.

        The parser stops after such a head and would take the body for the next request, so a new one is
        given the head again without the offer, and then *rest*.
        """
        version = self.parser.get_http_version().encode()
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", version, b"\r\n"]
        for name, value in self.headers:
            if name != b"upgrade":
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self._phase, self._spent = IDLE, 0
        unfed = b"" if self._unfed is None else bytes(self._unfed)
        self._unfed = memoryview(b"".join([*head, b"\r\n", rest, unfed]))

    # --- the parser's callbacks -----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Start a request."""
        super().on_message_begin()
        self._phase = HEAD
        self._announced = self._received = 0
        self._seen: dict[bytes, bytes] = {}
        self._told = NOTHING_TOLD

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; one that comes after the body (a trailer) must not pass for one that came before."""
        if self._phase == BODY:
            return
        name = name.lower()
        if name in _WATCHED_HEADERS:
            if name in self._seen:
                self._refuse_and_leave(400, f"The header {name.decode()} is there more than once.")
            self._seen[name] = value
        elif name in MARKS:
            # Told twice, a trace would be anybody's guess: then there is none (and the others, neither).
            self._told = {**self._told, name: value if name not in self._told else b""}
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Refuse what can be refused before the body; otherwise make the request ready for it."""
        parser, scope = self.parser, self.scope
        scope["method"] = parser.get_method().decode("ascii")
        if parser.should_upgrade():
            if scope["method"] == "CONNECT":
                self._refuse_and_leave(400, "CONNECT is for proxies, and this is none.")
            return
        if (self._spent if self._spent > 0 else 0) + self._piece > self.limits.max_head_bytes:
            self._check_head_size()
        version = parser.get_http_version()
        if version != "1.1":
            scope["http_version"] = version
        self._check_framing(version)
        try:
            url = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            self._refuse_and_leave(400, "The request target is neither a path nor a URL.")
        raw_path = url.path or b"/"
        path = raw_path.decode("ascii")
        scope["raw_path"] = raw_path
        scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        if not scope["path"].isprintable():
            # Two matchers may differ in what they make of a line break at the end.
            self._refuse_and_leave(400, "The request target has control characters in its path.")
        scope["query_string"] = url.query or b""
        if self._certificate is not None:
            scope["extensions"] = {"tls": {"peer_certificate": self._certificate}}
        self._keep_alive = version != "1.0" and parser.should_keep_alive()
        self._phase = BODY
        self._since = 0.0
        self._spent = -self._piece

    def _check_head_size(self) -> None:
        # The pieces may hold more than this head, so now it is measured: 16 for the request line besides the
        # URL.
        size = len(self.url) + 16 + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.limits.max_head_bytes:
            self._refuse_and_leave(431, self._head_too_large())

    def _check_framing(self, version: str) -> None:
        """Refuse what leaves a doubt where the body ends; the parser refuses the contradictions it knows."""
        seen = self._seen
        if version not in ("1.1", "1.0"):
            self._refuse_and_leave(400, "This service speaks HTTP/1.1.")
        if version == "1.1" and b"host" not in seen:
            self._refuse_and_leave(400, "An HTTP/1.1 request names its Host.")
        coding = seen.get(b"transfer-encoding")
        if coding is not None:
            if version == "1.0":
                self._refuse_and_leave(400, "HTTP/1.0 has no Transfer-Encoding.")
            if coding.lower() != b"chunked":
                self._refuse_and_leave(400, "The only Transfer-Encoding understood here is chunked.")
        self._announced = int(seen.get(b"content-length", b"0"))
        if self._announced > self.limits.max_body_bytes:
            self._refuse_and_leave(413, self._body_too_large(f"this one announces {self._announced:,}"))
        self.expect_100_continue = version == "1.1" and seen.get(b"expect", b"").lower() == b"100-continue"

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body, within the limits of the request and of the worker."""
        self._received += len(body)
        if self._received > self.limits.max_body_bytes:
            self._refuse_and_leave(413, self._body_too_large("this one holds more"))
        if not self._hold(len(body)):
            self._refuse_and_leave(503, _BUFFER_FULL)
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Hand a complete request to the application, or let it wait for those before it."""
        if self.parser.should_upgrade():
            return
        body = b""
        if self._chunks:
            chunks, self._chunks = self._chunks, []
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        held_bytes = len(body)
        at_work = self._at_work is not None
        if at_work:
            held_bytes += WAITING_REQUEST_BYTES
            if not self._hold(WAITING_REQUEST_BYTES):
                self._refuse_and_leave(503, _BUFFER_FULL)
            self.flow.pause_reading()
        self._phase = IDLE
        self._since = 0.0
        self._spent = -self._piece
        picked, self._picked = self._picked, False
        if self.gate.observing is not None:
            picked = picked or self.gate.observing.picks()
        self._waiting.append(Exchange(self, self.scope, body, self._keep_alive, held_bytes, self._told, picked))
        if not at_work:
            self._next()

    # --- refusals -------------------------------------------------------------------------------------------

    def _refuse_and_leave(self, status: int, detail: str) -> None:
        self._refuse(status, detail)
        raise _RefusedError

    def _head_too_large(self) -> str:
        return f"A request head may hold at most {self.limits.max_head_bytes:,} bytes."

    def _body_too_large(self, what: str) -> str:
        return f"A body may hold at most {self.limits.max_body_bytes:,} bytes; {what}."
