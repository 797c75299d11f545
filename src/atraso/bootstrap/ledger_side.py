"""What stands beside the workers of a service with a ledger: its writer, the keeper of the state, a challenger."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable

from atraso.artefact.scorer import Scorer
from atraso.bootstrap.beside import ProcessBeside
from atraso.bootstrap.challenger_process import Challenger, shadow
from atraso.bootstrap.state_process import StateAddress, keep_state
from atraso.core.drift import Reference
from atraso.ledger.run import Run, names_in
from atraso.ledger.shadow_progress import ShadowProgress
from atraso.ledger.spool import FOLDER as SPOOL_FOLDER
from atraso.ledger.status import SILENT_AFTER_S, StatusBoard
from atraso.serving.airport_state import StateSource
from atraso.serving.snapshots import SnapshotPlaces
from atraso.serving.workers import slots_for
from atraso.settings import Settings

log = logging.getLogger("atraso")

# Answering goes first: what is kept can wait in the spools. A departure is to be known within a second.
WRITER_NICENESS, KEEPER_NICENESS, CHALLENGER_NICENESS = 10, 5, 15
GARBAGE_AFTER = 50_000  # objects; a batch of rows is fewer
# A snapshot is made each minute; a keeper that has made none for so long stands still.
SILENT_FOR_S = 150.0
# The longest that one statement may take on PostgreSQL, twice; SQLite's move on while they take long.
STUCK_AFTER_S = 60.0
# It is looked at twice a second: after so long we were stopped ourselves, and perhaps the writer with us.
OVERSLEPT_S = 3.0


class LedgerSide:
    """Keeps these processes alive; each calls *in_child* first, to close what it does not need.

    The writer judges the predictions, and what it asks about by what the model is made of: its *reference*. `status`
    tells how the writer is doing, `state` where workers find the state, `run` how far they have counted.
    A *challenger* shadows what is asked, and `shadowed` tells how far it has come; both are None where there is none.

    A writer that has stood still for *stuck_after_s* is replaced. One that cannot write tells so and goes on trying,
    and one that waits for a disk would not come back sooner: neither stands still.
    """

    def __init__(
        self,
        settings: Settings,
        reference: Callable[[], Reference | None],
        in_child: Callable[[], None],
        challenger: Challenger | None = None,
        *,
        stuck_after_s: float = STUCK_AFTER_S,
    ) -> None:
        self._settings, self._reference, self._challenger = settings, reference, challenger
        self._url = settings.ledger_url.reveal() if settings.ledger_url else None
        self._places, self._address = SnapshotPlaces(), StateAddress()
        self._scorer: Scorer | None = None
        self._stuck_after_s = stuck_after_s
        self._looked_at = self._awake_since = time.monotonic()
        self._told_silent = False
        self._spools = settings.data / SPOOL_FOLDER
        # Nobody has spooled in this run yet: what is there was left by one before.
        self._slots = slots_for(settings.workers)
        self.run = Run(self._slots, names_in(self._spools))
        self.status = StatusBoard(self.run)
        self.state = StateSource(self._places, self._address.name, settings.state_stale_minutes)
        self._writer = ProcessBeside("The ledger's writer", self._write, niceness=WRITER_NICENESS, in_child=in_child)
        self._keeper = ProcessBeside("The keeper of the state", self._keep, niceness=KEEPER_NICENESS, in_child=in_child)
        self.shadowed = ShadowProgress() if challenger else None
        self._shadow: ProcessBeside | None = None
        if challenger is not None:
            self._shadow = ProcessBeside(
                "The challenger", self._shadows, niceness=CHALLENGER_NICENESS, in_child=in_child
            )

    def look(self, scorer: Scorer) -> None:
        """Start what is not running; the state is kept for the model of *scorer*."""
        self._look_at_writer()
        if self._scorer is None:  # the workers begin first: they answer by the schedule until there is a state
            self._scorer = scorer
            return
        other = scorer is not self._scorer
        self._scorer = scorer
        silent = time.time() - self._places.made_at_s > SILENT_FOR_S and self._keeper.age_s > SILENT_FOR_S
        if other or silent:
            self._keeper.begin_again()
        else:
            self._keeper.look()
        if self._shadow is not None:
            (self._shadow.begin_again if other else self._shadow.look)()

    def _look_at_writer(self) -> None:
        """Start the writer where there is none, tell of one that stands still, and replace it in the end."""
        now = time.monotonic()
        if now - self._looked_at > OVERSLEPT_S:
            self._awake_since = now
        self._looked_at = now
        silent_s = min(self.status.silent_s(), now - self._awake_since, self._writer.age_s)
        tell = silent_s > min(SILENT_AFTER_S, self._stuck_after_s)
        if tell and not self._told_silent:
            what = "The ledger's writer has stood still for %.0f s: reports are refused, what is kept waits in %s."
            log.error(what, silent_s, self._spools)
        self._told_silent = tell
        if silent_s <= self._stuck_after_s or self._writer.waits_for_a_disk:
            self._writer.look()
            return
        log.error("The ledger's writer has stood still for %.0f s and is replaced.", silent_s)
        self._writer.begin_again()

    def bury(self, slot: int) -> None:
        """Take note that the worker in *slot* has ended, however it ended."""
        self.run.bury(slot, self._spools)

    def stop(self) -> None:
        """Stop them, when the workers have ended."""
        for slot in range(self._slots):
            self.bury(slot)
        if self._shadow is not None:
            self._shadow.stop()
        self._keeper.stop()
        self._writer.stop()
        self._address.listener.close()

    def _write(self, alive: Callable[[], bool]) -> None:
        # The database's library takes longer to import than all the rest: the service is ready meanwhile.
        from atraso.ledger.writer import WriterConfig, run_writer  # noqa: PLC0415

        # What is imported stays, and rows are no cycles: looking for those was an eighth of what a row costs.
        gc.freeze()
        gc.set_threshold(GARBAGE_AFTER)
        settings = self._settings
        config = WriterConfig(
            settings.data,
            self._url,
            settings.ledger_keep_days,
            quality_days=settings.quality_days if settings.ledger != "off" else 0,
            reference=self._reference,
        )
        run_writer(config, alive, self.status)

    def _keep(self, alive: Callable[[], bool]) -> None:
        assert self._scorer is not None
        keep_state(self._scorer, (self._settings.data, self._url), self._places, self._address, alive)

    def _shadows(self, alive: Callable[[], bool]) -> None:
        assert self._scorer is not None and self._challenger is not None and self.shadowed is not None
        shadow(self._challenger, self._scorer, (self._settings.data, self._url), self.shadowed, alive)
