"""What stands beside the workers of a service with a ledger: its one writer, and the keeper of the state."""

from __future__ import annotations

import time
from collections.abc import Callable

from atraso.artefact.scorer import Scorer
from atraso.bootstrap.beside import ProcessBeside
from atraso.bootstrap.state_process import StateAddress, keep_state
from atraso.core.drift import Reference
from atraso.ledger.run import Run, names_in
from atraso.ledger.spool import FOLDER as SPOOL_FOLDER
from atraso.ledger.status import StatusBoard
from atraso.serving.airport_state import StateSource
from atraso.serving.snapshots import SnapshotPlaces
from atraso.serving.workers import slots_for
from atraso.settings import Settings

# Answering goes first: what is kept can wait in the spools. A departure is to be known within a second.
WRITER_NICENESS, KEEPER_NICENESS = 10, 5
# A snapshot is made each minute; a keeper that has made none for so long stands still.
SILENT_FOR_S = 150.0


class LedgerSide:
    """Keeps both processes alive; each calls *in_child* first, to close what it does not need.

    The writer judges the predictions, and what it asks about by what the model is made of: its *reference*. `status`
    tells how the writer is doing, `state` where workers find the state, `run` how far they have counted.
    """

    def __init__(
        self, settings: Settings, reference: Callable[[], Reference | None], in_child: Callable[[], None]
    ) -> None:
        self._settings, self._reference = settings, reference
        self._url = settings.ledger_url.reveal() if settings.ledger_url else None
        self._places, self._address = SnapshotPlaces(), StateAddress()
        self._scorer: Scorer | None = None
        self._spools = settings.data / SPOOL_FOLDER
        # Nobody has spooled in this run yet: what is there was left by one before.
        self._slots = slots_for(settings.workers)
        self.run = Run(self._slots, names_in(self._spools))
        self.status = StatusBoard(self.run)
        self.state = StateSource(self._places, self._address.name, settings.state_stale_minutes)
        self._writer = ProcessBeside("The ledger's writer", self._write, niceness=WRITER_NICENESS, in_child=in_child)
        self._keeper = ProcessBeside("The keeper of the state", self._keep, niceness=KEEPER_NICENESS, in_child=in_child)

    def look(self, scorer: Scorer) -> None:
        """Start what is not running; the state is kept for the model of *scorer*."""
        self._writer.look()
        if self._scorer is None:  # the workers begin first: they answer by the schedule until there is a state
            self._scorer = scorer
            return
        silent = time.time() - self._places.made_at_s > SILENT_FOR_S and self._keeper.age_s > SILENT_FOR_S
        if scorer is not self._scorer or silent:
            self._scorer = scorer
            self._keeper.begin_again()
        else:
            self._keeper.look()

    def bury(self, slot: int) -> None:
        """Take note that the worker in *slot* has ended, however it ended."""
        self.run.bury(slot, self._spools)

    def stop(self) -> None:
        """Stop both, when the workers have ended."""
        for slot in range(self._slots):
            self.bury(slot)
        self._keeper.stop()
        self._writer.stop()

    def _write(self, alive: Callable[[], bool]) -> None:
        # The database's library takes longer to import than all the rest: the service is ready meanwhile.
        from atraso.ledger.writer import WriterConfig, run_writer  # noqa: PLC0415

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
