"""Names on their way to a directory and back: put into filters and DNs without changing them, compared as DNs are."""

from __future__ import annotations

import re
from typing import Any

from atraso.core.errors import MissingExtraError

USER, DN = "{user}", "{dn}"
# One set of (attribute, value) for each part of a DN, from the leaf up.
DnKey = tuple[frozenset[tuple[str, str]], ...]


def python_ldap() -> Any:
    """Return the module `ldap`. Raises MissingExtraError where the extra is not installed."""
    try:
        import ldap  # noqa: PLC0415 - belongs to the extra `ldap`; API keys work without it
        import ldap.controls.ppolicy  # noqa: PLC0415
        import ldap.dn  # noqa: PLC0415
        import ldap.filter  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("Log-in against a directory", "ldap") from None
    return ldap


def filled_filter(template: str, place: str, value: str) -> str:
    """Return the filter *template* with *value*, escaped by RFC 4515, at each *place*."""
    return template.replace(place, python_ldap().filter.escape_filter_chars(value))


def filled_dn(template: str, value: str) -> str:
    """Return the DN *template* with *value*, escaped by RFC 4514, for `{user}`."""
    return template.replace(USER, python_ldap().dn.escape_dn_chars(value))


def dn_key(dn: str) -> DnKey:
    """Return what is equal for two spellings of one DN; empty for what is no DN.

    Spaces around parts and letter case do not matter. Only the letters A to Z are folded: a directory folds more, but
    taking two groups for one would give away a role, and taking one for two only keeps it back.
    """
    ldap = python_ldap()
    try:
        parts = ldap.dn.str2dn(dn)
    except (ldap.LDAPError, ValueError, TypeError):
        return ()
    return tuple(frozenset((_folded(kind), _folded(value)) for kind, value, _ in part) for part in parts)


def _folded(text: str) -> str:
    return re.sub(" +", " ", re.sub("[A-Z]", lambda letter: letter[0].lower(), text)).strip(" ")
