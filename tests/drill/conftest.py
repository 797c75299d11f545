"""The directory that drills log in against."""

from tests.identity.conftest import server

__all__ = ["server"]
