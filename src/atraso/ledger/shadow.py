"""What a challenger has to answer, and its answers: latest predictions under the version of its model.

An answer bears the identifier of the champion's prediction that it stands beside, so of two the same one is the latest
for both models, and both are forgotten together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, and_, or_, select, tuple_

from atraso.ledger.commands import ShadowRow
from atraso.ledger.database import sqlite_file
from atraso.ledger.latest import NEWER_WINS, latest_among
from atraso.ledger.records import first_id_at, milliseconds_of
from atraso.ledger.schema import LATEST
from atraso.ledger.storing import insert_rows

_MODEL = "model_version"


class Asked(NamedTuple):
    """What the champion was asked and said: a row of the latest predictions."""

    id: str
    as_of_s: int
    airline: str
    flight_number: str
    origin: str
    destination: str
    scheduled_utc: int
    scheduled_local: str
    lead: str
    basis: str
    delay_probability: float
    base_rate: float

    @property
    def asked_ms(self) -> int | None:
        """When it was asked, since 1970; None where its identifier, from a file, does not tell."""
        try:
            return milliseconds_of(self.id)
        except ValueError:
            return None


class Versions(NamedTuple):
    """Of which models is spoken."""

    champion: str
    challenger: str


def unanswered(engine: Engine, versions: Versions, after: str, most: int) -> list[Asked]:
    """Return the champion's predictions with an identifier above *after* that the challenger has not answered.

    The first *most* in the order of identifiers. A ledger that is not there yet has none; one that cannot be read now
    raises one of `DATABASE_ERRORS`.
    """
    file = sqlite_file(engine.url)
    if file is not None and not file.exists():  # to look would make it
        return []
    asked, said = LATEST.alias("asked"), LATEST.alias("said")
    same = [
        asked.c[column.name] == said.c[column.name] for column in LATEST.primary_key.columns if column.name != _MODEL
    ]
    # The rule of `NEWER_WINS`: what the upsert would not take must not be found here again and again.
    newer = tuple_(asked.c.as_of_s < asked.c.scheduled_utc * 60, asked.c.id) > tuple_(
        said.c.as_of_s < said.c.scheduled_utc * 60, said.c.id
    )
    statement = (
        select(*(asked.c[name] for name in Asked._fields))
        .select_from(asked.outerjoin(said, and_(*same, said.c[_MODEL] == versions.challenger)))
        .where(asked.c[_MODEL] == versions.champion, asked.c.id > after, or_(said.c.id.is_(None), newer))
        .order_by(asked.c.id, *(asked.c[column.name] for column in LATEST.primary_key.columns))
        .limit(most)
    )
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, LATEST.name):
            return []
        return [Asked._make(row) for row in connection.execute(statement)]


def before(milliseconds: int) -> str:
    """Return what all identifiers of a moment (since 1970), and of those after it, are above."""
    return first_id_at(max(milliseconds, 1) - 1)


def store_answers(connection: Connection, rows: Sequence[ShadowRow]) -> int:
    """Keep a challenger's answers where they are newer than what is kept; return how many are."""
    return insert_rows(connection, LATEST, latest_among(map(msgspec.structs.astuple, rows)), NEWER_WINS)
