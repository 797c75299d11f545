"""From a record of the spool to rows of the ledger.

A record is JSON of one of two shapes: `{"principal", "flights", "answer"}`, an answer as it was sent with the flights
as they were understood; and `{"used": {prefix: seconds since 1970}}`, when keys were last used.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from atraso.ledger.schema import PREDICTIONS

# The order of a row's values.
COLUMNS = tuple(column.name for column in PREDICTIONS.columns)
Row = tuple[object, ...]

_ALPHABET = {letter: value for value, letter in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}
_ID_LENGTH, _TIME_LENGTH = 26, 10
MAX_SQL_INTEGER = (1 << 63) - 1


# What becomes part of a key: databases have a limit for its length.
_Name = Annotated[str, Meta(max_length=100)]


class _Flight(Struct, gc=False, array_like=True):
    airline: _Name
    flight_number: _Name
    origin: _Name
    destination: _Name
    scheduled_departure: _Name


class _Exceeds(Struct, gc=False, rename={"over_0": "0", "over_15": "15", "over_30": "30", "over_60": "60"}):
    over_0: float
    over_15: float
    over_30: float
    over_60: float


class _Minutes(Struct, gc=False):
    p50: float
    p80: float
    p95: float


class _Prediction(Struct, gc=False):
    id: str
    delay_probability: float
    delayed: bool
    base_rate: float
    basis: _Name
    lead: _Name
    exceeds: _Exceeds
    minutes: _Minutes
    reasons: Raw = Raw(b"[]")
    warnings: Raw = Raw(b"[]")


class _Model(Struct, gc=False):
    version: _Name


class _Answer(Struct, gc=False):
    model: _Model
    as_of: str
    predictions: list[_Prediction]


class _Record(Struct, gc=False):
    principal: str | None = None
    flights: list[_Flight] | None = None
    answer: _Answer | None = None
    used: dict[str, int] | None = None


class _CountedAnswer(Struct, frozen=True, gc=False):
    predictions: tuple[Raw, ...] = ()


class _Counted(Struct, frozen=True, gc=False):
    answer: _CountedAnswer = _CountedAnswer()


_decode = msgspec.json.Decoder(_Record).decode
_count = msgspec.json.Decoder(_Counted).decode


def read_record(payload: bytes | memoryview, keep: Callable[[Row], None], used: dict[str, int]) -> None:
    """Give *keep* a row for each prediction of a record, in the order of `COLUMNS`, and put keys' uses into *used*.

    Raises ValueError for a record that is not understood; rows given before that are to be forgotten.
    """
    record = _decode(payload)
    answer, flights, principal = record.answer, record.flights, record.principal
    if answer is None or flights is None or principal is None:
        _read_used(record, used)
        return
    as_of_s = _seconds(answer.as_of)
    version = answer.model.version
    for flight, said in zip(flights, answer.predictions, strict=True):
        identifier, exceeds, minutes = said.id, said.exceeds, said.minutes
        if len(identifier) != _ID_LENGTH:
            raise ValueError("an identifier has 26 characters")
        local = flight.scheduled_departure
        warnings, reasons = str(said.warnings, "utf-8"), str(said.reasons, "utf-8")
        keep(
            (
                identifier,
                principal,
                _milliseconds(identifier[:_TIME_LENGTH]),
                as_of_s,
                flight.airline,
                flight.flight_number,
                flight.origin,
                flight.destination,
                _seconds(local) // 60,
                local,
                said.lead,
                said.basis,
                version,
                said.delay_probability,
                said.delayed,
                said.base_rate,
                exceeds.over_0,
                exceeds.over_15,
                exceeds.over_30,
                exceeds.over_60,
                minutes.p50,
                minutes.p80,
                minutes.p95,
                None if warnings == "[]" else warnings,
                None if reasons == "[]" else reasons,
            )
        )


def rows_in(payload: bytes | memoryview) -> int:
    """Return how many predictions a record holds; 0 for one in which they cannot be counted."""
    try:
        return len(_count(payload).answer.predictions)
    except ValueError:
        return 0


def used_record(used: dict[str, int]) -> bytes:
    """Return the record that tells when keys, by their prefixes, were last used, in seconds since 1970."""
    return msgspec.json.encode({"used": used})


def _read_used(record: _Record, used: dict[str, int]) -> None:
    if record.used is None:
        raise ValueError("a record holds an answer, or when keys were used")
    for prefix, moment in record.used.items():
        if not 0 <= moment <= MAX_SQL_INTEGER:
            raise ValueError("a moment is in seconds since 1970")
        used[prefix] = max(moment, used.get(prefix, 0))


@lru_cache(maxsize=16384)
def _seconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment has an offset")
    return int(moment.timestamp())


def milliseconds_of(identifier: str) -> int:
    """Return when an identifier was given, since 1970; raises ValueError for what is none."""
    return _milliseconds(identifier[:_TIME_LENGTH])


@lru_cache(maxsize=256)
def _milliseconds(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 32 + _ALPHABET.get(digit, -1)
    if value < 0 or any(digit not in _ALPHABET for digit in digits):
        raise ValueError("an identifier begins with its time")
    return value


def first_id_at(milliseconds: int) -> str:
    """Return the least identifier of a moment: all that were given before it are less."""
    letters = list(_ALPHABET)
    digits = [letters[(milliseconds >> (5 * place)) & 31] for place in range(_TIME_LENGTH - 1, -1, -1)]
    return "".join(digits).ljust(_ID_LENGTH, "0")
