"""Keys and revocations as rows, and the file by which the writer shows them to the workers.

Plain values: what a key or a token is, is for others to know. Moments are seconds since 1970, UTC.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from atraso.core.errors import AtrasoError
from atraso.ledger.whole_file import Stamp, stamp_of, write_whole

FILE = "accounts.json"
Text = Annotated[str, Meta(min_length=1, max_length=400)]
Moment = Annotated[int, Meta(ge=0, le=1 << 53)]


class AccountsError(AtrasoError):
    """The file of accounts is damaged or cannot be read."""


class KeyRow(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is kept of an API key: not the key, but its SHA-256 in hexadecimal and its visible beginning."""

    prefix: Text
    name: Text
    sha256: Annotated[str, Meta(min_length=64, max_length=64)]
    roles: Annotated[tuple[Text, ...], Meta(max_length=16)]
    created_s: Moment
    expires_s: Moment | None = None
    revoked_s: Moment | None = None
    last_used_s: Moment | None = None


class Revocation(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """That tokens of a subject, of a signing key or of one identifier are refused.

    *expires_s* is when the last of them would have expired anyway: after that the row is not needed.
    """

    kind: Literal["subject", "kid", "jti"]
    value: Text
    revoked_s: Moment
    revoked_by: Text
    expires_s: Moment | None = None


class Accounts(Struct, frozen=True, forbid_unknown_fields=True):
    """All keys that may be used and all revocations that matter, as they were at one moment."""

    keys: tuple[KeyRow, ...] = ()
    revocations: tuple[Revocation, ...] = ()


class AccountsFile:
    """The file `accounts.json` of a data folder: always whole, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._published: bytes | None = None
        self._stamp: object = ()

    def publish(self, accounts: Accounts) -> bool:
        """Put *accounts* in the place of what the file holds, in one step; False where it holds them already.

        Raises OSError where it cannot be written; the old file stays.
        """
        content = msgspec.json.format(msgspec.json.encode(accounts), indent=1) + b"\n"
        if self._published is None or self.stamp() != self._stamp:  # another's work, or damage
            self._published = self.path.read_bytes() if self.stamp() is not None else None
        if content == self._published:
            return False
        write_whole(self.path, content)
        self._published, self._stamp = content, self.stamp()
        return True

    def read(self) -> Accounts:
        """Return what was published last, nothing where nothing was; raises AccountsError for a damaged file."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Accounts)
        except FileNotFoundError:
            return Accounts()
        except OSError as error:
            raise AccountsError(f"The accounts in {self.path} cannot be read: {error.strerror}.") from None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise AccountsError(
                f"The file of accounts {self.path} is damaged: remove it, the ledger's writer makes it again."
            ) from None

    def stamp(self) -> Stamp | None:
        """Return what changes when the file does, or None where there is none."""
        return stamp_of(self.path)
