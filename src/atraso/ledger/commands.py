"""What can be asked of a ledger from outside, as values: they are sent over the writer's socket.

Nothing here needs the database's library, so whoever asks stays small.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from atraso.ledger.accounts import KeyRow, Revocation, Text

MAX_REPORTS = 10_000
# What becomes part of a key: databases have a limit for its length.
LONGEST_NAME = 100
# Some 380 years, since 1970.
MAX_MINUTES, MAX_MS = 200_000_000, 12_000_000_000_000
Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Minutes = Annotated[int, Meta(ge=0, le=MAX_MINUTES)]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
Milliseconds = Annotated[int, Meta(ge=0, le=MAX_MS)]


class CreateKey(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="create_key"):
    """Keep a new key."""

    key: KeyRow


class RotateKey(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="rotate_key"):
    """Keep a new key beside the one of its name, which ends soon."""

    key: KeyRow
    overlap_s: Annotated[int, Meta(ge=1, le=315_360_000)]


class ListKeys(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="list_keys"):
    """Tell all keys."""


class RevokeKey(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="revoke_key"):
    """Revoke the key that begins with a prefix."""

    prefix: Text


class Revoke(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="revoke"):
    """Revoke tokens."""

    revocation: Revocation


class Prune(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="prune"):
    """Forget the predictions older than so many days."""

    keep_days: Annotated[int, Meta(ge=1, le=36_500)]


class Import(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="import"):
    """Take in the rows of a CSV file."""

    table: Text
    path: Annotated[str, Meta(min_length=1, max_length=4096)]


class FlightReport(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """What was reported of one flight: that it left, that it is cancelled, or neither, which is that it is scheduled.

    *scheduled_utc* and *actual_utc* are minutes since 1970, *scheduled_local* is ISO 8601 with its offset. Without
    *reported_ms* it counts as of the moment of the whole report.
    """

    airline: Name
    flight_number: Name
    origin: Name
    destination: Name
    scheduled_utc: Minutes
    scheduled_local: Name
    actual_utc: Minutes | None = None
    cancelled: bool = False
    reported_ms: Milliseconds | None = None


class Report(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="report"):
    """Keep what *reported_by* tells of flights at the moment *at_ms*; what is known already changes nothing."""

    reported_by: Text
    at_ms: Milliseconds
    flights: Annotated[tuple[FlightReport, ...], Meta(max_length=MAX_REPORTS)]


class Reported(Struct, frozen=True):
    """How much of a report was new, and the version of the ledger's knowledge of departures that holds it."""

    departures: int
    scheduled: int
    version: int


class ShadowRow(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """What a challenger says of a flight, in the order of the columns of `latest_predictions`.

    `id`, `as_of_s` and `base_rate` are those of the prediction that it stands beside.
    """

    airline: Name
    flight_number: Name
    origin: Name
    destination: Name
    scheduled_utc: Minutes
    scheduled_local: Name
    lead: Name
    basis: Name
    model_version: Name
    id: Annotated[str, Meta(min_length=26, max_length=26)]
    as_of_s: int
    delay_probability: Probability
    base_rate: Probability
    exceeds_0: Probability
    exceeds_15: Probability
    exceeds_30: Probability
    exceeds_60: Probability


class Shadow(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="shadow"):
    """Keep what a challenger answers beside the model in use; what is older than what is kept changes nothing."""

    rows: Annotated[tuple[ShadowRow, ...], Meta(max_length=MAX_REPORTS)]


Command = CreateKey | RotateKey | ListKeys | RevokeKey | Revoke | Prune | Import | Report | Shadow
RESULTS: dict[type[Command], Any] = {
    CreateKey: KeyRow,
    RotateKey: KeyRow,
    ListKeys: list[KeyRow],
    RevokeKey: KeyRow,
    Revoke: Revocation,
    Prune: int,
    Import: int,
    Report: Reported,
    Shadow: int,
}
# Those that may take minutes: others can be done between their transactions.
LONG = (Prune, Import)
