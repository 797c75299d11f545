"""Airports by code, from airportsdata; its table is read once, when first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from atraso.core.codes import place_of


@dataclass(frozen=True, slots=True)
class Airport:
    """One airport: ICAO and IATA code (empty where it has none), name, city, country (ISO 3166-1), zone."""

    icao: str
    iata: str
    name: str
    city: str
    country: str
    zone: str


def airport(icao: str) -> Airport | None:
    """Return the airport of an ICAO code, or None when the table does not have it."""
    row = _table().get(icao)
    if row is None:
        return None
    return Airport(icao, row["iata"], row["name"], row["city"], row["country"], row["tz"])


def airport_icao_by_iata() -> MappingProxyType[str, str]:
    """Return the ICAO code of each IATA airport code."""
    return _icao_by_iata()


def origins_of(text: str | None) -> tuple[str, ...]:
    """Return the ICAO codes of airports written one after the other, IATA or ICAO (`EWR,KJFK`); none for no text.

    Raises FieldError for what is no airport's code.
    """
    codes = [] if text is None else text.split(",")
    return tuple(dict.fromkeys(place_of(code, airport_icao_by_iata(), "--origin") for code in codes))


@lru_cache(maxsize=1024)
def zone_of(icao: str) -> ZoneInfo | None:
    """Return the time zone of an airport, or None for an airport (or a zone) that is not known."""
    row = _table().get(icao)
    return ZoneInfo(row["tz"]) if row is not None and row["tz"] else None


@cache
def _table() -> dict[str, Any]:
    # Imported here because it brings the csv of 28,000 airports into play only where one is asked for.
    import airportsdata  # noqa: PLC0415

    table: dict[str, Any] = airportsdata.load("ICAO")
    return table


@cache
def _icao_by_iata() -> MappingProxyType[str, str]:
    return MappingProxyType({row["iata"]: icao for icao, row in _table().items() if row["iata"]})
