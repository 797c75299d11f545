"""A run as it is kept: what was measured, where, with what, and what was left out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from atraso.core.errors import SettingsError
from atraso.stress.machine import Machine
from atraso.stress.results import Added, Percentiles
from atraso.stress.runs import Run

FOLDER = "stress"


class Throughput(msgspec.Struct, frozen=True):
    """Answers a second in a closed loop, and which part that is of those without authentication."""

    requests_per_s: float
    connections: int
    turns: tuple[float, ...]
    share: float | None = None


class Row(msgspec.Struct, frozen=True):
    """One way to come in; times in microseconds, *at* by percentile, *block_medians* in the order of measuring."""

    name: str
    label: str
    requests: int
    took: Percentiles
    at: dict[str, float]
    block_medians: tuple[float, ...]
    baseline: str | None = None
    added: Added | None = None
    throughput: Throughput | None = None
    promised_us: float | None = None

    @property
    def fell_short(self) -> bool:
        """Whether more was measured than promised, and more than chance makes of it."""
        if self.promised_us is None:
            return False
        return (self.took.p50 if self.added is None else self.added.p50_low) > self.promised_us


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a profile; *left_out* and *not_driven* say why by label, *partial* that it was stopped early.

    The profile `auth` has *rows*, all others have *runs*: one for each step, in the order of time. Records of one
    *session* were measured turn by turn beside each other. *settings* are what the profile was told and what its
    service was started with, *told* what was done to the machine's limits. *top_rate* is the highest that held the
    service's promise, *search* how it was found, *top_void* why a higher one may hold too. Format 1 had rows only.
    """

    format: Literal[1, 2] = 2
    profile: str
    date: str
    command: str
    machine: Machine
    versions: dict[str, str]
    settings: dict[str, str | int | float]
    rows: tuple[Row, ...] = ()
    runs: tuple[Run, ...] = ()
    commit: str | None = None
    target: str = "own"
    session: str | None = None
    top_rate: float | None = None
    top_void: str = ""
    search: str = ""
    left_out: dict[str, str] = {}
    not_driven: dict[str, str] = {}
    told: tuple[str, ...] = ()
    partial: bool = False
    took_s: float

    @property
    def shortfalls(self) -> list[str]:
        """A sentence for each promise that was not kept."""
        found = [
            f"{row.label}: {(row.added or row.took).p50:.1f} µs at the median, {row.promised_us:g} were promised"
            for row in self.rows
            if row.fell_short
        ]
        found += [
            f"{run.name}: {kept.sentence}"
            for run in self.runs
            for kept in run.promises
            if not kept.held and not run.partial and not (run.void and kept.is_of_time)
        ]
        if self.top_rate == 0 and not self._late_search:
            found.append("no rate that was tried held the service's promise")
        return found

    @property
    def voids(self) -> list[str]:
        """A sentence for each promise of a run that measured its own load generator."""
        found = [
            f"{run.name}: {run.void}" for run in self.runs if run.void and any(kept.is_of_time for kept in run.promises)
        ]
        return [*found, f"the top rate is not known: {self._late_search}"] if self._late_search else found

    @property
    def _late_search(self) -> str:
        """Why a search for the top rate, which is all that was to be found, did not find it; empty where it did."""
        if self.top_void and not any(run.promises for run in self.runs):
            return self.top_void
        return next((run.void for run in self.runs if run.void), "") if self.top_rate == 0 else ""

    @property
    def verdict(self) -> str:
        """What became of it in a word or two: partial, void, fell short, or held."""
        if self.partial:
            return "partial"
        if self.shortfalls:
            return "fell short"
        return "void" if self.voids else "held"

    @property
    def answers(self) -> int:
        """How many good answers there were in all."""
        return sum(run.good for run in self.runs) or sum(row.requests for row in self.rows)

    @property
    def failed(self) -> int:
        """How many requests had no good answer."""
        return sum(run.failed for run in self.runs)


def encoded(record: Record) -> bytes:
    """Return *record* as JSON for people to read."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def read_record(file: Path) -> Record:
    """Return the record kept in *file*; raises SettingsError."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Record)
    except OSError as error:
        raise SettingsError(f"The record {file} cannot be read: {error.strerror}.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is no record of a run: {error}.") from None


def keep(record: Record, folder: Path) -> Path:
    """Write *record* into *folder* under its date and profile, and return the file; raises SettingsError."""
    moment = record.date[:19].replace(":", "").replace("-", "").replace("T", "-")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in ("", *(f"-{n}" for n in range(2, 100))):
            file = folder / f"{moment}-{record.profile}{suffix}.json"
            try:
                with file.open("xb") as opened:
                    opened.write(encoded(record))
            except FileExistsError:
                continue
            return file
    except OSError as error:
        raise SettingsError(f"The record cannot be kept in {folder}: {error.strerror}.") from None
    raise SettingsError(f"The record cannot be kept in {folder}: there are 99 of the same second.")
