"""Which challenger is taken, and which is refused before the service begins."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from pathlib import Path

import msgspec
import pytest

from atraso.artefact.bundle import BUNDLED, read_manifest
from atraso.artefact.store import Store
from atraso.bootstrap.challenger_choice import chosen_challenger
from atraso.core.errors import SettingsError
from atraso.settings import Settings


def test_none_is_chosen_where_none_is_named(tmp_path: Path) -> None:
    """Whatever is at hand."""
    assert chosen_challenger(Settings(), Store(tmp_path), read_manifest(BUNDLED)) is None


def test_a_version_at_hand_and_a_folder_are_taken(tmp_path: Path) -> None:
    """With the key that models must be signed by."""
    champion = read_manifest(BUNDLED)
    for named in (champion.version, str(BUNDLED)):
        found = chosen_challenger(Settings(challenger=named, ledger="spool"), Store(tmp_path), champion)
        assert found == (BUNDLED, None)


def test_one_of_other_airports_is_refused(tmp_path: Path) -> None:
    """It could not be asked the same."""
    champion = read_manifest(BUNDLED)
    airport = champion.airports[0]
    change = replace if is_dataclass(airport) else msgspec.structs.replace
    elsewhere = msgspec.structs.replace(champion, airports=(change(airport, icao="KJFK"),))  # type: ignore[type-var]
    with pytest.raises(SettingsError, match="is of SCEL, the model in use of KJFK"):
        chosen_challenger(Settings(challenger=str(BUNDLED), ledger="spool"), Store(tmp_path), elsewhere)
