"""The writer's round of judging: every five minutes, between its other work, into the file that the workers show.

Whatever goes wrong here, the ledger goes on: it is told in the log, and tried again at the next round.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Engine
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from atraso.core.drift import Reference
from atraso.ledger.database import open_engine, told
from atraso.ledger.quality import judge
from atraso.ledger.quality_report import LeadQuality, Quality, QualityFile
from atraso.ledger.quality_rows import Window, has_predictions
from atraso.ledger.schema import QUALITY_RUNS

log = logging.getLogger("atraso.ledger")

EVERY_S = 300.0
# A round that takes long is followed by a longer rest, so that it takes this share of the writer's time at most.
MOST_SHARE = 0.05
# So long it judges at a time before the writer's other work has its turn.
WORK_S = 0.05


class BetweenError(Exception):
    """What was done between failed, and not the judging; the cause says how."""


class QualityRound:
    """Judges the predictions for the last *days* days of the ledger at *url*, and publishes it in the folder *data*.

    *reference* tells what the model in use was made of, None where that cannot be told; then the predictions of all
    models are judged, and drift is not.
    """

    def __init__(self, data: Path, url: URL, days: int, reference: Callable[[], Reference | None]) -> None:
        self._url = url
        self._days = days
        self._reference = reference
        self._file = QualityFile(data)
        self._next_s = 0.0
        self._kept: tuple[str, str] | None = None

    def due(self) -> bool:
        """Return whether it is time for a round."""
        return time.monotonic() >= self._next_s

    def go(self, engine: Engine, between: Callable[[], None]) -> None:
        """Make a round; the day's scores are kept by way of *engine*.

        Calls *between* for the writer's other work; what that raises is raised again, and nothing else.
        """
        began_s = time.monotonic()
        resting_s, back_s = 0.0, float("-inf")

        def pause() -> None:
            nonlocal resting_s, back_s
            left_s = time.monotonic()
            if left_s - back_s < WORK_S:
                return
            try:
                between()
            except BaseException as error:
                raise BetweenError from error
            back_s = time.monotonic()
            resting_s += back_s - left_s

        try:
            self._make(engine, pause)
        except BetweenError as error:
            assert error.__cause__ is not None
            raise error.__cause__ from None
        except Exception as error:  # a fault of the judging must not stop the ledger
            log.error("The quality of the predictions cannot be told (%s); it is tried again.", told(error))
        finally:
            took_s = time.monotonic() - began_s - resting_s
            self._next_s = time.monotonic() + max(EVERY_S, took_s / MOST_SHARE)

    def _make(self, engine: Engine, between: Callable[[], None]) -> None:
        # A connection of its own, which reads the ledger as it is at one moment while the writer goes on.
        reading = open_engine(self._url, reading=True)
        try:
            with reading.connect() as connection:
                # A model takes a while to be read: not where there is nothing to be judged, as in a new service.
                reference = self._reference() if has_predictions(connection) else None
                window = Window(int(time.time()), self._days, reference.model_version if reference else None)
                quality = judge(connection, window, reference, between)
        finally:
            reading.dispose()
        self._file.publish(quality)
        day = datetime.fromtimestamp(window.now_s, UTC).date().isoformat()
        if self._kept != (day, quality.model_version):
            keep_run(engine, quality, window.now_s, day)
            self._kept = day, quality.model_version


def keep_run(engine: Engine, quality: Quality, made_s: int, day: str) -> None:
    """Keep the scores of each lead for the *day*, where that is not done yet."""
    if not quality.leads:
        return
    insert = postgres_insert if engine.dialect.name == "postgresql" else sqlite_insert
    rows = [_run_row(lead, scores, quality, made_s, day) for lead, scores in quality.leads.items()]
    with engine.begin() as connection:
        connection.execute(insert(QUALITY_RUNS).on_conflict_do_nothing(), rows)


def _run_row(lead: str, scores: LeadQuality, quality: Quality, made_s: int, day: str) -> Mapping[str, object]:
    return {
        "day": day,
        "lead": lead,
        "model_version": quality.model_version,
        "made_s": made_s,
        "n": scores.n,
        "brier_score": scores.brier_score,
        "brier_skill": scores.brier_skill,
        "auc": scores.auc,
        "ece": scores.ece,
    }
