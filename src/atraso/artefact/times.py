"""Reading the time of a flight as people write it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from atraso.core.errors import FieldError

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(Z|[+-]\d\d:?\d\d)?", re.ASCII | re.IGNORECASE
)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?", re.ASCII)
FIRST_YEAR, LAST_YEAR = 1970, 2199
MAX_REMEMBERED = 4096  # days, and times of day


@lru_cache(4096)
def _is_steady(zone: ZoneInfo, day: int) -> bool:
    """Tell whether the clocks of *zone* are not changed on the day of ordinal *day* or on one beside it."""
    noon = datetime.fromordinal(day).replace(hour=12, tzinfo=zone)
    return len({(noon + timedelta(days=n)).utcoffset() for n in (-1, 0, 1)}) == 1


def moment_of(text: str, zone: ZoneInfo, field: str) -> tuple[datetime, str | None]:
    """Return *text* (ISO 8601) as an aware time in *zone*, and a warning where a clock change makes it doubtful.

    Without an offset it is the local time of *zone*; with one it is converted. Raises FieldError naming *field*.
    """
    plain = text
    if _ISO.fullmatch(plain) is None:
        plain = text.strip()
        if _ISO.fullmatch(plain) is None:
            raise FieldError(field, f"{text!r} is not a date with a time such as 2017-07-14T08:30:00")
    try:
        moment = datetime.fromisoformat(plain.upper())
    except ValueError:
        raise FieldError(field, f"{text!r} is not a date and time that exist") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise FieldError(field, f"the year of {text!r} is outside {FIRST_YEAR} to {LAST_YEAR}")
    if moment.tzinfo is not None:
        return moment.astimezone(zone), None
    local = moment.replace(tzinfo=zone)
    if _is_steady(zone, moment.toordinal()):
        return local, None
    before, after = local.utcoffset(), local.replace(fold=1).utcoffset()
    if before is None or after is None or before == after:
        return local, None
    if before < after:  # the clock jumps forward over this time: read it as if the clock had not been changed yet
        shifted = local.astimezone(UTC).astimezone(zone)
        return shifted, f"{text} is skipped by a clock change in {zone.key}; taken as {shifted.isoformat()}"
    return local, f"{text} happens twice in {zone.key} because of a clock change; taken as the first"


class Clock:
    """Reads the local times of one *zone*, and remembers days and times of day: thousands of flights share them."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._days: dict[str, date] = {}
        self._times: dict[str, time] = {}

    def read(self, text: str, field: str) -> tuple[datetime, str | None]:
        """Return what `moment_of` does."""
        day, of_day = self._days.get(text[:10]), self._times.get(text[10:])
        if day is not None and of_day is not None:
            return datetime.combine(day, of_day), None
        moment, note = moment_of(text, self.zone, field)
        # Only what stands for itself: no offset, and no clock change near it.
        if note is None and _LOCAL.fullmatch(text) and _is_steady(self.zone, moment.toordinal()):
            if max(len(self._days), len(self._times)) >= MAX_REMEMBERED:
                self._days.clear()
                self._times.clear()
            self._days[text[:10]], self._times[text[10:]] = moment.date(), moment.timetz()
        return moment, note
