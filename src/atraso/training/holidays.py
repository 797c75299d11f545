"""Public holidays of a country, learnt in training and shipped in the artefact as a dated table."""

from __future__ import annotations

from datetime import date, timedelta

from atraso.core.calendar import DaysOff
from atraso.core.errors import MissingExtraError

EPOCH_DAY = date(1970, 1, 1)
# How long an artefact may be in use after its training data before its calendar runs out.
YEARS_AHEAD = 18


def days_off(country: str, first_year: int, last_year: int) -> DaysOff:
    """Return the holidays of *country* (ISO 3166-1) from a year before the data to `YEARS_AHEAD` after it."""
    try:
        import holidays  # noqa: PLC0415 - belongs to the extra `train`
    except ModuleNotFoundError as error:
        raise MissingExtraError("Training", "train") from error
    years = range(first_year - 1, last_year + YEARS_AHEAD + 1)
    days = sorted((day - EPOCH_DAY).days for day in holidays.country_holidays(country, years=list(years)))
    first = (date(years[0], 1, 1) - EPOCH_DAY).days
    last = (date(years[-1], 12, 31) - EPOCH_DAY).days
    return DaysOff.of(days, first, last)


def iso(day: int) -> str:
    """Return a day since 1970 as an ISO date."""
    return (EPOCH_DAY + timedelta(days=int(day))).isoformat()
