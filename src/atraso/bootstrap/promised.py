"""The promise of slo.yaml, told by whoever knows how it stands: a Prometheus server, or else the service itself."""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from atraso.serving.promise import Asked, ObjectiveAnswer, ObjectivesAnswer, Source

if TYPE_CHECKING:
    from atraso.slo.objectives import Objective

log = logging.getLogger("atraso")

# An address, with the name and password of whoever asks where they are needed.
SERVER = re.compile(r"https?://([^/?#@\s]*@)?(\[[0-9A-Fa-f:]+\]|[^/?#@:\s]+)(:\d{1,5})?(/[^?#\s]*)?")
PARTS = ("yaml", "atraso.slo.openslo", "atraso.slo.loading", "atraso.slo.own_counts")
# People wait for the table; what is recorded changes every two minutes.
TIMEOUT_S = 2.0
REMEMBERED_S = 15.0


class PromiseTold:
    """Tells the objectives; *prometheus* is the address of a server with their rules, empty where there is none.

    *since_s* is when the service started. The server is asked in a thread, once for all who wait, and what it says is
    remembered for `REMEMBERED_S`, also that it does not answer.
    """

    def __init__(self, prometheus: str, since_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._prometheus, self._now = prometheus, now
        self._since = datetime.fromtimestamp(since_s, UTC).isoformat(timespec="seconds")
        self._objectives: tuple[Objective, ...] | None = None
        self._asking: asyncio.Task[Mapping[str, float] | None] | None = None
        self._asked_at = 0.0
        self._answers = True

    async def __call__(self, totals: Sequence[int]) -> ObjectivesAnswer:
        """Return each promise and how it stands; *totals* are the cells of `Board.totals`."""
        objectives = await self._read()
        asked: Asked = "off"
        ratios: Mapping[str, float] = {}
        if self._prometheus:
            found = await self._recorded(objectives)
            asked = "silent" if found is None else "answered" if found else "without_rules"
            ratios = found or {}
        return ObjectivesAnswer(
            self._since, asked, tuple(_told(one, ratios.get(one.name), totals) for one in objectives)
        )

    async def _read(self) -> tuple[Objective, ...]:
        """Return the objectives, read when somebody first asks: workers that nobody asks go without.

        It takes 2 MB with the parser, and a moment; others are answered between its steps.
        """
        if self._objectives is None:
            for part in PARTS:
                importlib.import_module(part)
                await asyncio.sleep(0)
            from atraso.slo.loading import load_promise  # noqa: PLC0415

            self._objectives = load_promise().objectives
        return self._objectives

    async def _recorded(self, objectives: tuple[Objective, ...]) -> Mapping[str, float] | None:
        """Return the bad share of each objective over its window, or None where the server does not tell."""
        if self._asking is None or (self._asking.done() and self._now() - self._asked_at > REMEMBERED_S):
            self._asked_at = self._now()
            self._asking = asyncio.create_task(self._ask_once(objectives))
        # Whoever goes away meanwhile leaves the others their answer.
        return await asyncio.shield(self._asking)

    async def _ask_once(self, objectives: tuple[Objective, ...]) -> Mapping[str, float] | None:
        found: Mapping[str, float] | str
        try:
            found = await asyncio.wait_for(asyncio.to_thread(_ask, self._prometheus, objectives), TIMEOUT_S)
        except TimeoutError:
            found = f"no answer in {TIMEOUT_S:g} s"
        if isinstance(found, str) and self._answers:
            log.warning("The budgets are told without Prometheus: %s.", found)
        self._answers = not isinstance(found, str)
        return None if isinstance(found, str) else found


def _ask(prometheus: str, objectives: tuple[Objective, ...]) -> Mapping[str, float] | str:
    """Return what the server told, or why it did not."""
    from atraso.slo.standing import PrometheusError, error_ratios  # noqa: PLC0415 - with its HTTP client, in a thread

    try:
        return error_ratios(prometheus, objectives, TIMEOUT_S)
    except PrometheusError as error:
        return str(error)


def _told(objective: Objective, bad: float | None, totals: Sequence[int]) -> ObjectiveAnswer:
    from atraso.slo.objectives import Events  # noqa: PLC0415 - loaded by now
    from atraso.slo.own_counts import own_counts  # noqa: PLC0415

    def told(source: Source | None, counts: tuple[int, int] | None = None, bad: float | None = None) -> ObjectiveAnswer:
        return ObjectiveAnswer(
            name=objective.name,
            title=objective.title,
            promise=objective.promise,
            reason=objective.reason,
            target=float(objective.target),
            window=objective.window,
            source=source,
            good=counts[0] if counts else None,
            total=counts[1] if counts else None,
            measured=None if bad is None else 1 - bad,
            budget_left=None if bad is None else 1 - bad / float(objective.budget),
        )

    if bad is not None:
        return told("prometheus", bad=bad)
    counts = own_counts(objective.indicator, totals) if isinstance(objective.indicator, Events) else None
    if counts is None:
        return told(None)
    good, total = counts
    return told("service", counts, (total - good) / total if total else None)
