"""The directory that drills log in against."""

from tests.identity.conftest import server
from tests.stress.conftest import known

__all__ = ["known", "server"]
