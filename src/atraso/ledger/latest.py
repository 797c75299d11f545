"""The latest prediction of each flight, gathered of a batch before it is stored.

The greatest identifier wins, in a batch and in the table, so neither the order in which records come nor a record that
is read twice makes a difference. But one that was asked when its flight was already due never takes the place of one
asked before: who asks on until a flight has left would otherwise leave nothing to be judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from atraso.ledger.records import COLUMNS, Row
from atraso.ledger.schema import LATEST

_KEY = tuple(column.name for column in LATEST.primary_key.columns)
_OTHERS = [column.name for column in LATEST.columns if column.name not in _KEY]
NEWER_WINS = (
    f"({', '.join(_KEY)}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _OTHERS)} "
    "WHERE (excluded.as_of_s < excluded.scheduled_utc * 60, excluded.id) > "
    f"({LATEST.name}.as_of_s < {LATEST.name}.scheduled_utc * 60, {LATEST.name}.id)"
)
# Places in a row of predictions: slices, because this is done for each of them.
_AT = COLUMNS.index("airline")
_FLIGHT = slice(_AT, COLUMNS.index("scheduled_local"))
_ASKED = slice(COLUMNS.index("lead"), COLUMNS.index("delay_probability"))
_ID, _AS_OF, _DUE = (COLUMNS.index(name) for name in ("id", "as_of_s", "scheduled_utc"))
_values = itemgetter(*(COLUMNS.index(column.name) for column in LATEST.columns))
_PLACES = [column.name for column in LATEST.columns]
_key_of_latest = itemgetter(*map(_PLACES.index, _KEY))
_ID_OF_LATEST, _AS_OF_LATEST, _DUE_LATEST = (_PLACES.index(name) for name in ("id", "as_of_s", "scheduled_utc"))


def latest_of(rows: Iterable[Row]) -> list[Row]:
    """Return of rows of predictions the latest of each flight, lead, basis and model, as rows of `LATEST`."""
    flight, asked = _FLIGHT, _ASKED
    found = {row[flight] + row[asked]: row for row in sorted(rows, key=_worth)}
    return [_values(row) for row in found.values()]


def latest_among(rows: Iterable[Row]) -> list[Row]:
    """Return of rows of `LATEST` those that stand, one for each key."""
    return list({_key_of_latest(row): row for row in sorted(rows, key=_worth_of_latest)}.values())


def _worth_of_latest(row: Any) -> tuple[bool, str]:
    return row[_AS_OF_LATEST] < row[_DUE_LATEST] * 60, row[_ID_OF_LATEST]


def _worth(row: Any) -> tuple[bool, str]:
    return row[_AS_OF] < row[_DUE] * 60, row[_ID]
