"""Leads: how long before the scheduled departure a prediction is made, and which scorecard answers it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lead:
    """One lead of an artefact; `minutes` is None for the answer that needs no state."""

    name: str
    minutes: int | None


SCHEDULE = Lead("schedule", None)
LEADS = (
    SCHEDULE,
    Lead("24h", 24 * 60),
    Lead("12h", 12 * 60),
    Lead("3h", 3 * 60),
    Lead("1h", 60),
    Lead("30m", 30),
)
LEAD_BY_NAME = {lead.name: lead for lead in LEADS}
A_DAY_MINUTES = 24 * 60


def lead_for(minutes_ahead: int) -> Lead:
    """Return the lead that answers a flight due in *minutes_ahead* (negative: already due).

    A time between two leads uses the longer, because the shorter one trusts the state more than it may.
    Already due is answered as `30m`; more than a day past, the schedule answers.
    """
    if minutes_ahead < -A_DAY_MINUTES:
        return SCHEDULE
    longest_first = LEADS[1:]
    chosen = SCHEDULE
    for lead in longest_first:
        if lead.minutes is not None and minutes_ahead > lead.minutes:
            return chosen
        chosen = lead
    return chosen
