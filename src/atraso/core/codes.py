"""From what people write (names, IATA or ICAO codes) to the ICAO codes the model knows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from atraso.core.errors import FieldError

LONGEST_REMEMBERED = 64
_SPACES = re.compile(r"\s+")
_FLIGHT_NUMBER = re.compile(r"[0-9]{1,5}[A-Z]?")
_AIRLINE_CODE = re.compile(r"[A-Z]{3}|[A-Z][A-Z0-9]|[0-9][A-Z]")
_ICAO_PLACE = re.compile(r"[A-Z][A-Z0-9]{3}")
_IATA_PLACE = re.compile(r"[A-Z]{3}")


def folded(text: str) -> str:
    """Return *text* without accents, in capitals, with single spaces: how names are compared."""
    return _folded_before(text) if len(text) <= LONGEST_REMEMBERED else _folded(text)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return _SPACES.sub(" ", plain).strip().upper()


# Clients ask for the same few names and codes over and over.
_folded_before = lru_cache(maxsize=4096)(_folded)


@dataclass(frozen=True, slots=True)
class AirlineNames:
    """Every spelling of an airline, folded, with the ICAO codes it may stand for.

    `on_route` counts departures per (origin|airline|destination), older ones less, so that a name of several airlines
    can mean the one that flies there most.
    """

    spellings: Mapping[str, tuple[str, ...]]
    on_route: Mapping[str, float]

    def icao(self, text: str, origin: str, destination: str) -> tuple[str, str | None]:
        """Return the ICAO code for *text* on a route, and a warning where that was a choice or a new code.

        Raises FieldError for text that is neither a known name nor formed like a code.
        """
        name = folded(text)
        candidates = self.spellings.get(name)
        if candidates is None:
            if not _AIRLINE_CODE.fullmatch(name):
                raise FieldError(
                    "airline",
                    f"{text!r} is not an airline's ICAO code, IATA code or name known to this model",
                )
            return (
                name,
                f"airline {name} was not seen in training: the answer uses what is usual at the airport",
            )
        if len(candidates) == 1:
            return candidates[0], None
        counts = [(self.on_route.get(f"{origin}|{c}|{destination}", 0), c) for c in candidates]
        most = max(n for n, _ in counts)
        chosen = next(c for n, c in counts if n == most)  # candidates come with the largest airline first
        others = ", ".join(c for c in candidates if c != chosen)
        return (
            chosen,
            f"airline {text!r} stands for several ICAO codes; {chosen} has most departures here (not {others})",
        )


def flight_number_of(text: str, airline_codes: tuple[str, ...]) -> str:
    """Return the number without airline code, leading zeros or a trailing ".0"; raises FieldError if malformed."""
    number = folded(text).replace(" ", "").replace("-", "")
    for code in sorted(airline_codes, key=len, reverse=True):
        if code and number.startswith(code) and len(number) > len(code):
            number = number[len(code) :]
            break
    number = number.removesuffix(".0")
    number = number.lstrip("0") or number[:1]
    if not _FLIGHT_NUMBER.fullmatch(number):
        raise FieldError(
            "flight_number", f"{text!r} is not a flight number of this airline, such as 282, with or without its code"
        )
    return number


def is_flight_number(text: str) -> bool:
    """Return whether *text* is a flight number as `flight_number_of` returns it."""
    return _FLIGHT_NUMBER.fullmatch(text) is not None and text == (text.lstrip("0") or text[:1])


def is_place(text: str) -> bool:
    """Return whether *text* is formed like an airport's ICAO code."""
    return _ICAO_PLACE.fullmatch(text) is not None


def place_of(text: str, iata_to_icao: Mapping[str, str], field: str) -> str:
    """Return the ICAO code of an airport given as ICAO or IATA; raises FieldError naming *field*."""
    code = folded(text)
    if _ICAO_PLACE.fullmatch(code):
        return code
    if _IATA_PLACE.fullmatch(code):
        icao = iata_to_icao.get(code)
        if icao is not None:
            return icao
        raise FieldError(field, f"{text!r} is not the IATA code of an airport known here; give its ICAO code")
    raise FieldError(field, f"{text!r} is not an airport's ICAO code (SPJC) or IATA code (LIM)")
