"""What may be reported of a flight, whoever reports it: the API, a file that is imported, a year of raw flights.

What is let in here is true until something reported later corrects it, so what lies in the future cannot be.
"""

from __future__ import annotations

from atraso.core.codes import is_flight_number, is_place

# Clocks differ, and a report may be on its way before its minute is over.
AHEAD_S = 5 * 60
EARLIEST_MINUTES, LATEST_MINUTES = -12 * 60, 48 * 60
FURTHEST_DAYS = 400
_A_DAY_S = 86_400


def why_not_scheduled(at_s: float, now_s: float) -> str | None:
    """Return why no flight can be scheduled for *at_s*, None where one can; both are seconds since 1970."""
    if at_s > now_s + FURTHEST_DAYS * _A_DAY_S:
        return f"is more than {FURTHEST_DAYS} days ahead"
    return None


def why_not_left(at_s: float, now_s: float) -> str | None:
    """Return why no flight can have left at *at_s*, None where one can; both are seconds since 1970."""
    if at_s > now_s + AHEAD_S:
        return "is in the future: report a departure once the flight has left"
    return None


def why_not_delayed(delay_minutes: int) -> str | None:
    """Return why no flight can have left so many minutes after its schedule, None where one can."""
    if EARLIEST_MINUTES <= delay_minutes <= LATEST_MINUTES:
        return None
    hours, side = abs(delay_minutes) // 60, "before" if delay_minutes < 0 else "after"
    return (
        f"is {hours} h {side} the scheduled departure: at most {-EARLIEST_MINUTES // 60} h before it and "
        f"{LATEST_MINUTES // 60} h after it are taken"
    )


def why_not_found_out(at_s: float, now_s: float) -> str | None:
    """Return why nothing can have been found out at *at_s*, None where it can; both are seconds since 1970."""
    return "is in the future" if at_s > now_s + AHEAD_S else None


def why_not_named(field: str, name: str) -> str | None:
    """Return why *name* cannot be what is kept in a *field* that names a flight, None where it can."""
    match field:
        case "flight_number":
            return None if is_flight_number(name) else "is not a flight number such as 282"
        case "origin" | "destination":
            return None if is_place(name) else "is not an airport's ICAO code (SPJC)"
        case _:
            return None if name.isprintable() and name.strip() == name else "is not a name"
