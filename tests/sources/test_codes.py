"""Airlines and airports by their codes."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from atraso.core.errors import FieldError
from atraso.sources.airlines import airline_icao_by_iata, airlines
from atraso.sources.airports import airport, airport_icao_by_iata, origins_of, zone_of
from atraso.sources.scl import read_scl
from tests.flights_at_hand import scl_file


def test_airline_codes_are_codes_and_stand_once():
    """Every airline has a three-letter code of its own, and an IATA code belongs to one airline."""
    table = airlines()
    assert all(re.fullmatch(r"[A-Z]{3}", icao) for icao in table)
    iata = [airline.iata for airline in table.values() if airline.iata]
    assert all(re.fullmatch(r"[A-Z0-9]{2}", code) for code in iata)
    assert len(iata) == len(set(iata))


def test_every_airline_of_the_flights_is_known_by_code_and_name():
    """Each airline code of the SCL file is in the table, and goes by the name the file gives it."""
    reading = read_scl(scl_file()[0])
    pairs = set(zip(reading.departures.flights.airline.tolist(), reading.challenge.airline_name.tolist(), strict=True))
    assert len(pairs) == 30
    unknown = [(icao, name) for icao, name in pairs if name not in (airlines()[icao].name, *airlines()[icao].also)]
    assert unknown == []


@pytest.mark.parametrize(
    ("iata", "icao"),
    [("LA", "LAN"), ("H2", "SKU"), ("QF", "QFU"), ("JJ", "TAM"), ("9E", "EDV"), ("B6", "JBU")],
)
def test_an_iata_code_finds_its_airline(iata, icao):
    """The two-character code on a ticket leads to the airline's ICAO code."""
    assert airline_icao_by_iata()[iata] == icao


def test_grupo_latam_is_seven_airlines():
    """One name may stand for several airlines, and the table says for which."""
    assert {icao for icao, airline in airlines().items() if "Grupo LATAM" in airline.also} == {
        "LAN",
        "TAM",
        "LAP",
        "LXP",
        "LPE",
        "LNE",
        "DSM",
    }


def test_an_airport_is_found_by_either_code():
    """Santiago is SCEL and SCL, in Chile, on the clock of America/Santiago."""
    santiago = airport("SCEL")
    assert (santiago.iata, santiago.city, santiago.country, santiago.zone) == (
        "SCL",
        "Santiago",
        "CL",
        "America/Santiago",
    )
    assert airport_icao_by_iata()["SCL"] == "SCEL"
    assert zone_of("SCEL").key == "America/Santiago"


def test_an_unknown_airport_is_none():
    """A code that is no airport's gives None, not an error."""
    assert airport("ZZZZ") is None
    assert zone_of("ZZZZ") is None


@pytest.mark.parametrize(
    ("text", "codes"),
    [(None, ()), ("EWR", ("KEWR",)), ("ewr, KJFK,JFK", ("KEWR", "KJFK")), ("SCEL", ("SCEL",))],
)
def test_origins_are_told_by_either_code(text, codes):
    """Airports separated by commas, IATA or ICAO, each counted once; none told is none."""
    assert origins_of(text) == codes


@pytest.mark.parametrize("text", ["", "EWR,", "ZZZ", "Newark"])
def test_what_is_no_airport_is_no_origin(text):
    """A code nobody knows is refused naming the option."""
    with pytest.raises(FieldError, match=r"^--origin: "):
        origins_of(text)


def test_importing_the_sources_reads_no_table():
    """The tables are read when first asked for: importing the sources does not even import airportsdata."""
    script = "import sys, atraso.sources.registry; sys.exit('airportsdata' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
