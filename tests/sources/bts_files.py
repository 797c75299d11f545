"""Files of the BTS shape, written by the tests: no row of them is real."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

# The documented columns of the prepared monthly files up to the first diversion; the file ends every line in a comma.
# fmt: off
HEADER = [
    "Year", "Quarter", "Month", "DayofMonth", "DayOfWeek", "FlightDate", "Reporting_Airline",
    "DOT_ID_Reporting_Airline", "IATA_CODE_Reporting_Airline", "Tail_Number", "Flight_Number_Reporting_Airline",
    "OriginAirportID", "OriginAirportSeqID", "OriginCityMarketID", "Origin", "OriginCityName", "OriginState",
    "OriginStateFips", "OriginStateName", "OriginWac", "DestAirportID", "DestAirportSeqID", "DestCityMarketID",
    "Dest", "DestCityName", "DestState", "DestStateFips", "DestStateName", "DestWac", "CRSDepTime", "DepTime",
    "DepDelay", "DepDelayMinutes", "DepDel15", "DepartureDelayGroups", "DepTimeBlk", "TaxiOut", "WheelsOff",
    "WheelsOn", "TaxiIn", "CRSArrTime", "ArrTime", "ArrDelay", "ArrDelayMinutes", "ArrDel15", "ArrivalDelayGroups",
    "ArrTimeBlk", "Cancelled", "CancellationCode", "Diverted", "CRSElapsedTime", "ActualElapsedTime", "AirTime",
    "Flights", "Distance", "DistanceGroup", "CarrierDelay", "WeatherDelay", "NASDelay", "SecurityDelay",
    "LateAircraftDelay", "FirstDepTime", "TotalAddGTime", "LongestAddGTime",
]
# fmt: on
FORM_HEADER = [
    "FL_DATE",
    "OP_UNIQUE_CARRIER",
    "OP_CARRIER_FL_NUM",
    "ORIGIN",
    "DEST",
    "CRS_DEP_TIME",
    "DEP_TIME",
    "DEP_DELAY",
    "CANCELLED",
]
A_FLIGHT = {
    "FlightDate": "2017-07-14",
    "Reporting_Airline": "UA",
    "IATA_CODE_Reporting_Airline": "UA",
    "Flight_Number_Reporting_Airline": "282",
    "Origin": "EWR",
    "OriginCityName": "Newark, NJ",
    "Dest": "ORD",
    "DestCityName": "Chicago, IL",
    "CRSDepTime": "0830",
    "DepTime": "0850",
    "DepDelay": "20.00",
    "Cancelled": "0.00",
}
NUMBERS = {"DepDelay", "Cancelled", "DepDelayMinutes"}
GONE = {"DepTime": "", "DepDelay": "", "Cancelled": "1.00"}


def row(**changes: str) -> dict[str, str]:
    """Return one made-up row; what is not told is empty."""
    return A_FLIGHT | changes


def bts_text(*rows: dict[str, str], header: list[str] = HEADER) -> str:
    """Return a prepared file: texts in quotes, numbers bare, a comma at the end of every line."""
    quoted = [",".join(f'"{name}"' for name in header)]
    for cells in rows:
        told = ((name, cells.get(name, "")) for name in header)
        quoted.append(",".join(text if name in NUMBERS or not text else f'"{text}"' for name, text in told))
    return "".join(f"{line},\n" for line in quoted)


def form_text(*rows: dict[str, str]) -> str:
    """Return the same flights as the download form gives them: upper case, dates with a midnight."""
    facts = [name for name in A_FLIGHT if name not in ("IATA_CODE_Reporting_Airline", "OriginCityName", "DestCityName")]
    lines = [",".join(FORM_HEADER)]
    for cells in rows:
        year, month, day = cells["FlightDate"].split("-")
        lines.append(",".join([f"{int(month)}/{int(day)}/{year} 12:00:00 AM", *(cells[name] for name in facts[1:])]))
    return "\n".join(lines) + "\n"


def bts_path(folder: Path, *rows: dict[str, str]) -> Path:
    """Write a prepared file to *folder* and return its path."""
    path = folder / "flights.csv"
    path.write_text(bts_text(*rows), encoding="utf-8")
    return path


def zipped(text: str, *more: tuple[str, str]) -> bytes:
    """Return the zip as BTS offers it: one CSV file and a readme; *more* members by name and text."""
    packed = io.BytesIO()
    members = (("readme.html", "<h1>BACKGROUND</h1>"), ("On_Time_(1987_present)_2017_1.csv", text), *more)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def a_year_of_rows(seed: int = 2017) -> list[dict[str, str]]:
    """Return a year of rows from Newark, with a few from Atlanta: late by hour, airline, bad days and bad hours."""
    random = np.random.default_rng(seed)
    airlines = ("UA", "AA", "DL", "B6", "9E")
    destinations = ("ORD", "LAX", "BOS", "MIA", "DFW", "SFO")
    timetable = [
        (airlines[n % 5], str(100 + n), "ATL" if n % 12 == 11 else "EWR", destinations[n % 6], 5 * int(minute))
        for n, minute in enumerate(random.integers(5 * 12, 288, 24))
    ]
    rows, bad_day = [], 0.0
    for ordinal in range(365):
        day = datetime(2017, 1, 1) + timedelta(days=ordinal)  # noqa: DTZ001 - the clock of the origin
        bad_day = 0.4 * bad_day + random.normal(0.0, 6.0)
        bad_hour = bad_day + np.cumsum(random.normal(0.0, 2.0, 24))
        for airline, number, origin, destination, minute in timetable:
            scheduled = day + timedelta(minutes=minute)
            latent = bad_hour[scheduled.hour] + 0.8 * (scheduled.hour - 12) + 3.0 * airlines.index(airline)
            delay = int(np.clip(latent + random.normal(0.0, 8.0), -20, 600))
            told = row(
                FlightDate=f"{day:%Y-%m-%d}",
                Reporting_Airline=airline,
                Flight_Number_Reporting_Airline=number,
                Origin=origin,
                Dest=destination,
                CRSDepTime=f"{scheduled:%H%M}",
                DepTime=_hhmm(scheduled + timedelta(minutes=delay)),
                DepDelay=f"{delay}.00",
            )
            rows.append(told | GONE if random.random() < 0.01 else told)
    return rows


def _hhmm(moment: datetime) -> str:
    return "2400" if (moment.hour, moment.minute) == (0, 0) else f"{moment:%H%M}"
