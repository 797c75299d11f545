"""The process that shadows: it answers with a challenger what the model in use was asked, off the answers' path."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.bootstrap.shadow_answers import ShadowAnswers
from atraso.bootstrap.state_keeper import StateKeeper
from atraso.core.errors import LedgerError
from atraso.ledger.command_socket import ask_running_writer
from atraso.ledger.commands import Shadow, ShadowRow
from atraso.ledger.shadow_progress import ShadowProgress

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from atraso.ledger.shadow import Versions

log = logging.getLogger("atraso.challenger")

ROUND_EVERY_S = 2.0
# To look goes through the latest predictions: the rest is so many times as long, where that is more.
REST = 20
AT_A_TIME = 500
# What was asked before the process began is answered so far back. Further back, departures that became known only
# later would be in the challenger's state and were not in the champion's.
LOOK_BACK_MS = 3_600_000
# A record may wait in a spool for so long and is found all the same.
LATE_MS = 86_400_000
STORE_WITHIN_S = 20.0
ALIVE_EVERY_S = 0.5
COMPLAIN_EVERY_S = 60.0


class Challenger(NamedTuple):
    """Which artefact shadows: its folder, and the key that must have signed it."""

    folder: Path
    verify_key: Path | None


def shadow(
    challenger: Challenger,
    champion: Scorer,
    ledger: tuple[Path, str | None],
    progress: ShadowProgress,
    alive: Callable[[], bool],
) -> None:
    """Answer beside *champion* while *alive*, and tell *progress*.

    *ledger* is its data folder, and the address of its database where that is not in the folder. Raises ArtefactError
    where the challenger is refused by now.
    """
    # The database's library takes longer to import than all the rest: the service is ready meanwhile.
    from atraso.ledger.database import DATABASE_ERRORS, ledger_url, open_engine, sqlite_file, told  # noqa: PLC0415
    from atraso.ledger.following import changes  # noqa: PLC0415
    from atraso.ledger.shadow import Versions  # noqa: PLC0415

    scorer = load_scorer(challenger.folder, verify_key=challenger.verify_key)
    versions = Versions(champion.manifest.version, scorer.manifest.version)
    if versions.champion == versions.challenger:
        log.warning("The challenger %s is the model in use now: there is nothing to shadow.", versions.challenger)
        while alive():
            progress.tell(until_ms=time.time_ns() // 1_000_000)
            time.sleep(ALIVE_EVERY_S)
        return
    data, url = ledger[0], ledger_url(*ledger)
    engine = open_engine(url, reading=sqlite_file(url) is not None)
    keeper = StateKeeper(scorer, functools.partial(changes, engine), lambda *_: None)
    shadowing = Shadowing(
        engine,
        versions,
        ShadowAnswers(scorer, champion, keeper.snapshot),
        follow=keeper.follow,
        store=lambda rows: int(ask_running_writer(data, Shadow(rows), STORE_WITHIN_S)),
        progress=progress,
    )
    complain_at = 0.0
    while alive():
        rest_s = ROUND_EVERY_S
        try:
            rest_s = max(rest_s, REST * shadowing.round(alive))
        except (*DATABASE_ERRORS, LedgerError) as error:
            engine.dispose()
            if time.monotonic() >= complain_at:
                complain_at = time.monotonic() + COMPLAIN_EVERY_S
                log.error("The challenger cannot go on (%s): it is tried again, nothing is skipped.", told(error))
        rest_until = time.monotonic() + rest_s
        while time.monotonic() < rest_until and alive():
            time.sleep(ALIVE_EVERY_S)


class Shadowing:
    """Rounds of answering what is not answered yet.

    *follow* takes in what was reported, *store* gives answers to the ledger and returns how many were news to it.
    """

    def __init__(
        self,
        engine: Engine,
        versions: Versions,
        answers: ShadowAnswers,
        *,
        follow: Callable[[], None],
        store: Callable[[tuple[ShadowRow, ...]], int],
        progress: ShadowProgress,
    ) -> None:
        self._engine, self._versions, self._answers = engine, versions, answers
        self._follow, self._store, self._progress = follow, store, progress
        self._since_ms = time.time_ns() // 1_000_000 - LOOK_BACK_MS

    def round(self, alive: Callable[[], bool]) -> float:
        """Answer all that is there, oldest first, some hundreds at a time; return how long the last look took, in s.

        What cannot be answered is passed over.
        """
        from atraso.ledger.shadow import before, unanswered  # noqa: PLC0415 - of the database's side

        began_ms = time.time_ns() // 1_000_000
        after = before(self._since_ms)
        while alive():
            looked_s = time.monotonic()
            asked = unanswered(self._engine, self._versions, after, AT_A_TIME)
            if not asked:
                self._progress.tell(until_ms=began_ms)
                self._since_ms = max(self._since_ms, began_ms - LATE_MS)
                return time.monotonic() - looked_s
            self._progress.tell(until_ms=asked[0].asked_ms or began_ms)
            self._follow()
            self._answers.forget()
            rows = tuple(self._answers.answer(asked))
            self._progress.tell(answers=self._store(rows) if rows else 0)
            after = asked[-1].id
        return 0.0
