"""What is known of how right the predictions were, and the file by which the writer shows it to the workers.

Plain values, without the database's library: workers read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from atraso.core.errors import AtrasoError
from atraso.ledger.whole_file import Stamp, stamp_of, write_whole

FILE = "quality.json"
ALL_MODELS = "all"
Interval = Annotated[
    tuple[float, float], Meta(description="95 % interval over resampled days; none where there is one day only.")
]


class QualityError(AtrasoError):
    """The file of quality is damaged or cannot be read."""


class Scores(Struct, frozen=True, forbid_unknown_fields=True):
    """Scores of P(delay > 15 min) over *n* flights; null where they cannot be told.

    The skill is against the base rate that was said with each prediction, the calibration error that of 15 bins of
    equal mass.
    """

    n: int
    delayed: Annotated[int, Meta(description="How many of them left more than 15 minutes late.")]
    said: Annotated[float, Meta(description="Mean probability that was said.")]
    brier_score: float
    brier_skill: float | None
    auc: float | None
    ece: float


class Bin(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the reliability diagram: the mean probability said, and the share that was delayed."""

    n: int
    said: float
    delayed: float


class LeadQuality(Scores, frozen=True, forbid_unknown_fields=True):
    """The scores of one lead, each flight once, with its latest prediction; and of parts of its flights."""

    brier_score_95: Interval | None
    brier_skill_95: Interval | None
    auc_95: Interval | None
    by_basis: dict[str, Scores]
    by_airline: Annotated[dict[str, Scores], Meta(description="By ICAO code, those with most flights first.")]
    by_week: Annotated[dict[str, Scores], Meta(description="By ISO week of the scheduled local day.")]
    reliability: tuple[Bin, ...]


class Counts(Struct, frozen=True, forbid_unknown_fields=True):
    """What became of the window's predictions, each flight once per lead."""

    judged: int
    waiting: Annotated[int, Meta(description="Not due yet, or due less than 6 hours ago and not reported.")]
    without_departure: Annotated[int, Meta(description="Due longer ago than that, and no departure was reported.")]
    already_left: Annotated[int, Meta(description="Predicted at or after the actual departure: not judged.")]
    cancelled: Annotated[int, Meta(description="Reported cancelled: not judged.")]


class Moved(Struct, frozen=True, forbid_unknown_fields=True):
    """The value of a group that moved most: its share in the reference, and now."""

    value: str
    expected: float
    found: float


class GroupDrift(Struct, frozen=True, forbid_unknown_fields=True):
    """How far one group of features has moved: the population stability index, and from where it is an alarm."""

    n: int
    psi: float
    threshold: Annotated[
        float | None, Meta(description="Null for what operators and not the flights decide: it is never an alarm.")
    ]
    alarm: bool
    moved: Moved


class Quality(Struct, frozen=True, forbid_unknown_fields=True):
    """How right the predictions for the flights of the last *days* days were, and how these flights have drifted."""

    made_at: Annotated[str, Meta(description="When this was found, ISO 8601 in UTC.")]
    days: Annotated[int, Meta(description="How many days of scheduled departures it covers.")]
    model_version: Annotated[str, Meta(description="Whose predictions are judged, or `all`.")]
    complete: Annotated[bool, Meta(description="False where only the latest predictions of the window were judged.")]
    counts: Counts
    leads: dict[str, LeadQuality]
    drift: Annotated[
        dict[str, GroupDrift], Meta(description="By group of features; those with too few flights are left out.")
    ]


class QualityFile:
    """The file `quality.json` of a data folder; it is read again when it has changed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._read: tuple[Stamp, Quality] | None = None

    def publish(self, quality: Quality) -> None:
        """Put *quality* in the place of what the file holds; raises OSError, and the old file stays."""
        write_whole(self.path, msgspec.json.format(msgspec.json.encode(quality), indent=1) + b"\n")

    def read(self) -> Quality | None:
        """Return what was published last, None where nothing was; raises QualityError for a damaged file."""
        stamp = stamp_of(self.path)
        if stamp is None:
            return None
        if self._read is None or self._read[0] != stamp:
            self._read = stamp, self._decoded()
        return self._read[1]

    def _decoded(self) -> Quality:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Quality)
        except OSError as error:
            raise QualityError(f"The quality in {self.path} cannot be read: {error.strerror}.") from None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise QualityError(
                f"The file of quality {self.path} is damaged: remove it, the ledger's writer makes it again."
            ) from None
