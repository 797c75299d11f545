"""The runs that were kept, a row each, in a small store of its own beside the ledger; their records lie in a folder."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from atraso.core.errors import SettingsError
from atraso.stress.profiles import StressError
from atraso.stress.record import FOLDER, Record, read_record

STORE = "stress.sqlite3"
LAST = "last"
DRIVEN_BY = ("threads", "connections", "flights")
_TABLE = """
CREATE TABLE IF NOT EXISTS runs (
  id TEXT PRIMARY KEY, date TEXT NOT NULL, profile TEXT NOT NULL, target TEXT NOT NULL, commit_id TEXT,
  verdict TEXT NOT NULL, steps INTEGER NOT NULL, answers INTEGER NOT NULL, failed INTEGER NOT NULL,
  rate REAL, p99_ms REAL, processor TEXT NOT NULL, cores INTEGER NOT NULL
)
"""
_COLUMNS = ("id", "date", "profile", "target", "commit_id", "verdict", "steps", "answers", "failed", "rate", "p99_ms")


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept run at a glance; *rate* is the best of its steps, *p99_ms* the worst."""

    id: str
    date: str
    profile: str
    target: str
    commit_id: str | None
    verdict: str
    steps: int
    answers: int
    failed: int
    rate: float | None
    p99_ms: float | None


class Kept:
    """The runs kept in the data folder *data*; raises StressError where the store cannot be used."""

    def __init__(self, data: Path) -> None:
        self._data = data

    @property
    def folder(self) -> Path:
        """Where the records lie."""
        return self._data / FOLDER

    def remember(self, record: Record, file: Path) -> None:
        """Keep a row of *record*, which lies in *file*."""
        rates = [run.rate for run in record.runs]
        tails = [run.latency.p99_ms for run in record.runs if run.latency]
        row = (
            file.stem, record.date, record.profile, record.target, record.commit, record.verdict,
            len(record.runs) or len(record.rows), record.answers, record.failed, max(rates, default=None),
            max(tails, default=None), record.machine.processor, record.machine.cores,
        )  # fmt: skip
        with self._opened() as store:
            store.execute(f"INSERT OR REPLACE INTO runs VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608

    def entries(self, profile: str | None = None, limit: int = 1000) -> list[Entry]:
        """Return the latest runs, the newest first."""
        if not (self._data / STORE).exists():
            return []
        asked = f"SELECT {', '.join(_COLUMNS)} FROM runs WHERE ? IS NULL OR profile = ? ORDER BY id DESC LIMIT ?"  # noqa: S608
        with self._opened() as store:
            return [Entry(*row) for row in store.execute(asked, (profile, profile, limit))]

    def read(self, word: str) -> tuple[str, Record]:
        """Return identifier and record of the run that *word* means: the beginning of an identifier, a file, `last`
        or `last-1` and so on; raises StressError where it means none or several."""
        if Path(word).is_file():
            return Path(word).stem, read_record(Path(word))
        known = sorted((file.stem for file in self.folder.glob("*.json")), reverse=True)
        if word == LAST or word.startswith(f"{LAST}-"):
            number = word.removeprefix(LAST).removeprefix("-") or "0"
            found = known[int(number) : int(number) + 1] if number.isdigit() else []
        else:
            found = [name for name in known if name == word] or [name for name in known if name.startswith(word)]
        if len(found) != 1:
            several = f"means {len(found)} runs ({', '.join(found[:3])} …)" if found else "is no kept run"
            raise StressError(f"{word!r} {several}: `atraso stress list` names those there are.")
        return found[0], read_record(self.folder / f"{found[0]}.json")

    def before(self, record: Record, file: Path) -> tuple[str, Record] | None:
        """Return the latest whole run that *record* in *file* can be compared with, or None."""
        for entry in self.entries(record.profile):
            other = self.folder / f"{entry.id}.json"
            if entry.id >= file.stem or entry.verdict == "partial" or not other.is_file():
                continue
            try:
                found = read_record(other)
            except SettingsError:  # damaged since: it is told to whoever asks for it
                continue
            alike = found.target == record.target and found.session == record.session
            alike = alike and any(run.good and not run.void for run in found.runs)
            if alike and found.settings == record.settings and _asked(found) == _asked(record):
                return entry.id, found
        return None

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self._data.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(self._data / STORE, timeout=10)) as store:
                store.execute(_TABLE)
                yield store
                store.commit()
        except (OSError, sqlite3.Error) as error:
            raise StressError(f"The store {self._data / STORE} cannot be used: {error}.") from None


def _asked(record: Record) -> list[tuple[str, object]]:
    """Return a record's steps in their order, each with how many threads, connections and flights a request it had."""
    of_runs = [(run.name, [run.asked.get(what) for what in DRIVEN_BY]) for run in record.runs]
    return list(of_runs) or [(row.name, None) for row in record.rows]
