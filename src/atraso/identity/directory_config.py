"""How a directory is asked, checked before it is."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from atraso.core.errors import SettingsError
from atraso.identity.directory_names import DN, USER, dn_key, python_ldap
from atraso.identity.principal import ROLES

MAX_NESTED_DEPTH = 10


@dataclass(frozen=True)
class DirectoryConfig:
    """Where the directory is, how a person is found in it and which groups give which roles.

    A person is found by search (*bind_dn*, *bind_password*, *base_dn*, *user_filter* with `{user}`) or bound directly
    (*user_dn* with `{user}`). Groups are read from *group_attribute* of the person's entry, or searched for under
    *group_base* by *group_filter* with `{dn}`; then also groups that hold those groups, *nested_depth* levels up.
    Active Directory walks them itself where the filter is `(member:1.2.840.113556.1.4.1941:={dn})`.
    """

    urls: tuple[str, ...]
    roles: Mapping[str, Collection[str]]
    bind_dn: str = ""
    bind_password: str = field(default="", repr=False)
    base_dn: str = ""
    user_filter: str = ""
    user_dn: str = ""
    name_attribute: str = "uid"
    group_attribute: str = "memberOf"
    group_base: str = ""
    group_filter: str = ""
    nested_depth: int = 0
    ca_file: Path | None = None
    plain_allowed: bool = False
    connect_timeout_s: float = 0.5
    operation_timeout_s: float = 1.0
    log_in_timeout_s: float = 1.5
    max_binds: int = 8
    max_waiting: int = 8
    failure_floor_s: float = 0.15

    def check(self) -> None:
        """Raise SettingsError for what cannot be used, MissingExtraError without the extra `ldap`."""
        python_ldap()
        for wrong, sentence in (*self._servers(), *self._people(), *self._groups(), *self._limits()):
            if wrong:
                raise SettingsError(f"The directory's {sentence}.")

    def _servers(self) -> list[tuple[Any, str]]:
        return [
            (
                not self.urls or not all(map(_is_address, self.urls)),
                "urls are one or more of the form ldap://host:port or ldaps://host:port",
            ),
            (self.ca_file is not None and not self.ca_file.is_file(), f"ca_file {self.ca_file} is not there"),
        ]

    def _people(self) -> list[tuple[Any, str]]:
        search = (self.bind_dn, self.bind_password, self.base_dn, self.user_filter)
        if self.user_dn:
            # Filled with a letter, because braces alone would parse as well.
            direct = self.user_dn.count(USER) == 1 and dn_key(self.user_dn.replace(USER, "u"))
            return [
                (any(search), "people are either searched for (bind_dn ...) or bound directly (user_dn), not both"),
                (not direct, "user_dn is a DN with {user} in it, such as uid={user},ou=people,dc=example,dc=org"),
            ]
        return [
            (not all(search), "search for people needs bind_dn, bind_password, base_dn and user_filter (or a user_dn)"),
            (not dn_key(self.bind_dn), "bind_dn is no DN"),
            (not dn_key(self.base_dn), "base_dn is no DN"),
            (not _is_filter(self.user_filter, USER), "user_filter is a filter with {user} in it, such as (uid={user})"),
        ]

    def _groups(self) -> list[tuple[Any, str]]:
        told = [role for roles in self.roles.values() for role in roles]
        searched = dn_key(self.group_base) and _is_filter(self.group_filter, DN)
        return [
            (not all(map(dn_key, self.roles)), "roles are told by the DNs of groups"),
            (any(isinstance(roles, str) for roles in self.roles.values()), "roles of a group are a list"),
            (set(told) - set(ROLES), f"roles are {', '.join(ROLES)}"),
            ((self.group_base or self.group_filter) and not searched,
             "group_base is a DN and group_filter a filter with {dn} in it, such as (member={dn})"),
            (not 0 <= self.nested_depth <= MAX_NESTED_DEPTH, f"nested_depth is 0 to {MAX_NESTED_DEPTH}"),
            (self.nested_depth and not self.group_base, "nested_depth needs group_base and group_filter"),
            (not self.name_attribute or not self.group_attribute, "name_attribute and group_attribute have a name"),
        ]  # fmt: skip

    def _limits(self) -> list[tuple[Any, str]]:
        limits = (self.connect_timeout_s, self.operation_timeout_s, self.log_in_timeout_s)
        return [
            (not all(0 < limit < float("inf") for limit in limits), "time-outs are seconds above 0"),
            (self.max_binds < 1 or self.max_waiting < 0, "max_binds is 1 or more and max_waiting 0 or more"),
            (not 0 <= self.failure_floor_s <= self.log_in_timeout_s, "failure_floor_s is 0 to log_in_timeout_s"),
        ]


def _is_address(url: str) -> bool:
    """Return whether *url* names a server and nothing else: no base, no filter, no second server."""
    try:
        return bool(re.fullmatch(r"ldaps?://[^\s,/?#@]+/?", url) and urlsplit(url).hostname and urlsplit(url).port != 0)
    except ValueError:  # a port that is none
        return False


def _is_filter(template: str, place: str) -> bool:
    """Return whether *template* is in parentheses that close, and *place* stands on the value's side only."""
    depth = lowest = 0
    for sign in template[:-1]:
        depth += (sign == "(") - (sign == ")")
        lowest = min(lowest, depth)
        if depth == 0:
            return False
    rest = template.replace(place, "")
    sides = re.findall(r"\(([^()=]*)=", template)
    closed = template.startswith("(") and template.endswith(")") and depth == 1 and lowest == 0
    return closed and place in template and not set("{}") & set(rest) and not any(place in side for side in sides)
