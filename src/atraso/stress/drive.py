"""Driving a service with wrk: as fast as it answers, on a fixed number of connections."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec

from atraso.stress.profiles import StressError

THREADS = 1
# wrk's own script language. The headers are in a file, because a command line can be read by everybody.
SCRIPT = """\
local heads, body, place = {}, "", 0

function init(args)
   wrk.headers["Content-Type"] = "application/json"
   local file = io.open(args[2])
   body = file:read("*a")
   file:close()
   for line in io.lines(args[1]) do
      wrk.headers["Authorization"] = line ~= "" and line or nil
      heads[#heads + 1] = wrk.format("POST", nil, nil, body)
   end
end

function request()
   place = place % #heads + 1
   return heads[place]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format('\\n{"requests":%d,"took_us":%d,"refused":%d,"broken":%d}\\n', summary.requests,
      summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
"""


class Burst(msgspec.Struct, frozen=True):
    """What wrk saw."""

    requests: int
    took_us: int
    refused: int
    broken: int

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.took_us * 1e6


class Driver:
    """wrk with a script and what it sends, in files of *folder*."""

    def __init__(self, folder: Path, path: str, body: bytes) -> None:
        self._folder, self._path = folder, path
        self._script, self._body = folder / "wrk.lua", folder / "body.json"
        self._script.write_text(SCRIPT, encoding="ascii")
        self._body.write_bytes(body)

    def prepare(self, name: str, authorizations: Iterable[str]) -> None:
        """Keep the Authorization headers that *name* sends in turn; an empty one is none."""
        file = self._folder / f"{name}.heads"
        file.touch(0o600)
        file.write_text("".join(f"{line}\n" for line in authorizations), encoding="ascii")

    def drive(self, name: str, origin: str, connections: int, seconds: int) -> Burst:
        """Send the requests of *name* to *origin* (scheme, host and port) for some *seconds*; raises StressError."""
        command = [
            "wrk", "-t", str(THREADS), "-c", str(connections), "-d", f"{seconds}s", "-s", str(self._script),
            origin + self._path, "--", str(self._folder / f"{name}.heads"), str(self._body),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
        if done.returncode:
            raise StressError(f"wrk failed: {done.stderr.strip()[-300:]}")
        return msgspec.json.decode(done.stdout.strip().splitlines()[-1], type=Burst)


def why_no_wrk() -> str | None:
    """Return why nothing can be driven here, or None."""
    return None if shutil.which("wrk") else "wrk is not on PATH (Debian: apt-get install wrk)"
