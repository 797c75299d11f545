"""Driving a service with wrk: as fast as it answers, on a fixed number of connections."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec

from atraso.stress.profiles import StressError

STOPS_WITHIN_S = 10.0
TIMEOUT_S = 30
# wrk's own script language. The headers are in a file, because a command line can be read by everybody.
# Bodies and Authorization headers are sent in turn. With a sign every answer is looked at: its status is counted, a 200
# must hold the sign with a number from 0 to 1 behind it, and good and bad ones are counted by the second. A thread
# begins at a place of its own, so that the threads do not ask the same at the same time.
SCRIPT = """\
local threads, requests, place = {}, {}, 0

function setup(thread)
   threads[#threads + 1] = thread
   thread:set("offset", (#threads - 1) * 499)
end

local function lines_of(name)
   local found = {}
   for line in io.lines(name) do found[#found + 1] = line end
   return found
end

local function probable(body, at)
   if body:find("^0%.%d+[,}]", at) then return true end -- nearly always
   local value = tonumber(body:match("^%s*([%d.eE+-]+)%s*[,}]", at))
   return value and value >= 0 and value <= 1
end

local function has(body, sign, times)
   local at = 0
   for _ = 1, times do
      at = body:find(sign, at + 1, true)
      if not at or not probable(body, at + #sign) then return false end
   end
   return not body:find(sign, at + 1, true)
end

function init(args)
   wrk.headers["Content-Type"] = "application/json"
   local heads, bodies, sign, flights = lines_of(args[1]), lines_of(args[2]), args[3], tonumber(args[4])
   for n = 1, math.max(#heads, #bodies) do
      local head = heads[(n - 1) % #heads + 1]
      wrk.headers["Authorization"] = head ~= "" and head or nil
      requests[n] = wrk.format("POST", nil, nil, bodies[(n - 1) % #bodies + 1])
   end
   place = offset
   statuses, wrong, good_by_s, bad_by_s = {}, 0, {}, {}
   if sign then
      response = function(status, headers, body)
         statuses[status] = (statuses[status] or 0) + 1
         local right = status == 200 and has(body, sign, flights)
         if status == 200 and not right then wrong = wrong + 1 end
         local by_s, second = right and good_by_s or bad_by_s, os.time()
         by_s[second] = (by_s[second] or 0) + 1
      end
   end
end

function request()
   place = place % #requests + 1
   return requests[place]
end

local function added(name)
   local sum = {}
   for _, thread in ipairs(threads) do
      for key, count in pairs(thread:get(name)) do sum[key] = (sum[key] or 0) + count end
   end
   return sum
end

local function object(counts)
   local parts = {}
   for key, count in pairs(counts) do parts[#parts + 1] = string.format('"%d":%d', key, count) end
   return "{" .. table.concat(parts, ",") .. "}"
end

function done(summary, latency)
   local errors, took, not_right = summary.errors, {}, 0
   for _, thread in ipairs(threads) do not_right = not_right + thread:get("wrong") end
   for n = 1, #latency do
      local microseconds, count = latency(n)
      took[math.floor(microseconds)] = count
   end
   io.write(string.format('\\n{"requests":%d,"took_us":%d,"refused":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,'
      .. '"wrong":%d,"statuses":%s,"good_by_s":%s,"bad_by_s":%s,"latency_us":%s}\\n', summary.requests,
      summary.duration, errors.status, errors.connect, errors.read, errors.write, errors.timeout, not_right,
      object(added("statuses")), object(added("good_by_s")), object(added("bad_by_s")), object(took)))
end
"""


class Burst(msgspec.Struct, frozen=True):
    """What wrk saw; the tables are of checked answers, by status and by the second, and all latencies as counts."""

    requests: int
    took_us: int
    refused: int
    connect: int
    read: int
    write: int
    timeout: int
    wrong: int
    statuses: dict[int, int]
    good_by_s: dict[int, int]
    bad_by_s: dict[int, int]
    latency_us: dict[int, int]
    stopped: bool = False

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.took_us * 1e6

    @property
    def broken(self) -> int:
        """How many requests had no whole answer."""
        return self.connect + self.read + self.write + self.timeout


class Driver:
    """wrk with a script and what it sends, in files of *folder*.

    With a *sign* every answer is checked to have it, once for each of the *flights* of a request.
    """

    def __init__(
        self, folder: Path, path: str, bodies: Iterable[bytes], sign: str | None = None, flights: int = 1
    ) -> None:
        self._folder, self._path, self._sign, self._flights = folder, path, sign, flights
        self._script, self._bodies = folder / "wrk.lua", folder / "bodies"
        self._script.write_text(SCRIPT, encoding="ascii")
        self._bodies.write_bytes(b"".join(body + b"\n" for body in bodies))

    def prepare(self, name: str, authorizations: Iterable[str]) -> None:
        """Keep the Authorization headers that *name* sends in turn; an empty one is none."""
        file = self._folder / f"{name}.heads"
        file.touch(0o600)
        file.write_text("".join(f"{line}\n" for line in authorizations), encoding="ascii")

    def drive(self, name: str, origin: str, connections: int, seconds: int, threads: int = 1) -> Burst:
        """Send the requests of *name* to *origin* (scheme, host and port) for some *seconds*; raises StressError.

        Ctrl-C ends it early; what was met by then is told as stopped.
        """
        command = [
            "wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s", "--timeout", f"{TIMEOUT_S}s",
            "-s", str(self._script), origin + self._path, "--", str(self._folder / f"{name}.heads"), str(self._bodies),
            *([self._sign, str(self._flights)] if self._sign else []),
        ]  # fmt: skip
        process = subprocess.Popen(  # noqa: S603 - no shell
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            process_group=0,  # Ctrl-C is for this process, which lets wrk say what it met
        )  # fmt: skip
        stopped = False
        try:
            said, complaint = process.communicate()
        except KeyboardInterrupt:
            stopped = True
            process.send_signal(signal.SIGINT)
            try:
                said, complaint = process.communicate(timeout=STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                raise KeyboardInterrupt from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            if stopped:  # before it listened to that
                raise KeyboardInterrupt
            raise StressError(f"wrk failed: {(complaint.strip() or said.strip())[-300:]}")
        return msgspec.structs.replace(msgspec.json.decode(said.strip().splitlines()[-1], type=Burst), stopped=stopped)


def why_no_wrk() -> str | None:
    """Return why nothing can be driven here, or None."""
    return None if shutil.which("wrk") else "wrk is not on PATH (Debian: apt-get install wrk)"
