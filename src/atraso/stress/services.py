"""The services of a run: `atraso serve`, each with one worker and a throwaway data folder, on a free port."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from atraso.stress.certificates import CLIENT, Certificates
from atraso.stress.profiles import StressError
from atraso.stress.ways import ServiceName

START_WITHIN_S = 60.0
STOP_WITHIN_S = 15.0
PREFIX = "ATRASO_"
ISSUER = "atraso-stress"
OWN_COMMAND = (sys.executable, "-m", "atraso")
_READY = re.compile(rb"is ready: https?://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True)
class Service:
    """A service that runs, *pid* being the parent of its workers; a client over TLS needs the *context*."""

    port: int
    context: ssl.SSLContext | None
    pid: int

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"


def variables_of(
    name: ServiceName, data: Path, certificates: Certificates, directory: Mapping[str, str]
) -> dict[str, str]:
    """Return the settings of a service; *directory* is how it asks the directory, empty without one."""
    common = {"ATRASO_DATA": str(data), "ATRASO_TOKEN_ISSUER": ISSUER, "ATRASO_LOG_LEVEL": "error"}
    tls = {"ATRASO_TLS_CERTIFICATE": str(certificates.server), "ATRASO_TLS_KEY": str(certificates.server_key)}
    match name:
        case ServiceName.OPEN | ServiceName.AGAIN:
            return {**common, "ATRASO_AUTH": "none"}
        case ServiceName.GUARDED:
            # Known for as long as the run takes: what is measured is a password that is known.
            asked = {"ATRASO_AUTH": "keys,jwt,ldap,basic", "ATRASO_BASIC_CACHE_S": "3600", **directory}
            return {**common, **(asked if directory else {"ATRASO_AUTH": "keys,jwt"})}
        case ServiceName.BINDING:
            return {**common, "ATRASO_AUTH": "basic", "ATRASO_BASIC_CACHE_S": "0", **directory}
        case ServiceName.TLS:
            return {**common, **tls, "ATRASO_AUTH": "none"}
        case ServiceName.MTLS:
            mtls = {"ATRASO_TLS_CLIENT_CA": str(certificates.authority), "ATRASO_MTLS_SUBJECTS": _SUBJECTS}
            return {**common, **tls, **mtls, "ATRASO_AUTH": "mtls"}


_SUBJECTS = f"{CLIENT}=predict:CN={CLIENT}"


def context_for(name: ServiceName, certificates: Certificates) -> ssl.SSLContext | None:
    """Return what a client of a service over TLS needs, with its certificate where that is asked for."""
    if name not in (ServiceName.TLS, ServiceName.MTLS):
        return None
    context = ssl.create_default_context(cafile=str(certificates.authority))
    if name is ServiceName.MTLS:
        context.load_cert_chain(certificates.client, certificates.client_key)
    return context


@contextlib.contextmanager
def launched(
    name: ServiceName, variables: Mapping[str, str], context: ssl.SSLContext | None
) -> Iterator[Callable[[], Service]]:
    """Run `atraso serve` with one worker and *variables*, and give what waits until it is ready and returns it.

    It is stopped afterwards. Waiting raises StressError for a service that does not start.
    """
    with launched_with(variables, repr(name.value)) as ready:
        yield lambda: replace(ready(), context=context)


@contextlib.contextmanager
def launched_with(
    variables: Mapping[str, str], name: str, workers: int = 1, command: Sequence[str] = ()
) -> Iterator[Callable[[], Service]]:
    """Run a service as `launched` does, with some *workers*; *name* is what it is called where it does not start.

    The *command* is what stands before `serve`, of another build.
    """
    log = Path(variables["ATRASO_DATA"]) / "service.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    with log.open("wb") as told:
        process = subprocess.Popen(  # noqa: S603 - no shell
            [*(command or OWN_COMMAND), "serve", "--host", "127.0.0.1", "--port", "0", "--workers", str(workers)],
            env=environment | dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=told,
            # Ctrl-C is for this process, which stops the others. Not a session of its own: Linux shares processors
            # between sessions first, so the ledger's writer would give way to the workers, but not to the load.
            process_group=0,
        )
    try:
        yield lambda: Service(_port_of(process, name, log), None, process.pid)
    finally:
        _stop(process)


def _port_of(process: subprocess.Popen[bytes], name: str, log: Path) -> int:
    assert process.stdout is not None
    end = time.monotonic() + START_WITHIN_S
    said = b""
    while time.monotonic() < end:
        if not select.select([process.stdout], [], [], 0.2)[0]:
            continue
        chunk = os.read(process.stdout.fileno(), 4096)
        said += chunk
        found = _READY.search(said)
        if found:
            return int(found[1])
        if not chunk:
            break
    lines = log.read_text(errors="replace").strip().splitlines()[-3:]
    raise StressError(f"The service {name} did not start: {' '.join(lines) or 'it said nothing'}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_WITHIN_S)
    finally:  # also where the waiting was interrupted: what still runs would write into a folder that is removed
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
