"""The keys that sign tokens: Ed25519, in a file of the data folder that its owner alone can read.

The newest key signs. Older ones still prove what they signed, until the overlap that a rotation leaves them is over.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from atraso.core.errors import AtrasoError

FILE = "signing-keys.json"
_KID_BYTES = 8


class SigningKeyError(AtrasoError):
    """The keys that sign tokens cannot be used."""


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kid: str
    private: str  # the 32 bytes of RFC 8032, base64
    created_s: int
    retired_s: int | None = None  # when it stops to prove anything


class _KeptList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: tuple[_Kept, ...] = ()


class SigningKey(msgspec.Struct, frozen=True):
    """A key with its identifier; *retired_s* is when it stops to prove anything, in seconds since 1970."""

    kid: str
    private: Ed25519PrivateKey
    retired_s: int | None = None

    @property
    def public(self) -> Ed25519PublicKey:
        """What others need to prove its signatures."""
        return self.private.public_key()


class SigningKeys:
    """The signing keys of the data folder *folder*."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def read(self) -> tuple[SigningKey, ...]:
        """Return the keys, oldest first; none without a file. Raises SigningKeyError for one others can read."""
        return tuple(
            SigningKey(kept.kid, Ed25519PrivateKey.from_private_bytes(base64.b64decode(kept.private)), kept.retired_s)
            for kept in self._read()
        )

    def create(self) -> bool:
        """Make a first key where there is none; return whether there was none."""
        with self._locked():
            if self._read():
                return False
            self._write((_new(),))
        return True

    def rotate(self, overlap_s: int) -> str:
        """Make a new key that signs from now on, and return its identifier; the others prove for *overlap_s* more."""
        with self._locked():
            now = int(time.time())
            living = (kept for kept in self._read() if kept.retired_s is None or kept.retired_s > now)
            retiring = tuple(
                msgspec.structs.replace(kept, retired_s=min(kept.retired_s or now + overlap_s, now + overlap_s))
                for kept in living
            )
            made = _new()
            self._write((*retiring, made))
        return made.kid

    def stamp(self) -> tuple[int, int, int] | None:
        """Return what changes when the file does, or None where there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _read(self) -> tuple[_Kept, ...]:
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise SigningKeyError(f"Others can read {self.path}: chmod 600 it, or remove it to have a new key.")
                keys = msgspec.json.decode(file.read(), type=_KeptList).keys
            if any(len(base64.b64decode(kept.private, validate=True)) != 32 for kept in keys):
                raise ValueError("a key is not 32 bytes")
            return keys
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise SigningKeyError(f"The signing keys in {self.path} cannot be read: {error.strerror}.") from None
        except (msgspec.MsgspecError, ValueError):
            raise SigningKeyError(
                f"The file of signing keys {self.path} is damaged: remove it to have a new key."
            ) from None

    def _write(self, kept: tuple[_Kept, ...]) -> None:
        content = msgspec.json.format(msgspec.json.encode(_KeptList(kept)), indent=1) + b"\n"
        beside = self.path.with_name(f".{FILE}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise SigningKeyError(f"The signing keys cannot be written to {self.path}: {error.strerror}.") from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep others from writing meanwhile."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = (self.path.parent / f"{FILE}.lock").open("w")
        except OSError as error:
            raise SigningKeyError(f"The signing keys cannot be written to {self.path}: {error.strerror}.") from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def key_from_pem(pem: str) -> SigningKey:
    """Return the key that *pem* (PKCS 8, not encrypted) holds; raises SigningKeyError."""
    try:
        private = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None  # not even its beginning is told
    if not isinstance(private, Ed25519PrivateKey):
        raise SigningKeyError(
            "ATRASO_SIGNING_KEY is no Ed25519 private key in PEM (openssl genpkey -algorithm ed25519)."
        )
    public = private.public_key().public_bytes_raw()
    return SigningKey(base64.urlsafe_b64encode(public)[:11].decode(), private)


def jwks(keys: tuple[SigningKey, ...]) -> bytes:
    """Return the public halves of *keys* as a JSON Web Key Set (RFC 7517, RFC 8037)."""
    told = [
        {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.kid, "x": _x(key)} for key in keys
    ]
    return msgspec.json.encode({"keys": told})


def _x(key: SigningKey) -> str:
    return base64.urlsafe_b64encode(key.public.public_bytes_raw()).rstrip(b"=").decode()


def _new() -> _Kept:
    private = base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()
    return _Kept(secrets.token_urlsafe(_KID_BYTES), private, int(time.time()))
