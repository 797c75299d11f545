"""The ledger's writer as a process beside the workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from atraso.ledger.status import StatusBoard


def write_ledger(
    data: Path, url: str | None, keep_days: int, board: StatusBoard, alive: Callable[[], bool]
) -> None:
    """Be the writer of the folder *data* until it is told to end or is not *alive* any more."""
    # The database's library takes longer to import than all the rest: the service is ready meanwhile.
    from atraso.ledger.writer import WriterConfig, run_writer  # noqa: PLC0415

    run_writer(WriterConfig(data, url, keep_days), alive, board)
