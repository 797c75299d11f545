"""The declared feature specification: every feature once, with the key it belongs to and what it needs to be known.

Training, evaluation and service read this list and nothing else; its fingerprint is kept in each artefact, and an
artefact made from another list is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

# What must be at hand for a feature to be known.
CALENDAR = "calendar"  # the scheduled time alone
RATES = "rates"  # the artefact's own frozen rates of the training period
STATE = "state"  # departures up to the moment of prediction
SCHEDULE = "schedule"  # the published schedule: other flights that are to leave

GROUPS = (
    "airline",
    "route",
    "flight number",
    "time of day",
    "calendar",
    "crowding",
    "live delays",
    "recent history",
)


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its name, the kind of key it belongs to, the group it is told under, and what it needs."""

    name: str
    key: str
    group: str
    needs: frozenset[str]


# Frozen late rates and mean delays of the training period, each less what is usual at the airport, and their product:
# often late and by much tells more than either. Per kind, with the group under which the reader meets them.
FROZEN_RATES = {
    "airline": "airline",
    "route": "route",
    "flight": "flight number",
    "airline_route": "route",
    "airline_region": "route",
    "hour": "time of day",
    "hour_of_week": "time of day",
    "airline_hour": "time of day",
    "airline_weekday": "calendar",
    "region_hours3": "time of day",
    "airline_route_hour": "time of day",
    "flight_weekday": "flight number",
}
# The products are read where no state is known. Where it is, the last weeks tell more, and they add nothing.
WITHOUT_STATE = frozenset(f"both.{kind}" for kind in FROZEN_RATES)
FROZEN_SHRINKAGE_FLIGHTS = 25.0
FROZEN_BLOCK_DAYS = 28
FROZEN_BLOCK_WEIGHT = 0.87  # each block further back counts this much less than the one after it

# Recent history: whole local days before the day of the moment of prediction.
HISTORY_DAYS = {
    "airport": (1, 7, 28, 56),
    "airline": (1, 7, 28, 56),
    "route": (1, 7, 28, 56),
    "airline_route": (7, 28, 56),
    "hour": (1, 7, 28, 56),
    "flight": (7, 28, 56),
    "airline_hour": (7, 28, 56),
    "airline_weekday": (28, 56),
    "region_hours3": (7, 28),
}
HISTORY_SHRINKAGE_FLIGHTS = 10.0
USUAL_DAYS = 28  # what is usual at the airport, towards which sparse numbers are pulled
LAST_FLIGHTS = (1, 3, 7)  # departures of the same flight number before today, latest first

# Live: what left in the last minutes.
LIVE_MINUTES = {
    "airport": (30, 60, 120, 360, 1440),
    "airline": (60, 120, 360, 1440),
    "region": (120, 360),
    "route": (360, 1440),
}
LIVE_SHRINKAGE_FLIGHTS = 3.0
LATEST = {"flight": (1,), "airline_route": (1, 3), "route": (3,), "airline": (5,), "airport": (10,)}  # until now
DAY_START_MINUTES = 4 * 60  # "the day so far" starts at 04:00, when the night's flights are gone

# Excess: how much later flights left than such flights had been leaving: than the airline's at that hour of the day.
EXCESS_MINUTES = {
    "airport": (30, 60, 120, 360, 1440),
    "airline": (60, 120, 360, 1440),
    "airline_reach": (60, 120, 360, 1440),
    "region": (120, 360, 1440),
    "route": (360, 1440),
}
EXPECTED_OF = "airline_hour"
EXPECTED_DAYS = 56
EXPECTED_SHRINKAGE_FLIGHTS = 20.0
EXCESS_UNITS = 1_000_000  # excesses are added up as whole millionths, so that their order cannot matter

# Live with a published schedule: flights due so long ago that their lateness is known, left or not; and the overdue.
DECIDED_MINUTES = {"airport": (60, 120, 360), "airline": (60, 120, 360), "region": (360,), "route": (360,)}
OVERDUE_KINDS = ("airport", "airline", "region")
OVERDUE_AFTER_MINUTES = (0, 15, 30, 60)
OVERDUE_UNTIL_MINUTES = 360  # nothing counts as overdue for longer: it was cancelled, or its departure never reported

# Crowding: flights scheduled around the flight's own scheduled time, (after, until] in minutes.
CROWDING_MINUTES = {
    "airport": ((-30, 0), (-60, 0), (0, 30), (0, 60), (-15, 15), (-180, 0)),
    "airline": ((-60, 0), (0, 60), (-180, 0)),
    "route": ((-60, 0), (0, 60), (-180, 0)),
    "region": ((-60, 0), (0, 60), (-180, 0)),
}

DELAY_CLIP_MINUTES = (-15, 60)  # mean delays are taken of delays clipped to this range


def _specification() -> tuple[Feature, ...]:
    def of(name: str, key: str, group: str, *needs: str) -> Feature:
        return Feature(name, key, group, frozenset(needs))

    spec = [
        of("minute_of_day", "slot", "time of day", CALENDAR),
        of("minute_of_five", "slot", "time of day", CALENDAR),
        of("hour_of_week", "slot", "time of day", CALENDAR),
        of("weekday", "day", "calendar", CALENDAR),
        of("holiday", "day", "calendar", CALENDAR),
        of("off_block_days", "day", "calendar", CALENDAR),
        of("days_to_off", "day", "calendar", CALENDAR),
        of("days_since_off", "day", "calendar", CALENDAR),
        of("bridge", "day", "calendar", CALENDAR),
    ]
    for kind, group in FROZEN_RATES.items():
        spec += [of(f"rate.{kind}", kind, group, RATES), of(f"usual.{kind}", kind, group, RATES)]
    spec += [of("flights.flight", "flight", "flight number", RATES)]
    for kind, ranges in CROWDING_MINUTES.items():
        spec += [of(f"crowd.{kind}.{a}..{b}", "crowding", "crowding", SCHEDULE) for a, b in ranges]
    for kind, days in HISTORY_DAYS.items():
        for d in days:
            spec.append(of(f"late.{kind}.{d}d", kind, "recent history", STATE))
            if d > 1:
                spec.append(of(f"delay.{kind}.{d}d", kind, "recent history", STATE))
    spec += [of(f"delay.flight.last{n}", "flight", "recent history", STATE) for n in LAST_FLIGHTS]
    for kind, minutes in LIVE_MINUTES.items():
        for m in minutes:
            spec.append(of(f"late.{kind}.{m}m", kind, "live delays", STATE))
            spec.append(of(f"delay.{kind}.{m}m", kind, "live delays", STATE))
    spec += [of(f"{what}.airport.today", "airport", "live delays", STATE) for what in ("late", "delay")]
    spec += [of(f"{what}.airline.today", "airline", "live delays", STATE) for what in ("late", "delay")]
    for kind, counts in LATEST.items():
        spec += [of(f"delay.{kind}.latest{n}", kind, "live delays", STATE) for n in counts]
    for kind, minutes in EXCESS_MINUTES.items():
        for m in minutes:
            spec.append(of(f"excess.{kind}.{m}m", kind, "live delays", STATE))
            spec.append(of(f"excess_delay.{kind}.{m}m", kind, "live delays", STATE))
            spec.append(of(f"decided_excess.{kind}.{m}m", kind, "live delays", STATE, SCHEDULE))
    for kind, minutes in DECIDED_MINUTES.items():
        spec += [of(f"decided.{kind}.{m}m", kind, "live delays", STATE, SCHEDULE) for m in minutes]
    for kind in OVERDUE_KINDS:
        spec += [of(f"overdue.{kind}.{m}m", kind, "live delays", STATE, SCHEDULE) for m in OVERDUE_AFTER_MINUTES]
        spec.append(of(f"waiting.{kind}", kind, "live delays", STATE, SCHEDULE))
    spec += [of(f"both.{kind}", kind, group, RATES) for kind, group in FROZEN_RATES.items()]
    return tuple(spec)


SPECIFICATION = _specification()
FEATURE_BY_NAME = {feature.name: feature for feature in SPECIFICATION}


def features_known(*, state: bool, schedule: bool) -> tuple[Feature, ...]:
    """Return the features that a scorecard reads with or without a live *state* and a published *schedule*."""
    at_hand = {CALENDAR, RATES} | ({STATE} if state else set()) | ({SCHEDULE} if schedule else set())
    return tuple(f for f in SPECIFICATION if f.needs <= at_hand and not (state and f.name in WITHOUT_STATE))


def fingerprint() -> str:
    """Return the SHA-256 of the whole specification, so that an artefact knows which features it was made from."""
    lines = [f"{f.name}|{f.key}|{f.group}|{','.join(sorted(f.needs))}" for f in SPECIFICATION]
    constants = (
        (FROZEN_SHRINKAGE_FLIGHTS, FROZEN_BLOCK_DAYS, FROZEN_BLOCK_WEIGHT),
        (HISTORY_SHRINKAGE_FLIGHTS, LIVE_SHRINKAGE_FLIGHTS, DAY_START_MINUTES, USUAL_DAYS),
        (EXPECTED_OF, EXPECTED_DAYS, EXPECTED_SHRINKAGE_FLIGHTS),
    )
    lines.append(repr((constants, OVERDUE_UNTIL_MINUTES, DELAY_CLIP_MINUTES)))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
