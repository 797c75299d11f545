"""What can be asked of a ledger from outside, as values: they are sent over the writer's socket.

Nothing here needs the database's library, so whoever asks stays small.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from atraso.ledger.accounts import KeyRow, Revocation, Text


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


Command = CreateKey | RotateKey | ListKeys | RevokeKey | Revoke | Prune | Import
RESULTS: dict[type[Command], Any] = {
    CreateKey: KeyRow,
    RotateKey: KeyRow,
    ListKeys: list[KeyRow],
    RevokeKey: KeyRow,
    Revoke: Revocation,
    Prune: int,
    Import: int,
}
# Those that may take minutes: others can be done between their transactions.
LONG = (Prune, Import)
