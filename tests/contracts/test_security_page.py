"""The directories shown in docs/security.md are configured as shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from atraso.bootstrap.access import directory_config
from atraso.identity.principal import PREDICT
from atraso.settings import load_settings, unknown_variables

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
SHOWN = [
    dict(line.split("=", 1) for line in block.strip().splitlines())
    for block in re.findall(r"```\n(ATRASO_AUTH=.*?)```", PAGE, re.DOTALL)
]


def test_the_page_shows_openldap_and_active_directory() -> None:
    """By search, by direct bind, and with Active Directory's names."""
    assert len(SHOWN) == 3
    assert "ATRASO_LDAP_USER_DN" in SHOWN[1]
    assert "sAMAccountName" in SHOWN[2]["ATRASO_LDAP_FILTER"]


@pytest.mark.parametrize("shown", SHOWN, ids=("search", "direct", "active directory"))
def test_a_shown_directory_can_be_used_as_it_is(shown: dict[str, str], tmp_path: Path) -> None:
    """Every variable is a setting, and together they are a directory that a service would ask."""
    authority = tmp_path / "ca.pem"
    authority.touch()
    variables = shown | {"ATRASO_LDAP_CA": str(authority)}
    assert not unknown_variables(variables)
    config = directory_config(load_settings(variables))
    config.check()
    assert PREDICT in {role for roles in config.roles.values() for role in roles}
