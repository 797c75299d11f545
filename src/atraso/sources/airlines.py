"""Airlines by code and name, from the table beside this file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Airline:
    """One airline: ICAO code, IATA code (empty where it is not known), name, and other names it goes by.

    One name may belong to several ICAO codes ("Grupo LATAM" has seven), an IATA code to one only.
    """

    icao: str
    iata: str
    name: str
    also: tuple[str, ...]


@cache
def airlines() -> MappingProxyType[str, Airline]:
    """Return the known airlines by ICAO code."""
    table = {}
    with (resources.files(__package__) / "airlines.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            also = tuple(name for name in row["also"].split("|") if name)
            table[row["icao"]] = Airline(row["icao"], row["iata"], row["name"], also)
    return MappingProxyType(table)


@cache
def airline_icao_by_iata() -> MappingProxyType[str, str]:
    """Return the ICAO code of each known IATA airline code."""
    return MappingProxyType({airline.iata: icao for icao, airline in airlines().items() if airline.iata})
