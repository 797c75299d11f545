"""Changing the model of a running service: tried beside the old one, then taken by every worker in one step.

The supervisor looks for another model now and then and tries it: checksums, features, golden answers. One that is
refused changes nothing but the log, a counter and the detail of `/health/ready`. One that is good is announced, and
each worker loads it in a thread while it goes on answering, then exchanges all its routes at once: a request is
answered by the routes that it met, whole. Replacements of workers begin with the latest model, because they are forked
from the supervisor.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import monotonic

from atraso.artefact.scorer import Scorer
from atraso.core.errors import AtrasoError
from atraso.serving.bulletin import Bulletin, News
from atraso.serving.front import Front, Routes
from atraso.telemetry.cells import Recorder

log = logging.getLogger("atraso.model")

# While a thread loads a model, it gives way to requests this often; Python's own is 5 ms.
GIVE_WAY_EVERY_S = 0.0005
# Between two attempts of a worker to load what was announced.
RETRY_AFTER_S = 2.0


class ModelWatch:
    """The supervisor's part: *scorer* is the latest good model.

    *where* tells where the one to use lies now, *stamp* what changes when that or its files do.
    """

    def __init__(
        self,
        scorer: Scorer,
        *,
        where: Callable[[], Path],
        stamp: Callable[[], object],
        load: Callable[[Path], Scorer],
        bulletin: Bulletin,
        recorder: Recorder,
    ) -> None:
        self.scorer = scorer
        self._where, self._stamp_now, self._load = where, stamp, load
        self._bulletin, self._recorder = bulletin, recorder
        self._stamp = self._look_from_outside()
        bulletin.tell(News(scorer.manifest.checksum, ""))

    def look(self, *, asked: bool = False) -> None:
        """Take another model where there is one; with *asked* look closely also where nothing seems to have changed."""
        stamp = self._look_from_outside()
        if stamp == self._stamp and not asked:
            return
        self._stamp = stamp
        before = self.scorer.manifest
        try:
            scorer = self._load(self._where())
        except Exception as error:  # whatever is wrong with it, the old one is as good as before
            log.error("The model is not changed, %s goes on: %s", before.version, error)
            self._recorder.swapped(ok=False)
            self._bulletin.tell(News(before.checksum, f"the model that is to be used is refused: {error}"))
            return
        self._bulletin.tell(News(scorer.manifest.checksum, ""))
        if scorer.manifest.checksum != before.checksum:
            self.scorer = scorer
            self._recorder.swapped(ok=True)
            log.warning("The model is now %s, it was %s.", scorer.manifest.version, before.version)

    def _look_from_outside(self) -> object:
        try:
            return self._stamp_now()
        except (AtrasoError, OSError) as error:
            return str(error)


class ModelFollower:
    """A worker's part: follows the *bulletin*; *load* returns the model that lies there now."""

    def __init__(
        self,
        front: Front,
        checksum: str,
        load: Callable[[], Scorer],
        routes: Callable[[Scorer], Routes],
        bulletin: Bulletin,
    ) -> None:
        self._front, self._checksum, self._load, self._routes = front, checksum, load, routes
        self._bulletin = bulletin
        self._seen = 0  # what was told between the fork and now is news too
        self._retry_at = 0.0
        self._threads = ThreadPoolExecutor(1, "model")
        self._loading = False

    def look(self) -> None:
        """Begin to load another model where one was announced; called on the event loop now and then."""
        number = self._bulletin.number
        if number == self._seen or self._loading or monotonic() < self._retry_at:
            return
        news = self._bulletin.read()
        if news is None:
            return
        self._seen = number
        if news.checksum != self._checksum:
            self._loading = True
            sys.setswitchinterval(GIVE_WAY_EVERY_S)
            loop = asyncio.get_running_loop()
            self._threads.submit(self._made, news.checksum).add_done_callback(
                lambda made: loop.call_soon_threadsafe(self._take, made)
            )

    def _made(self, checksum: str) -> tuple[str, Routes] | None:
        scorer = self._load()
        # Another one may lie there by now: it will be announced too.
        return (checksum, self._routes(scorer)) if scorer.manifest.checksum == checksum else None

    def _take(self, made: Future[tuple[str, Routes] | None]) -> None:
        self._loading = False
        sys.setswitchinterval(0.005)
        try:
            found = made.result()
        except Exception as error:
            log.error("This worker could not load the model that its supervisor has tried, and tries again: %s", error)
            found = None
        if found is None:
            self._seen, self._retry_at = 0, monotonic() + RETRY_AFTER_S
            return
        self._checksum, self._front.routes = found
