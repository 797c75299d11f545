"""Public holidays of a country, learnt in training and shipped in the artefact as a dated table."""

from __future__ import annotations

from datetime import date, timedelta

from atraso.core.calendar import DaysOff
from atraso.core.errors import MissingExtraError, SourceError
from atraso.core.flights import FlightTable
from atraso.core.keys import MINUTES_A_DAY
from atraso.sources.airports import airport

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


def days_off_for(flights: FlightTable) -> DaysOff:
    """Return the holidays of the country the flights leave from; raises SourceError for more than one country."""
    countries = {_country(str(origin)) for origin in set(flights.origin.tolist())}
    if len(countries) != 1:
        raise SourceError(f"one model covers airports of one country, not of {', '.join(sorted(countries)) or 'none'}")
    years = [
        int(iso(int(local) // MINUTES_A_DAY)[:4])
        for local in (flights.scheduled_local.min(), flights.scheduled_local.max())
    ]
    return days_off(countries.pop(), *years)


def _country(icao: str) -> str:
    known = airport(icao)
    if known is None:
        raise SourceError(f"the airport {icao} is not known")
    return known.country


def iso(day: int) -> str:
    """Return a day since 1970 as an ISO date."""
    return (EPOCH_DAY + timedelta(days=int(day))).isoformat()
