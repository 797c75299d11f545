"""What a load is sent to: a service that is started for it with everything on, or one that somebody named."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.client
import ipaddress
import json
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from atraso.artefact.bundle import BUNDLED, read_manifest
from atraso.identity.principal import PREDICT, Principal
from atraso.identity.signing import SigningKeys
from atraso.identity.tokens import Tokens
from atraso.stress.answers import is_prediction
from atraso.stress.profiles import Fault, Profile, StressError
from atraso.stress.questions import DISTINCT, PREDICTIONS, body_of, questions
from atraso.stress.services import ISSUER, launched_with
from atraso.stress.throwaway_directory import PERSON, ThrowawayDirectory, password_of, why_not

NAME = "stress"
TOKEN_LIFE_S = 6 * 3600
ANSWER_WITHIN_S = 30.0
READY_WITHIN_S = 30.0
# Of one batch there are so many different ones; a few of the largest fill what a load generator can hold.
BATCHES_AT_LEAST = 4


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go and what they show; of a service of one's own also its process, data folder and directory.

    One that is *owned* is loaded only because somebody said that it is theirs.
    """

    scheme: str
    host: str
    port: int
    path: str = PREDICTIONS
    authorization: str = ""
    pid: int | None = None
    data: Path | None = None
    owned: bool = False
    directory: ThrowawayDirectory | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def request(self, body: bytes) -> bytes:
        """Return the bytes of a request with *body*."""
        shown = f"Authorization: {self.authorization}\r\n" if self.authorization else ""
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n{shown}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("latin-1") + body

    def asked(self, body: bytes) -> tuple[int, bytes]:
        """Ask once on a connection of its own, and return status and answer; raises OSError or HTTPException."""
        kind = http.client.HTTPSConnection if self.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=ANSWER_WITHIN_S)
        headers = {"Content-Type": "application/json"}
        if self.authorization:
            headers["Authorization"] = self.authorization
        try:
            connection.request("POST", self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@functools.cache
def flights() -> tuple[dict[str, str], ...]:
    """Return 2,000 different made-up flights of the bundled model."""
    return tuple(questions(read_manifest(BUNDLED)))


def bodies(flights_each: int) -> list[bytes]:
    """Return different bodies with *flights_each* flights."""
    asked = flights()
    count = max(DISTINCT // flights_each, BATCHES_AT_LEAST)
    return [
        body_of(*(asked[(n * flights_each + place) % len(asked)] for place in range(flights_each)))
        for n in range(count)
    ]


def named(url: str, key: str | None, *, owned: bool) -> Target:
    """Return the target at *url*, asked with *key*; raises StressError for one that is not loopback and not *owned*."""
    not_one = StressError(f"{url!r} is not the address of a service, such as http://127.0.0.1:5000.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise not_one from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.query or parts.fragment:
        raise not_one
    if not url.isascii() or not url.isprintable() or " " in url:
        raise not_one
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise StressError("The key in ATRASO_KEY holds what no key holds: blanks, or letters that are not ASCII.")
    found = _addresses(parts.hostname)
    here = all(ipaddress.ip_address(address).is_loopback for address in found)
    if not owned and not here:
        raise StressError(
            f"{parts.hostname} is not on this machine ({found[0]}), and a load may bring it down: say "
            "--i-own-this-target if it is yours to load."
        )
    path = parts.path if parts.path not in ("", "/") else PREDICTIONS
    shown = f"Bearer {key}" if key else ""
    port = port or (443 if parts.scheme == "https" else 80)
    return Target(parts.scheme, parts.hostname, port, path, shown, owned=not here)


def _addresses(host: str) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise StressError(f"There is no {host}: {error.strerror}.") from None
    except UnicodeError:
        raise StressError(f"{host!r} is no name of a host.") from None
    return [str(place[4][0]).partition("%")[0] for place in found]


def check(target: Target) -> None:
    """Ask once; raises StressError where nothing can be measured, because nobody answers or the question is refused.

    An answer that says the service itself failed is no reason not to measure: that is what the run is to tell.
    """
    try:
        status, answer = target.asked(body_of(flights()[0]))
    except (OSError, http.client.HTTPException) as error:
        raise StressError(f"No service answers at {target.origin}: {error}.") from None
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise StressError(f"{target.origin} answers {status}: put a key with the role predict into ATRASO_KEY.")
    if status not in (HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS) and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise StressError(f"{target.origin}{target.path} answers {status}: {_detail(answer)}")
    if status == HTTPStatus.OK and not is_prediction(answer, 1):
        raise StressError(f"{target.origin}{target.path} answers 200, but no prediction: {answer[:100]!r}")


def _detail(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["detail"])
    except (ValueError, KeyError, TypeError):
        return answer[:200].decode(errors="replace") or "no word more"


@contextlib.contextmanager
def own(profile: Profile) -> Iterator[Target]:
    """Run a service for *profile*, with a token asked for, metrics and a throwaway ledger, and give it as a target."""
    with tempfile.TemporaryDirectory(prefix="atraso-stress-") as name, contextlib.ExitStack() as stack:
        data = Path(name, "data")
        variables = {
            "ATRASO_DATA": str(data),
            "ATRASO_AUTH": "keys,jwt",
            "ATRASO_METRICS_OPEN": "true",
            "ATRASO_LEDGER": "spool",
            "ATRASO_TOKEN_ISSUER": ISSUER,
            "ATRASO_LOG_LEVEL": "error",
            **profile.variables,
        }
        directory = None
        if any(step.fault is Fault.DIRECTORY_STOPPED for step in profile.steps) and why_not() is None:
            directory = stack.enter_context(ThrowawayDirectory(Path(name, "directory")))
            variables |= {"ATRASO_AUTH": "keys,jwt,ldap", **directory.variables()}
        service = stack.enter_context(launched_with(variables, f"of {profile.name}", profile.workers))()
        target = Target("http", "127.0.0.1", service.port, pid=service.pid, data=data, directory=directory)
        token = _logged_in(target) if directory else _token(data)
        target = replace(target, authorization=f"Bearer {token}")
        _wait_until_answering(target)
        yield target


def _wait_until_answering(target: Target) -> None:
    """Wait for a new service: it refuses tokens until its writer has said which of them were revoked."""
    end = time.monotonic() + READY_WITHIN_S
    while target.asked(body_of(flights()[0]))[0] == HTTPStatus.SERVICE_UNAVAILABLE and time.monotonic() < end:
        time.sleep(0.1)


def _token(data: Path) -> str:
    tokens = Tokens(SigningKeys(data).read(), ISSUER, TOKEN_LIFE_S)
    return tokens.issue(Principal(NAME, frozenset({PREDICT})), time.time())[0]


def _logged_in(target: Target) -> str:
    """Return the token that the directory's person gets for a password."""
    shown = base64.b64encode(f"{PERSON}:{password_of(PERSON)}".encode()).decode()
    connection = http.client.HTTPConnection(target.host, target.port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("POST", "/v1/token", b"", {"Authorization": f"Basic {shown}"})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        raise StressError(f"The throwaway directory's person cannot log in: {answer.status} {_detail(content)}")
    return str(json.loads(content)["access_token"])
