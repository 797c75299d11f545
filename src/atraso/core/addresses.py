"""The address of a service, as somebody typed it."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

_VISIBLE = re.compile(r"[!-~]+")


def service_address(url: str) -> SplitResult:
    """Return the parts of a service's address: http or https, a host, a port that there can be.

    Raises ValueError, with a sentence, for anything else.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not _VISIBLE.fullmatch(url):
        raise ValueError(f"{url!r} is not the address of a service, such as http://127.0.0.1:5000.")
    return parts


def bearer(key: str) -> str:
    """Return what a header says of *key*, without the line that a file ends with.

    Raises ValueError, with a sentence that does not show it, for one that no header can hold.
    """
    if not _VISIBLE.fullmatch(key.strip()):
        raise ValueError("The key in ATRASO_KEY has characters in it that no key has: copy it again, as one word.")
    return f"Bearer {key.strip()}"
