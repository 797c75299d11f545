"""The directory that services of this folder's tests ask."""

from tests.identity.conftest import server

__all__ = ["server"]
